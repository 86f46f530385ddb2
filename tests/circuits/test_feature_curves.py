"""Faithfulness and completeness: 1 and 0 at the ends, bit for bit; controls of the same size."""

import os
from pathlib import Path

import pytest
import torch

from monosema.circuits.features.circuits import find_circuit
from monosema.circuits.features.controls import random_nodes, unlearned
from monosema.circuits.features.curves import all_curves, split, subject
from monosema.circuits.features.keeping import Kept, MeanAblation, keeping
from monosema.circuits.features.nodes import FeatureNode, all_nodes, no_nodes, set_of
from monosema.circuits.features.parts import Part, coordinates
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.states import means_of
from monosema.circuits.patch.activation import at_the_end
from monosema.circuits.patch.metrics import measure
from monosema.circuits.patch.pairs import Pairs, read_pairs
from monosema.core.errors import ConfigError, DataError
from monosema.corpus import Tokenizer
from monosema.models import Edit, load
from monosema.pipeline.demo import EMBEDDED_LM
from tests.circuits.test_feature_effects import FEATURES, N, autoencoders, cached, close, pairs_of, transcoder_parts


@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "gpt_neox"])
def test_everything_is_the_model_and_nothing_its_means(name: str, positions: bool):
    model = cached(name)
    pairs = pairs_of(model, 4)
    config, places = CircuitConfig(positions=positions), N if positions else 1
    sets = (autoencoders(model, "attn_out.0", "resid_post.1", architecture="topk"), transcoder_parts(model))
    for parts in (*sets, coordinates(sets[0])):
        means = means_of(model, parts, torch.cat([pairs.clean, pairs.corrupted]), positions)
        ground = MeanAblation.of(model, pairs, parts, means, config)
        everything, nothing = all_nodes(parts, places), no_nodes(parts, places)
        assert torch.equal(
            keeping(model, pairs, parts, everything, means, config), at_the_end(model, pairs.clean, pairs, "logit_diff")
        )
        assert ground.faithfulness(everything).share == ground.completeness(nothing).share == 1.0
        assert ground.faithfulness(nothing).share == ground.completeness(everything).share == 0.0
        # Nothing kept: every site at its mean, computed here from the definition.
        ends = model.run(torch.cat([pairs.clean, pairs.corrupted]), [part.writes for part in parts])
        flat = {site: x.mean(0) if positions else x.mean((0, 1)).expand(N, -1) for site, x in ends.items()}
        edits = [Edit(site, lambda x, mean=mean: mean.expand_as(x).clone()) for site, mean in flat.items()]
        logits = model.run(pairs.clean, ["logits"], edits)["logits"][:, -1]
        assert close(ground.nothing, measure("logit_diff", logits, pairs))


def test_a_circuit_keeps_what_the_changed_model_makes_of_its_features():
    # By hand: only feature 3 of the later site at position 2 is kept, and what it is there depends on the earlier one.
    model = cached("gpt2")
    pairs, parts = pairs_of(model), autoencoders(model, "resid_post.0", "resid_post.1")
    means = means_of(model, parts, torch.cat([pairs.clean, pairs.corrupted]))
    kept = set_of(parts, N, [FeatureNode(1, "resid_post.1", 3, 2)])
    dictionary = parts[1].dictionary
    assert dictionary is not None
    flat = model.run(torch.cat([pairs.clean, pairs.corrupted]), ["resid_post.0", "resid_post.1"])

    def first(x: torch.Tensor) -> torch.Tensor:
        return flat["resid_post.0"].mean(0).expand_as(x).clone()

    def second(x: torch.Tensor) -> torch.Tensor:
        mean = dictionary.encode(flat["resid_post.1"].flatten(0, 1)).dense()[:, 3].view(-1, N).mean(0)[2]
        y = flat["resid_post.1"].mean(0).expand_as(x).clone()
        y[:, 2] += (dictionary.encode(x[:, 2]).dense()[:, 3] - mean)[:, None] * dictionary.W_dec[3]
        return y

    logits = model.run(pairs.clean, ["logits"], [Edit("resid_post.0", first), Edit("resid_post.1", second)])["logits"]
    expected = measure("logit_diff", logits[:, -1], pairs)
    assert close(keeping(model, pairs, parts, kept, means, CircuitConfig()), expected)


