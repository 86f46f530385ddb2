"""Tiny random models of every family that can be linearised, in float64 to the last digit, and random transcoders.

transformers' RMSNorms compute in float32 whatever the model is in: `exact` has them compute in the model's type. The
oracle `rows_by_autograd` runs the model itself, its patterns and the denominators of its norms held by detaching them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MethodType

import torch
from torch import Tensor, nn

from monosema.circuits.attribution.places import Transcoder, WithSkip
from monosema.circuits.planning.sight import hiding
from monosema.dictionaries import Dictionary, Weights
from monosema.dictionaries.table import ARCHITECTURES
from monosema.models import Edit, Model, wrap
from monosema.models.small_transformer import SmallConfig, small_transformer

D, LAYERS, VOCAB, FEATURES = 24, 3, 53, 30

SMALL = {"vocab_size": VOCAB, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "max_position_embeddings": 32}
NEOX = SMALL | {"hidden_size": D, "intermediate_size": 40, "num_hidden_layers": LAYERS, "num_attention_heads": 4}
GATED = NEOX | {"num_key_value_heads": 2}
WIDE = {"head_dim": 10, "query_pre_attn_scalar": 10, "sliding_window": 4}
WINDOW = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}

CONFIGS = {
    "gpt2": ("GPT2", SMALL | {"n_embd": D, "n_layer": LAYERS, "n_head": 3}),
    "gpt_neox": ("GPTNeoX", NEOX),
    "gpt_neox serial": ("GPTNeoX", NEOX | {"use_parallel_residual": False}),
    "llama": ("Llama", GATED | {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("Mistral", GATED | {"sliding_window": 4}),
    "qwen2": ("Qwen2", GATED),
    "qwen3": ("Qwen3", GATED | {"head_dim": 10}),
    "gemma": ("Gemma", GATED | {"head_dim": 10}),
    "gemma2": ("Gemma2", GATED | WIDE | WINDOW),
    "gemma3_text": ("Gemma3Text", GATED | WIDE | WINDOW | {"final_logit_softcapping": 3.0}),
}
SMALLS = {
    "small layer": SmallConfig(VOCAB, VOCAB, 32, LAYERS, D, 3, 10, 40),
    "small no norm": SmallConfig(VOCAB, 7, 32, LAYERS, D, 3, 10, 40, norm="none"),
    "small both ways": SmallConfig(VOCAB, VOCAB, 32, LAYERS, D, 3, 10, 40, norm="rms", bidirectional=True),
}
FAMILIES = (*CONFIGS, *SMALLS)


def module_of(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A tiny model with every tensor random, norm gains and biases too."""
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name in SMALLS:
            module: nn.Module = small_transformer(SMALLS[name])
        else:
            kind, settings = CONFIGS[name]
            config = getattr(transformers, f"{kind}Config")(**settings)
            module = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        for parameter in module.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return module.requires_grad_(False).eval().to(dtype)


def model_of(name: str, dtype: torch.dtype = torch.float64) -> Model:
    """It as a Model; in float64 its norms are `exact`."""
    module = module_of(name, dtype)
    return wrap(exact(module) if dtype is torch.float64 else module, name)


def exact(module: nn.Module, *, held: bool = False) -> nn.Module:
    """`module` with norms that compute in the type of what they read; `held`: no gradient passes by denominators."""
    for norm in module.modules():
        if isinstance(norm, nn.LayerNorm) or "RMSNorm" in type(norm).__name__:
            norm.forward = MethodType(_normed(held), norm)
    return module


def _normed(held: bool) -> Callable[[nn.Module, Tensor], Tensor]:
    def forward(norm: nn.Module, x: Tensor) -> Tensor:
        settings = vars(norm)
        centred = isinstance(norm, nn.LayerNorm)
        spread = x - x.mean(-1, keepdim=True) if centred else x
        epsilon = settings["variance_epsilon"] if "variance_epsilon" in settings else settings["eps"]
        inverse = (spread.square().mean(-1, keepdim=True) + epsilon).rsqrt()
        gain = norm.weight + (1 if "Gemma" in type(norm).__name__ else 0)
        return spread * (inverse.detach() if held else inverse) * gain + (norm.bias if centred else 0)

    return forward


def tokens_of(n: int = 8) -> Tensor:
    return torch.randint(3, VOCAB, (n,), generator=torch.Generator().manual_seed(1))


