"""A prompt traced in a run: its model, its transcoders, the pruned graph, and the files that are written of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.circuits import About, Graph, TraceConfig, load_graph, save_graph, token_of, trace, write_neuronpedia
from monosema.circuits.attribution.graph import LOGIT, TOKEN
from monosema.circuits.linear.families import require_family, require_linear
from monosema.core.errors import ConfigError, DataError, MismatchError, RunError, unknown
from monosema.core.runs import open_run, read_json
from monosema.corpus import Tokenizer
from monosema.dictionaries import Dictionary
from monosema.models import Model
from monosema.models.families import FAMILIES
from monosema.pipeline.exploring import open_model
from monosema.pipeline.set_names import is_transcoder, set_of
from monosema.pipeline.subject import subject_config


@dataclass(frozen=True)
class Ground:
    """What stands behind a graph: a run's model, its tokenizer, and transcoders by name."""

    run: Path
    model: Model
    tokenizer: Tokenizer
    transcoders: dict[str, Dictionary]

    @property
    def sides(self) -> list[Dictionary]:
        return list(self.transcoders.values())


@dataclass(frozen=True)
class TracingConfig:
    """What to explain and how much of the graph to keep: see `Graph.prune` and `TraceConfig`.

    targets   texts of one token each; none: the likeliest
    """

    targets: tuple[str, ...] = ()
    nodes: float = 0.8
    edges: float = 0.98
    from_token: int = 1
    max_features: int = 32_768
    control: bool = True
    seed: int = 0


def open_ground(run: Path, asked: Sequence[str] = ()) -> Ground:
    """The run's model and the transcoders named by `asked`, or the only set that it holds. A name stands for NAME-0,
    NAME-1, ... as well.

    Raises RunError when the run has no transcoders, ConfigError when it has several sets or none of that name, or a
    model that no graph can be made of, MismatchError when a transcoder is another model's.
    """
    _require_family(run)
    return ground_of(run, *open_model(run), asked)


def ground_of(
    run: Path, model: Model, tokenizer: Tokenizer, dictionaries: Mapping[str, Dictionary], asked: Sequence[str] = ()
) -> Ground:
    """The same of a run that is open. Raises as `open_ground` does."""
    require_linear(model)
    there = [name for name in dictionaries if is_transcoder(dictionaries[name].reads, dictionaries[name].writes)]
    if not there:
        raise RunError(
            f"{run} holds no transcoders: harvest with --site mlp_in --site mlp_out, then train with --reads mlp_in "
            "--writes mlp_out"
        )
    sets = sorted({set_of(name) for name in there})
    for name in asked:
        if name not in there and name not in sets:
            raise ConfigError(unknown("set of transcoders", name, [*sets, *there]))
    if not asked and len(sets) > 1:
        raise ConfigError(f"{run} holds several sets of transcoders, {', '.join(sets)}: say which, by --dictionaries")
    chosen = [name for name in there if not asked or name in asked or set_of(name) in asked]
    return Ground(run, model, tokenizer, {name: dictionaries[name] for name in chosen})


def traced(ground: Ground, prompt: str, config: TracingConfig) -> Graph:
    """The pruned graph of `prompt`; its facts say run, prompt and transcoders. Raises as `circuits.trace` does, and
    DataError for a prompt that is empty or too long and a target that is not one token."""
    tokens = tokens_of(ground, prompt)
    targets = tuple(token_of(ground.tokenizer, text) for text in config.targets)
    graph = trace(
        ground.model,
        ground.sides,
        tokens,
        TraceConfig(
            targets,
            max_features=config.max_features,
            from_token=config.from_token,
            control=config.control,
            seed=config.seed,
        ),
    )
    small = graph.prune(config.nodes, config.edges)
    made = {"run": str(ground.run.resolve()), "prompt": prompt, "dictionaries": ",".join(ground.transcoders)}
    return replace(small, facts={**small.facts, **made})


def tokens_of(ground: Ground, prompt: str) -> Int64[Tensor, "token"]:
    """The prompt's tokens, after the BOS where the tokenizer has one."""
    [ids] = ground.tokenizer.encode([prompt])
    if not ids:
        raise DataError("the prompt is empty: give at least one token")
    bos, limit = ground.tokenizer.bos, ground.model.n_context
    row = [*([] if bos is None else [bos]), *ids]
    if len(row) > limit:
        raise DataError(f"the prompt has {len(row)} tokens, more than the {limit} of {ground.model.name}: shorten it")
    return torch.tensor(row)


def saved(folder: Path) -> tuple[Graph, Ground]:
    """The graph in `folder` and what it was traced in. Raises as `load_graph` and `open_ground` do, and MismatchError
    when the run's model or transcoders are not those of the graph any more."""
    if folder.is_file():
        raise RunError(f"{folder} is a file: give the folder that `monosema trace` wrote, which says the run too")
    graph = load_graph(folder)
    if missing := [name for name in ("run", "prompt", "dictionaries") if name not in graph.facts]:
        raise MismatchError(f"the graph in {folder} does not say its {missing[0]}: give RUN and the prompt instead")
    ground = open_ground(Path(graph.facts["run"]), graph.facts["dictionaries"].split(","))
    now = "+".join(dictionary.fingerprint for dictionary in ground.sides)
    if (ground.model.fingerprint, now) != (graph.facts["model_fingerprint"], graph.facts["transcoders"]):
        raise MismatchError(f"the graph in {folder} is of other weights than {ground.run} holds now: trace it again")
    return graph, ground


def write_graph(ground: Ground, graph: Graph, folder: Path) -> tuple[Path, Path]:
    """Write the graph to `folder`, and neuronpedia.json beside it, which does not say where the run is."""
    folder.mkdir(parents=True, exist_ok=True)
    save_graph(graph, folder)
    write_neuronpedia(open_to_all(graph), folder / "neuronpedia.json", about_of(ground, graph))
    return folder / "graph.json", folder / "neuronpedia.json"


def about_of(ground: Ground, graph: Graph) -> About:
    """What Neuronpedia's JSON says besides the graph."""
    texts = tuple(ground.tokenizer.token_texts(graph.tokens.tolist()))
    labels = {name: said for name, said in zip(graph.nodes.ids(), named(ground, graph), strict=True) if said}
    slug = re.sub(r"[^a-z0-9]+", "-", graph.facts["prompt"].lower()).strip("-") or "prompt"
    return About(slug, ground.model.name, graph.facts["prompt"], texts, labels)


def open_to_all(graph: Graph) -> Graph:
    """The graph without the fact where its run is."""
    return replace(graph, facts={name: fact for name, fact in graph.facts.items() if name != "run"})


def named(ground: Ground, graph: Graph) -> list[str]:
    """What stands for each node in words: a token's or a logit's text with its probability, '' for a feature."""
    nodes, said = graph.nodes, []
    for kind, index, value in zip(nodes.kind.tolist(), nodes.index.tolist(), nodes.value.tolist(), strict=True):
        text = repr(ground.tokenizer.token_texts([index])[0]) if kind in (TOKEN, LOGIT) else ""
        said.append(f"{text} (p={value:.3f})" if kind == LOGIT else text)
    return said


def _require_family(run: Path) -> None:
    """Raise ConfigError when the run's model is of a family that has no graph: before transcoders are asked for."""
    opened = open_run(run)
    folder = run / (subject_config(opened).model if "harvest" in opened.stages() else "lm")
    about = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    if about.get("model_type") in FAMILIES:
        require_family(folder.name, about["model_type"])
