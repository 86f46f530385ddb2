"""Generated statements: the truth of each is worked out again from its text, by a parser that knows no generator."""

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from monosema.core.errors import ConfigError, DataError
from monosema.corpus.statements import STATEMENTS, Claim, Source, Statements, generate, largest, paraphrase
from monosema.corpus.statements.comparisons import Comparisons
from monosema.corpus.statements.negations import Negations

NAMES = """
zero one two three four five six seven eight nine
ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty thirty forty fifty sixty seventy eighty ninety
"""
UNITS, TEENS, TENS = (line.split() for line in NAMES.strip().splitlines())


def number(words: str) -> int:
    """From right to left: units, then teens or tens."""
    value = 0
    for word in words.split():
        if word in UNITS:
            value += UNITS.index(word)
        elif word in TEENS:
            value += 10 + TEENS.index(word)
        else:
            value += 20 + 10 * TENS.index(word)
    return value


def comparison(text: str) -> bool:
    left, negated, how, right = re.fullmatch(r"(.+) is (not )?(\w+) than (.+)", text).groups()
    a, b = number(left), number(right)
    assert a != b
    return {"larger": a > b, "more": a > b, "greater": a > b, "smaller": a < b}[how] != bool(negated)


def arithmetic(text: str) -> bool:
    left, right = text.removeprefix("the sum of ").split(" is ")
    for sign, value in ((" plus ", 1), (" minus ", -1), (" and ", 1)):
        if sign in left:
            a, b = left.split(sign)
            return number(a) + value * number(b) == number(right)
    raise AssertionError(text)


def compound(text: str) -> bool:
    if text.startswith("either "):
        first, second = text.removeprefix("either ").removesuffix(" but not both").split(" or ")
        return comparison(first) != comparison(second)
    if " and " in text:
        return all(map(comparison, text.split(" and ")))
    return any(map(comparison, text.split(" or ")))


PARSERS = {
    "comparisons": comparison,
    "negations": comparison,
    "arithmetic": arithmetic,
    "conjunctions": compound,
    "disjunctions": compound,
    "exclusives": compound,
}


@pytest.mark.parametrize("name", PARSERS)
def test_the_truth_can_be_worked_out_from_the_text(name: str):
    made = generate(name, 600, seed=3)
    assert [PARSERS[name](text) for text in made.texts] == (made.labels == 1).tolist()
    assert made.labels.sum() == 300


@pytest.mark.parametrize("name", STATEMENTS)
def test_half_are_true_and_none_stands_there_twice(name: str):
    n = min(largest(name), 501)
    made = generate(name, n, seed=1)
    assert len(made) == n and made.labels.sum() == n // 2 and len(set(made.texts)) == n
    again, other = generate(name, n, seed=1), generate(name, n, seed=2)
    assert made.texts == again.texts and (made.labels == again.labels).all() and made.texts != other.texts
    assert 0.3 < made.labels[: n // 2].mean() < 0.7


@pytest.mark.parametrize("name", ["capitals", "elements", "animals", "colours", "opposites", "months", "days"])
def test_facts_are_true_by_the_list_and_false_with_the_answer_of_another(name: str):
    facts = STATEMENTS[name]
    made = generate(name, largest(name))
    rows, answers = set(facts.rows), {answer for _, answer in facts.rows}
    assert len(rows) == len(facts.rows) and set(Counter(a for _, a in facts.rows).values()) == {
        len(rows) // len(answers)
    }
    patterns = [re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(text)) for text in facts.texts]
    read = defaultdict(set)
    for text, label in zip(made.texts, made.labels, strict=True):
        # Of the wordings that fit, the right one gives a subject and an answer of the list.
        found = [match.groupdict() for pattern in patterns if (match := re.fullmatch(pattern, text))]
        (pair,) = {(f["subject"], f["answer"]) for f in found} & {(s, a) for s, _ in rows for a in answers}
        assert (pair in rows) == bool(label)
        read[bool(label)].add(pair)
    assert read[True] == rows  # asked for all there are: every row, in every wording
    assert all(subject != answer for subject, answer in read[False])


