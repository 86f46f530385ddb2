"""What an attribution graph must hold exactly, on a tiny random model of every family, in float64.

I1   a feature's direct effects add up to its pre-activation        I2   a logit's to the logit less the mean
I3   a feature's activation doubled changes what it should          I4   so do an error and a token
I5   no path is longer than the layers allow                        I6   what flows in is what the targets weigh
I7   an exact transcoder leaves nothing unexplained                 I8   nothing acts back in layers or time
I9   a row pulled back is a column pushed forward                   I10  one sweep is the Neumann series
I11  the hand-written adjoint is autograd's
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.circuits import Graph, TraceConfig, trace
from monosema.circuits.attribution.graph import BIAS, ERROR, FEATURE, LOGIT, POSITION, TOKEN
from monosema.circuits.attribution.rows import Scene
from monosema.circuits.attribution.sweep import sweep
from monosema.circuits.attribution.tracing import prepared
from monosema.dictionaries import Dictionary, Weights
from monosema.models import Edit, Model
from tests.circuits.linear_models import (
    FAMILIES,
    LAYERS,
    D,
    looking_ahead,
    masked,
    model_of,
    readings_by_autograd,
    sited,
    tokens_of,
    transcoders_of,
)

EXACT = 1e-12
CONFIG = TraceConfig(edge_floor=0.0, control=False, workspace=1)

KINDS = dict.fromkeys(FAMILIES, "l1") | {
    "gpt_neox": "cross",
    "llama": "topk",
    "mistral": "flat",
    "qwen2": "skip",
    "gemma": "gated",
    "gemma2": "jumprelu",
    "qwen3": "stream",
}
CASES = [
    *KINDS.items(),
    ("gpt_neox", "skip"),
    ("gpt2", "cross"),
    ("gpt2", "flat"),
    ("gpt2", "skip"),
    ("gpt2", "stream"),
    ("gpt2", "crowded"),
    ("gpt2", "masked"),
    ("llama", "masked"),
    ("gpt2", "looking ahead"),
]
EDITS = {"masked": masked(), "looking ahead": looking_ahead()}
"""Edits of attention patterns that are part of the pass: as a planner's, and one that is not causal any more."""


@dataclass(frozen=True)
class Case:
    name: str
    model: Model
    scene: Scene
    graph: Graph
    A: Tensor
    edits: Sequence[Edit]

    @property
    def kind(self) -> Tensor:
        return self.graph.nodes.kind


@cache
def case_of(name: str, kind: str) -> Case:
    model = model_of(name)
    # More features at a place than d_model: their rows come from the unit vectors'.
    transcoders = transcoders_of(model, "l1", n=80) if kind == "crowded" else transcoders_of(model, kind)
    return made(name, model, transcoders, EDITS.get(kind, ()))


def made(name: str, model: Model, transcoders: list, edits: Sequence[Edit] = ()) -> Case:
    tokens = tokens_of()
    scene = prepared(model, transcoders, tokens, CONFIG, edits)
    graph = trace(model, transcoders, tokens, CONFIG, edits=edits)
    A = torch.zeros(len(graph.nodes), len(graph.nodes), dtype=torch.float64)
    A[graph.edges.target, graph.edges.source] = graph.edges.weight
    return Case(name, model, scene, graph, A, edits)


@pytest.fixture(scope="module", params=CASES, ids=" ".join)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(*request.param)


def close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= EXACT * max(1.0, float(b.abs().max())))


def shares(case: Case) -> Tensor:
    size = case.A.abs()
    return size / size.sum(1, keepdim=True).clamp(min=1e-300)


def weights(case: Case) -> Tensor:
    return torch.where(case.kind == LOGIT, case.graph.nodes.value, 0.0)


def pushed(case: Case, embedded: Tensor, written: dict[int, Tensor]) -> Tensor:
    """What a change of what is written changes at every target, forward: pre-activations and centred logits."""
    scene, active = case.scene, case.scene.replaced.active
    reads = {site: x[:, 0] for site, x in scene.local.push(embedded[:, None], written, biases=False).items()}
    found = torch.zeros(len(case.kind), dtype=torch.float64)
    stream = "resid_pre" if scene.local.parallel else "resid_mid"
    for i in range(len(active)):
        site = "mlp_in" if active.normed[int(active.place[i])] else stream
        found[i] = active.reads[i] @ reads[f"{site}.{int(active.layer[i])}"][active.token[i]]
    found[case.kind == LOGIT] = scene.targets.reads @ reads["ln_final"][-1]
    return found


