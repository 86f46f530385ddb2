"""Sentences of agreement: verbs follow their own subjects, and nothing else tells their number."""

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.core.seeding import generator
from monosema.corpus import documents
from monosema.corpus.agreement import Agreement, AgreementConfig, AgreementText
from monosema.corpus.agreement.config import KINDS, parse_agreement
from monosema.corpus.agreement.language import ADVERBS, INNER, NOTHING, NOUNS, RELATIVE, SUBJECT, VERBS

LANGUAGE = Agreement(AgreementConfig())


def draws() -> torch.Generator:
    return generator(0, "test")


def is_plural(noun: str) -> bool:
    return noun.endswith("s")


def test_every_verb_has_the_number_of_its_subject():
    drawn, words = LANGUAGE.draw(600, draws()), LANGUAGE.words
    plurals = {pair[1] for pair in VERBS}
    seen = set()
    for tokens in drawn.tokens.tolist():
        said = [words[token] for token in tokens if token]
        assert said[0] == "The" and said[-1] == "."
        said = ["BOS", *said]
        assert (said[-2] in plurals) == is_plural(said[SUBJECT])
        assert said[-2] in {form for pair in VERBS for form in pair}
        inner = said[3] == "that"
        if inner:
            assert said[INNER + 1] in (RELATIVE if is_plural(said[INNER]) else [f"{verb}s" for verb in RELATIVE])
        adverb = said[-3] in ADVERBS
        seen.add((said[3] if inner else "beside" if len(said) > 7 else "simple", adverb))
    assert len(seen) == 6


def test_the_targets_are_the_verbs_and_nothing_else():
    drawn = LANGUAGE.draw(300, draws())
    verbs = {form for pair in VERBS for form in pair} | {form for verb in RELATIVE for form in (verb, f"{verb}s")}
    words = LANGUAGE.words
    for tokens, targets in zip(drawn.tokens.tolist(), drawn.targets.tolist(), strict=True):
        told = {t: words[target] for t, target in enumerate(targets) if target != NOTHING}
        assert told == {t - 1: words[token] for t, token in enumerate(tokens) if t and words[token] in verbs}


def test_no_word_but_the_subject_tells_the_verbs_number():
    # Drawn apart: over many phrases the other noun's number says nothing of the subject's.
    phrases = LANGUAGE.phrases(20_000, "beside", draws())
    both = [float((phrases.plural & (one == number)).sum()) for one in (phrases.other_plural,) for number in (0, 1)]
    assert both[0] / both[1] == pytest.approx(1, abs=0.06)
    assert float(phrases.plural.float().mean()) == pytest.approx(0.5, abs=0.015)
    assert phrases.subject.bincount().tolist() == pytest.approx([20_000 / len(NOUNS)] * len(NOUNS), rel=0.15)


def test_flipped_phrases_are_the_same_words_in_the_other_number():
    language = Agreement(AgreementConfig(adverbs=1.0))
    for kind in KINDS:
        phrases = language.phrases(50, kind, draws())
        one, both = language.prompts(phrases), language.prompts(phrases.flipped())
        subject = language.prompts(phrases.flipped(other=False))
        assert (one != subject).nonzero()[:, 1].unique().tolist() == [SUBJECT]
        differ = {"simple": [SUBJECT], "beside": [SUBJECT, INNER], "relative": [SUBJECT, INNER, INNER + 1]}[kind]
        assert (one != both).nonzero()[:, 1].unique().tolist() == differ
        assert torch.equal(language.prompts(phrases.flipped().flipped()), one)
        assert (torch.where(phrases.plural, 1, 0) == (one[:, SUBJECT] - language._at["author"]) % 2).all()


def test_prompts_all_have_an_adverb_or_none():
    assert Agreement(AgreementConfig(adverbs=0.0)).prompts(
        Agreement(AgreementConfig(adverbs=0.0)).phrases(3, "beside", draws())
    ).shape == (3, 6)
    with pytest.raises(ConfigError, match="all have an adverb, or none has"):
        LANGUAGE.prompts(LANGUAGE.phrases(50, "beside", draws()))


def test_as_a_corpus_it_is_the_same_however_much_is_asked_for():
    few, many = (list(AgreementText(AgreementConfig(n_documents=n)).documents()) for n in (1001, 1500))
    assert [text for _, text in few] == [text for _, text in many[:1001]]
    assert len({name for name, _ in many}) == 1500
    assert [one.text for one in documents("agreement:n_documents=1001")] == [text for _, text in few]
    words = {word.strip(".") for _, text in few for word in text.split()}
    assert words <= set(LANGUAGE.words)
    assert parse_agreement("agreement,adverbs=1,seed=3") == AgreementConfig(adverbs=1.0, seed=3)
    with pytest.raises(ConfigError, match=r"unknown setting 'adverb'\. Did you mean 'adverbs'"):
        parse_agreement("agreement:adverb=1")
    with pytest.raises(ConfigError, match="'1' is not of the form"):
        parse_agreement("agreement:1")
