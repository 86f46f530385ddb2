"""Training checkpoints: one safetensors file, written whole or not at all, with its state as JSON inside.

The state names the run (specs, settings, source); a checkpoint of another run is refused in words.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from monosema.core.errors import DamagedError, MismatchError
from monosema.core.runs import replacing


def write_checkpoint(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Replace the checkpoint at `path`."""
    with replacing(path) as temporary:
        held = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
        save_file(held, temporary, metadata={"state": json.dumps(state)})


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state. Raises DamagedError if the file is not what was written."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["state"])  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DamagedError(f"{path} is not a whole checkpoint ({error}): delete it and train again") from error


def require_same(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise MismatchError naming the first thing in which a checkpoint's run differs from this one."""
    for key, value in expected.items():
        if found.get(key) != value:
            raise MismatchError(
                f"{path} is of another run: its {key} is {_short(found.get(key))}, here it is {_short(value)}. "
                "Repeat the first command to resume it, or train into a new folder"
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 160 else text[:157] + "..."
