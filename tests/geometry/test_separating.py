"""How far apart clusters are, token by token, and directions that tell them apart on tokens they were not found on."""

import pytest
import torch

from monosema.core.seeding import generator
from monosema.geometry import Clusters, discriminants, separation
from monosema.geometry.separating import Separation

from .test_variances import planted, turned


def test_by_hand():
    # a at 0, 2, 4 and b at 10, 12 on a line. Own means without the token: 3, 2, 1; 12, 10. Other means: 11 and 2.
    rows = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0], [10.0, 1.0], [12.0, 1.0]], dtype=torch.float64)
    found = separation(rows, Clusters(("a", "b"), torch.tensor([0, 0, 0, 1, 1])))
    a, b = found.clusters
    assert a.silhouette == pytest.approx((8 / 11 + 9 / 9 + 4 / 7) / 3, rel=1e-12)
    assert b.silhouette == pytest.approx((6 / 8 + 8 / 10) / 2, rel=1e-12)
    assert found.silhouette == pytest.approx((8 / 11 + 1 + 4 / 7 + 6 / 8 + 8 / 10) / 5, rel=1e-12)
    assert (a.own_nearest, b.own_nearest, found.own_nearest) == (1, 1, 1)
    assert (a.nearest, b.nearest) == ("b", "a") and a.gap == b.gap == pytest.approx(9)
    assert (a.distance, b.distance) == pytest.approx((3.6, 5.4)) and a.spread == pytest.approx((8 / 3) ** 0.5)
    assert a.between == pytest.approx(3 * 3.6**2 / (3 * 3.6**2 + 2 * 5.4**2))


def test_a_token_alone_is_not_near_itself():
    rows = torch.tensor([[0.0], [1.0], [9.0]], dtype=torch.float64)
    found = separation(rows, Clusters(("pair", "alone"), torch.tensor([0, 0, 1])))
    assert (found.clusters[1].silhouette, found.clusters[1].own_nearest) == (0, 0)


def numbers(found: Separation) -> list[float]:
    return [v for c in found.clusters for v in (c.distance, c.spread, c.between, c.silhouette, c.own_nearest, c.gap)]


def test_turning_moving_and_reordering_change_nothing():
    rows, clusters = planted(n=300)
    own = numbers(separation(rows, clusters))
    assert numbers(separation(rows @ turned(16) + 7, clusters)) == pytest.approx(own, abs=1e-9)
    order = torch.randperm(300, generator=generator(0, "order"))
    assert numbers(separation(rows[order], Clusters(clusters.names, clusters.of[order]))) == pytest.approx(
        own, abs=1e-9
    )


def test_shuffled_labels_are_not_apart():
    rows, clusters = planted(apart=4.0)
    own, mixed = separation(rows, clusters), separation(rows, clusters.shuffled(generator(1, "s")))
    assert own.silhouette > 0.3 and own.own_nearest > 0.95
    assert mixed.silhouette < 0 and mixed.own_nearest < 0.4


def test_a_direction_that_tells_clusters_apart_is_found_under_noise():
    # The labels are along the last axis, at a hundredth of the variance of any other.
    draws = generator(2, "hidden")
    rows = torch.randn(600, 10, generator=draws, dtype=torch.float64)
    labels = (torch.rand(600, generator=draws) > 0.5).long()
    rows[:, -1] = 0.1 * (2.0 * labels - 1) + 0.01 * rows[:, -1]
    found = discriminants(rows, Clusters(("a", "b"), labels), generator(3, "halves"))
    assert found.eta2[0] > 0.98 and len(found.tokens) == 300
    along_last = torch.corrcoef(torch.stack([found.scores[:, 0], rows[found.tokens, -1]]))[0, 1]
    assert abs(float(along_last)) > 0.99


def test_labels_without_sense_are_not_told_apart_though_dimensions_are_many():
    # 120 dimensions for 150 tokens to find directions on: on these, any labels could be told apart.
    draws = generator(4, "noise")
    rows = torch.randn(300, 120, generator=draws, dtype=torch.float64)
    clusters = Clusters(("a", "b", "c"), torch.randint(3, (300,), generator=draws))
    found = discriminants(rows, clusters, generator(5, "halves"))
    assert max(found.eta2) < 0.06


def test_halves_hold_every_cluster_and_leave_out_tokens_in_none():
    of = torch.tensor([0] * 6 + [1] * 4 + [-1] * 5)
    rows = torch.randn(15, 3, generator=generator(6, "rows"), dtype=torch.float64)
    found = discriminants(rows, Clusters(("a", "b"), of), generator(7, "halves"))
    assert of[found.tokens].bincount().tolist() == [3, 2]


def test_turned_rows_are_told_apart_alike():
    rows, clusters = planted(n=200)
    one = discriminants(rows, clusters, generator(8, "halves"))
    other = discriminants(rows @ turned(16), clusters, generator(8, "halves"))
    assert torch.allclose(one.scores, other.scores, atol=1e-7) and one.eta2 == pytest.approx(other.eta2, rel=1e-8)
