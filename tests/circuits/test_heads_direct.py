"""Direct logit attribution: the parts add up to the centred logit, whatever the family, position or dictionary."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from monosema.circuits.heads.direct import direct_logits
from monosema.core.errors import DataError, MismatchError
from monosema.models import Model
from tests.circuits.linear_models import FAMILIES, LAYERS, D, dictionary, model_of, sited, tokens_of

EXACT = 1e-11
TARGETS = (0, 5, 3)


def true_logits(model: Model, position: int) -> Tensor:
    """The targets' logits less the mean of all, before a soft cap."""
    ln_final = model.run(tokens_of()[None], ["ln_final"])["ln_final"][0, position]
    logits = model.module.get_submodule(model.family.unembed)(ln_final)
    return (logits - logits.mean())[list(TARGETS)]


def close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= EXACT * max(1.0, float(b.abs().max())))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("position", [-1, 2])
def test_parts_add_up_to_the_centred_logit(name: str, position: int):
    model = model_of(name)
    found = direct_logits(model, tokens_of(), TARGETS, position)
    truth = true_logits(model, position)
    assert close(found.values.sum(0), truth)
    assert close(found.logits, truth)
    assert len(found.of("head")) == LAYERS * model.n_heads
    without = found.values.sum(0) - found.of("constant")[0][1]
    assert close(without, truth) == (name in ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"))


def written_by(model: Model, site: str) -> Tensor:
    return model.run(tokens_of()[None], [site])[site][0, -1]


@pytest.mark.parametrize("site", ["resid_pre.1", "attn_out.1", "resid_mid.1", "mlp_out.1", "resid_post.1"])
def test_features_error_and_bias_take_the_place_of_what_the_dictionary_writes(site: str):
    model, draws = model_of("gpt2"), torch.Generator().manual_seed(0)
    W = [torch.randn(40, D, generator=draws, dtype=torch.float64) * D**-0.5 for _ in range(2)]
    one = sited(dictionary(*W, model, "l1", draws), [site], [site])
    plain, found = (
        direct_logits(model, tokens_of(), TARGETS),
        direct_logits(model, tokens_of(), TARGETS, dictionary=one),
    )
    assert close(found.values.sum(0), true_logits(model, -1))
    codes = one.encode(written_by(model, site)[None])
    features = found.of("feature")
    assert [part.index for part, _ in features] == codes.indices.tolist()
    assert len(features) > 5
    # What the features, the error and the bias add is what the parts they replace added.
    ours = sum(row for kind in ("feature", "error", "dictionary") for _, row in found.of(kind))
    kept = set(found.parts)
    gone = [row for part, row in zip(plain.parts, plain.values, strict=True) if part not in kept]
    assert close(ours, sum(gone))
    replaced = {"attn_out.1": 4, "mlp_out.1": 1}
    if site in replaced:
        assert len(gone) == replaced[site]


def test_a_transcoder_explains_what_an_mlp_writes():
    model, draws = model_of("llama"), torch.Generator().manual_seed(0)
    W = [torch.randn(40, D, generator=draws, dtype=torch.float64) * D**-0.5 for _ in range(2)]
    one = sited(dictionary(*W, model, "l1", draws), ["mlp_in.2"], ["mlp_out.2"])
    found = direct_logits(model, tokens_of(), TARGETS, dictionary=one)
    assert close(found.values.sum(0), true_logits(model, -1))
    assert len(found.of("mlp")) == LAYERS - 1
    assert str(found.of("feature")[0][0]).startswith("feature 2.")


def test_what_cannot_be_attributed_is_refused():
    model, draws = model_of("gpt2"), torch.Generator().manual_seed(0)
    with pytest.raises(DataError, match="there is no position 8: the prompt has 8, 0 to 7"):
        direct_logits(model, tokens_of(), TARGETS, 8)
    with pytest.raises(DataError, match="token 53 cannot be a target"):
        direct_logits(model, tokens_of(), (53,))
    W = torch.randn(40, D, generator=draws, dtype=torch.float64)
    one = dictionary(W, W, model, "l1", draws)
    with pytest.raises(MismatchError, match="it must read one site and write one of"):
        direct_logits(model, tokens_of(), TARGETS, dictionary=sited(one, ["mlp_in.1"], ["attn_z.1"]))
    narrow = dictionary(W[:, :9], W[:, :9], model, "l1", draws)
    narrow = sited(narrow, ["mlp_out.1"], ["mlp_out.1"])
    with pytest.raises(MismatchError, match="another model's: its widths are 9 and 9"):
        direct_logits(model, tokens_of(), TARGETS, dictionary=replace(narrow, widths_in=(9,), widths_out=(9,)))
