"""What a table of a long text does not do for all of it."""

import pytest
import torch

from monosema.features.tables import describing
from monosema.features.tables.text import TableText

from .toy_tables import CONTEXT, N_BLOCKS, corpus


def test_floors_of_a_long_text_are_fitted_on_whole_documents_of_it(monkeypatch: pytest.MonkeyPatch):
    text = TableText.of(corpus(), N_BLOCKS * CONTEXT)
    whole, places = describing.grammar_of(text, seed=0)
    assert whole.n + len(whole.judged) == text.n_tokens
    assert torch.equal(places[places >= 0], torch.arange(text.n_tokens, dtype=torch.int32))
    # A document has 45 usable positions, the last one 42: three documents reach 100.
    monkeypatch.setattr(describing, "FLOOR_POSITIONS", 100)
    part, places = describing.grammar_of(text, seed=0)
    kept = (places >= 0).view(N_BLOCKS, CONTEXT)
    inside = text.documents[kept].unique()
    assert len(inside) == 3
    assert torch.equal(kept, text.usable & torch.isin(text.documents, inside))
    assert torch.equal(part.token, text.tokens[kept])
    assert part.n + len(part.judged) == kept.sum()
