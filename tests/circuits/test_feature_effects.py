"""Effects of features: exact in a linear model, adding up along the way, and what is taken apart is all there."""

from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.circuits.features.edges import node_edges
from monosema.circuits.features.effects import feature_effects
from monosema.circuits.features.exact import exact_effects
from monosema.circuits.features.nodes import FeatureNode, all_nodes
from monosema.circuits.features.parts import Part, coordinates, parts_of
from monosema.circuits.features.settings import Baseline, CircuitConfig
from monosema.circuits.features.states import means_of, read_states
from monosema.circuits.patch.metrics import measure
from monosema.circuits.patch.pairs import Pairs
from monosema.core.errors import DataError, MismatchError
from monosema.models import Edit, Model, wrap
from monosema.models.small_transformer import SmallConfig, small_transformer
from tests.circuits.linear_models import D, dictionary, model_of, sited, transcoders_of

N, FEATURES = 5, 12
cached = cache(model_of)
BASELINES: tuple[Baseline, ...] = ("corrupted", "zero", "mean")


def pairs_of(model: Model, n: int = 3) -> Pairs:
    draws = torch.Generator().manual_seed(2)
    d_vocab = model.module.get_submodule(model.family.embed).get_parameter("weight").shape[0]
    clean, corrupted = (torch.randint(3, d_vocab, (n, N), generator=draws) for _ in range(2))
    d_out = model.run(clean[:1], ["logits"])["logits"].shape[-1]
    return Pairs(clean, corrupted, torch.arange(n) % d_out, (torch.arange(n) + 1) % d_out)


def linear() -> Model:
    """No norms, no MLPs, every head looks at all tokens alike: logits are linear in every activation."""
    module = small_transformer(SmallConfig(20, 20, 8, 3, D, 3, 8, 0, norm="none")).double()
    for name, parameter in module.named_parameters():
        if ".query." in name:
            parameter.data.zero_()
    return wrap(module.requires_grad_(False).eval(), "linear")


def autoencoders(model: Model, *sites: str, architecture: str = "l1") -> tuple[Part, ...]:
    draws = torch.Generator().manual_seed(5)
    made = []
    for site in sites:
        W = [torch.randn(FEATURES, D, generator=draws, dtype=torch.float64) * D**-0.5 for _ in range(2)]
        made.append(sited(dictionary(W[0], W[1], model, architecture, draws), [site], [site]))
    return parts_of(model, made)


def transcoder_parts(model: Model) -> tuple[Part, ...]:
    return parts_of(model, [one for one in transcoders_of(model, n=FEATURES) if not isinstance(one, tuple)])  # type: ignore[misc]


def close(a: Tensor, b: Tensor, within: float = 1e-10) -> bool:
    return bool((a - b).abs().max() <= within * max(1.0, float(b.abs().max())))


def every(effects) -> tuple[FeatureNode, ...]:
    return effects.listed(effects.active)


@pytest.mark.parametrize("name", ["gpt2", "llama", "small layer"])
def test_features_bias_and_error_are_the_activation(name: str):
    model = cached(name)
    pairs = pairs_of(model)
    for parts in (
        autoencoders(model, "resid_post.1", "attn_out.2", architecture="topk"),
        transcoder_parts(model),
        coordinates(autoencoders(model, "mlp_out.0", "resid_post.2")),
    ):
        seen = model.run(pairs.clean, [part.writes for part in parts])
        for part, state in zip(parts, read_states(model, parts, pairs.clean), strict=True):
            assert close(state.activation(part), seen[part.writes], 1e-13)
            if part.dictionary is None:
                assert not state.error.any()


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("positions", [True, False])
def test_in_a_linear_model_both_estimates_are_the_effect(baseline: Baseline, positions: bool):
    model = linear()
    pairs = pairs_of(model)
    config = CircuitConfig(baseline=baseline, steps=3, positions=positions, rows=100)
    for parts in (
        autoencoders(model, "resid_post.0", "attn_out.1", "resid_post.2"),
        coordinates(autoencoders(model, "attn_out.0", "resid_post.1")),
    ):
        means = means_of(model, parts, torch.cat([pairs.clean, pairs.corrupted]), positions)
        first, second = (
            feature_effects(model, pairs, parts, config, means, method)
            for method in ("gradients", "integrated gradients")
        )
        nodes = every(first)
        assert len(nodes) > 20
        exact = exact_effects(model, pairs, parts, [(node,) for node in nodes], config, means).mean(1)
        for effects in (first, second):
            assert close(torch.tensor([effects.of(node) for node in nodes], dtype=torch.float64), exact)
        assert float(exact.abs().max()) > 1e-3
        # What is not active does nothing, exactly.
        assert all(not value[~mask].any() for value, mask in zip(first.values, first.active.masks, strict=True))


