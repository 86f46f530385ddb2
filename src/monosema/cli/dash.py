"""`monosema dash`: the feature tables of one or several runs, in the browser."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import FlagCreatePairsOff, Positional

from monosema.cli.showing import Outcome
from monosema.core.config import require, require_range


@dataclass(frozen=True)
class Arguments:
    """Show the feature tables of runs in the browser: one address, until interrupted."""

    runs: Positional[tuple[Path, ...]]
    """Run directories with feature tables, as `monosema features` builds them, or with transcoders of every layer."""
    port: int = 8631
    """Port to listen on; 0 for any free one."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but this machine's own needs --token."""
    token: str = ""
    """Ask every visitor for this secret; it goes into the address that is printed."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Check the runs, take the port, print the address, and serve until interrupted."""
    from monosema.dashboard.guard import LOOPBACK, Doors
    from monosema.dashboard.library import Library
    from monosema.dashboard.server import listen, serve
    from monosema.pipeline.workshop import RunModels

    a = arguments
    require(len(a.runs) > 0, "no run to show: give one, such as runs/demo")
    require_range("port", a.port, 0, 65535)
    outside = a.host not in LOOPBACK
    require(not outside or bool(a.token), f"--host {a.host} lets others in: give a --token they need")
    require(
        not a.token or (len(a.token) >= 8 and a.token.isascii() and a.token.isalnum()),
        "--token must be at least 8 letters and digits",
    )
    models = RunModels()
    library = Library(a.runs, models.explorer, models)
    taken = listen(a.host, a.port)
    port = taken.getsockname()[1]
    shown = "127.0.0.1" if a.host in ("0.0.0.0", "localhost") else f"[{a.host}]" if ":" in a.host else a.host
    url = f"http://{shown}:{port}/{f'?token={a.token}' if a.token else ''}"
    print(f"open {url}\nstop with Ctrl-C", file=sys.stderr if a.json else sys.stdout, flush=True)
    doors = Doors(frozenset({*LOOPBACK, a.host.lower()}), a.token, any_address=outside)
    try:
        serve(library, doors, taken)
    except KeyboardInterrupt:
        pass
    finally:
        taken.close()
    return Outcome(wrote=(), next="", result={"url": url, "runs": [str(path) for path in a.runs]}, shown=())
