"""Who finds what is there: every architecture of ours beside the peers', on worlds whose features are known.

    python benchmarks/recovery.py --out FOLDER               three worlds, three L0, five seeds
    python benchmarks/recovery.py --out FOLDER --search      and again, each at the best learning rate of a search
    python benchmarks/recovery.py --out FOLDER --n-features 16384 --d 768 --l0 32 --seeds 1 --shares 1 \
        --grounds independent --contenders topk saelens_topk batchtopk saelens_batchtopk

All see the same rows in the same order, once. A world's L0 is known: dictionaries are asked for `--shares` of it.
Where a penalty sets L0, the penalty is looked for first. The search compares learning rates on a seed of its own, at
the world's own L0, for ours as for the peers. What is in FOLDER is not trained again: a run that is cut off goes on.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder

import tyro

from benchmarks.command import run
from benchmarks.contenders import OURS, Contender
from benchmarks.grounds import Ground, worlds
from benchmarks.judged import Judged, judged
from benchmarks.processes import task_of
from benchmarks.race import installed, say
from benchmarks.rounds import Summary, summary
from benchmarks.tables import ValueRow, machine, number, table, versions, write_rows
from benchmarks.trials import Answer, Book, Lanes, Series, Trials
from benchmarks.workers.feed import Task
from monosema.core.config import require
from monosema.core.errors import unknown

RATES = (1e-3, 3e-3, 1e-2, 3e-2)
DEFAULT, TUNED = "default", "tuned"
MEASURES = ("mcc", "recovered", "f1", "absorption", "dead")


@dataclass(frozen=True)
class GroundConfig:
    """The worlds, and what is asked of them. grounds: by name, all by default. shares: of the world's L0."""

    n_features: int = 1024
    d: int = 128
    l0: float = 12.0
    grounds: tuple[str, ...] = ()
    shares: tuple[float, ...] = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class RecoveryBenchConfig:
    """out: where results are kept as they come. contenders: by name, all by default. at_once: trainings side by
    side, each on one thread. search: the second column."""

    out: Path
    ground: GroundConfig = field(default_factory=GroundConfig)
    rows: int = 500_000
    batch: int = 1024
    seeds: int = 5
    contenders: tuple[str, ...] = ()
    search: bool = False
    at_once: int = os.cpu_count() or 1
    json: Path | None = None
    markdown: Path | None = None


@dataclass(frozen=True)
class Cell:
    """What one contender did at one L0 of one world, over its seeds. rate: its learning rate, None for its own."""

    ground: str
    share: float
    column: str
    judged: Judged
    rate: float | None
    answers: list[Answer]

    def of(self, measure: str) -> Summary | None:
        values = [answer[measure] for answer in self.answers if measure in answer]
        return summary(values) if values else None


def main(config: RecoveryBenchConfig) -> int:
    """Run what is not in the folder yet and print the tables; 1 when a training failed."""
    contenders = chosen(config)
    config.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, Lanes(config.at_once, lambda c: first_task(c, config)) as lanes:
        grounds = prepared(Path(made), config)
        trials = Trials(lanes, Book(config.out / "answers.jsonl"), Path(made))
        work = [(one, ground) for ground in grounds for one in contenders]
        done = lanes.each(lambda pair: cells_of(trials, pair[0], pair[1], config), work)
        cells = [cell for its_cells in done for cell in its_cells]
    text = markdown(cells, config, [one.contender for one in contenders])
    print(text, end="")
    if config.markdown:
        config.markdown.write_text(text, encoding="utf-8")
    if config.json:
        write_rows(config.json, rows_of(cells))
    return 1 if any(len(cell.answers) < config.seeds for cell in cells) else 0


def chosen(config: RecoveryBenchConfig) -> list[Judged]:
    """The contenders of these names whose environment is there."""
    every = judged(config.ground.n_features)
    names = [one.name for one in every]
    for name in config.contenders:
        require(name in names, unknown("contender", name, names))
    there = {c.name for c in installed([one.contender for one in every if one.name in (config.contenders or names)])}
    return [one for one in every if one.name in there]


def prepared(folder: Path, config: RecoveryBenchConfig) -> list[Ground]:
    every = worlds(config.ground.n_features, config.ground.d, config.ground.l0)
    for name in config.ground.grounds:
        require(name in every, unknown("world", name, every))
    return [Ground(name, every[name], folder, config.rows) for name in config.ground.grounds or every]


