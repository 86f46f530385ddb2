"""`monosema geometry`: what is near what among a model's token embeddings, and why."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.cli.showing import Outcome
from monosema.core.errors import ConfigError
from monosema.geometry.settings import GeometryConfig, Matrix


@dataclass(frozen=True)
class Arguments:
    """Geometry of a model's token embeddings: OUT/geometry-MATRIX.html, its .json, and a folder of SVG files.

    Says whether the tokens nearest to a random direction are alike, what the mean and the covariance account for, and
    how far apart clusters of tokens are, each number beside shuffled labels, redrawn weights or Gaussian rows.
    """

    model: Annotated[Positional[Path | None], arg(metavar="[MODEL]")] = None
    """Folder of a causal language model of transformers; the small one that comes with monosema by default."""
    clusters: Path | None = None
    """JSON file of lists of tokens by name, or CSV file of cluster,token. By default, classes of tokens."""
    skip_unknown: FlagCreatePairsOff[bool] = False
    """Leave out listed tokens that the vocabulary lacks, and say how many."""
    matrix: Matrix = "embed"
    """The token embedding, or the unembedding."""
    directions: int = 200
    """Random directions."""
    nearest: int = 10
    """Tokens that are looked at along each."""
    shuffles: int = 200
    """Times that the clusters' labels are dealt out anew."""
    drawn: int = 30
    """Tokens of each cluster in the pictures."""
    seed: int = 0
    """Of directions, shuffles and controls."""
    out: Path = Path("geometry")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Load the model, measure, and write what was seen."""
    a = arguments
    if a.skip_unknown and a.clusters is None:
        raise ConfigError("--skip-unknown is for the tokens of a file: give one with --clusters")
    config = GeometryConfig(a.matrix, a.directions, a.nearest, a.shuffles, a.drawn, a.seed)

    from monosema import models
    from monosema.cli.exhibiting import written
    from monosema.corpus import Tokenizer
    from monosema.geometry import embedding, explore_model, read_clusters, vocabulary
    from monosema.geometry.exploring import tied
    from monosema.pipeline.demo import EMBEDDED_LM

    folder = a.model or EMBEDDED_LM
    model, tokenizer = models.load(folder), Tokenizer.load(folder)
    clusters = None
    if a.clusters is not None:
        words = vocabulary(tokenizer, len(embedding(model, a.matrix)))
        clusters = read_clusters(a.clusters, words, a.skip_unknown)
    exhibit = explore_model(model, tokenizer, config, clusters)
    if tied(model):
        return written(exhibit, a.out)
    name = "" if a.model is None else f" {a.model}"
    other = "unembed" if a.matrix == "embed" else "embed"
    return written(exhibit, a.out, f"monosema geometry{name} --matrix {other} --out {a.out}")
