"""What removing a feature changes around its examples: the rows of effects.parquet.

dloss_total, dloss_direct   one number a token of the window; NULL where the token's loss does not count
p_with, p_without           probability of the token behind the chosen one, as the model is and without
                            the feature (total); NULL where no counted token follows
up, down                    the tokens behind the chosen one whose probability rises and falls most
                            when the feature is removed, with the change
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.features.effects.scene import Scene, losses_at
from monosema.features.tables.database import Database, lists, rows_of
from monosema.features.tables.ranking import largest, smallest
from monosema.features.tables.text import TableText

N_CHANGED = 5
GROUPS = ("top", "most helpful", "most harmful")

COLUMNS = """
    feature, pos, dloss_total::FLOAT[] AS dloss_total, dloss_direct::FLOAT[] AS dloss_direct,
    p_with::FLOAT AS p_with, p_without::FLOAT AS p_without,
    up::STRUCT(token UINTEGER, delta FLOAT)[] AS up, down::STRUCT(token UINTEGER, delta FLOAT)[] AS down
"""


@dataclass(frozen=True)
class Shown:
    """Examples: feature, the place chosen, and the window start .. stop - 1 around it."""

    feature: np.ndarray
    pos: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    @staticmethod
    def none() -> "Shown":
        """No examples."""
        return Shown(*(np.zeros(0, dtype=np.int64) for _ in range(4)))

    @staticmethod
    def of(examples: Path, measured: Sequence[int], n: int, database: Database) -> "Shown":
        """The first `n` examples of GROUPS of every feature, four times as many of those in `measured`."""
        named = ", ".join(map(str, measured)) or "NULL"
        groups = ", ".join(f"'{group}'" for group in GROUPS)
        rows = database.fetch(
            f"SELECT DISTINCT feature, pos, start, start + len(ids) AS stop FROM {rows_of([examples])} "
            f"WHERE grp IN ({groups}) AND rank < CASE WHEN feature IN ({named}) THEN {4 * n} ELSE {n} END "
            "ORDER BY pos, feature"
        )
        return Shown(*(rows[name].astype(np.int64) for name in ("feature", "pos", "start", "stop")))

    def taken(self, which: np.ndarray) -> "Shown":
        return Shown(self.feature[which], self.pos[which], self.start[which], self.stop[which])

    def within(self, low: int, high: int) -> "Shown":
        """Those at places low .. high - 1."""
        return self.taken(((self.pos >= low) & (self.pos < high)).nonzero()[0])

    def pairs(self, context: int, at_once: int) -> "Iterator[Pairs]":
        """The (feature, block) pairs of the examples, some at a time, those with windows that end early first."""
        key = self.feature * (2**32) + self.pos // context
        unique, where = np.unique(key, return_inverse=True)
        last = np.zeros(len(unique), dtype=np.int64)
        np.maximum.at(last, where, np.maximum((self.stop - 1) % context, self.pos % context) + 1)
        order = np.lexsort((unique, last))
        for first in range(0, len(order), at_once):
            part = order[first : first + at_once]
            row = np.full(len(unique), -1)
            row[part] = np.arange(len(part))
            its = (row[where] >= 0).nonzero()[0]
            yield Pairs(
                unique[part] // 2**32, unique[part] % 2**32, int(last[part].max()), self.taken(its), row[where[its]]
            )


@dataclass(frozen=True)
class Pairs:
    """(feature, block) pairs, how many positions of the blocks matter, and the examples: their rows among the pairs."""

    feature: np.ndarray
    block: np.ndarray
    length: int
    examples: Shown
    row: np.ndarray


def effect_rows(
    scene: Scene,
    pairs: Pairs,
    block: np.ndarray,
    acts: Float[Tensor, "pair seq"],
    directions: Float[Tensor, "pair d_out"],
    direct: Float[Tensor, "pair d_model"] | None,
    text: TableText,
) -> list[dict[str, object]]:
    """The rows of some pairs. `block` counts the scene's blocks; `direct` is None where it is not defined."""
    device, n = scene.tokens.device, pairs.length
    b, acts = torch.from_numpy(block).to(device), acts[:, :n].to(device)
    final = scene.without(b, acts, directions.to(device))
    wanted = torch.zeros_like(acts, dtype=torch.bool)
    for row, (_, _, start, stop) in zip(pairs.row.tolist(), _each(pairs.examples), strict=True):
        wanted[row, start % text.context : start % text.context + stop - start] = True
    counted = scene.counted[b, :n]
    wanted &= counted
    tokens = scene.tokens[b, :n]
    rise = losses_at(scene.route.model.unembed, final, tokens, wanted) - scene.losses[b, :n] * wanted
    total = torch.where(counted, rise, torch.nan).cpu()
    path = None
    if direct is not None:
        path = torch.where(counted, scene.direct(b, acts, direct.to(device), wanted=wanted), torch.nan).cpu()
    shifts = _shifts(scene, pairs, b, final, text)
    found: list[dict[str, object]] = []
    for i, (feature, pos, start, stop) in enumerate(_each(pairs.examples)):
        row, at = int(pairs.row[i]), slice(start % text.context, start % text.context + stop - start)
        own = {"feature": feature, "pos": pos, "dloss_total": _nullable(total[row, at])}
        found.append({**own, "dloss_direct": None if path is None else _nullable(path[row, at]), **shifts[i]})
    return found


