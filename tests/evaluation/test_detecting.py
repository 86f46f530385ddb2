"""Detectors of known features: by hand, against every threshold tried in turn, and on text."""

import pytest
import torch

from monosema.core.errors import DataError
from monosema.corpus.languages.config import (
    LanguageConfig,
    NestingConfig,
    PhraseConfig,
    SenseConfig,
    TopicConfig,
    WordConfig,
)
from monosema.corpus.languages.language import Language
from monosema.corpus.packed import Packed, pack
from monosema.dictionaries.codes import SparseCodes
from monosema.evaluation.detecting import _half, best_detectors, detect, f1_of, mean_f1, shuffled
from monosema.evaluation.scoring import Control

SMALL = LanguageConfig(
    words=WordConfig(nouns=8, verbs=4, adjectives=3),
    topics=TopicConfig(n=2),
    nesting=NestingConfig(kinds=2, open=0.3, max_depth=1),
    senses=SenseConfig(n=3),
    phrases=PhraseConfig(n=2, share=0.3),
    sentences=4,
    n_documents=50,
)


def test_f1_of_a_detector_by_hand():
    # 40 documents of 4 tokens, all alike. The feature is at tokens 0 and 1. Latent 0 is 3 and 2 there, and 1 at token
    # 2; latent 1 is at token 0 alone, latent 2 is everywhere and the same. The best is latent 0 from 2 on: all right.
    f = torch.tensor([[3.0, 9, 5], [2, 0, 5], [1, 0, 5], [0, 0, 5]]).repeat(40, 1)
    truth = torch.tensor([[True], [True], [False], [False]]).repeat(40, 1)
    documents = torch.arange(40).repeat_interleave(4)
    (found,) = best_detectors(SparseCodes.from_dense(f), truth, documents)
    assert found is not None
    assert (found.latent, found.threshold) == (0, 2.0)
    assert found.counts.tolist() == [[2, 2, 2, 4]] * 20
    (worse,) = best_detectors(SparseCodes.from_dense(f[:, 1:]), truth, documents)
    assert worse is not None
    # Token 0 alone: precision 1, recall 1/2, as good as always: precision 1/2, recall 1. The lower number is taken.
    assert (worse.latent, float(f1_of(worse.counts.sum(0)))) == (0, pytest.approx(2 / 3))


def test_equal_values_are_told_together():
    # The one value of the latent comes at the feature and elsewhere: a threshold between the two does not exist.
    f = torch.tensor([[1.0], [1], [0], [0]]).repeat(40, 1)
    truth = torch.tensor([[True], [False], [False], [False]]).repeat(40, 1)
    (found,) = best_detectors(SparseCodes.from_dense(f), truth, torch.arange(40).repeat_interleave(4))
    assert found is not None
    assert float(f1_of(found.counts.sum(0))) == pytest.approx(2 / 3)


def test_it_is_the_best_of_all_latents_and_thresholds():
    random = torch.Generator().manual_seed(0)
    f = torch.relu(torch.randn(300, 5, generator=random)).mul(4).round().div(4)  # with ties
    truth = torch.rand(300, 3, generator=random) < torch.sigmoid(3 * f[:, :3] - 3)
    documents = torch.arange(300) // 10
    chooses = _half(documents, 7)
    assert int(chooses.sum()) == 150
    for feature, found in enumerate(best_detectors(SparseCodes.from_dense(f), truth, documents, 7)):
        best = (-1.0, 0, 0.0)
        for latent in range(5):
            for threshold in f[f[:, latent] > 0, latent].unique().flip(0).tolist():
                told, true = f[chooses, latent] >= threshold, truth[chooses, feature]
                f1 = 2 * int((told & true).sum()) / int(told.sum() + true.sum())
                best = max(best, (f1, latent, threshold), key=lambda each: each[0])
        assert found is not None
        assert (found.latent, found.threshold) == best[1:]
        told, true = f[~chooses, found.latent] >= found.threshold, truth[~chooses, feature]
        assert found.counts.sum(0).tolist() == [int((told & true).sum()), int(told.sum()), int(true.sum()), 150]


