"""A feature planted in a synthetic language, all the way through `build` to its table: first, with the effect that
it is known to have, and neither on the same tokens in another order.

language   its one phrase is a first word, and then always its second; all else is as likely as it may be
model      its logits behind a token are that token's row of U, which knows what follows the first word and nothing else
features   one a token: without its feature a token tells the model nothing, and all N tokens are alike to it
"""

import math
from pathlib import Path

import pytest
import torch

from monosema.corpus import Language, LanguageConfig, Tokens, pack
from monosema.corpus.languages.config import PhraseConfig, SenseConfig, TopicConfig, WordConfig
from monosema.corpus.views import ShuffledTokens
from monosema.features import BuildConfig, build

from .toy_models import Mixing, dictionary_of
from .toy_tables import rows

pytestmark = pytest.mark.slow

CONTEXT = 24
LANGUAGE = Language(
    LanguageConfig(
        words=WordConfig(nouns=2, verbs=1, adjectives=2),
        topics=TopicConfig(1),
        senses=SenseConfig(0),
        phrases=PhraseConfig(n=1, share=0.4, fidelity=1.0),
        n_documents=90,
    )
)
N = len(LANGUAGE.vocabulary)
PLANTED, FOLLOWS = (LANGUAGE.vocabulary.classes[name].first for name in ("first", "second"))
CONFIG = BuildConfig(n_top=3, n_calibration=0, n_contexts=80, n_examples=4, n_effects=2, batch_tokens=480)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return pack(LANGUAGE.documents(), LANGUAGE.tokenizer, CONTEXT, tmp_path_factory.mktemp("text") / "corpus").train


def share_of_pairs(text: Tokens) -> float:
    """The share of the counted tokens that complete the phrase, by the language's own truth. A token counts where the
    one before is of its document and its block."""
    blocks, truth = text.blocks(0, text.n_blocks), LANGUAGE.truth_of(text, 0, text.n_blocks)
    counted = blocks.usable[:, 1:] & blocks.usable[:, :-1] & (blocks.documents[:, 1:] == blocks.documents[:, :-1])
    phrase = [feature.kind for feature in LANGUAGE.features].index("phrase")
    return float((truth.features[:, 1:, phrase] & counted).sum() / counted.sum())


def the_model(random: torch.Generator) -> Mixing:
    U = 0.3 * torch.randn(N, N, generator=random)
    U[PLANTED, FOLLOWS] = 4.0
    return Mixing(E=torch.eye(N), U=U)


def gain(model: Mixing) -> float:
    """What the feature is worth at each pair, nats: all N alike without it."""
    return math.log(N) - float(torch.logsumexp(model.U[PLANTED], 0) - model.U[PLANTED, FOLLOWS])


@pytest.fixture(scope="module")
def model() -> Mixing:
    return the_model(torch.Generator().manual_seed(1))


def table(tokens: Tokens | ShuffledTokens, model: Mixing, out: Path, config: BuildConfig = CONFIG) -> Path:
    """The folder of the table."""
    dictionary = dictionary_of(torch.eye(N), torch.eye(N))
    return build({"d": dictionary}, model, tokens, LANGUAGE.tokenizer, out, config)["d"]


def test_the_language_says_how_often_the_phrase_comes(text):
    # At the first token of a block, one in CONTEXT - 1, nothing is counted; the other tokens come as computed.
    assert share_of_pairs(text) == pytest.approx(float(LANGUAGE.frequencies[FOLLOWS]), rel=0.1)


def test_it_is_first_with_the_effect_that_it_is_known_to_have(model, text, tmp_path):
    folder = table(text, model, tmp_path)
    found = rows(folder / "features.parquet", "WHERE importance_total IS NOT NULL ORDER BY importance_total DESC")
    best, known = found[0], share_of_pairs(text) * gain(model)
    assert best["feature"] == PLANTED and len(found) == CONFIG.n_top
    assert abs(best["importance_total"] - known) < 2 * best["importance_total_se"]
    assert 10 * best["importance_total_se"] < known, "the error is small enough to tell"
    assert best["importance_total"] - 10 * best["importance_total_se"] > found[1]["importance_total"]
    effects = rows(folder / "effects.parquet", f"WHERE feature = {PLANTED}")
    assert effects
    for row, example in ((row, at(folder, row["pos"])) for row in effects):
        pairs = zip(row["dloss_total"][1:], example["ids"], example["ids"][1:], strict=False)
        worth = [effect for effect, before, token in pairs if (before, token) == (PLANTED, FOLLOWS)]
        assert worth == pytest.approx([gain(model)] * len(worth), abs=1e-5)


def at(folder: Path, pos: int) -> dict:
    """An example of the planted feature there."""
    return rows(folder / "examples.parquet", f"WHERE feature = {PLANTED} AND pos = {pos}")[0]


def test_it_is_not_where_the_labels_are_shuffled(model, text, tmp_path):
    everything = BuildConfig(**{**vars(CONFIG), "n_top": N})
    folder = table(ShuffledTokens(text, seed=0), model, tmp_path, everything)
    found = rows(folder / "features.parquet", "WHERE importance_total IS NOT NULL ORDER BY importance_total DESC")
    assert found[0]["feature"] != PLANTED
    its = next(row for row in found if row["feature"] == PLANTED)
    assert its["importance_total"] + 5 * its["importance_total_se"] < share_of_pairs(text) * gain(model) / 2