def third_derivative(model: Model, pairs: Pairs, part: Part, ends: list[Tensor]) -> float:
    """The largest, in size, of the mean metric along the way from one end to the other."""
    n = 60
    share = torch.linspace(0, 1, n + 1, dtype=torch.float64)[:, None, None, None]
    way = (ends[0] + share * (ends[1] - ends[0])).flatten(0, 1)
    logits = model.run(pairs.clean.repeat(n + 1, 1), ["logits"], [Edit(part.writes, lambda _: way.clone())])["logits"]
    m = measure("logit_diff", logits[:, -1].unflatten(0, (n + 1, -1)), pairs).mean(1)
    return float((m[3:] - 3 * m[2:-1] + 3 * m[1:-2] - m[:-3]).abs().max()) * n**3


@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "qwen3"])
def test_integrated_gradients_add_up_to_the_whole_site_within_the_bound(name: str):
    model = cached(name)
    pairs = pairs_of(model)
    whole = [*autoencoders(model, "resid_post.0", architecture="topk"), transcoder_parts(model)[1]]
    for part in whole:
        ends = [model.run(tokens, [part.writes])[part.writes] for tokens in (pairs.clean, pairs.corrupted)]
        metric = [
            measure("logit_diff", model.run(pairs.clean, ["logits"], edits)["logits"][:, -1], pairs).mean()
            for edits in ([], [Edit(part.writes, lambda _, y=ends[1]: y.clone())])
        ]
        truth, bend = float(metric[0] - metric[1]), third_derivative(model, pairs, part, ends)
        errors = []
        for steps in (1, 4, 16, 64):
            found = feature_effects(model, pairs, [part], CircuitConfig(steps=steps))
            errors.append(abs(found.total(0) - truth))
            assert errors[-1] <= 1.1 * bend / (24 * steps**2) + 1e-12
        # Four times the steps, a sixteenth of the error; one gradient is far off.
        assert errors[3] < errors[2] / 12
        once = feature_effects(model, pairs, [part], CircuitConfig(), method="gradients")
        assert abs(once.total(0) - truth) > 10 * errors[2]


def test_many_pairs_at_a_time_are_as_few():
    model = cached("gpt2")
    pairs, parts = pairs_of(model, 5), autoencoders(model, "resid_post.0", "mlp_out.2")
    many, few = (feature_effects(model, pairs, parts, CircuitConfig(rows=rows)) for rows in (100, 2))
    assert all(close(a, b) for a, b in zip(many.values, few.values, strict=True))
    nodes = every(many)[:3]
    both = [exact_effects(model, pairs, parts, [nodes, nodes[:1]], CircuitConfig(rows=rows)) for rows in (100, 2)]
    assert both[0].shape == (2, 5) and close(both[0], both[1])


def test_all_nodes_together_are_the_corrupted_prompt():
    # At both sites: what is moved at the second is what the changed model makes there, not what the clean one did.
    model = cached("llama")
    pairs, config = pairs_of(model), CircuitConfig()
    parts = (*autoencoders(model, "resid_post.0", architecture="topk"), transcoder_parts(model)[1])
    effects = feature_effects(model, pairs, parts, config, method="gradients")
    nodes = every(effects)
    first = [node for node in nodes if node.part == 0]
    found = exact_effects(model, pairs, parts, [first, nodes, ()], config)
    assert close(found[:2], (effects.clean - effects.corrupted).expand(2, -1))
    assert float(found[2].abs().max()) < 1e-12


