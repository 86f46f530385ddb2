"""Colours: both themes are whole, and every text reaches a contrast of 4.5 (WCAG 2.2, AA)."""

import re
from pathlib import Path

import pytest

import monosema.dashboard.page

CSS = (Path(monosema.dashboard.page.__file__).parent / "assets" / "theme.css").read_text(encoding="utf-8")
Colour = tuple[float, float, float]


def theme(selector: str) -> dict[str, str]:
    """The colours that a rule sets."""
    body = CSS[CSS.index(selector + " {") :]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", body[: body.index("}")]))


LIGHT, SYSTEM_DARK, DARK = theme(":root"), theme(':root:not([data-theme="light"])'), theme(':root[data-theme="dark"]')


def rgb(colour: str) -> Colour:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def mixed(share: float, one: Colour, other: Colour) -> Colour:
    red, green, blue = (share * a + (1 - share) * b for a, b in zip(one, other, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def shades() -> list[tuple[float, bool]]:
    """(share of the activation colour, whether the text is ink) of .a1 to .a8, as the style sheet says."""
    found = []
    for level in range(1, 9):
        rule = re.search(rf"\.a{level} {{ background: (.*?); (color: var\(--ink\); )?}}", CSS)
        assert rule, level
        share = re.search(r"--act\) (\d+)%", rule[1])
        found.append((int(share[1]) / 100 if share else 1.0, rule[2] is not None))
    return found


def test_both_ways_to_the_dark_theme_are_the_same_and_set_every_colour():
    assert SYSTEM_DARK == DARK
    assert LIGHT.keys() == DARK.keys()
    assert "prefers-color-scheme: dark" in CSS


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_can_be_read(colours: dict[str, str]):
    for ground in ("paper", "card", "accent-soft"):
        for text in ("ink", "muted", "accent", "warn", "help", "hurt"):
            assert contrast(rgb(colours[text]), rgb(colours[ground])) >= 4.5, (text, ground)
    assert contrast(rgb(colours["ink"]), rgb(colours["faint"])) >= 4.5
    assert contrast(rgb(colours["focus"]), rgb(colours["paper"])) >= 3


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_tokens_can_be_read_at_every_shade_and_shades_rise(colours: dict[str, str]):
    grounds = []
    for share, is_ink in shades():
        ground = mixed(share, rgb(colours["act"]), rgb(colours["card"]))
        assert contrast(rgb(colours["ink" if is_ink else "act-ink"]), ground) >= 4.5, share
        grounds.append(contrast(ground, rgb(colours["card"])))
    assert grounds == sorted(grounds) and grounds[-1] > 1.8
