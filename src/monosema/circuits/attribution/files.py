"""A graph on disk: a folder with graph.json, what it is and what it was made from, and graph.safetensors, its numbers.

graph.json has the version of the format and the fingerprint of the numbers, so that half a graph, or another one's
numbers, are refused and not drawn.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from monosema.circuits.attribution.graph import LOGIT, Graph, Nodes, Scores
from monosema.circuits.attribution.sweep import Edges
from monosema.core import fingerprints
from monosema.core.config import from_json, to_json
from monosema.core.errors import ConfigError, DamagedError, MismatchError, RunError
from monosema.core.findings import Finding
from monosema.core.runs import read_json, replacing, write_json

FORMAT = 1
KIND = "monosema attribution graph"
NUMBERS, ABOUT = "graph.safetensors", "graph.json"

_INTEGERS = ("node.kind", "node.layer", "node.token", "node.index", "edge.target", "edge.source", "tokens")
_NUMBERS = ("node.value", "node.influence", "node.total", "node.mass", "edge.weight")


def save_graph(graph: Graph, folder: Path | str) -> None:
    """Write `graph` to `folder`."""
    folder = Path(folder)
    tensors = {f"node.{name}": column.contiguous() for name, column in vars(graph.nodes).items()}
    tensors |= {f"edge.{name}": column.contiguous() for name, column in vars(graph.edges).items()}
    tensors["tokens"] = graph.tokens.contiguous()
    with replacing(folder / NUMBERS) as temporary:
        save_file(tensors, temporary)
    about = {
        "kind": KIND,
        "format": FORMAT,
        "numbers": fingerprints.of_tensors(tensors),
        "n_layers": graph.n_layers,
        "scores": to_json(graph.scores),
        "findings": [to_json(finding) for finding in graph.findings],
        "facts": dict(graph.facts),
    }
    write_json(folder / ABOUT, about)


def load_graph(folder: Path | str) -> Graph:
    """The graph that `save_graph` wrote, bit for bit.

    Raises RunError when there is none, MismatchError when the folder holds something else or a graph of another
    version, DamagedError when a file is cut or edited.
    """
    folder = Path(folder)
    if not (folder / ABOUT).exists():
        raise RunError(f"{folder} holds no graph: it has no {ABOUT}. Make one with monosema.circuits.trace")
    about = read_json(folder / ABOUT)
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise MismatchError(
            f"{folder / ABOUT} is not an attribution graph of monosema's: read_neuronpedia reads others"
        )
    if about.get("format") != FORMAT:
        found = about.get("format")
        raise MismatchError(f"{folder} has a graph of format {found}, this version reads {FORMAT}: trace it again")
    tensors = _numbers(folder / NUMBERS)
    if about.get("numbers") != fingerprints.of_tensors(tensors):
        raise DamagedError(f"{folder / NUMBERS} is not what {ABOUT} was written with: trace the prompt again")
    try:
        scores, facts, n_layers = from_json(Scores, about["scores"]), about["facts"], about["n_layers"]
        findings = tuple(from_json(Finding, finding) for finding in about["findings"])
    except (KeyError, ConfigError) as error:
        raise DamagedError(f"{folder / ABOUT} was edited ({error}): trace the prompt again") from error
    nodes, edges = (_table(tensors, part) for part in ("node", "edge"))
    graph = Graph(Nodes(**nodes), Edges(**edges), tensors["tokens"], n_layers, scores, findings, facts)
    require_sound(graph, str(folder))
    return graph


def require_sound(graph: Graph, what: str) -> None:
    """Raise DamagedError unless names are distinct, edges lead to nodes of later layers, and all is finite."""
    nodes, edges = graph.nodes, graph.edges
    if len(set(nodes.ids())) < len(nodes):
        raise DamagedError(f"{what}: two nodes have the same layer, index and token")
    if len(edges) and not 0 <= int(torch.cat([edges.source, edges.target]).min()) <= int(
        torch.cat([edges.source, edges.target]).max()
    ) < len(nodes):
        raise DamagedError(f"{what}: an edge leads to a node that is not there")
    if bool((nodes.layer[edges.source] >= nodes.layer[edges.target]).any()):
        raise DamagedError(f"{what}: an edge leads to a layer that is not above its source's")
    if not all(bool(torch.isfinite(x).all()) for x in (edges.weight, nodes.value, nodes.influence)):
        raise DamagedError(f"{what}: a weight, a value or an influence is not finite")
    if not bool((nodes.kind == LOGIT).any()):
        raise DamagedError(f"{what}: it has no logit, so there is nothing that it explains")


def _numbers(path: Path) -> dict[str, Tensor]:
    try:
        tensors = load_file(path)
    except (FileNotFoundError, SafetensorError) as error:
        raise DamagedError(f"{path} is missing, truncated or edited ({error}): trace the prompt again") from error
    if tensors.keys() != {*_INTEGERS, *_NUMBERS}:
        raise DamagedError(f"{path} does not hold the tensors of a graph, but {', '.join(sorted(tensors))}")
    return tensors


def _table(tensors: dict[str, Tensor], part: str) -> dict[str, Any]:
    return {name.partition(".")[2]: x for name, x in tensors.items() if name.startswith(f"{part}.")}
