"""Fingerprints: 16 hexadecimal digits that say which model, corpus or store a thing was made from."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

DIGITS = 16


def of_bytes(parts: Iterable[bytes]) -> str:
    """The fingerprint of the parts in order; ("ab",) and ("a", "b") differ."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:DIGITS]


def of_tensors(tensors: Mapping[str, "torch.Tensor"]) -> str:
    """The fingerprint of named tensors: names, shapes, types and every bit, in order of name."""
    import torch

    def parts() -> Iterable[bytes]:
        for name in sorted(tensors):
            tensor = tensors[name].detach().contiguous().cpu()
            yield f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode()
            yield tensor.reshape(-1).view(torch.uint8).numpy().tobytes()

    return of_bytes(parts())


def of_file(path: Path) -> str:
    """The fingerprint of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
