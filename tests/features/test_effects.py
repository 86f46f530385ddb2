"""The three effects on the loss, held to what is known about them.

T3  at the last residual stream direct and total are the same thing
T4  where the loss is linear in what is written, attr is total
T5  the effects of a document add up to the difference of its losses
T6  a planted feature comes first, and does not where its labels are shuffled
"""

import math

import pytest
import torch

from monosema.core.errors import ConfigError, SiteError
from monosema.features.effects import attr, counted_tokens, direct, total, why_no_direct_effect, why_no_loss_effect
from monosema.features.effects.scene import Route
from monosema.models import Edit, Model, next_token_loss, wrap

from .toy_models import Mixing, blocks_of, dictionary_of

WIDTH, CONTEXT = 16, 12


@pytest.fixture(scope="module")
def model() -> Model:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=40, n_embd=WIDTH, n_layer=3, n_head=2, n_positions=CONTEXT, bos_token_id=0, eos_token_id=0
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        for parameter in module.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    return wrap(module.requires_grad_(False).eval(), "gpt2")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def blocks():
    """Six blocks of two documents each, with a BOS before either and padding after the second."""
    tokens = torch.randint(1, 40, (6, CONTEXT), generator=torch.Generator().manual_seed(1))
    tokens[:, 0] = tokens[:, 6] = 0
    documents = 2 * torch.arange(6).unsqueeze(1) + (torch.arange(CONTEXT) >= 6)
    documents[:, -1] = -1
    made = blocks_of(tokens, documents)
    made.usable[:, 6] = False
    return made


def losses(model: Model, blocks, edits=()) -> torch.Tensor:
    """Each token's loss in its own place, from a whole pass; not the code under test."""
    each = next_token_loss(model.run(blocks.tokens, read=["logits"], edits=edits)["logits"], blocks.tokens)
    return torch.nn.functional.pad(each, (1, 0))


def acts(model: Model, dictionary, blocks, feature: int) -> torch.Tensor:
    x = model.run(blocks.tokens, read=list(dictionary.reads))
    rows = torch.cat([x[site].flatten(2) for site in dictionary.reads], 2)[blocks.usable]
    found = torch.zeros(blocks.tokens.shape)
    found[blocks.usable] = dictionary.encode(rows).dense()[:, feature]
    return found


def taking_off(a: torch.Tensor, direction: torch.Tensor):
    return lambda x: (x.flatten(2) - a.unsqueeze(2) * direction).reshape(x.shape)


def test_which_tokens_count(blocks):
    # BOS, first token behind a BOS, padding: not foretold by a usable token of their document.
    assert counted_tokens(blocks)[0].int().tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0]


def test_by_hand():
    # Two tokens; 'a' (id 1) writes 1 and the logits are (0, ln 3 * R): p(a | a) = 3/4, p(a | b) = 1/2.
    model = Mixing(E=torch.tensor([[0.0], [1.0]]), U=torch.tensor([[0.0, math.log(3)]]))
    dictionary = dictionary_of(torch.ones(1, 1), torch.ones(1, 1))
    blocks = blocks_of(torch.tensor([[0, 1, 1, 0, 0]]))
    # Without the feature every token is a coin toss. 'a' after 'a': ln 2 - ln 4/3; 'b' after 'a': ln 2 - ln 4.
    expected = torch.tensor([0, 0, math.log(2) - math.log(4 / 3), math.log(2) - math.log(4), 0])
    for effect in (total, direct):
        assert torch.allclose(effect(model, dictionary, blocks, torch.tensor([0]))[0, 0], expected, atol=1e-6)
    # The slope of -ln p(token) at R = 1: -ln 3 (1 - 3/4) for 'a', ln 3 * 3/4 for 'b'; times -A.
    found = attr(model, dictionary, blocks)
    assert found.effects.tolist() == pytest.approx([math.log(3) / 4, -math.log(3) * 3 / 4], abs=1e-6)
    assert found.by_block().item() == pytest.approx(-math.log(3) / 2, abs=1e-6)


