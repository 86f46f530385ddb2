"""TransformerLens's state dicts: the logits of a forward pass written here, on weights made here."""

from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from monosema.core.errors import ConfigError, DataError, MismatchError
from monosema.models import wrap
from monosema.models.transformer_lens import from_transformer_lens, load_transformer_lens

D, H, E, M, V, OUT, CONTEXT = 12, 3, 5, 20, 11, 7, 9

CONFIGS: dict[str, dict[str, Any]] = {
    "LN": {"normalization_type": "LN", "act_fn": "gelu_new"},
    "LNPre": {"normalization_type": "LNPre", "act_fn": "relu"},
    "RMS": {"normalization_type": "RMS", "act_fn": "silu"},
    "no norm": {"normalization_type": None, "act_fn": "relu", "use_attn_scale": False},
    "both ways": {"normalization_type": "LN", "act_fn": "gelu", "attention_dir": "bidirectional", "attn_scale": 2.5},
    "attention alone": {"normalization_type": "LN", "attn_only": True, "act_fn": None},
}


def checkpoint(config: dict[str, Any], n_layers: int = 2) -> dict[str, torch.Tensor]:
    """Random weights under the names and in the shapes that HookedTransformer gives them."""
    draws = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(shape, generator=draws)

    state = {"embed.W_E": normal(V, D), "pos_embed.W_pos": normal(CONTEXT, D)}
    norm = config["normalization_type"]
    for i in range(n_layers):
        at = f"blocks.{i}"
        for name in "QKV":
            state |= {f"{at}.attn.W_{name}": normal(H, D, E), f"{at}.attn.b_{name}": normal(H, E)}
        state |= {f"{at}.attn.W_O": normal(H, E, D), f"{at}.attn.b_O": normal(D)}
        state |= {
            f"{at}.attn.mask": torch.ones(CONTEXT, CONTEXT).tril().bool(),
            f"{at}.attn.IGNORE": torch.tensor(-1e5),
        }
        if not config.get("attn_only"):
            state |= {f"{at}.mlp.W_in": normal(D, M), f"{at}.mlp.b_in": normal(M)}
            state |= {f"{at}.mlp.W_out": normal(M, D), f"{at}.mlp.b_out": normal(D)}
        for n in ("ln1", "ln2")[: 1 if config.get("attn_only") else 2]:
            state |= norm_weights(f"{at}.{n}", norm, normal)
    state |= norm_weights("ln_final", norm, normal)
    return state | {"unembed.W_U": normal(D, OUT), "unembed.b_U": normal(OUT)}


def norm_weights(at: str, norm: str | None, normal) -> dict[str, torch.Tensor]:
    gain = {f"{at}.w": 1 + normal(D)} if norm in ("LN", "RMS") else {}
    return gain | ({f"{at}.b": normal(D)} if norm == "LN" else {})


def reference(state: dict[str, torch.Tensor], config: dict[str, Any], tokens: torch.Tensor) -> torch.Tensor:
    """What a HookedTransformer of this config computes, written out here, in double precision."""
    w = {key: x.double() for key, x in state.items()}
    seq = tokens.shape[1]

    def norm(x: torch.Tensor, at: str) -> torch.Tensor:
        kind = config["normalization_type"]
        if kind is None:
            return x
        x = x - x.mean(-1, keepdim=True) if kind.startswith("LN") else x
        x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return x * w.get(f"{at}.w", torch.ones(D)) + w.get(f"{at}.b", torch.zeros(D))

    def act(x: torch.Tensor) -> torch.Tensor:
        match config["act_fn"]:
            case "relu":
                return x * (x > 0)
            case "silu":
                return x / (1 + (-x).exp())
            case "gelu":
                return x * 0.5 * (1 + torch.erf(x / 2**0.5))
            case _:
                return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))

    x = w["embed.W_E"][tokens] + w["pos_embed.W_pos"][:seq]
    scale = 1.0 if config.get("use_attn_scale") is False else config.get("attn_scale", E**0.5)
    for i in range(2):
        at = f"blocks.{i}"
        h = norm(x, f"{at}.ln1")
        q, k, v = (
            torch.einsum("bsd,hde->bhse", h, w[f"{at}.attn.W_{n}"]) + w[f"{at}.attn.b_{n}"][:, None] for n in "QKV"
        )
        scores = q @ k.mT / scale
        if config.get("attention_dir") != "bidirectional":
            scores = scores.masked_fill(torch.ones(seq, seq).triu(1).bool(), -1e9)
        z = scores.softmax(-1) @ v
        x = x + torch.einsum("bhse,hed->bsd", z, w[f"{at}.attn.W_O"]) + w[f"{at}.attn.b_O"]
        if not config.get("attn_only"):
            h = norm(x, f"{at}.ln2")
            hidden = act(h @ w[f"{at}.mlp.W_in"] + w[f"{at}.mlp.b_in"])
            x = x + hidden @ w[f"{at}.mlp.W_out"] + w[f"{at}.mlp.b_out"]
    return norm(x, "ln_final") @ w["unembed.W_U"] + w["unembed.b_U"]


