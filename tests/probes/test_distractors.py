"""Which of two planted features a method finds, and where it turns from one to the other."""

import math

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.probes.distractors import DistractorConfig, crossing, planted, sweep_distractor, which
from monosema.probes.fitting import fit
from monosema.probes.settings import CRCConfig, LogisticConfig


@pytest.mark.slow
def test_ccs_and_crc_flip_at_equal_size_and_supervised_probes_do_not():
    config = DistractorConfig(
        methods=("ccs", "crc", "logistic", "mass_mean"), ratios=(0.5, 0.9, 1.1, 2.0), n=500, seeds=2
    )
    swept = sweep_distractor(config)
    for method in ("ccs", "crc"):
        assert 0.9 < swept.flips[method] < 1.1
        assert min(swept.truth[method][:2]) > 0.99 and min(swept.distractor[method][2:]) > 0.99
        assert max(swept.distractor[method][:2]) < 0.6 and max(swept.truth[method][2:]) < 0.6
    for method in ("logistic", "mass_mean"):
        assert math.isnan(swept.flips[method])
        assert min(swept.truth[method]) > 0.999
    curves = swept.curves()
    assert [len(panel.lines) for panel in curves] == [3] * 4
    assert "flips from truth to distractor at b/a = " in curves[0].says and "does not flip" in curves[2].says


def test_a_distractor_that_both_sides_share_fools_nothing():
    config = DistractorConfig(n=300, seeds=1)
    data, other = planted(config, 1e-6, seed=0)
    way = torch.zeros(config.d, dtype=torch.float64)
    way[5] = 20.0
    shared = (2 * other - 1)[:, None] * way
    found = which(fit(CRCConfig(), type(data)(data.x0 + shared, data.x1 + shared, data.y)), data, other)
    assert found.found == "truth" and found.truth.value > 0.99
    apart = type(data)(data.x0 - shared, data.x1 + shared, data.y)
    assert which(fit(CRCConfig(), apart), apart, other).found == "distractor"


def test_labels_of_the_distractor_make_a_supervised_probe_find_it():
    config = DistractorConfig(n=300)
    data, other = planted(config, 1.0, seed=0)
    found = which(fit(LogisticConfig(), data.relabelled(other)), data, other)
    assert found.found == "distractor" and found.distractor.value > 0.99
    assert found.distractor.control == found.truth.value


def test_neither_is_found_in_noise():
    config = DistractorConfig(n=100)
    data, other = planted(config, 1.0, seed=0)

    def made(seed: int) -> torch.Tensor:
        return torch.randn(data.x0.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    noise = type(data)(made(0), made(1), data.y)
    fresh = type(data)(made(2), made(3), data.y)
    found = which(fit(CRCConfig(), noise), fresh, other)
    assert max(found.truth.value, found.distractor.value) < 0.65
    assert found.found == "neither"


def test_truth_and_distractor_are_planted_at_their_sizes():
    config = DistractorConfig(n=4000, d=4, a=3.0, content=0.0, noise=0.0)
    data, other = planted(config, 0.5, seed=1)
    half = (data.x1 - data.x0) / 2
    truth = ((2 * data.y - 1)[:, None] * half).mean(0)
    distractor = ((2 * other - 1)[:, None] * half).mean(0)
    assert float(truth.norm()) == pytest.approx(3.0, rel=0.02)
    assert float(distractor.norm()) == pytest.approx(1.5, rel=0.04)
    assert half.norm(dim=1).max() == pytest.approx(math.hypot(3.0, 1.5))


def test_the_crossing_is_read_off_a_line_in_the_logarithm():
    # Gaps +1 at 1 and -1 at 4: they meet in the middle of the logarithm, at 2.
    assert crossing((1.0, 4.0), [1.0, 0.0], [0.0, 1.0]) == pytest.approx(2.0)
    assert math.isnan(crossing((1.0, 4.0), [1.0, 1.0], [0.0, 0.0]))


@pytest.mark.parametrize(
    "settings", [{"ratios": (1.0, 0.5)}, {"ratios": ()}, {"ratios": (0.0, 1.0)}, {"methods": ()}, {"n": 5}]
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]):
    with pytest.raises(ConfigError):
        DistractorConfig(**settings)  # pyright: ignore[reportArgumentType]
