"""Recovery on worlds: exact where a dictionary is made of the truth, nothing where it is made of chance."""

from dataclasses import dataclass

import pytest
import torch

from monosema.corpus.worlds import FamilyConfig, World, WorldConfig, WorldRows
from monosema.dictionaries.codes import SparseCodes
from monosema.evaluation.absorption import absorbed
from monosema.evaluation.recovery import Matching, detectors, match, recover

N, D = 40, 64
CONFIG = WorldConfig(N, D, l0=3.0, spread=0.3)
FAMILY = WorldConfig(N, D, l0=3.0, families=FamilyConfig(4, 2, 0.5))


@dataclass
class Given:
    """A dictionary of given rows whose codes are the truth of `world`, changed by `tell`."""

    world: World
    W_dec: torch.Tensor
    order: torch.Tensor  # the feature of each latent
    absorbing: bool = False

    @property
    def b_dec(self) -> torch.Tensor:
        return self.world.mean

    def encode(self, x: torch.Tensor) -> SparseCodes:
        rows = self.world.rows(len(x), "recovery", 0)
        f = torch.zeros(len(x), N)
        f[torch.repeat_interleave(torch.arange(len(x)), rows.offsets.diff()), rows.features] = rows.magnitudes
        if self.absorbing:
            child = (self.world.parents >= 0).nonzero().flatten()
            for c in child.tolist():
                f[f[:, c] > 0, int(self.world.parents[c])] = 0.0
        return SparseCodes.from_dense(f[:, self.order])


def truth(world: World, **changes: bool) -> Given:
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    return Given(world, world.directions[order], order, **changes)


def test_the_truth_in_another_order_is_recovered_exactly_and_its_control_is_not():
    found = recover(truth(World(CONFIG)), World(CONFIG), 8192)
    for name in ("mcc", "recovered", "uniqueness", "precision", "recall", "f1"):
        assert found[name].value == pytest.approx(1.0, abs=1e-6), name
    assert found["dead"].value == found["split"].value == 0
    assert found["recovered"].control == 0
    assert found["mcc"].control is not None and 0.2 < found["mcc"].control < 0.5  # of chance, assigned at its best
    assert found["f1"].control is not None and found["f1"].control < 0.3
    assert (found["mcc"].low, found["mcc"].high) == pytest.approx((1.0, 1.0), abs=1e-6)
    assert "absorption" not in found


def test_random_directions_are_worth_what_the_control_is():
    random = torch.nn.functional.normalize(torch.randn(N, D, generator=torch.Generator().manual_seed(1)), dim=1)
    found = recover(Given(World(CONFIG), random, torch.arange(N)), World(CONFIG), 4096)["mcc"]
    assert found.control == pytest.approx(found.value, abs=0.03)


def test_absorption_and_hedging_of_a_dictionary_that_absorbs():
    world = World(FAMILY)
    clean, absorbing = truth(world), truth(world, absorbing=True)
    with_child = world.directions.clone()
    child = (world.parents >= 0).nonzero().flatten()
    with_child[child] += world.directions[world.parents[child]]  # the child says the parent too
    absorbing.W_dec = with_child[absorbing.order]
    one, other = recover(clean, world, 8192), recover(absorbing, world, 8192)
    assert one["absorption"].value < 0.02
    assert other["absorption"].value == pytest.approx(0.5, abs=0.05)  # a child fires on half of a parent's rows
    assert other["recall"].value < one["recall"].value == pytest.approx(1.0)
    assert abs(one["hedging"].value) < 1e-6
    leaning = world.directions.clone()
    parent = torch.unique(world.parents[world.parents >= 0])
    for p in parent.tolist():
        leaning[p] = world.directions[p] + 0.5 * world.directions[world.parents == p].sum(0)
    hedging = Given(world, leaning, torch.arange(N))
    assert recover(hedging, world, 8192)["hedging"].value > 0.25


