"""The command line: one file a verb, and the table of them. Naming a verb is what loads anything.

    monosema VERB ...  -->  cli/<verb>.py: Arguments, run(Arguments) -> Outcome  -->  printed, or as --json

Exit status: 0 done; 2 the user's mistake, one line on standard error; 130 interrupted, and how to go
on; a traceback and 1 is a bug of ours.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module

from monosema.core.errors import ConfigError, MonosemaError, unknown

VERBS = {
    "demo": "everything below on the embedded default, or on a model and text of yours",
    "lm train": "train a small language model from scratch",
    "harvest": "read a model's activations on a corpus into a store, and a randomised model's beside it",
    "train": "train dictionaries on the store, many in one pass, and the same on the control's",
    "score": "score every dictionary on held-out documents, each number beside its control",
    "prune": "kill the most frequent features and score what is left",
    "check": "say what may be claimed of the dictionaries and what may not, beside every control",
    "features": "make a table of every feature: what it fires on, what it does to the loss",
    "explain": "explain features, by baselines or by a language model, and score that beside a control",
    "dash": "show the feature tables of runs in the browser",
    "export": "write features to one HTML file, to tables, or in the formats of Neuronpedia and SAEDashboard",
    "report": "make report.html from what the run holds",
    "toy": "run an experiment on toy models: superposition, steps of learning, algorithmic tasks",
    "statements": "write statements whose truth is known, or contrast pairs of them",
    "probe": "probe a model for truth by layer, each method beside every control",
    "erase": "erase a label from a model's activations, and say what is certified and what it costs",
    "geometry": "say what is near what among a model's token embeddings, and what chance alone gives",
    "heads": "say where heads look, which read what others write, and what they add to the logits",
    "patch": "carry activations from one prompt into another, and say where the difference between them is",
    "circuit": "find the features that make an answer, and say what they keep of it beside neurons and chance",
    "trace": "say which features caused what a model says after a prompt, as a graph",
    "intervene": "change features of a prompt, and say what that does beside what the graph says",
    "graph": "draw a graph that is there already, of ours, Neuronpedia's or circuit-tracer's, as a page",
    "planning": "train small models that plan ahead, and that do not, and ask where they plan",
    "mechanism": "say how small models of a task do it, in claims that are measured, and judge each",
    "sites": "list a model's sites, their widths, and TransformerLens's names for them",
}
"""Every verb, in the order in which a run goes through them, with its line of help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (of the process by default); its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(words)
    except MonosemaError as error:
        print(f"monosema: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except PermissionError as error:
        print(f"monosema: no permission for {error.filename}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        again = shlex.join(["monosema", *words])
        print(f"\ninterrupted. What is whole is kept; to go on, repeat: {again}", file=sys.stderr)
        return 130


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if words[0] == "--version":
        from monosema import __version__

        print(f"monosema {__version__}")
        return 0
    verb = _verb(words)
    # Threads that sleep while they wait, instead of spinning, before torch is loaded. Beside another busy process,
    # spinning took 8 times as long (2 cores, 8,000 instead of 56,000 tokens a second through a small model).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from monosema.cli.parsing import parse
    from monosema.cli.showing import show

    module = import_module(f"monosema.cli.{verb.replace(' ', '_')}")
    arguments = parse(module.Arguments, verb, words[len(verb.split()) :])
    show(module.run(arguments), as_json=arguments.json)
    return 0


def _verb(words: list[str]) -> str:
    for verb in VERBS:
        if words[: len(verb.split())] == verb.split():
            return verb
    two = " ".join(words[:2])
    name = two if any(verb.startswith(f"{words[0]} ") for verb in VERBS) else words[0]
    raise ConfigError(f"{unknown('command', name, VERBS)}. See monosema --help")


def usage() -> str:
    """What `monosema --help` says."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {line}" for verb, line in VERBS.items()]
    return "\n".join(
        [
            "monosema: take a language model apart, and test every claim against its control.",
            "",
            "usage: monosema COMMAND [options]",
            "",
            *lines,
            "",
            "monosema COMMAND --help says what a command takes. Start with: monosema demo",
        ]
    )
