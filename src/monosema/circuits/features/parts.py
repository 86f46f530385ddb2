"""A site as a dictionary sees it, and as its own coordinates do.

    y [row, d]  =  sum over features of f_i d_i  +  bias  +  error        whatever the dictionary: the error is the rest

An autoencoder reads the site that it writes; a transcoder's features are of what it reads, and make up what it writes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.attribution.places import readings
from monosema.core.errors import MismatchError
from monosema.core.sites import parse
from monosema.dictionaries import Dictionary, SparseCodes
from monosema.dictionaries.kernels import decode
from monosema.models import Model

FIXED = ("attn_pattern", "logits")
"""What no dictionary stands for here."""


@dataclass(frozen=True)
class Part:
    """A site and its dictionary; without one, the site's coordinates are its features, bias and error nothing."""

    reads: str
    writes: str
    d_out: int
    dictionary: Dictionary | None = None

    @property
    def n_features(self) -> int:
        return self.d_out if self.dictionary is None else self.dictionary.n_features

    def encode(self, x: Float[Tensor, "row d_in"]) -> SparseCodes:
        """What fires, in the type of the dictionary."""
        if self.dictionary is None:
            return SparseCodes.from_dense(x)
        return self.dictionary.encode(x.to(self.dictionary.W_enc))

    def directions(self, like: Tensor) -> Float[Tensor, "n_features d_out"]:
        """What a unit of each feature writes, in the type of `like`."""
        if self.dictionary is None:
            return torch.eye(self.d_out).to(like)
        return self.dictionary.W_dec.detach().to(like)

    def bias(self, like: Tensor) -> Float[Tensor, "d_out"]:
        """What is written whatever fires."""
        return like.new_zeros(self.d_out) if self.dictionary is None else self.dictionary.b_dec.detach().to(like)

    def written(self, codes: SparseCodes, like: Tensor) -> Float[Tensor, "row d_out"]:
        """What `codes` write, without the bias."""
        if self.dictionary is None:
            return codes.dense().to(like)
        W_dec = self.dictionary.W_dec.detach()
        return decode(codes, W_dec, torch.zeros_like(W_dec[0])).to(like)

    def readings(self, like: Tensor) -> Float[Tensor, "n_features d_in"]:
        """How the activation of a feature that fires answers to what it reads."""
        return torch.eye(self.d_out).to(like) if self.dictionary is None else readings(self.dictionary)[0].to(like)


def parts_of(model: Model, dictionaries: Iterable[Dictionary]) -> tuple[Part, ...]:
    """A part for each dictionary, where the model is, in the order in which it computes what they write.

    Raises SiteError for a site that the model has not, MismatchError for a dictionary of another model, of several
    sites or of none that can be taken apart, and for two that write one site.
    """
    parts = [_part(model, one) for one in dictionaries]
    if not parts:
        raise MismatchError("no dictionary was given: a circuit of features needs at least one")
    _require_same_model(model, [part.dictionary for part in parts if part.dictionary is not None])
    written = [part.writes for part in parts]
    if twice := sorted({site for site in written if written.count(site) > 1}):
        raise MismatchError(f"two dictionaries write {twice[0]}: give one for each site")
    return tuple(sorted(parts, key=lambda part: model.sites().index(part.writes)))


def coordinates(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The same sites with their own coordinates (basis neurons) as features."""
    return tuple(Part(part.writes, part.writes, part.d_out) for part in parts)


def _part(model: Model, one: Dictionary) -> Part:
    said = f"the dictionary from {' + '.join(one.reads)} to {' + '.join(one.writes)}"
    if len(one.reads) != 1 or len(one.writes) != 1:
        raise MismatchError(f"{said} is of several sites: a circuit takes those that read one and write one")
    reads, writes = model.resolve(one.reads[0]), model.resolve(one.writes[0])
    if parse(reads).kind in FIXED or parse(writes).kind in FIXED:
        raise MismatchError(f"{said} is of no site that can be taken apart here")
    widths, wanted = (one.d_in, one.d_out), (model.width(reads), model.width(writes))
    if widths != wanted:
        raise MismatchError(f"{said} is another model's: its widths are {widths}, those of {model.name} there {wanted}")
    if model.sites().index(reads) > model.sites().index(writes):
        raise MismatchError(f"{said} writes before it reads: it cannot stand for what the model computes there")
    return Part(reads, writes, one.d_out, one.to(str(model.device)))


def _require_same_model(model: Model, dictionaries: Sequence[Dictionary]) -> None:
    claimed = {str(one.metadata["model_fingerprint"]) for one in dictionaries if "model_fingerprint" in one.metadata}
    if claimed and claimed != {fingerprint := model.fingerprint}:
        other = sorted(claimed - {fingerprint})[0]
        raise MismatchError(
            f"a dictionary was trained on model {other}, {model.name} is {fingerprint}: give that model's, or train"
        )
