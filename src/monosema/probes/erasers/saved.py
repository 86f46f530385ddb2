"""An eraser on disk: a folder of two files.

eraser.safetensors    mean [d], U [d, r], V [d, r], float64
eraser.json           format, method, strengths, and the fingerprint of the tensors
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from monosema.core import fingerprints, runs
from monosema.core.errors import DamagedError, MismatchError, RunError
from monosema.probes.erasers.eraser import Eraser

FORMAT = 1
TENSORS, ABOUT = "eraser.safetensors", "eraser.json"
NAMES = ("U", "V", "mean")


def save_eraser(eraser: Eraser, folder: Path) -> None:
    """Write `eraser` to `folder`, each file whole or not at all; what stood there is replaced."""
    tensors = {name: getattr(eraser, name).cpu().contiguous().clone() for name in NAMES}
    about = {
        "format": FORMAT,
        "method": eraser.method,
        "strengths": list(eraser.strengths),
        "fingerprint": fingerprints.of_tensors(tensors),
    }
    with runs.replacing(folder / TENSORS) as temporary:
        save_file(tensors, temporary)
    runs.write_json(folder / ABOUT, about)


def load_eraser(folder: Path | str) -> Eraser:
    """What `save_eraser` wrote, bit for bit. Raises RunError when there is none, DamagedError when a file was cut or
    edited, MismatchError for another version's format."""
    folder = Path(folder)
    if not (folder / ABOUT).exists():
        raise RunError(f"{folder} holds no eraser: {ABOUT} is missing")
    about = runs.read_json(folder / ABOUT)
    keys = {"format", "method", "strengths", "fingerprint"}
    if not isinstance(about, dict) or set(about) != keys:
        raise DamagedError(f"{folder / ABOUT} was edited: it must have the keys {', '.join(sorted(keys))}")
    if about["format"] != FORMAT:
        raise MismatchError(f"{folder} has format {about['format']}, this version reads {FORMAT}: fit it again")
    try:
        tensors = load_file(folder / TENSORS)
    except FileNotFoundError as error:
        raise DamagedError(f"{folder / TENSORS} is missing: the eraser's folder is incomplete") from error
    except SafetensorError as error:
        raise DamagedError(f"{folder / TENSORS} is truncated or edited ({error})") from error
    if set(tensors) != set(NAMES) or fingerprints.of_tensors(tensors) != about["fingerprint"]:
        raise DamagedError(f"{folder / TENSORS} is not what {ABOUT} was written beside: fit the eraser again")
    mean, U, V = (tensors[name].to(torch.float64) for name in ("mean", "U", "V"))
    return Eraser(about["method"], mean, U, V, tuple(about["strengths"]))
