"""The graph of a model trained to repeat names the circuit that weights and patching name; a redrawn model's does not.

r_0 .. r_8 r_9 .. r_17 r_0 .. r_8 -> r_9        the answer stands at 9, the token before it at 8
"""

import torch

from monosema.circuits import TraceConfig, Wiring, trace
from monosema.circuits.heads.patterns import repeated_tokens
from monosema.models import Model, randomised
from tests.circuits.linear_models import silent
from tests.circuits.test_heads_trained import N, trained

ANSWER, LAST = 9, N + 8
PROMPTS = 6


def explained(model: Model, row: torch.Tensor) -> Wiring:
    config = TraceConfig(targets=(int(row[ANSWER]),), control=False, edge_floor=0.0)
    return Wiring(model, silent(model), trace(model, silent(model), row[: LAST + 1], config), config)


def strongest(wiring: Wiring, row: torch.Tensor) -> tuple[str, int]:
    """The strongest edge into the answer's logit: the name of its source, and its number."""
    edges = wiring.into(f"L_{int(row[ANSWER])}_{LAST}")
    edge = int(edges[wiring.graph.edges.weight[edges].abs().argmax()])
    return wiring.graph.nodes.ids()[int(wiring.graph.edges.source[edge])], edge


def test_the_answer_comes_from_where_it_first_stood_through_the_second_layers_heads():
    for row in repeated_tokens(trained(), N, PROMPTS):
        wiring = explained(trained(), row)
        source, edge = strongest(wiring, row)
        assert source == f"E_{int(row[ANSWER])}_{ANSWER}"
        found = wiring.crossings(torch.tensor([edge]))
        shares = found.through[0, 1] / found.weight[0]
        assert float(shares.sum()) > 0.95
        assert float(found.even[0, 1].abs().max() / found.weight[0]) < 0.15


def matched(wiring: Wiring, row: torch.Tensor, head: int) -> tuple[bool, float]:
    """Of a head of the second layer, from the last token at where the answer first stood: whether the last token and
    the same token before the answer most set that key apart, and by how much they do."""
    last, found = int(row[LAST]), wiring.look(1, head, LAST, ANSWER, n=10_000)
    pairs = [wiring.names(pair) for pair in found.pairs]
    at = pairs.index([f"E_{last}_{LAST}", f"E_{last}_{ANSWER - 1}"])
    return at == 0, float(found.parts[at] - found.elsewhere[at])


def test_those_heads_looked_for_the_last_token_where_the_first_layer_had_moved_it():
    for row in repeated_tokens(trained(), N, PROMPTS):
        wiring = explained(trained(), row)
        for head in range(trained().n_heads):
            first, adds = matched(wiring, row, head)
            assert first
            assert adds > 3


def test_a_redrawn_model_shows_nothing_of_it():
    model = randomised(trained())
    for row in repeated_tokens(trained(), N, PROMPTS):
        wiring = explained(model, row)
        assert strongest(wiring, row)[0] != f"E_{int(row[ANSWER])}_{ANSWER}"
        assert all(abs(matched(wiring, row, head)[1]) < 1 for head in range(model.n_heads))
