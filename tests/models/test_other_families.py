"""BERT, DistilBERT, T5 and Mamba: their sites are what the table in model.py says."""

import pytest
import torch

from monosema.core.errors import DataError, MismatchError, SiteError
from monosema.models import Model, wrap
from monosema.models.families import FAMILIES
from monosema.models.losses import require_next_token
from monosema.models.model import NO_LIMIT
from monosema.models.resuming import resumes_exactly


@pytest.fixture(scope="module")
def t5(build) -> Model:
    return wrap(build("t5"), "t5")


@pytest.fixture(scope="module")
def mamba(build) -> Model:
    return wrap(build("mamba"), "mamba")


@pytest.fixture(scope="module", params=["bert", "distilbert"])
def encoder(request, build) -> Model:
    return wrap(build(request.param), request.param)


def layer(model: Model, i: int, path: str) -> torch.nn.Module:
    return model.module.get_submodule(f"{model.family.layers}.{i}.{path}")


def test_an_encoder_normalises_each_sum_and_adds_to_the_norm(encoder, tokens):
    seen = encoder.run(tokens, encoder.sites())
    for i in range(2):
        pre, attn, mid, mlp_in, mlp, post = (
            seen[f"{kind}.{i}"] for kind in ("resid_pre", "attn_out", "resid_mid", "mlp_in", "mlp_out", "resid_post")
        )
        assert torch.equal(pre + attn, mid)
        assert torch.equal(layer(encoder, i, encoder.family.mid_norm)(mid), mlp_in)
        assert torch.equal(mlp_in + mlp, post)
        after = seen["resid_pre.1" if i == 0 else "ln_final"]
        assert torch.equal(layer(encoder, i, encoder.family.out_norm)(post), after)


def test_transformers_own_hidden_states_of_an_encoder_are_what_its_layers_read(encoder, tokens):
    theirs = encoder.module(tokens, output_hidden_states=True, output_attentions=True)
    seen = encoder.run(tokens, encoder.sites())
    for ours, hidden in zip(("resid_pre.0", "resid_pre.1", "ln_final"), theirs.hidden_states, strict=True):
        assert torch.equal(seen[ours], hidden)
    for i in range(2):
        assert torch.equal(seen[f"attn_pattern.{i}"], theirs.attentions[i])
        assert bool((seen[f"attn_pattern.{i}"] > 0).all())  # both ways


def test_an_encoder_takes_no_token_for_padding(encoder, tokens):
    config = encoder.module.config
    truth, pad = encoder.run(tokens, ["logits"])["logits"], config.pad_token_id
    try:
        config.pad_token_id = int(tokens[0, 3])
        assert torch.equal(encoder.run(tokens, ["logits"])["logits"], truth)
    finally:
        config.pad_token_id = pad
    everywhere = encoder.run(torch.full((1, 4), pad), ["attn_pattern.1"])["attn_pattern.1"]
    assert bool((everywhere > 0).all())


def test_both_stacks_add_up_and_the_decoder_reads_the_encoder(t5, tokens):
    target = tokens[:, :4]
    seen = t5.run(tokens, t5.sites(), decoder_tokens=target)
    for i in range(2):
        assert torch.equal(seen[f"enc.resid_pre.{i}"] + seen[f"enc.attn_out.{i}"], seen[f"enc.resid_mid.{i}"])
        assert torch.equal(seen[f"enc.resid_mid.{i}"] + seen[f"enc.mlp_out.{i}"], seen[f"enc.resid_post.{i}"])
    for i in range(3):
        assert torch.equal(seen[f"dec.resid_pre.{i}"] + seen[f"dec.attn_out.{i}"], seen[f"dec.resid_mid.{i}"])
        assert torch.equal(seen[f"dec.resid_mid.{i}"] + seen[f"dec.cross_out.{i}"], seen[f"dec.resid_cross.{i}"])
        assert torch.equal(seen[f"dec.resid_cross.{i}"] + seen[f"dec.mlp_out.{i}"], seen[f"dec.resid_post.{i}"])
        for part in ("k", "v"):
            matrix = layer(t5, i, f"layer.1.EncDecAttention.{part}")
            assert torch.equal(matrix(seen["enc.ln_final"]).unflatten(-1, (4, 5)), seen[f"dec.cross_{part}.{i}"])
        output = layer(t5, i, "layer.1.EncDecAttention.o")(seen[f"dec.cross_z.{i}"].flatten(2))
        assert torch.equal(output, seen[f"dec.cross_out.{i}"])


