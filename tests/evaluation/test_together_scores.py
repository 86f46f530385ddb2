"""Dictionaries that replace several sites at once: by hand on two linear layers, bit for bit on transformers' own."""

import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from monosema.core.errors import DamagedError, MismatchError
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary, L1Config, TopKConfig, Weights
from monosema.dictionaries.l1 import L1
from monosema.dictionaries.layers import Layers
from monosema.dictionaries.topk import TopK
from monosema.evaluation import ScoreConfig, Together, score_together
from monosema.evaluation.changed_tokens import changed
from monosema.evaluation.measuring import Prepared, prepare
from monosema.evaluation.passes import Clean, clean_pass
from monosema.evaluation.splicing import Replacement
from monosema.models import Model, wrap

SEED = 6
"""Of matrices with which both layers help to predict the text, so that there is something to recover."""

CONFIG = ScoreConfig(batch_size=2, outlier_factor=1e9)


@dataclass
class TwoLayers:
    """x_0 = E[token], o_l = x_l M_l, x_{l+1} = x_l + o_l, logits = x_2 U. Tokens do not see each other."""

    E: Tensor
    M: tuple[Tensor, Tensor]
    U: Tensor
    name: str = "two layers"
    n_context: int = 64
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (never changed)

    @property
    def d_vocab(self) -> int:
        return self.U.shape[1]

    def width(self, site: str) -> int:  # noqa: ARG002
        return len(self.U)

    def run(self, tokens: Tensor, read=(), edits=()) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}

        def at(site: str, x: Tensor) -> Tensor:
            for edit in edits:
                x = edit.apply(x.clone()) if edit.site == site else x
            found[site] = x
            return x

        x = self.E[tokens]
        for layer, M in enumerate(self.M):
            x = x + at(f"mlp_out.{layer}", at(f"mlp_in.{layer}", x) @ M)
        found["logits"] = x @ self.U
        return {site: found[site] for site in read}


def two_layers() -> TwoLayers:
    draws = generator(SEED, "two layers")
    E, *M = (torch.randn(3, 2, generator=draws), *(torch.randn(2, 2, generator=draws) for _ in range(2)))
    return TwoLayers(E, (M[0], M[1]), torch.randn(2, 3, generator=draws))


def linear(layer: int, M: Tensor, b_dec: Tensor | None = None) -> Dictionary:
    """Writes x M + b_dec exactly: one feature for each sign of each coordinate."""
    d = len(M)
    eye, rule = torch.eye(d), L1(L1Config(n_features=2 * d))
    b_dec = torch.zeros(M.shape[1]) if b_dec is None else b_dec
    weights = Weights(torch.cat([eye, -eye]), torch.cat([M, -M]), torch.zeros(2 * d), b_dec, False)
    sites = (f"mlp_in.{layer}",), (f"mlp_out.{layer}",)
    return Dictionary("l1", rule, weights, *sites, (d,), (M.shape[1],), torch.ones(2 * d, dtype=torch.bool))


@pytest.fixture
def tokens(toy):
    held = toy.held_out("^aAaAaA", "^aAabBb", "bBbBbBb", "^cCcdDd", "^eEeEe.")
    held.tokens[1, 3], held.tokens[3, 4], held.d_vocab = 2, 2, 3
    return held


def values(card: Together) -> dict[str, float]:
    return {name: finding.value for name, finding in card.findings.items()}


def loss_by_hand(model: TwoLayers, tokens, M: tuple[Tensor, Tensor]) -> float:
    """The loss with other matrices at the usable positions, written out."""
    x = model.E[tokens.tokens]
    for own, other in zip(model.M, M, strict=True):
        x = x + torch.where(tokens.usable[..., None], x @ other, x @ own)
    log_p = (x @ model.U).log_softmax(2)
    counted = tokens.usable[:, :-1] & tokens.usable[:, 1:] & (tokens.documents[:, :-1] == tokens.documents[:, 1:])
    return float(-log_p[:, :-1].gather(2, tokens.tokens[:, 1:, None])[..., 0][counted].mean())


# ---- by hand