def _each(shown: Shown) -> Iterator[tuple[int, int, int, int]]:
    return zip(shown.feature.tolist(), shown.pos.tolist(), shown.start.tolist(), shown.stop.tolist(), strict=True)


@torch.no_grad()
def _shifts(
    scene: Scene, pairs: Pairs, block: Tensor, final: Float[Tensor, "pair seq d_model"], text: TableText
) -> list[dict[str, object]]:
    """How the model's prediction behind the chosen token changes without the feature."""
    device = final.device
    row, at = torch.from_numpy(pairs.row).to(device), torch.from_numpy(pairs.examples.pos % text.context).to(device)
    unembed = scene.route.model.unembed
    before = unembed(scene.final[block[row], at]).float().softmax(1)
    after = unembed(final[row, at]).float().softmax(1)
    change = (after - before)[:, : text.d_vocab]
    ends = {"up": largest(change.cpu(), N_CHANGED), "down": smallest(change.cpu(), N_CHANGED)}
    shifts = {name: _changed(change.cpu(), ids) for name, ids in ends.items()}
    p = pairs.examples.pos % text.context
    followed = torch.from_numpy(np.minimum(p + 1, text.context - 1)).to(device)
    follows = torch.from_numpy(p + 1 < text.context).to(device) & scene.counted[block[row], followed]
    tokens = torch.where(follows, scene.tokens[block[row], followed], 0)
    numbers = [
        torch.where(follows, x[torch.arange(len(x), device=device), tokens], torch.nan).tolist()
        for x in (before, after)
    ]
    each = zip(*numbers, shifts["up"], shifts["down"], strict=True)
    return [{"p_with": a, "p_without": b, "up": up, "down": down} for a, b, up, down in each]


def _changed(change: Float[Tensor, "row d_vocab"], ids: Int64[Tensor, "row k"]) -> list[list[dict[str, int | float]]]:
    rows = zip(ids.tolist(), change.gather(1, ids).tolist(), strict=True)
    return [
        [{"token": token, "delta": delta} for token, delta in zip(tokens, deltas, strict=True)]
        for tokens, deltas in rows
    ]


def _nullable(values: Float[Tensor, "width"]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


def write_effects(path: Path, rows: Sequence[dict[str, object]], database: Database) -> None:
    """Write rows of effects.parquet, in order of feature and place."""
    rows = sorted(rows, key=lambda row: (row["feature"], row["pos"]))  # type: ignore[arg-type, return-value]
    kinds = {"feature": np.uint32, "pos": np.uint32, "p_with": np.float64, "p_without": np.float64}
    given = {
        name: np.array([row[name] for row in rows], dtype=kinds[name])
        if name in kinds
        else lists([row[name] for row in rows])
        for name in ("feature", "pos", "dloss_total", "dloss_direct", "p_with", "p_without", "up", "down")
    }
    columns = COLUMNS.replace("p_with::FLOAT", "nullif(p_with, 'nan'::DOUBLE)::FLOAT")
    columns = columns.replace("p_without::FLOAT", "nullif(p_without, 'nan'::DOUBLE)::FLOAT")
    database.write(path, f"SELECT {columns} FROM given", given)
