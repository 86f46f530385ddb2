"""Randomised models: what is destroyed, and what is kept to the bit."""

import pytest
import torch

from monosema.models import Model, load, randomised, wrap
from monosema.models.controls import _redrawn
from monosema.pipeline.demo import EMBEDDED_LM

EMBEDDINGS = (
    *("wte", "wpe", "embed", "lm_head", "shared", "relative_attention_bias"),
    *("cls.predictions.decoder", "cls.predictions.bias", "vocab_projector"),
)
"""Parts of the names of embeddings, of positions too, and unembeddings."""


def weights(model: Model) -> dict[str, torch.Tensor]:
    return dict(model.module.named_parameters())


def test_a_redrawn_tensor_has_the_tensors_own_mean_and_deviation(every):
    for name, new in weights(randomised(every)).items():
        old = weights(every)[name]
        assert torch.allclose(new.mean(), old.mean(), atol=1e-6), name
        assert torch.allclose(new.std(), old.std(), rtol=1e-5), name
        assert not torch.isclose(new, old).all(), name


def test_a_redrawn_tensor_is_normal_and_knows_nothing_of_the_old_one(build):
    # 53 x 24 heavy-tailed weights: kurtosis 3 after, far above before; correlation with the old ones about 0.
    module = build("gpt2")
    module.transformer.wte.weight.data.pow_(5)
    trained = wrap(module, "heavy")
    old, new = (weights(m)["transformer.wte.weight"].flatten() for m in (trained, randomised(trained)))
    kurtosis = [float(((w - w.mean()) / w.std()).pow(4).mean()) for w in (old, new)]
    assert kurtosis[0] > 20
    assert abs(kurtosis[1] - 3) < 0.6
    assert abs(float(torch.corrcoef(torch.stack([old, new]))[0, 1])) < 0.1


def test_permuting_keeps_every_number_and_moves_them(every):
    for name, new in weights(randomised(every, "permute")).items():
        old = weights(every)[name]
        assert torch.equal(new.flatten().sort().values, old.flatten().sort().values), name
        assert not torch.equal(new, old), name


def test_reinit_starts_from_the_config(build):
    # GPT-2's own scheme: embeddings of deviation 0.02, biases 0, gains 1; the original has noise of 0.1 on all.
    new = weights(randomised(wrap(build("gpt2"), "tiny"), "reinit"))
    assert abs(float(new["transformer.wte.weight"].std()) - 0.02) < 0.002
    assert not new["transformer.h.0.attn.c_attn.bias"].any()
    assert bool((new["transformer.ln_f.weight"] == 1).all())


@pytest.mark.parametrize("how", ["redraw", "permute", "reinit"])
def test_the_same_seed_gives_the_same_bits_and_leaves_the_original_and_the_global_stream_alone(every, how):
    before, state = every.fingerprint, torch.random.get_rng_state()
    first, again, other = (randomised(every, how, seed).fingerprint for seed in (1, 1, 2))
    assert first == again != other
    assert every.fingerprint == before != first
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("how", ["redraw", "permute", "reinit"])
def test_embeddings_are_kept_to_the_bit_and_nothing_else_is(every, how):
    kept = weights(randomised(every, how, keep_embeddings=True))
    for name, old in weights(every).items():
        embedding = any(part in name for part in EMBEDDINGS) and "LayerNorm" not in name
        assert torch.equal(kept[name], old) == embedding, name


@pytest.mark.parametrize("how", ["redraw", "permute", "reinit"])
def test_tied_weights_stay_tied(how, build):
    new = randomised(wrap(build("gpt2"), "tiny"), how).module
    assert new.lm_head.weight is new.transformer.wte.weight
    two = randomised(wrap(build("t5"), "two stacks"), how).module
    assert two.lm_head.weight is two.shared.weight is two.encoder.embed_tokens.weight is two.decoder.embed_tokens.weight
    untied = randomised(wrap(build("llama"), "untied"), how).module
    assert untied.lm_head.weight is not untied.model.embed_tokens.weight


def test_a_fresh_mamba_has_the_state_matrices_that_its_config_begins_with(build):
    # A = -(1, 2, ..., 5) in every channel, and a skip of one; the original has noise of 0.1 on both.
    new = weights(randomised(wrap(build("mamba"), "tiny"), "reinit"))
    assert torch.allclose(new["backbone.layers.0.mixer.A_log"].exp(), torch.arange(1.0, 6.0).expand(48, 5))
    assert bool((new["backbone.layers.1.mixer.D"] == 1).all())


def test_a_tensor_that_is_one_throughout_stays_so(build):
    module = build("gpt2")
    module.transformer.ln_f.weight.data.fill_(1.0)
    assert bool((weights(randomised(wrap(module, "tiny")))["transformer.ln_f.weight"] == 1).all())


def test_the_control_of_the_model_that_comes_with_the_package_is_the_same_for_any_number_of_threads():
    model, before, drawn = load(EMBEDDED_LM), torch.get_num_threads(), set()
    for n in (1, 2):  # one of its tensors has a mean that lies on a tie of float32
        torch.set_num_threads(n)
        drawn.add(randomised(model).fingerprint)
    torch.set_num_threads(before)
    assert len(drawn) == 1


def test_the_control_does_not_depend_on_the_number_of_threads():
    weight = torch.randn(300, 400, generator=torch.Generator().manual_seed(0)) * 0.02 + 0.3
    before, drawn = torch.get_num_threads(), []
    for n in (1, 2, 5):
        torch.set_num_threads(n)
        drawn.append(_redrawn(weight, torch.Generator().manual_seed(1)))
    torch.set_num_threads(before)
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])
