"""The months of the year and the days of the week, each after the one before."""

from monosema.corpus.statements.facts import Facts

_TEXTS = (
    "what comes right after {subject} is {answer}",
    "{answer} is what comes right after {subject}",
    "{answer} comes right after {subject}",
)


def _in_a_ring(words: str) -> tuple[tuple[str, str], ...]:
    names = words.split()
    return tuple(zip(names, names[1:] + names[:1], strict=True))


MONTHS = Facts(
    about="which month comes after which",
    rows=_in_a_ring("January February March April May June July August September October November December"),
    texts=_TEXTS,
)
DAYS = Facts(
    about="which day of the week comes after which",
    rows=_in_a_ring("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    texts=_TEXTS,
)