SITES = [
    (("embed",), ("embed",)),
    (("resid_pre.1",), ("resid_pre.1",)),
    (("resid_mid.1",), ("resid_mid.1",)),
    (("resid_post.0",), ("resid_post.0",)),
    (("resid_post.2",), ("resid_post.2",)),
    (("attn_z.1",), ("attn_z.1",)),
    (("mlp_act.1",), ("mlp_out.1",)),
    (("mlp_in.0",), ("mlp_out.2",)),
    (("resid_post.0", "resid_post.2"), ("resid_post.0", "resid_post.2")),
    (("resid_pre.1", "mlp_out.2"), ("attn_out.1", "mlp_out.2")),
]


def placed(model: Model, reads, writes, **config):
    d_in, d_out = (sum(model.width(site) for site in sites) for sites in (reads, writes))
    # Feature 0 fires on about half of the tokens, feature 3 on the others.
    encoder, x = drawn(5, d_in, seed=7), model.run(torch.arange(1, 11).unsqueeze(0), read=list(reads))
    mean = torch.cat([x[site].flatten(2) for site in reads], 2).mean((0, 1))
    encoder[0] -= mean * (encoder[0] @ mean) / (mean @ mean)
    encoder[3] = -encoder[0]
    encoder /= d_in**0.5
    return dictionary_of(encoder, drawn(5, d_out, seed=1), reads, writes, **config)


@pytest.mark.parametrize(("reads", "writes"), SITES, ids=lambda s: "+".join(s))
def test_t5_effects_add_up_to_the_difference_of_the_document_losses(model, blocks, reads, writes):
    dictionary, features = placed(model, reads, writes), torch.tensor([3, 0])
    found = total(model, dictionary, blocks, features)
    assert float(found.abs().max()) > 1e-2
    for i, feature in enumerate(features.tolist()):
        a = acts(model, dictionary, blocks, feature)
        assert 0 < int((a > 0).sum()) < a.numel()
        parts = dictionary.W_dec[feature].split(dictionary.widths_out)
        edits = [Edit(site, taking_off(a, d)) for site, d in zip(writes, parts, strict=True)]
        changed, clean = losses(model, blocks, edits), losses(model, blocks)
        for document in range(12):
            its = counted_tokens(blocks) & (blocks.documents == document)
            difference = float(changed[its].double().sum() - clean[its].double().sum())
            assert float(found[i][its].double().sum()) == pytest.approx(difference, abs=2e-5)
        assert not found[i][~counted_tokens(blocks)].any()


def test_passes_begin_at_the_layer_that_is_written(model):
    def route(*writes: str) -> tuple[str, int]:
        found = Route.of(model, writes, (WIDTH,) * len(writes))
        return found.start, found.skipped

    assert route("embed") == ("", 0)
    assert route("attn_z.1") == ("resid_pre.1", 1)
    assert route("resid_post.0") == ("resid_pre.1", 1)
    assert route("resid_post.2") == ("resid_post.2", 3)
    assert route("mlp_out.2", "resid_post.0") == ("resid_pre.1", 1)
    assert route("transformer.h.1.mlp:out") == ("", 0)


def test_t3_at_the_last_residual_stream_direct_is_total(model, blocks):
    dictionary, features = placed(model, ("resid_post.2",), ("resid_post.2",)), torch.arange(5)
    one, other = total(model, dictionary, blocks, features), direct(model, dictionary, blocks, features)
    assert torch.allclose(one, other, atol=1e-6) and float(one.abs().max()) > 0.1
    # One layer before they part.
    dictionary = placed(model, ("resid_post.1",), ("resid_post.1",))
    one, other = total(model, dictionary, blocks, features), direct(model, dictionary, blocks, features)
    assert float((one - other).abs().max()) > 0.1


