"""Changing a feature in a prompt: the limit cases in which nothing may change, by hand, and against whole passes."""

import math

import pytest
import torch

from monosema.core.errors import ConfigError, SiteError
from monosema.features.effects.random_directions import random_like
from monosema.features.live import Draw, Explorer, Steer
from monosema.features.live.sampling import drawn
from monosema.models import Edit, Model

from .prompted import CONTEXT, TEXT, Letters, exploring, halves, tiny_gpt2
from .toy_models import Mixing, dictionary_of

NONE = Draw(n_tokens=0)
SITES = [(("resid_post.0",), None), (("resid_post.2",), None), (("embed",), None), (("mlp_in.1",), ("mlp_out.1",))]


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_gpt2()


def explorer(model: Model, reads=("resid_post.0",), writes=None) -> Explorer:
    return exploring(model, d=halves(model, reads, writes))


def firing(found: Explorer) -> int:
    """A feature that fires at some, not all, of the positions."""
    counts = {f.feature: f.n_firing for at in range(1, 8) for f in found.look("d", TEXT, at).firing}
    return next(feature for feature, n in sorted(counts.items()) if 0 < n < 7)


@pytest.mark.parametrize(("reads", "writes"), SITES, ids=str)
@pytest.mark.parametrize("change", [("scale", 1.0), ("clamp", 1e6)], ids=str)
def test_what_changes_no_activation_changes_nothing_bit_for_bit(model, reads, writes, change):
    found = explorer(model, reads, writes)
    done = found.steered("d", TEXT, 4, Steer(firing(found), *change), Draw(n_tokens=12))
    assert done.n_changed == 0 and done.n_fires > 0
    assert done.loss == done.random_loss == done.divergence == done.random_divergence == 0.0
    assert set(done.tokens) == {None, 0.0} and done.raised == done.lowered == ()
    assert done.samples.plain == done.samples.steered == done.samples.random
    # And what changes some activations does change something.
    done = found.steered("d", TEXT, 7, Steer(firing(found), "set", 9.0), Draw(n_tokens=12))
    assert done.n_changed == 7 and abs(done.loss) > 1e-3 and done.divergence > 1e-6


@pytest.mark.parametrize(("reads", "writes"), SITES, ids=str)
@pytest.mark.parametrize("change", [("set", 0.0), ("scale", 0.0), ("clamp", 0.0)], ids=str)
def test_taking_a_feature_to_zero_is_its_ablation(model, reads, writes, change):
    found = explorer(model, reads, writes)
    for at in range(1, 8):
        for effect in found.ablations("d", TEXT, at):
            done = found.steered("d", TEXT, at, Steer(effect.feature, *change), NONE)
            assert (done.tokens, done.loss, done.random_loss) == (effect.tokens, effect.total, effect.random_total)
            assert done.n_changed == done.n_fires == sum(act > 0 for act in effect.acts)


def test_by_hand():
    # Token b (id 3) writes 1, logits are (0, ..., R ln 3 at id 3): p(b | R) = 3^R / (3^R + 27), 28 tokens in all.
    E, U = torch.zeros(28, 1), torch.zeros(1, 28)
    E[3], U[0, 3] = 1.0, math.log(3)
    found = exploring(Mixing(E=E, U=U), d=dictionary_of(torch.ones(1, 1), torch.ones(1, 1)))
    done = found.steered("d", "abb", 2, Steer(0, "set", 3.0), NONE)
    p = {resid: 3**resid / (3**resid + 27) for resid in (0, 1, 3)}
    # 'a' is not counted; 'b' behind it is foretold from R = 0, then 3; the last from R = 1, then 3.
    expected = [math.log(p[0] / p[3]), math.log(p[1] / p[3])]
    assert done.tokens == (None, None, pytest.approx(expected[0]), pytest.approx(expected[1]))
    assert done.loss == pytest.approx(sum(expected)) and (done.n_fires, done.n_changed) == (2, 3)
    assert [(c.token, c.text) for c in done.raised] == [(3, "b")]
    assert (done.raised[0].before, done.raised[0].after) == (pytest.approx(p[1]), pytest.approx(p[3]))
    assert len(done.lowered) == 8 and all(c.after < c.before for c in done.lowered)
    q1, q3 = 1 / 30, 1 / 54
    assert done.divergence == pytest.approx(p[1] * math.log(p[1] / p[3]) + 27 * q1 * math.log(q1 / q3))
    # Limited to at most a half: 1 becomes 0.5, 0 stays.
    done = found.steered("d", "abb", 2, Steer(0, "clamp", 0.5), NONE)
    half = 3**0.5 / (3**0.5 + 27)
    assert done.tokens[2:] == (0.0, pytest.approx(math.log(p[1] / half))) and done.n_changed == 2


