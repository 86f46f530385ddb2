"""Places and ticks."""

import pytest

from monosema.dashboard.scales import Scale, linear, logarithmic


def test_an_even_scale_maps_ends_to_ends():
    scale = Scale(0, 10, 200, 0)
    assert [scale.at(v) for v in (0, 5, 10, -1)] == [200, 100, 0, 220]


def test_a_logarithmic_scale_maps_ratios_to_distances():
    scale = Scale(1, 100, 0, 200, logarithmic=True)
    assert [scale.at(v) for v in (1, 10, 100)] == [0, 100, 200]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.91, 0.97, ["0.91", "0.92", "0.93", "0.94", "0.95", "0.96", "0.97"]),
        (0, 500, ["0", "100", "200", "300", "400", "500"]),
    ],
)
def test_even_ticks_are_round(low: float, high: float, texts: list[str]):
    assert [tick.text for tick in Scale(low, high, 0, 100).ticks()] == texts


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [(1, 1000, ["1", "10", "100", "1,000"]), (8, 240, ["10", "30", "100"]), (12, 65, ["20", "30", "40", "50", "60"])],
)
def test_logarithmic_ticks_are_round(low: float, high: float, texts: list[str]):
    assert [tick.text for tick in Scale(low, high, 0, 100, logarithmic=True).ticks()] == texts


def test_many_decades_are_thinned():
    ticks = Scale(1e-12, 1, 0, 480, logarithmic=True).ticks()
    assert [tick.text for tick in ticks] == ["1e-12", "1e-10", "1e-08", "1e-06", "0.0001", "0.01", "1"]


def test_a_narrow_range_still_gets_three_ticks():
    assert len(Scale(30.1, 30.9, 0, 100, logarithmic=True).ticks()) == 3


@pytest.mark.parametrize("values", [[3.0], [0.0], [2.0, 9.0], [-1.0, -1.0]])
def test_a_scale_holds_what_it_was_made_for(values: list[float]):
    scale = linear(values, 100, 0)
    assert all(scale.holds(v) and 0 < scale.at(v) < 100 for v in values)


@pytest.mark.parametrize("values", [[3.0], [0.5, 800.0]])
def test_a_logarithmic_scale_holds_what_it_was_made_for(values: list[float]):
    scale = logarithmic(values, 0, 100)
    assert all(scale.holds(v) and 0 < scale.at(v) < 100 for v in values)
