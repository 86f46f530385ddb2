"""Addresses, early ends, and what `run` refuses."""

import pytest
import torch

from monosema.core.errors import DataError, MismatchError, SiteError
from monosema.models import Edit


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("resid_post.1", "resid_post.1"),
        ("blocks.1.hook_resid_post", "resid_post.1"),
        ("blocks.0.attn.hook_z", "attn_z.0"),
        ("transformer.h.1", "resid_post.1"),
        ("resid_post_layer_1", "resid_post.1"),
        ("transformer.h.1:in", "resid_pre.1"),
        ("transformer.h.0.mlp:out", "mlp_out.0"),
        ("transformer.h.0.mlp", "mlp_out.0"),
        ("transformer.h.0.mlp:in", "mlp_in.0"),
        ("transformer.h.0.ln_2:in", "resid_mid.0"),
        ("transformer.h.0.mlp.c_proj:in", "mlp_act.0"),
        ("transformer.h.1.attn", "attn_out.1"),
        ("transformer.ln_f", "ln_final"),
        ("transformer.wte:out", "embed"),
        ("hook_embed", "embed"),
    ],
)
def test_peers_spellings_and_module_paths_are_read(gpt2, text, site):
    assert gpt2.resolve(text) == site


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resid_post.6", "site resid_post.6 does not exist: this model has 2 layers, resid_post.0 to resid_post.1"),
        ("resid_pots.1", "unknown kind of site 'resid_pots'. Did you mean 'resid_post'"),
        ("transformer.h.0.ln_1:out", "module path 'transformer.h.0.ln_1:out' is not one of this model's sites. This"),
        (
            "dec.resid_post.0",
            "site dec.resid_post.0 does not exist. This model has: embed, resid_pre.0..1, attn_q.0..1",
        ),
    ],
)
def test_an_unknown_site_is_answered_with_what_there_is(gpt2, tokens, text, message):
    for ask in (lambda: gpt2.run(tokens, [text]), lambda: gpt2.run(tokens, [], [Edit(text, torch.clone)])):
        with pytest.raises(SiteError) as caught:
            ask()
        assert message in str(caught.value)


def test_reads_come_under_the_names_they_were_asked_for_by(gpt2, tokens):
    seen = gpt2.run(tokens, ["resid_post.0", "blocks.0.hook_resid_post"])
    assert list(seen) == ["resid_post.0", "blocks.0.hook_resid_post"]
    assert seen["resid_post.0"] is seen["blocks.0.hook_resid_post"]


def test_edits_apply_in_order_and_reads_come_after(gpt2, tokens):
    # (x + 1) * 2, not 2 x + 1.
    clean = gpt2.run(tokens, ["mlp_out.0"])["mlp_out.0"]
    edits = [Edit("mlp_out.0", lambda x: x + 1), Edit("mlp_out.0", lambda x: x * 2)]
    assert torch.equal(gpt2.run(tokens, ["mlp_out.0"], edits)["mlp_out.0"], (clean + 1) * 2)


def test_an_edit_may_work_in_place_without_touching_what_was_read_before(gpt2, tokens):
    # resid_pre.1 is resid_post.0: the same tensor in the model.
    clean = gpt2.run(tokens, ["resid_post.0"])["resid_post.0"]
    seen = gpt2.run(tokens, ["resid_post.0", "resid_pre.1"], [Edit("resid_pre.1", torch.Tensor.zero_)])
    assert torch.equal(seen["resid_post.0"], clean)
    assert not seen["resid_pre.1"].any()


@pytest.mark.parametrize("layer", [0, 1])
def test_zeroing_both_branches_leaves_the_residual_as_it_was(gpt2, tokens, layer):
    edits = [Edit(f"attn_out.{layer}", torch.zeros_like), Edit(f"mlp_out.{layer}", torch.zeros_like)]
    seen = gpt2.run(tokens, [f"resid_pre.{layer}", f"resid_post.{layer}"], edits)
    assert torch.equal(seen[f"resid_pre.{layer}"], seen[f"resid_post.{layer}"])