def test_curves_end_where_they_must_and_have_their_controls():
    model = cached("gpt2")
    pairs, parts = pairs_of(model, 8), autoencoders(model, "resid_post.0", "resid_post.1", architecture="topk")
    sides = split(pairs, 0.5)
    config = CircuitConfig(sizes=(1, 4, 100_000), random=2, steps=2)
    features, curves = all_curves(model, sides, parts, config)
    by = {(curve.name, curve.errors): curve for curve in curves}
    assert set(by) == {
        *((name, errors) for name in ("features", "random nodes", "unlearned") for errors in (False, True)),
        ("neurons", False),
    }
    for (name, errors), curve in by.items():
        assert curve.sizes == (1, 4, curve.n_active)
        whole = errors or name == "neurons"
        assert (curve.all_of.share == 1.0) == whole
        assert all(len(one.values) == len(sides[1]) for one in (*curve.kept, *curve.left))
    # Nodes that are not active are at their mean already on the pairs they were found on, not on others.
    assert by["features", True].n_active == len(features.effects.active) <= 2 * N * (FEATURES + 1)
    first = features.curve((4,), True).kept[0]
    assert torch.equal(first.values, features.ablation.faithfulness(features.effects.top(4)).values)
    assert curves[0].at(4) == 1 and curves[0].at(50) == 1 and curves[0].at(1) == 0


def test_random_nodes_are_as_many_and_active():
    model = cached("gpt2")
    pairs, parts = pairs_of(model), autoencoders(model, "resid_post.0", "mlp_out.2", architecture="topk")
    effects = subject("features", model, (pairs, pairs), parts, CircuitConfig(steps=1)).effects
    drawn = random_nodes(effects, 6, 5)
    assert [len(one) for one in drawn] == [6] * 5
    for one in drawn:
        assert all(not (mask & ~active).any() for mask, active in zip(one.masks, effects.active.masks, strict=True))
    assert len({tuple(effects.listed(one)) for one in drawn}) == 5
    assert not any(mask[:, -1].any() for one in random_nodes(effects, 6, 5, errors=False) for mask in one.masks)


def test_a_dictionary_in_which_nothing_is_learned_fires_as_often():
    model = cached("gpt2")
    pairs = pairs_of(model, 6)
    parts = autoencoders(model, "resid_post.0", architecture="topk")
    [part] = unlearned(model, parts, pairs.clean)
    assert part.dictionary is not None and parts[0].dictionary is not None
    x = model.run(pairs.clean, ["resid_post.0"])["resid_post.0"].flatten(0, 1).float()
    counts = [one.encode(rows).counts() for one, rows in ((part.dictionary, x), (parts[0].dictionary, x.double()))]
    assert int((counts[0] - counts[1]).abs().max()) <= 1 < int(counts[1].max())
    assert not close(part.dictionary.W_dec.double(), parts[0].dictionary.W_dec, 0.1)
    [_, second, _] = unlearned(model, transcoder_parts(model), pairs.clean)
    own = transcoder_parts(model)[1].dictionary
    assert second.dictionary is not None and own is not None
    assert torch.equal(second.dictionary.W_enc, own.W_enc)
    assert close(second.dictionary.W_dec.sum(0), own.W_dec.sum(0)) and not torch.equal(
        second.dictionary.W_dec, own.W_dec
    )


def test_a_circuit_is_its_nodes_with_their_edges():
    model = cached("gpt2")
    pairs, parts = pairs_of(model), autoencoders(model, "resid_post.0", "resid_post.1")
    found = find_circuit(model, pairs, parts, CircuitConfig(top=6))
    assert len(found.nodes) == len(found.chosen) == 6 and found.edges.shape == (7, 6)
    sizes = [abs(found.effects.of(node)) for node in found.nodes]
    assert len(find_circuit(model, pairs, parts, CircuitConfig(), threshold=sizes[2]).nodes) == 2
    source, target, weight = found.strongest(1)[0]
    row = 6 if target is None else found.nodes.index(target)
    assert (
        float(found.edges[row, found.nodes.index(source)])
        == weight
        == pytest.approx(float(found.edges.abs().max()) * (1 if weight > 0 else -1))
    )


