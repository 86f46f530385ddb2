"""Which heads an edge goes through, on a tiny random model of every family, in float64.

C1  at every layer, heads and what goes past them add up to the edge       C2  a head that is not between passes nothing
C3  between two tokens nothing goes past all heads                         C4  positions add up to what a head passes
C5  all edges of a target together pass what the model's own heads write, by autograd
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.circuits import TraceConfig, Wiring, trace
from monosema.circuits.attribution.graph import BIAS, FEATURE, LOGIT, POSITION, TOKEN
from monosema.circuits.attribution.heads_of import Crossings, crossings, positions
from monosema.core.errors import DataError, MismatchError, SiteError
from monosema.dictionaries import Dictionary
from monosema.models import Edit, wrap
from tests.circuits.linear_models import (
    LAYERS,
    exact,
    model_of,
    module_of,
    tokens_of,
    transcoders_of,
)
from tests.circuits.test_identities import CASES, KINDS, Case, case_of, close


@cache
def sampled(*case: str) -> tuple[Case, Tensor, Tensor, Crossings]:
    """A case, edges from every node to a few targets of each layer, and what passes where."""
    found = case_of(*case)
    n = found.scene.numbers
    targets = torch.cat(
        [torch.arange(0, n.n_features, max(1, n.n_features // 3)), torch.arange(n.logits, n.logits + 1)]
    )
    sources = torch.arange(n.logits).repeat(len(targets))
    targets = targets.repeat_interleave(n.logits)
    return found, targets, sources, crossings(found.scene, targets, sources)


SOME = [case for case in CASES if case[1] not in ("crowded", "stream")]


@pytest.fixture(scope="module", params=SOME, ids=" ".join)
def drawn(request: pytest.FixtureRequest) -> tuple[Case, Tensor, Tensor, Crossings]:
    return sampled(*request.param)


def test_c1_heads_and_what_goes_past_them_add_up_to_the_edge_at_every_layer(drawn):
    case, targets, sources, found = drawn
    weight = case.A[targets, sources]
    for layer in range(LAYERS):
        assert close(found.through[:, layer].sum(1) + found.past[:, layer], weight)
    assert close(found.weight, weight)
    assert not close(found.past[:, 0], weight)


def between(case: Case, target: int, source: int) -> range:
    """The layers whose attention is between two nodes."""
    nodes, parallel = case.graph.nodes, case.scene.local.parallel
    first = max(0, int(nodes.layer[source]) + 1) if nodes.kind[source] != BIAS else 0
    top = int(nodes.layer[target]) + (nodes.kind[target] != LOGIT and not parallel)
    return range(first, top)


def test_c2_a_head_that_is_not_between_passes_nothing(drawn):
    case, targets, sources, found = drawn
    for i in range(0, len(targets), 7):
        inside = between(case, int(targets[i]), int(sources[i]))
        outside = [layer for layer in range(LAYERS) if layer not in inside]
        assert not found.through[i, outside].any()
        assert not found.even[i, outside].any()
    assert bool(found.through.any())


def test_c3_between_two_tokens_all_passes_heads(drawn):
    case, targets, sources, found = drawn
    at, has = case.graph.nodes.token, case.graph.nodes.kind != BIAS
    apart = (at[targets] != at[sources]) & has[sources]
    assert not found.straight[apart].any()
    assert bool(found.weight[apart].any())
    same = (at[targets] == at[sources]) & has[sources] & (found.weight != 0)
    assert bool((found.straight[same] != 0).any())


def test_c4_positions_add_up_to_what_the_head_passes(drawn):
    case, targets, sources, found = drawn
    n_heads = found.through.shape[2]
    strongest = found.weight.abs().argsort(descending=True)[:3].tolist()
    n = case.scene.numbers
    of_biases = int((sources == n.bias).nonzero()[-1])
    for edge in [*strongest, of_biases]:
        for layer in range(LAYERS):
            where = positions(case.scene, int(targets[edge]), int(sources[edge]), layer, edge % n_heads)
            assert close(where.sum(), found.through[edge, layer, edge % n_heads])
            if case.scene.local.causal:
                assert not where.triu(1).any()
                assert not where[:, : max(0, int(case.graph.nodes.token[sources[edge]]))].any()


def gates(name: str, read: Callable[[dict[str, Tensor]], Tensor]) -> Tensor:
    """The gradient of a reading by a factor on what each head writes, [layer, head]: patterns, denominators of norms
    and MLPs are held by detaching them."""
    model = wrap(exact(module_of(name), held=True), name)
    gate = torch.ones(LAYERS, model.n_heads, dtype=torch.float64, requires_grad=True)
    edits = []
    for layer in range(LAYERS):
        edits.append(Edit(f"attn_pattern.{layer}", lambda p: p.detach()))
        edits.append(Edit(f"attn_z.{layer}", lambda z, layer=layer: z * gate[layer][:, None]))
        edits.append(Edit(f"mlp_out.{layer}", lambda y: y.detach()))
    kinds = ("mlp_in", "resid_mid", "resid_pre", "ln_final")
    wanted = [site for site in model.sites() if site.partition(".")[0] in kinds]
    with torch.enable_grad():
        seen = {site: x[0] for site, x in model.run(tokens_of()[None], wanted, edits).items()}
        [found] = torch.autograd.grad(read(seen), [gate], allow_unused=True)
    return torch.zeros_like(gate) if found is None else found


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind != "skip"])
def test_c5_all_edges_of_a_target_pass_what_the_models_heads_write(name: str):
    case, targets, _, found = sampled(name, KINDS[name])
    scene, active = case.scene, case.scene.replaced.active
    stream = "resid_pre" if scene.local.parallel else "resid_mid"
    for target in targets.unique().tolist()[-2:]:

        def read(seen: dict[str, Tensor], target: int = target) -> Tensor:
            if target >= len(active):
                return scene.targets.reads[target - scene.numbers.logits] @ seen["ln_final"][-1]
            site = "mlp_in" if active.normed[int(active.place[target])] else stream
            return active.reads[target] @ seen[f"{site}.{int(active.layer[target])}"][active.token[target]]

        together = found.through[targets == target].sum(0)
        assert close(together, gates(name, read))
        assert bool(together.any())


def test_a_head_that_looks_at_all_alike_passes_what_its_control_says():
    # Uniform patterns everywhere: what is looked at is what the control looks at.
    model = model_of("llama")
    sizes = torch.arange(1, 9, dtype=torch.float64)
    even = (torch.ones(8, 8, dtype=torch.float64).tril() / sizes[:, None]).expand(1, 4, 8, 8)
    edits = [Edit(f"attn_pattern.{layer}", lambda _: even.clone()) for layer in range(LAYERS)]
    config = TraceConfig(control=False)
    graph = trace(model, transcoders_of(model), tokens_of(), config, edits=edits)
    some = torch.arange(0, len(graph.edges), len(graph.edges) // 60)
    found = Wiring(model, transcoders_of(model), graph, config, edits).crossings(some)
    assert close(found.even, found.through)
    plain = trace(model, transcoders_of(model), tokens_of(), config)
    some = torch.arange(0, len(plain.edges), len(plain.edges) // 60)
    other = Wiring(model, transcoders_of(model), plain, config).crossings(some)
    assert not close(other.even, other.through)


@cache
def wired() -> Wiring:
    model = model_of("gpt2")
    graph = trace(model, transcoders_of(model), tokens_of(), TraceConfig(control=False, from_token=1)).prune(0.7)
    return Wiring(model, transcoders_of(model), graph, TraceConfig(from_token=1))


def test_a_pruned_graphs_edges_are_found_on_its_prompt():
    wiring = wired()
    graph = wiring.graph
    name = graph.nodes.ids()[-1]
    edges = wiring.into(name)
    found = wiring.crossings(edges)
    assert len(edges) > 5
    assert close(found.weight, graph.edges.weight[edges])
    assert {int(graph.nodes.kind[i]) for i in graph.edges.source[edges].tolist()} >= {FEATURE, TOKEN}
    where = wiring.positions(int(edges[0]), 1, 2)
    assert close(where.sum(), found.through[0, 1, 2])
    assert len(set(wiring.names(torch.arange(len(wiring.scene.numbers))))) == len(wiring.scene.numbers)
    assert POSITION in graph.nodes.kind


def test_a_graph_of_something_else_is_refused():
    graph, model = wired().graph, model_of("gpt2")
    with pytest.raises(MismatchError, match=r"node \d_\d+_\d of the graph is not there on its prompt: give the model"):
        Wiring(model, transcoders_of(model, seed=3), replace(graph, facts={}))
    with pytest.raises(MismatchError, match=r"\d+ features were merged into the errors of the graph, 0 are now: give"):
        Wiring(model, transcoders_of(model), graph)
    own = [one for one in transcoders_of(model) if isinstance(one, Dictionary)]
    twice = [replace(one, weights=replace(one.weights, W_dec=2 * one.W_dec)) for one in own]
    with pytest.raises(MismatchError, match=r"the edge from .* weighs .* in the graph and .* on its prompt"):
        Wiring(model, twice, graph, TraceConfig(from_token=1)).crossings(torch.arange(len(graph.edges)))
    with pytest.raises(DataError, match="there is no such edge: the graph has"):
        wired().crossings(torch.tensor([10**6]))
    with pytest.raises(DataError, match="there is no edge -1: the graph has"):
        wired().positions(-1, 0, 0)
    with pytest.raises(SiteError, match=r"there is no head 0\.9"):
        wired().positions(0, 0, 9)
    with pytest.raises(DataError, match="the graph has no node 'X_1_1'"):
        wired().into("X_1_1")
    lost = replace(graph, tokens=graph.tokens.flip(0), facts={})
    with pytest.raises(MismatchError, match="is not there on its prompt"):
        Wiring(model, transcoders_of(model), lost)
