"""circuit-tracer: `attribute` and `prune_graph` on a GPT-2 in TransformerLens, with transcoders of its own.

settings: batch_size. Its model leaves position 0 out, features and errors; here it does not, so that graphs are equal.
"""

import json
from pathlib import Path
from typing import Any

import torch
from circuit_tracer import Graph, ReplacementModel, attribute
from circuit_tracer.graph import prune_graph
from circuit_tracer.transcoder.cross_layer_transcoder import CrossLayerTranscoder
from circuit_tracer.transcoder.single_layer_transcoder import SingleLayerTranscoder, TranscoderSet
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformer_lens import HookedTransformerConfig

from benchmarks.workers.tracing import MODEL, TOKENS, TRANSCODERS, Kept, Trace, TraceTask, serve_traces

WHOLE = ("W_enc", "b_enc", "b_dec")
"""What a transcoder has once, however many layers it writes."""


class Tokens:
    """As much of a tokenizer as circuit-tracer asks for: token 0 is special, a token's text is its number."""

    all_special_ids = (0,)
    bos_token_id = pad_token_id = eos_token_id = 0
    padding_side = "right"

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def decode(self, ids: Any) -> str:
        return str(ids)


def replacement_model(subject: Path) -> Any:
    """The GPT-2 and the transcoders in `subject`."""
    config = json.loads((subject / MODEL / "config.json").read_text())
    lens = HookedTransformerConfig(
        n_layers=config["n_layer"],
        d_model=config["n_embd"],
        n_ctx=config["n_positions"],
        d_head=config["n_embd"] // config["n_head"],
        n_heads=config["n_head"],
        d_mlp=4 * config["n_embd"],
        d_vocab=config["vocab_size"],
        act_fn="gelu_new",
        normalization_type="LN",
        eps=config["layer_norm_epsilon"],
        device="cpu",
    )
    model: Any = ReplacementModel.from_config(lens, transcoders(subject, config["n_layer"]))
    weights = hooked(load_file(subject / MODEL / "model.safetensors"), config["n_layer"], config["n_head"])
    own = dict(model.named_parameters())
    assert {name for name in own if not name.startswith("transcoders.")} == weights.keys()
    with torch.no_grad():
        for name, x in weights.items():
            own[name].copy_(x)
    model.zero_positions = slice(0, 0)
    model.tokenizer = Tokens(config["vocab_size"])
    return model


def transcoders(subject: Path, n_layers: int) -> TranscoderSet | CrossLayerTranscoder:
    """ReLU transcoders that read what the MLP reads and write what it writes, in their layer or in later ones too."""
    weights, found = load_file(subject / TRANSCODERS), {}
    n, _, d = weights["0.W_dec"].shape
    hooks = {"feature_input_hook": "mlp.hook_in", "feature_output_hook": "mlp.hook_out", "scan": "random"}
    if weights["0.W_dec"].shape[1] > 1:
        cross = CrossLayerTranscoder(n_layers, n, d, lazy_decoder=False, dtype=torch.float32, **hooks)
        stacked = {name: torch.stack([weights[f"{i}.{name}"] for i in range(n_layers)]) for name in WHOLE}
        cross.load_state_dict(stacked | {f"W_dec.{i}": weights[f"{i}.W_dec"] for i in range(n_layers)})
        return cross
    for layer in range(n_layers):
        named = {name: weights[f"{layer}.{name}"] for name in WHOLE}
        found[layer] = SingleLayerTranscoder(d, n, torch.nn.functional.relu, layer, dtype=torch.float32)
        found[layer].load_state_dict(named | {"W_dec": weights[f"{layer}.W_dec"].squeeze(1)})
    return TranscoderSet(found, **hooks)


