"""Words and their opposites. No two pairs of the list say nearly the same."""

from monosema.corpus.statements.facts import Facts, listed

_LIST = """
hot: cold; up: down; left: right; open: shut; full: empty; rich: poor; old: young; early: late; day: night;
always: never; win: lose; buy: sell; push: pull; give: take; love: hate; north: south; east: west; hard: soft;
wet: dry; clean: dirty; fast: slow; heavy: light; near: far; inside: outside; before: after; enter: leave;
remember: forget; alive: dead; guilty: innocent; narrow: wide; sharp: blunt; war: peace; friend: enemy;
parent: child; question: answer; increase: decrease
"""

_ROWS = listed(_LIST)

OPPOSITES = Facts(
    about="words and their opposites",
    rows=_ROWS + tuple((answer, subject) for subject, answer in _ROWS),
    texts=(
        "the opposite of {subject} is {answer}",
        "{answer} is the opposite of {subject}",
        "{subject} means the contrary of {answer}",
    ),
    mutual=True,
)
