"""How a prompt's tokens, features and changes are written: numbers as text, marks as names of classes.

l1 .. l6   loss: the height of a bar above the token        a1 .. a8   shade: activation
h1 .. h3   solid line: removing the feature raises the loss, it helps
x1 .. x3   dashed line: it hurts
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monosema.dashboard.measures import ABSENT
from monosema.dashboard.numbers import count, percent, short
from monosema.dashboard.text import token, visible
from monosema.dashboard.windows import characters, level, width
from monosema.features.browse.rows import FeatureRow
from monosema.features.live.rows import Ablation, Candidate, Change, FiringHere, Look, PromptToken, Sampled, Steered

LOSSES = (0.5, 1.0, 2.0, 4.0, 6.0, 9.0)
"""Nats from which the bar above a token has its first, second, ... height."""

TAIL = 40
"""Characters of the prompt that are repeated in front of sampled text."""

HOW_SAID = {"set": "set to", "scale": "multiplied by", "clamp": "limited to at most"}


def nats(value: float | None) -> str:
    """A change of the loss: '+0.43'."""
    if value is None:
        return ABSENT
    text = short(value)
    return f"+{text}" if value > 0 else text


@dataclass(frozen=True)
class Marks:
    """The prompt in pieces that read as whole characters: tokens first .. stop - 1 of each."""

    stretches: tuple[tuple[int, int], ...]

    @staticmethod
    def of(look: Look) -> "Marks":
        """Those of a prompt."""
        return Marks(tuple(characters([t.text for t in look.tokens])))

    def acts(self, acts: Sequence[float], largest: float) -> list[str]:
        """The shade of each piece; '' where the feature does not fire."""
        strongest = [max(acts[a:b]) for a, b in self.stretches]
        return [f"a{level(act, largest or max(acts))}" if act > 0 else "" for act in strongest]

    def effects(self, effects: Sequence[float | None]) -> list[str]:
        """The line under each piece, relative to the largest effect on a token of this prompt."""
        largest = max((abs(e) for e in effects if e is not None), default=0.0)
        return [width(sum((e for e in effects[a:b] if e is not None), 0.0), largest) for a, b in self.stretches]

    def both(self, acts: Sequence[float], largest: float, effects: Sequence[float | None]) -> list[str]:
        """Shade and line of each piece."""
        pairs = zip(self.acts(acts, largest), self.effects(effects), strict=True)
        return [" ".join(filter(None, pair)) for pair in pairs]


def pieces(look: Look, marks: Sequence[str], marked: Marks) -> list[dict[str, Any]]:
    """Every piece of the prompt, with what hover and focus say."""
    found = []
    for (a, b), mark in zip(marked.stretches, marks, strict=True):
        part = look.tokens[a:b]
        text = visible("".join(t.text for t in part)) or token("", part[0].id)
        line, end, rest = text.rpartition("↵")
        breaks = bool(end) and not rest.strip()  # what indents the next line is shown on it
        chosen = a <= look.at < b
        names = [_loss_level(part), mark, "chosen" if chosen else ""]
        found.append(
            {
                "text": line + end if breaks else text,
                "name": "" if text.strip() else token(text, part[0].id),
                "css": " ".join(filter(None, names)),
                "at": part[-1].position,
                "chosen": chosen,
                "says": _says(part),
                "ends_line": breaks,
                "rest": rest if breaks else "",
            }
        )
    return found


def chosen(look: Look, marked: Marks) -> tuple[str, str]:
    """The chosen token as it can be seen, and which part of a character it is where it is only a part."""
    a, b = next((a, b) for a, b in marked.stretches if a <= look.at < b)
    text = "".join(t.text for t in look.tokens[a:b])
    part = f"its token {look.at - a + 1} of {b - a}" if b - a > 1 else ""
    return token(text, look.tokens[look.at].id), part


def _loss_level(part: Sequence[PromptToken]) -> str:
    loss = sum((t.loss or 0.0 for t in part), 0.0)
    height = sum(loss >= least for least in LOSSES)
    return f"l{height}" if height else ""


def _says(part: Sequence[PromptToken]) -> str:
    last = part[-1]
    where = f"position {count(last.position)}"
    if not last.usable:
        return f"{where} · begins the text: nothing is read here"
    fires = f"{count(last.n_firing)} features fire"
    if last.loss is None:
        return f"{where} · nothing foretells it · {fires}"
    losses = " + ".join(short(t.loss) for t in part if t.loss is not None)
    shares = "" if len(part) > 1 else f", P {percent(math.exp(-last.loss))}"
    apart = "" if last.counted else " · its loss does not count in effects"
    act = f" · activation {short(last.act)}" if last.act > 0 else ""
    return f"{where} · loss {losses} nats{shares} · {fires}{act}{apart}"


def candidates(look: Look) -> dict[str, Any]:
    """What the model foretells behind the chosen token, and what does follow."""
    largest = max((c.probability for c in look.candidates), default=1.0)
    following = look.following
    listed = [
        {
            "text": token(c.text, c.token),
            "id": c.token,
            "p": percent(c.probability),
            "share": round(100 * c.probability / largest),
            "follows": following is not None and c.token == following.token,
        }
        for c in look.candidates
    ]
    return {"listed": listed, "following": _following(following)}


def _following(found: Candidate | None) -> dict[str, str] | None:
    return None if found is None else {"text": token(found.text, found.token), "p": percent(found.probability)}


def firing(
    look: Look,
    known: Mapping[int, FeatureRow],
    labels: Mapping[int, str],
    exact: Mapping[int, Ablation],
    n_exact: int,
) -> list[dict[str, Any]]:
    """A row for each feature that is listed; cells of exact effects are filled where they are known, and
    `first` says which are measured next."""
    order = sorted(look.firing, key=lambda f: (-abs(f.attr or 0.0), f.feature))
    first = {f.feature for f in order[:n_exact]}
    return [
        {
            **_firing(f, known.get(f.feature), labels.get(f.feature, ""), exact.get(f.feature)),
            "first": f.feature in first,
        }
        for f in look.firing
    ]


def _firing(f: FiringHere, row: FeatureRow | None, label: str, exact: Ablation | None) -> dict[str, Any]:
    return {
        "feature": f.feature,
        "act": short(f.act),
        "quantile": ABSENT if f.quantile is None else percent(f.quantile),
        "share": None if f.quantile is None else round(100 * f.quantile),
        "attr": nats(f.attr),
        "exact": effect_cells(exact),
        "label": label,
        "floor": "" if row is None else row.floor_text,
        "note": f"fires at {count(f.n_firing)} of the prompt's tokens"
        + ("" if f.attr_here is None else f"; of attr, {nats(f.attr_here)} comes through this token"),
    }


def effect_cells(found: Ablation | None) -> dict[str, str]:
    """What the cells of an exact effect show, and what hover and focus say of them."""
    if found is None:
        return {"total": "", "random": "", "direct": "", "css": "", "says": ""}
    path = "" if found.random_direct is None else f" · a random direction's direct path {nats(found.random_direct)}"
    css = "helps" if found.total > 0 else "hurts" if found.total < 0 else ""
    return {
        "total": nats(found.total),
        "random": nats(found.random_total),
        "direct": nats(found.direct),
        "css": css,
        "says": _next(found) + path,
    }


def _next(found: Ablation) -> str:
    n = found.next
    if n is None:
        return "no token that counts follows here"
    direct = "" if n.direct is None else f", direct {nats(n.direct)}"
    return (
        f"the next token: {nats(n.total)} nats{direct}, random direction {nats(n.random)} · "
        f"P {percent(n.p_with)} → {percent(n.p_without)} without, {percent(n.p_random)} without the random direction"
    )


def steered(found: Steered, look: Look, text: str) -> dict[str, Any]:
    """What came of a change, each number beside its control's."""
    s, n_usable = found.steer, sum(t.usable for t in look.tokens)
    says = f"{HOW_SAID[s.how]} {s.value:g} at {count(found.n_changed)} of {count(n_usable)} tokens"
    if s.how != "set" and not found.n_fires:
        says += f": feature {s.feature} fires nowhere in this prompt"
    samples = found.samples
    return {
        "feature": s.feature,
        "says": says,
        "n_fires": count(found.n_fires),
        "loss": nats(found.loss),
        "random_loss": nats(found.random_loss),
        "divergence": short(found.divergence),
        "random_divergence": short(found.random_divergence),
        "lists": [("more likely", changes(found.raised)), ("less likely", changes(found.lowered))],
        "samples": []
        if samples is None
        else [
            _sample("as the model is", samples.plain, text),
            _sample(f"with feature {s.feature} changed", samples.steered, text),
            _sample("with a random direction changed alike", samples.random, text),
        ],
        "draw": found.draw,
    }


def changes(found: Sequence[Change]) -> list[dict[str, str]]:
    """Probabilities before and after, and after the control's change."""
    return [
        {
            "text": token(c.text, c.token),
            "before": percent(c.before),
            "after": percent(c.after),
            "random": percent(c.random),
        }
        for c in found
    ]


def _sample(title: str, found: Sampled, text: str) -> dict[str, Any]:
    tail = visible(text[-TAIL:])
    return {
        "title": title,
        "tail": f"…{tail}" if len(text) > TAIL else tail,
        "lines": visible("".join(found.texts)).split("↵"),
        "n": count(len(found.ids)),
        "ended": found.ended,
    }
