"""A prompt under the model: what fires at a token, what each firing does, and what changing it does."""

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monosema.core.errors import ConfigError, MonosemaError
from monosema.dashboard.measures import state_in_words
from monosema.dashboard.numbers import count, short
from monosema.dashboard.pages import prompt_view as shown
from monosema.dashboard.pages.asking import Asked, address
from monosema.dashboard.streams import Event
from monosema.features.browse.rows import FeatureRow
from monosema.features.live.rows import Ablation, Exploring, Look, Steered
from monosema.features.live.settings import HOWS, MOST_SAMPLED, Draw, Steer

N_EXACT = 20
"""Features that are removed exactly, unless the address says another number."""

KEYS = ("text", "at", "order", "feature", "how", "value", "tokens", "temperature", "seed", "exact")


@dataclass(frozen=True)
class Prompted:
    """`look` is None while there is no prompt. `exact` are the exact effects that the address asks for,
    `steered` what its change of a feature does."""

    text: str
    look: Look | None
    exact: tuple[Ablation, ...]
    steered: Steered | None


def rows(asked: Asked) -> Prompted:
    """The prompt of the address, read; no model is opened while it is empty."""
    asked.only(*KEYS)
    text, n_exact, change = text_of(asked), asked.whole("exact"), _change(asked)
    if not text:
        return Prompted("", None, (), None)
    with asked.library.explorers.using(asked.place.path) as explorer:
        look = _look(asked, explorer)
        name = asked.place.dictionary
        exact = tuple(explorer.ablations(name, text, look.at, n_exact)) if n_exact else ()
        done = explorer.steered(name, text, look.at, *change) if change else None
    return Prompted(text, look, exact, done)


def steered_rows(asked: Asked) -> Steered:
    """What the change of the address does, alone. Raises ConfigError when it asks for none."""
    asked.only(*KEYS)
    change = _change(asked)
    if change is None:
        raise ConfigError("no change is asked for: give feature, how and value")
    with asked.library.explorers.using(asked.place.path) as explorer:
        return explorer.steered(asked.place.dictionary, text_of(asked), asked.whole("at"), *change)


def effects(asked: Asked) -> Generator[Event, None, None]:
    """An event for each feature that is removed, the most important by gradient first, and one at the end.

    What the address asks for is checked before the first. The model is free between two of them.
    """
    asked.only(*KEYS)
    place, n = asked.place, asked.whole("exact") or N_EXACT
    with asked.library.explorers.using(place.path) as explorer:
        look = _look(asked, explorer)
        steps = explorer.ablations(place.dictionary, text_of(asked), look.at, n)
    return _events(asked, look, steps)


def _events(asked: Asked, look: Look, steps: Iterator[Ablation]) -> Generator[Event, None, None]:
    known, marks, n_done = _known(asked, look), shown.Marks.of(look), 0
    while True:
        with asked.library.explorers.using(asked.place.path):
            found = next(steps, None)
        if found is None:
            yield "end", {"n": n_done}
            return
        n_done += 1
        largest = known[found.feature].max_act if found.feature in known else 0.0
        pieces = marks.both(found.acts, largest, found.tokens)
        yield "effect", {"row": found, "shown": shown.effect_cells(found), "pieces": pieces}


