"""A study chooses on validation rows, scores on others, and claims only what is above every control."""

import torch

from monosema.core.seeding import generator
from monosema.probes.answers.showing import shown
from monosema.probes.answers.study import Activations, Material, chosen_methods, study
from monosema.probes.answers.sweep import sweep
from monosema.probes.data import Labelled
from monosema.probes.distractors import DistractorConfig
from monosema.probes.judging import ControlConfig

D = 20
FEW = ControlConfig(20, 4)


def rows(n: int, size: float, *draws: str) -> Labelled:
    """Rows of noise with the label along the first axis, so large."""
    drawn = generator(0, *draws)
    y = torch.arange(n) % 2
    x = torch.randn(n, D, generator=drawn)
    x[:, 0] += size * (2 * y - 1)
    return Labelled(x, y)


def activations(sizes: dict[str, tuple[float, float, float]]) -> Activations:
    """By site, how large the label is in the rows to fit on, to choose on and to measure on."""
    parts = [
        {site: rows(200, size[i], site, part) for site, size in sizes.items()}
        for i, part in enumerate(("fit", "validation", "test"))
    ]
    return Activations(*parts)


NOTHING = {"early": (0.0, 0.0, 0.0), "late": (0.0, 0.0, 0.0)}


def test_the_site_is_chosen_where_validation_is_best_not_where_the_score_is():
    sizes = {"early": (3.0, 3.0, 0.0), "late": (3.0, 0.0, 3.0)}
    found = study(["logistic"], Material({"made": activations(sizes)}, activations(NOTHING), None), FEW)
    best = found.of["logistic"]
    assert best.best == "early" and best.validation["early"] > 0.97 and best.at_best.accuracy.value < 0.7
    assert best.judged["late"].accuracy.value > 0.97


def test_a_probe_is_shown_only_above_the_randomised_model_too():
    there = {"early": (3.0, 3.0, 3.0), "late": (3.0, 3.0, 3.0)}
    for other, is_shown in ((NOTHING, True), (there, False)):
        material = Material({"made": activations(there)}, activations(other), None)
        found = study(["mass_mean", "random"], material, FEW)
        assert found.of["mass_mean"].shown is is_shown and not found.of["random"].shown
        assert found.best.method == "mass_mean"
        first = shown(found, FEW, "Made rows").answer[0]
        assert ("not shown to be above" not in first) is is_shown


def test_nothing_is_claimed_of_noise():
    found = study(["logistic", "pca", "lda"], Material({"made": activations(NOTHING)}, activations(NOTHING), None), FEW)
    assert not any(one.shown for one in found.of.values())
    assert "not shown to be above its controls" in shown(found, FEW, "Made rows").answer[0]


def test_sites_together_are_beside_the_mean_of_single_ones():
    sizes = {f"site {i}": (1.0, 1.0, 1.0) for i in range(6)}
    nothing = dict.fromkeys(sizes, (0.0, 0.0, 0.0))
    found = study(["mass_mean"], Material({"made": activations(sizes)}, activations(nothing), None), FEW)
    one = found.of["mass_mean"]
    assert one.together is not None
    alone = sum(judged.accuracy.value for judged in one.judged.values()) / 6
    assert one.together.accuracy.control is not None and abs(one.together.accuracy.control - alone) < 0.02
    # Six independent looks at a label of one deviation: 0.84 alone, Phi(sqrt 6) = 0.993 together.
    assert 0.79 < alone < 0.89 and one.together.accuracy.value > 0.97


def test_the_sweep_says_which_methods_flip_and_where():
    config = DistractorConfig(("crc", "logistic"), (0.8, 1.25), n=200, d=16, seeds=1)
    exhibit = sweep(config)
    first, second, third = exhibit.answer
    assert first.startswith("They go over") and "crc at b/a = " in first and "logistic" not in first
    assert second.startswith("Never: logistic") and third.startswith("Those that flip are told no labels")
    found = exhibit.findings
    assert found["crc_at_0.8"].value > 0.98 and (found["crc_at_1.25"].control or 0) > 0.98
    assert found["crc_at_1.25"].value < 0.6 and found["logistic_at_1.25"].value > 0.98


def test_methods_that_need_pairs_are_left_out_of_single_texts():
    methods, skipped = chosen_methods(["all"], paired=False)
    assert skipped == ("ccs", "crc", "vinc") and not {*skipped} & {*methods}
    assert chosen_methods(["all"], paired=True)[1] == ()
    assert chosen_methods(["lda", "ccs"], paired=False) == (("lda", "ccs"), ())