@pytest.mark.parametrize(("reads", "writes"), SITES, ids=str)
def test_predictions_and_control_are_those_of_a_whole_pass(model, reads, writes):
    found, at = explorer(model, reads, writes), 5
    feature, dictionary = firing(found), found.dictionaries["d"]
    done = found.steered("d", TEXT, at, Steer(feature, "scale", 3.0), NONE)
    acts = torch.tensor([token.act for token in found.look("d", TEXT, feature=feature).tokens])
    row = dictionary.W_dec[feature : feature + 1]
    ids = torch.tensor([[0, *Letters().encode([TEXT])[0]]])
    control = random_like(row, [feature], 0)
    assert float(control.norm()) == pytest.approx(float(row.norm()), rel=1e-5)
    shares = {}
    for name, direction in (("before", 0 * row), ("after", row), ("random", control)):
        edit = Edit(dictionary.writes[0], lambda x, d=direction: x + 2 * acts[:, None] * d)
        shares[name] = model.run(ids, read=["logits"], edits=[edit])["logits"][0, at].double().softmax(0)
    for change in (*done.raised, *done.lowered):
        for name, p in shares.items():
            assert getattr(change, name) == pytest.approx(float(p[change.token]), abs=1e-6)
    divergences = [float((shares["before"] * (shares["before"] / shares[n]).log()).sum()) for n in ("after", "random")]
    assert [done.divergence, done.random_divergence] == pytest.approx(divergences, abs=1e-6)
    assert done.raised[0].token == int((shares["after"] - shares["before"]).argmax())
    assert done.lowered[0].token == int((shares["after"] - shares["before"]).argmin())


def test_the_same_seed_gives_the_same_text_and_another_another(model):
    found = explorer(model)
    steer, draw = Steer(firing(found), "set", 4.0), Draw(n_tokens=14, seed=3)
    done = found.steered("d", TEXT, None, steer, draw)
    assert done.samples == explorer(model).steered("d", TEXT, None, steer, draw).samples
    assert done.samples != found.steered("d", TEXT, None, steer, Draw(n_tokens=14, seed=4)).samples
    assert done.samples.plain != done.samples.steered


@pytest.mark.parametrize(("reads", "writes"), SITES, ids=str)
def test_sampled_text_is_what_whole_passes_with_the_change_foretell(model, reads, writes):
    found = explorer(model, reads, writes)
    feature, dictionary = firing(found), found.dictionaries["d"]
    done = found.steered("d", TEXT, None, Steer(feature, "set", 4.0), Draw(n_tokens=10, temperature=0.0))
    ids = [0, *Letters().encode([TEXT])[0]]
    written = list(done.samples.steered.ids)
    assert len(written) > 2 or done.samples.steered.ended
    for i in range(len(written)):
        tokens = torch.tensor([ids + written[:i]])
        x = model.run(tokens, read=list(reads))[reads[0]].flatten(2)[0]
        own = dictionary.encode(x).dense()[:, feature]
        own = torch.where(tokens[0] != 0, 4.0 - own, 0.0)
        edit = Edit(dictionary.writes[0], lambda y, a=own: y + a[:, None] * dictionary.W_dec[feature])
        assert int(model.run(tokens, read=["logits"], edits=[edit])["logits"][0, -1].argmax()) == written[i]


def test_sampling_ends_with_the_context_or_the_document(model):
    found = explorer(model)
    done = found.steered("d", "a" * 20, None, Steer(0, "scale", 1.0), Draw(n_tokens=50, seed=1))
    assert len(done.samples.plain.ids) <= CONTEXT - 21
    full = found.steered("d", "a" * 23, None, Steer(0, "scale", 1.0), Draw(n_tokens=5)).samples.plain
    assert (full.ids, full.ended) == ((), "the model's context is full")
    # A model that always foretells its BOS.
    U = torch.zeros(1, 28)
    U[0, 0] = 50.0
    toy = Mixing(E=torch.ones(28, 1), U=U)
    ends = exploring(toy, d=dictionary_of(torch.ones(1, 1), torch.ones(1, 1)))
    done = ends.steered("d", "ab", None, Steer(0, "scale", 1.0), Draw(n_tokens=5)).samples.plain
    assert (done.ids, done.ended) == ((), "the model ended the document")


def test_tokens_are_drawn_by_their_probability():
    random, logits = torch.Generator().manual_seed(0), torch.tensor([1.0, 0.0, -math.inf, 2.0])
    for temperature in (1.0, 0.5):
        counts = torch.bincount(torch.tensor([drawn(logits, temperature, random) for _ in range(4000)]), minlength=4)
        assert torch.allclose(counts / 4000, (logits / temperature).softmax(0), atol=0.03)
    assert {drawn(logits, 0.0, random) for _ in range(20)} == {3}


def test_what_cannot_be_done_is_one_sentence(model):
    found = explorer(model)
    with pytest.raises(ConfigError, match="there is no feature 6: this dictionary has 0 to 5"):
        found.steered("d", TEXT, None, Steer(6, "set", 1.0), NONE)
    with pytest.raises(ConfigError, match=r"unknown change 'add'. Known: clamp, scale, set"):
        Steer(0, "add", 1.0)
    with pytest.raises(ConfigError, match="value is nan: it must be a finite number"):
        Steer(0, "set", math.nan)
    with pytest.raises(ConfigError, match="tokens is 101: it must be at least 0, at most 100"):
        Draw(n_tokens=101)
    with pytest.raises(ConfigError, match=r"temperature is -1\.0"):
        Draw(temperature=-1.0)
    with pytest.raises(SiteError, match="ln_final comes after"):
        explorer(model, ("ln_final",)).steered("d", TEXT, None, Steer(0, "set", 1.0), NONE)