def test_t4_where_the_loss_is_linear_attr_is_total():
    # -log p(token 0) = -u . R exactly, and the layer in between is linear.
    E = torch.stack([drawn(4).abs(), drawn(4, seed=1).abs() + 1])
    model = Mixing(E=E, U=-torch.rand(4, 1, generator=torch.Generator().manual_seed(2)), mix=0.7, linear=True)
    blocks = blocks_of(torch.zeros(3, 9, dtype=torch.int64))
    dictionary = dictionary_of(drawn(6, 4, seed=3), 0.05 * drawn(6, 4, seed=4))
    exact = total(model, dictionary, blocks, torch.arange(6)).double().sum(2)
    assert torch.allclose(attr(model, dictionary, blocks).by_block(), exact, atol=1e-5)
    assert float(exact.abs().max()) > 0.1
    # And it is not where the loss bends.
    model = Mixing(E=E, U=3 * drawn(4, 2, seed=5), mix=0.7)
    dictionary = dictionary_of(drawn(6, 4, seed=3), drawn(6, 4, seed=4))
    exact = total(model, dictionary, blocks, torch.arange(6)).double().sum(2)
    assert float((attr(model, dictionary, blocks).by_block() - exact).abs().max()) > 0.1


@pytest.mark.parametrize(("reads", "writes"), SITES, ids=lambda s: "+".join(s))
def test_attr_is_the_slope_of_total_at_every_site(model, blocks, reads, writes):
    # total of a feature made a thousandth as strong, times a thousand: finite differences in float64.
    exact = Model(**{**model.__dict__, "module": _doubled(model.module)})
    dictionary = placed(model, reads, writes)
    found = attr(model, dictionary, blocks).by_block()
    for feature in (0, 3):
        a = acts(model, dictionary, blocks, feature).double()
        parts = dictionary.W_dec[feature].double().split(dictionary.widths_out)
        small = [Edit(site, taking_off(1e-6 * a, d)) for site, d in zip(writes, parts, strict=True)]
        slope = (_in_double(exact, blocks, small) - _in_double(exact, blocks)) * counted_tokens(blocks)
        assert torch.allclose(found[feature], slope.sum(1) * 1e6, atol=2e-3, rtol=2e-3)


def _doubled(module: torch.nn.Module) -> torch.nn.Module:
    import copy

    return copy.deepcopy(module).double()


def _in_double(model: Model, blocks, edits=()) -> torch.Tensor:
    logits = model.run(blocks.tokens, read=["logits"], edits=edits)["logits"][:, :-1]
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), blocks.tokens[:, 1:], reduction="none")
    return torch.nn.functional.pad(each, (1, 0))


def test_topk_takes_the_contribution_off_and_selects_nothing_instead(model, blocks):
    dictionary = placed(model, ("resid_post.1",), ("resid_post.1",), architecture="topk", k=2)
    dictionary.W_enc[1] = -dictionary.W_enc[2]
    found = total(model, dictionary, blocks, torch.tensor([1]))[0]
    a = acts(model, dictionary, blocks, 1)

    def selecting_again(x: torch.Tensor) -> torch.Tensor:
        others = torch.cat([dictionary.W_enc[:1], dictionary.W_enc[2:]])
        rows = x[blocks.usable]
        fewer = dictionary_of(others, torch.cat([dictionary.W_dec[:1], dictionary.W_dec[2:]]), architecture="topk", k=2)
        x[blocks.usable] += fewer.reconstruct(rows) - dictionary.reconstruct(rows)
        return x

    expected, other = (
        (losses(model, blocks, [Edit("resid_post.1", edit)]) - losses(model, blocks)) * counted_tokens(blocks)
        for edit in (taking_off(a, dictionary.W_dec[1]), selecting_again)
    )
    assert torch.allclose(found, expected, atol=1e-5)
    assert float((found - other).abs().max()) > 1e-2


