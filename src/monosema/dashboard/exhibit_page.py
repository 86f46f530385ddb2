"""The page of an experiment, and each of its panels as an SVG file that stands alone.

    Exhibit --view--> what the templates show --templates/exhibit--> NAME.html, NAME/*.svg

The page needs nothing else, in the dress of the report. An SVG file has the light theme's colours written out,
so that programs whose style sheets know no variables draw it too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from monosema.core.config import to_json
from monosema.core.exhibits import Arrows, Curves, Exhibit, Heatmap, Panel, Scatter, Table
from monosema.core.runs import write_text
from monosema.dashboard import cells
from monosema.dashboard.exhibits import arrows, curves, heatmaps, scatters
from monosema.dashboard.exhibits.pictures import Picture
from monosema.dashboard.page import asset, policy, templates


@dataclass(frozen=True)
class PanelView:
    """A panel with its picture, or the table that it is; `key` is its address on the page and its file's name.

    begins    whether it is the first of panels on shared axes, which begin a row
    """

    key: str
    title: str
    says: str
    picture: Picture | None
    table: Table | None
    begins: bool = False


def exhibit_page(exhibit: Exhibit) -> str:
    """The page as HTML. The same exhibit gives the same text; nothing is fetched when it is opened."""
    style = asset("theme.css") + asset("report.css") + asset("exhibit.css")
    script = asset("report.js") + asset("exhibit.js")
    findings = [
        (name.replace("_", " "), cells.cell(found, cells.decimals_of([found])), found)
        for name, found in exhibit.findings.items()
    ]
    return (
        templates()
        .get_template("exhibit/page.html")
        .render(
            title=exhibit.name,
            exhibit=exhibit,
            findings=findings,
            panels=_views(exhibit),
            roles=_roles(exhibit),
            settings=_settings(exhibit.settings),
            style=style,
            script=script,
            policy=policy(script),
        )
    )


def _roles(exhibit: Exhibit) -> set[str]:
    """The roles of the lines that are drawn."""
    return {line.role for panel in exhibit.panels if isinstance(panel, Curves | Heatmap) for line in panel.lines}


def write_exhibit(path: Path, exhibit: Exhibit) -> None:
    """Write the page to `path`, whole or not at all."""
    write_text(path, exhibit_page(exhibit))


def panel_svgs(exhibit: Exhibit) -> dict[str, str]:
    """Every panel but the tables as an SVG file, by the file's name without its end."""
    template = templates().get_template("exhibit/panel.svg")
    style = Markup(_written_out(asset("theme.css"), asset("exhibit.css")))
    return {
        view.key: template.render(title=view.title, picture=view.picture, style=style)
        for view in _views(exhibit)
        if view.picture is not None
    }


def write_panels(folder: Path, exhibit: Exhibit) -> tuple[Path, ...]:
    """Write each panel but the tables to `folder`/*.svg, and say where."""
    paths = []
    for key, svg in panel_svgs(exhibit).items():
        paths.append(folder / f"{key}.svg")
        write_text(paths[-1], svg)
    return tuple(paths)


def _views(exhibit: Exhibit) -> tuple[PanelView, ...]:
    keys: dict[str, int] = {}
    before = (None, *exhibit.panels[:-1])
    return tuple(_view(panel, last, keys) for panel, last in zip(exhibit.panels, before, strict=True))


def _view(panel: Panel, before: Panel | None, keys: dict[str, int]) -> PanelView:
    """The panel under a key made of its title; a second of the same title gets a number."""
    key = re.sub(r"[^a-z0-9]+", "-", panel.title.lower()).strip("-") or "panel"
    keys[key] = keys.get(key, 0) + 1
    if keys[key] > 1:
        key = f"{key}-{keys[key]}"
    table = panel if isinstance(panel, Table) else None
    return PanelView(key, panel.title, panel.says, _picture(panel), table, begins=_begins(panel, before))


def _begins(panel: Panel, before: Panel | None) -> bool:
    """Whether `panel` is on axes of its own making that the panel before it does not share."""
    if not isinstance(panel, Scatter) or not panel.x_span:
        return False
    return not isinstance(before, Scatter) or (before.x_span, before.y_span) != (panel.x_span, panel.y_span)


def _picture(panel: Panel) -> Picture | None:
    match panel:
        case Curves():
            return curves.picture(panel)
        case Heatmap():
            return heatmaps.picture(panel)
        case Arrows():
            return arrows.picture(panel)
        case Scatter():
            return scatters.picture(panel)
        case Table():
            return None


def _settings(config: Any) -> list[tuple[str, str]]:
    """Every setting with its value; those of a config within are named `outer.inner`."""
    return [(name.replace("_", " "), text) for name, text in _flat(to_json(config), "")]


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or "none"
    else:
        yield name, str(value)


def _written_out(theme: str, style: str) -> str:
    """The rules of `style` that draw, with the light theme's colours in the place of variables."""
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", f"{_first_rule(theme)}{_first_rule(style)}"))
    drawing = style[style.index("/* Drawing. */") : style.index("/* On the page. */")]
    return re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], drawing)


def _first_rule(style: str) -> str:
    return style[style.index(":root") : style.index("}")]
