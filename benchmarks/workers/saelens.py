"""SAELens: its own `SAETrainer.fit`, fed an iterator of rows. settings: `architecture`, `lr`, `sae`.

Everything that is not set is SAELens's default; `sae` holds the settings of its architecture's config.
"""

from collections.abc import Iterator
from contextlib import suppress

from sae_lens.config import LanguageModelSAERunnerConfig, SAETrainerConfig
from sae_lens.registry import get_sae_training_class
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor

from benchmarks.workers.feed import Made, Task, serve


def train(task: Task, batches: Iterator[Tensor]) -> Made:
    kind, config = get_sae_training_class(task.settings["architecture"])
    k = {"k": task.k} if "topk" in task.settings["architecture"] else {}
    sae = kind(config(d_in=task.d_in, d_sae=task.n_features, **k, **task.settings["sae"]))
    lr = LanguageModelSAERunnerConfig.lr if task.settings["lr"] is None else task.settings["lr"]
    samples = (task.steps + 1) * task.batch  # one more than is fed: the last step is followed by a question
    settings = SAETrainerConfig(
        total_training_samples=samples, train_batch_size_samples=task.batch, lr=lr, lr_end=lr / 10
    )
    with suppress(StopIteration):
        SAETrainer(settings, sae, batches).fit()
    sae.eval()
    return Made(sae.encode, sae.decode)


if __name__ == "__main__":
    serve(train)
