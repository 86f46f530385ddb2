"""From what a person writes to the site of one model, or to an error that says what the model has."""

from collections.abc import Iterable, Mapping

from monosema.core.errors import SiteError
from monosema.core.sites import parse
from monosema.models.families import Place


def resolve(text: str, places: Mapping[str, Place], n_layers: int) -> str:
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
    if str(site) in places:
        return str(site)
    if site.kind == "resid_mid" and "resid_mid.0" not in places:
        raise SiteError(f"site {site} does not exist: in this model attention and MLP both read resid_pre, in parallel")
    if site.layer is not None and not site.stack:
        plural = "layer" if n_layers == 1 else "layers"
        span = f"{site.kind}.0" if n_layers == 1 else f"{site.kind}.0 to {site.kind}.{n_layers - 1}"
        raise SiteError(f"site {site} does not exist: this model has {n_layers} {plural}, {span}")
    raise SiteError(f"site {site} does not exist. {listing(places)}")


def listing(sites: Iterable[str]) -> str:
    """One line of all sites, a kind with layers written once: 'This model has: embed, resid_pre.0..5, logits'."""
    layers: dict[str, list[str]] = {}
    for site in sites:
        kind, _, layer = site.partition(".")
        layers.setdefault(kind, []).append(layer)
    spans = [f"{k}.{v[0]}..{v[-1]}" if len(v) > 1 else f"{k}.{v[0]}" if v[0] else k for k, v in layers.items()]
    return f"This model has: {', '.join(spans)}"
