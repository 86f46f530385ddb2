"""From a model and statements to what its probes are worth: read, fit, judge, show."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from monosema import models
from monosema.core.errors import ConfigError, MismatchError, SiteError, unknown
from monosema.core.exhibits import Exhibit
from monosema.corpus import Tokenizer
from monosema.corpus.statements import Pairs
from monosema.models import Model
from monosema.models.model import Edit
from monosema.pipeline.probing_config import PlaceConfig, ProbingConfig
from monosema.pipeline.statement_rows import Parts, Rows, parts_of
from monosema.probes.answers.showing import shown
from monosema.probes.answers.study import Activations, Material, chosen_methods, study
from monosema.probes.data import Data
from monosema.probes.judging import ControlConfig
from monosema.probes.reading import read_contrast, read_labelled


def probe_model(config: ProbingConfig) -> Exhibit:
    """Every method at every site, beside every control. Raises before it reads what cannot work."""
    chosen_methods(config.methods, paired=True)
    sets = {name: parts_of(config.rows, name) for name in config.rows.data}
    kinds = {type(parts.fit) for parts in sets.values()}
    if len(kinds) > 1:
        raise MismatchError("some of the data are pairs and some single texts: give all of one kind, by --form")
    folder = Path(config.model)
    model, tokenizer = models.load(folder), Tokenizer.load(folder)
    sites = sites_of(model, config.place)
    read = {name: activations(model, tokenizer, parts, sites, config.place) for name, parts in sets.items()}
    first = next(iter(sets.values()))
    nothing = models.randomised(model, "redraw", config.seed)
    other = activations(nothing, tokenizer, first, sites, config.place)
    planted = first.distractor
    labels = (
        None
        if planted is None
        else (torch.as_tensor(planted[0]), torch.as_tensor(planted[1]), torch.as_tensor(planted[2]))
    )
    material = Material(read, other, labels)
    found = study(config.methods, material, ControlConfig(config.draws, config.permutations), config.seed)
    return shown(found, config, described(model, first, config.place))


def described(model: Model, parts: Parts, place: PlaceConfig) -> str:
    """Of which model and which rows, for a reader."""
    where = "the last token" if place.position == "last" else "the mean over the tokens"
    example = parts.fit.positive[0] if isinstance(parts.fit, Pairs) else parts.fit.texts[0]
    return f"{model!r}. Rows of {parts.fit.name}, such as '{example}', read at {where}"


def sites_of(model: Model, place: PlaceConfig) -> tuple[str, ...]:
    """The sites that `place` asks for, in the order in which the model computes them.

    A kind without a stack means that of every stack. Raises SiteError and ConfigError, naming what is there.
    """
    found = [
        site
        for site in model.sites()
        if site == place.kind or _kind(site) in (place.kind, f"enc.{place.kind}", f"dec.{place.kind}")
    ]
    if not found:
        known = {_kind(site) for site in model.sites()}
        raise SiteError(f"{unknown('kind of site', place.kind, known)}. `monosema sites` lists those of a model")
    for site in found:
        model.width(site)
    if place.layers == "all":
        return tuple(found)
    wanted = [word.strip() for word in place.layers.split(",")]
    if not all(word.isdecimal() for word in wanted):
        raise ConfigError(f"--layers is '{place.layers}': give all, or numbers such as 0,2")
    layers = {_layer(site): site for site in found}
    missing = [word for word in wanted if int(word) not in layers]
    if missing:
        there = ", ".join(found)
        raise SiteError(f"site {place.kind}.{missing[0]} does not exist: {model.name} has {there}")
    return tuple(site for site in found if _layer(site) in {int(word) for word in wanted})


def _kind(site: str) -> str:
    return site.rpartition(".")[0] if site.rpartition(".")[2].isdecimal() else site


def _layer(site: str) -> int:
    last = site.rpartition(".")[2]
    return int(last) if last.isdecimal() else 0


def activations(
    model: Model, tokenizer: Tokenizer, parts: Parts, sites: Sequence[str], place: PlaceConfig
) -> Activations:
    """The rows of all three parts at every site."""
    fit, validation, test = (at_sites(model, tokenizer, part, sites, place) for part in parts)
    return Activations(fit, validation, test)


def at_sites(
    model: Model,
    tokenizer: Tokenizer,
    rows: Rows,
    sites: Sequence[str],
    place: PlaceConfig,
    edits: Sequence[Edit] = (),
) -> Mapping[str, Data]:
    """Pairs as Contrast, texts as Labelled, by site; with `edits` spliced in."""
    with torch.no_grad():
        if isinstance(rows, Pairs):
            return read_contrast(model, tokenizer, rows, sites, place.position, edits=edits)
        return read_labelled(model, tokenizer, rows, sites, place.position, edits=edits)