def test_dictionaries_that_are_the_layers_leave_nothing_to_recover(tokens):
    model = two_layers()
    card = score_together({f"d-{i}": linear(i, M) for i, M in enumerate(model.M)}, model, tokens, CONFIG)
    found = values(card)
    assert found["loss_model"] == pytest.approx(loss_by_hand(model, tokens, model.M), rel=1e-6)
    for name in ("loss_recovered_zero", "loss_recovered_mean", "same_top", "carried", "carried_with_errors"):
        assert found[name] == pytest.approx(1.0, abs=1e-6), name
    assert found["kl_together"] == pytest.approx(0.0, abs=1e-9) and found["l0"] == 4.0
    assert [layer.variance_explained.value for layer in card.layers] == pytest.approx([1.0, 1.0])
    assert (card.n_tokens, card.n_documents) == (int(tokens.usable.sum()), 5)
    assert card.findings["loss_together"].control > found["loss_together"] + 0.01  # type: ignore[operator]


def test_dictionaries_that_write_nothing_are_the_ablation_of_all_layers(tokens):
    model, none = two_layers(), torch.zeros(2, 2)
    found = values(score_together({f"d-{i}": linear(i, none) for i in range(2)}, model, tokens, CONFIG))
    assert (
        found["loss_together"]
        == found["loss_zero"]
        == pytest.approx(loss_by_hand(model, tokens, (none, none)), rel=1e-6)
    )
    assert found["loss_recovered_zero"] == 0.0
    # With what they get wrong added, all that is left of the change goes around them: as when the sites are held.
    assert found["carried_with_errors"] == found["carried_held"] != found["carried"]


def test_dictionaries_that_write_the_mean_are_the_mean_ablation_of_all_layers(tokens):
    model, means = two_layers(), {}
    for layer in range(2):
        out = model.run(tokens.tokens, read=[f"mlp_out.{layer}"])[f"mlp_out.{layer}"]
        means[f"d-{layer}"] = linear(layer, torch.zeros(2, 2), out[tokens.usable].mean(0))
    found = values(score_together(means, model, tokens, CONFIG))
    assert found["loss_together"] == pytest.approx(found["loss_mean"], rel=1e-6)
    assert found["loss_recovered_mean"] == pytest.approx(0.0, abs=1e-5)


def test_the_curve_is_what_each_layer_costs_alone_and_after_those_before(tokens):
    model = two_layers()
    half = 0.5 * model.M[0]
    card = score_together({"a-0": linear(0, half), "a-1": linear(1, model.M[1])}, model, tokens, CONFIG)
    first, second = card.layers
    assert (first.site, second.site) == ("mlp_out.0", "mlp_out.1")
    assert first.loss_alone.value == first.loss_up_to.value
    assert first.loss_alone.value == pytest.approx(loss_by_hand(model, tokens, (half, model.M[1])), rel=1e-6)
    # The second is exact of what it reads: alone it costs nothing, after the first what the first has spoilt.
    assert second.loss_alone.value == pytest.approx(card.findings["loss_model"].value, rel=1e-6)
    assert second.loss_up_to.value == card.findings["loss_together"].value == pytest.approx(first.loss_up_to.value)
    assert second.loss_recovered_mean.value == pytest.approx(1.0, abs=1e-5)
    assert first.variance_explained.value < second.variance_explained.value == pytest.approx(1.0)


def test_what_a_dictionary_gets_wrong_reaches_the_next(tokens):
    model = two_layers()
    wrong = {"a-0": linear(0, 0.5 * model.M[0]), "a-1": linear(1, -model.M[1])}
    card = score_together(wrong, model, tokens, CONFIG)
    expected = loss_by_hand(model, tokens, (0.5 * model.M[0], -model.M[1]))
    assert card.findings["loss_together"].value == pytest.approx(expected, rel=1e-6)
    assert card.layers[1].loss_alone.value == pytest.approx(
        loss_by_hand(model, tokens, (model.M[0], -model.M[1])), rel=1e-6
    )


