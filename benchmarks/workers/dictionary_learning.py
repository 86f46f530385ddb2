"""dictionary_learning: its own `trainSAE`, fed rows as its buffer would. settings: `trainer`, `lr`, `options`.

`normalize_activations` is on, as its documentation advises for settings that carry over: it reads a
first pass of rows for the scale, and trains on the second. Everything that is not set is its default, but for
its warm-up of 1,000 steps, which a short run would never leave: it is the same share of the run as ours.
BatchTopK is measured with the k x batch largest of held-out batches, as it trains: its threshold is a mean over
a thousand steps, which a short run does not have.
"""

from collections.abc import Iterator

from dictionary_learning import trainers
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKTrainer
from dictionary_learning.trainers.trainer import SAETrainer
from dictionary_learning.training import trainSAE
from torch import Tensor

from benchmarks.workers.feed import Made, Task, mapped, serve

KINDS = {**vars(trainers), "MatryoshkaBatchTopKTrainer": MatryoshkaBatchTopKTrainer}
WARM_UP = 0.02
SPARSITY_WARM_UP = 0.05


class Fed:
    """Rows to measure the norm on for the first pass, the driver's for the second."""

    def __init__(self, task: Task, fed: Iterator[Tensor]) -> None:
        self.task, self.fed, self.passes = task, fed, 0

    def __iter__(self) -> Iterator[Tensor]:
        self.passes += 1
        return self.fed if self.passes == 2 else iter(mapped(self.task.rows, self.task.d_in).split(self.task.batch))


def train(task: Task, batches: Iterator[Tensor]) -> Made:
    made: list[SAETrainer] = []
    kind = KINDS[task.settings["trainer"]]

    def build(**options: object) -> SAETrainer:
        made.append(kind(**options))
        return made[0]

    steps = task.steps + 1
    options = {"steps": steps, "activation_dim": task.d_in, "dict_size": task.n_features, "seed": task.seed}
    options |= {"warmup_steps": max(1, round(WARM_UP * steps)), "layer": 0, "lm_name": "none", "device": "cpu"}
    options |= {} if task.settings["lr"] is None else {"lr": task.settings["lr"]}
    if "TopK" in task.settings["trainer"]:
        options |= {"k": task.k, "threshold_start_step": options["warmup_steps"]}
    else:
        options["sparsity_warmup_steps"] = max(1, round(SPARSITY_WARM_UP * steps))
    config = {"trainer": build, **options, **task.settings["options"]}
    trainSAE(Fed(task, batches), [config], steps, normalize_activations=True, device="cpu")
    dictionary = made[0].ae
    by_batch = {"use_threshold": False} if "BatchTopK" in task.settings["trainer"] else {}
    return Made(lambda x: dictionary.encode(x, **by_batch), dictionary.decode)


if __name__ == "__main__":
    serve(train)