def test_what_is_not_there_is_left_out_and_what_never_fires_detects_nothing():
    truth = torch.zeros(40, 2, dtype=torch.bool)
    truth[:, 1] = True
    silent = SparseCodes.from_dense(torch.zeros(40, 3))
    absent, found = best_detectors(silent, truth, torch.arange(40) // 4)
    assert absent is None
    assert found is not None and found.latent == -1 and float(f1_of(found.counts.sum(0))) == 0
    with pytest.raises(DataError, match="at least two documents"):
        best_detectors(silent, truth, torch.zeros(40, dtype=torch.int64))


def test_shuffled_labels_are_another_documents_from_its_beginning():
    documents = torch.tensor([5, 5, 5, 2, 2, 9])
    truth = torch.eye(6, dtype=torch.bool)  # every row its own label
    rows = {5: [0, 1, 2], 2: [3, 4], 9: [5]}
    for seed in range(5):
        said = shuffled(truth, documents, seed).int().argmax(1).tolist()
        for document, own in rows.items():
            (donor,) = {other for other, theirs in rows.items() if said[own[0]] in theirs}
            assert donor != document
            assert [said[row] for row in own] == [rows[donor][i % len(rows[donor])] for i in range(len(own))]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Language, Packed]:
    language = Language(SMALL)
    return language, pack(language.documents(), language.tokenizer, 32, tmp_path_factory.mktemp("text") / "c", 0.5)


def test_tokens_tell_words_and_nothing_that_is_around_them(toy, corpus: tuple[Language, Packed]):
    """A dictionary of the tokens themselves, beside one of constants: words, and no sense, topic or agreement."""
    language, packed = corpus
    n = len(language.vocabulary)
    zero = torch.zeros(n, n)
    model, blind = (toy.LinearModel(E, zero, zero) for E in (torch.eye(n), torch.ones(n, n)))
    each = toy.ReluDictionary(torch.eye(n), torch.eye(n), torch.zeros(n))
    control = Control({"d": each}, blind, "a model of one activation")
    found = detect({"d": each}, model, packed.held_out, language, control)["d"]
    by_name = {detection.feature: detection for detection in found}
    words = [detection for detection in found if detection.kind == "word"]
    assert len(words) == 3
    for word in words:
        assert (word.f1.value, word.precision, word.recall) == (1, 1, 1)
        assert language.vocabulary.words[word.latent] == word.feature
        # In the control every latent is always on: as good as saying yes everywhere.
        assert word.f1.control == pytest.approx(2 * word.share / (1 + word.share), rel=1e-9)
        assert word.f1.control_is == "a model of one activation"
        outside = by_name[f"{word.feature} outside"]  # the same latent: right wherever the word is outside
        assert outside.latent == word.latent
        assert outside.recall == 1
        assert outside.precision == pytest.approx(outside.share / word.share, rel=1e-9)
    for name in ("topic 0", "topic 1", "plural verb awaited"):
        assert by_name[name].f1.value < 0.6
    means = mean_f1(found)
    assert means["word"].value == 1 and means["word"].n == 3 and means["word"].unit == "features"
    assert list(means) == ["topic", "depth", "inside", "agreement", "attractor", "word", "sense", "phrase"]
    skipped = detect({"d": each}, model, packed.held_out, language, None)["d"]
    assert skipped[0].f1.control is None and "skipped" in str(skipped[0].f1)


def test_what_tells_a_topic_does_not_tell_another_documents(toy, corpus: tuple[Language, Packed]):
    """Latents that are the topic itself: all of it is found, and with shuffled labels what chance gives."""
    language, packed = corpus
    n = len(language.vocabulary)

    class Knowing(toy.LinearModel):
        def run(self, tokens: torch.Tensor, read=(), edits=()) -> dict[str, torch.Tensor]:  # noqa: ARG002
            at = [self.n_runs * 8, self.n_runs * 8 + len(tokens)]
            self.n_runs += 1
            return {site: language.truth_of(packed.held_out, *at).features[..., :2].float() for site in read}

    model = Knowing(torch.eye(n, 2), torch.zeros(2, 2), torch.zeros(2, n))
    both = toy.ReluDictionary(torch.eye(2), torch.eye(2), torch.zeros(2))
    found = detect({"d": both}, model, packed.held_out, language, None)["d"]
    topics = [detection for detection in found if detection.kind == "topic"]
    assert [(d.feature, d.latent, d.f1.value) for d in topics] == [("topic 0", 0, 1.0), ("topic 1", 1, 1.0)]
    assert all(0.2 < d.shuffled < 0.75 for d in topics), "of two topics, half are right by chance"
