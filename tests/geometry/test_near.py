"""Tokens near random directions: the nulls of uniform rows, what clusters add, and hubs."""

import math

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.core.seeding import generator
from monosema.geometry import Clusters, expected_top, nearest, pairs, random_directions
from monosema.geometry.clusters import chance_of_a_pair
from monosema.geometry.directions import Nearest, alike, hubs, rough_top, shuffled_alike

from .test_variances import planted, turned


def uniform(n: int, d: int) -> torch.Tensor:
    return random_directions(n, d, generator(0, "rows"))


def test_nearest_by_hand_by_cosine_and_by_product():
    rows = torch.tensor([[1.0, 0.0], [3.0, 3.0], [0.0, 2.0], [-1.0, 0.0]], dtype=torch.float64)
    direction = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    by_cosine, by_product = nearest(rows, direction, 2), nearest(rows, direction, 2, by="dot")
    assert by_cosine.tokens.tolist() == [[0, 1]] and by_product.tokens.tolist() == [[1, 0]]
    assert by_cosine.values[0].tolist() == pytest.approx([1, 0.5**0.5]) and by_product.values.tolist() == [[3, 1]]


def test_reordering_tokens_reorders_the_answers_and_turning_changes_none():
    rows, directions = uniform(300, 16), random_directions(70, 16, generator(1, "v"))
    found = nearest(rows, directions, 5)
    order = torch.randperm(300, generator=generator(2, "order"))
    again = nearest(rows[order], directions, 5)
    assert torch.equal(order[again.tokens], found.tokens)
    Q = turned(16)
    assert torch.equal(nearest(rows @ Q, directions @ Q, 5).tokens, found.tokens)


def test_the_nearest_of_uniform_rows_and_the_pairs_among_them():
    # 6,000 rows in 256 dimensions: two of the nearest have a cosine of about r_i r_j, and their own part is chance.
    rows, k, m = uniform(6000, 256), 10, 200
    found = nearest(rows, random_directions(m, 256, generator(3, "v")), k)
    seen = pairs(rows, found)
    error = float(seen.excess.std()) / math.sqrt(m)
    assert abs(float(seen.excess.mean())) < 4 * error
    assert error == pytest.approx(1 / math.sqrt(256 * math.comb(k, 2) * m), rel=0.2)
    assert float(seen.cosine.mean()) == pytest.approx(0.0388, abs=0.0025)
    assert float(seen.by_nearness.mean()) == pytest.approx(0.0399, abs=0.0015)
    top = found.values[:, 0]
    assert abs(float(top.mean()) - expected_top(6000, 256)) < 4 * float(top.std()) / math.sqrt(m)
    assert expected_top(6000, 256) < rough_top(6000, 256) < 1.2 * expected_top(6000, 256)


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_in_three_dimensions_a_cosine_is_uniform(n: int):
    # The largest of n numbers uniform on [-1, 1] is (n - 1) / (n + 1) on average.
    assert expected_top(n, 3) == pytest.approx((n - 1) / (n + 1), abs=1e-6)


def test_with_the_dimension_cosines_become_normal():
    # The largest of 1,000 standard normal numbers is 3.2414 on average; sqrt(2 ln 1000) is 3.7169.
    off = [abs(rough_top(1000, d) / expected_top(1000, d) - 3.7169 / 3.2414) for d in (64, 512, 4096)]
    assert off[0] > off[1] > off[2] and off[2] < 0.001


def test_planted_clusters_make_neighbours_alike_and_shuffled_ones_do_not():
    rows, clusters = planted(apart=20.0)
    found = nearest(rows - rows.mean(0), random_directions(100, 16, generator(4, "v")), 8)
    chance = float(chance_of_a_pair(clusters.sizes))
    assert float(alike(clusters, found).mean()) > 0.85
    shuffled = alike(clusters.shuffled(generator(5, "s")), found)
    assert float(shuffled.mean()) == pytest.approx(chance, abs=0.08) and chance < 0.5
    assert float(pairs(rows - rows.mean(0), found).excess.mean()) > 0.2


def test_alike_by_hand():
    clusters = Clusters(("a", "b"), torch.tensor([0, 0, 1, 1]))
    found = Nearest(torch.tensor([[0, 1, 2], [2, 3, 1]]), torch.zeros(2, 3, dtype=torch.float64))
    assert alike(clusters, found).tolist() == pytest.approx([1 / 3, 1 / 3])


def test_shuffled_labels_are_alike_by_the_chance_of_a_pair():
    rows, clusters = planted(apart=20.0)
    found = nearest(rows - rows.mean(0), random_directions(100, 16, generator(7, "v")), 8)
    drawn = shuffled_alike(clusters, found, 300, generator(8, "s"))
    chance = float(chance_of_a_pair(clusters.sizes))
    assert abs(float(drawn.mean()) - chance) < 4 * float(drawn.std()) / 300**0.5
    assert float(alike(clusters, found).mean()) > float(drawn.max())


def test_hubs_by_hand():
    tokens = torch.tensor([[4, 0], [4, 1], [2, 4], [4, 3]])
    found = hubs(Nearest(tokens, torch.zeros(4, 2, dtype=torch.float64)))
    assert (found.distinct, found.commonest, found.token) == (0.5, 0.75, 4)


def test_a_shared_mean_makes_hubs():
    rows, directions = uniform(400, 32), random_directions(300, 32, generator(6, "v"))
    lone = uniform(2, 32)[:1]
    # A cone around one direction leaves half of all directions with the token that lies farthest from it.
    cone = torch.cat([rows * 0.2 + lone, -3 * lone])
    plain, coned = (hubs(nearest(each, directions, 2)) for each in (rows, cone))
    assert coned.token == 400 and coned.commonest > 5 * plain.commonest


def test_more_than_all_are_refused():
    with pytest.raises(ConfigError, match="9 nearest tokens were asked for: there are 8"):
        nearest(uniform(8, 4), uniform(1, 4), 9)
