"""Languages: what the text is, read again from the words alone, and that it comes as a corpus does."""

import itertools
from dataclasses import replace

import pytest
import torch
from small_language import SMALL

from monosema.core.errors import ConfigError, MismatchError
from monosema.corpus.document import Document, documents
from monosema.corpus.languages.config import (
    AgreementConfig,
    LanguageConfig,
    NestingConfig,
    PhraseConfig,
    SenseConfig,
    TopicConfig,
    WordConfig,
    parse_language,
)
from monosema.corpus.languages.language import Language
from monosema.corpus.packed import pack


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(SMALL)


def read_again(words: list[str], charged: list[str]) -> list[set[str]]:
    """What is true behind every word, told by the endings of the words and a stack, without grammar or states."""
    closing = {"(": ")", "[": "]"}
    stack: list[tuple[str, str, bool]] = []  # bracket, and the number and attraction that it interrupts
    number, attracted, determined, found = "", False, "", []
    for before, word in zip([".", *words], words, strict=False):
        here = set()
        if word in closing:
            stack.append((word, number, attracted))
            number, attracted = "", False
        elif stack and word == closing[stack[-1][0]]:
            assert not number, "a clause ends with its verb said"
            _, number, attracted = stack.pop()
        elif word in {"the", "some", "your", "our"}:
            determined = before
        elif word.endswith(("o", "os")) and len(word) in (5, 6):
            its = "plural" if word.endswith("s") else "singular"
            if number:
                attracted |= its != number
            elif not determined.endswith(("at", "ant")):
                number = its
        elif word.endswith(("at", "ant")):
            assert number == ("plural" if word.endswith("ant") else "singular"), "the verb agrees with its subject"
            number, attracted = "", False
        elif word == ".":
            assert not stack, "a sentence ends with its brackets closed"
            assert not number
        elif word.endswith("em"):
            here.add(f"{before} {word}")
        if word in charged:
            here |= {word, f"{word} in {stack[-1][0]}" if stack else f"{word} outside"}
        if stack:
            here |= {f"depth {len(stack)}", f"inside {stack[-1][0]}"}
        if number:
            here.add(f"{number} verb awaited")
        if attracted:
            here.add("attractor")
        found.append(here)
    return found


def test_the_features_are_those_that_a_reader_of_the_words_finds(language: Language):
    charged = list(language.vocabulary.classes["singular noun"].words[:3])
    names = [feature.name for feature in language.features]
    assert len(set(names)) == len(names)
    seen = set()
    for i in range(40):
        passage, truth = language.passage(i), language.truth(i)
        told = [
            {name for name, on in zip(names, row, strict=True) if on and not name.startswith("topic")}
            for row in truth.features.tolist()
        ]
        assert told == read_again(language.text(passage).split(" "), charged)
        topics = truth.features[:, [names.index(f"topic {topic}") for topic in range(3)]]
        assert torch.equal(topics, torch.nn.functional.one_hot(torch.tensor(passage.topics), 3).bool())
        seen |= set().union(*told)
    assert seen == {name for name in names if not name.startswith("topic")}, "every feature occurs"


@pytest.mark.slow
def test_a_mark_tells_the_noun_and_the_bracket_together():
    config = replace(SMALL, senses=SenseConfig(n=3, share=0.8), nesting=NestingConfig(2, 0.3, 1))
    language = Language(config)
    marks: dict[tuple[str, str], list[str]] = {}
    senses = {f.name: column for column, f in enumerate(language.features) if f.kind == "sense"}
    for i in range(150):
        words = language.text(language.passage(i)).split(" ")
        features = language.truth(i).features
        for name, column in senses.items():
            noun, where = name.split(" ", 1)
            found = marks.setdefault((noun, where), [])
            found += [words[t + 1] for t in features[:, column].nonzero().flatten().tolist()]
    said = {key: {word for word in words if word.endswith("ux")} for key, words in marks.items()}
    assert len(said) == 9
    assert all(len(words) == 1 for words in said.values()), "one mark for a noun in a bracket"
    for noun in {noun for noun, _ in said}:
        assert len(set().union(*(words for key, words in said.items() if key[0] == noun))) == 3, "one for each bracket"
    followers = list(itertools.chain(*marks.values()))
    share = sum(word.endswith("ux") for word in followers) / len(followers)
    assert share == pytest.approx(0.8, abs=4 * (0.8 * 0.2 / len(followers)) ** 0.5)


def test_a_passage_is_the_same_whenever_it_is_asked_for(language: Language):
    again = Language(SMALL)
    assert [again.passage(i) for i in (5, 2)] == [language.passage(i) for i in (5, 2)]
    assert language.passage(5).tokens != language.passage(2).tokens
    assert language.passage(10**9).tokens, "there is no last one"
    other = Language(replace(SMALL, seed=1))
    assert other.passage(5).tokens != language.passage(5).tokens
    assert other.vocabulary.words != language.vocabulary.words
    assert other.fingerprint != language.fingerprint == again.fingerprint


def test_topics_stay_without_switch_and_change_to_another_with_it():
    switching = Language(replace(SMALL, topics=TopicConfig(3, 6.0, 1.0)))
    staying = Language(replace(SMALL, topics=TopicConfig(3, 6.0, 0.0)))
    assert all(len(set(staying.passage(i).topics)) == 1 for i in range(20))
    assert {staying.passage(i).topics[0] for i in range(40)} == {0, 1, 2}
    for i in range(20):
        passage = switching.passage(i)
        stops = [t for t, token in enumerate(passage.tokens) if switching.vocabulary.words[token] == "."]
        of_sentences = [passage.topics[t] for t in stops]
        assert all(a != b for a, b in itertools.pairwise(of_sentences))


