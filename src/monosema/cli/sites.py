"""`monosema sites`: where a model can be read and edited."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import FlagCreatePairsOff, Positional

from monosema.cli.showing import Grid, Outcome
from monosema.core.errors import SiteError


@dataclass(frozen=True)
class Arguments:
    """List a model's sites, their widths, and TransformerLens's names for them."""

    model: Positional[Path]
    """Folder of a language model of transformers."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Load the model and list what it has."""
    from monosema import models
    from monosema.core.sites import STACKS, parse

    model = models.load(arguments.model)
    table: list[dict[str, str | int | None]] = []
    for site in model.sites():
        try:
            width: int | None = model.width(site)
        except SiteError:
            width = None  # a pattern is as wide as the sequence is long
        table.append({"site": site, "width": width, "transformer_lens": parse(site).transformer_lens})
    rows = [[str(row["site"]), f"{row['width'] or 'seq'}", str(row["transformer_lens"])] for row in table]
    layers = " and ".join(
        f"{n} {STACKS[stack]} layers" if stack else f"{n} layers" for stack, n in model.stacks.items()
    )
    heads = f", {model.n_heads} heads of {model.d_head}" if model.n_heads else ""
    about = f"{model.name}: {layers}, d_model {model.d_model}{heads}"
    stack, n_layers = next(iter(model.stacks.items()))
    middle = f"{stack}{'.' * bool(stack)}resid_post.{max(0, n_layers // 2 - 1)}"
    return Outcome(
        wrote=(),
        next=f"monosema harvest RUN --model {arguments.model} --corpus stdlib --site {middle}",
        result={"model": model.name, "fingerprint": model.fingerprint, "sites": table},
        shown=(about, Grid(("site", "width", "TransformerLens"), rows, frozenset({"width"}))),
    )