def test_transformers_own_states_and_attentions_of_two_stacks_agree(t5, tokens):
    target = tokens[:, :4]
    theirs = t5.module(tokens, decoder_input_ids=target, output_hidden_states=True, output_attentions=True)
    seen = t5.run(tokens, t5.sites(), decoder_tokens=target)
    for i in range(2):
        assert torch.equal(seen[f"enc.resid_pre.{i}"], theirs.encoder_hidden_states[i])
        assert torch.equal(seen[f"enc.attn_pattern.{i}"], theirs.encoder_attentions[i])
    for i in range(3):
        assert torch.equal(seen[f"dec.resid_pre.{i}"], theirs.decoder_hidden_states[i])
        assert torch.equal(seen[f"dec.attn_pattern.{i}"], theirs.decoder_attentions[i])
        assert torch.equal(seen[f"dec.cross_pattern.{i}"], theirs.cross_attentions[i])
    assert torch.equal(seen["enc.ln_final"], theirs.encoder_last_hidden_state)
    assert torch.equal(seen["dec.ln_final"], theirs.decoder_hidden_states[-1])


def test_the_sites_of_two_stacks_have_the_shapes_that_are_documented(t5, tokens):
    seen = t5.run(tokens, t5.sites(), decoder_tokens=tokens[:, :4])
    heads, resid, hidden = (4, 5), (24,), (40,)
    expected = {"q": heads, "k": heads, "v": heads, "z": heads, "act": hidden}
    for site, x in seen.items():
        n = 9 if site.startswith(("enc.", "dec.cross_k", "dec.cross_v")) else 4
        part = site.rpartition(".")[0].rpartition("_")[2]
        if part == "pattern":
            assert tuple(x.shape) == (3, 4, n, 9 if "cross" in site else n), site
        else:
            width = (53,) if site == "logits" else expected.get(part, resid)
            assert tuple(x.shape) == (3, n, *width), site
            assert t5.width(site) == x[0, 0].numel()


def test_the_decoder_starts_with_its_start_token_alone(t5, tokens):
    alone = t5.run(tokens, ["logits", "dec.embed"])
    start = torch.full((3, 1), 2)
    assert torch.equal(alone["logits"], t5.module(tokens, decoder_input_ids=start).logits)
    longer = t5.run(tokens, ["logits"], decoder_tokens=torch.cat([start, tokens[:, :3]], 1))["logits"]
    assert torch.allclose(longer[:, :1], alone["logits"], atol=1e-5)  # the decoder sees nothing that comes later
    assert "enc.embed" in t5.run(tokens, ["enc.embed"])


def test_what_a_mixer_reads_holds_and_adds(mamba, tokens):
    theirs = mamba.module(tokens, output_hidden_states=True, use_cache=False).hidden_states
    seen = mamba.run(tokens, mamba.sites())
    for i in range(2):
        mixer = layer(mamba, i, "mixer")
        assert torch.equal(seen[f"resid_post.{i}"], theirs[i])
        assert torch.equal(layer(mamba, i, "norm")(seen[f"resid_pre.{i}"]), seen[f"ssm_in.{i}"])
        x, _ = mixer.in_proj(seen[f"ssm_in.{i}"]).mT.chunk(2, 1)
        convolved = torch.nn.functional.silu(mixer.conv1d(x)[..., :9]).mT
        assert torch.allclose(convolved, seen[f"ssm_conv.{i}"], atol=1e-6)
        assert torch.equal(mixer.out_proj(seen[f"ssm_act.{i}"]), seen[f"ssm_out.{i}"])
        assert torch.equal(seen[f"resid_pre.{i}"] + seen[f"ssm_out.{i}"], seen[f"resid_post.{i}"])
    assert torch.equal(seen["ln_final"], theirs[-1])
    assert (mamba.width("ssm_in.0"), mamba.width("ssm_conv.0"), mamba.width("ssm_act.1")) == (24, 48, 48)


def test_a_mixer_sees_nothing_that_comes_later(mamba, tokens):
    changed = torch.cat([tokens[:, :5], tokens[:, 5:].flip(1)], 1)
    before, after = (mamba.run(t, ["ssm_out.1"])["ssm_out.1"] for t in (tokens, changed))
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.equal(before[:, 5:], after[:, 5:])