def first_task(contender: Contender, config: RecoveryBenchConfig) -> Task:
    """What all trainings of a worker share; the rest comes with each."""
    numbers = {"n_features": config.ground.n_features, "batch": config.batch, "steps": config.rows // config.batch}
    return task_of(contender, Path(), Path(), d_in=config.ground.d, k=1, seed=0, threads=1, **numbers)


def cells_of(trials: Trials, one: Judged, ground: Ground, config: RecoveryBenchConfig) -> list[Cell]:
    """Every L0 and column of one contender on one world."""
    columns: dict[str, float | None] = {DEFAULT: None}
    if config.search:
        columns[TUNED] = trials.best_rate(Series(one, ground, asked(ground, 1.0), None), RATES)
    cells = []
    for column, rate in columns.items():
        for share in config.ground.shares:
            series = Series(one, ground, asked(ground, share), rate)
            cells.append(Cell(ground.name, share, column, one, rate, trials.series(series, range(config.seeds))))
    say(f"{ground.name}: {one.name}")
    return cells


def asked(ground: Ground, share: float) -> int:
    return max(1, round(share * ground.truth))


def best_peer(cells: Sequence[Cell], cell: Cell) -> Cell | None:
    """Of the same family, world, L0 and column, the peer of largest mcc."""
    peers = [
        other
        for other in cells
        if (other.ground, other.share, other.column, other.judged.family)
        == (cell.ground, cell.share, cell.column, cell.judged.family)
        and other.judged.contender.environment != OURS
        and other.of("mcc") is not None
    ]
    return max(peers, key=lambda other: median(other, "mcc"), default=None)


def median(cell: Cell, measure: str) -> float:
    found = cell.of(measure)
    return found.median if found else float("nan")


def markdown(cells: Sequence[Cell], config: RecoveryBenchConfig, contenders: Sequence[Contender]) -> str:
    """What a reader needs to repeat it, who is ahead, and a table for each world, L0 and column."""
    parts = [f"{machine()}; {config.at_once} at once, one thread each\n\n{versions(contenders)}\n\n"]
    parts.append(f"`{shlex.join(['python', 'benchmarks/recovery.py', *sys.argv[1:]])}`\n\n")
    parts.append("### Ours against the best peer: mcc\n\n" + ahead_table(cells))
    places = dict.fromkeys((cell.ground, cell.share, cell.column) for cell in cells)
    for ground, share, column in places:
        here = [cell for cell in cells if (cell.ground, cell.share, cell.column) == (ground, share, column)]
        parts.append(f"\n### {ground}, L0 {share:g} x truth, learning rate: {column}\n\n" + cell_table(here))
    return "".join(parts)


def ahead_table(cells: Sequence[Cell]) -> str:
    """A line for each cell of ours; 'ahead' when our worst seed is above the peer's best."""
    body = []
    for cell in cells:
        peer, own = best_peer(cells, cell), cell.of("mcc")
        if cell.judged.contender.environment != OURS or peer is None or own is None:
            continue
        theirs = peer.of("mcc")
        assert theirs is not None
        verdict = "ahead" if own.low > theirs.high else "behind" if own.high < theirs.low else "level"
        row = [cell.judged.family, cell.ground, f"{cell.share:g}", cell.column]
        body.append([*row, spread(own), spread(theirs), peer.judged.name, verdict])
    return table(["family", "world", "L0 / truth", "learning rate", "ours", "best peer", "who", ""], body)


def cell_table(cells: Sequence[Cell]) -> str:
    """The control of mcc is that of the first seed: the same dictionary matched to another world of its kind."""
    body = []
    for cell in cells:
        nmse, l0 = cell.of("nmse"), cell.of("l0")
        if nmse is None or l0 is None:
            body.append([cell.judged.name, *["-"] * (len(MEASURES) + 4)])
            continue
        control = number(cell.answers[0]["control"]["mcc"])
        rate = "its own" if cell.rate is None else f"{cell.rate:g}"
        measured = [spread(cell.of(measure)) for measure in MEASURES]
        body.append([cell.judged.name, *measured, number(1 - nmse.median), number(l0.median), control, rate])
    return table(["contender", *MEASURES, "variance explained", "L0", "control of mcc", "learning rate"], body)


def spread(value: Summary | None) -> str:
    """The median over seeds, and the range."""
    return "-" if value is None else f"{number(value.median)} ({number(value.low)} to {number(value.high)})"


def rows_of(cells: Sequence[Cell]) -> list[ValueRow]:
    """Each measure of each cell; `ratio` of mcc is to the best peer's."""
    rows = []
    for cell in cells:
        peer = best_peer(cells, cell)
        for measure in (*MEASURES, "nmse", "l0", "seconds"):
            if (found := cell.of(measure)) is not None:
                ratio = found.median / median(peer, "mcc") if measure == "mcc" and peer else None
                name = f"{cell.ground}/{cell.share:g}/{cell.column}/{cell.judged.name}/{measure}"
                rows.append(ValueRow(name, found.median, "s" if measure == "seconds" else "", ratio))
    return rows


if __name__ == "__main__":
    sys.exit(run(main, tyro.conf.OmitArgPrefixes[RecoveryBenchConfig], __file__, __doc__))
