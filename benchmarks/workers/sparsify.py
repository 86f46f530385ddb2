"""sparsify: its own `Trainer.fit`. It reads a model through a hook, so it gets a model that has nothing
but that hook: its one layer puts out the next batch of rows. settings: `optimizer`, `lr` (none: its own law).

A batch is one sequence of `batch` tokens. Everything that is not set is sparsify's default, but for
checkpoints, which are put off.
"""

import tempfile
from collections.abc import Iterator
from contextlib import suppress

import torch
from sparsify import SparseCoderConfig, TrainConfig, Trainer
from torch import Tensor, nn

from benchmarks.workers.feed import Made, Task, serve

NEVER = 10**9
HOOK = "site"


class Model(nn.Module):
    """What the trainer asks of a language model, with rows in place of activations."""

    def __init__(self, d_in: int, fed: Iterator[Tensor]) -> None:
        super().__init__()
        self.d_in, self.fed, self.device = d_in, fed, torch.device("cpu")
        self.dummy_inputs = {"input_ids": torch.zeros(1, 0, dtype=torch.int64)}
        self.site = nn.Identity()

    @property
    def base_model(self) -> nn.Module:
        return self

    def forward(self, input_ids: Tensor) -> Tensor:
        """The next batch; for the empty input that widths are found with, no rows."""
        rows = next(self.fed) if input_ids.numel() else torch.zeros(0, self.d_in)
        return self.site(rows[None])


class Tokens:
    """As many sequences as there are steps, and one more; their tokens stand for nothing."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.tokens = torch.zeros(task.batch, dtype=torch.int64)

    def __len__(self) -> int:
        return self.task.steps + 1

    def __getitem__(self, _: int) -> dict[str, Tensor]:
        return {"input_ids": self.tokens}


def train(task: Task, batches: Iterator[Tensor]) -> Made:
    with tempfile.TemporaryDirectory() as out:
        config = TrainConfig(
            SparseCoderConfig(num_latents=task.n_features, k=task.k),
            batch_size=1,
            hookpoints=[HOOK],
            init_seeds=[task.seed],
            optimizer=task.settings["optimizer"],
            lr=task.settings["lr"],
            lr_warmup_steps=max(1, task.steps // 50),
            log_to_wandb=False,
            save_every=NEVER,
            save_dir=out,
        )
        trainer = Trainer(config, Tokens(task), Model(task.d_in, batches))
        with suppress(StopIteration):
            trainer.fit()
    for optimizer in trainer.optimizers:
        if config.optimizer == "signum":
            optimizer.eval()  # the averaged weights, as it saves them
    coder = trainer.saes[HOOK]

    def encode(x: Tensor) -> Tensor:
        codes = coder.encode(x)
        return torch.zeros(len(x), task.n_features).scatter(1, codes.top_indices, codes.top_acts)

    assert coder.W_dec is not None
    return Made(encode, lambda f: f @ coder.W_dec + coder.b_dec)


if __name__ == "__main__":
    serve(train)