def test_scores_do_not_depend_on_batching_and_come_back_from_json(tokens):
    model = two_layers()
    wrong = {"a-1": linear(1, -model.M[1]), "a-0": linear(0, 0.5 * model.M[0])}
    card = score_together(wrong, model, tokens, CONFIG)
    again = score_together(dict(reversed(wrong.items())), model, tokens, replace(CONFIG, batch_size=5))
    for name in ("loss_together", "kl_together", "loss_recovered_mean", "l0"):
        assert again.findings[name].value == pytest.approx(card.findings[name].value, rel=1e-6)
    assert Together.from_json(card.to_json()) == card  # where every number is defined
    with pytest.raises(DamagedError, match="LayerScore: missing or unknown loss_up_to"):
        data = card.to_json()
        del data["layers"][0]["loss_up_to"]
        Together.from_json(data)


# ---- on transformers' own

WIDTH, CONTEXT, LAYERS = 16, 12, 3
READS, WRITES = ([f"{kind}.{layer}" for layer in range(LAYERS)] for kind in ("mlp_in", "mlp_out"))


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def model(request: pytest.FixtureRequest) -> Model:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=40, n_embd=WIDTH, n_layer=LAYERS, n_head=2, n_positions=CONTEXT, bos_token_id=0, eos_token_id=0
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        for parameter in module.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    return wrap(module.to(request.param).requires_grad_(False).eval(), "gpt2")


@pytest.fixture
def text(toy):
    letters = toy.held_out("^aaaaabbbbbb", "^ccccccccccc", "ddddddddddd.")
    letters.tokens = torch.randint(1, 40, (3, CONTEXT), generator=generator(0, "text"))
    letters.d_vocab = 40
    return letters


def cross_layer(n: int = 24, k: int = 6) -> Dictionary:
    draws = generator(1, "cross layer")
    layers = Layers.split(n, [WIDTH] * LAYERS, [WIDTH] * LAYERS)
    W_enc, W_dec = (torch.randn(n, LAYERS * WIDTH, generator=draws) for _ in range(2))
    layers.clear(W_enc, W_dec)
    weights = Weights(W_enc, W_dec, torch.zeros(n), torch.randn(LAYERS * WIDTH, generator=draws), False, layers=layers)
    widths, keep = (WIDTH,) * LAYERS, torch.ones(n, dtype=torch.bool)
    return Dictionary("topk", TopK(TopKConfig(n, k)), weights, tuple(READS), tuple(WRITES), widths, widths, keep)


def apart() -> dict[str, Dictionary]:
    """One of each layer, of random directions."""
    parts = cross_layer().by_layer()
    own = [replace(one.weights, W_dec=one.W_dec[:, :WIDTH], b_dec=one.b_dec[:WIDTH]) for one in parts]
    return {
        f"tc-{i}": replace(one, weights=w, writes=one.writes[:1], widths_out=one.widths_out[:1])
        for i, (one, w) in enumerate(zip(parts, own, strict=True))
    }


SETS = {"one of each layer": apart, "cross-layer": lambda: {"clt": cross_layer()}}


def opened(model: Model, text, dictionaries: dict[str, Dictionary]) -> tuple[Prepared, Clean, Replacement]:
    prepared = prepare(dictionaries, model, text, replace(CONFIG, batch_size=3))
    [blocks] = prepared.blocks()
    return prepared, clean_pass(model, blocks, prepared.constants.limits), Replacement(dictionaries)


@pytest.mark.parametrize("which", SETS)
def test_with_error_nodes_and_nothing_changed_it_is_the_model_bit_for_bit(which: str, model: Model, text):
    _, clean, replacement = opened(model, text, SETS[which]())
    errors = {site: clean.rows[site].double() - rows for site, rows in replacement.made(clean.rows)[0].items()}
    plain = model.run(text.tokens, read=["logits"])["logits"]
    for n in range(1, LAYERS + 1):
        assert torch.equal(replacement.logits(model, text.tokens, clean.scored, WRITES[:n], errors), plain)
    without = replacement.logits(model, text.tokens, clean.scored)
    assert float((without - plain).abs().max()) > 0.1