def masked(n: int = 8) -> list[Edit]:
    """The second half of `n` tokens does not see the first but for its last token, as in a planner."""
    sees = torch.ones(n, n, dtype=torch.bool).tril()
    sees[n // 2 :, : n // 2 - 1] = False
    return [Edit(f"attn_pattern.{layer}", hiding(sees)) for layer in range(LAYERS)]


def looking_ahead() -> list[Edit]:
    """Every token sees all of them, alike, in one layer."""
    return [Edit("attn_pattern.1", lambda pattern: torch.full_like(pattern, 1 / pattern.shape[-1]))]


def transcoders_of(model: Model, kind: str = "l1", seed: int = 0, n: int = FEATURES) -> list[Transcoder]:
    """Random transcoders for all layers: an architecture's name, or 'skip', 'stream' (reading before the norm),
    'cross' (each writing later layers too), 'flat' (one dictionary that reads and writes all of them)."""
    draws = torch.Generator().manual_seed(seed)
    layers = range(model.n_layers)
    if kind == "flat":
        return [_flat(model, draws, n)]
    stream = "resid_mid" if "resid_mid.0" in model.sites() else "resid_pre"
    architecture = kind if kind in ARCHITECTURES else "l1"
    made: list[Transcoder] = []
    for layer in layers:
        writes = layers[layer:] if kind == "cross" else [layer]
        one = dictionary(_draw(draws, model, n, D), _draw(draws, model, n, D * len(writes)), model, architecture, draws)
        reads = (f"{stream if kind == 'stream' else 'mlp_in'}.{layer}",)
        one = sited(one, reads, tuple(f"mlp_out.{at}" for at in writes))
        made.append(WithSkip(one, 0.3 * _draw(draws, model, D, D)) if kind == "skip" else one)
    return made


def dictionary(W_enc: Tensor, W_dec: Tensor, model: Model, architecture: str, draws: torch.Generator) -> Dictionary:
    n = len(W_enc)
    cls, config = ARCHITECTURES[architecture]
    extra = {}
    if architecture in ("jumprelu", "batchtopk", "matryoshka"):
        extra = {"threshold": torch.full((n,), 0.3, dtype=model.dtype)}
    if architecture == "gated":
        extra = {"r_mag": 0.1 * _draw(draws, model, n), "b_mag": 0.1 * _draw(draws, model, n)}
    b_enc, b_dec = 0.3 * _draw(draws, model, n), 0.3 * _draw(draws, model, W_dec.shape[1])
    weights = Weights(W_enc, W_dec, b_enc, b_dec, False, extra)
    return Dictionary(architecture, cls(config), weights, (), (), (), (), torch.ones(n, dtype=torch.bool))


def sited(one: Dictionary, reads: Sequence[str], writes: Sequence[str]) -> Dictionary:

    return replace(
        one, reads=tuple(reads), writes=tuple(writes), widths_in=(D,) * len(reads), widths_out=(D,) * len(writes)
    )


def _flat(model: Model, draws: torch.Generator, n: int) -> Dictionary:
    layers = model.n_layers
    W_enc, W_dec = (_draw(draws, model, layers, n, layers, D) for _ in range(2))
    for layer in range(layers):
        W_enc[layer, :, [at for at in range(layers) if at != layer]] = 0
        W_dec[layer, :, :layer] = 0
    flat = [W.reshape(layers * n, layers * D) for W in (W_enc, W_dec)]
    one = dictionary(flat[0], flat[1], model, "topk", draws)
    return sited(one, [f"mlp_in.{at}" for at in range(layers)], [f"mlp_out.{at}" for at in range(layers)])


def _draw(draws: torch.Generator, model: Model, *shape: int) -> Tensor:
    scale = shape[-1] ** -0.5 if len(shape) > 1 else 1.0
    return scale * torch.randn(*shape, generator=draws, dtype=torch.float64).to(model.dtype)


def readings_by_autograd(
    name: str,
    tokens: Tensor,
    skips: dict[int, Tensor],
    read: Callable[[dict[str, Tensor]], Tensor],
    made: Sequence[Edit] = (),
) -> dict[str, Tensor]:
    """The gradient of the number that `read` makes of what the model reads (mlp_in.l, the stream before its norm,
    ln_final), by what is written: at 'resid_pre.0', and at each 'mlp_out.l'; in a pass with the edits `made`."""
    model = wrap(exact(module_of(name), held=True), name)
    sites = [f"mlp_out.{layer}" for layer in range(model.n_layers)]
    leaves = {site: torch.zeros(1, len(tokens), D, dtype=torch.float64, requires_grad=True) for site in sites}
    leaves["resid_pre.0"] = torch.zeros_like(leaves[sites[0]], requires_grad=True)
    entering: dict[int, Tensor] = {}

    def write(layer: int) -> Callable[[Tensor], Tensor]:
        def apply(y: Tensor) -> Tensor:
            x = entering[layer]
            skipped = (x - x.detach()) @ skips[layer] if layer in skips else 0
            return y.detach() + skipped + leaves[f"mlp_out.{layer}"]

        return apply

    def enter(layer: int) -> Callable[[Tensor], Tensor]:
        def apply(x: Tensor) -> Tensor:
            entering[layer] = x
            return x

        return apply

    edits = [*made, Edit("resid_pre.0", lambda x: x.detach() + leaves["resid_pre.0"])]
    for layer in range(model.n_layers):
        edits.append(Edit(f"attn_pattern.{layer}", lambda p: p.detach()))
        edits += [Edit(f"mlp_in.{layer}", enter(layer)), Edit(f"mlp_out.{layer}", write(layer))]
    wanted = [
        site for site in model.sites() if site.partition(".")[0] in ("mlp_in", "resid_mid", "resid_pre", "ln_final")
    ]
    with torch.enable_grad():
        seen = {site: x[0] for site, x in model.run(tokens[None], wanted, edits).items()}
        gradients = torch.autograd.grad(read(seen), list(leaves.values()), allow_unused=True)
    return {
        site: torch.zeros(len(tokens), D, dtype=torch.float64) if g is None else g[0]
        for site, g in zip(leaves, gradients, strict=True)
    }


def silent(model: Model) -> list[Dictionary]:
    """Transcoders of which nothing fires: all that MLPs write is error, which is nothing where there are none."""
    d, made = model.d_model, []
    like = dictionary(torch.zeros(2, d), torch.zeros(2, d), model, "l1", torch.Generator())
    zeros, none = torch.zeros(2, d, dtype=torch.float64), torch.zeros(d, dtype=torch.float64)
    weights = Weights(zeros, zeros.clone(), torch.zeros(2, dtype=torch.float64), none, False)
    for layer in range(model.n_layers):
        one = sited(replace(like, weights=weights), [f"mlp_in.{layer}"], [f"mlp_out.{layer}"])
        made.append(replace(one, widths_in=(d,), widths_out=(d,)))
    return made
