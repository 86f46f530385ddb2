"""Scores of dictionaries spliced into a model whose losses are worked out by hand."""

import math

import pytest
import torch

from monosema.core.errors import ConfigError, DataError, MismatchError, SiteError
from monosema.evaluation import Control, ScoreConfig, score

CONFIG = ScoreConfig(batch_size=2)
LOSS, LOSS_ZERO = math.log(4 / 3), math.log(2)
# Tokens alternate, as the model of `toy.alternating` expects: five documents, with padding and BOS.
TEXT = ("^aAaAaA", "^aAabBb", "bBbBbBb", "^cCcdDd", "^eEeEe.")


@pytest.fixture
def model(toy):
    return toy.alternating()


@pytest.fixture
def tokens(toy):
    return toy.held_out(*TEXT)


def values(card, name="d"):
    return {metric: finding.value for metric, finding in card.findings[name].items()}


def test_the_identity_recovers_everything(toy, model, tokens):
    scores = values(score({"d": toy.identity()}, model, tokens, None, CONFIG))
    assert (scores["loss_recovered_zero"], scores["loss_recovered_mean"], scores["kl"]) == (1.0, 1.0, 0.0)
    assert (scores["mse"], scores["variance_explained"], scores["l0"]) == (0.0, 1.0, 1.0)
    assert scores["loss_spliced"] == scores["loss_model"] == pytest.approx(LOSS)


def test_the_zero_dictionary_recovers_nothing_of_zero_ablation(toy, model, tokens):
    scores = values(score({"d": toy.constant(torch.zeros(2))}, model, tokens, None, CONFIG))
    assert scores["loss_recovered_zero"] == 0.0
    assert scores["loss_spliced"] == scores["loss_zero"] == pytest.approx(LOSS_ZERO)
    # p = (1/4, 3/4) against (1/2, 1/2).
    assert scores["kl"] == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))
    assert (scores["l0"], scores["alive"], scores["l1"], scores["cosine"]) == (0.0, 0.0, 0.0, 0.0)


def test_the_mean_dictionary_recovers_nothing_of_mean_ablation(toy, model, tokens):
    # 28 letters are scored, 15 of token 0 (residual stream (1, 0)) and 13 of token 1 ((0, 1)).
    n_zero = sum(c.islower() for text in TEXT for c in text)
    n_one = sum(c.isupper() for text in TEXT for c in text)
    mean = torch.tensor([n_zero, n_one]) / (n_zero + n_one)
    scores = values(score({"d": toy.constant(mean)}, model, tokens, None, CONFIG))
    assert scores["loss_recovered_mean"] == pytest.approx(0.0, abs=1e-6)
    assert scores["variance_explained"] == pytest.approx(0.0, abs=1e-6)
    assert scores["loss_mean"] == pytest.approx(scores["loss_spliced"])
    assert scores["loss_mean"] != pytest.approx(scores["loss_zero"], abs=1e-4)


def test_what_is_scored_and_what_is_not(toy, model, tokens):
    card = score({"d": toy.identity()}, model, tokens, None, CONFIG)
    assert (card.n_tokens, card.n_documents, card.n_outliers) == (sum(c.isalpha() for t in TEXT for c in t), 5, 0)
    # Document c has three tokens and two predictions, not the one of d's first token.
    assert card.findings["d"]["loss_model"].n == 5


def test_a_prediction_needs_two_tokens_of_one_document(toy):
    # Wrong predictions (token 0 after 0) at every seam that must not count: after BOS, between
    # documents, before padding. Counted ones are right, so the loss is exactly ln(4/3).
    model, tokens = toy.alternating(), toy.held_out("^aAaa.", "aAbBcC", "^aAacC", "aAab^B")
    tokens.documents[0, 4] = 7  # the last 'a' of the first block is a document of its own
    scores = values(score({"d": toy.identity()}, model, tokens, None, CONFIG))
    assert scores["loss_model"] == pytest.approx(LOSS)


