"""Graphs as they are kept: pruned as the definition says, sparse, capped, in float32, beside their control."""

from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.circuits import Graph, TraceConfig, trace
from monosema.circuits.attribution.graph import BIAS, ERROR, FEATURE, LOGIT, POSITION, TOKEN
from monosema.circuits.attribution.sweep import influence_of
from monosema.circuits.attribution.targets import likeliest
from monosema.circuits.attribution.tracing import prepared
from tests.circuits.linear_models import VOCAB, model_of, tokens_of, transcoders_of


@cache
def graph_of(kind: str = "l1", dtype: torch.dtype = torch.float64, **settings: object) -> Graph:
    model = model_of("gpt2", dtype)
    return trace(model, transcoders_of(model, kind), tokens_of(), TraceConfig(**{"control": False} | settings))


@pytest.fixture
def whole() -> Graph:
    return graph_of(edge_floor=0.0)


def dense(graph: Graph) -> Tensor:
    A = torch.zeros(len(graph.nodes), len(graph.nodes), dtype=torch.float64)
    A[graph.edges.target, graph.edges.source] = graph.edges.weight.double()
    return A


def share_of(A: Tensor) -> Tensor:
    return A.abs() / A.abs().sum(1, keepdim=True).clamp(min=1e-300)


def down_to(scores: Tensor, share: float) -> Tensor:
    """Which scores are among the largest that have a share of the sum: the smallest such set."""
    if share == 1:
        return torch.ones_like(scores, dtype=torch.bool)
    order = scores.flatten().argsort(descending=True)
    total, kept = 0.0, torch.zeros(scores.numel(), dtype=torch.bool)
    for i in order.tolist():
        if total >= share * float(scores.sum()) * (1 - 1e-12):
            break
        kept[i] = True
        total += float(scores.flatten()[i])
    return kept.view(scores.shape)


def prune_by_the_book(graph: Graph, node_share: float, edge_share: float) -> tuple[set[str], set[tuple[str, str]]]:
    A, kind, names = dense(graph), graph.nodes.kind, graph.nodes.ids()
    w = torch.where(kind == LOGIT, graph.nodes.value, 0.0)
    eye = torch.eye(len(A), dtype=torch.float64)
    always = (kind == TOKEN) | (kind == LOGIT)
    nodes = down_to(w @ (torch.linalg.inv(eye - share_of(A)) - eye), node_share) | always
    A = A * nodes[:, None] * nodes
    inf = w @ (torch.linalg.inv(eye - share_of(A)) - eye)
    edges = down_to(share_of(A) * (inf + w)[:, None], edge_share) & (A != 0)
    while True:
        still = nodes & (always | (edges.any(0) & (edges.any(1) | (kind != FEATURE))))
        if torch.equal(still, nodes):
            break
        nodes = still
        edges = edges & nodes[:, None] & nodes
    targets, sources = edges.nonzero(as_tuple=True)
    kept_edges = {(names[s], names[t]) for s, t in zip(sources.tolist(), targets.tolist(), strict=True)}
    return {names[i] for i in nodes.nonzero()[:, 0].tolist()}, kept_edges


@pytest.mark.parametrize(("nodes", "edges"), [(0.8, 0.98), (0.5, 0.9), (1.0, 1.0), (0.3, 0.5)])
def test_pruning_keeps_what_the_definition_keeps(whole, nodes, edges):
    small, names = whole.prune(nodes, edges), whole.prune(nodes, edges).nodes.ids()
    links = {
        (names[s], names[t]) for s, t in zip(small.edges.source.tolist(), small.edges.target.tolist(), strict=True)
    }
    assert (set(names), links) == prune_by_the_book(whole, nodes, edges)
    if nodes < 1:
        assert 0 < len(small.edges) < len(whole.edges)


def test_pruning_keeps_more_influence_than_as_many_nodes_at_random(whole):
    [kept] = [finding for finding in whole.prune(0.5).findings if finding.name == "influence_kept"]
    assert 0.5 <= kept.value < 0.8
    assert kept.control is not None
    assert kept.control < kept.value / 2


def test_edges_that_carry_nothing_go_and_are_counted(whole):
    sparse = graph_of(edge_floor=1e-3)
    assert len(sparse.edges) < len(whole.edges) / 4
    assert torch.equal(sparse.nodes.influence, whole.nodes.influence)
    assert torch.equal(sparse.nodes.total, whole.nodes.total)
    w = torch.where(whole.nodes.kind == LOGIT, whole.nodes.value, 0.0)
    passed = share_of(dense(whole)) * (whole.nodes.influence + w)[:, None]
    lost = passed[passed < 1e-3 * w.sum()].sum() / whole.nodes.influence.sum()
    assert sparse.scores.dropped == pytest.approx(float(lost), rel=1e-9)
    assert whole.scores.dropped == 0