def test_t6_a_planted_feature_comes_first_and_not_on_shuffled_labels():
    # Token 1 is always followed by token 2, and the model knows. Features: one a token.
    n, random = 12, torch.Generator().manual_seed(0)
    tokens = torch.randint(3, n, (40, 24), generator=random)
    tokens[:, 3::4], tokens[:, 4::4] = 1, 2
    tokens[:, 0] = 0
    U = 0.3 * torch.randn(n, n, generator=random)
    U[1, 2] = 4.0
    model, dictionary = Mixing(E=torch.eye(n), U=U), dictionary_of(torch.eye(n), torch.eye(n))
    planted, everything = blocks_of(tokens), torch.arange(n)
    shuffled = tokens.clone()
    order = torch.rand(40, 23, generator=random).argsort(1)
    shuffled[:, 1:] = tokens[:, 1:].gather(1, order)
    for blocks, first in ((planted, True), (blocks_of(shuffled), False)):
        sums = total(model, dictionary, blocks, everything).sum((1, 2))
        slopes = attr(model, dictionary, blocks).by_block().sum(1)
        assert (int(sums.argmax()) == 1) is first
        assert (int(slopes.argmax()) == 1) is first
    # Known: each planted 1 -> 2 costs log(sum exp U[1]) - 4 with it, log n without it.
    gain = math.log(n) - float(torch.logsumexp(U[1], 0) - 4.0)
    at_two = total(model, dictionary, planted, torch.tensor([1]))[0][tokens == 2]
    assert torch.allclose(at_two, torch.full_like(at_two, gain), atol=1e-5)


def test_a_feature_that_does_not_fire_costs_no_pass_and_has_no_effect(blocks):
    model = Mixing(E=torch.eye(40), U=drawn(40, 40))
    dictionary = dictionary_of(torch.cat([torch.eye(40), -torch.eye(40)]), torch.cat([torch.eye(40)] * 2))
    assert not total(model, dictionary, blocks, torch.tensor([41])).any()
    assert model.n_tokens == blocks.tokens.numel()


@pytest.mark.parametrize("n_at_once", [12, 60, 10_000])
def test_nothing_depends_on_how_many_go_together(model, blocks, n_at_once, monkeypatch):
    dictionary = placed(model, ("resid_post.0",), ("resid_post.0",))
    expected = total(model, dictionary, blocks, torch.arange(5))
    monkeypatch.setattr("monosema.features.effects.measures.TOKENS_AT_ONCE", n_at_once)
    assert torch.allclose(total(model, dictionary, blocks, torch.arange(5)), expected, atol=2e-6)


def test_where_an_effect_is_not_defined_it_says_so(model, blocks):
    assert why_no_loss_effect(("resid_post.0", "mlp_out.1")) == why_no_direct_effect(("mlp_out.1",)) == ""
    after = placed(model, ("ln_final",), ("ln_final",))
    with pytest.raises(SiteError, match="ln_final comes after the last residual stream"):
        total(model, after, blocks, torch.tensor([0]))
    with pytest.raises(SiteError, match="ln_final comes after"):
        attr(model, after, blocks)
    several = placed(model, ("resid_post.0", "resid_post.1"), ("resid_post.0", "resid_post.1"))
    with pytest.raises(SiteError, match="no direct effect is defined: the dictionary writes 2 sites"):
        direct(model, several, blocks, torch.tensor([0]))
    inside = placed(model, ("attn_z.1",), ("attn_z.1",))
    with pytest.raises(SiteError, match=r"attn_z.1 is not written into the residual stream"):
        direct(model, inside, blocks, torch.tensor([0]))


@pytest.mark.parametrize("feature", [-1, 5])
def test_no_such_feature(model, blocks, feature):
    dictionary = placed(model, ("resid_post.0",), ("resid_post.0",))
    with pytest.raises(ConfigError, match=f"there is no feature {feature}: this dictionary has 0 to 4"):
        total(model, dictionary, blocks, torch.tensor([feature]))