def test_unusable_positions_are_not_spliced(toy):
    # A model that predicts from the site's value alone; BOS and padding must keep theirs.
    seen = []
    model = toy.alternating()
    plain = model.run

    def run(tokens, read=(), edits=()):
        found = plain(tokens, [*read, "resid_post.0"], edits)
        if edits:
            seen.append((tokens, found["resid_post.0"]))
        return found

    model.run = run
    tokens = toy.held_out("^aAa..")
    score({"d": toy.constant(torch.tensor([5.0, 5.0]))}, model, tokens, None, CONFIG)
    spliced = seen[-1][1][0]
    assert spliced[1:4].tolist() == [[5.0, 5.0]] * 3
    assert spliced[[0, 4, 5]].tolist() == model.E[tokens.tokens[0, [0, 4, 5]]].mul(2).tolist()


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_scores_do_not_depend_on_the_batch_size(toy, model, tokens, batch_size):
    half = toy.ReluDictionary(0.7 * torch.eye(2), torch.eye(2), torch.zeros(2))
    one, other = (values(score({"d": half}, model, tokens, None, ScoreConfig(batch_size=b))) for b in (2, batch_size))
    assert other == pytest.approx(one, rel=1e-6)


def test_a_transcoder_is_judged_where_it_writes(toy, tokens):
    # mlp_out = mlp_in @ M: reading mlp_in and writing f @ M is exact; writing f is not.
    model = toy.alternating()
    # The MLP turns a token's direction into the other's, which is the right prediction.
    model.M, model.U = torch.tensor([[0.0, 4.0], [4.0, 0.0]]), torch.eye(2)
    sites = {"reads": ("mlp_in.0",), "writes": ("mlp_out.0",)}
    both = torch.cat([torch.eye(2), -torch.eye(2)])
    exact = toy.ReluDictionary(both, both @ model.M, torch.zeros(2), **sites)
    card = score({"exact": exact, "wrong": toy.identity(**sites)}, model, tokens, None, CONFIG)
    assert values(card, "exact")["mse"] == 0.0
    assert values(card, "exact")["loss_recovered_zero"] == 1.0
    assert values(card, "wrong")["mse"] > 0.1
    assert values(card, "wrong")["loss_recovered_zero"] < 0.9


def test_a_crosscoder_writes_all_its_sites_at_once(toy, model, tokens):
    # (.5, 0) at mlp_in is (2, 0) at resid_post; the latter alone decides, and the halves must not mix.
    model.M = 3 * torch.eye(2)
    sites = ("mlp_in.0", "resid_post.0")
    both = {"reads": sites, "writes": sites, "widths_in": (2, 2), "widths_out": (2, 2)}
    whole = toy.identity(4, **both)
    first, second = torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0, 1.0])
    decoders = {"whole": whole.W_dec, "swapped": whole.W_dec.roll(2, 1)}
    decoders |= {"first": whole.W_dec * first, "second": whole.W_dec * second}
    dictionaries = {n: toy.ReluDictionary(whole.W_enc, W_dec, torch.zeros(4), **both) for n, W_dec in decoders.items()}
    card = score(dictionaries, model, tokens, None, CONFIG)
    assert values(card, "whole")["l0"] == 2.0
    assert {name: values(card, name)["mse"] for name in decoders} == {
        "whole": 0.0,
        "swapped": 2 * 1.5**2 / 4,
        "first": 2**2 / 4,
        "second": 0.5**2 / 4,
    }
    # Odds of 3^2 to 1 from (2, 0), of sqrt(3) to 1 from (.5, 0), even from zero.
    losses = {name: values(card, name)["loss_spliced"] for name in decoders}
    assert losses["second"] == losses["whole"] == pytest.approx(math.log(1 + 1 / 9))
    assert losses["swapped"] == pytest.approx(math.log(1 + 3**-0.5))
    assert losses["first"] == pytest.approx(math.log(2))


def test_one_clean_pass_for_all_dictionaries(toy, tokens):
    runs = {}
    for n in (1, 3):
        model = toy.alternating()
        score({f"d{i}": toy.identity() for i in range(n)}, model, tokens, None, ScoreConfig(batch_size=5))
        runs[n] = model.n_runs
    # One batch: norms, means, clean, zero, mean, and one spliced pass a dictionary.
    assert runs == {1: 6, 3: 8}


