"""Worlds: what fires is what the config says, exactly in expectation, and x is what fires."""

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.corpus.worlds import SITE, DenseConfig, FamilyConfig, GroupConfig, World, WorldConfig, WorldRows

N = 40_000
PLAIN = WorldConfig(60, 16, l0=4.0)
CONFIGS = {
    "independent": PLAIN,
    "dense": WorldConfig(60, 16, l0=6.0, dense=DenseConfig(3, 0.5)),
    "hierarchy": WorldConfig(60, 16, l0=5.0, families=FamilyConfig(5, 3, 0.6)),
    "free children": WorldConfig(60, 16, l0=5.0, families=FamilyConfig(5, 3, 0.9, exclusive=False)),
    "groups": WorldConfig(60, 16, l0=4.0, groups=GroupConfig(4, 0.2, 0.8)),
    "rivals": WorldConfig(60, 16, l0=6.0, decay=0.2, n_rivals=10),
    "all": WorldConfig(
        90,
        16,
        l0=9.0,
        dense=DenseConfig(2),
        families=FamilyConfig(4),
        groups=GroupConfig(5),
        n_rivals=6,
        noise=0.1,
        offset=3.0,
    ),
}


def matrix(world: World, rows: WorldRows) -> torch.Tensor:
    """The magnitudes as a dense matrix [row, feature]."""
    f = torch.zeros(len(rows.x), world.config.n_features)
    at = torch.repeat_interleave(torch.arange(len(rows.x)), rows.offsets.diff())
    f[at, rows.features] = rows.magnitudes
    return f


@pytest.fixture(scope="module", params=list(CONFIGS))
def world(request: pytest.FixtureRequest) -> World:
    return World(CONFIGS[request.param])


def test_features_fire_as_often_as_the_world_says(world: World):
    fires = (matrix(world, world.rows(N, "test")) > 0).double()
    deviation = (world.frequencies * (1 - world.frequencies) / N).sqrt()
    assert float(((fires.mean(0) - world.frequencies).abs() / deviation).max()) < 5
    assert float(world.frequencies.sum()) == pytest.approx(world.config.l0, rel=1e-3)


def test_x_is_the_sum_of_what_fires(world: World):
    rows = world.rows(2000, "test")
    made = matrix(world, rows) @ world.directions + world.mean
    if world.config.noise:
        left = rows.x - made
        assert float(left.std()) == pytest.approx(world.config.noise, rel=0.05)
    else:
        torch.testing.assert_close(rows.x, made, rtol=1e-4, atol=1e-4)
    inside = torch.ones(len(rows.features), dtype=torch.bool)
    inside[rows.offsets[1:-1][rows.offsets[1:-1] < len(inside)]] = False  # where a row begins, features may fall
    assert bool((rows.features.diff()[inside[1:]] > 0).all())


def test_children_fire_only_with_their_parent_and_exclusive_ones_alone():
    for name in ("hierarchy", "free children"):
        world = World(CONFIGS[name])
        fires = matrix(world, world.rows(N, "test")) > 0
        child = (world.parents >= 0).nonzero().flatten()
        assert len(child) == 15
        assert not bool((fires[:, child] & ~fires[:, world.parents[child]]).any())
        together = fires[:, child].view(N, 5, 3).sum(2).max()
        assert int(together) == (1 if name == "hierarchy" else 3)


def test_rivals_never_fire_together_and_their_losses_are_fair():
    world = World(CONFIGS["rivals"])
    fires = matrix(world, world.rows(N, "test")) > 0
    pairs = torch.arange(20).view(-1, 2)
    assert torch.equal(world.firing.rivals[pairs[:, 0]], pairs[:, 1])
    assert not bool((fires[:, pairs[:, 0]] & fires[:, pairs[:, 1]]).any())


def test_a_group_fires_together_and_two_groups_do_not():
    world = World(CONFIGS["groups"])
    fires = (matrix(world, world.rows(N, "test")) > 0).double()
    a, b, other = fires[:, 0], fires[:, 4], fires[:, 1]  # features 0 and 4 are of group 0, feature 1 of group 1
    p_a, p_b, p_other = (float(world.frequencies[i]) for i in (0, 4, 1))
    on, off = world.firing.switched()
    expected = 0.2 * float(on[0] * on[4]) + 0.8 * float(off[0] * off[4])
    assert expected > 1.5 * p_a * p_b
    assert float((a * b).mean()) == pytest.approx(expected, abs=5 * (expected / N) ** 0.5)
    assert float((a * other).mean()) == pytest.approx(p_a * p_other, abs=5 * (p_a * p_other / N) ** 0.5)


def test_magnitudes_are_one_on_average_and_never_negative():
    rows = World(CONFIGS["independent"]).rows(N, "test")
    assert float(rows.magnitudes.mean()) == pytest.approx(1.0, abs=0.01)
    assert float(rows.magnitudes.min()) >= 0.5


def test_batches_repeat_and_start_anywhere():
    world = World(CONFIGS["all"])
    first, again = world.batches(64, seed=1), World(CONFIGS["all"]).batches(64, seed=1, start=2)
    x = [next(first).activations[SITE] for _ in range(4)]
    assert torch.equal(next(again).activations[SITE], x[2])
    assert not torch.equal(x[0], x[1])
    assert not torch.equal(next(world.batches(64, seed=2)).activations[SITE], x[0])
    assert world.fingerprint == World(CONFIGS["all"]).fingerprint != World(PLAIN).fingerprint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_features": 0}, "n_features is 0"),
        ({"n_rivals": 40}, "give more features"),
        ({"families": FamilyConfig(20, 4)}, "give more features"),
        ({"l0": 0.0}, "l0 is 0.0"),
        ({"l0": 50.0}, "l0 is 50.0"),
        ({"spread": 1.5}, "spread is 1.5"),
    ],
)
def test_what_no_world_can_be_is_refused(changes: dict, words: str):
    with pytest.raises(ConfigError, match=words):
        World(WorldConfig(**{"n_features": 60, "d": 16, "l0": 4.0} | changes))


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (GroupConfig, {"n": 1}, "a single group"),
        (GroupConfig, {"n": 2, "correlation": 1.5}, "correlation is 1.5"),
        (FamilyConfig, {"children": 0}, "children is 0"),
        (DenseConfig, {"share": 0.0}, "share is 0.0"),
    ],
)
def test_parts_that_cannot_be_are_refused(kind: type, given: dict, words: str):
    with pytest.raises(ConfigError, match=words):
        kind(**given)
