"""A document of the corpus with everything that fires in it.

tokens.safetensors   which token stands where, in which document      read by stretches, never whole
contexts.parquet     how each token reads in its block
acts_by_pos.parquet  what fires at each place
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monosema.core.errors import DamagedError, DataError, RunError
from monosema.features.browse.database import Database, source
from monosema.features.browse.manifest import Manifest
from monosema.features.browse.rows import Document, DocumentPage, DocumentToken, Firing

if TYPE_CHECKING:
    import numpy as np

SPAN = 256
"""Tokens on a page of a document."""

N_STRONGEST, N_FIRING = 20, 1000
"""Features listed for a stretch, and for one token."""


class Documents:
    """The documents of one table."""

    def __init__(self, folder: Path, manifest: Manifest, database: Database, texts: Sequence[str]) -> None:
        self.folder, self.manifest, self.database, self.texts = folder, manifest, database, texts
        self._all = self._listed()

    def name(self, document: int) -> str:
        """A document's name; its number where there is no list of documents yet."""
        return self._all[document].name if document in self._all else f"document {document}"

    def listed(self, text: str = "", limit: int = 100) -> list[Document]:
        """Documents whose name holds `text`, whatever the case, in order of number."""
        wanted = text.casefold()
        found = (d for d in self._all.values() if wanted in d.name.casefold())
        return [document for document, _ in zip(found, range(limit), strict=False)]

    def page(self, document: int, start: int | None, at: int | None, feature: int | None) -> DocumentPage:
        """A stretch of a document: from position `start`, or the one around `at`, or the first.

        With `at`, every feature that fires there; with `feature`, its activation at every token. Raises
        DataError when there is no such document or `at` is not in it.
        """
        if document not in self._all:
            raise DataError(f"there is no document {document}: the table has {len(self._all):,}, numbered from 0")
        own, context = self._all[document], self.manifest.context
        if start is None:
            start = own.start_pos if at is None else max(own.start_pos, at - at % context)
        if start < own.start_pos:
            raise DataError(f"position {start} is not in document {document}, which begins at {own.start_pos}")
        places, ids, more = self._stretch(document, start)
        if at is not None and at not in places:
            raise DataError(f"position {at} is not in document {document} ('{own.name}')")
        texts, alone = self._read(places, ids)
        fires = self._fires(places)
        counts = Counter(pos for pos, _, _ in fires)
        acts = {pos: act for pos, one, act in fires if one == feature}
        sums: dict[int, float] = defaultdict(float)
        for pos, one, act in fires:
            if at is None or pos == at:
                sums[one] += act
        tokens = tuple(
            DocumentToken(pos, token, text, counts[pos], acts.get(pos, 0.0))
            for pos, token, text in zip(places, ids, texts, strict=True)
        )
        ranked = self._ranked(sums, N_STRONGEST if at is None else N_FIRING)
        return DocumentPage(
            document=document,
            name=own.name,
            n_tokens=own.n_tokens,
            n_before=start - own.start_pos,
            tokens=tokens,
            previous=max(own.start_pos, start - SPAN) if start > own.start_pos else None,
            following=start + SPAN if more else None,
            at=at,
            firing=() if at is None else ranked,
            strongest=ranked if at is None else (),
            alone=alone,
        )

    def _listed(self) -> dict[int, Document]:
        path = self.folder / "documents.parquet"
        if not path.exists():
            return {}
        sql = f"SELECT document, name, start_pos, n_tokens FROM {source(path)} ORDER BY document"
        return {row["document"]: Document(**row) for row in self.database.rows(sql, files=[path])}

    def _stretch(self, document: int, start: int) -> tuple[list[int], list[int], bool]:
        """Places and ids of the document's tokens from `start`, at most SPAN places on; whether there are more."""
        context = self.manifest.context
        first, stop = start // context, (start + SPAN) // context + 1
        ids, documents, mask = (self._blocks(name, first, stop) for name in ("ids", "document", "mask"))
        kept = [
            i
            for i, (owner, kind) in enumerate(zip(documents, mask, strict=True))
            if owner == document and kind != 2 and i + first * context >= start
        ]
        places = [i + first * context for i in kept]
        inside = [i for i, place in zip(kept, places, strict=True) if place < start + SPAN]
        return [i + first * context for i in inside], [int(ids[i]) for i in inside], len(places) > len(inside)

    def _blocks(self, name: str, first: int, stop: int) -> "np.ndarray":
        from safetensors import SafetensorError, safe_open

        path = self.folder / "tokens.safetensors"
        if not path.exists():
            raise RunError(f"'{self.manifest.dictionary}' has no tokens yet: its table is being built")
        try:
            with safe_open(path, framework="numpy") as file:
                column = file.get_slice(name)
                n_blocks = column.get_shape()[0]
                if first >= n_blocks:
                    raise DataError(f"position {first * self.manifest.context} is beyond the last token")
                return column[first : min(stop, n_blocks)].reshape(-1)
        except SafetensorError as error:
            raise DamagedError(
                f"{path} is damaged ({error}): build the table again with `monosema features RUN`"
            ) from error

    def _read(self, places: Sequence[int], ids: Sequence[int]) -> tuple[list[str], bool]:
        """The texts of some places, and whether each token had to be decoded alone."""
        path, context = self.folder / "contexts.parquet", self.manifest.context
        if not path.exists():
            return [self.texts[i] if i < len(self.texts) else "" for i in ids], True
        blocks = {place // context for place in places}
        sql = f"SELECT block, texts FROM {source(path)} WHERE block BETWEEN ? AND ?"
        found = self.database.rows(sql, [min(blocks, default=0), max(blocks, default=0)], [path])
        texts = {row["block"]: row["texts"] for row in found}
        return [texts[place // context][place % context] for place in places], False

    def _fires(self, places: Sequence[int]) -> list[tuple[int, int, float]]:
        """(place, feature, activation) of everything that fires from the first place to the last."""
        path = self.folder / "acts_by_pos.parquet"
        if not path.exists() or not places:
            return []
        sql = f"SELECT pos, feature, act FROM {source(path)} WHERE pos BETWEEN ? AND ?"
        found = self.database.columns(sql, [places[0], places[-1]], [path])
        return list(zip(*found, strict=True))

    def _ranked(self, acts: Mapping[int, float], limit: int) -> tuple[Firing, ...]:
        """The features with the largest activations, with what is known of them."""
        if not (self.folder / "features.parquet").exists():
            return ()
        first = sorted(acts, key=lambda feature: (-acts[feature], feature))[:limit]
        found = self.database.rows(
            "SELECT feature, max_act, frequency, floor_text, coalesce(importance_total, importance_attr) AS importance"
            " FROM features WHERE list_contains(?::UINTEGER[], feature)",
            [first],
        )
        rows = {row.pop("feature"): row for row in found}
        return tuple(_firing(feature, acts[feature], **rows[feature]) for feature in first)


def _firing(
    feature: int, act: float, max_act: float, frequency: float, floor_text: str, importance: float | None
) -> Firing:
    return Firing(feature, act, act / max_act if max_act > 0 else 0.0, frequency, importance, floor_text)
