"""Verdicts on dictionaries that are known to be good, random, or trained on shuffled text.

language   the tokens 0 .. N - 1 over and over: what comes next is certain, and a pair (previous, token) is one of N
model      x = a direction of its own for every pair, N * N in all; its logits know what follows each pair
good       trained on the text: N pairs, and features for all of them. On shuffled text there are N * N pairs for as few
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from monosema.corpus.blocks import TokenBlocks
from monosema.corpus.views import ShuffledTokens
from monosema.dictionaries import Dictionary, TrainConfig, parse_spec, train
from monosema.evaluation import ScoreConfig
from monosema.evaluation.checks import OWN, Measure, Verdict
from monosema.evaluation.claims import judge_all
from monosema.evaluation.contrasts import welch
from monosema.evaluation.random_decoder import random_decoder
from monosema.evaluation.side_by_side import fidelity, frequencies, measured_at
from monosema.evaluation.stability import find_again, over_seeds, random_directions

pytestmark = pytest.mark.slow

SITE = "resid_post.0"
N, D, CONTEXT, N_BLOCKS = 8, 96, 33, 64
N_FEATURES = 14


class Pairs:
    """Reads pairs of tokens; `knows` what follows them, or not."""

    def __init__(self, seed: int, *, knows: bool) -> None:
        random = torch.Generator().manual_seed(seed)
        self.P = torch.linalg.qr(torch.randn(D, D, generator=random)).Q[: N * N]
        following = torch.eye(N).roll(1, 1).repeat(N, 1) if knows else torch.zeros(N * N, N)
        self.U = 5.0 * self.P.T @ following
        self.name, self.d_vocab, self.n_context, self.device = "pairs", N, CONTEXT, torch.device("cpu")

    def width(self, site: str) -> int:
        return {SITE: D}[site]

    def run(self, tokens: Tensor, read, edits=()) -> dict[str, Tensor]:
        pair = tokens.clone()
        pair[:, 1:] += N * tokens[:, :-1]
        x = self.P[pair]
        for edit in edits:
            x = edit.apply(x.clone())
        return {site: {SITE: x, "logits": x @ self.U}[site] for site in read}


def text() -> SimpleNamespace:
    """Blocks that count on from somewhere, of one document each; the first position is no text."""
    tokens = (torch.arange(N_BLOCKS).unsqueeze(1) * 3 + torch.arange(CONTEXT)) % N
    documents = torch.arange(N_BLOCKS).unsqueeze(1).expand_as(tokens).clone()
    usable = torch.arange(CONTEXT).expand_as(tokens) > 1
    return SimpleNamespace(
        context=CONTEXT,
        n_blocks=N_BLOCKS,
        d_vocab=N,
        fingerprint="7e",
        blocks=lambda a, b: TokenBlocks(tokens[a:b], documents[a:b], usable[a:b]),
        document_name=str,
    )


@dataclass(frozen=True)
class Batch:
    activations: dict[str, Tensor]
    documents: Tensor
    positions: Tensor


class Source:
    """Every usable row of a text, in random order, over and over."""

    def __init__(self, model: Pairs, tokens) -> None:
        read = tokens.blocks(0, tokens.n_blocks)
        self.x = model.run(read.tokens, [SITE])[SITE][read.usable]
        self.widths, self.n_rows, self.fingerprint = {SITE: D}, len(self.x), "5c"

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        random = torch.Generator().manual_seed(seed)
        for step in range(10**6):
            rows = torch.randint(self.n_rows, (batch_size,), generator=random)
            if step >= start:
                yield Batch({SITE: self.x[rows]}, rows, torch.zeros_like(rows))


MODEL, BLANK, TEXT = Pairs(0, knows=True), Pairs(1, knows=False), text()
SHUFFLED = ShuffledTokens(TEXT)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The recipe on a model and a text, with a seed."""

    def make(model: Pairs, tokens, seed: int = 0) -> Dictionary:
        spec = parse_spec(f"d=topk,k=1,n_features={N_FEATURES},lr=0.02,dead_after=512", (SITE,), (SITE,))
        config = TrainConfig(rows=64 * 100, batch_size=64, seed=seed)
        return train(Source(model, tokens), [spec], config, tmp_path_factory.mktemp("d")).dictionaries["d"]

    return make


