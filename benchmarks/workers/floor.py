"""The floor: one product of the batch with the encoder's weights, and nothing else. settings: `dtype`.

The weights have the dtype already; the rows are cast as they come. No training step is here, and no loss.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.workers.feed import Task, serve

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@torch.no_grad()
def train(task: Task, batches: Iterator[Tensor]) -> None:
    dtype = DTYPES[task.settings["dtype"]]
    W_enc = torch.randn(task.n_features, task.d_in).to(dtype)
    for x in batches:
        torch.mm(x.to(dtype), W_enc.T)


def nothing() -> None:
    """A product needs no rehearsal."""


if __name__ == "__main__":
    serve(train, nothing)
