"""Things and their colours, four of each."""

from monosema.corpus.statements.facts import Facts, classed

_LIST = """
red: blood, a ruby, a stop sign, a ripe strawberry
green: grass, spinach, a cucumber, an emerald
yellow: a lemon, a ripe banana, a canary, a dandelion
white: snow, milk, cotton wool, a polar bear
black: coal, a raven, tar, soot
blue: a clear sky, a sapphire, a cornflower, a bluebell
"""

COLOURS = Facts(
    about="things that have one colour",
    rows=classed(_LIST),
    texts=(
        "{subject} is {answer}",
        "the colour of {subject} is {answer}",
        "{answer} is the colour of {subject}",
    ),
)
