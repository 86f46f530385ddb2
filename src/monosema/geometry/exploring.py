"""From a model, or any matrix with a row for every token, to the page of its geometry."""

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require
from monosema.core.exhibits import Exhibit
from monosema.core.seeding import generator
from monosema.corpus.tokenizer import Tokenizer
from monosema.geometry import answers, pictures, tables
from monosema.geometry.axes import redrawn
from monosema.geometry.clusters import Clusters, token_classes
from monosema.geometry.measured import findings
from monosema.geometry.settings import GeometryConfig, Matrix
from monosema.geometry.studying import Study, study
from monosema.geometry.token_texts import Vocabulary, vocabulary
from monosema.models.controls import randomised
from monosema.models.model import Model


def embedding(model: Model, matrix: Matrix = "embed") -> Float[Tensor, "token d"]:
    """A copy of the token embedding, or of the unembedding, in float32 on the CPU."""
    path = model.family.embed if matrix == "embed" else model.family.unembed
    return model.module.get_submodule(path).get_parameter("weight").detach().to("cpu", torch.float32, copy=True)


def tied(model: Model) -> bool:
    """Whether embedding and unembedding are the same."""
    return torch.equal(embedding(model, "embed"), embedding(model, "unembed"))


def explore_model(
    model: Model, tokenizer: Tokenizer, config: GeometryConfig, clusters: Clusters | None = None
) -> Exhibit:
    """The geometry of a model's tokens, beside the same model with its weights redrawn.

    `clusters` as `read_clusters` gives them for `vocabulary(tokenizer, rows of the matrix)`; classes of tokens if
    None. Rows without a token are left out. Raises as `study` does.
    """
    rows = embedding(model, config.matrix)
    control = embedding(randomised(model, seed=config.seed), config.matrix)
    words = vocabulary(tokenizer, len(rows))
    ids = torch.tensor(words.ids)
    one, other = ("embedding", "unembedding") if config.matrix == "embed" else ("unembedding", "embedding")
    what = f"{one} of {model.name}{f', tied to the {other}' if tied(model) else ''}"
    found = study(rows[ids], control[ids], words, clusters or token_classes(words), config)
    left = len(rows) - len(ids)
    return shown(found, what + (f", without {left} rows that no token has" if left else ""))


def explore(
    rows: Float[Tensor, "token d"],
    names: tuple[str, ...],
    config: GeometryConfig,
    clusters: Clusters | None = None,
    control: Float[Tensor, "token d"] | None = None,
) -> Exhibit:
    """The geometry of any matrix with a row for every name.

    clusters   of the rows; classes of tokens by their names if None
    control    a matrix with nothing learnt in it; rows drawn from one normal of the entries' mean and deviation if None
    Raises as `study` does.
    """
    require(len(names) == len(rows), f"{len(names)} names were given for {len(rows)} rows: give one for each")
    words = Vocabulary(tuple(range(len(names))), names, names, frozenset())
    if control is None:
        control = redrawn(rows.double(), generator(config.seed, "redraw"))
    return shown(study(rows, control, words, clusters or token_classes(words), config), "matrix that was given")


def shown(found: Study, what: str) -> Exhibit:
    """A study as an exhibit; `what` says of which matrix."""
    numbers = findings(found)
    n, d = found.sources[0].found.coordinates.shape
    skipped = f", {found.clusters.skipped} listed ones left out" if found.clusters.skipped else ""
    how = (
        f"The {what}: {n:,} tokens of {d} dimensions, {found.clusters.n:,} of them in {len(found.clusters.names)} "
        f"clusters{skipped}; {found.config.directions} directions uniform on the sphere, the same for every matrix in "
        f"its principal axes; labels dealt out {found.config.shuffles} times. Controls: weights redrawn with the "
        "matrix's mean and deviation, and Gaussian rows of its mean and covariance."
    )
    panels = (
        *pictures.principal_pair(found),
        *pictures.discriminant_pair(found),
        pictures.by_axis(found),
        pictures.by_rank(found),
        pictures.spectrum(found),
        tables.treatments(found),
        tables.clusters(found),
        tables.variances(found),
        tables.neighbours(found),
    )
    name = f"geometry-{found.config.matrix}"
    sentences = answers.sentences(found, numbers)
    return Exhibit(name, answers.QUESTION, sentences, panels, numbers, found.config, how, "geometry")
