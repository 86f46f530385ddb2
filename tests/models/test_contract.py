"""What every family must hold: sites are what they say, reading is invisible, writing is what is computed with."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from monosema.core.errors import SiteError
from monosema.models import Edit, Model, load, wrap


def eager(model: Model, tokens: torch.Tensor, **asked: bool) -> Any:
    """transformers' own forward pass, without anything of ours."""
    target = {"decoder_input_ids": decoded(tokens)} if "dec" in model.stacks else {}
    return model.module(input_ids=tokens, use_cache=False, **target, **asked)


def run(model: Model, tokens: torch.Tensor, read: Any = (), edits: Any = (), attention: Any = "eager") -> Any:
    """One pass of ours over the same tokens, the decoder's too where there is one."""
    target = decoded(tokens) if "dec" in model.stacks else None
    return model.run(tokens, read, edits, attention=attention, decoder_tokens=target)


def decoded(tokens: torch.Tensor) -> torch.Tensor:
    """Tokens for the decoder: fewer than the encoder's, and others."""
    return tokens[:, :6].flip(0, 1)


def logits(model: Model, tokens: torch.Tensor, *edits: Edit) -> torch.Tensor:
    return run(model, tokens, ["logits"], edits)["logits"]


def uneven(x: torch.Tensor) -> torch.Tensor:
    """Every number scaled by its place, which no norm takes back."""
    return x * torch.linspace(0.5, 1.5, x.shape[-1])


def last_residual(model: Model) -> str:
    return f"{'dec.' if 'dec' in model.stacks else ''}resid_post.{model.n_layers - 1}"


def hooks_on(model: Model) -> int:
    modules = list(model.module.modules())
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


def test_reading_every_site_changes_no_logit_bit(every, tokens):
    assert torch.equal(run(every, tokens, every.sites())["logits"], eager(every, tokens).logits)


@pytest.mark.parametrize("rewrite", [lambda x: x, torch.clone, lambda x: x.contiguous().clone()])
def test_writing_back_any_site_changes_no_logit_bit(every, tokens, rewrite: Callable):
    truth = eager(every, tokens).logits
    for site in every.sites():
        assert torch.equal(logits(every, tokens, Edit(site, rewrite)), truth), site
    assert torch.equal(logits(every, tokens, *(Edit(site, rewrite) for site in every.sites())), truth)


def test_a_value_of_another_pass_written_back_changes_no_logit_bit(every, tokens):
    seen = run(every, tokens, every.sites())
    for site in every.sites():
        value = seen[site].clone(memory_format=torch.contiguous_format)
        assert torch.equal(logits(every, tokens, Edit(site, lambda _, v=value: v)), seen["logits"]), site


def test_every_edit_takes_effect(every, tokens):
    truth = logits(every, tokens)
    for site in every.sites():
        assert not torch.equal(logits(every, tokens, Edit(site, uneven)), truth), site


def test_the_shapes_are_those_that_are_documented(model, tokens):
    batch, seq = tokens.shape
    queries, keys = [(batch, seq, n, model.d_head) for n in (model.n_heads, model.n_kv_heads)]
    pattern, resid = (batch, model.n_heads, seq, seq), (batch, seq, model.d_model)
    special = {"attn_q": queries, "attn_z": queries, "attn_k": keys, "attn_v": keys, "attn_pattern": pattern}
    special |= {"logits": (batch, seq, 53), "mlp_act": (batch, seq, 96 if model.name == "gpt2" else 40)}
    for site, x in model.run(tokens, model.sites()).items():
        kind = site.partition(".")[0]
        assert tuple(x.shape) == special.get(kind, resid), site
        if kind != "attn_pattern":
            assert model.width(site) == x[0, 0].numel(), site


def test_the_parts_add_up_to_the_residual_bit_for_bit(model, tokens):
    seen = model.run(tokens, model.sites())
    for i in range(model.n_layers):
        pre, attn, mlp, post = (seen[f"{k}.{i}"] for k in ("resid_pre", "attn_out", "mlp_out", "resid_post"))
        if model.name == "gpt_neox":
            assert torch.equal(mlp + attn + pre, post)
        else:
            assert torch.equal(pre + attn, seen[f"resid_mid.{i}"])
            assert torch.equal(seen[f"resid_mid.{i}"] + mlp, post)
    assert torch.equal(seen["resid_post.0"], seen["resid_pre.1"])


def test_transformers_own_hidden_states_and_attentions_agree(model, tokens):
    theirs = eager(model, tokens, output_hidden_states=True, output_attentions=True)
    ours = model.run(tokens, model.sites())
    for i in range(model.n_layers):
        assert torch.equal(ours[f"resid_pre.{i}"], theirs.hidden_states[i])
        assert torch.equal(ours[f"attn_pattern.{i}"], theirs.attentions[i])
    assert torch.equal(ours["ln_final"], theirs.hidden_states[-1])


