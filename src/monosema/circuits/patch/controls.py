"""What patching does where it should do nothing: from an unrelated prompt, and at random places of equal count."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.places import Group, Patch
from monosema.core.config import require
from monosema.core.seeding import generator
from monosema.models import Model


def unrelated_prompts(model: Model, pairs: Pairs, bos: int | None = None, seed: int = 0) -> Int64[Tensor, "pair token"]:
    """Random tokens of the vocabulary in the place of each clean prompt; a BOS stays where it is."""
    known = len(model.module.get_submodule(model.family.embed).get_parameter("weight"))
    drawn = torch.randint(known, pairs.clean.shape, generator=generator(seed, "unrelated"))
    return drawn if bos is None else torch.where(pairs.clean == bos, pairs.clean, drawn)


def random_groups(every: Sequence[Patch], chosen: Group, n: int = 20, seed: int = 0) -> tuple[tuple[Patch, ...], ...]:
    """`n` groups as large as `chosen` of places of `every` that are not in it, of the same kinds in the same numbers.

    Raises ConfigError when there are not enough.
    """
    draws = generator(seed, "random places")
    wanted: dict[str, int] = {}
    for patch in chosen:
        wanted[kind_of(patch)] = wanted.get(kind_of(patch), 0) + 1
    left = {kind: [one for one in every if kind_of(one) == kind and one not in chosen] for kind in wanted}
    for kind, count in wanted.items():
        require(
            len(left[kind]) >= count,
            f"of {kind} there are {len(left[kind])} places besides the {count} chosen: choose fewer to leave a control",
        )
    return tuple(
        tuple(
            left[kind][i]
            for kind, count in wanted.items()
            for i in torch.randperm(len(left[kind]), generator=draws)[:count].tolist()
        )
        for _ in range(n)
    )


def kind_of(patch: Patch) -> str:
    """The kind of its site: `resid_post` of `resid_post.3`."""
    return patch.site.partition(".")[0]