@pytest.fixture(scope="module")
def made(trained) -> dict[str, Dictionary]:
    good, shuffled = trained(MODEL, TEXT), trained(MODEL, SHUFFLED)
    x = Source(MODEL, TEXT).x
    return {
        "good": good,
        "random decoder": random_decoder(good, x, seed=5),
        "trained on shuffled text": shuffled,
        "randomised": trained(BLANK, TEXT),
    }


@pytest.fixture(scope="module")
def verdict(made, trained):
    """The verdict on a claim of one of the dictionaries above."""
    config, x = ScoreConfig(), Source(MODEL, TEXT).x
    names = ("good", "random decoder", "trained on shuffled text")
    on_text = {name: made[name] for name in names} | {f"beside {n}": random_decoder(made[n], x) for n in names}
    tallies = dict(measured_at(on_text, MODEL, TEXT, config, "text").tallies)
    tallies |= measured_at({"randomised": made["randomised"]}, BLANK, TEXT, config, "blank").tallies
    again = [trained(MODEL, TEXT, seed) for seed in (1, 2, 3)]

    def measures(name: str) -> list[Measure]:
        beside = {
            "random": tallies[f"beside {name}"],
            "randomised": tallies["randomised"],
            "shuffled_on_text": tallies["trained on shuffled text"],
        }
        found = fidelity(OWN, tallies[name], beside, (), 0)
        own = [find_again(made[name].W_dec, other.W_dec) for other in again]
        drawn = [find_again(random_directions(N_FEATURES, D, 0, i), other.W_dec) for i, other in enumerate(again)]
        e = over_seeds(own)["found_7"]
        contrast = welch("directions", *([pair.values()["found_7"] for pair in pairs] for pairs in (own, drawn)))
        return [*found, Measure("found_7", OWN, e.value, e.low, e.high, e.n, e.unit, (contrast,))]

    def of(name: str, claim: str) -> Verdict:
        return next(verdict for verdict in judge_all(name, measures(name)) if verdict.claim == claim)

    of.tallies = tallies
    return of


@pytest.mark.parametrize(
    ("claim", "good", "random_decoder_", "shuffled"),
    [
        ("reconstruction", "supported", "not supported", ""),
        ("predictions", "supported", "not supported", "not supported"),
        ("order", "supported", "not supported", "not supported"),
        ("learnt", "not supported", "not supported", "not supported"),
        ("again", "supported", "not supported", "not supported"),
        ("foretell", "not measured", "not measured", "not measured"),
    ],
)
def test_each_dictionary_gets_what_it_deserves(verdict, claim, good, random_decoder_, shuffled):
    names = {"good": good, "random decoder": random_decoder_, "trained on shuffled text": shuffled}
    names = {name: outcome for name, outcome in names.items() if outcome}
    found = {name: verdict(name, claim) for name in names}
    assert {name: v.outcome for name, v in found.items()} == names, [v.reasons for v in found.values()]


def test_a_dictionary_that_is_its_own_control_differs_by_nothing(verdict):
    found = verdict("trained on shuffled text", "order")
    assert "difference 0, 95% 0..0: not clear of zero" in found.reasons[0]


def test_frequencies_stand_beside_the_controls(verdict):
    own, beside = frequencies(verdict.tallies["good"], {"random": verdict.tallies["beside good"]})
    assert (own.side, own.distance, beside.side) == ("", 0.0, "random")
    assert sum(own.counts) + own.dead == sum(beside.counts) + beside.dead == N_FEATURES
    assert beside.distance < 0.5
