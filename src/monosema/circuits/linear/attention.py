"""The heads of one layer with their pattern held: values and outputs are all that is left, and they are linear.

    out[t] = sum_h W_O[h] sum_s pattern[h, t, s] (W_V[h] x[s] + v_bias[h]) + o_bias

Tensors that travel have tokens first, [token, row, d_model]: a row is one change pushed, or one reading pulled.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from monosema.circuits.linear.families import LinearPaths


@dataclass(frozen=True)
class HeldAttention:
    """One layer's heads. Keys and values may be fewer than heads; each then serves `n_heads / n_kv` heads in a row."""

    W_V: Float[Tensor, "n_kv d_head d_model"]
    v_bias: Float[Tensor, "n_kv d_head"]
    W_O: Float[Tensor, "n_heads d_head d_model"]
    o_bias: Float[Tensor, "d_model"]
    pattern: Float[Tensor, "n_heads query key"]

    @property
    def groups(self) -> int:
        """Heads that share one value."""
        return len(self.W_O) // len(self.W_V)

    def push(self, x: Float[Tensor, "token row d_model"]) -> Float[Tensor, "token row d_model"]:
        """What a change `x` of all that is read changes in what is written; no bias."""
        return self._written(self.values(x))

    def biases(self) -> Float[Tensor, "token d_model"]:
        """What the layer writes when it reads nothing."""
        seq = self.pattern.shape[-1]
        v = self.v_bias[:, None, None].expand(-1, seq, 1, -1)
        return self._written(v)[:, 0] + self.o_bias

    def pull(self, g: Float[Tensor, "token row d_model"]) -> Float[Tensor, "token row d_model"]:
        """The reading of all that is read that a reading `g` of what is written is."""
        v = self.pull_values(g)
        return (v.permute(1, 2, 0, 3).reshape(-1, v.shape[0] * v.shape[3]) @ self._values()).view(g.shape)

    def pull_values(self, g: Float[Tensor, "token row d_model"]) -> Float[Tensor, "n_kv token row d_head"]:
        """The same of the values, which are made from what is read."""
        n_heads, d_head, d_model = self.W_O.shape
        seq, rows = g.shape[:2]
        z = (g.reshape(-1, d_model) @ self.W_O.reshape(-1, d_model).T).view(seq, rows, n_heads, d_head)
        pattern = self.pattern[:, :seq, :seq].transpose(1, 2)
        v = torch.bmm(pattern, z.permute(2, 0, 1, 3).reshape(n_heads, seq, rows * d_head))
        return v.view(-1, self.groups, seq, rows, d_head).sum(1)

    def values(self, x: Float[Tensor, "token row d_model"]) -> Float[Tensor, "n_kv token row d_head"]:
        """What a change `x` of all that is read changes in the values."""
        return torch.einsum("trd,ked->ktre", x, self.W_V)

    def pull_from(self, g: Float[Tensor, "row d_model"], at: Tensor, seq: int) -> Float[Tensor, "token row d_model"]:
        """As `pull` of readings of one token each: row r reads what is written at token `at[r]`; the first `seq`
        tokens' part of the answer."""
        n_heads, d_head, d_model = self.W_O.shape
        z = (g @ self.W_O.reshape(-1, d_model).T).view(len(g), n_heads, 1, d_head)
        looks = self.pattern[:, at, :seq].permute(1, 0, 2)[..., None]
        v = (looks * z).view(len(g), -1, self.groups, seq, d_head).sum(2)
        return (v.permute(2, 0, 1, 3).reshape(seq * len(g), -1) @ self._values()).view(seq, len(g), d_model)

    def _values(self) -> Tensor:
        return self.W_V.reshape(-1, self.W_V.shape[-1])

    def _written(self, v: Tensor) -> Tensor:
        """From values [n_kv, token, row, d_head]."""
        z = torch.einsum("hqs,hsre->qrhe", self.pattern, v.repeat_interleave(self.groups, 0))
        return torch.einsum("qrhe,hed->qrd", z, self.W_O)


def hold(
    layer: nn.Module, paths: LinearPaths, pattern: Float[Tensor, "n_heads query key"], d_head: int
) -> HeldAttention:
    """The heads of `layer` with `pattern`, in its type."""
    values, output = layer.get_submodule(paths.values), layer.get_submodule(paths.output)
    W, b = _matrix(values, paths.split, pattern.dtype)
    W_O, b_O = _matrix(output, paths.split, pattern.dtype)
    if paths.split == "thirds":
        W, b = (part[2 * len(part) // 3 :] for part in (W, b))
    elif paths.split == "heads":
        W, b = (part.unflatten(0, (len(pattern), 3, d_head))[:, 2].flatten(0, 1) for part in (W, b))
    heads = (-1, d_head)
    return HeldAttention(
        W.unflatten(0, heads).contiguous(),
        b.unflatten(0, heads).contiguous(),
        W_O.T.unflatten(0, heads).contiguous(),
        b_O,
        pattern,
    )


def _matrix(module: nn.Module, split: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(weight with outputs as rows, bias), zeros where there is none."""
    weights = {name: parameter.detach().to(dtype) for name, parameter in module.named_parameters()}
    weight = weights["weight"].T if split == "thirds" else weights["weight"]
    bias = weights.get("bias")
    return weight, weight.new_zeros(len(weight)) if bias is None else bias
