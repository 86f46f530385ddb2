"""A model trained to repeat: every tool names the same heads, and a redrawn model's none.

Its weights are those of `train_induction(InductionConfig())` (16 CPU-seconds), kept beside this file in float16.
"""

from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from monosema.circuits.heads.composition import composition
from monosema.circuits.heads.learning import InductionConfig, train_induction, untrained
from monosema.circuits.heads.patterns import pattern_scores, repeated_tokens
from monosema.circuits.heads.settings import HeadsConfig
from monosema.circuits.heads.studying import study
from monosema.circuits.patch.activation import activation_patching
from monosema.circuits.patch.pairs import induction_pairs
from monosema.circuits.patch.paths import path_patching, receivers
from monosema.circuits.patch.places import Patch, places
from monosema.core.errors import ConfigError
from monosema.models import Model, randomised, wrap

N = 18


@cache
def trained() -> Model:
    module = untrained(InductionConfig())
    weights = load_file(Path(__file__).parent / "trained_induction.safetensors")
    assert not module.load_state_dict({name: x.float() for name, x in weights.items()}, strict=False).unexpected_keys
    return wrap(module.eval().requires_grad_(False), "trained")


def test_it_repeats_and_a_redrawn_one_does_not():
    tokens = repeated_tokens(trained(), N, 8)
    own, control = (pattern_scores(model, tokens, N) for model in (trained(), randomised(trained())))
    assert float(own.repeated_loss.mean()) < 0.01
    assert float(control.repeated_loss.mean()) > 2
    assert float(own.of("previous")[0].max()) > 0.25
    assert float(own.of("previous")[1].max()) < 0.02
    assert float(own.of("induction")[1].min()) > 0.7
    assert float(own.of("induction")[0].max()) < 0.02
    assert max(float(control.of(name).max()) for name in ("previous", "induction", "duplicate")) < 0.1


def test_its_second_layer_reads_by_its_keys_what_the_previous_token_head_writes():
    own, control = composition(trained()), composition(randomised(trained()))
    tokens = repeated_tokens(trained(), N, 4)
    head = int(pattern_scores(trained(), tokens, N).of("previous")[0].argmax())
    strongest = own.strongest("K", 4)
    assert {pair[:2] for pair in strongest[:2]} == {(0, head)}
    assert strongest[1][-1] > own.baseline.high + 0.03
    assert max(float(control.scores[kind].nan_to_num(0).max()) for kind in ("Q", "K", "V")) < own.baseline.high + 0.03
    assert strongest[0][-1] > max(float(own.scores[kind].nan_to_num(0).max()) for kind in ("Q", "V"))


def test_patching_agrees_on_the_circuit():
    model, pairs = trained(), induction_pairs(trained(), 16, 12)
    tokens = repeated_tokens(model, N, 4)
    head = int(pattern_scores(model, tokens, N).of("previous")[0].argmax())
    heads = places(model, ["heads"], pairs.n_tokens)
    share = activation_patching(model, pairs, [(one,) for one in heads]).share
    assert heads[int(share[:2].argmax())] == Patch("attn_z.0", head=head)
    # The changed token is at position 5: of the first layer, what it writes to position 6 is what matters.
    layer = [Patch("attn_z.0", at) for at in range(pairs.n_tokens)]
    at = activation_patching(model, pairs, [(one,) for one in layer]).share
    assert int(at.argmax()) == 6
    assert float(at[6]) > 0.8
    sender = [Patch("attn_z.0", 6)]
    ends = receivers(model, sender)
    kinds = {part: [one for one in ends if one.part == part] for part in ("q", "k", "v", "end")}
    by_kind = path_patching(model, pairs, sender, list(kinds.values())).share.tolist()
    shares = dict(zip(kinds, by_kind, strict=True))
    assert shares["k"] > 0.6
    assert max(abs(shares[part]) for part in ("q", "v", "end")) < 0.3


def test_the_second_layers_heads_write_the_answer():
    found = study(trained(), HeadsConfig(repeated=N, sequences=4, random=20))
    effects = found.own.direct.by_head(2, 2).mean(-1)
    assert float(effects[1].sum()) > 0.8 * float(found.own.direct.total.mean())
    assert float(effects[0].abs().max()) < 0.1 * float(found.own.direct.total.mean())
    # Copying: what the second layer's heads write of a token is that token.
    assert float(found.own.copying[1].min()) > 0.8
    assert float(found.control.copying.abs().max()) < 0.5


def test_training_is_repeatable_and_lowers_the_loss():
    config = InductionConfig(d_vocab=12, longest=6, d_model=32, steps=30, batch_size=32)
    one, other = train_induction(config), train_induction(config)
    assert one.losses == other.losses
    assert all(torch.equal(a, b) for a, b in zip(one.module.parameters(), other.module.parameters(), strict=True))
    assert one.losses[-1] < one.losses[0] - 0.3
    assert not any(p.any() for name, p in one.module.named_parameters() if ".mlp." in name)
    with pytest.raises(ConfigError, match="d_vocab 5 is less than longest 20"):
        InductionConfig(d_vocab=5)
