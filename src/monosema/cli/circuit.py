"""`monosema circuit`: which features of a run's dictionaries make the model's answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.circuits.features.settings import SIZES, CircuitConfig
from monosema.cli.places import require_folder
from monosema.cli.showing import Outcome
from monosema.core.errors import ConfigError

if TYPE_CHECKING:
    from monosema.circuits.patch.pairs import Pairs
    from monosema.pipeline.finding_circuits import Opened


@dataclass(frozen=True)
class Arguments:
    """The circuit of features behind an answer: OUT/circuit.html, its .json, and a folder of SVG files.

    Found by integrated gradients on some pairs of prompts, measured on others: how much of the answer the circuit keeps
    when all else is at its mean, and how much is left without it. Beside it neurons of the same sites, random features,
    and dictionaries in which nothing is learned.
    """

    run: Annotated[Positional[Path | None], arg(metavar="[RUN]")] = None
    """Run directory with dictionaries."""
    example: Literal["none", "agreement"] = "none"
    """In place of a run: a small model and dictionaries of sentences whose circuit is known, trained here (minutes)."""
    dictionaries: str = ""
    """Names of the run's dictionaries, one for each site, with commas between. Default: all, where no two share one."""
    pairs: Path | None = None
    """JSON lines with clean_prefix, patch_prefix, clean_answer and patch_answer."""
    skip: FlagCreatePairsOff[bool] = False
    """Leave out pairs of the file that do not fit, and say how many."""
    task: Literal["none", "agreement", "induction"] = "none"
    """In place of a file: made-up pairs of subject and verb, or of random tokens that repeat."""
    n: int = 128
    """Made-up pairs, or pairs of the file, at most."""
    metric: Literal["logit_diff", "probability", "loss"] = "logit_diff"
    """What is measured of the last token's logits."""
    baseline: Literal["corrupted", "zero", "mean"] = "corrupted"
    """What nodes are moved to when their effects are estimated."""
    steps: int = 10
    """Points of the integrated gradients."""
    positions: bool = True
    """A node is a feature at one position; --no-positions: at all, for prompts of unlike build."""
    top: int = 20
    """Nodes of the circuit that is shown."""
    sizes: str = ",".join(map(str, SIZES))
    """Nodes of the circuits of the curves, with commas between."""
    held_out: float = 0.5
    """Share of the pairs on which circuits are measured; they are found on the others."""
    seed: int = 0
    """Of the example, made-up pairs, the split and the controls."""
    out: Path = Path("circuit")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Open or train, make the pairs, find and measure the circuit, and write what was seen."""
    a = arguments
    _require_one_source(a)
    config = CircuitConfig(a.metric, a.baseline, a.steps, a.positions, a.top, _sizes(a.sizes), a.held_out, seed=a.seed)
    require_folder(a.out)

    from monosema.cli.exhibiting import written

    if a.example == "agreement":
        from monosema.circuits.features.demonstrating import demonstrate
        from monosema.circuits.features.planted import PlantedConfig

        return written(demonstrate(config, PlantedConfig(pairs=a.n, seed=a.seed)), a.out, "monosema circuit --help")

    from monosema.circuits.features.exploring import explore_circuit
    from monosema.pipeline.finding_circuits import open_parts

    assert a.run is not None
    opened = open_parts(a.run, tuple(name.strip() for name in a.dictionaries.split(",") if name.strip()))
    pairs, left = _pairs(a, opened)
    texts = opened.tokenizer.token_texts(pairs.clean[0].tolist())
    outcome = written(
        explore_circuit(opened.model, pairs, opened.parts, config, texts), a.out, f"monosema dash {a.run}"
    )
    shown = (f"{left} pairs of the file do not fit and were left out", *outcome.shown) if left else outcome.shown
    return Outcome(outcome.wrote, outcome.next, outcome.result, shown)


def _require_one_source(a: Arguments) -> None:
    if (a.run is None) == (a.example == "none"):
        raise ConfigError("give a run directory, or --example agreement in its place")
    if a.example != "none":
        if a.pairs is not None or a.task != "none" or a.dictionaries or a.skip:
            raise ConfigError(
                "--example makes its own pairs and dictionaries: leave --pairs, --task and --dictionaries out"
            )
        if not a.positions:
            raise ConfigError("--example says what each position knows: leave --no-positions out")
        return
    if (a.pairs is None) == (a.task == "none"):
        raise ConfigError("say once which prompts: --pairs FILE, or --task agreement, or --task induction")
    if a.skip and a.pairs is None:
        raise ConfigError("--skip is for the pairs of a file: give one with --pairs")


def _sizes(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if wrong := [word for word in words if not word.isdecimal()]:
        raise ConfigError(f"--sizes has '{wrong[0]}': give whole numbers with commas between, such as 1,10,100")
    return tuple(map(int, words))


def _pairs(a: Arguments, opened: "Opened") -> "tuple[Pairs, int]":
    """The pairs, and how many of a file were left out because they do not fit."""
    import torch

    from monosema.circuits.patch.pairs import agreement_pairs, induction_pairs, read_pairs
    from monosema.core.seeding import generator

    model, tokenizer = opened.model, opened.tokenizer
    if a.task == "induction":
        return induction_pairs(model, a.n, bos=tokenizer.bos, seed=a.seed), 0
    if a.task == "agreement":
        return agreement_pairs(tokenizer, a.n, a.seed, model.n_context), 0
    assert a.pairs is not None
    found, left = read_pairs(a.pairs, tokenizer, model.n_context, a.skip)
    order = torch.randperm(len(found), generator=generator(a.seed, "pairs of a file"))[: a.n]
    return found.where(order), left
