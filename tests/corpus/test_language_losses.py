"""What is known of a language's losses: by hand, by enumeration, by counting, and by a model that learns it."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from small_language import SMALL

from monosema.corpus.languages.config import (
    AgreementConfig,
    LanguageConfig,
    NestingConfig,
    PhraseConfig,
    SenseConfig,
    TopicConfig,
    WordConfig,
)
from monosema.corpus.languages.language import Language
from monosema.corpus.packed import pack
from monosema.models import LMConfig, train_small
from monosema.models.held_out import document_losses, gather, unigram

BITS = math.log(2)
BARE = LanguageConfig(
    words=WordConfig(nouns=2, verbs=1, adjectives=1, exponent=0.0, adjective=0.0),
    topics=TopicConfig(1),
    nesting=NestingConfig(1, 0.0, 0),
    agreement=AgreementConfig(0.5, 0.0),
    senses=SenseConfig(0),
    phrases=PhraseConfig(0),
    object=0.0,
    sentences=3,
)
"""the|some|your|our noun(2 words, 2 numbers) verb . : 4 tokens and log 4 + log 4 nats a sentence."""


def h(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


# What is added to a sentence of 4 tokens and 4 bits, worked by hand.
WORKED = {
    "nothing": (BARE, 4, 4 * BITS),
    # after the verb a coin; with an object, a determiner and a noun more
    "objects": (replace(BARE, object=0.5), 5, 4 * BITS + BITS + 0.5 * 4 * BITS),
    # an adjective with 1/3, again after each: 1/2 of one for a noun, 3/2 decisions
    "adjectives": (
        replace(BARE, words=WordConfig(2, 1, 1, 0.0, 1 / 3)),
        4.5,
        4 * BITS + 1.5 * h(1 / 3),
    ),
    # an attractor with 1/3, again: 1/2 of one, of 3 tokens, the preposition one of six; 3/2 decisions
    "attractors": (
        replace(BARE, agreement=AgreementConfig(0.5, 1 / 3)),
        5.5,
        4 * BITS + 1.5 * h(1 / 3) + 0.5 * (math.log(6) + 4 * BITS),
    ),
    # a bracket with 1/4, again: 1/3 of one, of 5 tokens; 4/3 decisions, none inside; two kinds are one bit more
    "brackets": (
        replace(BARE, nesting=NestingConfig(2, 0.25, 1)),
        4 + 5 / 3,
        4 * BITS + 4 / 3 * h(0.25) + 1 / 3 * 5 * BITS,
    ),
    # before the noun a first with 1/5, again: 1/4 of one, 5/4 decisions, and a fourth of a coin for its second;
    # a second word behind half of them; where it is not, the decision is the same
    "phrases": (
        replace(BARE, phrases=PhraseConfig(1, 0.2, 0.5)),
        4 + 0.25 * 1.5,
        4 * BITS + 1.25 * h(0.2) + 0.25 * BITS,
    ),
    # of two nouns both have senses, in the singular: half of the nouns are followed by a coin for a mark
    "senses": (replace(BARE, senses=SenseConfig(2, 0.5)), 4.25, 4 * BITS + 0.5 * BITS),
}


@pytest.mark.parametrize("name", WORKED)
def test_the_entropy_worked_by_hand(name: str):
    config, n_tokens, nats = WORKED[name]
    language = Language(config)
    assert language.tokens_per_document == pytest.approx(3 * n_tokens)
    assert language.entropy.known == pytest.approx(nats / n_tokens)
    assert language.entropy.upper == pytest.approx(language.entropy.known)


def test_topics_cost_at_most_what_is_in_them():
    boosted = replace(BARE, topics=TopicConfig(2, 3.0))  # of the two nouns one is three times the other
    known = (4 * BITS - BITS + h(0.25)) / 4
    found = Language(boosted).entropy
    assert found.known == pytest.approx(known)
    assert found.upper == pytest.approx(known + BITS / 12)  # one bit for a document of 12 tokens
    switching = Language(replace(BARE, topics=TopicConfig(2, 3.0, 0.25))).entropy
    assert switching.upper == pytest.approx(known + (BITS + 2 * h(0.25)) / 12)


def test_without_the_topic_the_losses_are_the_mixture_over_all_topics():
    """Bayes by enumeration: p(document) = sum over courses of topics of p(course) p(document | course)."""
    language = Language(SMALL)
    n, switch = SMALL.topics.n, SMALL.topics.switch
    for i in range(3):
        passage = language.passage(i)
        ends = [t + 1 for t, token in enumerate(passage.tokens) if language.vocabulary.words[token] == "."]
        total = 0.0
        for course in itertools.product(range(n), repeat=SMALL.sentences):
            p = 1 / n
            for a, b in itertools.pairwise(course):
                p *= 1 - switch if a == b else switch / (n - 1)
            topics = [topic for topic, a, b in zip(course, [0, *ends], ends, strict=False) for _ in range(b - a)]
            told = language.losses(passage.tokens, topics)
            total += p * math.exp(-float(told[0].sum()))
        assert float(language.truth(i).best.sum()) == pytest.approx(-math.log(total))


@pytest.mark.parametrize("topic_known", [True, False])
def test_the_distribution_of_the_next_token_is_one_and_gives_the_losses(topic_known: bool):
    language = Language(SMALL)
    for i in range(3):
        tokens = torch.tensor(language.passage(i).tokens)
        rows = language.next_token(i, topic_known=topic_known)
        torch.testing.assert_close(rows.sum(1), torch.ones(len(tokens), dtype=torch.float64))
        truth = language.truth(i)
        expected = truth.known if topic_known else truth.best
        torch.testing.assert_close(-rows.gather(1, tokens[:, None])[:, 0].log(), expected)


@pytest.mark.slow
def test_counting_agrees_with_computing():
    language, n = Language(SMALL), 400
    truths = [language.truth(i) for i in range(n)]
    sums = torch.tensor([[float(t.known.sum()), float(t.best.sum()), len(t.known)] for t in truths]).double()
    entropy, lengths = language.entropy, sums[:, 2]
    deviation = float((sums[:, 0] - entropy.known * lengths).std()) / n**0.5 / float(lengths.mean())
    assert float(sums[:, 0].sum() / lengths.sum()) == pytest.approx(entropy.known, abs=4 * deviation)
    assert deviation < 0.02 * entropy.known
    best = float(sums[:, 1].sum() / lengths.sum())
    assert entropy.known - 4 * deviation < best < entropy.upper + 4 * deviation
    assert float((sums[:, 1] - sums[:, 0]).mean()) > 0.5, "topics that are not known cost something"
    assert float(lengths.mean()) == pytest.approx(language.tokens_per_document, rel=0.1)
    counts = torch.bincount(
        torch.cat([torch.tensor(language.passage(i).tokens) for i in range(n)]), minlength=len(language.vocabulary)
    ).double()
    expected = language.frequencies * counts.sum()
    assert float(expected[0]) == 0 == float(expected[-2:].sum())
    assert (
        float(((counts - expected)[1:-2].abs() / expected[1:-2].sqrt()).max()) < 8
    )  # tokens of a document are not independent
    assert float(language.frequencies.sum()) == pytest.approx(1)


@pytest.mark.slow
def test_a_model_comes_near_the_best_loss_and_not_below(tmp_path):
    """A small model learns the language: far below what token frequencies give, and never below the best."""
    language = Language(replace(SMALL, n_documents=800))
    packed = pack(language.documents(), language.tokenizer, 96, tmp_path / "corpus", held_out=0.1)
    config = LMConfig(n_layers=2, d_model=48, n_heads=4, steps=200, batch_size=16, lr=6e-3, eval_every=200)
    model = train_small(packed.train, packed.held_out, config, tmp_path / "lm")
    tokens, n = packed.held_out, packed.held_out.n_blocks
    model_losses = document_losses(model.module, tokens, unigram(packed.train), n)
    text = gather(tokens, torch.arange(n))
    documents, usable = text.documents, text.usable
    best, at = language.truth_of(tokens, 0, n).best[:, 1:], usable[:, 1:]
    rows = documents[:, 1:][at].unique(return_inverse=True)[1]
    best_sums = torch.zeros(len(model_losses.sums), dtype=torch.float64).index_add_(0, rows, best[at])
    excess = (model_losses.sums[:, 0] - best_sums) / model_losses.sums[:, 2]
    error = float(excess.std()) / len(excess) ** 0.5
    assert float(excess.mean()) > 3 * error, "the best possible loss is lower, beyond error"
    assert model_losses.model > language.entropy.known
    learnt = (model_losses.unigram - model_losses.model) / (
        model_losses.unigram - model_losses.model + float(excess.mean())
    )
    assert learnt > 0.7, "of what context can tell"
