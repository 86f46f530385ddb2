"""The induction circuit written by hand: composition, patterns, direct attribution and patching name its two heads,
and no other; and a model trained to repeat, read from the weights that its training gave."""

from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.circuits.heads.by_hand import GAIN, induction_by_hand
from monosema.circuits.heads.composition import composition
from monosema.circuits.heads.direct import direct_logits
from monosema.circuits.heads.patterns import LOOKS, PatternScores, pattern_scores, repeated_tokens
from monosema.core.errors import ConfigError
from monosema.models import Model, randomised, wrap

V, T, H = 12, 24, 3
MOVES, MATCHES = (0, 0), (1, 0)
"""The heads of the circuit, (layer, head)."""


@cache
def by_hand(noise: float = 0.01) -> Model:
    return wrap(induction_by_hand(V, T, H, noise=noise).double(), "by hand")


def test_it_repeats_what_it_has_seen():
    model, tokens = by_hand(), repeated_tokens(by_hand(), 11, 20)
    logits = model.run(tokens, ["logits"])["logits"]
    assert torch.equal(logits[:, 11:-1].argmax(-1), tokens[:, 12:])
    scores = pattern_scores(model, tokens, 11)
    assert float(scores.repeated_loss.max()) < 0.01
    assert float(scores.first_loss.min()) > 2


def test_head_0_0_moves_position_0_to_position_1():
    # Query at 1, key and value at 0: what it writes at position 1 is the token at position 0, and nothing else.
    model, tokens = by_hand(noise=0.0), torch.tensor([[4, 7, 2, 4]])
    seen = model.run(tokens, ["attn_pattern.0", "attn_out.0", "attn_pattern.1", "logits"])
    pattern, out = seen["attn_pattern.0"][0, 0], seen["attn_out.0"][0]
    assert float(pattern[1, 0]) == pytest.approx(1, abs=1e-12)
    expected = torch.zeros(model.d_model, dtype=torch.float64)
    expected[V + T + 4] = 1
    assert (out[1] - expected).abs().max() < 1e-12
    assert out[0].argmax() == V + T + 4  # position 0 attends to itself
    assert float(seen["attn_pattern.1"][0, 0, 3, 1]) == pytest.approx(1, abs=1e-6)
    assert seen["logits"][0, 3].argmax() == 7
    assert float(seen["logits"][0, 3, 7]) == pytest.approx(GAIN, rel=1e-6)


def only(scores: Tensor, head: tuple[int, int], least: float, most: float) -> bool:
    """Whether `head` has at least `least` and every other at most `most`."""
    others = scores.clone()
    others[head] = float("-inf")
    return float(scores[head]) >= least and float(others.max()) <= most


@cache
def scores_of(name: str) -> PatternScores:
    model = by_hand() if name == "by hand" else randomised(by_hand())
    return pattern_scores(model, repeated_tokens(model, 11, 20), 11)


def test_pattern_scores_name_the_two_heads_and_no_other():
    found = scores_of("by hand")
    assert only(found.of("previous"), MOVES, 0.999, 0.1)
    assert only(found.of("induction"), MATCHES, 0.999, 0.1)
    assert float(found.of("duplicate").max()) < 0.1
    control = scores_of("control")
    assert all(float(control.of(name).max()) < 0.3 for name in LOOKS)
    assert float((control.first_loss - control.repeated_loss).abs().mean()) < 1


def test_scores_of_patterns_known_by_hand():
    # Without sharpness every head looks at all tokens alike: 1 / (q + 1) on each.
    module = induction_by_hand(V, T, H, noise=0.0).double()
    for layer in range(2):
        module.blocks[layer].get_submodule("attn.query").get_parameter("weight").zero_()
    model = wrap(module, "uniform")
    found = pattern_scores(model, repeated_tokens(model, 5, 3, bos=0), 5)
    uniform = sum(1 / (q + 1) for q in range(6, 11)) / 5
    for name in LOOKS:
        assert found.of(name).flatten().tolist() == pytest.approx([uniform] * 6, rel=1e-12)


def test_composition_names_the_pair_by_its_keys_and_no_other():
    found = composition(by_hand(noise=1e-3))
    K = found.scores["K"]
    # |W_OV| = sqrt V; |W_QK| = SHARPNESS sqrt(V + V / 4), for the half score that position 0 loses: 1 / sqrt(1.25 V).
    exact = (1.25 * V) ** -0.5
    assert float(K[(*MOVES, *MATCHES)]) == pytest.approx(exact, rel=1e-2)
    assert found.strongest("K", 1)[0][:4] == (*MOVES, *MATCHES)
    assert float(K[(*MOVES, *MATCHES)]) > found.baseline.high + 0.05
    assert found.strongest("K", 2)[1][4] < found.baseline.high + 0.05
    # Its queries and values read the token, which head 0.0 does not write.
    assert max(float(found.scores[kind][(*MOVES, *MATCHES)]) for kind in ("Q", "V")) < 1e-2
    assert composition(by_hand(noise=0.0)).scores["K"][0, 1, 1].abs().max() == 0.0
    control = composition(randomised(by_hand())).scores["K"][0, :, 1]
    assert float(control.max()) < exact - 0.05


def test_the_direct_effect_on_the_logit_is_the_matching_heads_alone():
    model, tokens = by_hand(), torch.tensor([4, 7, 2, 9, 4])
    found = direct_logits(model, tokens, (7,))
    assert float(found.values.sum()) == pytest.approx(float(found.logits[0]), abs=1e-12)
    shares = {str(part): float(row[0]) for part, row in zip(found.parts, found.values, strict=True)}
    assert shares.pop("head 1.0") == pytest.approx(GAIN * (1 - 1 / V), rel=1e-3)
    assert max(map(abs, shares.values())) < 0.05 * GAIN


def test_sequences_that_do_not_fit_are_refused():
    model = by_hand()
    with pytest.raises(ConfigError, match="12 tokens, none twice, are asked of a vocabulary of 12"):
        repeated_tokens(model, 12, 2)
    with pytest.raises(ConfigError, match="are 25, more than the 24 that by hand takes"):
        repeated_tokens(wrap(induction_by_hand(40, 24), "by hand"), 12, 2, bos=0)
    with pytest.raises(ConfigError, match="do not end in 5 tokens and the same again"):
        pattern_scores(model, torch.arange(10)[None], 5)
