"""A small transformer as a plain module: the one that tasks are trained on, and that foreign checkpoints become.

    tokens --embed + positions--> resid_pre.0 --[norm, attn, +] [mlp_norm, mlp, +]--> ... --final_norm--> unembed

It has what small models often have and transformers' families do not: no norm at all, no MLP (d_mlp = 0), attention
to later tokens too, heads whose widths do not add up to d_model, a vocabulary of its own for answers. And it has the
names and habits of a transformers model that `wrap` and the passes need, so every site can be read and edited.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from monosema.core.config import from_json, require_range
from monosema.core.errors import DamagedError
from monosema.core.runs import read_json, replacing, write_json
from monosema.core.seeding import derive

KIND = "small_transformer"
"""Its `model_type`."""

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
}
"""What stands between the two matrices of an MLP."""


@dataclass(frozen=True)
class SmallConfig:
    """A small transformer.

    d_vocab_out   answers; the tokens themselves when they are also the answers
    d_mlp         0 for attention alone
    attn_scale    scores are divided by this
    """

    d_vocab: int = 32
    d_vocab_out: int = 32
    n_context: int = 32
    n_layers: int = 2
    d_model: int = 64
    n_heads: int = 4
    d_head: int = 16
    d_mlp: int = 128
    activation: Literal["relu", "gelu", "gelu_tanh", "silu"] = "relu"
    norm: Literal["layer", "rms", "none"] = "layer"
    attn_scale: float = 4.0
    bidirectional: bool = False

    def __post_init__(self) -> None:
        for name in ("d_vocab", "d_vocab_out", "n_context", "n_layers", "d_model", "n_heads", "d_head"):
            require_range(name, getattr(self, name), 1)
        require_range("d_mlp", self.d_mlp, 0)
        require_range("attn_scale", self.attn_scale, 0.0, open_low=True)


class Configuration(SimpleNamespace):
    """The config with the names that transformers' models give theirs; `_attn_implementation` is set by a pass."""

    def to_dict(self) -> dict[str, Any]:
        """Every setting."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def configuration(config: SmallConfig) -> Configuration:
    """`config` as the module carries it."""
    own = {"model_type": KIND, "vocab_size": config.d_vocab, "max_position_embeddings": config.n_context}
    return Configuration(**asdict(config), **own, _attn_implementation="eager")


def eager_attention_forward(
    module: nn.Module,  # noqa: ARG001
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """z [batch, seq, head, d_head] and the pattern [batch, head, query, key], as transformers' eager functions do."""
    scores = torch.matmul(query, key.transpose(2, 3)) * kwargs["scaling"]
    if attention_mask is not None:
        scores = scores + attention_mask
    pattern = torch.softmax(scores, dim=-1)
    return torch.matmul(pattern, value).transpose(1, 2).contiguous(), pattern


class Linear(nn.Linear):
    """A matrix and a bias; with no inputs it gives the bias."""

    def reset_parameters(self) -> None:
        """A bias of zeros; the matrix is drawn once the whole model is there."""
        nn.init.zeros_(self.bias)


class Attention(nn.Module):
    """All heads of a layer."""

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        self.config, self.is_causal, self.scaling = config, not config.bidirectional, 1 / config.attn_scale
        width = config.n_heads * config.d_head
        self.query, self.key, self.value = (Linear(config.d_model, width) for _ in range(3))
        self.output = Linear(width, config.d_model)

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        """What the heads write."""
        heads = (self.config.n_heads, self.config.d_head)
        q, k, v = (m(x).unflatten(-1, heads).transpose(1, 2) for m in (self.query, self.key, self.value))
        z, _ = _attend(self.config._attn_implementation)(self, q, k, v, self._mask(x), scaling=self.scaling)
        return self.output(z.flatten(2))

    def _mask(self, x: Tensor) -> Tensor | None:
        """Nothing at a token and those before it, as low as the type goes at later ones."""
        if not self.is_causal:
            return None
        lowest = torch.full((x.shape[1],) * 2, torch.finfo(x.dtype).min, dtype=x.dtype, device=x.device)
        return lowest.triu(1)[None, None]


