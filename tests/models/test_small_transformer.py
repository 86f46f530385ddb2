"""The small transformer: its sites are what they say, whatever it leaves out, and a folder gives it back."""

import pytest
import torch

from monosema.core.errors import DamagedError, DataError, MismatchError
from monosema.models import Edit, Model, load, randomised, wrap
from monosema.models.small_transformer import SmallConfig, config_of, save_small, small_transformer

BASE = {"d_vocab": 11, "d_vocab_out": 11, "n_context": 9, "d_model": 12, "n_heads": 3, "d_head": 5, "d_mlp": 20}
SHAPES = {
    "plain": {},
    "no norm, gelu": {"norm": "none", "activation": "gelu"},
    "root mean square": {"norm": "rms", "activation": "gelu_tanh"},
    "attention alone": {"d_mlp": 0, "n_layers": 1},
    "both ways, other answers": {"bidirectional": True, "d_vocab_out": 3, "activation": "silu"},
}


@pytest.fixture(scope="module", params=list(SHAPES))
def small(request: pytest.FixtureRequest) -> Model:
    module = small_transformer(SmallConfig(**(BASE | SHAPES[request.param])), seed=1)
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
    return wrap(module.requires_grad_(False), request.param)


@pytest.fixture(scope="module")
def words() -> torch.Tensor:
    return torch.randint(0, 11, (4, 7), generator=torch.Generator().manual_seed(0))


def test_reading_and_writing_back_every_site_changes_no_bit(small: Model, words: torch.Tensor):
    truth = small.module(words).logits
    seen = small.run(words, small.sites(), [Edit(site, torch.clone) for site in small.sites()])
    assert torch.equal(seen["logits"], truth)


def test_every_edit_takes_effect(small: Model, words: torch.Tensor):
    truth = small.run(words, ["logits"])["logits"]
    without_width = {site for site in small.sites() if site.startswith("mlp") and small.width("mlp_act.0") == 0}
    for site in set(small.sites()) - without_width:
        assert not torch.equal(small.run(words, ["logits"], [Edit(site, lambda x: 1.5 * x)])["logits"], truth), site


def test_the_parts_are_what_the_weights_say(small: Model, words: torch.Tensor):
    # The first layer by hand, in one expression a part.
    block, config = small.module.get_submodule("blocks.0"), config_of(small.module)
    seen = small.run(words, small.sites())
    x = seen["resid_pre.0"]
    assert torch.equal(x, seen["embed"] + small.module.positions.weight[:7])
    normed = block.attn_norm(x)
    q, k, v = (
        torch.einsum("bsd,hed->bshe", normed, m.weight.unflatten(0, (3, 5))) + m.bias.unflatten(0, (3, 5))
        for m in (block.attn.query, block.attn.key, block.attn.value)
    )
    scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / config.attn_scale
    if not config.bidirectional:
        scores = scores.masked_fill(torch.ones(7, 7).triu(1).bool(), -torch.inf)
    z = torch.einsum("bhqk,bkhe->bqhe", scores.softmax(-1), v)
    assert torch.allclose(z, seen["attn_z.0"], atol=1e-5)
    assert torch.allclose(block.attn.output(z.flatten(2)), seen["attn_out.0"], atol=1e-5)
    assert torch.equal(block.mlp_norm(seen["resid_mid.0"]), seen["mlp_in.0"])


def test_it_sees_later_tokens_only_when_it_is_told_to(small: Model, words: torch.Tensor):
    changed = words.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 11
    before, after = (small.run(x, ["logits"])["logits"][:, 0] for x in (words, changed))
    assert torch.equal(before, after) == (not config_of(small.module).bidirectional)


def test_fused_attention_gives_the_same_to_rounding(small: Model, words: torch.Tensor):
    eagerly, fused = (small.run(words, ["logits"], attention=kind)["logits"] for kind in ("eager", "fused"))
    torch.testing.assert_close(eagerly, fused, rtol=1e-4, atol=1e-5)


def test_a_folder_gives_it_back_to_the_bit(small: Model, words: torch.Tensor, tmp_path):
    save_small(small.module, tmp_path)
    loaded = load(tmp_path)
    assert loaded.fingerprint == small.fingerprint
    assert torch.equal(loaded.run(words, ["logits"])["logits"], small.run(words, ["logits"])["logits"])


def test_a_control_is_drawn_anew(small: Model, words: torch.Tensor):
    fresh = randomised(small, "reinit", seed=3)
    assert config_of(fresh.module) == config_of(small.module)
    assert not torch.equal(fresh.run(words, ["logits"])["logits"], small.run(words, ["logits"])["logits"])


def test_the_seed_decides_the_weights():
    one, same, other = (small_transformer(SmallConfig(**BASE), seed).embed.weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_tokens_are_counted_by_the_embedding_and_answers_by_the_logits():
    model = wrap(small_transformer(SmallConfig(**(BASE | {"d_vocab_out": 2}))), "two answers")
    assert model.run(torch.tensor([[10, 3]]), ["logits"])["logits"].shape == (1, 2, 2)
    with pytest.raises(DataError, match=r"0 to 10"):
        model.run(torch.tensor([[11, 3]]), ["logits"])


def test_without_a_norm_there_is_nothing_to_fold():
    model = wrap(small_transformer(SmallConfig(**(BASE | {"norm": "none"}))), "bare")
    with pytest.raises(MismatchError, match="no norm to fold"):
        model.logit_weights()


def test_weights_that_do_not_fit_are_refused(tmp_path):
    save_small(small_transformer(SmallConfig(**BASE)), tmp_path)
    (tmp_path / "config.json").write_text((tmp_path / "config.json").read_text().replace('"d_mlp": 20', '"d_mlp": 21'))
    with pytest.raises(DamagedError, match=r"up\.bias is \[20\], the config says \[21\]|down\.weight"):
        load(tmp_path)