TOKENS = torch.randint(0, V, (5, 8), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", list(CONFIGS))
def test_the_logits_are_those_of_the_reference(name: str):
    config = CONFIGS[name]
    state = checkpoint(config)
    model = wrap(from_transformer_lens(state, config).requires_grad_(False), name)
    ours = model.run(TOKENS, ["logits"])["logits"]
    assert (ours - reference(state, config, TOKENS)).abs().max() < 1e-5
    # No tensor is left out: each weight that is moved moves the logits (key biases do not, under a softmax).
    for key in state:
        if key.rsplit(".", 1)[-1] in ("mask", "IGNORE", "b_K"):
            continue
        moved = state | {
            key: state[key] + 0.1 * torch.arange(state[key].numel()).view(state[key].shape) / state[key].numel()
        }
        other = from_transformer_lens(moved, config)(TOKENS).logits
        assert (other - ours).abs().max() > 1e-6, key


def test_it_comes_from_files_too(tmp_path):
    config = CONFIGS["LN"]
    state = checkpoint(config)
    torch.save(state, tmp_path / "model.pt")
    save_file({key: x for key, x in state.items() if not key.endswith("IGNORE")}, tmp_path / "model.safetensors")
    found = [load_transformer_lens(tmp_path / f"model.{end}", config)(TOKENS).logits for end in ("pt", "safetensors")]
    assert torch.equal(found[0], found[1])
    with pytest.raises(DataError, match="no checkpoint"):
        load_transformer_lens(tmp_path / "other.pt", config)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(DataError, match="holds no state dict"):
        load_transformer_lens(tmp_path / "list.pt", config)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positional_embedding_type": "rotary"}, "positional_embedding_type='rotary'"),
        ({"act_fn": "solu_ln"}, "act_fn='solu_ln'"),
        ({"normalization_type": "batch"}, "normalization_type='batch'"),
        ({"gated_mlp": True}, "gated_mlp=True"),
        ({"eps": 1e-6}, "eps=1e-06"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(changes: dict[str, Any], words: str):
    config = CONFIGS["LN"]
    with pytest.raises(ConfigError, match=words):
        from_transformer_lens(checkpoint(config), config | changes)


def test_tensors_that_are_missing_or_left_over_are_named():
    config = CONFIGS["LN"]
    state = checkpoint(config)
    for key, words in (
        ("blocks.1.attn.b_Q", "query.bias is missing"),
        ("blocks.0.ln1.w", "attn_norm.weight is missing"),
        ("embed.W_E", "no embed.W_E"),
    ):
        with pytest.raises(MismatchError, match=words):
            from_transformer_lens({k: x for k, x in state.items() if k != key}, config)
    with pytest.raises(MismatchError, match="W_gate is not part"):
        from_transformer_lens(state | {"blocks.0.mlp.W_gate": torch.zeros(D, M)}, config)
    with pytest.raises(MismatchError, match="attn_norm"):
        from_transformer_lens(state, config | {"normalization_type": None})
