"""A dictionary's features as places: those that the two prompts make fire differently."""

import torch

from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.places import Patch
from monosema.core.errors import DataError, MismatchError
from monosema.dictionaries import Dictionary
from monosema.models import Model


@torch.no_grad()
def feature_places(
    model: Model, pairs: Pairs, dictionary: Dictionary, most: int = 30, by_position: bool = False
) -> tuple[Patch, ...]:
    """At most `most` features, those first of which most differs: sum of |difference| times what one unit writes. With
    `by_position`, features at one position each.

    Raises MismatchError for a dictionary of another model or of several sites, DataError when nothing differs.
    """
    if len(dictionary.reads) != 1 or len(dictionary.writes) != 1:
        raise MismatchError(
            f"the dictionary from {' + '.join(dictionary.reads)} to {' + '.join(dictionary.writes)} cannot be patched: "
            "it must read one site and write one"
        )
    read, written = model.resolve(dictionary.reads[0]), model.resolve(dictionary.writes[0])
    widths, wanted = (dictionary.d_in, dictionary.d_out), (model.width(read), model.width(written))
    if widths != wanted:
        raise MismatchError(f"the dictionary's widths are {widths}, at {read} and {written} of {model.name} {wanted}")
    seen = [model.run(tokens, [read])[read].flatten(0, 1).flatten(1) for tokens in (pairs.clean, pairs.corrupted)]
    clean, corrupted = (dictionary.encode(x.to(dictionary.W_enc)).dense() for x in seen)
    differs = (clean - corrupted).abs().unflatten(0, (len(pairs), -1)).sum(0) * dictionary.W_dec.detach().norm(dim=1)
    size = differs.flatten() if by_position else differs.sum(0)
    order = [i for i in size.argsort(descending=True, stable=True)[:most].tolist() if float(size[i]) > 0]
    if not order:
        raise DataError("no feature of the dictionary fires differently on the two prompts: there is nothing to patch")
    if not by_position:
        return tuple(Patch(written, feature=i) for i in order)
    places = (divmod(i, dictionary.n_features) for i in order)
    return tuple(Patch(written, position, feature=i) for position, i in places)
