"""A document of the corpus with everything that fires in it.

tokens.safetensors   which token stands where, in which document      read by stretches, never whole
contexts.parquet     how each token reads in its block
acts_by_pos.parquet  what fires at each place
"""

from collections.abc import Sequence
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

N_STRONGEST = 20


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
        counts, acts = self._counted(places, feature)
        tokens = tuple(
            DocumentToken(pos, token, text, counts.get(pos, 0), acts.get(pos, 0.0))
            for pos, token, text in zip(places, ids, texts, strict=True)
        )
        return DocumentPage(
            document=document,
            name=own.name,
            n_tokens=own.n_tokens,
            n_before=start - own.start_pos,
            tokens=tokens,
            previous=max(own.start_pos, start - SPAN) if start > own.start_pos else None,
            following=start + SPAN if more else None,
            at=at,
            firing=() if at is None else self._firing(at),
            strongest=self._strongest(places),
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

    def _counted(self, places: Sequence[int], feature: int | None) -> tuple[dict[int, int], dict[int, float]]:
        path = self.folder / "acts_by_pos.parquet"
        if not path.exists() or not places:
            return {}, {}
        number = -1 if feature is None else feature
        found = self.database.rows(
            f"SELECT pos, count(*) AS n, max(act) FILTER (feature = ?) AS act FROM {source(path)}"
            " WHERE pos BETWEEN ? AND ? GROUP BY pos",
            [number, places[0], places[-1]],
            [path],
        )
        return {r["pos"]: r["n"] for r in found}, {r["pos"]: r["act"] for r in found if r["act"] is not None}

    def _firing(self, pos: int) -> tuple[Firing, ...]:
        return self._ranked("pos = ?", [pos], 1000)

    def _strongest(self, places: Sequence[int]) -> tuple[Firing, ...]:
        return self._ranked("pos BETWEEN ? AND ?", [places[0], places[-1]], N_STRONGEST) if places else ()

    def _ranked(self, condition: str, values: list[int], limit: int) -> tuple[Firing, ...]:
        path = self.folder / "acts_by_pos.parquet"
        if not path.exists() or not (self.folder / "features.parquet").exists():
            return ()
        found = self.database.rows(
            f"SELECT a.feature, a.act, a.act / nullif(f.max_act, 0) AS share_of_max, f.frequency, f.floor_text,"
            " coalesce(f.importance_total, f.importance_attr) AS importance FROM"
            f" (SELECT feature, sum(act) AS act FROM {source(path)} WHERE {condition} GROUP BY feature) a"
            f" JOIN features f ON f.feature = a.feature ORDER BY a.act DESC, a.feature LIMIT {limit}",
            values,
            [path],
        )
        return tuple(Firing(**{**row, "share_of_max": row["share_of_max"] or 0.0}) for row in found)
