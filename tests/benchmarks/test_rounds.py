"""The statistics of rounds, worked by hand."""

import pytest

from benchmarks.rounds import Summary, ratios, summary


def test_a_summary_is_the_median_and_the_ends():
    assert summary([4.0, 1.0, 3.0]) == Summary(3.0, 1.0, 4.0)
    assert summary([4.0, 1.0, 3.0, 2.0]) == Summary(2.5, 1.0, 4.0)
    assert summary([7.0]) == Summary(7.0, 7.0, 7.0)


def test_ratios_are_taken_within_a_round():
    # The machine is three times slower in round 2, and twice as fast in round 3, for both of them.
    # The ratio of medians, 20 / 6, would say 3.33.
    speeds = {"dense": [6.0, 2.0, 12.0], "ours": [20.0, 8.0, 60.0]}
    found = ratios(speeds, "dense")
    assert found["ours"] == Summary(4.0, pytest.approx(10 / 3), 5.0)
    assert found["dense"] == Summary(1.0, 1.0, 1.0)


def test_a_round_that_one_of_them_missed_is_not_passed_over():
    with pytest.raises(ValueError, match="longer"):
        ratios({"dense": [1.0, 2.0], "ours": [3.0]}, "dense")