def writing(case: Case, node: int) -> tuple[Tensor, dict[int, Tensor]]:
    """What one node writes: before layer 0, and at each mlp_out."""
    scene, nodes = case.scene, case.graph.nodes
    embedded = torch.zeros_like(scene.local.seen["embed"])
    written = {layer: torch.zeros_like(embedded) for layer in range(LAYERS)}
    kind, layer, token = (int(column[node]) for column in (nodes.kind, nodes.layer, nodes.token))
    if kind == FEATURE:
        for at, what in scene.replaced.written.items():
            for vector in what.vectors[what.source == node]:
                written[at][token] += vector
    elif kind == ERROR:
        written[layer][token] = scene.replaced.errors[layer, token]
    elif kind == TOKEN:
        embedded[token] = scene.local.seen["embed"][token]
    elif kind == POSITION:
        embedded[token] = scene.local.positions[token]
    return embedded, {layer: x[:, None] for layer, x in written.items()}


def test_i1_what_acts_on_a_feature_adds_up_to_its_pre_activation(case):
    active = case.scene.replaced.active
    assert len(active) > 20
    rows = case.A[: len(active)].sum(1)
    assert close(rows, active.pre)
    assert close(case.graph.nodes.total[: len(active)], active.pre)
    assert not close(case.A[: len(active), case.kind != BIAS].sum(1), active.pre)


def test_i2_what_acts_on_a_logit_adds_up_to_the_logit_less_the_mean(case):
    # transformers caps Gemma's logits after the unembedding: the identity is of those before the cap.
    logits = case.model.module.get_submodule(case.model.family.unembed)(case.scene.local.seen["ln_final"][-1])
    tokens = case.graph.nodes.index[case.kind == LOGIT]
    assert close(case.A[case.kind == LOGIT].sum(1), logits[tokens] - logits.mean())