def test_some_facts_that_anybody_can_check():
    known = {
        "capitals": ("the capital of France is Paris", "the capital of France is Oslo"),
        "elements": ("the symbol of iron is Fe", "the symbol of iron is Au"),
        "animals": ("a whale is a mammal", "a whale is a fish"),
        "colours": ("snow is white", "snow is black"),
        "opposites": ("the opposite of hot is cold", "the opposite of hot is near"),
        "months": ("January comes right after December", "January comes right after May"),
        "days": ("Monday comes right after Sunday", "Monday comes right after Friday"),
    }
    for name, (true, false) in known.items():
        facts = STATEMENTS[name]
        said = {v: {facts.claim(v, i, w).text for i in range(facts.count(v)) for w in range(3)} for v in (True, False)}
        assert true in said[True] and true not in said[False]
        assert false in said[False] and false not in said[True]


def test_a_group_is_one_fact_in_all_its_wordings():
    made = Comparisons(limit=30)
    claims = [(true, w, made.claim(true, i, w)) for true in (True, False) for i in range(435) for w in range(4)]
    assert made.count(True) == made.count(False) == 30 * 29 // 2 == 435
    for true, _, claim in claims:
        left, _, _, right = re.fullmatch(r"(.+) is (not )?(\w+) than (.+)", claim.text).groups()
        assert set(claim.group.split(", ")) == {left, right} and comparison(claim.text) == true
    assert len({claim.text for _, _, claim in claims}) == len(claims)
    # Four wordings, each way round: so neither the wording nor a number tells the truth of a row.
    assert set(Counter(claim.group for _, _, claim in claims).values()) == {8}


def test_each_number_gives_another_statement():
    more = {"a third": Negations(every=3, of=Comparisons(limit=10))}
    for name, n in (("conjunctions", 2000), ("negations", 2000), ("mixed", 2000), ("a third", 2000)):
        made = (STATEMENTS | more)[name]
        for true in (True, False):
            texts = [
                made.claim(true, i, w).text
                for i in range(0, min(n, made.count(true)), 3 if made.count(true) > 100 else 1)
                for w in range(made.wordings)
            ]
            assert len(set(texts)) == len(texts)


def test_the_truth_table_of_two_parts_is_known():
    cells = {"conjunctions": {(1, 1): 300}, "disjunctions": {(0, 0): 300}, "exclusives": {}}
    for name, exact in cells.items():
        made = generate(name, 600)
        first, second = made.attributes["first"], made.attributes["second"]
        truth = {"conjunctions": first & second, "disjunctions": first | second, "exclusives": first ^ second}[name]
        assert (truth == made.labels).all()
        for text, one, other in zip(made.texts, first, second, strict=True):
            parts = re.split(" and | or ", text.removeprefix("either ").removesuffix(" but not both"))
            assert [comparison(part) for part in parts] == [one, other]
        counts = Counter(zip(first.tolist(), second.tolist(), strict=True))
        assert len(counts) == 4 and all(counts[cell] == n for cell, n in exact.items())
        rest = [n for cell, n in counts.items() if cell not in exact]
        assert min(rest) > 70


