"""The analysis of variance along random directions: exact, measured within its error, and known for any labels."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.seeding import generator
from monosema.geometry import Clusters, along, anova, random_directions, shuffled_eta2


def planted(n: int = 600, d: int = 16, k: int = 4, apart: float = 1.0) -> tuple[Tensor, Clusters]:
    """Clusters of unequal sizes and spreads around means `apart` from a common one, far from the origin."""
    draws = generator(0, "planted")
    labels = (torch.rand(n, generator=draws, dtype=torch.float64).square() * k).long()
    means = apart * torch.randn(k, d, generator=draws, dtype=torch.float64)
    noise = torch.randn(n, d, generator=draws, dtype=torch.float64) * (1 + labels[:, None])
    return 5.0 + means[labels] + noise, Clusters(tuple("abcd"[:k]), labels)


def turned(d: int) -> Tensor:
    return torch.linalg.qr(torch.randn(d, d, generator=generator(1, "turn"), dtype=torch.float64))[0]


def test_by_hand():
    # Clusters {(0,0), (2,0)} and {(0,4), (2,4)}: grand mean (1,2); means (1,0) and (1,4).
    rows = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]], dtype=torch.float64)
    found = anova(rows, Clusters(("low", "high"), torch.tensor([0, 0, 1, 1])))
    assert (found.between, found.within, found.total) == (4 / 2, 1 / 2, 5 / 2)
    assert found.eta2 == 0.8 and found.by_chance == 1 / 3 and found.by_cluster == (1.0, 1.0)


def test_the_parts_add_up_to_the_total():
    rows, clusters = planted()
    found = anova(rows, clusters)
    assert found.between + found.within == pytest.approx(found.total, rel=1e-12)
    assert sum(found.by_cluster) == pytest.approx(found.between, rel=1e-12)


def test_rows_of_norm_one_have_the_formula_of_means_alone():
    rows, clusters = planted()
    units = torch.nn.functional.normalize(rows, dim=1)
    weights = clusters.sizes.double() / len(rows)
    means = torch.stack([units[clusters.of == i].mean(0) for i in range(4)])
    found = anova(units, clusters)
    assert found.within == pytest.approx(float((weights * (1 - means.square().sum(1))).sum()) / 16, rel=1e-12)
    apart = (means - units.mean(0)).square().sum(1)
    assert found.between == pytest.approx(float((weights * apart).sum()) / 16, rel=1e-12)


def test_many_directions_measure_it_within_the_error_that_theory_gives():
    rows, clusters = planted()
    found, m = anova(rows, clusters), 40_000
    seen = along(rows, clusters, random_directions(m, 16, generator(2, "directions")))
    error = found.deviation / math.sqrt(m)
    assert abs(float(seen.between.mean()) - found.between) < 4 * error
    assert float(seen.between.std()) == pytest.approx(found.deviation, rel=0.03)
    assert float(seen.total.mean()) == pytest.approx(found.total, rel=0.02)
    assert error < 0.01 * found.between  # so that the first assertion says something


def test_the_average_over_every_way_to_deal_out_labels_is_exact():
    # All 720 orders of six labels, on rows that have nothing regular about them.
    rows = torch.randn(6, 3, generator=generator(3, "rows"), dtype=torch.float64) ** 3
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    every = [
        anova(rows, Clusters(("a", "b", "c"), labels[list(order)])).eta2 for order in itertools.permutations(range(6))
    ]
    assert sum(every) / 720 == pytest.approx(2 / 5, rel=1e-12)


@pytest.mark.parametrize("apart", [0.0, 3.0])
def test_shuffled_labels_give_k_less_one_over_n_less_one_whatever_the_rows(apart: float):
    rows, clusters = planted(apart=apart)
    drawn = shuffled_eta2(rows, clusters, 400, generator(4, "shuffles"))
    error = float(drawn.std()) / 20
    assert abs(float(drawn.mean()) - 3 / 599) < 4 * error
    real = anova(rows, clusters).eta2
    assert (real > float(drawn.max())) == (apart > 0)


def test_a_shuffle_is_the_analysis_of_the_shuffled_clusters():
    rows, clusters = planted(n=80)
    one = clusters.shuffled(generator(5, "x"))
    assert float(shuffled_eta2(rows, clusters, 1, generator(5, "x"))) == pytest.approx(anova(rows, one).eta2, rel=1e-12)
    assert one.sizes.tolist() == clusters.sizes.tolist() and not torch.equal(one.of, clusters.of)


def test_turning_scaling_moving_and_reordering_rows():
    rows, clusters = planted()
    own = anova(rows, clusters)
    order = torch.randperm(len(rows), generator=generator(6, "order"))
    others = {
        "turned": anova(rows @ turned(16), clusters),
        "moved": anova(rows - rows.mean(0), clusters),
        "reordered": anova(rows[order], Clusters(clusters.names, clusters.of[order])),
    }
    for found in others.values():
        assert [found.between, found.within, found.deviation] == pytest.approx(
            [own.between, own.within, own.deviation], rel=1e-9
        )
    assert anova(3 * rows, clusters).eta2 == pytest.approx(own.eta2, rel=1e-12)
    assert anova(3 * rows, clusters).between == pytest.approx(9 * own.between, rel=1e-12)


def test_rows_in_no_cluster_take_no_part():
    rows, clusters = planted(n=200)
    more = torch.cat([rows, torch.full((3, 16), 1e6, dtype=torch.float64)])
    wider = Clusters(clusters.names, torch.cat([clusters.of, torch.full((3,), -1)]))
    assert anova(more, wider) == anova(rows, clusters)


def test_rows_that_are_all_the_same_are_refused():
    with pytest.raises(DataError, match="all 4 rows in clusters are the same"):
        anova(torch.ones(4, 3, dtype=torch.float64), Clusters(("a", "b"), torch.tensor([0, 0, 1, 1])))