def test_influence_of_all_kept_edges_is_that_of_the_sweep(whole):
    w = torch.where(whole.nodes.kind == LOGIT, whole.nodes.value, 0.0)
    again, passed = influence_of(whole.edges, whole.nodes.layer, w)
    assert torch.allclose(again, whole.nodes.influence, rtol=1e-12, atol=0)
    assert passed.sum() == pytest.approx(float(whole.nodes.influence.sum()), rel=1e-12)


def test_features_left_out_are_merged_into_the_errors(whole):
    n = len(whole.nodes.of("feature"))
    capped = graph_of(edge_floor=0.0, max_features=n // 3)
    kept = capped.nodes.of("feature")
    assert len(kept) == n // 3
    assert capped.facts["merged_features"] == str(n - n // 3)
    # The rest is still the model: rows add up to what they added up to, and no score rises by it.
    before = dict(zip(whole.nodes.ids(), whole.nodes.total.tolist(), strict=True))
    after = dict(zip(capped.nodes.ids(), capped.nodes.total.tolist(), strict=True))
    assert all(after[name] == pytest.approx(before[name], abs=1e-11) for name in after)
    assert capped.scores.replacement < whole.scores.replacement
    assert capped.scores.completeness < whole.scores.completeness


def test_features_of_the_first_tokens_can_be_left_out():
    graph = graph_of(edge_floor=0.0, from_token=2)
    features = graph.nodes.kind == FEATURE
    assert int(graph.nodes.token[features].min()) == 2
    assert torch.allclose(dense(graph).sum(1), graph.nodes.total)


def test_constants_that_take_no_share_have_no_influence_and_change_no_effect(whole):
    without = graph_of(edge_floor=0.0, constants=False)
    constant = (whole.nodes.kind == BIAS) | (whole.nodes.kind == POSITION)
    assert whole.nodes.influence[constant].sum() > 0
    assert not without.nodes.influence[constant].any()
    assert torch.equal(dense(without), dense(whole))
    expected = share_of(dense(whole) * ~constant)
    w = torch.where(whole.nodes.kind == LOGIT, whole.nodes.value, 0.0)
    eye = torch.eye(len(w), dtype=torch.float64)
    assert torch.allclose(without.nodes.influence, w @ (torch.linalg.inv(eye - expected) - eye))


def test_scores_are_what_they_are_defined_as(whole):
    inf, kind = whole.nodes.influence, whole.nodes.kind
    tokens, errors = inf[kind == TOKEN].sum(), inf[kind == ERROR].sum()
    assert whole.scores.replacement == pytest.approx(float(tokens / (tokens + errors)))
    own = inf + torch.where(kind == LOGIT, whole.nodes.value, 0.0)
    complete = 1 - share_of(dense(whole))[:, kind == ERROR].sum(1)
    assert whole.scores.completeness == pytest.approx(float((complete * own).sum() / own.sum()))


def test_transcoders_that_write_what_another_feature_wrote_are_the_control():
    # Transcoders fitted to the MLPs on this prompt, one feature a token: shuffled, they explain less.
    model, tokens = model_of("gpt2"), tokens_of()
    from dataclasses import replace

    seen = model.run(tokens[None], [f"{kind}.{layer}" for layer in range(3) for kind in ("mlp_in", "mlp_out")])
    fitted = []
    for layer, one in enumerate(transcoders_of(model, n=len(tokens))):
        x, y = seen[f"mlp_in.{layer}"][0], seen[f"mlp_out.{layer}"][0]
        W_enc = torch.linalg.pinv(x).T.contiguous()  # W_enc x = the identity on these tokens
        w = replace(
            one.weights, W_enc=W_enc, W_dec=y.clone(), b_enc=torch.zeros(8).double(), b_dec=0 * one.weights.b_dec
        )
        fitted.append(replace(one, weights=w))
    graph = trace(model, fitted, tokens)
    for finding in graph.findings:
        assert finding.value == pytest.approx(1, abs=1e-6)
        assert finding.control is not None
        assert finding.control < 0.95, finding
    skipped = trace(model, fitted, tokens, TraceConfig(control=False)).findings
    assert [(one.control, one.control_is) for one in skipped] == [(None, "skipped")] * 2


@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "llama", "gemma2"])
def test_in_float32_rows_add_up_to_rounding(name):
    model = model_of(name, torch.float32)
    graph = trace(model, transcoders_of(model), tokens_of(), TraceConfig(edge_floor=0.0, control=False))
    exact = trace(
        model_of(name), transcoders_of(model_of(name)), tokens_of(), TraceConfig(edge_floor=0.0, control=False)
    )
    targets = (graph.nodes.kind == FEATURE) | (graph.nodes.kind == LOGIT)
    miss = (dense(graph).sum(1) - graph.nodes.total)[targets].abs().max()
    assert miss <= 2e-5 * graph.nodes.mass.max()
    active = prepared(model, transcoders_of(model), tokens_of(), TraceConfig()).replaced.active
    assert (graph.nodes.total[: len(active)] - active.pre).abs().max() <= 1e-5
    names = {name: i for i, name in enumerate(exact.nodes.ids())}
    both = [(i, names[name]) for i, name in enumerate(graph.nodes.ids()) if name in names]
    ours, theirs = (torch.tensor(side) for side in zip(*both, strict=True))
    assert len(both) > 0.99 * len(names)
    close = (dense(graph)[ours][:, ours] - dense(exact)[theirs][:, theirs]).abs().max()
    assert close <= 2e-5 * graph.nodes.mass.max()


