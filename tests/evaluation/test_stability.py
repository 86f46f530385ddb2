"""Features found again: exact cases, an expectation that is known, and the matching of large dictionaries."""

import math

import pytest
import torch

from monosema.evaluation import stability as module
from monosema.evaluation.stability import MEASURES, find_again, over_seeds, random_directions, stability, students_t


def rows(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("exact", [module.EXACT, 0], ids=["assignment", "greedy"])
def test_an_identical_dictionary_and_a_permuted_one_are_found_again_whole(exact):
    decoder = rows(40, 12)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    for other in (decoder, decoder[order], 3.0 * decoder[order]):
        assert find_again(decoder, other, exact).values() == pytest.approx(dict.fromkeys(MEASURES, 1.0), abs=1e-6)


@pytest.mark.parametrize("exact", [module.EXACT, 0], ids=["assignment", "greedy"])
def test_orthogonal_dictionaries_share_nothing(exact):
    basis = torch.eye(8)
    assert find_again(basis[:4], basis[4:], exact).values() == dict.fromkeys(MEASURES, 0.0)


def test_a_feature_that_points_the_other_way_is_another_feature():
    assert find_again(torch.eye(4), -torch.eye(4)).values()["found_7"] == 0.0


def test_one_feature_is_not_found_by_many():
    # Three copies of e0 against e0, e1, e2: each has a nearest of 1, one alone has a partner.
    found = find_again(torch.eye(3)[[0, 0, 0]], torch.eye(3))
    assert found.nearest.tolist() == [1.0, 1.0, 1.0]
    assert found.values() == pytest.approx(
        {"mean_max_cosine": 1.0, "mean_matched_cosine": 1 / 3, "found_7": 1 / 3, "found_9": 1 / 3}
    )


def test_the_assignment_is_the_best_and_not_the_first():
    # a is .9 to A and .8 to B; b is .85 to A and 0 to B. Greedily a takes A and b is left with 0.
    A, B = torch.eye(3)[0], torch.eye(3)[1]
    a = torch.tensor([0.9, 0.8, 0.0])
    a = torch.cat([a[:2] / a[:2].norm() * 0.99, torch.tensor([math.sqrt(1 - 0.99**2)])])
    b = torch.tensor([0.7, 0.0, math.sqrt(1 - 0.49)])
    cosines = (float(a @ A), float(a @ B), float(b @ A))
    assert cosines[0] > cosines[2] and cosines[1] + cosines[2] > cosines[0]
    decoder, other = torch.stack([a, b]), torch.stack([A, B])
    assert find_again(decoder, other).matched.tolist() == pytest.approx([cosines[1], cosines[2]])
    assert find_again(decoder, other, exact=0).matched.tolist() == pytest.approx([cosines[0], 0.0])


def test_random_directions_give_what_is_expected_of_them():
    # In 3 dimensions the cosine of two random directions is uniform on [-1, 1] (Archimedes), so that the largest
    # of n independent ones has mean (n - 1) / (n + 1).
    n = 5
    draws = [(random_directions(400, 3, seed, 0), random_directions(n, 3, seed, 1)) for seed in range(40)]
    means = torch.stack([find_again(*pair).nearest.mean() for pair in draws]).double()
    error = float(means.std()) / math.sqrt(len(means))
    assert abs(float(means.mean()) - (n - 1) / (n + 1)) < 4 * error
    assert error < 0.02


def test_random_directions_in_many_dimensions_are_never_found_again():
    values = find_again(random_directions(512, 128, 0, 0), random_directions(512, 128, 0, 1)).values()
    assert (values["found_7"], values["found_9"]) == (0.0, 0.0)
    # The largest of n cosines of deviation 1/sqrt(d) is near sqrt(2 ln n / d), a bound from above at this n.
    assert 0.2 < values["mean_max_cosine"] < math.sqrt(2 * math.log(512) / 128)


def test_greedy_matching_agrees_where_features_are_really_found_again():
    decoder = rows(300, 64)
    noisy = torch.nn.functional.normalize(decoder, dim=1) + 0.06 * rows(300, 64, 1)
    strangers = torch.cat([noisy[:200], rows(100, 64, 2)])
    best, greedy = (find_again(decoder, strangers, exact) for exact in (module.EXACT, 0))
    for name in ("found_7", "found_9", "mean_max_cosine"):
        assert greedy.values()[name] == pytest.approx(best.values()[name], abs=1e-6)
    assert best.values()["found_7"] == pytest.approx(2 / 3, abs=0.01)


def test_a_pruned_row_takes_no_part_and_a_missing_partner_counts_against():
    decoder = torch.cat([torch.eye(4), torch.zeros(2, 4)])
    assert find_again(decoder, torch.eye(4)).values()["found_9"] == 1.0
    assert find_again(torch.eye(4), torch.eye(4)[:1]).values()["found_9"] == 0.25
    assert find_again(torch.eye(4), torch.zeros(3, 4)).values()["found_9"] == 0.0


def test_the_interval_over_seeds_is_students():
    # Shares .5, .5 and 1 of two features found again: mean 2/3, deviation .2887, t(2) = 4.3027.
    half, whole = torch.stack([torch.eye(2)[0], -torch.eye(2)[1]]), torch.eye(2)
    pairs = [find_again(torch.eye(2), other) for other in (half, half, whole)]
    found = over_seeds(pairs)["found_7"]
    assert (found.value, found.n, found.unit) == (pytest.approx(2 / 3), 3, "pairs of seeds")
    assert students_t(2) == pytest.approx(4.302653, abs=1e-5)
    assert (found.low, found.high) == (0.0, 1.0)  # 2/3 -+ .717, cut to what a share can be
    same = over_seeds([find_again(torch.eye(2), whole)] * 3)["found_7"]
    assert (same.low, same.high) == (1.0, 1.0)


def test_of_one_pair_the_interval_is_over_features():
    decoder = rows(200, 32)
    other = torch.cat([decoder[:100], rows(100, 32, 9)])
    found = stability(decoder, {"seed 1": other})
    finding = found["found_9"]
    assert (finding.value, finding.n, finding.unit) == (0.5, 200, "features")
    assert 0.4 < finding.low < 0.5 < finding.high < 0.6  # 1.96 sqrt(.25 / 200) = .069
    assert finding.control == 0.0 and finding.control_is == "as many random directions"
    assert set(found) == set(MEASURES)
