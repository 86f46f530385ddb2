"""A feature planted in a synthetic language, all the way through `build` to its table: first, with the effect that
it is known to have, and neither on the same tokens in another order.

language   token 1 with probability Q, and then always 2; otherwise one of 3 .. N - 1, all alike
model      its logits behind token i are row i of U, which knows what follows 1 and nothing else
features   one a token: without its feature a token tells the model nothing, and all N tokens are alike to it
"""

import math
from pathlib import Path

import pytest
import torch

from monosema.features import BuildConfig, build

from .toy_models import Mixing, Numbered, Texts, blocks_of, dictionary_of
from .toy_tables import rows

pytestmark = pytest.mark.slow

N, Q, CONTEXT, N_BLOCKS = 12, 0.1, 24, 240
PLANTED, FOLLOWS = 1, 2
CONFIG = BuildConfig(n_top=3, n_calibration=0, n_contexts=80, n_examples=4, n_effects=2, batch_tokens=480)


def language(random: torch.Generator) -> torch.Tensor:
    """[block, position], the first a BOS."""
    tokens = torch.randint(3, N, (N_BLOCKS, CONTEXT), generator=random)
    tokens[:, 0] = 0
    for block in tokens:
        for position in range(1, CONTEXT):
            if block[position - 1] == PLANTED:
                block[position] = FOLLOWS
            elif float(torch.rand((), generator=random)) < Q:
                block[position] = PLANTED
    return tokens


def share_of_pairs() -> float:
    """The probability that a counted token is the second of a pair: begun[t] that nothing forces the token at t."""
    begun = [0.0, 1.0]
    for _ in range(2, CONTEXT):
        begun.append((1 - Q) * begun[-1] + Q * begun[-2])
    return sum(Q * begun[t - 1] for t in range(2, CONTEXT)) / (CONTEXT - 2)


def the_model(random: torch.Generator) -> Mixing:
    U = 0.3 * torch.randn(N, N, generator=random)
    U[PLANTED, FOLLOWS] = 4.0
    return Mixing(E=torch.eye(N), U=U)


def gain(model: Mixing) -> float:
    """What the feature is worth at each pair, nats: all N alike without it."""
    return math.log(N) - float(torch.logsumexp(model.U[PLANTED], 0) - model.U[PLANTED, FOLLOWS])


@pytest.fixture(scope="module")
def model() -> Mixing:
    return the_model(torch.Generator().manual_seed(1))


def table(tokens: torch.Tensor, model: Mixing, out: Path, config: BuildConfig = CONFIG) -> Path:
    """The folder of the table, of documents of two blocks."""
    documents = (torch.arange(N_BLOCKS) // 2).unsqueeze(1).expand_as(tokens)
    dictionary = dictionary_of(torch.eye(N), torch.eye(N))
    return build({"d": dictionary}, model, Texts(blocks_of(tokens, documents), N), Numbered(), out, config)["d"]


def test_it_is_first_with_the_effect_that_it_is_known_to_have(model, tmp_path):
    folder = table(language(torch.Generator().manual_seed(0)), model, tmp_path)
    found = rows(folder / "features.parquet", "WHERE importance_total IS NOT NULL ORDER BY importance_total DESC")
    best, known = found[0], share_of_pairs() * gain(model)
    assert best["feature"] == PLANTED and len(found) == CONFIG.n_top
    assert abs(best["importance_total"] - known) < 2 * best["importance_total_se"]
    assert 10 * best["importance_total_se"] < known, "the error is small enough to tell"
    assert best["importance_total"] - 10 * best["importance_total_se"] > found[1]["importance_total"]
    effects = rows(folder / "effects.parquet", f"WHERE feature = {PLANTED}")
    assert effects
    for row, example in ((row, at(folder, row["pos"])) for row in effects):
        worth = [e for e, token in zip(row["dloss_total"], example["ids"], strict=True) if token == FOLLOWS]
        assert worth == pytest.approx([gain(model)] * len(worth), abs=1e-5)


def at(folder: Path, pos: int) -> dict:
    """An example of the planted feature there."""
    return rows(folder / "examples.parquet", f"WHERE feature = {PLANTED} AND pos = {pos}")[0]


def test_it_is_not_where_the_labels_are_shuffled(model, tmp_path):
    random = torch.Generator().manual_seed(0)
    tokens = language(random)
    order = torch.rand(N_BLOCKS, CONTEXT - 1, generator=random).argsort(1)
    tokens[:, 1:] = tokens[:, 1:].gather(1, order)
    everything = BuildConfig(**{**vars(CONFIG), "n_top": N})
    found = rows(table(tokens, model, tmp_path, everything) / "features.parquet", "ORDER BY importance_total DESC")
    assert found[0]["feature"] != PLANTED
    its = next(row for row in found if row["feature"] == PLANTED)
    assert its["importance_total"] + 5 * its["importance_total_se"] < share_of_pairs() * gain(model) / 2