def test_embed_is_what_the_layers_start_from_but_for_gpt2s_positions(model, tokens):
    seen = model.run(tokens, ["embed", "resid_pre.0"])
    positions = model.module.transformer.wpe.weight[: tokens.shape[1]] if model.name == "gpt2" else 0
    assert torch.equal(seen["embed"] + positions, seen["resid_pre.0"])


def test_a_pass_that_ends_early_has_seen_the_same_bits(every, tokens):
    full = run(every, tokens, every.sites())
    for site in every.sites():
        assert torch.equal(run(every, tokens, [site])[site], full[site]), site


def test_nothing_after_the_last_site_asked_for_is_computed(every, tokens):
    order = every.sites()
    computed = []
    edits = [Edit(site, lambda x, s=site: computed.append(s) or x) for site in order[:-3]]
    run(every, tokens, order[:1], edits)
    assert computed == list(order[:-3])


def test_patterns_are_causal_probabilities(model, tokens):
    seen = model.run(tokens, [f"attn_pattern.{i}" for i in range(model.n_layers)])
    for pattern in seen.values():
        assert torch.allclose(pattern.sum(-1), torch.ones(()), atol=1e-6)
        assert not pattern.triu(1).any()


def test_z_is_the_pattern_times_the_values_of_each_heads_group(model, tokens):
    seen = model.run(tokens, ["attn_pattern.1", "attn_v.1", "attn_z.1"])
    v = seen["attn_v.1"].repeat_interleave(model.n_heads // model.n_kv_heads, dim=2)
    z = torch.einsum("bhqk,bkhd->bqhd", seen["attn_pattern.1"], v)
    assert torch.allclose(z, seen["attn_z.1"], atol=1e-6)


def test_attention_output_is_z_through_the_output_matrix(model, tokens):
    seen = model.run(tokens, ["attn_z.0", "attn_out.0"])
    layer = model.module.get_submodule(f"{model.family.layers}.0")
    paths = {"gpt2": "attn.c_proj", "gpt_neox": "attention.dense"}
    output = layer.get_submodule(paths.get(model.name.partition(" ")[0], "self_attn.o_proj"))
    out = output(seen["attn_z.0"].flatten(2))
    if model.name.startswith(("gemma2", "gemma3")):  # these normalise before they add
        out = layer.post_attention_layernorm(out)
    assert torch.equal(out, seen["attn_out.0"])


def test_mlp_act_goes_through_the_last_matrix_of_the_mlp(model, tokens):
    seen = model.run(tokens, ["mlp_in.0", "mlp_act.0", "mlp_out.0"])
    layer = model.module.get_submodule(f"{model.family.layers}.0")
    out = layer.get_submodule(model.family.mlp_down)(seen["mlp_act.0"])
    assert torch.equal(out, layer.mlp(seen["mlp_in.0"]))
    if model.name.startswith(("gemma2", "gemma3")):
        out = layer.post_feedforward_layernorm(out)
    assert torch.equal(out, seen["mlp_out.0"])


def test_an_edited_resid_mid_feeds_the_mlp_and_the_residual(model, tokens):
    if model.name == "gpt_neox":
        pytest.skip("no resid_mid in a parallel layer")
    clean = model.run(tokens, ["resid_mid.0", "mlp_out.0", "resid_post.0"])
    other = clean["resid_mid.0"].flip(0)
    edit = Edit("resid_mid.0", lambda _: other)
    seen = model.run(tokens, ["resid_mid.0", "mlp_out.0", "resid_post.0"], [edit])
    assert torch.equal(seen["resid_mid.0"], other)
    assert torch.equal(seen["resid_post.0"], other + seen["mlp_out.0"])
    assert torch.allclose(seen["mlp_out.0"], clean["mlp_out.0"].flip(0), atol=1e-6)


def test_parallel_layers_have_no_resid_mid_and_say_why(tokens, model):
    if model.name != "gpt_neox":
        assert "resid_mid.1" in model.sites()
        return
    with pytest.raises(SiteError, match=r"resid_mid\.0 does not exist: in this model attention and MLP both read"):
        model.run(tokens, ["resid_mid.0"])


def test_uniform_attention_averages_the_values(model, tokens):
    # A pattern of 1/9 everywhere: every z is the mean of v over the sequence, in every row.
    uniform = Edit("attn_pattern.0", lambda p: torch.full_like(p, 1 / tokens.shape[1]))
    seen = model.run(tokens, ["attn_v.0", "attn_z.0"], [uniform])
    mean = seen["attn_v.0"].mean(1, keepdim=True).repeat_interleave(model.n_heads // model.n_kv_heads, dim=2)
    assert torch.allclose(seen["attn_z.0"], mean.expand_as(seen["attn_z.0"]), atol=1e-6)


def test_changing_one_key_head_changes_only_the_heads_that_share_it(model, tokens):
    groups = model.n_heads // model.n_kv_heads

    def shift_last_head(k: torch.Tensor) -> torch.Tensor:
        k[:, ::2, -1] += 1.0
        return k

    before = model.run(tokens, ["attn_pattern.0"])["attn_pattern.0"]
    after = model.run(tokens, ["attn_pattern.0"], [Edit("attn_k.0", shift_last_head)])["attn_pattern.0"]
    assert torch.equal(before[:, :-groups], after[:, :-groups])
    assert not torch.equal(before[:, -groups:], after[:, -groups:])


def test_unembedding_the_last_residual_gives_the_logits(every, tokens):
    last = last_residual(every)
    seen = run(every, tokens, [last, "logits"])
    assert torch.equal(every.unembed(seen[last]), seen["logits"])


def test_logit_weights_predict_the_logits_up_to_the_norms_scale(model, tokens):
    # unembed(r) = r @ W / s(r) + constant before the soft cap, so two residuals' difference has no constant.
    # Residuals of a hundred times the size: the norm's epsilon is then below 1e-9 of their variance.
    resid = 100 * model.run(tokens, ["resid_post.1"])["resid_post.1"]
    centre = resid.mean(-1, keepdim=True) if model.name.startswith("gpt") else 0.0
    scale = (resid - centre).square().mean(-1, keepdim=True).sqrt()
    logits = model.module.lm_head(model.module.get_submodule(model.family.final_norm)(resid))
    predicted = resid @ model.logit_weights() / scale
    difference = (predicted[:, 1:] - predicted[:, :1]) - (logits[:, 1:] - logits[:, :1])
    assert difference.abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_hold_to_the_same_bits_and_know_their_norm(every, tokens, dtype):
    # `wrap` itself refuses a model whose sums, hooked or rewritten logits are off by a bit.
    other = wrap(copy.deepcopy(every.module).to(dtype), "other")
    assert torch.equal(run(other, tokens, other.sites())["logits"], eager(other, tokens).logits)
    if not other.family.head:
        assert torch.allclose(other.logit_weights(), every.logit_weights(), atol=0.05)


def test_the_fingerprint_survives_saving_and_sees_one_weight(every, tmp_path):
    every.module.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert loaded.fingerprint == every.fingerprint
    next(loaded.module.parameters()).data.view(-1)[0] += 1e-3
    assert loaded.fingerprint != every.fingerprint


def test_a_pass_leaves_the_model_as_it_found_it(every, tokens):
    class BoomError(Exception):
        pass

    def boom(_: torch.Tensor) -> torch.Tensor:
        raise BoomError

    before, config = hooks_on(every), every.module.config._attn_implementation
    for site in every.sites():
        with pytest.raises(BoomError):
            run(every, tokens, [], [Edit(site, boom)])
        run(every, tokens, [site])
    assert hooks_on(every) == before
    assert every.module.config._attn_implementation == config == "eager"


def test_a_model_set_to_another_attention_is_read_under_the_eager_one(every, tokens):
    truth = logits(every, tokens)
    every.module.config._attn_implementation = "sdpa"
    try:
        assert torch.equal(run(wrap(every.module, "again"), tokens, every.sites())["logits"], truth)
        assert every.module.config._attn_implementation == "sdpa"
    finally:
        every.module.config._attn_implementation = "eager"


def test_fused_attention_gives_the_same_to_rounding_and_is_what_is_used(every, tokens):
    used = []

    def note(_module: object, _args: object) -> None:
        used.append(every.module.config._attn_implementation)

    last = last_residual(every)
    hook = every.module.get_submodule(every.places[last].path).register_forward_pre_hook(note)
    try:
        eagerly, fused = run(every, tokens, [last, "logits"]), run(every, tokens, [last, "logits"], attention="fused")
    finally:
        hook.remove()
    assert used == ["eager", "eager" if every.name == "gemma2" else "sdpa"]
    atol = 2e-5 if "dec" in every.stacks else 2e-6  # T5's scores are not divided by sqrt(d_head)
    for site, x in fused.items():
        torch.testing.assert_close(x, eagerly[site], rtol=1e-5, atol=atol)
    assert every.module.config._attn_implementation == "eager"


def test_what_is_inside_attention_is_eager_whatever_was_asked_for(model, tokens):
    sites = ["attn_pattern.0", "logits"]
    eagerly, fused = model.run(tokens, sites), model.run(tokens, sites, attention="fused")
    assert all(torch.equal(fused[site], eagerly[site]) for site in sites)
