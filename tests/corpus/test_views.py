"""Views of tokens: which are permuted, which stay, and that it does not matter how they are read."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from monosema.corpus.blocks import TokenBlocks
from monosema.corpus.views import ShuffledTokens, SomeBlocks, permuted

BOS = 0


def corpus(n_blocks: int = 5, context: int = 24) -> SimpleNamespace:
    """Blocks of two documents behind a BOS each, every token another number; the last three positions are padding."""
    tokens = torch.arange(1, n_blocks * context + 1).view(n_blocks, context)
    documents = torch.arange(n_blocks).unsqueeze(1) * 2 + (torch.arange(context) >= 10).long()
    usable = torch.ones_like(tokens, dtype=torch.bool)
    tokens[:, [0, 10]], usable[:, [0, 10]] = BOS, False
    documents[:, -3:], usable[:, -3:], tokens[:, -3:] = -1, False, BOS

    def blocks(start: int, stop: int) -> TokenBlocks:
        return TokenBlocks(tokens[start:stop], documents[start:stop], usable[start:stop])

    return SimpleNamespace(
        context=context,
        n_blocks=n_blocks,
        d_vocab=1000,
        fingerprint="c0",
        blocks=blocks,
        document_name=lambda i: f"document {i}",
        held=(tokens, documents, usable),
    )


def test_each_document_keeps_its_tokens_and_every_other_place_is_as_it_was():
    text = corpus()
    tokens, documents, usable = text.held
    shuffled = ShuffledTokens(text, seed=3).blocks(0, 5)
    assert torch.equal(shuffled.documents, documents) and torch.equal(shuffled.usable, usable)
    assert torch.equal(shuffled.tokens[~usable], tokens[~usable])
    for document in range(10):
        own = (documents == document) & usable
        assert sorted(shuffled.tokens[own].tolist()) == sorted(tokens[own].tolist())
    moved = (shuffled.tokens != tokens)[usable].float().mean()
    assert moved > 0.7  # of 9 and 10 tokens, 1 in 9.5 stays where it was on average


def test_all_orders_are_as_likely():
    tokens, own, usable = torch.arange(3), torch.zeros(3, dtype=torch.int64), torch.ones(3, dtype=torch.bool)
    draws = torch.Generator().manual_seed(0)
    seen = [tuple(permuted(tokens, own, usable, draws).tolist()) for _ in range(1200)]
    counts = [seen.count(order) for order in set(seen)]
    assert len(counts) == 6 and all(abs(n - 200) < 60 for n in counts)  # 60 is 4.6 standard deviations


@pytest.mark.parametrize("cuts", [(0, 5), (0, 1, 2, 3, 4, 5), (0, 2, 5)])
def test_it_does_not_matter_which_blocks_are_read_together(cuts):
    view = ShuffledTokens(corpus(), seed=1)
    whole = view.blocks(0, 5).tokens
    parts = [view.blocks(a, b).tokens for a, b in pairwise(cuts)]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(ShuffledTokens(corpus(), seed=2).blocks(0, 5).tokens, whole)


def test_a_view_is_known_by_its_own_fingerprint():
    text = corpus()
    prints = {
        text.fingerprint,
        ShuffledTokens(text, 0).fingerprint,
        ShuffledTokens(text, 1).fingerprint,
        SomeBlocks(text, (0, 1)).fingerprint,
        SomeBlocks(text, (0, 2)).fingerprint,
    }
    assert len(prints) == 5


def test_some_blocks_are_at_even_distances_and_keep_their_documents():
    text = corpus()
    some = SomeBlocks.evenly(text, 2)
    assert (some.numbers, some.n_blocks) == ((0, 2), 2)
    assert torch.equal(some.blocks(0, 2).tokens, text.held[0][[0, 2]])
    assert some.document_name(4) == "document 4"
    assert SomeBlocks.evenly(text, 99).n_blocks == 5
    assert some.blocks(1, 1).tokens.shape == (0, 24)
