"""One writer at a time: a lock on a folder, of which the system lets go when its holder ends, however it ends.

No file is left. Where the system has no such lock (Windows) nothing is held.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monosema.core.errors import RunError

_held: set[Path] = set()


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Within it no other process holds `folder`; this one may, further out. Raises RunError when another does."""
    place = folder.resolve()
    if place in _held or sys.platform == "win32":
        yield
        return
    import fcntl

    opened = os.open(place, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"another process is writing into {folder}: wait until it has ended, then repeat the command"
            ) from None
        _held.add(place)
        yield
    finally:
        _held.discard(place)
        os.close(opened)
