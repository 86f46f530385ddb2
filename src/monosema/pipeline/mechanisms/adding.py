"""A model of modular addition with every pair of numbers: its answers, as it is and changed.

all p^2 pairs (a, b, =)  --edits-->  logits at '=', less their mean     `unseen`: the pairs it was not trained on
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from monosema.circuits import head_weights
from monosema.models import Edit, Model, wrap
from monosema.models.small_transformer import SmallTransformer
from monosema.pipeline.mechanisms import fourier
from monosema.toys.algorithmic.grokking import Sums


@final
@dataclass(frozen=True)
class Adder:
    """A model of one layer without norms, and what it is asked.

    numbers    the numbers' embeddings
    """

    model: Model
    tokens: Int64[Tensor, "pair 3"]
    targets: Int64[Tensor, " pair"]
    unseen: Bool[Tensor, " pair"]
    numbers: Float64[Tensor, "p d_model"]

    @property
    def p(self) -> int:
        """The modulus."""
        return len(self.numbers)

    def logits(self, edits: Sequence[Edit] = ()) -> Float64[Tensor, "pair p"]:
        """At '=', each pair's less their mean, which changes no answer."""
        found = self.model.run(self.tokens, read=["logits"], edits=edits)["logits"][:, -1].double()
        return found - found.mean(1, keepdim=True)

    def answers(self) -> Float64[Tensor, "p d_model"]:
        """The unembedding's vector of each answer."""
        return self.model.module.get_submodule("unembed").get_parameter("weight").detach().double()

    def right(self, logits: Float64[Tensor, "pair p"]) -> Bool[Tensor, " unseen"]:
        """On which of the unseen pairs the answer is the sum."""
        return (logits.argmax(1) == self.targets)[self.unseen]

    def embedded(
        self, first: Float64[Tensor, "pair d_model"], second: Float64[Tensor, "pair d_model"]
    ) -> Float64[Tensor, "pair p"]:
        """The logits with these vectors in the place of the two numbers' embeddings."""

        def put(x: Tensor) -> Tensor:
            x[:, 0], x[:, 1] = first, second
            return x

        return self.logits([Edit("embed", put)])

    def with_numbers(self, vectors: Float64[Tensor, "p d_model"]) -> Float64[Tensor, "pair p"]:
        """The logits with other embeddings of the numbers."""
        return self.embedded(vectors[self.tokens[:, 0]], vectors[self.tokens[:, 1]])

    def turned(self, frequencies: Sequence[int], steps: Float64[Tensor, "pair k"]) -> Float64[Tensor, "pair p"]:
        """The logits with circles of the first number turned by `steps`, for every pair its own."""
        first = fourier.turned(self.numbers, self.tokens[:, 0], frequencies, steps)
        return self.embedded(first, self.numbers[self.tokens[:, 1]])

    def activations(self) -> Float64[Tensor, "p p d_mlp"]:
        """The neurons at '=', by first and second number."""
        found = self.model.run(self.tokens, read=["mlp_act.0"])["mlp_act.0"][:, -1].double()
        return found.unflatten(0, (self.p, self.p))

    def patterns(self) -> Float64[Tensor, "head p p"]:
        """How much of a head's attention from '=' is on the first number, by first and second number."""
        found = self.model.run(self.tokens, read=["attn_pattern.0"])["attn_pattern.0"][:, :, -1, 0].double()
        return found.T.unflatten(1, (self.p, self.p))

    def scores(self) -> Float64[Tensor, "p head"]:
        """The attention score of each number from '=', by head, but for what its position adds."""
        module = self.model.module
        assert isinstance(module, SmallTransformer)
        heads = head_weights(self.model, 0)
        equals = (module.embed.weight[-1] + module.positions.weight[2]).detach()
        queries = equals @ heads.W_Q + heads.q_bias
        return torch.einsum("nd,hde,he->nh", self.numbers, heads.W_K.double(), queries.double()) * heads.scale

    def past_the_mlp(self) -> tuple[Float64[Tensor, "pair p"], Float64[Tensor, "pair p"]]:
        """The logits when what reaches them past the MLP is at its mean over the pairs, and when what the MLP writes
        is."""
        seen = self.model.run(self.tokens, read=["resid_mid.0", "mlp_out.0"])
        past, by = seen["resid_mid.0"][:, -1], seen["mlp_out.0"][:, -1]
        logits = [self.model.unembed(x).double() for x in (past.mean(0) + by, past + by.mean(0))]
        return logits[0] - logits[0].mean(1, keepdim=True), logits[1] - logits[1].mean(1, keepdim=True)


def adder(module: SmallTransformer, made: Sums, name: str) -> Adder:
    """The module with the pairs it was trained on and the others."""
    numbers = module.embed.weight.detach()[:-1].double()
    return Adder(wrap(module, name), made.tokens, made.targets, ~made.train, numbers)
