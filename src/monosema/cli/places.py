"""Where a verb writes: run directories, made when needed and removed again when nothing came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monosema.core.errors import RunError
from monosema.core.runs import Run, open_run


@contextmanager
def new_or_old_run(path: Path) -> Iterator[Run]:
    """The run directory at `path`, made if it is not there. A mistake leaves no empty folder behind."""
    before = path.exists()
    run = open_run(path, create=True)
    try:
        yield run
    finally:
        if not before and not any(path.iterdir()):
            path.rmdir()


def seen_from(run: Path, folder: Path) -> str:
    """`folder` as a run directory writes it down: relative when it lies inside, so that the run can be moved."""
    run, folder = run.resolve(), folder.resolve()
    return str(folder.relative_to(run)) if folder.is_relative_to(run) else str(folder)


def require_folder(out: Path) -> None:
    """Raise RunError when `out`, where a verb is to write, is a file: before anything is computed."""
    if out.is_file():
        raise RunError(f"{out} is a file: give a folder with --out")


def model_folder(given: Path | None) -> Path:
    """The folder of the model that a command names: itself, a run's, or the small one that comes with monosema."""
    if given is None:
        from monosema.pipeline.demo import EMBEDDED_LM

        return EMBEDDED_LM
    of_run = given / "lm"
    return of_run if (given / "provenance.json").exists() and (of_run / "config.json").exists() else given
