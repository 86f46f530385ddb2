"""Features changed: exactly what the edges say in the linear model, and what the model itself makes of it."""

from functools import cache
from typing import Literal

import pytest
import torch

from monosema.circuits import Bench, Change, Graph, TraceConfig, check, intervene, total_effects, trace
from monosema.circuits.attribution.graph import FEATURE, LOGIT
from monosema.core.errors import ConfigError, DataError
from monosema.models import Edit
from tests.circuits.linear_models import masked, model_of, tokens_of, transcoders_of

KINDS = {"gpt2": "cross", "gpt_neox": "l1", "gemma2": "skip"}
EXACT = 1e-12


@cache
def bench_of(name: str) -> Bench:
    model = model_of(name)
    return Bench(model, transcoders_of(model, KINDS[name]), tokens_of())


@cache
def graph_of(name: str) -> Graph:
    model = model_of(name)
    return trace(model, transcoders_of(model, KINDS[name]), tokens_of(), TraceConfig(edge_floor=0.0, control=False))


@pytest.fixture(params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def some_features(graph: Graph) -> list[int]:
    return graph.nodes.of("feature")[::17].tolist()


def change_of(graph: Graph, node: int, how: Literal["set", "scale", "clamp", "ablate"], amount: float = 0.0) -> Change:
    nodes = graph.nodes
    return Change(int(nodes.layer[node]), int(nodes.index[node]), int(nodes.token[node]), how, amount)


def test_i3_doubling_a_feature_changes_what_its_edges_say(name):
    graph, bench = graph_of(name), bench_of(name)
    A = torch.zeros(len(graph.nodes), len(graph.nodes), dtype=torch.float64)
    A[graph.edges.target, graph.edges.source] = graph.edges.weight
    logits = graph.nodes.kind == LOGIT
    for node in some_features(graph):
        effect = bench.change([change_of(graph, node, "scale", 2.0)], "linear")
        assert torch.allclose(effect.pre, A[graph.nodes.kind == FEATURE, node], rtol=0, atol=EXACT)
        assert torch.allclose(effect.logits[graph.nodes.index[logits]], A[logits, node], rtol=0, atol=EXACT)
    assert len(some_features(graph)) > 3


def test_set_scale_clamp_and_ablate_are_the_same_change_where_they_should_be(name):
    graph, bench = graph_of(name), bench_of(name)
    node = some_features(graph)[1]
    a = float(graph.nodes.value[node])
    for how in ("linear", "patterns", "free"):
        half = [
            bench.change([change_of(graph, node, *change)], how).logits_after
            for change in (("set", a / 2), ("scale", 0.5), ("clamp", a / 2))
        ]
        assert torch.allclose(half[0], half[1], rtol=0, atol=EXACT)
        assert torch.allclose(half[0], half[2], rtol=0, atol=EXACT)
        gone, none = (bench.change([change_of(graph, node, *c)], how).logits for c in (("ablate",), ("clamp", 2 * a)))
        assert none.abs().max() < EXACT
        assert gone.abs().max() > 1e-6


def test_changes_add_up_in_the_linear_model_and_not_in_the_other_two(name):
    graph, bench = graph_of(name), bench_of(name)
    first, second = (change_of(graph, node, "scale", 5.0) for node in some_features(graph)[:2])
    for how in ("linear", "patterns", "free"):
        one, two, both = (bench.change(changes, how).logits for changes in ([first], [second], [first, second]))
        miss = (one + two - both).abs().max()
        assert (miss < EXACT) == (how == "linear")


def test_a_silent_feature_can_be_set_and_writes_its_decoder_row(name):
    bench = bench_of(name)
    active = bench.scene.replaced.active
    fires = set(zip(active.layer.tolist(), active.index.tolist(), active.token.tolist(), strict=True))
    silent = next((0, index, 7) for index in range(30) if (0, index, 7) not in fires)
    effect = bench.change([Change(*silent, "set", 2.0)], "linear")
    place = bench.places[0]
    delta = torch.zeros(8, 24, dtype=torch.float64)
    delta[7] = 2.0 * place.dictionary.W_dec[silent[1], :24]
    deltas = {0: delta}
    for at in place.writes[1:]:
        deltas[at] = torch.zeros_like(delta)
        deltas[at][7] = 2.0 * place.dictionary.W_dec[silent[1], 24 * at : 24 * (at + 1)]
    assert torch.allclose(effect.logits, bench.add(deltas, "linear").logits, rtol=0, atol=EXACT)
    assert effect.logits.abs().max() > 1e-3
    assert bench.change([Change(*silent, "ablate")], "free").logits.abs().max() < EXACT


def test_free_is_the_model_itself_and_patterns_are_held_where_asked(name):
    bench, graph = bench_of(name), graph_of(name)
    change = change_of(graph, some_features(graph)[0], "scale", 30.0)
    from monosema.circuits.interventions.changes import added
    from monosema.models import Edit

    deltas = added(bench.scene.local, bench.scene.replaced.active, bench.places, [change])
    edits = [Edit(f"mlp_out.{layer}", lambda y, d=delta: y + d) for layer, delta in deltas.items()]
    seen = bench.model.run(bench.tokens[None], ["ln_final", "attn_pattern.2"], edits)
    logits = bench.model.module.get_submodule(bench.model.family.unembed)(seen["ln_final"][0, -1])
    free, held = (bench.change([change], how) for how in ("free", "patterns"))
    assert torch.allclose(free.logits_after, logits - logits.mean(), rtol=0, atol=EXACT)
    assert not torch.allclose(free.logits_after, held.logits_after, rtol=0, atol=1e-6)
    clean = bench.change([], "patterns")
    assert clean.logits.abs().max() < EXACT
    assert clean.pre.abs().max() < EXACT


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_edits_of_patterns_are_made_in_every_pass(name):
    model = model_of(name)
    transcoders, tokens = transcoders_of(model), tokens_of()
    edited, plain = Bench(model, transcoders, tokens, edits=masked()), Bench(model, transcoders, tokens)
    graph = trace(model, transcoders, tokens, TraceConfig(edge_floor=0.0, control=False), edits=masked())
    node = some_features(graph)[0]
    draws = torch.Generator().manual_seed(2)
    change, deltas = (
        change_of(graph, node, "scale", 20.0),
        {0: torch.randn(8, 24, generator=draws, dtype=torch.float64)},
    )
    for how in ("linear", "patterns", "free"):
        nothing = edited.change([], how)
        assert nothing.logits.abs().max() < EXACT and nothing.pre.abs().max() < EXACT
        assert edited.change([change], how).logits.abs().max() > 1e-6
    own = [Edit(f"mlp_out.{layer}", lambda y, d=delta: y + d) for layer, delta in deltas.items()]
    logits = model.unembed(model.run(tokens[None], ["resid_post.2"], [*masked(), *own])["resid_post.2"])[0, -1]
    free = edited.add(deltas, "free").logits_after
    assert torch.allclose(free, logits - logits.mean(), rtol=0, atol=EXACT)
    held = edited.add(deltas, "patterns").logits_after
    assert not torch.allclose(free, held, rtol=0, atol=1e-6)
    assert not torch.allclose(free, plain.add(deltas, "free").logits_after, rtol=0, atol=1e-6)
    assert torch.equal(check(edited, graph, 4).nodes, check(edited, graph, 4, "linear").nodes)
    with pytest.raises(DataError, match=r"made with edits at attn_pattern\.0,.*, the bench with edits at no site"):
        check(plain, graph)
    once = intervene(model, transcoders, tokens, [change], edits=masked())
    assert torch.equal(once.logits_after, edited.change([change]).logits_after)


def test_total_effects_are_all_paths_of_the_frozen_model():
    # Every feature that fires answers in proportion: solved as one linear system.
    graph = graph_of("gpt2")
    n, value = len(graph.nodes), graph.nodes.value
    A = torch.zeros(n, n, dtype=torch.float64)
    A[graph.edges.target, graph.edges.source] = graph.edges.weight
    logit = int(graph.nodes.of("logit")[0])
    step = A / torch.where(graph.nodes.kind == FEATURE, value, 1.0)[:, None]  # relative changes pass on
    inside = step * (graph.nodes.kind == FEATURE)[:, None]
    expected = A[logit] @ torch.linalg.inv(torch.eye(n, dtype=torch.float64) - inside)
    assert torch.allclose(total_effects(graph, logit), expected, rtol=0, atol=1e-10)
    with pytest.raises(DataError, match="is no logit"):
        total_effects(graph, 0)


def test_small_changes_are_predicted_where_the_transcoder_is_the_mlp_and_norms_are_gone():
    # No norms, patterns held, each MLP's ReLU units as features: the model is linear around the prompt.
    from tests.circuits.test_identities import exact_transcoders

    model = model_of("small no norm")
    transcoders, tokens = exact_transcoders(model), tokens_of()
    graph = trace(model, transcoders, tokens, TraceConfig(edge_floor=0.0, control=False, targets=(3,)))
    bench, logit = Bench(model, transcoders, tokens), int(graph.nodes.of("logit")[0])
    predicted = total_effects(graph, logit)
    for node in graph.nodes.of("feature")[::60].tolist():
        effect = bench.change([change_of(graph, node, "scale", 1 + 1e-6)], "patterns")
        assert float(effect.logits[3]) == pytest.approx(1e-6 * float(predicted[node]), rel=1e-4, abs=1e-12)


def test_a_true_graph_predicts_and_its_controls_do_not():
    from tests.circuits.test_identities import exact_transcoders

    model = model_of("small no norm")
    transcoders, tokens = exact_transcoders(model), tokens_of()
    graph = trace(model, transcoders, tokens, TraceConfig(control=False)).prune(0.9)
    found = check(Bench(model, transcoders, tokens), graph, n=24, how="patterns")
    agreement, effect = found.findings
    assert agreement.value > 0.9
    assert agreement.control is not None
    assert abs(agreement.control) < 0.6
    assert effect.control is not None
    assert effect.value > effect.control
    assert len(found.nodes) == 24
    linear = check(Bench(model, transcoders, tokens), graph, n=24, how="linear")
    assert torch.allclose(linear.direct, linear.measured, rtol=0, atol=EXACT)
    assert linear.findings[0].value == pytest.approx(1)
    again = check(Bench(model, transcoders, tokens), graph, n=24, how="patterns")
    assert torch.equal(again.direction, found.direction)


def test_what_cannot_be_changed_is_said(name):
    bench = bench_of(name)
    for change, says in [
        (Change(9, 0, 0), "there is no layer 9"),
        (Change(0, 4000, 0), "there is no feature 4000 in layer 0"),
        (Change(0, 0, 99), "there is no token 99: the prompt has 8"),
    ]:
        with pytest.raises(DataError, match=says):
            bench.change([change])
    with pytest.raises(DataError, match="changed twice"):
        bench.change([Change(0, 0, 0), Change(0, 0, 0, "set", 1.0)])
    with pytest.raises(ConfigError, match="clamped to"):
        Change(0, 0, 0, "clamp", -1.0)
    with pytest.raises(DataError, match="another prompt"):
        model = model_of(name)
        other = Bench(model, transcoders_of(model, KINDS[name]), tokens_of(5))
        check(other, graph_of(name))


def test_one_call_does_what_a_bench_does():
    model = model_of("gpt2")
    transcoders = transcoders_of(model, "cross")
    change = change_of(graph_of("gpt2"), some_features(graph_of("gpt2"))[0], "ablate")
    once = intervene(model, transcoders, tokens_of(), [change])
    assert torch.equal(once.logits_after, bench_of("gpt2").change([change]).logits_after)
