"""monosema: `dictionaries.train` on a source of our rows. settings: `spec`, a line of `parse_spec` in which
`{k}` stands for the k of the task, and `lr`.

Checkpoints are put off: they come by the clock, and most of a worker's time here is waiting for its turn.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.workers.feed import Made, Task, mapped, serve
from monosema.dictionaries import Dictionary, SparseCodes, TrainConfig, parse_spec
from monosema.dictionaries import train as train_dictionaries

SITE = "resid_post.0"
NEVER = 1e9


@dataclass(frozen=True)
class Rows:
    activations: dict[str, Tensor]
    documents: Tensor
    positions: Tensor


class Fed:
    """A source whose second pass is the training: on the first, `train` measures the scale of the rows.

    Later passes, as resampling asks for them, come from the file as well. A source never ends, but the driver's
    batches do: the last one comes again, for a step at a learning rate that has all but fallen to zero.
    """

    def __init__(self, rows: Tensor, fed: Iterator[Tensor]) -> None:
        self.fed, self.rows, self.passes = fed, rows, 0
        self.widths: Mapping[str, int] = {SITE: rows.shape[1]}
        self.n_rows, self.fingerprint = len(rows), "benchmark"

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Rows]:
        del seed, start  # every contender sees the rows in the order of the file
        self.passes += 1
        x = self.rows[:batch_size]
        for x in self.fed if self.passes == 2 else self.rows.split(batch_size):
            yield labelled(x)
        yield labelled(x)


def labelled(x: Tensor) -> Rows:
    return Rows({SITE: x}, torch.arange(len(x)), torch.zeros(len(x), dtype=torch.int64))


def rehearse() -> None:
    """A training on next to nothing: kernels are compiled, or loaded, when they are first used."""
    rows = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    for spec in ("topk,k=2", "batchtopk,k=2", "l1", "jumprelu,target=2"):
        trained(f"{spec},n_features=16", Fed(rows, iter(rows.split(32))), TrainConfig(rows=64, batch_size=32))


def train(task: Task, batches: Iterator[Tensor]) -> Made:
    rows = (task.steps + 1) * task.batch  # one more than is fed: the last step is followed by a question
    config = TrainConfig(rows=rows, batch_size=task.batch, seed=task.seed, checkpoint_seconds=NEVER)
    line = task.settings["spec"].replace("{k}", str(task.k))
    rate = "" if task.settings["lr"] is None else f",lr={task.settings['lr']}"
    line = f"{line}{rate},n_features={task.n_features}"
    dictionary = trained(line, Fed(mapped(task.rows, task.d_in), batches), config)

    return Made(lambda x: dictionary.encode(x).dense(), lambda f: dictionary.decode(SparseCodes.from_dense(f)))


def trained(line: str, source: Fed, config: TrainConfig) -> Dictionary:
    spec = parse_spec(line, (SITE,), (SITE,))
    with tempfile.TemporaryDirectory() as out:
        return train_dictionaries(source, [spec], config, Path(out)).dictionaries[spec.name]


if __name__ == "__main__":
    serve(train, rehearse)
