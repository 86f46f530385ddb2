"""The toys, as fixtures."""

from collections.abc import Callable

import pytest
import torch

from .toys import CONTEXT, ToyModel, ToyTokens, as_tuples


@pytest.fixture
def tokens() -> ToyTokens:
    return ToyTokens()


@pytest.fixture
def model() -> ToyModel:
    return ToyModel()


@pytest.fixture
def all_rows(tokens: ToyTokens, model: ToyModel) -> Callable[[str], list[tuple[float, ...]]]:
    """Every usable position as (token, document, position, activation...), sorted, straight from the model."""

    def rows(site: str) -> list[tuple[float, ...]]:
        blocks = tokens.blocks(0, tokens.n_blocks)
        x = model.run(blocks.tokens, [site])[site].flatten(2)[blocks.usable]
        positions = torch.arange(CONTEXT).expand_as(blocks.tokens)
        index = [t[blocks.usable] for t in (blocks.tokens, blocks.documents, positions)]
        return as_tuples(*index, x)

    return rows


@pytest.fixture
def tuples() -> Callable[..., list[tuple[float, ...]]]:
    return as_tuples
