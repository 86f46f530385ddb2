"""SAEDashboard: `SaeVisRunner.run` and `save_feature_centric_vis`, all of its default layout, twenty strongest
sequences and ten intervals of five. settings: none.

Its runner folds the norms of the decoder into the dictionary that it is given: each page begins from a copy.
"""

from copy import deepcopy
from pathlib import Path

from sae_dashboard.components_config import (
    ActsHistogramConfig,
    Column,
    FeatureTablesConfig,
    LogitsHistogramConfig,
    LogitsTableConfig,
    SequencesConfig,
)
from sae_dashboard.data_writing_fns import save_feature_centric_vis
from sae_dashboard.layout import SaeVisLayoutConfig
from sae_dashboard.sae_vis_data import SaeVisConfig
from sae_dashboard.sae_vis_runner import SaeVisRunner
from sae_lens import SAE

from benchmarks.workers.lens import dictionary_folder, hook_point, hooked, tokens_of
from benchmarks.workers.showing import Make, ShowTask, serve_pages


def prepare(task: ShowTask) -> Make:
    model, tokens = hooked(task.model), tokens_of(task)
    given = SAE.load_from_disk(str(dictionary_folder(task)), device="cpu")
    columns = [
        Column(FeatureTablesConfig()),
        Column(ActsHistogramConfig(), LogitsTableConfig(), LogitsHistogramConfig()),
        Column(SequencesConfig(buffer=(task.before, task.after), stack_mode="stack-none")),
    ]
    features = list(range(task.n_features or given.cfg.d_sae))
    config = SaeVisConfig(
        hook_point=hook_point(task),
        features=features,
        feature_centric_layout=SaeVisLayoutConfig(columns),
        seed=task.seed,
    )

    def make(page: Path) -> int:
        data = SaeVisRunner(config).run(deepcopy(given), model, tokens)
        save_feature_centric_vis(data, page)
        return len(features)

    return make


if __name__ == "__main__":
    serve_pages(prepare)
