"""A language model in training, on disk: one safetensors file, from which training goes on bit for bit.

    weight.<name>  exp_avg.<name>  exp_avg_sq.<name>      for every parameter
    metadata       step, the loss curve so far, and what the training is of (config, corpora)

One file and one rename, so that weights, optimiser and step can never disagree. Nothing random needs
keeping: the order of the blocks follows from the seed and the step, and there is no dropout.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from monosema.core.errors import DamagedError, MismatchError
from monosema.core.runs import replacing


@dataclass
class Training:
    """A model and its optimiser after `step` steps; the loss curve, and the losses since its last row."""

    module: torch.nn.Module
    optimiser: torch.optim.AdamW
    step: int = 0
    curve: list[dict[str, int | float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def save(path: Path, training: Training, what: Mapping[str, Any]) -> None:
    """Write `training`, and `what` it is of, to `path`, whole or not at all."""
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in training.module.named_parameters():
        tensors[f"weight.{name}"] = parameter.detach()
        for moment in _MOMENTS:
            if moment in training.optimiser.state[parameter]:
                tensors[f"{moment}.{name}"] = training.optimiser.state[parameter][moment]
    state = {"what": what, "step": training.step, "curve": training.curve, "losses": training.losses}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"state": json.dumps(state)})


def restore(path: Path, training: Training, what: Mapping[str, Any]) -> None:
    """Bring `training` to where `path` was written.

    Raises DamagedError when the file is cut or of another architecture than it says, MismatchError
    when it is of another training than `what`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            require_same(path, state["what"], what)
            names = set(file.keys())
            for name, parameter in training.module.named_parameters():
                parameter.data.copy_(file.get_tensor(f"weight.{name}"))
                if state["step"] and f"exp_avg.{name}" in names:
                    step = torch.tensor(float(state["step"]), device=parameter.device)
                    moments = {m: file.get_tensor(f"{m}.{name}").to(parameter.device) for m in _MOMENTS}
                    training.optimiser.state[parameter] = {"step": step, **moments}
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DamagedError(f"{path} is not a whole checkpoint ({error}): delete it to train from the start") from error
    training.step, training.curve, training.losses = state["step"], state["curve"], state["losses"]


def require_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise MismatchError naming what differs, unless the training at `path` is the one asked for `now`."""
    old, new = (dict(part["config"]) | {k: part[k] for k in ("corpus", "held_out")} for part in (before, now))
    wrong = [f"{key} {old.get(key)!r}, not {new.get(key)!r}" for key in new if old.get(key) != new.get(key)]
    if wrong:
        remedy = "give the same settings and corpus, or a new folder"
        raise MismatchError(f"{path.parent} holds a model trained with {'; '.join(wrong)}: {remedy}")


_MOMENTS = ("exp_avg", "exp_avg_sq")