def test_two_latents_of_one_feature_are_split_and_silent_ones_dead():
    world = World(CONFIG)
    order = torch.arange(N)
    order[1] = 0  # two latents of feature 0, none of feature 1
    given = Given(world, world.directions[order], order)
    found = recover(given, world, 8192)
    assert found["split"].value == pytest.approx(1 / N)
    assert found["uniqueness"].value == pytest.approx((N - 1) / N)
    assert found["recovered"].value == pytest.approx((N - 1) / N)
    given.order = torch.cat([order[:-1], order[:1]])
    silent = given.encode

    def encode(x: torch.Tensor) -> SparseCodes:
        dense = silent(x).dense()
        dense[:, -1] = 0
        return SparseCodes.from_dense(dense)

    given.encode = encode  # type: ignore[method-assign]
    assert recover(given, world, 8192)["dead"].value == pytest.approx(1 / N)


def test_the_assignment_maximises_the_sum_not_each():
    cosines = torch.tensor([[0.9, 0.8], [0.85, 0.1]])
    pairs = match(cosines)
    assert pairs.features.tolist() == [1, 0]
    assert pairs.cosines.tolist() == pytest.approx([0.8, 0.85])


def test_fewer_latents_than_features_count_as_missed():
    world = World(CONFIG)
    given = Given(world, world.directions[: N // 2], torch.arange(N // 2))
    found = recover(given, world, 8192)
    assert found["mcc"].value == pytest.approx(1.0, abs=1e-6)
    assert found["recovered"].value == pytest.approx(0.5)


def test_precision_recall_and_f1_by_hand():
    # feature 0 on rows 0, 1, 2; feature 1 on row 3.   latent 0 on rows 0, 1, 3; latent 1 on none.
    rows = WorldRows(torch.zeros(4, 1), torch.tensor([0, 0, 0, 1]), torch.ones(4), torch.arange(5))
    codes = SparseCodes.from_dense(torch.tensor([[1.0, 0], [2, 0], [0, 0], [3, 0]]))
    pairs = Matching(torch.tensor([0, 1]), torch.tensor([0, 1]), torch.ones(2))
    precision, recall, f1 = detectors(codes, rows, pairs, 2)
    assert precision.tolist() == pytest.approx([2 / 3, 0])
    assert recall.tolist() == pytest.approx([2 / 3, 0])
    assert f1.tolist() == pytest.approx([2 / 3, 0])


@pytest.mark.parametrize(
    ("own", "others", "there", "share"),
    [
        (1.0, (0.0,), 1.0, 0.0),  # the main latent says it all
        (0.0, (0.9,), 1.0, 1.0),  # it is silent, and another says it
        (0.0, (0.3,), 1.0, 0.0),  # too little to be absorption
        (0.4, (0.6,), 1.0, 0.6),
        (0.5, (2.0,), 1.0, 0.5),  # more than is missing counts as what is missing
        (0.0, (0.2, 0.2, 0.2, 5.0), 6.0, 1.0),
        (0.0, (0.5, 0.5, 0.5, 0.5), 4.0, 0.0),  # three of four: 1.5 of 4
    ],
)
def test_the_absorbed_share_by_hand(own: float, others: tuple[float, ...], there: float, share: float):
    dense = torch.tensor([[own, *others]])
    ones = torch.ones(dense.shape[1])
    found = absorbed(SparseCodes.from_dense(dense), torch.tensor([0]), ones, ones, 0, torch.tensor([there]))
    assert found.tolist() == pytest.approx([share])


def test_what_is_hardly_aligned_absorbs_nothing():
    codes = SparseCodes.from_dense(torch.tensor([[0.0, 20.0]]))
    along, norms = torch.tensor([1.0, 0.05]), torch.ones(2)
    assert absorbed(codes, torch.tensor([0]), along, norms, 0, torch.tensor([1.0])).tolist() == [0.0]
