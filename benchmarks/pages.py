"""How long the browser's pages take, on a made table of 16,384 features and 10 million tokens.

    python benchmarks/pages.py --out FOLDER     makes the tables there once (3 GB), then serves and asks them

`monosema dash` as it is, in a process of its own; one request after the other, features, documents and queries
drawn at random. The first request of a page is a row of its own: it opens files, and compares what was not compared.
"""

import http.client
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder


from benchmarks.command import run
from benchmarks.contenders import ROOT
from benchmarks.race import say
from benchmarks.tables import ValueRow, machine, number, table, write_rows
from monosema.core.errors import MonosemaError
from monosema.features.browse import COLUMNS

MAKER = ROOT / "tests" / "features" / "made_tables.py"
CLI = "import sys; from monosema.cli import main; sys.exit(main())"
OPENED = re.compile(r"open (http://\S+)")


@dataclass(frozen=True)
class PagesConfig:
    """out: where the tables are, or are made; requests: of each page, after the first."""

    out: Path
    requests: int = 200
    n_features: int = 16_384
    n_tokens: int = 10_000_000
    k: int = 32
    pages: tuple[str, ...] = ()
    seed: int = 0
    json: Path | None = None


def main(config: PagesConfig) -> int:
    make(config)
    rows: list[ValueRow] = []
    with served(config.out) as port:
        for name, draw in addresses(config).items():
            if config.pages and name not in config.pages:
                continue
            for kind in ("", ".json"):
                rows += measured(name, kind, draw, port, config)
    print(f"{machine()}\n")
    names = list(dict.fromkeys(row.name.rpartition("/")[0] for row in rows))
    found = {row.name: row.value for row in rows}
    kinds = ("first", "median", "99%", "slowest")
    print(table(["page", *kinds], [[name, *(number(found[f"{name}/{kind}"]) for kind in kinds)] for name in names]))
    if config.json:
        write_rows(config.json, rows)
    return 0


def make(config: PagesConfig) -> None:
    """Two tables of the same text, the second of features that are the first's, and the first again by another name."""
    features = config.out / "features"
    if not (features / "second" / "table.json").exists():
        say("making the tables")
        numbers = (config.n_features, config.n_tokens, config.k)
        command = [sys.executable, str(MAKER), str(config.out), *map(str, numbers), "--two"]
        subprocess.run(command, check=True, cwd=ROOT)
    if not (features / "third").exists():
        shutil.copytree(features / "first", features / "third", copy_function=os.link)


@contextmanager
def served(run: Path) -> Iterator[int]:
    """The port of a server of the run, for as long as it is asked."""
    command = [sys.executable, "-c", CLI, "dash", str(run), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if found := OPENED.search(line):
                yield urlsplit(found[1]).port or 0
                return
        raise MonosemaError(f"`monosema dash {run}` ended before it printed an address")
    finally:
        server.terminate()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def addresses(config: PagesConfig) -> dict[str, Callable[[random.Random], tuple[str, str]]]:
    """For each page what draws an address: its path and its query."""
    run = f"/r/{quote(config.out.resolve().name)}"
    first, columns = f"{run}/first", list(COLUMNS)

    def query(draw: random.Random) -> str:
        kinds = ("", "kind=alive&", "frequency.max=0.01&", "q=w1&", f"importance.min={draw.uniform(-1e-4, 1e-4)}&")
        sign = draw.choice(("-", ""))
        return f"{draw.choice(kinds)}sort={sign}{draw.choice(columns)}&page={draw.randint(1, 20)}"

    def feature(draw: random.Random) -> int:
        return draw.randrange(config.n_features)

    def document(draw: random.Random) -> int:
        return draw.randrange(config.n_tokens // 500 - 1)

    def compared(left: str, right: str) -> str:
        name = config.out.resolve().name
        return f"left={quote(f'{name}/{left}', safe='')}&right={quote(f'{name}/{right}', safe='')}"

    return {
        "dictionaries": lambda _: ("/", ""),
        "features": lambda draw: (f"{first}/features", query(draw)),
        "feature": lambda draw: (f"{first}/feature/{feature(draw)}", ""),
        "feature, from a list": lambda draw: (f"{first}/feature/{feature(draw)}", query(draw)),
        "documents": lambda draw: (f"{first}/documents", f"q=module_{draw.randint(0, 99):02}"),
        "document": lambda draw: (f"{first}/document/{document(draw)}", f"feature={feature(draw)}"),
        "review": lambda draw: (f"{first}/review", f"rater=a&skip={feature(draw) // 2}"),
        "compare, by neighbours": lambda _: ("/compare", compared("first", "second")),
        "compare, by co-activation": lambda _: ("/compare", compared("first", "third")),
        "export": lambda draw: (f"{first}/export", query(draw)),
    }


def measured(
    name: str, kind: str, draw: Callable[[random.Random], tuple[str, str]], port: int, config: PagesConfig
) -> list[ValueRow]:
    """Milliseconds until the last byte of a page, or of its JSON twin, is here."""
    drawn, times = random.Random(config.seed), []
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(config.requests + 1):
        path, query = draw(drawn)
        path = "/dictionaries.json" if kind and path == "/" else path + kind
        started = time.perf_counter()
        connection.request("GET", f"{path}?{query}" if query else path)
        answer = connection.getresponse()
        body = answer.read()
        times.append(1000 * (time.perf_counter() - started))
        if answer.status != 200:
            raise MonosemaError(f"{path}?{query} answers {answer.status}: {body[:200].decode(errors='replace')}")
    connection.close()
    first, rest = times[0], sorted(times[1:])
    values = {"first": first, "median": median(rest), "99%": rest[-1 - len(rest) // 100], "slowest": rest[-1]}
    say(f"{name}{kind}: median {values['median']:.0f} ms, 99% {values['99%']:.0f} ms")
    return [ValueRow(f"{name}{kind}/{what}", value, "ms", None) for what, value in values.items()]


if __name__ == "__main__":
    sys.exit(run(main, PagesConfig, __file__, __doc__))
