"""`monosema harvest`: a model's activations on a corpus, and a randomised model's on the same text."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from monosema.activations.config import HarvestConfig
from monosema.cli.places import new_or_old_run, seen_from
from monosema.cli.showing import Outcome
from monosema.core.config import require


@dataclass(frozen=True)
class More:
    """Seldom changed."""

    seed: int = 0
    """Of the held-out split and of the control's weights."""
    model_dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Type the model runs in."""
    device: str = "cpu"
    """Where it runs: cpu, cuda, cuda:1."""
    rows: Annotated[HarvestConfig, arg(name="")] = field(default_factory=HarvestConfig)


@dataclass(frozen=True)
class Arguments:
    """Read a model's activations on a corpus into RUN/store, and a randomised model's into RUN/control/store."""

    run: Positional[Path]
    """Run directory, made if it is not there."""
    site: UseAppendAction[tuple[str, ...]] = ()
    """Where to read, such as resid_post.2; again for several, all in one pass; a kind, such as mlp_in, is that of every
    layer. `monosema sites` lists them."""
    model: Path | None = None
    """Folder of a causal language model of transformers, with its tokenizer. Default: RUN/lm."""
    corpus: str | None = None
    """Text: 'stdlib', a file, a folder, a pattern, a table, a saved data set. Default: what RUN/corpus holds."""
    column: str = "text"
    """Column of the text, in a table."""
    context: int = 128
    """Tokens in a block."""
    held_out: float = 0.1
    """Fraction of the documents that is kept for scoring."""
    max_tokens: int | None = None
    """Stop reading text after so many tokens."""
    control: bool = True
    """Also harvest the model with its weights randomised: without it, no number has a control."""
    control_how: Literal["redraw", "permute", "reinit"] = "redraw"
    """How the weights are randomised: redrawn or permuted within each tensor, or as before training."""
    more: Annotated[More, arg(name="")] = field(default_factory=More)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Pack if there is no corpus yet, then harvest, then harvest the control."""
    from monosema.pipeline.configs import ControlConfig, PackConfig, SubjectConfig
    from monosema.pipeline.stages import harvest_stage

    a, seed = arguments, arguments.more.seed
    require(a.model is not None or (a.run / "lm").exists(), f"{a.run} has no model of its own: give one with --model")
    text = None
    if a.corpus is not None:
        text = PackConfig(a.corpus, a.context, a.held_out, a.max_tokens, a.column, 0, seed)
    subject = SubjectConfig(
        model=seen_from(a.run, a.model or a.run / "lm"),
        sites=a.site,
        control=ControlConfig(a.control_how, seed=seed) if a.control else None,
        harvest=a.more.rows,
        dtype=a.more.model_dtype,
        device=a.more.device,
    )
    with new_or_old_run(a.run) as run:
        store = harvest_stage(run, subject, text)
    left_out = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in store.excluded.items())
    control = subject.control.what if subject.control else "skipped by the user"
    return Outcome(
        wrote=(a.run / "store", a.run / "control" / "store") if a.control else (a.run / "store",),
        next=f"monosema train {a.run} --dictionary topk,k=32,n_features=1024 --dictionary l1,penalty=5,n_features=1024",
        result={
            "store": store.fingerprint,
            "model": store.model_fingerprint,
            "corpus": store.corpus_fingerprint,
            "sites": store.widths,
            "rows": store.n_rows,
            "excluded": store.excluded,
            "control": control,
        },
        shown=(
            f"{store.n_rows:,} rows of " + ", ".join(f"{site} [{width}]" for site, width in store.widths.items()),
            f"left out: {left_out}",
            f"control: {control}",
        ),
    )
