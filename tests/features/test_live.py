"""The live reading of a prompt, held to what is known: the corpus's own packing, whole passes, and the effects."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from monosema import corpus
from monosema.core.errors import ConfigError, MismatchError, SiteError
from monosema.corpus import Document, Tokenizer, train_tokenizer
from monosema.features.browse import open_table
from monosema.features.browse.rows import Histogram
from monosema.features.effects import attr, direct, total
from monosema.features.live import Explorer
from monosema.features.live.prompts import LONGEST_TEXT, Prompt
from monosema.features.live.quantiles import quantile
from monosema.models import Model, next_token_loss

from .made_tables import Made, make_table
from .prompted import CONTEXT, TEXT, WIDTH, Letters, exploring, halves, tiny_gpt2
from .toy_models import Mixing, dictionary_of

SITES = [
    (("resid_post.0",), None),
    (("resid_post.2",), None),
    (("embed",), None),
    (("mlp_in.1",), ("mlp_out.1",)),
    (("resid_post.0", "resid_post.1"), None),
]


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_gpt2()


def explorer(model: Model, reads=("resid_post.0",), writes=None, **config) -> Explorer:
    return exploring(model, d=halves(model, reads, writes, **config))


@pytest.mark.parametrize("special", ["bos", "eos", "none"])
def test_a_prompt_is_packed_as_the_corpus_is(tmp_path: Path, special: str):
    text = "naïve € text 👩\u200d👧 and so on"
    raw = train_tokenizer([Document(str(i), f"text number {i} and so on") for i in range(30)], 300)
    bos = raw.bos if special == "bos" else None
    tokenizer = Tokenizer(raw.raw, bos=bos, eos=raw.pad if special == "eos" else None, pad=raw.pad)
    packed = corpus.pack([Document(str(i), text) for i in range(40)], tokenizer, 256, tmp_path / "corpus")
    prompt = Prompt.of(text, tokenizer, 1000)
    first = packed.train.blocks(0, 1)
    n = len(prompt)
    assert torch.equal(prompt.blocks.tokens[0], first.tokens[0, :n])
    assert torch.equal(prompt.blocks.usable[0], first.usable[0, :n])
    assert "".join(prompt.texts) == ("<|bos|>" if special == "bos" else "") + text
    assert "" in prompt.texts, "characters of several tokens"


def test_a_loss_stands_at_the_token_that_is_foretold(model):
    look = explorer(model).look("d", TEXT)
    ids = torch.tensor([[0, *Letters().encode([TEXT])[0]]])
    expected = next_token_loss(model.run(ids, read=["logits"])["logits"], ids)[0].tolist()
    assert [token.text for token in look.tokens] == list("^" + TEXT)
    assert look.tokens[0].loss is None and not look.tokens[0].usable
    assert [token.loss for token in look.tokens[1:]] == pytest.approx(expected, abs=1e-5)
    assert [token.counted for token in look.tokens] == [False, False, *[True] * 6]
    assert look.loss == pytest.approx(sum(expected[1:]) / 6, abs=1e-5)
    # What is foretold at a position is the token behind it.
    look = explorer(model).look("d", TEXT, at=2)
    assert (look.following.text, look.following.probability) == ("c", pytest.approx(math.exp(-expected[2]), abs=1e-6))
    shares = model.run(ids, read=["logits"])["logits"][0, 2].softmax(0)
    assert [c.token for c in look.candidates] == shares.topk(10).indices.tolist()
    assert [c.probability for c in look.candidates] == pytest.approx(shares.topk(10).values.tolist(), abs=1e-6)


@pytest.mark.parametrize(("reads", "writes"), SITES, ids=str)
def test_what_fires_and_its_effects_are_those_of_the_effects(model, reads, writes):
    found = explorer(model, reads, writes)
    dictionary, blocks = found.dictionaries["d"], Prompt.of(TEXT, Letters(), CONTEXT).blocks
    first_order = attr(model, dictionary, blocks)
    dense = first_order.codes.dense()
    n_effects = 0
    for at in range(1, 8):
        look = found.look("d", TEXT, at)
        assert {f.feature: f.act for f in look.firing} == pytest.approx(
            {int(i): float(dense[at - 1, i]) for i in dense[at - 1].nonzero().flatten()}
        )
        sums = [abs(f.attr) for f in look.firing]
        assert sums == sorted(sums, reverse=True)
        for effect in found.ablations("d", TEXT, at):
            n_effects += 1
            feature = torch.tensor([effect.feature])
            assert effect.attr == pytest.approx(float(first_order.by_block()[effect.feature, 0]))
            exact = total(model, dictionary, blocks, feature)[0, 0]
            assert [x or 0.0 for x in effect.tokens] == pytest.approx(exact.tolist(), abs=2e-6)
            assert effect.total == pytest.approx(float(exact.double().sum()), abs=1e-5)
            if len(dictionary.writes) == 1:
                path = direct(model, dictionary, blocks, feature)[0, 0]
                assert effect.direct == pytest.approx(float(path.double().sum()), abs=1e-5)
                assert effect.next is None or effect.next.direct == pytest.approx(float(path[at + 1]), abs=2e-6)
            else:
                assert effect.direct is None and "writes 2 sites" in look.missing["direct"]
            if at < 7:
                assert effect.next.total == pytest.approx(float(exact[at + 1]), abs=2e-6)
                assert effect.next.p_with == pytest.approx(look.following.probability, abs=1e-6)
            else:
                assert effect.next is None
    assert n_effects > 7


def test_the_parts_of_attr_add_up_over_the_positions(model):
    found, parts, whole = explorer(model), {}, {}
    for at in range(1, 8):
        for f in found.look("d", TEXT, at).firing:
            parts.setdefault(f.feature, []).append(f.attr_here)
            whole[f.feature] = (f.attr, f.n_firing)
    for feature, (sum_, n) in whole.items():
        assert len(parts[feature]) == n and sum(parts[feature]) == pytest.approx(sum_, abs=1e-6)


def test_where_the_loss_is_linear_attr_is_the_exact_effect():
    # -log p(token 0) = -u . R exactly, and the layer in between is linear: see test_effects, T4.
    E = torch.stack([torch.linspace(0.2, 1, 4), torch.linspace(1, 2, 4)])
    linear = Mixing(E=E, U=torch.tensor([[-0.3], [-0.1], [-0.5], [-0.2]]), mix=0.7, linear=True)
    dictionary = dictionary_of(torch.eye(4), 0.05 * torch.ones(4, 4).tril())
    effects = list(exploring(linear, ZeroOnly(), d=dictionary).ablations("d", "00000"))
    assert len(effects) == 4 and max(abs(e.total) for e in effects) > 0.01
    for effect in effects:
        assert effect.total == pytest.approx(effect.attr, abs=1e-5)


class ZeroOnly(Letters):
    """Two tokens, written 0 and 1; the first is the BOS too, but stands in no document as one."""

    vocab_size = 2

    def __init__(self) -> None:
        super().__init__(bos=None)

    def encode(self, texts):
        return [[int(c) for c in text if c in "01"] or [0] for text in texts]

    def token_texts(self, ids):
        return [str(i) for i in ids]


def test_ablations_are_computed_one_by_one_and_only_once():
    n = len(Letters().token_texts(range(28)))
    toy = Mixing(E=torch.eye(n), U=torch.randn(n, n, generator=torch.Generator().manual_seed(0)), mix=0.5)
    found = exploring(toy, d=dictionary_of(torch.ones(3, n), torch.eye(3, n)))
    found.look("d", TEXT)
    passes = [toy.n_tokens]
    steps = found.ablations("d", TEXT, 3)
    for _ in range(2):
        next(steps)
        passes.append(toy.n_tokens)
    steps.close()
    assert passes[1] - passes[0] == passes[2] - passes[1] == 2 * 8, "the feature's and the control's pass"
    assert len(list(found.ablations("d", TEXT, 3, n=2))) == 2 and toy.n_tokens == passes[2]


def test_where_effects_are_not_defined_it_says_so_and_shows_what_fires(model):
    found = explorer(model, ("ln_final",))
    look = found.look("d", TEXT)
    assert look.firing and all(f.attr is None for f in look.firing)
    assert "ln_final comes after the last residual stream" in look.missing["total"]
    with pytest.raises(SiteError, match="ln_final comes after"):
        found.ablations("d", TEXT)


def test_nothing_fires(model):
    found = exploring(model, d=dictionary_of(torch.zeros(3, WIDTH), torch.ones(3, WIDTH)))
    look = found.look("d", TEXT)
    assert look.firing == () and look.n_firing == 0 and list(found.ablations("d", TEXT)) == []
    assert explorer(model).look("d", TEXT, at=0).firing == (), "nothing is read at a BOS"


@pytest.mark.parametrize(
    ("text", "at", "feature", "says"),
    [
        ("", None, None, "the prompt is empty"),
        ("a" * (LONGEST_TEXT + 1), None, None, "the prompt has 4,001 characters: give at most 4,000"),
        ("a" * 24, None, None, r"the prompt has 24 tokens: at most 23 fit \(the model's context of 24, one of them"),
        ("abc", 4, None, "at is 4: this prompt has positions 0 to 3"),
        ("abc", 1, 6, "there is no feature 6: this dictionary has 0 to 5"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(model, text, at, feature, says):
    with pytest.raises(ConfigError, match=says):
        explorer(model).look("d", text, at, feature=feature)


def test_a_prompt_may_fill_the_context(model):
    look = explorer(model).look("d", "a" * 23)
    assert len(look.tokens) == CONTEXT and look.n_limit == 23


def test_every_token_says_the_activation_of_the_feature_asked_for(model):
    found = explorer(model)
    acts = [token.act for token in found.look("d", TEXT, feature=2).tokens]
    for at in range(8):
        here = {f.feature: f.act for f in found.look("d", TEXT, at).firing}
        assert acts[at] == here.get(2, 0.0)
    assert any(acts)


def test_orders(model):
    found = explorer(model, n=12)
    acts = [f.act for f in found.look("d", TEXT, order="act").firing]
    assert acts == sorted(acts, reverse=True) and len(acts) > 2
    with pytest.raises(ConfigError, match=r"unknown order 'acts'. Did you mean 'act'"):
        found.look("d", TEXT, order="acts")


# Two bins, even in the logarithm from 1 to 100: three firings below 10, one above.
TEN = Histogram((3, 1), 1.0, 100.0, log=True)


@pytest.mark.parametrize(
    ("act", "expected"), [(0.5, 0.0), (1.0, 0.0), (10**0.5, 1.5 / 4), (10.0, 0.75), (10**1.5, 3.5 / 4), (100.0, 1.0)]
)
def test_quantiles_by_hand(act: float, expected: float):
    assert quantile(TEN, act) == pytest.approx(expected)


def test_no_quantile_where_nothing_is_counted():
    assert quantile(None, 1.0) is None and quantile(replace(TEN, counts=(0, 0)), 1.0) is None
    assert quantile(Histogram((4,), 2.0, 2.0, log=True), 2.5) == 1.0


def test_quantiles_come_from_the_table_of_the_same_weights_only(model, tmp_path: Path):
    found = explorer(model)
    make_table(tmp_path / "d", Made(n_features=6, n_tokens=512), "d")
    manifest = tmp_path / "d" / "table.json"
    with pytest.raises(MismatchError, match="the table of 'd' is of other weights"):
        found.look("d", TEXT, table=open_table(tmp_path / "d"))
    own = found.dictionaries["d"].fingerprint
    manifest.write_text(manifest.read_text().replace('"0000000000000000"', f'"{own}"'))
    table = open_table(tmp_path / "d")
    look = found.look("d", TEXT, table=table, order="quantile")
    histograms = table.histograms([f.feature for f in look.firing])
    assert look.firing and histograms
    for f in look.firing:
        assert f.quantile == quantile(histograms.get(f.feature), f.act)
    shares = [f.quantile for f in look.firing]
    assert shares == sorted(shares, reverse=True)
