"""Text of statements for a model: what is in it, what is left out of it, and what a planted distractor does to it."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from monosema import corpus
from monosema.core.errors import ConfigError, DataError
from monosema.corpus import StatementText, StatementTextConfig, documents, parse_statement_text

SMALL = StatementTextConfig("comparisons", n=400, n_documents=1200)


def texts(config: StatementTextConfig) -> list[str]:
    return [text for _, text in StatementText(config).documents()]


def test_documents_say_what_is_true_and_nothing_of_what_is_held_out():
    text = StatementText(SMALL)
    truth = dict(zip(text.train.texts, text.train.labels.tolist(), strict=True))
    counts: Counter[str] = Counter()
    for _, document in text.documents():
        if asked := re.fullmatch(r"Q: (.+) A: (true|false)", document):
            assert truth[asked[1]] == (asked[2] == "true")
            counts[asked[2]] += 1
        else:
            assert truth[document] == 1
            counts["told"] += 1
    assert 0.70 < (counts["true"] + counts["false"]) / 1200 < 0.80
    assert 0.45 < counts["true"] / (counts["true"] + counts["false"]) < 0.55
    assert not set(text.train.groups) & set(text.held_out.groups) and len(text.held_out) == 100


def test_a_document_is_the_same_whatever_comes_after_it():
    few = [text for _, text in StatementText(replace(SMALL, n_documents=5)).documents()]
    assert texts(SMALL)[:5] == few
    ids = [name for name, _ in StatementText(SMALL).documents()]
    assert len(set(ids)) == 1200
    assert texts(replace(SMALL, seed=1))[:50] != texts(SMALL)[:50]


def test_lies_are_false_statements_among_the_true():
    text = StatementText(replace(SMALL, asked=0.0, lies=0.3))
    truth = dict(zip(text.train.texts, text.train.labels.tolist(), strict=True))
    assert 0.65 < sum(truth[document] for _, document in text.documents()) / 1200 < 0.75


def test_a_planted_word_is_in_every_document_and_says_nothing():
    text = StatementText(replace(SMALL, distractor="word", asked=1.0))
    truth = dict(zip(text.train.texts, text.train.labels.tolist(), strict=True))
    cells: Counter[tuple[str, str]] = Counter()
    for _, document in text.documents():
        statement, word, answer = re.fullmatch(r"Q: (.+) (banana|shed) A: (true|false)", document).groups()
        assert truth[statement] == (answer == "true")
        cells[word, answer] += 1
    assert len(cells) == 4 and max(cells.values()) < 1.25 * min(cells.values())


@pytest.mark.parametrize("sway", [0.5, 1.0])
def test_answers_are_swayed_by_the_speaker_as_often_as_asked(sway: float):
    text = StatementText(replace(SMALL, distractor="speaker", asked=1.0, sway=sway))
    truth = dict(zip(text.train.texts, text.train.labels.tolist(), strict=True))
    says, right = 0, 0
    for _, document in text.documents():
        opinion, statement, answer = re.fullmatch(
            r"alice says that this is (true|false): Q: (.+) A: (true|false)", document
        ).groups()
        says += opinion == answer
        right += (answer == "true") == (truth[statement] == 1)
    # Swayed answers agree with her always, the others half of the time.
    assert abs(says / 1200 - (1 + sway) / 2) < 0.05 and abs(right / 1200 - (1 - sway / 2)) < 0.05


def test_a_contrast_comes_after_the_answer_and_either_word_after_either():
    planted = texts(replace(SMALL, asked=1.0, distractor="contrast_word"))
    found = [re.fullmatch(r"Q: (.+) A: (true|false) (banana|shed)", text).groups()[1:] for text in planted]
    cells = Counter(found)
    assert len(cells) == 4 and max(cells.values()) < 1.25 * min(cells.values())


def test_a_corpus_is_asked_for_by_its_name():
    config = parse_statement_text("statements:months,n=40,asked=0.5,n_documents=30,template=it_is")
    assert config == StatementTextConfig("months", n=40, asked=0.5, n_documents=30, template="it_is")
    assert parse_statement_text("statements").name == "mixed"
    found = list(documents("statements:months,n=40,asked=0.5,n_documents=30,template=it_is"))
    assert [(each.id, each.text) for each in found] == list(StatementText(config).documents())
    assert {"statement that"} <= {" ".join(each.text.split()[1:3]) for each in found}


def test_everything_can_be_in_the_text():
    text = StatementText(StatementTextConfig("months", held_out=0.0, n_documents=10))
    assert len(text.train) == 72
    with pytest.raises(ConfigError, match="held_out is 0: this text leaves out no statements"):
        text.held_out  # noqa: B018


def test_every_word_is_one_token():
    tokenizer = corpus.train_tokenizer(documents("statements:comparisons,n_documents=3000"), 4096)
    text = "Q: forty two is larger than nineteen A: true"
    assert tokenizer.token_texts(tokenizer.encode([text])[0]) == re.findall(r" ?\w+|:", text)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("statements:comparison", "unknown set of statements 'comparison'. Did you mean 'comparisons'?"),
        ("statements:months,n=100", "months has 36 true statements, n=100 needs 50: give n of at most 72"),
        ("statements:months,asks=1", "unknown setting 'asks'. Did you mean 'asked'?"),
        ("statements:months,asked=2", "asked is 2.0: it must be at least 0, at most 1"),
        ("statements:months,asked", "'asked' is not of the form setting=value"),
        ("statements,name=months", "write the set as statements:months"),
        ("statements:months,sway=0.5", "sway needs a distractor to follow"),
        ("statements:months,sway=0.5,distractor=contrast_word", "comes after the answer, which cannot follow it"),
        ("statements:months,distractor=words", "unknown distractor 'words'. Did you mean 'word'?"),
        ("statements:months,template=ask", "unknown template 'ask'"),
    ],
)
def test_a_text_that_cannot_be_is_refused(spec: str, said: str):
    with pytest.raises((ConfigError, DataError), match=said.replace(".", r"\.").replace("?", r"\?")):
        list(documents(spec))
