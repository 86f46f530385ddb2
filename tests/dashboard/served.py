"""A server of made-up tables: asked in the same process, or over a socket as a browser does."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from features.made_tables import Made, make_run
from starlette.testclient import TestClient

from monosema.core.runs import write_json
from monosema.dashboard.explorers import Opener
from monosema.dashboard.graph.live import Workshop
from monosema.dashboard.guard import Doors
from monosema.dashboard.library import Library
from monosema.dashboard.server import application, listen

from .examples import scorecard

OWN = "http://127.0.0.1:8631"
SAME_ORIGIN = {"Origin": OWN}


def make(run: Path) -> Path:
    """A run with two tables and a scorecard."""
    make_run(run, {"l1": Made(n_features=60, n_tokens=4096), "topk32": Made(shift=7, other="l1")})
    write_json(run / "scorecard.json", scorecard().to_json())
    return run


def client(
    *runs: Path,
    doors: Doors | None = None,
    base: str = OWN,
    opener: Opener | None = None,
    workshop: Workshop | None = None,
) -> TestClient:
    """Asks the application itself. An error of ours that is no answer is raised."""
    return TestClient(application(Library(list(runs), opener, workshop), doors), base_url=base)


@contextmanager
def serving(*runs: Path, opener: Opener | None = None, workshop: Workshop | None = None) -> Iterator[str]:
    """The address of a real server."""
    taken = listen("127.0.0.1", 0)
    served = application(Library(list(runs), opener, workshop))
    config = uvicorn.Config(served, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        taken.close()