@pytest.mark.parametrize("which", SETS)
def test_with_error_nodes_it_is_the_model_before_a_change_and_not_after(which: str, model: Model, text):
    _, clean, replacement = opened(model, text, SETS[which]())
    errors = {site: clean.rows[site].double() - rows for site, rows in replacement.made(clean.rows)[0].items()}
    after = changed(model, clean, generator(0, "a change"))
    assert after is not None
    now = after.clean.blocks.tokens
    different = now != text.tokens
    assert different.sum(1).tolist() == [1, 1, 1] and bool(different[clean.scored].sum() == 3)
    plain = model.run(now, read=["logits"])["logits"]
    ours = replacement.logits(model, now, clean.scored, errors=errors)
    for block, place in different.nonzero().tolist():
        assert torch.equal(ours[block, :place], plain[block, :place])
        assert not torch.equal(ours[block, place], plain[block, place])
    places = different.int().argmax(1)
    counted = [(int(at) // CONTEXT, int(at) % CONTEXT) for at in after.clean.counted]
    documents = text.documents
    assert counted == [
        (block, at)
        for block, at in ((int(c) // CONTEXT, int(c) % CONTEXT) for c in clean.counted)
        if at >= places[block] and documents[block, at] == documents[block, places[block]]
    ]
    p, before = (model.run(t, read=["logits"])["logits"].float().log_softmax(2) for t in (now, text.tokens))
    kl = (p.exp() * (p - before)).sum(2)
    torch.testing.assert_close(after.change, torch.stack([kl[at] for at in counted]), atol=1e-5, rtol=1e-4)


def test_a_cross_layer_dictionary_scores_as_its_parts_do(text):
    module = model_of_float32()
    whole = score_together({"clt": cross_layer()}, module, text, CONFIG)
    parts = {str(i): part for i, part in enumerate(cross_layer().by_layer())}
    apart = score_together(parts, module, text, CONFIG)
    mine, its = whole.to_json(), apart.to_json()
    assert (mine["findings"], mine["layers"]) == (its["findings"], its["layers"])
    assert whole.findings["l0"].value <= 6 and whole.findings["l0"].value == whole.findings["l0"].control


def model_of_float32() -> Model:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=40, n_embd=WIDTH, n_layer=LAYERS, n_head=2, n_positions=CONTEXT, bos_token_id=0, eos_token_id=0
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    return wrap(module.requires_grad_(False).eval(), "gpt2")


def test_shuffling_deals_the_rows_of_what_is_not_pruned_within_each_layer():
    keep = torch.ones(24, dtype=torch.bool)
    keep[[0, 9]] = False
    before = Replacement({"clt": cross_layer().pruned(keep)})
    for mine, dealt in zip(before.parts, before.shuffled(0).parts, strict=True):
        assert torch.equal(dealt.W_enc, mine.W_enc) and torch.equal(dealt.b_dec, mine.b_dec)
        assert torch.equal(dealt.W_dec[~mine.keep], mine.W_dec[~mine.keep])
        assert not torch.equal(dealt.W_dec, mine.W_dec)
        assert sorted(map(tuple, dealt.W_dec.tolist())) == sorted(map(tuple, mine.W_dec.tolist()))
    again = before.shuffled(0), before.shuffled(1)
    assert torch.equal(again[0].parts[0].W_dec, before.shuffled(0).parts[0].W_dec)
    assert not torch.equal(again[0].parts[0].W_dec, again[1].parts[0].W_dec)


def test_what_cannot_be_run_layer_by_layer_is_refused(text):
    whole, parts = cross_layer(), cross_layer().by_layer()
    dense = replace(whole, weights=replace(whole.weights, layers=None))
    for dictionaries, message in [
        ({"a": dense}, "reads them all with the same features, so it cannot be run layer by layer"),
        ({"a": parts[0], "b": parts[0]}, r"two dictionaries read mlp_in\.0"),
        ({"a": replace(parts[2], writes=("mlp_out.1",))}, r"mlp_out\.1 comes before mlp_in\.2"),
    ]:
        with pytest.raises(MismatchError, match=message):
            score_together(dictionaries, model_of_float32(), text, CONFIG)


def test_an_undefined_share_is_not_a_number(tokens):
    # A model that does not look at its tokens: no change changes anything, and nothing can be carried.
    model = two_layers()
    model.E = model.E[:1].expand(3, 2).contiguous()
    found = values(score_together({f"d-{i}": linear(i, M) for i, M in enumerate(model.M)}, model, tokens, CONFIG))
    assert found["change"] == 0.0 and math.isnan(found["carried"])