def test_every_word_is_a_token_and_the_text_comes_back(language: Language):
    tokenizer = language.tokenizer
    texts = [document.text for document in language.documents()]
    ids = tokenizer.encode(texts)
    assert ids == [language.passage(i).tokens for i in range(60)]
    assert [tokenizer.decode(each) for each in ids] == texts
    assert "".join(tokenizer.token_texts(ids[0])) == texts[0]
    assert tokenizer.vocab_size == len(language.vocabulary) == 1 + max(tokenizer.bos, tokenizer.pad)
    assert tokenizer.raw.get_vocab() == {word: i for i, word in enumerate(language.vocabulary.words)}
    unknown = tokenizer.encode(["the <|bos|> runs"])[0]
    assert unknown == [language.vocabulary.words.index("the"), 0, 0], "what is no word is <|unk|>, never a special"


def test_it_is_read_as_a_corpus_by_its_spec():
    spec = "language, words.nouns=9,topics.n=2,seed=4,n_documents=3"
    config = LanguageConfig(words=WordConfig(nouns=9), topics=TopicConfig(n=2), seed=4, n_documents=3)
    assert parse_language(spec) == config
    assert parse_language("language") == LanguageConfig()
    assert list(documents(spec)) == list(Language(config).documents())
    assert len(list(documents(spec))) == 3


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("language,topic.n=2", r"unknown setting 'topic.n'. Did you mean 'topics.n'\?"),
        ("language,topics=2", "unknown setting 'topics'"),
        ("language,seed", "'seed' is not of the form setting=value"),
        ("language,seed=x", "expected int, got 'x'"),
        ("language,topics.n=0", "n is 0: it must be at least 1"),
        ("language,topics.n=1,topics.switch=0.5", "switch needs another topic"),
        ("language,senses.n=2", "with 2 kinds of brackets give 0, or at least 3"),
        ("language,words.nouns=4", r"senses.n is 8: it must be at least 0, at most 4"),
        ("language,words.adjective=0.6,phrases.share=0.6", "words.adjective \\+ phrases.share is 1.2"),
        ("language,nesting.open=0.8", r"agreement.attractor \+ nesting.open is 1.05"),
    ],
)
def test_what_no_language_can_be_is_refused(spec: str, words: str):
    with pytest.raises(ConfigError, match=words):
        documents(spec)


@pytest.mark.slow
def test_the_truth_finds_its_place_in_packed_blocks(language: Language, tmp_path):
    packed = pack(language.documents(), language.tokenizer, 16, tmp_path / "corpus", held_out=0.3)
    for tokens in (packed.train, packed.held_out):
        blocks, truth = tokens.blocks(0, len(tokens)), language.truth_of(tokens, 0, len(tokens))
        for document in range(tokens.n_documents):
            at = blocks.usable & (blocks.documents == document)
            own = language.truth(int(tokens.document_name(document).partition("#")[2]))
            assert torch.equal(truth.features[at], own.features)
            assert torch.equal(truth.known[at], own.known)
            assert torch.equal(truth.best[at], own.best)
        assert not truth.features[~blocks.usable].any()
        assert truth.best[~blocks.usable].isnan().all()
        for start in (3, 7):
            part = language.truth_of(tokens, start, start + 2)
            assert torch.equal(part.features, truth.features[start : start + 2])
            torch.testing.assert_close(part.best, truth.best[start : start + 2], equal_nan=True, rtol=0, atol=0)


def test_another_corpus_is_refused(language: Language, tmp_path):
    other = Language(replace(SMALL, seed=1))
    packed = pack(other.documents(), other.tokenizer, 16, tmp_path / "other", held_out=0.3)
    with pytest.raises(MismatchError, match="is not of this language"):
        language.truth_of(packed.train, 0, 1)
    renamed = (Document(f"{language.fingerprint}{d.id[16:]}", d.text) for d in other.documents())
    packed = pack(renamed, other.tokenizer, 16, tmp_path / "renamed", held_out=0.3)
    with pytest.raises(MismatchError, match="pack its documents with its tokenizer"):
        language.truth_of(packed.train, 0, 1)


@pytest.mark.parametrize(
    "without",
    [
        {"topics": TopicConfig(1, 1.0)},
        {"nesting": NestingConfig(2, 0.0, 0)},
        {"senses": SenseConfig(0)},
        {"phrases": PhraseConfig(0)},
        {"agreement": AgreementConfig(0.5, 0.0)},
        {"agreement": AgreementConfig(0.0, 0.3)},
    ],
)
def test_every_part_can_be_left_out(without: dict):
    language = Language(replace(SMALL, **without))
    kinds = {feature.kind for feature in language.features}
    texts = [language.text(language.passage(i)).split(" ") for i in range(20)]
    words = set(itertools.chain(*texts))
    (part,) = without
    gone = {"topics": "topic", "nesting": "depth", "senses": "word", "phrases": "phrase", "agreement": "attractor"}[
        part
    ]
    if without != {"agreement": AgreementConfig(0.0, 0.3)}:
        assert gone not in kinds
    else:
        assert not any(word.endswith(("os", "ant")) for word in words)
    assert ("(" in words) == (part != "nesting")
    charged = list(language.vocabulary.classes["singular noun"].words[: language.config.senses.n])
    assert all(read_again(text, charged) for text in texts)
    assert language.entropy.known > 0
