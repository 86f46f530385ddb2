"""Absorption in dictionaries that are trained: tied against untied encoders on a hierarchy of which all is known.

    4 orthonormal features in d dimensions of magnitude 1: a parent, its child (on only where the parent is), two others

    full absorption at a row (Chanin et al. 2024): the parent's latent is below 1e-8, and the latent of the largest
    projection on the parent's direction has a cosine of at least .025 with it and a share of at least .4 of the row's

The parent's latent is the one of largest cosine with it among those that fire. A seed absorbs when more than half of
the child's rows are fully absorbed and that latent still is the parent's, of cosine FOUND; where it is not, it has
turned away from the child to be silent there (`leans`). What is absorbed in part is that of `evaluation.absorption`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.corpus.worlds import SITE, WorldRows
from monosema.dictionaries import Dictionary, DictionarySpec, L1Config, OptimiserConfig
from monosema.dictionaries.kernels import decode
from monosema.evaluation.absorption import absorbed
from monosema.evaluation.recovery import cosines_of
from monosema.toys.dictionaries import trained_dictionaries
from monosema.toys.inputs import Inputs
from monosema.toys.settings import HierarchyConfig
from monosema.toys.sources import Rows, orthonormal

SILENT, ALIGNED, SHARE, FOUND = 1e-8, 0.025, 0.4, 0.9
PARENT, CHILD = 0, 1
CHECK_ROWS = 8192


def hierarchy(config: HierarchyConfig, seed: int) -> Rows:
    """The parent, its child and two others, in directions of their own for each seed."""
    p = torch.tensor([[config.parent, config.child, config.other, config.other]], dtype=torch.float64)
    parents = torch.tensor([-1, PARENT, -1, -1])
    return Rows(orthonormal(4, config.d, seed), Inputs(p, torch.ones(1, 4)), parents, binary=True)


def tied_and_untied(config: HierarchyConfig) -> list[DictionarySpec]:
    """Two L1 dictionaries that differ in nothing else."""
    optimiser = OptimiserConfig(lr=config.lr)
    rules = {
        name: L1Config(n_features=config.n_features, penalty=config.penalty, tied=name == "tied")
        for name in ("untied", "tied")
    }
    return [DictionarySpec(name, "l1", rule, (SITE,), (SITE,), optimiser) for name, rule in rules.items()]


@dataclass(frozen=True)
class Absorbed:
    """What a dictionary does with the parent. full, partial: shares of the child's rows. with_parent, with_child:
    cosines of the parent's latent with both directions. mse: mean squared norm of the error."""

    full: float
    partial: float
    with_parent: float
    with_child: float
    mse: float

    @property
    def absorbs(self) -> bool:
        return self.full > 0.5 and self.with_parent >= FOUND

    @property
    def leans(self) -> bool:
        return self.full > 0.5 and self.with_parent < FOUND


def fully_absorbed(
    a: Float[Tensor, "row latent"],
    decoder: Float[Tensor, "latent d"],
    direction: Float[Tensor, "d"],
    main: int,
    there: Float[Tensor, "row"],
) -> Bool[Tensor, "row"]:
    """Full absorption at each row. a: dense codes; there: x . direction of the rows, b_dec taken off."""
    along = decoder @ direction
    top = (a * along).max(1)
    aligned = along[top.indices] >= ALIGNED * decoder.norm(dim=1)[top.indices]
    return (a[:, main] < SILENT) & aligned & (top.values >= 0) & (top.values >= SHARE * there)


def hierarchy_dictionaries(config: HierarchyConfig) -> list[dict[str, Absorbed]]:
    """For each seed directions, rows and both dictionaries."""
    found = []
    for seed in range(config.seed, config.seed + config.seeds):
        source = hierarchy(config, seed)
        trained = trained_dictionaries(source, tied_and_untied(config), config.rows, seed)
        found.append({name: absorbed_by(dictionary, source) for name, dictionary in trained.items()})
    return found


def absorbed_by(dictionary: Dictionary, source: Rows) -> Absorbed:
    """How `dictionary` tells the parent."""
    rows = source.rows(CHECK_ROWS, "check")
    codes, direction = dictionary.encode(rows.x), source.unit[PARENT]
    a, decoder = codes.dense(), dictionary.W_dec
    cosines = cosines_of(decoder, source.unit)
    main = int(torch.where((a > 0).any(0), cosines[:, PARENT], -2.0).argmax())
    both = _rows_with(rows, CHILD)
    there = (rows.x - dictionary.b_dec)[both] @ direction
    full = fully_absorbed(a[both], decoder, direction, main, there)
    error = decode(codes, decoder, dictionary.b_dec) - rows.x
    return Absorbed(
        full=float(full.double().mean()),
        partial=float(absorbed(codes, both, decoder @ direction, decoder.norm(dim=1), main, there).mean()),
        with_parent=float(cosines[main, PARENT]),
        with_child=float(cosines[main, CHILD]),
        mse=float(error.square().sum(1).mean()),
    )


def _rows_with(rows: WorldRows, feature: int) -> Int64[Tensor, "entry"]:
    row = torch.repeat_interleave(torch.arange(len(rows.x)), rows.offsets.diff())
    return row[rows.features == feature]