@pytest.mark.parametrize(
    ("family", "site", "message"),
    [
        ("mamba", "attn_z.0", r"attn_z\.0 does not exist\. This model has: embed, resid_pre\.0\.\.1, ssm_in\.0\.\.1"),
        ("mamba", "ssm_out.7", r"ssm_out\.7 does not exist: this model has 2 layers, ssm_out\.0 to ssm_out\.1"),
        ("gpt2", "ssm_out.0", r"ssm_out\.0 does not exist\. This model has: embed, resid_pre\.0\.\.1, attn_q"),
        ("bert", "cross_q.0", r"cross_q\.0 does not exist\. This model has: embed"),
        (
            "bert",
            "blocks.0.ln2.hook_normalized",
            r"write 'resid_pre\.1' for it, or 'mlp_in\.0' for what the MLP receives",
        ),
        (
            "t5",
            "resid_post.1",
            r"this model has an encoder and a decoder, so write enc\.resid_post\.1 or dec\.resid_post\.1",
        ),
        ("t5", "enc.cross_q.0", r"enc\.cross_q\.0 does not exist\. This model has: enc\.embed, enc\.resid_pre\.0\.\.1"),
        ("t5", "enc.resid_post.2", r"this model has 2 layers, enc\.resid_post\.0 to enc\.resid_post\.1"),
    ],
)
def test_a_site_that_a_family_lacks_is_refused_with_what_there_is(build, family, site, message):
    with pytest.raises(SiteError, match=message):
        wrap(build(family), family).resolve(site)


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("decoder.blocks.1.cross_attn.hook_pattern", "dec.cross_pattern.1"),
        ("decoder.blocks.0.hook_resid_mid_cross", "dec.resid_cross.0"),
        ("decoder.blocks.0.ln3.hook_normalized", "dec.mlp_in.0"),
        ("encoder.blocks.0.ln2.hook_normalized", "enc.mlp_in.0"),
        ("encoder.block.1", "enc.resid_post.1"),
        ("decoder.block.0.layer.1.EncDecAttention", "dec.cross_out.0"),
    ],
)
def test_other_spellings_of_two_stacks_are_read(t5, text, site):
    assert t5.resolve(text) == site


def test_decoder_tokens_that_do_not_fit_are_refused(t5, gpt2, build, tokens):
    with pytest.raises(DataError, match="gpt2 has no decoder beside its one stack: leave decoder_tokens out"):
        gpt2.run(tokens, ["logits"], decoder_tokens=tokens)
    with pytest.raises(DataError, match="2 texts for the decoder of 3 for the encoder"):
        t5.run(tokens, ["logits"], decoder_tokens=tokens[:2])
    with pytest.raises(DataError, match="token 53 is not in t5's vocabulary"):
        t5.run(tokens, ["logits"], decoder_tokens=tokens * 0 + 53)
    headless = wrap(build("t5", decoder_start_token_id=None), "headless")
    with pytest.raises(DataError, match="the config of headless names no decoder_start_token_id: give decoder_tokens"):
        headless.run(tokens, ["logits"])


def test_an_encoder_has_no_logit_weights_and_no_next_token(encoder, t5, mamba):
    with pytest.raises(MismatchError, match="not linear between its final norm and its unembedding"):
        encoder.logit_weights()
    for model, says in ((encoder, "predicts masked tokens"), (t5, "predicts a text from a text")):
        with pytest.raises(MismatchError, match=f"{says}, and scoring measures next-token losses: take a causal"):
            require_next_token(model, "scoring")
    require_next_token(mamba, "scoring")
    assert mamba.causal and not encoder.causal and not t5.causal


def test_an_encoder_that_is_set_to_be_a_decoder_is_refused(build):
    with pytest.raises(MismatchError, match=r"attn_pattern\.0 looks at later tokens"):
        wrap(build("bert", is_decoder=True), "one way")


def test_lengths_that_no_config_limits_are_not_limited(t5, mamba, encoder):
    assert (t5.n_context, mamba.n_context, encoder.n_context) == (NO_LIMIT, NO_LIMIT, 32)
    assert mamba.run(torch.full((1, 40), 3), ["ssm_out.0"])["ssm_out.0"].shape == (1, 40, 24)


def test_models_show_what_they_are_made_of(t5, mamba):
    assert repr(t5) == "Model('t5': T5ForConditionalGeneration, 2+3 layers, d_model 24, 4 heads, d_vocab 53, float32)"
    assert repr(mamba) == "Model('mamba': MambaForCausalLM, 2 layers, d_model 24, d_vocab 53, float32)"
    assert (mamba.n_heads, mamba.stacks, t5.stacks, t5.n_layers) == (0, {"": 2}, {"enc": 2, "dec": 3}, 3)


def test_passes_begin_at_a_layer_but_in_two_stacks(encoder, mamba, t5):
    assert resumes_exactly(encoder, 1)
    assert resumes_exactly(mamba, 1)
    assert not resumes_exactly(t5, 1)


def test_every_family_says_what_it_predicts():
    said = {name: family.predicts for name, family in FAMILIES.items()}
    assert {name for name, what in said.items() if what != "next token"} == {"bert", "distilbert", "t5"}
