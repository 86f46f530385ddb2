"""Windows: cut by hand, and no document on both sides."""

from dataclasses import replace

import pytest
import torch

from monosema.core.errors import DataError
from monosema.features.explaining.windows import Windows

from .texts import text


def small(rows, usable):
    """A text of two blocks of 80; `rows` are (document, length) of each block in order."""
    made = text(4)
    documents = torch.tensor([[d for d, n in row for _ in range(n)] for row in rows])
    tokens = torch.zeros_like(documents)
    return replace(made, tokens=tokens, documents=documents, usable=usable, counted=usable, names=("a", "b", "c"))


def test_windows_by_hand():
    # Block 0: BOS, 70 tokens of document 0 (32 + 32 + 6, the last too short), 9 of document 1 (9).
    # Block 1: document 1 for 40 (32 + 8), document 2 for 5 (too short), 35 of padding.
    usable = torch.ones(2, 80, dtype=torch.bool)
    usable[0, 0] = False
    usable[1, 45:] = False
    windows = Windows.of(small([[(0, 71), (1, 9)], [(1, 40), (2, 5), (-1, 35)]], usable), seed=0)
    assert windows.starts.tolist() == [1, 33, 71, 80, 112]
    assert windows.sizes.tolist() == [32, 32, 9, 32, 8]
    assert windows.documents.tolist() == [0, 0, 1, 1, 1]
    assert windows.judging.tolist() in ([True, True, False, False, False], [False, False, True, True, True])
    places, owner = windows.places(torch.tensor([2, 4]))
    assert places.tolist() == [*range(71, 80), *range(112, 120)] and owner.tolist() == [0] * 9 + [1] * 8
    assert windows.number_of[[0, 1, 64, 65, 71, 80, 119, 120, 125]].tolist() == [-1, 0, 1, -1, 2, 3, 4, -1, -1]


@pytest.mark.parametrize("seed", range(5))
def test_no_document_both_explains_and_judges(seed):
    windows = Windows.of(text(), seed)
    explains, judges = (set(windows.documents[windows.judging == its].tolist()) for its in (False, True))
    assert not explains & judges and len(explains) + len(judges) == 60
    assert 0.45 < float(windows.judging.float().mean()) < 0.55


def test_the_seed_decides_the_split():
    splits = [Windows.of(text(), seed).judging.tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


def test_two_documents_of_any_length_are_one_of_each_and_one_is_refused():
    made = text(2)
    made.documents[:] = 0
    made.documents[-1] = 1  # three blocks against one: whichever comes first judges
    assert len(Windows.of(made, 0).judging.unique()) == 2
    with pytest.raises(DataError, match=r"1 document with 8 tokens in a row.*at least two"):
        Windows.of(text(1), 0)