def _attend(implementation: str) -> Callable[..., tuple[Tensor, Tensor]]:
    if implementation == "eager":
        return eager_attention_forward
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    return ALL_ATTENTION_FUNCTIONS[implementation]


class MLP(nn.Module):
    """Two matrices with an activation between them; of width 0 it adds nothing."""

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.up, self.down = Linear(config.d_model, config.d_mlp), Linear(config.d_mlp, config.d_model)

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        """What the MLP writes."""
        return self.down(self.activation(self.up(x)))


class Block(nn.Module):
    """One layer: attention, then the MLP, each reading the stream through its norm."""

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        self.attn_norm, self.attn = _norm(config), Attention(config)
        self.mlp_norm, self.mlp = _norm(config), MLP(config)

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        """The stream after the layer."""
        x = x + self.attn(self.attn_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class SmallTransformer(nn.Module):
    """The whole model; made by `small_transformer`, whose draws come from a seed."""

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.d_vocab, config.d_model)
        self.positions = nn.Embedding(config.n_context, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.final_norm = _norm(config)
        self.unembed = Linear(config.d_model, config.d_vocab_out)
        for matrix in self.parameters():
            if matrix.ndim == 2 and matrix.numel():
                nn.init.normal_(matrix, std=0.8 / config.d_model**0.5)

    def forward(
        self,
        input_ids: Int64[Tensor, "batch seq"],
        use_cache: bool = False,  # noqa: ARG002
        return_dict: bool = True,  # noqa: ARG002
    ) -> SimpleNamespace:
        """An object whose `logits` are [batch, seq, d_vocab_out]; there is no cache."""
        x = self.embed(input_ids) + self.positions.weight[: input_ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return SimpleNamespace(logits=self.unembed(self.final_norm(x)))


def _norm(config: Configuration) -> nn.Module:
    kinds = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}
    return nn.Identity() if config.norm == "none" else kinds[config.norm](config.d_model, eps=1e-5)


def small_transformer(config: SmallConfig, seed: int = 0) -> SmallTransformer:
    """A fresh one: every matrix normal with deviation .8 / sqrt(d_model), as TransformerLens draws them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "small transformer"))
        return SmallTransformer(configuration(config)).eval()


def config_of(module: SmallTransformer) -> SmallConfig:
    """The settings that a module was made with."""
    own = {name: value for name, value in module.config.to_dict().items() if name in SmallConfig.__dataclass_fields__}
    return SmallConfig(**own)


def save_small(module: SmallTransformer, folder: Path) -> None:
    """Write config.json and model.safetensors, which `models.load` reads."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "model.safetensors") as temporary:
        save_file({name: x.detach().contiguous() for name, x in module.state_dict().items()}, temporary)
    write_json(folder / "config.json", {"model_type": KIND, **asdict(config_of(module))})


def load_small(folder: Path) -> SmallTransformer:
    """The module that `save_small` wrote. Raises DamagedError when weights and config do not fit."""
    from safetensors.torch import load_file

    settings = read_json(folder / "config.json")
    settings.pop("model_type")
    module = small_transformer(from_json(SmallConfig, settings, str(folder / "config.json")))
    misfit = misfits(module, weights := load_file(folder / "model.safetensors"))
    if misfit:
        raise DamagedError(f"the weights in {folder} do not fit its config.json: {misfit}")
    module.load_state_dict(weights)
    return module


def misfits(module: nn.Module, weights: Mapping[str, Tensor]) -> str:
    """What is wrong with `weights` for `module`: the first tensor missing, unknown or of another shape; or ''."""
    own = module.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        if name not in weights:
            return f"{name} is missing"
        if name not in own:
            return f"{name} is not part of the model"
        if own[name].shape != weights[name].shape:
            return f"{name} is {list(weights[name].shape)}, the config says {list(own[name].shape)}"
    return ""
