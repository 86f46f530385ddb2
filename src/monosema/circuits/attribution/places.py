"""Which dictionary stands for which layer's MLP, and where in its flat input and output each layer is.

A transcoder reads mlp_in.l and writes mlp_out.l; a cross-layer transcoder also writes later layers, or reads all of
them laid end to end, with features that each read one. Some were trained on the stream before the MLP's norm: they
read resid_mid.l (resid_pre.l where attention and MLP are in parallel).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from monosema.core import sites
from monosema.core.errors import MismatchError
from monosema.dictionaries import Dictionary
from monosema.models import Model


@dataclass(frozen=True)
class WithSkip:
    """A transcoder of one layer with a skip: it writes decode(encode(x)) + x W_skip."""

    dictionary: Dictionary
    W_skip: Float[Tensor, "d_in d_out"]


Transcoder = Dictionary | WithSkip


@dataclass(frozen=True)
class Place:
    """A transcoder with the layers that it reads and writes, in the order of its flat input and output; `normed`: it
    reads mlp_in, else the stream before the MLP's norm."""

    dictionary: Dictionary
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    normed: bool
    W_skip: Tensor | None

    @property
    def width(self) -> int:
        """Coordinates of one site."""
        return self.dictionary.widths_in[0]


def placed(model: Model, transcoders: Sequence[Transcoder]) -> tuple[Place, ...]:
    """Where each of `transcoders` stands. Raises MismatchError when they are not this model's, do not cover every
    layer once (it says which), read or write what no transcoder does, or have a skip over several layers."""
    places = tuple(_placed(model, one) for one in transcoders)
    _require_same_model(model, places)
    for layer in range(model.n_layers):
        readers = sum(layer in place.reads for place in places)
        writers = sum(layer in place.writes for place in places)
        if readers == 0 or writers == 0:
            what = f"reads mlp_in.{layer}" if readers == 0 else f"writes mlp_out.{layer}"
            raise MismatchError(
                f"the transcoders do not cover layer {layer} of {model.name}: none {what}. Give one for each of its "
                f"{model.n_layers} layers"
            )
        if readers > 1:
            raise MismatchError(f"{readers} transcoders read layer {layer}: give one for each layer")
    return places


def _placed(model: Model, transcoder: Transcoder) -> Place:
    dictionary = transcoder.dictionary if isinstance(transcoder, WithSkip) else transcoder
    W_skip = transcoder.W_skip if isinstance(transcoder, WithSkip) else None
    said = f"the dictionary from {' + '.join(dictionary.reads)} to {' + '.join(dictionary.writes)}"
    stream = "resid_mid" if "resid_mid.0" in model.sites() else "resid_pre"
    reads, writes = ([sites.parse(site) for site in group] for group in (dictionary.reads, dictionary.writes))
    kinds = {site.kind for site in reads}
    layers = tuple(site.layer for site in reads if site.layer is not None)
    outs = tuple(site.layer for site in writes if site.layer is not None)
    if kinds not in ({"mlp_in"}, {stream}) or {site.kind for site in writes} != {"mlp_out"}:
        raise MismatchError(
            f"{said} is no transcoder of an MLP: it must read mlp_in.l (or {stream}.l), write mlp_out.l"
        )
    if len(set(layers)) < len(layers) or len(set(outs)) < len(outs):
        raise MismatchError(f"{said} reads or writes a layer twice: one model's layers, each once, are expected")
    if beyond := [layer for layer in (*layers, *outs) if layer >= model.n_layers]:
        raise MismatchError(
            f"{said} is another model's: {model.name} has {model.n_layers} layers, no layer {beyond[0]}"
        )
    if wrong := [width for width in (*dictionary.widths_in, *dictionary.widths_out) if width != model.d_model]:
        raise MismatchError(f"{said} is another model's: its width is {wrong[0]}, that of {model.name} {model.d_model}")
    if W_skip is not None and (len(layers) > 1 or layers != outs or kinds != {"mlp_in"}):
        raise MismatchError(f"{said} has a skip: only a transcoder from mlp_in to mlp_out of one layer may")
    return Place(dictionary, layers, outs, kinds == {"mlp_in"}, W_skip)


def _require_same_model(model: Model, places: Sequence[Place]) -> None:
    metadata = [place.dictionary.metadata for place in places]
    claimed = {str(one["model_fingerprint"]) for one in metadata if "model_fingerprint" in one}
    if claimed and claimed != {fingerprint := model.fingerprint}:
        other = sorted(claimed - {fingerprint})[0]
        raise MismatchError(
            f"the transcoders were trained on model {other}, {model.name} is {fingerprint}: give that model's, or train"
        )


def readings(dictionary: Dictionary) -> tuple[Tensor, Tensor]:
    """(directions [n_features, d_in], biases [n_features]): where a feature fires, its pre-activation is
    direction . x + bias. For a gated one that is what its magnitude is made from."""
    w = dictionary.weights
    if dictionary.architecture == "gated":
        return w.W_enc * w.extra["r_mag"].exp()[:, None], w.extra["b_mag"]
    return w.W_enc, w.b_enc


def blocks(rows: Float[Tensor, "row flat"], n: int) -> Float[Tensor, "row site width"]:
    """Flat rows, site by site."""
    return rows.unflatten(1, (n, rows.shape[1] // n))
