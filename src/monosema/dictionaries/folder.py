"""A dictionary on disk: a folder that SAELens loads as it is, wherever its format can express it.

    sae_weights.safetensors   W_enc [d_in, n_features], W_dec [n_features, d_out], biases, extras
    cfg.json                  SAELens's fields; ours are in its `metadata`
    pruned.safetensors        only if features were pruned: which, and the decoder rows they had

A BatchTopK or Matryoshka dictionary is stored as the JumpReLU it is in use. Pruned features have
decoder rows of zero there, so that SAELens reconstructs what we do. A dictionary read back is
bit-identical. A crosscoder of several sites has no counterpart and is refused there, not misread; nor has one whose
features are split over layers, which is marked `cross_layer` here.
"""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from monosema.core import runs, sites
from monosema.core.config import from_json, to_json
from monosema.core.errors import DamagedError, MismatchError, RunError, SiteError
from monosema.dictionaries.dictionary import Dictionary
from monosema.dictionaries.layers import Layers
from monosema.dictionaries.table import architecture
from monosema.dictionaries.weights import Weights

FORMAT = 1
SAELENS = {
    "l1": "standard",
    "gated": "gated",
    "topk": "topk",
    "batchtopk": "jumprelu",
    "jumprelu": "jumprelu",
    "matryoshka": "jumprelu",
}
WEIGHTS, CONFIG, PRUNED = "sae_weights.safetensors", "cfg.json", "pruned.safetensors"


def save(dictionary: Dictionary, folder: Path) -> None:
    """Write `dictionary` to `folder`, whole or not at all; what stood there is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    tensors = _tensors(dictionary)
    pruned = ~dictionary.keep
    if bool(pruned.any()):
        save_file({"keep": dictionary.keep.cpu(), "W_dec": tensors["W_dec"][pruned]}, temporary / PRUNED)
        tensors["W_dec"] = tensors["W_dec"].masked_fill(pruned[:, None].cpu(), 0.0)
    save_file(tensors, temporary / WEIGHTS)
    runs.write_json(temporary / CONFIG, _config(dictionary))
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path | str) -> Dictionary:
    """The dictionary that `save` wrote. Raises RunError when there is none, DamagedError when a file
    is cut, MismatchError when the tensors are not those its config describes."""
    folder = Path(folder)
    if not (folder / CONFIG).exists():
        raise RunError(f"{folder} holds no dictionary: {CONFIG} is missing")
    stored = runs.read_json(folder / CONFIG)
    ours = stored.get("metadata", {}).get("monosema")
    if ours is None:
        raise MismatchError(f"{folder} was not written by monosema: its {CONFIG} has no 'monosema' block")
    if ours["format"] != FORMAT:
        raise MismatchError(f"{folder} has format {ours['format']}, this version reads {FORMAT}: save it again")
    cls = architecture(ours["architecture"])
    rule = cls(from_json(cls.Config, ours["config"], str(folder / CONFIG)))  # type: ignore[call-arg]
    tensors = _read(folder / WEIGHTS)
    keep = torch.ones(len(tensors["W_dec"]), dtype=torch.bool)
    if (folder / PRUNED).exists():
        pruned = _read(folder / PRUNED)
        keep = pruned["keep"]
        tensors["W_dec"][~keep] = pruned["W_dec"]
    weights = _weights(tensors, ours, folder)
    geometry = {name: tuple(ours[name]) for name in ("reads", "writes", "widths_in", "widths_out")}
    metadata = ours["metadata"]
    return Dictionary(ours["architecture"], rule, weights, **geometry, keep=keep, metadata=metadata, folder=folder)


def _tensors(dictionary: Dictionary) -> dict[str, Tensor]:
    weights = dictionary.weights
    tensors = {"W_enc": weights.W_enc.T, "W_dec": weights.W_dec, "b_dec": weights.b_dec, **weights.extra}
    tensors["b_gate" if dictionary.architecture == "gated" else "b_enc"] = weights.b_enc
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _config(dictionary: Dictionary) -> dict[str, Any]:
    d = dictionary
    transcoder = not d.is_autoencoder
    kind = SAELENS.get(d.architecture, d.architecture)
    several = len(d.reads) > 1 or len(d.writes) > 1
    fields: dict[str, Any] = {
        "architecture": f"crosscoder_{kind}" if several else _transcoder_name(kind) if transcoder else kind,
        "d_in": d.d_in,
        "d_sae": d.n_features,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": d.weights.centred,
        "normalize_activations": "none",
        "reshape_activations": "none",
    }
    if transcoder:
        fields["d_out"] = d.d_out
    if kind == "topk":
        fields |= {"k": d.config.k, "rescale_acts_by_decoder_norm": False}
    hook, hook_out = _lens(next(iter(d.reads))), _lens(next(iter(d.writes)))
    ours = {
        "format": FORMAT,
        "architecture": d.architecture,
        "config": to_json(d.config),
        "tied": d.weights.tied,
        "extra": sorted(d.weights.extra),
        **{
            f.name: list(getattr(d, f.name))
            for f in dataclasses.fields(d)
            if f.name.startswith(("reads", "writes", "wid"))
        },
        "metadata": d.metadata,
        **({"cross_layer": True} if d.weights.layers else {}),
    }
    return {
        **fields,
        "metadata": {"hook_name": hook, **({"hook_name_out": hook_out} if transcoder else {}), "monosema": ours},
    }


def _transcoder_name(kind: str) -> str:
    return "transcoder" if kind == "standard" else f"{kind}_transcoder"


def _lens(site: str) -> str:
    """SAELens's name for a site; a site it has no name for keeps ours."""
    try:
        return sites.parse(site).transformer_lens
    except SiteError:
        return site


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is missing: the dictionary's folder is incomplete") from error
    except SafetensorError as error:
        raise DamagedError(f"{path} is truncated or edited ({error})") from error


def _weights(tensors: dict[str, Tensor], ours: dict[str, Any], folder: Path) -> Weights:
    bias = "b_gate" if ours["architecture"] == "gated" else "b_enc"
    expected = {"W_enc", "W_dec", "b_dec", bias, *ours["extra"]}
    if set(tensors) != expected:
        raise MismatchError(f"{folder} holds tensors {sorted(tensors)}; {ours['architecture']} has {sorted(expected)}")
    shapes = tuple(tensors["W_enc"].shape), tuple(tensors["W_dec"].shape)
    n = ours["config"]["n_features"]
    if shapes != ((sum(ours["widths_in"]), n), (n, sum(ours["widths_out"]))):
        raise MismatchError(f"{folder}: W_enc and W_dec have shapes {shapes}, its config says {n} features")
    W_dec = tensors["W_dec"]
    W_enc = W_dec if ours["tied"] else tensors["W_enc"].T.contiguous()
    extra = {name: tensors[name] for name in ours["extra"]}
    layers = Layers.split(n, ours["widths_in"], ours["widths_out"]) if "cross_layer" in ours else None
    if layers is not None and not layers.hold(W_enc, W_dec):
        raise MismatchError(
            f"{folder}: its config says cross_layer, but some feature reads, or writes before, another layer"
        )
    return Weights(W_enc, W_dec, tensors[bias], tensors["b_dec"], ours["reads"] == ours["writes"], extra, layers)