def test_the_pass_ends_where_it_is_told_to(gpt2, tokens):
    reached = []
    watch = [Edit(site, lambda x, s=site: reached.append(s) or x) for site in ("resid_post.0", "attn_q.1")]
    gpt2.run(tokens, ["embed"], watch[:1], stop_at="attn_k.1")
    assert reached == ["resid_post.0"]
    with pytest.raises(SiteError, match=r"attn_q\.1 is computed after resid_post\.0, where the pass was told to stop"):
        gpt2.run(tokens, ["embed"], watch, stop_at="resid_post.0")
    assert gpt2.run(tokens) == {}


@pytest.mark.parametrize(("site", "later"), [("embed", "transformer.h.0"), ("attn_z.0", "transformer.h.0.attn.c_proj")])
def test_what_comes_after_the_last_site_is_not_computed(gpt2, tokens, site, later):
    calls = []
    watch = gpt2.module.get_submodule(later).register_forward_pre_hook(lambda *_: calls.append(later))
    gpt2.run(tokens, [site])
    assert not calls
    gpt2.run(tokens, ["logits"])
    watch.remove()
    assert calls == [later]


def test_an_edit_is_put_back_in_the_memory_layout_of_what_it_replaces(gpt2, tokens):
    # The same numbers, a column at a time: matrix products may round those differently.
    for site in ("resid_post.0", "attn_q.0", "attn_pattern.0"):
        seen = gpt2.run(tokens, [site], [Edit(site, lambda x: x.clone().mT.contiguous().mT)])[site]
        assert seen.stride() == gpt2.run(tokens, [site], [Edit(site, torch.clone)])[site].stride(), site


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, :-1], r"returned \[3, 8, 24\] float32 on cpu: it must return \[3, 9, 24\] float32 on cpu"),
        (lambda x: x.double(), r"returned \[3, 9, 24\] float64 on cpu: it must return \[3, 9, 24\] float32"),
    ],
)
def test_an_edit_of_another_shape_or_type_is_refused(gpt2, tokens, change, message):
    with pytest.raises(MismatchError, match=f"the edit at resid_post.0 {message}"):
        gpt2.run(tokens, [], [Edit("resid_post.0", change)])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.full((1, 3), 53), r"token 53 is not in gpt2's vocabulary \(0 to 52\)"),
        (torch.full((1, 3), -1), "token -1 is not in"),
        (torch.zeros(1, 33, dtype=torch.int64), "33 tokens in a row are more than the 32"),
        (torch.zeros(0, 3, dtype=torch.int64), "no tokens"),
    ],
)
def test_tokens_that_the_model_cannot_take_are_refused(gpt2, ids, message):
    with pytest.raises(DataError, match=message):
        gpt2.run(ids, ["embed"])


def test_a_pattern_has_no_width(gpt2):
    assert (gpt2.width("attn_z.0"), gpt2.width("blocks.0.mlp.hook_post"), gpt2.width("logits")) == (24, 96, 53)
    with pytest.raises(SiteError, match=r"attn_pattern\.0 has no width"):
        gpt2.width("attn_pattern.0")


def test_gradients_flow_back_to_an_edit_and_only_when_asked_for(gpt2, tokens):
    # d(sum of resid_post.0) / d(added to mlp_out.0) is one everywhere.
    push = torch.zeros(3, 9, 24, requires_grad=True)
    seen = gpt2.run(tokens, ["resid_post.0"], [Edit("mlp_out.0", lambda x: x + push)])
    seen["resid_post.0"].sum().backward()
    assert torch.equal(push.grad, torch.ones(3, 9, 24))
    assert not gpt2.run(tokens, ["logits"])["logits"].requires_grad
    with torch.no_grad():
        assert not gpt2.run(tokens, ["resid_post.0"], [Edit("mlp_out.0", lambda x: x + push)])[
            "resid_post.0"
        ].requires_grad


def test_padding_tokens_bring_no_advice(gpt2, capfd):
    gpt2.run(torch.full((1, 4), 2), ["logits"])
    assert capfd.readouterr() == ("", "")


def test_a_model_shows_itself_in_a_line(gpt2):
    assert repr(gpt2) == "Model('gpt2': GPT2LMHeadModel, 2 layers, d_model 24, 3 heads, d_vocab 53, float32)"
