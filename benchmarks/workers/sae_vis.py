"""sae_vis: `SaeVisData.create` and `save_feature_centric_vis`, all of its default layout, twenty strongest
sequences and ten intervals of five. settings: none.

It is written for SAELens 5, which does not read the folders of SAELens 6: the weights are put into its SAE here.
"""

import json
from pathlib import Path

import torch
from sae_lens import SAE, SAEConfig
from sae_vis import SaeVisConfig, SaeVisData
from sae_vis.data_config_classes import (
    ActsHistogramConfig,
    Column,
    FeatureTablesConfig,
    LogitsHistogramConfig,
    LogitsTableConfig,
    SaeVisLayoutConfig,
    SeqMultiGroupConfig,
)
from safetensors.torch import load_file

from benchmarks.workers.lens import dictionary_folder, hook_point, hooked, tokens_of
from benchmarks.workers.showing import Make, ShowTask, serve_pages


def prepare(task: ShowTask) -> Make:
    model, sae, tokens = hooked(task.model), dictionary(task), tokens_of(task)
    columns = [
        Column(FeatureTablesConfig()),
        Column(ActsHistogramConfig(), LogitsTableConfig(), LogitsHistogramConfig()),
        Column(SeqMultiGroupConfig(buffer=(task.before, task.after))),
    ]
    features = list(range(task.n_features or sae.cfg.d_sae))
    config = SaeVisConfig(features, feature_centric_layout=SaeVisLayoutConfig(columns), seed=task.seed)

    def make(page: Path) -> int:
        SaeVisData.create(sae, model, tokens, config).save_feature_centric_vis(str(page))
        return len(features)

    return make


def dictionary(task: ShowTask) -> SAE:
    """The dictionary as an SAE of SAELens 5."""
    folder = dictionary_folder(task)
    saved, tensors = json.loads((folder / "cfg.json").read_text()), load_file(folder / "sae_weights.safetensors")
    hook = hook_point(task)
    config = SAEConfig(
        architecture=saved["architecture"],
        d_in=saved["d_in"],
        d_sae=saved["d_sae"],
        activation_fn_str="relu",
        apply_b_dec_to_input=saved["apply_b_dec_to_input"],
        finetuning_scaling_factor=False,
        context_size=tokens_of(task).shape[1],
        model_name="gpt2",
        hook_name=hook,
        hook_layer=int(hook.split(".")[1]),
        hook_head_index=None,
        prepend_bos=False,
        dataset_path="",
        dataset_trust_remote_code=False,
        normalize_activations="none",
        dtype="float32",
        device="cpu",
        sae_lens_training_version=None,
    )
    sae = SAE(config)
    with torch.no_grad():
        for name, parameter in sae.named_parameters():
            parameter.copy_(tensors[name])
    return sae


if __name__ == "__main__":
    serve_pages(prepare)
