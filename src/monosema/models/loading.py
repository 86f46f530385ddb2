"""From a folder, or from a model in memory, to a `Model` whose sites have been checked.

Everything is read from disk; nothing is asked of the network. Attention is always the eager kind.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from monosema.core.errors import ConfigError, DamagedError, DataError, unknown
from monosema.core.runs import read_json
from monosema.models.families import FAMILIES
from monosema.models.quiet import quiet

if TYPE_CHECKING:
    import torch

    from monosema.models.model import Model

DTYPES = ("float32", "bfloat16", "float16", "float64")
"""Types that a model can be loaded in."""

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin")


def load(path: str | Path, dtype: str = "float32", device: str = "cpu") -> "Model":
    """The language model in the folder `path` (config.json and weights, as transformers saves it): one that predicts
    the next token, masked tokens (BERT), or a text from a text (T5), by its family.

    Its weights need no gradients and it is in evaluation mode. Raises DataError (no such folder, no
    weights in it), ConfigError (family, dtype or device that is not there), DamagedError (weights
    that are cut or do not fit the config) and MismatchError (the family's table does not hold).
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    folder = Path(path)
    kind = require_loadable(folder)
    if dtype not in DTYPES:
        raise ConfigError(unknown("dtype", dtype, DTYPES))
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device '{device}': this machine has no CUDA GPU that torch can use")
    if kind == "small_transformer":
        from monosema.models.small_transformer import load_small

        module = load_small(folder).to(device, getattr(torch, dtype))
        return wrap(module.requires_grad_(False).eval(), folder.resolve().name)
    heads = {"next token": AutoModelForCausalLM, "masked token": AutoModelForMaskedLM}
    head: Any = heads.get(FAMILIES[kind].predicts, AutoModelForSeq2SeqLM)
    try:
        with quiet():
            loaded: Any = head.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                attn_implementation="eager",
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are reported, and refused below
            )
    except (SafetensorError, EOFError) as error:
        raise DamagedError(f"the weights in {folder} cannot be read ({error}): copy or make them again") from error
    module, report = loaded
    if lost := sorted(report["missing_keys"]):
        raise DamagedError(f"the weights in {folder} lack {len(lost)} of the model's tensors, first {lost[0]}")
    if misfits := sorted(report["mismatched_keys"]):
        name, got, expected = misfits[0]
        raise DamagedError(
            f"{name} in {folder} is {list(got)}, the config says {list(expected)}: they do not belong together"
        )
    return wrap(module.requires_grad_(False).eval().to(device), folder.resolve().name)


def require_loadable(folder: Path) -> str:
    """The `model_type` of the model in `folder`. Raises as `load` does, before anything heavy is imported."""
    if not folder.is_dir():
        raise DataError(f"there is no model at {folder}: give a folder with config.json and model.safetensors")
    if not (folder / "config.json").exists():
        raise DataError(f"{folder} holds no model: it has no config.json")
    config = read_json(folder / "config.json")
    kind = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(kind, str):
        raise DataError(f"{folder / 'config.json'} names no model_type: it is not the config of a transformers model")
    if kind not in FAMILIES:
        raise ConfigError(unknown("model family", kind, FAMILIES))
    if not any(file.stat().st_size for pattern in _WEIGHTS for file in folder.glob(pattern)):
        raise DataError(f"{folder} has a config.json but no weights: model.safetensors is missing or empty")
    return kind


def wrap(module: "torch.nn.Module", name: str) -> "Model":
    """`module`, a transformers language model in memory, as a Model called `name`; it is not copied or changed.

    Raises ConfigError for a family without a table and a model in training mode (its dropout would
    be read as if it were the model), MismatchError when the table does not hold for it.
    """
    from monosema.models import families, verify
    from monosema.models.model import NO_LIMIT, Model

    config: Any = module.config
    if config.model_type not in FAMILIES:
        raise ConfigError(unknown("model family", config.model_type, FAMILIES))
    if module.training:
        raise ConfigError(f"{name} is in training mode, where dropout is on: call .eval() on it first")
    family = FAMILIES[config.model_type]
    n_layers = {stack: verify.count_layers(module, table) for stack, table in families.stacks(family).items()}
    parallel = bool(family.parallel) and getattr(config, family.parallel)
    places = families.places(family, n_layers, parallel)
    verify.require_modules(module, family, places)
    n_context = getattr(config, family.n_context) if family.n_context else NO_LIMIT
    seen = verify.observe(module, places, n_context)
    last = list(n_layers)[-1]
    inside = {"z": seen[f"{last}attn_z.0"], "k": seen[f"{last}attn_k.0"]} if not family.mixer else {}
    model = Model(
        module=module,
        name=name,
        family=family,
        places=places,
        widths={site: x[0, 0].numel() for site, x in seen.items() if "pattern" not in site},
        stacks={stack.rstrip("."): n for stack, n in n_layers.items()},
        n_layers=n_layers[last],
        d_model=seen[f"{last}embed"].shape[-1],
        n_heads=inside["z"].shape[2] if inside else 0,
        n_kv_heads=inside["k"].shape[2] if inside else 0,
        d_head=inside["z"].shape[3] if inside else 0,
        d_vocab=seen["logits"].shape[-1],
        n_context=n_context,
    )
    verify.verify(model, seen)
    return model