def test_i3_i4_i9_a_column_pushed_forward_is_what_the_rows_say(case):
    kinds = [case.graph.nodes.of(kind) for kind in ("feature", "error", "token", "position")]
    some = torch.cat([nodes[:: max(1, len(nodes) // 12)] for nodes in kinds])
    assert len(some) > 30
    for node in some.tolist():
        assert close(pushed(case, *writing(case, node)), case.A[:, node])


def test_i5_no_path_is_longer_than_the_layers(case):
    power = shares(case)
    for _ in range(LAYERS + 1):
        power = power @ shares(case)
    assert not power.any()
    assert shares(case).any()


def test_i6_what_flows_in_from_the_sources_is_what_the_targets_weigh(case):
    ends = (case.kind != FEATURE) & (case.kind != LOGIT)
    flows = case.graph.nodes.influence[ends].sum()
    assert close(flows, weights(case).sum())
    assert case.graph.nodes.influence[case.kind == FEATURE].sum() > 0


def test_i8_nothing_acts_on_what_came_before(case):
    nodes = case.graph.nodes
    places = (nodes.kind == FEATURE) | (nodes.kind == ERROR)
    target, source = case.graph.edges.target, case.graph.edges.source
    inside = places[source]
    assert bool((nodes.layer[source] < nodes.layer[target])[inside].all())
    if case.scene.local.causal:
        assert bool((nodes.token[source] <= nodes.token[target])[nodes.token[source] >= 0].all())
    assert bool(inside.any())


def test_i10_one_sweep_is_the_neumann_series(case):
    term, series = weights(case), torch.zeros_like(weights(case))
    for _ in range(LAYERS + 2):
        term = term @ shares(case)
        series += term
    assert close(case.graph.nodes.influence, series)


def test_i11_the_adjoint_is_autograds(case):
    scene, active = case.scene, case.scene.replaced.active
    embed, local = scene.local.seen["embed"], scene.local
    stream = "resid_pre" if local.parallel else "resid_mid"
    targets = [int(active.span(layer)[1]) - 1 for layer in range(LAYERS)] + [len(case.kind) - 1]
    for target in targets:

        def read(seen: dict[str, Tensor], target: int = target) -> Tensor:
            if target >= len(active):
                return scene.targets.reads[-1] @ seen["ln_final"][-1]
            site = "mlp_in" if active.normed[int(active.place[target])] else stream
            return active.reads[target] @ seen[f"{site}.{int(active.layer[target])}"][active.token[target]]

        g = readings_by_autograd(case.name, case.graph.tokens, dict(local.skips), read, case.edits)
        expected = torch.zeros_like(case.A[target])
        for layer, what in scene.replaced.written.items():
            at = active.token[what.source]
            expected.index_add_(0, what.source, (g[f"mlp_out.{layer}"][at] * what.vectors).sum(1))
        errors = torch.stack([(g[f"mlp_out.{at}"] * scene.replaced.errors[at]).sum(1) for at in range(LAYERS)])
        expected[case.kind == ERROR] = errors.flatten()
        expected[case.kind == TOKEN] = (g["resid_pre.0"] * embed).sum(1)
        if bool((case.kind == POSITION).any()):
            expected[case.kind == POSITION] = (g["resid_pre.0"] * local.positions).sum(1)
        not_bias = case.kind != BIAS
        assert close(case.A[target][not_bias], expected[not_bias])


def exact_transcoders(model: Model) -> list[Dictionary]:
    """A small transformer's ReLU MLPs, each as the transcoder that it is."""
    made = []
    for layer in range(model.n_layers):
        mlp = model.module.get_submodule(f"blocks.{layer}.mlp")
        W_enc, W_dec = mlp.up.weight.clone(), mlp.down.weight.T.contiguous()
        weights = Weights(W_enc, W_dec, mlp.up.bias.clone(), mlp.down.bias.clone(), False)
        like = transcoders_of(model)[layer]
        assert isinstance(like, Dictionary)
        one = replace(like, weights=weights, keep=torch.ones(len(W_enc), dtype=torch.bool))
        made.append(sited(one, [f"mlp_in.{layer}"], [f"mlp_out.{layer}"]))
    return made


@pytest.mark.parametrize("edits", ["", "masked"])
@pytest.mark.parametrize("name", ["small layer", "small no norm", "small both ways"])
def test_i7_an_exact_transcoder_explains_all(name, edits):
    case = made(name, model_of(name), exact_transcoders(model_of(name)), EDITS.get(edits, ()))
    assert case.scene.replaced.errors.abs().max() < EXACT
    assert case.graph.scores.replacement == pytest.approx(1, abs=EXACT)
    assert case.graph.scores.completeness == pytest.approx(1, abs=EXACT)
    random = case_of(name, "l1").graph.scores
    assert max(random.replacement, random.completeness) < 0.99


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_what_a_mask_hides_acts_on_nothing_that_may_not_see_it(name):
    """Every path from the first tokens to the last one passes the one that it may see."""
    hidden, seen = case_of(name, "masked"), case_of(name, KINDS[name])
    for case in (hidden, seen):
        nodes = case.graph.nodes
        early = (nodes.token >= 0) & (nodes.token < 3)
        passed = case.A[nodes.token > 3][:, early]
        direct = direct_past(case, 3)[nodes.token > 3][:, early]
        assert bool(passed.any())
        assert bool(direct.any()) == (case is seen)
    assert hidden.graph.facts["edits"] == "attn_pattern.0,attn_pattern.1,attn_pattern.2"
    assert "edits" not in seen.graph.facts


def direct_past(case: Case, token: int) -> Tensor:
    """The direct effects that do not go by the stream of `token`: its column of every pattern is taken out."""
    layers = []
    for held in case.scene.local.layers:
        pattern = held.attention.pattern.clone()
        pattern[:, token + 1 :, token] = 0
        layers.append(replace(held, attention=replace(held.attention, pattern=pattern)))
    scene = replace(case.scene, local=replace(case.scene.local, layers=tuple(layers)))
    A = torch.zeros_like(case.A)
    edges = sweep(scene, 0.0, constants=True).edges
    A[edges.target, edges.source] = edges.weight
    return A


def test_the_width_of_a_place_is_that_of_the_model():
    crowded = case_of("gpt2", "crowded").scene.replaced.active
    counts = torch.bincount(crowded.layer * 8 + crowded.token)
    assert counts.max() > D
