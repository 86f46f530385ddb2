"""`monosema train`: dictionaries on the run's store, many in one pass, and the same on the control's."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction

from monosema.cli.showing import Grid, Outcome
from monosema.core.config import require
from monosema.core.errors import ConfigError
from monosema.core.runs import Run, open_run


@dataclass(frozen=True)
class Arguments:
    """Train dictionaries on RUN/store, all in one pass, and the same on RUN/control/store.

    A dictionary is written ARCHITECTURE,setting=value,... or NAME=ARCHITECTURE,setting=value,...;
    settings of the architecture and of the optimiser stand side by side: narrow=l1,penalty=8,lr=0.002. With
    cross_layer=true its features are split over the layers that it reads, and write that layer and later ones
    """

    run: Positional[Path]
    """Run directory that has been harvested into."""
    dictionary: UseAppendAction[tuple[str, ...]] = ()
    """What to train, such as topk,k=32,n_features=1024; again for several."""
    reads: UseAppendAction[tuple[str, ...]] = ()
    """Site that the dictionaries read; again for several, laid end to end. Default: the store's only site. A kind of
    site, such as mlp_in, makes a dictionary for every layer: NAME-0, NAME-1, ..."""
    writes: UseAppendAction[tuple[str, ...]] = ()
    """Site that they write, when it is another (a transcoder); a kind where --reads is. Default: where they read."""
    rows: int = 4_000_000
    """Activations that each dictionary sees, over as many epochs as that takes."""
    batch_size: int = 4096
    """Activations in one step."""
    seed: int = 0
    """Of the initial weights and of the order of the rows."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Parse the dictionaries, train them, and say how they ended."""
    a = arguments
    require(len(a.dictionary) > 0, "no dictionary to train: give one, such as --dictionary topk,k=32,n_features=1024")
    run = open_run(a.run)
    run.require("harvest")
    from monosema.dictionaries import TrainConfig, parse_spec
    from monosema.pipeline.stages import train_stage
    from monosema.pipeline.subject import subject_config
    from monosema.pipeline.tracing_specs import layered_specs

    there = subject_config(run).sites
    specs = layered_specs(a.dictionary, a.reads, a.writes, there)
    if specs is None:
        reads = _sites(a.reads, there)
        writes = _sites(a.writes, there) if a.writes else reads
        specs = [parse_spec(text, reads, writes) for text in a.dictionary]
    config = TrainConfig(rows=a.rows, batch_size=a.batch_size, seed=a.seed, device=a.device)
    made = train_stage(run, specs, config)
    rows = [[name, d.architecture, f"{d.n_features:,}", " + ".join(d.reads)] for name, d in made.items()]
    lost = [spec.name for spec in specs if spec.name not in made]
    notes = [f"diverged, and kept in {a.run / 'dictionaries' / 'diverged'}: {', '.join(lost)}"] if lost else []
    return Outcome(
        wrote=tuple(a.run / "dictionaries" / name for name in made),
        next=f"monosema score {a.run}",
        result={"dictionaries": {name: d.fingerprint for name, d in made.items()}, "diverged": lost},
        shown=(
            Grid(("dictionary", "architecture", "features", "reads"), rows, frozenset({"features"})),
            *notes,
            *_time(run),
        ),
    )


def _time(run: Run) -> list[str]:
    """How fast the last training into the run was, and where its time went."""
    entries = [entry for entry in run.entries("train") if entry["event"] == "time"]
    if not entries:
        return []
    last, seconds = entries[-1], entries[-1]["seconds"]
    total = sum(seconds.values()) or 1.0
    parts = ", ".join(f"{name} {spent / total:.0%}" for name, spent in seconds.items() if spent / total >= 0.005)
    return [f"{last['rows_per_second']:,} rows a second, kernels {last['kernels']}: {parts}"]


def _sites(asked: tuple[str, ...], there: tuple[str, ...]) -> tuple[str, ...]:
    """The asked sites in our spelling; without any, the store's only one."""
    from monosema.core.sites import parse

    if not asked:
        if len(there) > 1:
            raise ConfigError(f"the store holds {', '.join(there)}: say what to read, with --reads")
        return there
    return tuple(site if site in there else str(parse(site)) for site in asked)