def test_a_third_are_negated_and_each_is_true_for_its_own_reason():
    made = Negations(every=3, of=Comparisons(limit=10))
    for true in (True, False):
        claims = [made.claim(true, i, 0) for i in range(made.count(true))]
        assert [comparison(claim.text) for claim in claims] == [true] * (3 * (45 // 2))
        assert [" not " in claim.text for claim in claims] == [True, False, False] * 22


def test_neither_the_not_nor_what_it_denies_tells_the_truth():
    made = generate("negations", 4000)
    negated, affirmed = made.attributes["negated"], made.attributes["affirmed"]
    assert ((negated ^ affirmed) == made.labels).all()
    assert [" not " in text for text in made.texts] == (negated == 1).tolist()
    for known in (negated, affirmed):
        assert abs(np.corrcoef(known, made.labels)[0, 1]) < 0.05


def test_mixed_has_as_many_of_each_kind_and_spreads_over_its_sets():
    made = generate("mixed", largest("mixed"))
    true, kinds = made.labels == 1, made.attributes["kind"]
    assert set(Counter(kinds[true].tolist()).values()) == {largest("mixed") // 6}  # every true claim there is
    assert min(Counter(kinds[~true].tolist()).values()) > largest("mixed") / 6 * 0.9
    compared = {group for group in made.groups if group.startswith("negations: ")}
    numbers = {word for group in compared for word in group.removeprefix("negations: ").split(", ")}
    assert len(numbers) > 95  # not those of the first few claims alone
    negated = [text for text, kind in zip(made.texts, kinds, strict=True) if kind == "negations"]
    assert 0.2 < np.mean([" not " in text for text in negated]) < 0.3


def test_paraphrases_say_the_same_row_by_row():
    one, *others = paraphrase("arithmetic", 200, seed=5)
    assert len(others) == 2 and len({one.texts, *(other.texts for other in others)}) == 3
    assert [arithmetic(text) for text in one.texts] == (one.labels == 1).tolist()
    for other in others:
        assert other.groups == one.groups and (other.labels == one.labels).all()
        assert [arithmetic(text) for text in other.texts] == (one.labels == 1).tolist()


def test_more_than_there_are_is_refused_with_how_many_there_are():
    with pytest.raises(DataError, match=r"months has 36 true statements, n=100 needs 50: give n of at most 72"):
        generate("months", 100)
    with pytest.raises(ConfigError, match=r"n is 1: it must be at least 2"):
        generate("months", 1)
    with pytest.raises(ConfigError, match=r"unknown set of statements 'comparison'\. Did you mean 'comparisons'\?"):
        generate("comparison", 10)


class Parities(Source):
    """Whether a digit is odd or even."""

    about = "odd and even digits"

    @property
    def wordings(self) -> int:
        return 1

    def count(self, true: bool) -> int:  # noqa: ARG002
        return 10

    def claim(self, true: bool, i: int, wording: int) -> Claim:  # noqa: ARG002
        return Claim(f"{i} is {'odd' if (i % 2 == 1) == true else 'even'}", str(i))


def test_a_source_of_your_own_is_taken_by_its_name():
    made = generate(f"{__name__}:Parities", 20)
    for text, label in zip(made.texts, made.labels, strict=True):
        assert (int(text[0]) % 2 == (text.endswith("odd"))) == bool(label)
    with pytest.raises(ConfigError, match="is not a Source: derive it from"):
        generate("collections:Counter", 10)
    with pytest.raises(ConfigError, match="cannot be imported"):
        generate("nowhere.at_all:Thing", 10)


def test_rows_can_be_taken():
    made = generate("negations", 10)
    some = made.take([7, 2])
    assert some.texts == (made.texts[7], made.texts[2]) and some.groups == (made.groups[7], made.groups[2])
    assert some.labels.tolist() == made.labels[[7, 2]].tolist()
    assert some.attributes["negated"].tolist() == made.attributes["negated"][[7, 2]].tolist()


@pytest.mark.parametrize(
    ("texts", "labels", "said"),
    [
        (("a", "b"), [1, 2], "the label of row 2 is 2: write 1 for true and 0 for false"),
        (("a", " "), [1, 0], "the statement of row 2 is empty"),
        (("a", "b  c", "b c"), [1, 0, 1], "'b c' has label 0 in row 2 and 1 in row 3: correct one of them"),
        ((), [], "holds no rows"),
    ],
)
def test_rows_that_cannot_be_are_refused(texts: tuple[str, ...], labels: list[int], said: str):
    with pytest.raises(DataError, match=said):
        Statements("mine", texts, np.array(labels, dtype=np.int64), tuple("group" for _ in texts))


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(DataError, match=r"mine: the columns are not aligned \(2 texts, 3 labels, 2 groups\)"):
        Statements("mine", ("a", "b"), np.array([1, 0, 1]), ("a", "b"))