def test_two_circuits_are_compared_pair_by_pair():
    # F of the first is .75, of the second .5; pair by pair the difference is 1 in 4 throughout, so no interval is left.
    one, other = torch.tensor([3.0, 6.0]).double(), torch.tensor([2.0, 4.0]).double()
    model, nothing = torch.tensor([4.0, 8.0]).double(), torch.zeros(2).double()
    first, second = Kept(one, model, nothing), Kept(other, model, nothing)
    assert (first.share, second.share) == (0.75, 0.5)
    assert first.ahead_of(second) == (0.25, 0.25, 0.25) and second.ahead_of(first)[0] == -0.25
    assert first.interval() == (0.75, 0.75)


def test_pairs_are_split_and_too_few_are_refused():
    model = cached("gpt2")
    pairs = pairs_of(model, 8)
    found, held_out = split(pairs, 0.25)
    assert (len(found), len(held_out)) == (6, 2)
    together = torch.cat([found.clean, held_out.clean])
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, pairs.clean.tolist()))
    with pytest.raises(ConfigError, match="1 pairs of 1 prompts cannot be split"):
        split(pairs_of(model, 1), 0.5)


def test_no_prompt_is_on_both_sides():
    pairs = pairs_of(cached("gpt2"), 6)
    rows = torch.tensor([0, 1, 2, 0, 1, 3, 0, 4, 5, 0])
    many = Pairs(pairs.clean[rows], pairs.corrupted[rows], pairs.answers[rows], pairs.wrongs[rows])
    for seed in range(5):
        found, held_out = split(many, 0.5, seed)
        prompts = [{tuple(row) for row in side.clean.tolist()} for side in (found, held_out)]
        assert not prompts[0] & prompts[1] and len(prompts[0] | prompts[1]) == 6
        assert len(found) + len(held_out) == 10 and 3 <= len(held_out) <= 5
    with pytest.raises(ConfigError, match="2 pairs of 1 prompts cannot be split"):
        split(Pairs(many.clean[[0, 3]], many.corrupted[[0, 3]], many.answers[[0, 3]], many.wrongs[[0, 3]]), 0.5)


def test_sites_that_carry_nothing_of_the_answer_are_said_to():
    # What attention adds at the last layer before the last position reaches no later token.
    model = cached("gpt2")
    pairs, parts = pairs_of(model), autoencoders(model, "mlp_in.2")
    means = means_of(model, parts, torch.cat([pairs.clean, pairs.corrupted]))
    ground = MeanAblation.of(model, pairs, parts, means, CircuitConfig())
    same = MeanAblation(model, pairs, parts, means, CircuitConfig(), ground.nothing, ground.nothing)
    with pytest.raises(DataError, match="carry none of the answer"):
        _ = same.faithfulness(no_nodes(parts, N)).share


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sizes": ()}, "sizes is empty"),
        ({"sizes": (5, 2)}, "sizes must rise"),
        ({"sizes": (0, 2)}, "sizes is 0"),
        ({"steps": 0}, "steps is 0: it must be at least 1"),
        ({"held_out": 1.0}, "held_out is 1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict, says: str):
    with pytest.raises(ConfigError, match=says):
        CircuitConfig(**settings)


DATA = Path(os.environ.get("MONOSEMA_SUBJECT_VERB", "subject-verb"))


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA / "simple_train.jsonl").exists(), reason="MONOSEMA_SUBJECT_VERB names no folder with the data"
)
def test_real_pairs_are_split_by_prompt_and_their_answer_is_where_the_stream_is():
    model, tokenizer = load(EMBEDDED_LM), Tokenizer.load(EMBEDDED_LM)
    pairs, left = read_pairs(DATA / "simple_train.jsonl", tokenizer, model.n_context, skip=True)
    assert left > 0 and len(pairs) > 20
    sides = split(pairs, 0.5)
    parts = (Part("resid_post.2", "resid_post.2", model.d_model),)
    found = subject("neurons", model, sides, parts, CircuitConfig(steps=5))
    # All that tells the two prompts apart is at tokens that differ, and all of the answer passes the stream.
    truth = float(found.effects.clean.mean() - found.effects.corrupted.mean())
    assert found.effects.total(0) == pytest.approx(truth, abs=0.02 * abs(truth))
    differ = (sides[0].clean != sides[0].corrupted).any(0).nonzero()[:, 0]
    assert not any(mask[: int(differ[0])].any() for mask in found.effects.active.masks)
    curve, random = found.curve((40,), False), found.random_curve((40,), False, 5, 0)
    assert curve.kept[0].share > random.kept[0].share + 0.2