def test_a_nodes_edges_add_up_to_its_effect_by_gradients():
    # The chain rule, in a model that bends: through every later feature and error, and straight to the metric.
    model = cached("gpt2")
    pairs = pairs_of(model, 2)
    draws = torch.Generator().manual_seed(3)
    W = [torch.randn(6, D, generator=draws, dtype=torch.float64) * D**-0.5 for _ in range(2)]
    middle = sited(dictionary(W[0], W[1], model, "gated", draws), ["mlp_in.1"], ["mlp_out.1"])
    ends = [part.dictionary for part in autoencoders(model, "resid_post.0", "attn_out.2") if part.dictionary]
    parts = parts_of(model, [middle, *ends])
    for positions in (True, False):
        config = CircuitConfig(positions=positions)
        effects = feature_effects(model, pairs, parts, config, method="gradients")
        nodes = every(effects)
        edges = node_edges(model, pairs, parts, nodes, config)
        expected = torch.tensor([effects.of(node) for node in nodes], dtype=torch.float64)
        assert close(edges.sum(0), expected)
        assert {parts[node.part].writes for node in nodes} == {"resid_post.0", "mlp_out.1", "attn_out.2"}
        # Nothing goes back.
        for t, target in enumerate(nodes):
            for s, source in enumerate(nodes):
                assert source.part < target.part or not edges[t, s]


def test_an_edge_is_what_two_patches_do_in_a_linear_model():
    # Move u, see where that puts v while all else is held; put v there in a clean run. Coordinates fire everywhere.
    model = linear()
    pairs = pairs_of(model)
    parts = coordinates(autoencoders(model, "resid_post.0", "resid_post.1"))
    u, v = FeatureNode(0, "resid_post.0", 4, 2), FeatureNode(1, "resid_post.1", 7, 4)
    ends = [model.run(tokens, ["resid_post.0"])["resid_post.0"] for tokens in (pairs.clean, pairs.corrupted)]

    def first(x: Tensor) -> Tensor:
        x[:, 2, 4] = ends[1][:, 2, 4]
        return x

    there = model.run(pairs.clean, ["resid_post.1"], [Edit("resid_post.0", first)])["resid_post.1"]

    def second(x: Tensor) -> Tensor:
        x[:, 4, 7] = there[:, 4, 7]
        return x

    clean, after = (
        measure("logit_diff", model.run(pairs.clean, ["logits"], edits)["logits"][:, -1], pairs).mean()
        for edits in ([], [Edit("resid_post.1", second)])
    )
    edges = node_edges(model, pairs, parts, [u, v], CircuitConfig())
    assert abs(float(edges[1, 0]) - float(clean - after)) < 1e-12
    assert abs(float(edges[1, 0])) > 1e-6


def test_what_does_not_fit_is_refused_in_a_sentence():
    model = cached("gpt2")
    [one] = [part.dictionary for part in autoencoders(model, "resid_post.1")]
    assert one is not None
    with pytest.raises(MismatchError, match="no dictionary was given"):
        parts_of(model, [])
    with pytest.raises(MismatchError, match=r"two dictionaries write resid_post\.1: give one"):
        parts_of(model, [one, one])
    with pytest.raises(MismatchError, match="is of several sites"):
        parts_of(model, [sited(one, ["mlp_in.0", "mlp_in.1"], ["mlp_out.0"])])
    with pytest.raises(MismatchError, match=r"is another model's: its widths are \(24, 24\)"):
        parts_of(model, [sited(one, ["mlp_act.1"], ["mlp_act.1"])])
    with pytest.raises(MismatchError, match="writes before it reads"):
        parts_of(model, [sited(one, ["mlp_in.2"], ["mlp_out.1"])])
    from dataclasses import replace

    with pytest.raises(MismatchError, match="was trained on model abc"):
        parts_of(model, [replace(one, metadata={"model_fingerprint": "abc"})])
    with pytest.raises(DataError, match="no means were given"):
        feature_effects(model, pairs_of(model), parts_of(model, [one]), CircuitConfig(baseline="mean"))


def test_nodes_are_numbered_through_and_named():
    model = cached("gpt2")
    pairs, parts = pairs_of(model), autoencoders(model, "resid_post.0", "mlp_out.2")
    found = feature_effects(model, pairs, parts, CircuitConfig())
    for node in every(found):
        assert bool(found.active.masks[node.part][node.position, -1 if node.feature is None else node.feature])
    best = found.listed(found.top(3))
    sizes = [abs(found.of(node)) for node in best]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == float(found.flat().abs().max())
    assert all(node.feature is not None for node in found.listed(found.top(5, errors=False)))
    assert len(found.over(sizes[1])) == 1
    assert (
        str(FeatureNode(0, "mlp_out.2", 7, 3)) == "mlp_out.2 feature 7 at 3"
        and str(FeatureNode(0, "mlp_out.2", None, None))[-5:] == "error"
    )
    everything = all_nodes(parts, N)
    assert len(everything) == 2 * N * (FEATURES + 1) and len(everything.complement()) == 0
