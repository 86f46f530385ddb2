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

from benchmarks.workers.feed import Reconstruct, Task, mapped, serve
from monosema.dictionaries import TrainConfig, parse_spec
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

    def __init__(self, task: Task, fed: Iterator[Tensor]) -> None:
        self.fed, self.rows, self.passes = fed, mapped(task.rows, task.d_in), 0
        self.widths: Mapping[str, int] = {SITE: task.d_in}
        self.n_rows, self.fingerprint = len(self.rows), "benchmark"

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Rows]:
        del seed, start  # every contender sees the rows in the order of the file
        self.passes += 1
        for x in self.fed if self.passes == 2 else self.rows.split(batch_size):
            yield (batch := Rows({SITE: x}, torch.arange(len(x)), torch.zeros(len(x), dtype=torch.int64)))
        yield batch


def train(task: Task, batches: Iterator[Tensor]) -> Reconstruct:
    line = task.settings["spec"].replace("{k}", str(task.k))
    spec = parse_spec(f"{line},lr={task.settings['lr']},n_features={task.n_features}", (SITE,), (SITE,))
    rows = (task.steps + 1) * task.batch  # one more than is fed: the last step is followed by a question
    config = TrainConfig(rows=rows, batch_size=task.batch, seed=task.seed, checkpoint_seconds=NEVER)
    with tempfile.TemporaryDirectory() as out:
        dictionary = train_dictionaries(Fed(task, batches), [spec], config, Path(out)).dictionaries[spec.name]

    def reconstruct(x: Tensor) -> tuple[Tensor, Tensor]:
        codes = dictionary.encode(x)
        return dictionary.decode(codes), codes.l0()

    return reconstruct


if __name__ == "__main__":
    serve(train)