def view(found: Prompted, asked: Asked) -> Mapping[str, Any]:
    """The prompt as the template shows it."""
    if found.look is None:
        return _empty(asked, "")
    look, place, feature = found.look, asked.place, asked.whole("feature")
    known, exact, marks = _known(asked, look), {e.feature: e for e in found.exact}, shown.Marks.of(look)
    state = {"text": found.text, "at": look.at}
    shell = _empty(asked, "")
    if not shell["fields"]["feature"] and look.firing:
        shell["fields"]["feature"] = str(look.firing[0].feature)
    return {
        **shell,
        "look": look,
        "pieces": shown.pieces(look, _marks(asked, look, known, exact, marks), marks),
        "n_tokens": count(len(look.tokens)),
        "n_limit": count(look.n_limit),
        "loss": "" if look.loss is None else short(look.loss),
        "feature": feature,
        "feature_says": _state(asked, feature),
        "chosen": shown.chosen(look, marks),
        "chosen_token": look.tokens[look.at],
        "candidates": shown.candidates(look),
        "firing": shown.firing(look, known, place.current(), exact, N_EXACT),
        "order": asked.given.get("order", "attr"),
        "measured": bool(found.exact),
        "state": state,
        "stream": address(place, "prompt/effects", **state),
        "n_exact": min(N_EXACT, look.n_firing),
        "steered": None if found.steered is None else shown.steered(found.steered, look, found.text),
    }


def failed(error: MonosemaError, asked: Asked) -> Mapping[str, Any]:
    """The page with what went wrong in place of an answer; what was typed is kept."""
    return _empty(asked, str(error))


def _empty(asked: Asked, problem: str) -> dict[str, Any]:
    given = asked.given
    return {
        "problem": problem,
        "text": text_of(asked),
        "look": None,
        "here": address(asked.place, "prompt"),
        "hows": [(how, {"set": "set to", "scale": "multiply by", "clamp": "limit to at most"}[how]) for how in HOWS],
        "most_sampled": MOST_SAMPLED,
        "fields": {
            "feature": given.get("feature", ""),
            "how": given.get("how", HOWS[0]),
            "value": given.get("value", ""),
            "tokens": given.get("tokens", "30"),
            "temperature": given.get("temperature", "1"),
            "seed": given.get("seed", "0"),
        },
    }


def text_of(asked: Asked) -> str:
    """The prompt of the address. A form sends the end of a line as two characters: it is one."""
    return asked.given.get("text", "").replace("\r\n", "\n")


def _look(asked: Asked, explorer: Exploring) -> Look:
    place = asked.place
    at, feature, order = asked.whole("at"), asked.whole("feature"), asked.given.get("order", "attr")
    return explorer.look(place.dictionary, text_of(asked), at, place.table, feature, order)


def _known(asked: Asked, look: Look) -> dict[int, FeatureRow]:
    """What the table says of the features that fire."""
    table = asked.place.table
    return {row.feature: row for row in table.rows([f.feature for f in look.firing])} if table.ready else {}


def _marks(
    asked: Asked, look: Look, known: Mapping[int, FeatureRow], exact: Mapping[int, Ablation], marks: shown.Marks
) -> list[str]:
    """Shades and lines of the feature that was asked for; none when it was not."""
    feature = asked.whole("feature")
    if feature is None:
        return [""] * len(marks.stretches)
    largest = known[feature].max_act if feature in known else 0.0
    effects = exact[feature].tokens if feature in exact else ()
    acts = [t.act for t in look.tokens]
    return marks.both(acts, largest, effects) if effects else marks.acts(acts, largest)


def _state(asked: Asked, feature: int | None) -> str:
    """What must be said of the feature before anything else."""
    table = asked.place.table
    if feature is None or not table.ready:
        return ""
    return state_in_words(table.row(feature), table.manifest.n_tokens)


def _change(asked: Asked) -> tuple[Steer, Draw] | None:
    """The change that the address asks for."""
    if not asked.given.get("how"):
        return None
    feature = asked.whole("feature")
    if feature is None:
        raise ConfigError("which feature is to be changed is not said: give feature")
    steer = Steer(feature, asked.given["how"], _number(asked, "value"))
    n_tokens = asked.whole("tokens")
    n_tokens = Draw().n_tokens if n_tokens is None else n_tokens
    return steer, Draw(n_tokens, _number(asked, "temperature", Draw().temperature), asked.whole("seed") or 0)


def _number(asked: Asked, key: str, default: float | None = None) -> float:
    text = asked.given.get(key, "").strip().replace("\u2212", "-")
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{key} is {text!r}: it must be a number, such as 1.5")
    return value