def hooked(state: dict[str, Tensor], n_layers: int, n_heads: int) -> dict[str, Tensor]:
    """transformers' GPT-2 under the names that the replacement model has, in TransformerLens's layout."""
    state = {name.removeprefix("transformer."): x for name, x in state.items()}
    d = state["wte.weight"].shape[1]
    found = {
        "embed.W_E": state["wte.weight"],
        "pos_embed.W_pos": state["wpe.weight"],
        "ln_final.w": state["ln_f.weight"],
        "ln_final.b": state["ln_f.bias"],
        "unembed.old_unembed.W_U": state["wte.weight"].T,
        "unembed.old_unembed.b_U": torch.zeros(len(state["wte.weight"])),
    }
    for layer in range(n_layers):
        theirs, ours = f"blocks.{layer}", f"h.{layer}"
        for i, norm in enumerate(("ln_1", "ln_2"), 1):
            found[f"{theirs}.ln{i}.w"] = state[f"{ours}.{norm}.weight"]
            found[f"{theirs}.ln{i}.b"] = state[f"{ours}.{norm}.bias"]
        W, b = (state[f"{ours}.attn.c_attn.{part}"].split(d, dim=-1) for part in ("weight", "bias"))
        for name, matrix, bias in zip("QKV", W, b, strict=True):
            found[f"{theirs}.attn.W_{name}"] = matrix.unflatten(1, (n_heads, -1)).transpose(0, 1)
            found[f"{theirs}.attn.b_{name}"] = bias.unflatten(0, (n_heads, -1))
        found[f"{theirs}.attn.W_O"] = state[f"{ours}.attn.c_proj.weight"].unflatten(0, (n_heads, -1))
        found[f"{theirs}.attn.b_O"] = state[f"{ours}.attn.c_proj.bias"]
        for name, part in (("in", "c_fc"), ("out", "c_proj")):
            found[f"{theirs}.mlp.old_mlp.W_{name}"] = state[f"{ours}.mlp.{part}.weight"]
            found[f"{theirs}.mlp.old_mlp.b_{name}"] = state[f"{ours}.mlp.{part}.bias"]
    return found


def nodes_of(graph: Graph) -> list[tuple[int, int, int]]:
    """Every node of circuit-tracer's, as `Kept` names them."""
    n_layers, n_tokens = graph.cfg.n_layers, graph.n_pos
    features = [(layer, index, token) for layer, token, index in graph.active_features.tolist()]
    errors = [(layer, -1, token) for layer in range(n_layers) for token in range(n_tokens)]
    tokens = [(-1, token, at) for at, token in enumerate(graph.input_tokens.tolist())]
    return features + errors + tokens + [(n_layers, int(t), n_tokens - 1) for t in graph.logit_token_ids]


def prepare(task: TraceTask) -> Trace:
    subject = Path(task.subject)
    model, tokens = replacement_model(subject), load_file(subject / TOKENS)["tokens"]

    prune_graph(attribute(tokens[:2], model, batch_size=8, verbose=False))

    def trace() -> Kept:
        graph = attribute(tokens, model, batch_size=task.settings["batch_size"], verbose=False)
        kept, edges, _ = prune_graph(graph)
        names, place = nodes_of(graph), (kept.cumsum(0) - 1).tolist()
        ends = [(place[source], place[target]) for target, source in edges.nonzero().tolist()]
        return Kept(len(names), [names[i] for i in kept.nonzero()[:, 0].tolist()], ends)

    return trace


def write(subject: str) -> None:
    """The whole graph of `subject`, and what pruning keeps, to circuit_tracer.safetensors there."""
    folder = Path(subject)
    graph = attribute(load_file(folder / TOKENS)["tokens"], replacement_model(folder), batch_size=64, verbose=False)
    kept, edges, _ = prune_graph(graph)
    named = {"nodes": torch.tensor(nodes_of(graph)), "A": graph.adjacency_matrix, "kept": kept, "edges": edges}
    named["probability"] = graph.logit_probabilities
    save_file({name: x.contiguous() for name, x in named.items()}, folder / "circuit_tracer.safetensors")


if __name__ == "__main__":
    serve_traces(prepare)
