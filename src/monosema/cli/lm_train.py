"""`monosema lm train`: a tokenizer, a packed corpus and a small language model, from text."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.cli.places import new_or_old_run
from monosema.cli.showing import Grid, Outcome
from monosema.models.lm_config import LMConfig, LMFamily


@dataclass(frozen=True)
class Arguments:
    """Train a small language model from scratch: tokenizer and blocks in RUN/corpus, the model in RUN/lm."""

    run: Positional[Path]
    """Run directory, made if it is not there."""
    corpus: str = "stdlib"
    """Text: 'stdlib', 'language', 'agreement', 'statements:NAME', a file, folder, pattern, table, or saved data set."""
    column: str = "text"
    """Column of the text, in a table."""
    context: int = 128
    """Tokens in a block, and so the longest text the model sees."""
    vocab_size: int = 4096
    """Tokens of the tokenizer; a language has its own."""
    held_out: float = 0.1
    """Fraction of the documents that is kept for scoring."""
    max_tokens: int | None = None
    """Stop reading text after so many tokens."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1."""
    family: LMFamily = "gpt2"
    """What to train: gpt2 and mamba learn the next token, bert masked tokens, t5 spans cut out of a text."""
    lm: Annotated[LMConfig, arg(name="")] = field(default_factory=LMConfig)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Pack, then train."""
    from monosema.core.runs import read_json
    from monosema.pipeline.configs import PackConfig
    from monosema.pipeline.stages import lm_stage, pack_stage

    a = arguments
    text = PackConfig(a.corpus, a.context, a.held_out, a.max_tokens, a.column, a.vocab_size, a.lm.seed)
    with new_or_old_run(a.run) as run:
        packed = pack_stage(run, text)
        model = lm_stage(run, a.lm, a.device, a.family)
    recipe = read_json(a.run / "lm" / "recipe.json")
    loss, stack = recipe["held_out_loss"], "" if "" in model.stacks else "enc."
    rows = [[f"{row['step']:,}", f"{row['loss']:.3f}", f"{row['held_out']:.3f}"] for row in recipe["curve"][-5:]]
    return Outcome(
        wrote=(a.run / "lm", a.run / "corpus"),
        next=f"monosema harvest {a.run} --site {stack}resid_post.{max(0, model.n_layers // 2 - 1)}",
        result={"model": model.fingerprint, "corpus": packed.train.fingerprint, "recipe": recipe},
        shown=(
            Grid(("step", "loss", "held out"), rows, frozenset({"step", "loss", "held out"})),
            f"{recipe['n_parameters']:,} parameters; held-out loss {loss['value']:.3f} nats per token "
            f"(control {loss['control']:.3f}: {loss['control_is']})",
        ),
    )
