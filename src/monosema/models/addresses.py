"""From what a person writes to the site of one model, or to an error that says what the model has."""

from collections.abc import Iterable, Mapping

from monosema.core.errors import SiteError
from monosema.core.sites import STACKS, Site, parse
from monosema.models.families import Place


def resolve(text: str, places: Mapping[str, Place]) -> str:
    """The name in `places` that `text` means (see `Model.resolve`). Raises SiteError."""
    if text in places:
        return text
    paths = {f"{place.path}:{place.side}": site for site, place in places.items() if place.side in ("in", "out")}
    spelt = text if ":" in text else f"{text}:out"
    if spelt in paths:
        return paths[spelt]
    if ":" in text:
        raise SiteError(f"module path '{text}' is not one of this model's sites. {listing(places)}")
    try:
        site = parse(text)
    except SiteError as error:
        raise SiteError(f"{error}. {listing(places)}") from error
    if "ln2." in text and _norms_what_it_adds(site, places):
        raise SiteError(
            f"'{text}' is what the next layer reads in a model that normalises what it has added up: write "
            f"'resid_pre.{(site.layer or 0) + 1}' for it, or 'mlp_in.{site.layer}' for what the MLP receives"
        )
    if str(site) in places:
        return str(site)
    raise SiteError(f"site {site} does not exist{_why_not(site, places)}")


def _norms_what_it_adds(site: Site, places: Mapping[str, Place]) -> bool:
    post = f"resid_post.{site.layer}"
    return post in places and places[post].side == "in"


def _why_not(site: Site, places: Mapping[str, Place]) -> str:
    there = [f"{stack}.{site}" for stack in STACKS if f"{stack}.{site}" in places]
    if there:
        return f": this model has an encoder and a decoder, so write {' or '.join(there)}"
    if site.kind == "resid_mid" and "mlp_in.0" in places and "resid_mid.0" not in places:
        return ": in this model attention and MLP both read resid_pre, in parallel"
    stem = str(site).removesuffix(f".{site.layer}")
    n_layers = sum(name.rpartition(".")[0] == stem for name in places)
    if site.layer is None or n_layers == 0:
        return f". {listing(places)}"
    if n_layers == 1:
        return f": this model has 1 layer, {stem}.0"
    return f": this model has {n_layers} layers, {stem}.0 to {stem}.{n_layers - 1}"


def listing(sites: Iterable[str]) -> str:
    """One line of all sites, a kind with layers written once: 'This model has: embed, resid_pre.0..5, logits'."""
    layers: dict[str, list[str]] = {}
    for site in sites:
        stem, _, layer = site.rpartition(".")
        if layer.isdigit():
            layers.setdefault(stem, []).append(layer)
        else:
            layers[site] = []
    spans = [f"{k}.{v[0]}..{v[-1]}" if len(v) > 1 else f"{k}.{v[0]}" if v else k for k, v in layers.items()]
    return f"This model has: {', '.join(spans)}"
