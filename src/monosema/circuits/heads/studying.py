"""All that is measured of a model's heads, beside the same of the model with its weights redrawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.heads.composition import Composition, composition
from monosema.circuits.heads.direct import Part, direct_logits
from monosema.circuits.heads.patterns import PatternScores, pattern_scores, repeated_tokens
from monosema.circuits.heads.settings import HeadsConfig
from monosema.circuits.heads.tokens import token_circuits
from monosema.core.config import require
from monosema.dictionaries import Dictionary
from monosema.models import Model, randomised

Prompts = Sequence[tuple[Tensor, int]]
"""Tokens, and the next token whose logit is explained."""


@dataclass(frozen=True)
class Direct:
    """Direct effects of parts on a centred logit, a column for every prompt; `total` is the logit."""

    parts: tuple[Part, ...]
    values: Float[Tensor, "part prompt"]
    total: Float[Tensor, "prompt"]

    def by_head(self, n_layers: int, n_heads: int) -> Float[Tensor, "layer head prompt"]:
        """Those of heads; 0 where a dictionary stands in their place."""
        found = self.values.new_zeros(n_layers, n_heads, self.values.shape[1])
        for part, row in zip(self.parts, self.values, strict=True):
            if part.kind == "head":
                found[part.layer, part.index] = row
        return found


@dataclass(frozen=True)
class Measured:
    """Of one model. copying: of each head's OV circuit from token to token (`LowRank.positive_share`); matching: of its
    QK circuit, in [-1, 1]."""

    patterns: PatternScores
    composition: Composition
    direct: Direct
    copying: Float[Tensor, "layer head"]
    matching: Float[Tensor, "layer head"]


@dataclass(frozen=True)
class Study:
    """A model's heads and a redrawn model's; `prompts` says whose logits were explained."""

    model: Model
    own: Measured
    control: Measured
    prompts: str
    config: HeadsConfig


def study(
    model: Model,
    config: HeadsConfig,
    bos: int | None = None,
    prompt: tuple[Tensor, int] | None = None,
    dictionary: Dictionary | None = None,
) -> Study:
    """Measure. `prompt`: tokens and the next token whose logit is explained; the last of the repeated tokens if None.
    `dictionary`: its features take the place of what it writes in the direct effects of one prompt.

    Raises as `repeated_tokens`, `head_weights` and `direct_logits` do.
    """
    require(dictionary is None or prompt is not None, "features differ from prompt to prompt: give one with its answer")
    tokens = repeated_tokens(model, config.repeated, config.sequences, bos, config.seed)
    prompts = [prompt] if prompt is not None else [(row[:-1], int(row[-1])) for row in tokens]
    control = randomised(model, seed=config.seed)
    own, other = (_measured(one, tokens, prompts, config, dictionary) for one in (model, control))
    says = "the token that is asked for" if prompt is not None else "the last repeated token"
    return Study(model, own, other, says, config)


def _measured(
    model: Model, tokens: Tensor, prompts: Prompts, config: HeadsConfig, dictionary: Dictionary | None
) -> Measured:
    found = [direct_logits(model, prompt, (target,), dictionary=dictionary) for prompt, target in prompts]
    direct = Direct(
        found[0].parts, torch.cat([one.values for one in found], 1), torch.cat([one.logits for one in found])
    )
    circuits = [token_circuits(model, layer) for layer in range(model.n_layers)]
    copying = [[writes.positive_share() for _, writes in layer] for layer in circuits]
    matching = [[looks.positive_share() for looks, _ in layer] for layer in circuits]
    return Measured(
        pattern_scores(model, tokens, config.repeated),
        composition(model, config.seed, config.random),
        direct,
        torch.tensor(copying, dtype=torch.float64),
        torch.tensor(matching, dtype=torch.float64),
    )
