"""Transcoders of every layer of a small model, which its graphs are made with, and how well they stand for its MLPs.

mlp_in.l --TopK--> mlp_out.l          at all tokens of texts as the model sees them, all layers in one pass
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.planning.rows import Rows
from monosema.circuits.planning.settings import TranscoderConfig
from monosema.circuits.planning.sight import Reader
from monosema.core.errors import DivergedError
from monosema.dictionaries import Dictionary, DictionarySpec, OptimiserConfig, TopKConfig, TrainConfig, train
from monosema.models import Edit

TEXTS, BATCH = 8192, 1024
"""Texts whose tokens transcoders are trained on, again and again; tokens in each of their batches."""


@dataclass(frozen=True)
class Transcoded:
    """A model with transcoders, one a layer; `explained`, the share of the variance of what each MLP writes, whose
    means are `means`."""

    reader: Reader
    transcoders: tuple[Dictionary, ...]
    explained: tuple[float, ...]
    means: Float[Tensor, "layer d_model"]

    def spliced(self) -> list[Edit]:
        """Edits that put all transcoders in the MLPs' place."""
        return [edit for layer in range(len(self.transcoders)) for edit in self._spliced(layer)]

    def silenced(self) -> list[Edit]:
        """Edits that make all MLPs write their means: the control of `spliced`."""
        return [Edit(f"mlp_out.{layer}", _being(x)) for layer, x in enumerate(self.means)]

    def _spliced(self, layer: int) -> list[Edit]:
        seen: list[Tensor] = []

        def see(x: Tensor) -> Tensor:
            seen[:] = [x]
            return x

        def put(y: Tensor) -> Tensor:
            return self.transcoders[layer].reconstruct(seen[0].flatten(0, 1)).view_as(y)

        return [Edit(f"mlp_in.{layer}", see), Edit(f"mlp_out.{layer}", put)]


@torch.no_grad()
def transcoded(
    reader: Reader,
    texts: Int64[Tensor, "n seq"],
    judged_on: Int64[Tensor, "m seq"],
    config: TranscoderConfig,
    seed: int,
) -> Transcoded:
    """Transcoders of `reader` trained on `texts`. Raises DivergedError."""
    layers = range(reader.model.n_layers)
    source = Rows(written_by_mlps(reader, texts))
    rule, optimiser = TopKConfig(n_features=config.n_features, k=config.k), OptimiserConfig(lr=config.lr)
    specs = [
        DictionarySpec(f"tc-{at}", "topk", rule, (f"mlp_in.{at}",), (f"mlp_out.{at}",), optimiser) for at in layers
    ]
    with tempfile.TemporaryDirectory() as folder:
        run = TrainConfig(rows=config.rows, batch_size=BATCH, seed=seed)
        with torch.enable_grad():
            trained = train(source, specs, run, Path(folder))
    if trained.diverged:
        raise DivergedError(f"a transcoder of {reader.model.name} diverged: {next(iter(trained.diverged.values()))}")
    transcoders = tuple(trained.dictionaries[spec.name] for spec in specs)
    seen = written_by_mlps(reader, judged_on)
    explained = tuple(_explained(seen, at, one) for at, one in enumerate(transcoders))
    means = torch.stack([seen[f"mlp_out.{at}"].mean(0) for at in layers])
    return Transcoded(reader, transcoders, explained, means)


def written_by_mlps(reader: Reader, texts: Int64[Tensor, "n seq"]) -> dict[str, Float[Tensor, "row d_model"]]:
    """mlp_in and mlp_out of every layer at all tokens of `texts`, text by text."""
    sites = [f"{kind}.{layer}" for kind in ("mlp_in", "mlp_out") for layer in range(reader.model.n_layers)]
    return {site: x.flatten(0, 1) for site, x in reader.run(texts, sites).items()}


def _explained(seen: dict[str, Tensor], layer: int, transcoder: Dictionary) -> float:
    y = seen[f"mlp_out.{layer}"]
    error = transcoder.reconstruct(seen[f"mlp_in.{layer}"]) - y
    return float(1 - error.square().sum() / (y - y.mean(0)).square().sum())


def _being(x: Float[Tensor, "d_model"]) -> Callable[[Tensor], Tensor]:
    return lambda y: x.expand_as(y).clone()
