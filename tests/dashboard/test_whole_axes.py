"""Axes of counts, such as layers and heads, have ticks at whole numbers only."""

from monosema.core.exhibits import Heatmap, Number
from monosema.dashboard.exhibits.heatmaps import picture
from monosema.dashboard.scales import Scale


def test_a_count_has_no_ticks_between_its_numbers():
    assert [tick.text for tick in Scale(-0.5, 1.5, 0, 100, whole=True).ticks()] == ["0", "1"]
    assert "0.5" in [tick.text for tick in Scale(-0.5, 1.5, 0, 100).ticks()]
    assert [tick.text for tick in Scale(-0.5, 11.5, 0, 100, whole=True).ticks()] == ["0", "2", "4", "6", "8", "10"]


def layers(y: tuple[Number, ...]) -> list[str]:
    drawn = picture(Heatmap("Map", "A map.", "head", "layer", (0, 1), y, ((0.0, 1.0), (1.0, 0.0))))
    return [tick.text for tick in drawn.frame.y_ticks]


def test_a_map_whose_cells_are_counted_has_such_axes():
    assert layers((0, 1)) == ["0", "1"]
    assert "0.5" in layers((0.0, 1.0))