@pytest.mark.parametrize(("dtype", "within"), [(torch.bfloat16, 0.06), (torch.float16, 0.008)])
def test_in_half_precision_rows_add_up_to_the_models_own_rounding(dtype: torch.dtype, within: float):
    model = model_of("llama", dtype)
    graph = trace(model, transcoders_of(model), tokens_of(), TraceConfig(edge_floor=0.0, control=False))
    active = prepared(model, transcoders_of(model), tokens_of(), TraceConfig()).replaced.active
    assert graph.edges.weight.dtype is torch.float32
    assert (graph.nodes.total[: len(active)] - active.pre).abs().max() <= within


def test_the_likeliest_tokens_are_as_few_as_have_the_probability():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert likeliest(logits, 0.79, 10).tolist() == [0, 1]
    assert likeliest(logits, 0.81, 10).tolist() == [0, 1, 2]
    assert likeliest(logits, 0.99, 2).tolist() == [0, 1]
    assert likeliest(logits, 1.0, 10).tolist() == [0, 1, 2, 3]


def test_targets_can_be_named_and_weigh_what_the_model_gives_them():
    graph = graph_of(targets=(0, 7))
    logits = model_of("gpt2").run(tokens_of()[None], ["logits"])["logits"][0, -1]
    mine = graph.nodes.kind == LOGIT
    assert graph.nodes.index[mine].tolist() == [0, 7]
    assert torch.allclose(graph.nodes.value[mine], logits.softmax(0)[[0, 7]])
    assert torch.allclose(graph.nodes.total[mine], (logits - logits.mean())[[0, 7]])


def test_every_node_has_a_name_of_its_own():
    # Feature 5 of layer 0 and the error of layer 5, which circuit-tracer once gave one name, at one token.
    graph = graph_of("cross", edge_floor=0.0)
    assert len(set(graph.nodes.ids())) == len(graph.nodes)
    assert {name.partition("_")[0] for name in graph.nodes.ids()} == {"0", "1", "2", "E", "P", "B", "L"}


def test_a_prompt_of_one_token_and_special_token_zero_have_a_graph():
    model = model_of("gpt2")
    graph = trace(model, transcoders_of(model), torch.tensor([0]), TraceConfig(control=False, edge_floor=0.0))
    assert torch.allclose(dense(graph).sum(1), graph.nodes.total)
    assert "E_0_0" in graph.nodes.ids()
    assert VOCAB > 10


def test_a_prompt_on_whose_last_token_nothing_fires_has_a_graph():
    model, tokens = model_of("gpt2"), tokens_of()
    from dataclasses import replace

    seen = model.run(tokens[None], [f"mlp_in.{layer}" for layer in range(3)])
    quiet = []
    for layer, one in enumerate(transcoders_of(model, "cross")):
        last = seen[f"mlp_in.{layer}"][0, -1]
        bias = -(one.weights.W_enc @ last) - 0.01
        quiet.append(replace(one, weights=replace(one.weights, b_enc=bias)))
    graph = trace(model, quiet, tokens, TraceConfig(control=False, edge_floor=0.0))
    features = graph.nodes.kind == FEATURE
    assert bool(features.any())
    assert int(graph.nodes.token[features].max()) < len(tokens) - 1
    assert torch.allclose(dense(graph).sum(1), graph.nodes.total)
