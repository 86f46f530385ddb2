"""Cross-layer transcoders as the library's trainer makes them, in an attribution graph: the sums are exact."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from monosema.circuits import Graph, TraceConfig, trace
from monosema.circuits.attribution.graph import FEATURE, LOGIT
from monosema.circuits.attribution.tracing import prepared
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary, TrainConfig, parse_spec, train
from monosema.models import Model
from tests.circuits.linear_models import LAYERS, VOCAB, D, model_of, tokens_of
from tests.dictionaries.worlds import Rows

READS, WRITES = (tuple(f"{kind}.{layer}" for layer in range(LAYERS)) for kind in ("mlp_in", "mlp_out"))
KINDS = ["topk,k=12", "batchtopk,k=12", "jumprelu,target=12", "l1,penalty=0.3", "gated,penalty=0.3"]
CONFIG = TraceConfig(edge_floor=0.0, control=True)


class Activations:
    """What a model makes of random tokens."""

    def __init__(self, model: Model):
        self.model, self.widths = model, dict.fromkeys((*READS, *WRITES), D)
        self.n_rows, self.fingerprint = 4096, "random tokens"

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Rows]:
        step = start
        while True:
            tokens = torch.randint(3, VOCAB, (batch_size // 8, 8), generator=generator(seed, step))
            found = self.model.run(tokens, [*self.widths])
            rows = {site: x.reshape(-1, D).float() for site, x in found.items()}
            yield Rows(rows, torch.arange(batch_size), torch.zeros(batch_size, dtype=torch.int64))
            step += 1


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of("gpt2")


@pytest.fixture(scope="module")
def trained(model: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dictionary]:
    """One of each kind in float64, as the model is."""
    specs = [parse_spec(f"{text},n_features=90,cross_layer=true", READS, WRITES) for text in KINDS]
    out: Path = tmp_path_factory.mktemp("cross")
    found = train(Activations(model), specs, TrainConfig(rows=128 * 40, batch_size=128, scaling_batches=2), out)
    return {name: doubled(one) for name, one in found.dictionaries.items()}


def doubled(one: Dictionary) -> Dictionary:
    named = {name: tensor.double() for name, tensor in one.weights.named().items()}
    return replace(one, weights=one.weights.replaced(named))


@pytest.mark.parametrize("kind", [text.partition(",")[0] for text in KINDS])
def test_what_acts_on_a_feature_or_a_logit_adds_up(kind: str, trained: dict[str, Dictionary], model: Model):
    tokens = tokens_of()
    scene = prepared(model, [trained[kind]], tokens, CONFIG)
    graph = trace(model, [trained[kind]], tokens, CONFIG)
    sums = torch.zeros(len(graph.nodes), dtype=torch.float64)
    sums.index_add_(0, graph.edges.target, graph.edges.weight)
    features, logits = graph.nodes.kind == FEATURE, graph.nodes.kind == LOGIT
    active = scene.replaced.active
    assert len(active) > 20 and set(active.layer.tolist()) == set(range(LAYERS))
    torch.testing.assert_close(sums[features], active.pre, rtol=0, atol=1e-11)
    last = model.module.get_submodule(model.family.unembed)(scene.local.seen["ln_final"][-1])
    expected = last[graph.nodes.index[logits]] - last.mean()
    torch.testing.assert_close(sums[logits], expected, rtol=0, atol=1e-11)
    # A feature of layer 0 acts on one of the last layer directly, through what it writes in between and there.
    early, late = (features & (graph.nodes.layer == layer) for layer in (0, LAYERS - 1))
    assert bool((early[graph.edges.source] & late[graph.edges.target]).any())
    assert all(finding.control is not None for finding in graph.findings)


def test_it_gives_the_graph_of_its_parts(trained: dict[str, Dictionary], model: Model):
    tokens = tokens_of()
    whole = trace(model, [trained["topk"]], tokens, CONFIG)
    parts = trace(model, trained["topk"].by_layer(), tokens, CONFIG)
    first = torch.tensor([0, 30, 60])  # features are numbered through in the whole, by layer in the parts
    features = whole.nodes.kind == FEATURE
    assert torch.equal(whole.nodes.index[features] - first[whole.nodes.layer[features]], parts.nodes.index[features])
    assert dense(whole).shape == dense(parts).shape
    torch.testing.assert_close(dense(whole), dense(parts), rtol=0, atol=1e-11)


def dense(graph: Graph) -> torch.Tensor:
    A = torch.zeros(len(graph.nodes), len(graph.nodes), dtype=torch.float64)
    A[graph.edges.target, graph.edges.source] = graph.edges.weight
    return A