def test_outliers_are_left_as_they_are_and_counted(toy):
    # Token 1 of document z is a hundred times as long as the others and badly reconstructed.
    model = toy.LinearModel(
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [300.0, 300.0]]), 0 * torch.eye(2), torch.eye(2).repeat(1, 2)[:, :3]
    )
    tokens = toy.held_out("aAaAaAaA", "bBbBbBbB")
    tokens.d_vocab, tokens.tokens[0, 3] = 3, 2
    half = toy.ReluDictionary(torch.eye(2), torch.eye(2), torch.zeros(2))
    half.b_dec = torch.tensor([0.0, 1.0])
    kept = score({"d": half}, model, tokens, None, ScoreConfig(exclude_outliers=False))
    left_out = score({"d": half}, model, tokens, None, ScoreConfig())
    assert (kept.n_tokens, kept.n_outliers) == (16, 0)
    assert (left_out.n_tokens, left_out.n_outliers) == (15, 1)
    # 7 and 8 rows a side of variance ~1/2 in all: the outlier alone makes a bad fit look perfect.
    assert values(kept)["variance_explained"] > 0.999
    assert values(left_out)["variance_explained"] == pytest.approx(1 - 15 / (2 * 7 * 8 / 15))


def test_the_control_is_joined_by_name(toy, model, tokens):
    blind = toy.LinearModel(model.E, model.M, torch.zeros(2, 2), name="blind")
    control = Control({"d": toy.constant(torch.zeros(2))}, blind, "a model that has learnt nothing")
    card = score({"d": toy.identity(), "alone": toy.identity()}, model, tokens, control, CONFIG)
    finding = card.findings["d"]["loss_model"]
    assert (finding.control, finding.control_is) == (pytest.approx(LOSS_ZERO), "a model that has learnt nothing")
    assert finding.value == pytest.approx(LOSS)
    assert card.findings["d"]["alive"].control == 0.0
    assert card.histograms["d"].control_dead == 1
    alone = card.findings["alone"]["mse"]
    assert (alone.control, alone.control_is) == (None, "the control has no dictionary 'alone'")
    assert card.histograms["alone"].control is None


def test_a_skipped_control_says_so(toy, model, tokens):
    card = score({"d": toy.identity()}, model, tokens, None, CONFIG)
    assert {(f.control, f.control_is) for f in card.findings["d"].values()} == {(None, "skipped by the user")}
    assert card.control_is == "skipped by the user"


def test_max_tokens_takes_whole_blocks_at_even_distances(toy, model):
    tokens = toy.held_out("aAaA", "bBbB", "cCcC", "dDdD", "eEeE", "fFfF")
    card = score({"d": toy.identity()}, model, tokens, None, ScoreConfig(max_tokens=15))
    assert (card.n_tokens, card.n_documents) == (12, 3)
    read = []
    tokens.blocks = lambda start, stop, of=tokens.blocks: read.append((start, stop)) or of(start, stop)
    score({"d": toy.identity()}, model, tokens, None, ScoreConfig(max_tokens=15))
    assert set(read) == {(0, 1), (2, 3), (4, 5)}


def test_bad_input_is_named(toy, model, tokens):
    d = toy.identity()
    with pytest.raises(ConfigError, match="no dictionary"):
        score({}, model, tokens, None, CONFIG)
    with pytest.raises(MismatchError, match=r"'d' has 3 numbers at resid_post\.0, linear has 2"):
        score({"d": toy.identity(3)}, model, tokens, None, CONFIG)
    with pytest.raises(DataError, match="no held-out position is usable"):
        score({"d": d}, model, toy.held_out("^...", "^..."), None, CONFIG)
    with pytest.raises(DataError, match="follows another"):
        score({"d": d}, model, toy.held_out("aBc.", "^.aB"), None, CONFIG)
    with pytest.raises(ConfigError, match="batch_size is 0"):
        ScoreConfig(batch_size=0)
    model.E[1, 0] = torch.nan
    with pytest.raises(DataError, match=r"resid_post\.0 is not finite at"):
        score({"d": d}, model, tokens, None, CONFIG)
    model.n_context = 3
    with pytest.raises(MismatchError, match="blocks of 7"):
        score({"d": d}, model, tokens, None, CONFIG)


def test_a_site_that_does_not_exist_is_the_models_error(toy, model, tokens):
    def width(site):
        raise SiteError(f"site {site} does not exist")

    model.width = width
    with pytest.raises(SiteError, match=r"resid_post\.0"):
        score({"d": toy.identity()}, model, tokens, None, CONFIG)
