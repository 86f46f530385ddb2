"""`monosema heads`: which heads look where, which read what others write, what they add to the logits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.circuits.heads.settings import HeadsConfig
from monosema.cli.showing import Outcome
from monosema.core.errors import ConfigError

Example = Literal["none", "by-hand", "trained"]


@dataclass(frozen=True)
class Arguments:
    """The heads of a model: OUT/heads.html, its .json, and a folder of SVG files.

    Previous-token, duplicate-token and induction scores on repeated random tokens; Q-, K- and V-composition; direct
    effects on a logit; copying. Each beside the same model with its weights redrawn.
    """

    model: Annotated[Positional[Path | None], arg(metavar="[MODEL]")] = None
    """Folder of a causal language model, or a run; the small one that comes with monosema by default."""
    example: Example = "none"
    """In place of a model: an induction circuit written by hand, or one trained here (half a minute)."""
    prompt: str = ""
    """Explain the logit after this text, in place of the last repeated token's."""
    answer: str = ""
    """The token whose logit is explained, such as " is"."""
    repeated: int = 25
    """Random tokens that are repeated."""
    sequences: int = 16
    """Sequences of such tokens."""
    random: int = 200
    """Pairs of random matrices that are the baseline of composition."""
    shown: int = 8
    """Heads and pairs in each table."""
    dictionary: Path | None = None
    """Folder of a dictionary, whose features are parts too; with --prompt."""
    seed: int = 0
    """Of tokens and controls."""
    out: Path = Path("heads")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Load the model, measure, and write what was seen."""
    a = arguments
    if bool(a.prompt) != bool(a.answer):
        raise ConfigError("--prompt and --answer belong together: give the text and the token whose logit is explained")
    if a.example != "none" and (a.model is not None or a.prompt):
        raise ConfigError(
            "--example takes the place of a model, and its tokens are numbers: give neither MODEL nor text"
        )
    if a.dictionary is not None and not a.prompt:
        raise ConfigError("--dictionary is for the logit after a text: give it with --prompt and --answer")
    config = HeadsConfig(a.repeated, a.sequences, a.random, a.shown, a.seed)

    from monosema import dictionaries
    from monosema.circuits.heads.exploring import explore_heads
    from monosema.cli.exhibiting import written
    from monosema.cli.subjects import subject

    model, tokenizer = subject(a.model, a.example, a.seed)
    bos, prompt = None if tokenizer is None else tokenizer.bos, None
    if tokenizer is not None and a.prompt:
        from monosema.circuits.patch.pairs import pair_of

        pair = pair_of(tokenizer, a.prompt, a.prompt, a.answer, a.answer, model.n_context)
        prompt = (pair.clean[0], int(pair.answers[0]))
    dictionary = None if a.dictionary is None else dictionaries.load(a.dictionary)
    exhibit = explore_heads(model, config, bos, prompt, dictionary)
    then = f"monosema patch{f' {a.model}' if a.model else ''}{f' --example {a.example}' * (a.example != 'none')}"
    return written(exhibit, a.out, f"{then} --task induction")
