"""A text whose features are known: random tokens, some documents long, one short, one with a BOS in every block."""

import torch
from torch import Tensor

from monosema.features.explaining.baselines import Background, background_of
from monosema.features.explaining.sources import Acts
from monosema.features.explaining.windows import Windows
from monosema.features.tables.text import TableText

D_VOCAB, CONTEXT, N_DOCUMENTS, BLOCKS_EACH = 30, 65, 60, 2
WORDS = [f" w{i}" for i in range(D_VOCAB)]


def text(n_documents: int = N_DOCUMENTS, seed: int = 0) -> TableText:
    """Documents of two blocks of 64 random tokens behind a BOS: four windows of 32 each."""
    random = torch.Generator().manual_seed(seed)
    n_blocks = n_documents * BLOCKS_EACH
    tokens = torch.randint(1, D_VOCAB, (n_blocks, CONTEXT), generator=random)
    tokens[:, 0] = 0
    documents = (torch.arange(n_blocks) // BLOCKS_EACH).unsqueeze(1).expand_as(tokens).clone()
    usable = torch.ones_like(tokens, dtype=torch.bool)
    usable[:, 0] = False
    names = tuple(f"document {i}" for i in range(n_documents))
    return TableText(tokens, documents, usable, usable.clone(), names, D_VOCAB, "7e87")


def background(of: TableText | None = None, seed: int = 0) -> Background:
    return background_of(Windows.of(of or text(), seed), WORDS)


def acts_where(mask: Tensor, values: Tensor | None = None) -> Acts:
    """The activations of a feature that fires where `mask` [block, seq] holds, with 1 or `values`."""
    places = mask.flatten().nonzero().flatten()
    return Acts(places, torch.ones(len(places)) if values is None else values.flatten()[places].float())
