"""How well a model predicts documents that it was not trained on, beside what token frequencies alone predict.

    loss per token = sum over documents of the losses of their tokens / sum over documents of their number

The control is the unigram model: every token predicted by its frequency in the training corpus, with
one added to every count so that a token never seen has a finite loss. A language model that is not
well below it has learned no context.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.models.families import FAMILIES
from monosema.models.lm_config import TokenSource
from monosema.models.objectives import OBJECTIVES, Task, Text

BATCH = 16
"""Blocks of a forward pass without gradients."""


@dataclass(frozen=True)
class DocumentLosses:
    """Per document: the sum of its tokens' losses under the model and the unigram control, and their number."""

    sums: Float64[Tensor, "documents 3"]

    @property
    def model(self) -> float:
        """Nats per token of the model."""
        return float(self.sums[:, 0].sum() / self.sums[:, 2].sum())

    @property
    def unigram(self) -> float:
        """Nats per token of the control."""
        return float(self.sums[:, 1].sum() / self.sums[:, 2].sum())

    def finding(self, seed: int) -> Finding:
        """The model's loss with its control and its interval over documents."""
        draws = generator(seed, "held-out bootstrap")
        value, low, high = bootstrap(self.sums[:, [0, 2]], lambda s: s[..., 0] / s[..., 1], draws)
        control_is = "the same tokens predicted by their frequency in training"
        return Finding("held_out_loss", value, self.unigram, control_is, low, high, len(self.sums))


def unigram(tokens: TokenSource) -> Float64[Tensor, " d_vocab"]:
    """-log of the frequency of every token in the corpus, add-one smoothed, in nats."""
    counts = torch.ones(tokens.d_vocab, dtype=torch.float64)
    for start in range(0, len(tokens), 1024):
        part = tokens.blocks(start, min(start + 1024, len(tokens)))
        counts += torch.bincount(part.tokens[part.usable], minlength=tokens.d_vocab)
    return -(counts / counts.sum()).log()


def document_losses(
    module: torch.nn.Module,
    tokens: TokenSource,
    control: Float64[Tensor, " d_vocab"],
    n_blocks: int,
    autocast: bool = False,
) -> DocumentLosses:
    """The losses of a transformers model on `n_blocks` blocks (or all there are), evenly spaced, at what its family
    predicts; what is masked or cut out of a block is the same in every call.

    Counts the predictions of text; a prediction of BOS or padding counts for nothing. Raises
    DataError when there is none to count.
    """
    device = next(module.parameters()).device
    chosen = torch.linspace(0, len(tokens) - 1, min(n_blocks, len(tokens))).round().long()
    documents, values = [], []
    for batch in chosen.split(BATCH):
        task = objective_of(module)(gather(tokens, batch), generator(0, "held-out objective", int(batch[0])))
        inputs = {name: ids.to(device) for name, ids in task.inputs.items()}
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            logits = module(**inputs, use_cache=False).logits
        losses, kept = task.losses(logits).cpu().double(), task.counted
        by_frequency = control[task.targets[:, : task.n][kept]]
        documents.append(task.documents[kept])
        values.append(torch.stack([losses[kept], by_frequency, torch.ones(int(kept.sum())).double()], 1))
    names, rows = torch.cat(documents).unique(return_inverse=True)
    if len(names) == 0:
        raise DataError("the held-out corpus has no token to predict: it is empty, or every block is padding")
    return DocumentLosses(torch.zeros(len(names), 3, dtype=torch.float64).index_add_(0, rows, torch.cat(values)))


def gather(tokens: TokenSource, blocks: Int64[Tensor, " batch"]) -> Text:
    """The blocks of these numbers, in this order."""
    parts = [tokens.blocks(i, i + 1) for i in blocks.tolist()]
    ids, documents, usable = (
        torch.cat([getattr(part, field) for part in parts]) for field in ("tokens", "documents", "usable")
    )
    return Text(ids, documents, usable, tokens.d_vocab)


def objective_of(module: torch.nn.Module) -> Callable[[Text, torch.Generator], Task]:
    """What the family of `module` is asked of a text."""
    config: Any = module.config
    return OBJECTIVES[FAMILIES[config.model_type].predicts]
