"""Why a head looked there: pairs of nodes add up to the score that the model's own q and k give, in every family; in
the circuit written by hand it is the token that was sought and the head that moved it."""

from dataclasses import replace
from functools import cache
from math import isnan

import pytest
import torch
from torch import Tensor

from monosema.circuits import Look, TraceConfig, Wiring, trace
from monosema.circuits.attribution.looking import look
from monosema.circuits.heads.by_hand import SHARPNESS, induction_by_hand
from monosema.circuits.heads.scores import hold_scores
from monosema.core.errors import DataError, MismatchError, SiteError
from monosema.models import Model, wrap
from tests.circuits.linear_models import model_of, silent, tokens_of, transcoders_of
from tests.circuits.test_identities import KINDS, case_of, close

EVERY = 10**6
PLACES = ((0, 0, 5, 3), (1, 1, 7, 7), (2, 2, 6, 4), (2, 0, 0, 0))
"""(layer, head, query, key)."""


def scores_of(model: Model, layer: int, head: int, query: int) -> Tensor:
    """Of all keys, from the model's own q and k."""
    seen = model.run(tokens_of()[None], [f"attn_q.{layer}", f"attn_k.{layer}"])
    q, k = seen[f"attn_q.{layer}"][0, query, head], seen[f"attn_k.{layer}"][0]
    scale = hold_scores(model, tokens_of(), layer, head).scale
    return scale * k[:, head // (model.n_heads // model.n_kv_heads)] @ q


@pytest.mark.parametrize("name", KINDS)
def test_pairs_add_up_to_the_score_exactly(name: str):
    case = case_of(name, KINDS[name])
    for layer, head, query, key in PLACES:
        scores = scores_of(case.model, layer, head, query)
        pattern = case.scene.local.layers[layer].attention.pattern[head, query]
        held = hold_scores(case.model, tokens_of(), layer, head)
        found = look(case.scene, held, layer, head, (query, key), EVERY)
        truth = scores[key]
        assert found.score == pytest.approx(float(truth), abs=1e-12)
        assert all(close(x.sum(), truth) for x in (found.by_query, found.by_key, found.parts))
        assert len(found.pairs) == len(found.nodes) ** 2
        others = (pattern > 0) & (torch.arange(len(pattern)) != key)
        if bool(others.any()):
            assert found.others == pytest.approx(float(scores[others].mean()), abs=1e-12)
            assert close(found.elsewhere.sum(), scores[others].mean())
        else:
            assert isnan(found.others) and bool(found.elsewhere.isnan().all())
        if name != "gemma2":  # it caps its scores before the softmax
            softmax = scores.masked_fill(pattern == 0, -torch.inf).softmax(0)
            assert (softmax - pattern).abs().max() < 1e-6  # transformers' softmax is in float32
        assert found.attention == float(pattern[key])


def test_the_first_pairs_are_those_that_set_the_key_apart():
    case = case_of("gpt2", "l1")
    held = hold_scores(case.model, tokens_of(), 2, 1)
    whole, few = (look(case.scene, held, 2, 1, (6, 2), n) for n in (EVERY, 12))
    apart = (whole.parts - whole.elsewhere).abs()
    assert torch.equal(apart.topk(12).indices, torch.arange(12))
    assert torch.equal(few.pairs, whole.pairs[:12])
    assert close(few.parts, whole.parts[:12])
    small = replace(case.scene, workspace=1)  # one row at a time
    assert torch.equal(look(small, held, 2, 1, (6, 2), 12).pairs, few.pairs)
    assert close(look(small, held, 2, 1, (6, 2), 12).parts, few.parts)


def test_a_pair_is_what_the_two_nodes_write_met_by_the_heads_matrices():
    # Layer 0 reads tokens and positions at the two places alone: q and k of each, by hand.
    model = model_of("small no norm")
    case = case_of("small no norm", "l1")
    from monosema.circuits.heads.weights import head_weights

    weights, found = (
        head_weights(model, 0),
        look(case.scene, hold_scores(model, tokens_of(), 0, 1), 0, 1, (5, 2), EVERY),
    )
    local, n = case.scene.local, case.scene.numbers
    parts = {tuple(pair): value for pair, value in zip(found.pairs.tolist(), found.parts.tolist(), strict=True)}
    rows = {n.tokens: local.seen["embed"], n.positions: local.positions}
    for ask, asks in rows.items():
        for answer, answers in rows.items():
            expected = weights.scale * (asks[5] @ weights.W_Q[1]) @ (answers[2] @ weights.W_K[1])
            assert parts[ask + 5, answer + 2] == pytest.approx(float(expected), rel=1e-12)
    elsewhere = [value for (a, b), value in parts.items() if {a, b}.isdisjoint({n.tokens + 5, n.positions + 5, n.bias})]
    assert not any(elsewhere)


PROMPT = torch.tensor([3, 5, 8, 2, 3])
"""3 5 8 2 3 -> 5: head 0.0 moves 3 from position 0 to 1, head 1.0 looks from 4 at 1."""


@cache
def by_hand() -> Wiring:
    model = wrap(induction_by_hand(12, 24, 3, noise=0.0).double(), "by hand")
    config = TraceConfig(targets=(5,), control=False, edge_floor=0.0)
    return Wiring(model, silent(model), trace(model, silent(model), PROMPT, config), config)


def named(wiring: Wiring, found: Look) -> list[tuple[str, str]]:
    return [(wiring.names(pair)[0], wiring.names(pair)[1]) for pair in found.pairs]


def test_the_answers_edge_goes_through_the_head_that_matches_and_no_other():
    wiring = by_hand()
    names, edges = wiring.graph.nodes.ids(), wiring.into("L_5_4")
    found = wiring.crossings(edges)
    sources = [names[i] for i in wiring.graph.edges.source[edges].tolist()]
    answer = sources.index("E_5_1")
    assert float(found.weight[answer]) == pytest.approx(10 * (1 - 1 / 12), rel=1e-6)
    assert float(found.through[answer, 1, 0]) == pytest.approx(float(found.weight[answer]), rel=1e-9)
    assert float(found.straight[answer]) == 0
    # Looking at all five positions alike it would have passed a fifth.
    assert float(found.even[answer, 1, 0]) == pytest.approx(float(found.weight[answer]) / 5, rel=1e-6)
    others = found.through[answer].clone()
    others[1, 0] = 0
    assert float(others.abs().max()) < 1e-9
    where = wiring.positions(int(edges[answer]), 1, 0)
    assert float(where[4, 1]) == pytest.approx(float(found.weight[answer]), rel=1e-9)


def test_the_head_that_matches_looked_for_its_token_where_the_first_head_moved_it():
    wiring = by_hand()
    found = wiring.look(1, 0, 4, 1, n=4)
    # Its query is the token 3 at position 4, its key the token 3 of position 0, which head 0.0 moved to position 1.
    assert named(wiring, found)[0] == ("E_3_4", "E_3_0")
    assert float(found.parts[0]) == pytest.approx(SHARPNESS, rel=1e-6)
    assert abs(float(found.elsewhere[0])) < SHARPNESS / 3
    assert found.score == pytest.approx(SHARPNESS, rel=1e-6)
    assert found.attention == pytest.approx(1, abs=1e-6)
    assert float((found.parts - found.elsewhere)[1:].abs().max()) < SHARPNESS / 4
    moved = wiring.look(0, 0, 1, 0, n=3)
    assert named(wiring, moved)[0] == ("P_-1_1", "P_-1_0")
    assert float(moved.parts[0]) == pytest.approx(SHARPNESS, rel=1e-6)
    # A position it did not look at has no such pair.
    assert wiring.look(1, 0, 4, 2, n=1).score < SHARPNESS / 10


def test_what_cannot_be_looked_at_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch):
    wiring = by_hand()
    with pytest.raises(DataError, match=r"there is no query 4 or no key 5: the prompt has 0 to 4"):
        wiring.look(1, 0, 4, 5)
    with pytest.raises(DataError, match=r"head 1\.0 does not look from 2 at 3 at all"):
        wiring.look(1, 0, 2, 3)
    with pytest.raises(SiteError, match=r"there is no head 1\.7"):
        wiring.look(1, 7, 4, 1)
    # Rotation left out: q is not what the model computes.
    from monosema.circuits.heads import weights

    monkeypatch.setattr(weights, "UNROTATED", frozenset({"llama"}))
    with pytest.raises(MismatchError, match="a head's q, made of its matrix, norms and rotation, is not what"):
        hold_scores(model_of("llama"), tokens_of(), 1, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_less_precision_pairs_add_up_to_rounding(dtype: torch.dtype):
    model = model_of("qwen3", dtype)
    graph = trace(model, transcoders_of(model), tokens_of(), TraceConfig(control=False))
    found = Wiring(model, transcoders_of(model), graph).look(1, 1, 6, 3, n=EVERY)
    truth = float(scores_of(model, 1, 1, 6)[3])
    assert found.score == pytest.approx(truth, abs=2e-5 if dtype is torch.float32 else 0.06)
    assert float(found.parts.sum()) == pytest.approx(found.score, abs=1e-3)
