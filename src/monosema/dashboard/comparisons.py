"""Comparisons of open tables, worked out behind the pages and kept until one of the tables changes."""

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from monosema.features.browse import FeatureTable, compare
from monosema.features.browse.comparing import Comparison

KEPT = 16
"""Comparisons that are kept."""

PATIENCE = 0.05
"""Seconds that a page waits for one, before it says that it is being worked out."""


class Comparisons:
    """One is worked out at a time; several requests may ask at once."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="compare")
        self._kept: dict[tuple[int, int], tuple[FeatureTable, FeatureTable, Future[Comparison]]] = {}
        self._lock = Lock()

    def of(self, left: FeatureTable, right: FeatureTable) -> Comparison | None:
        """The comparison; None while it is being worked out. Raises what `compare` raises."""
        key = (id(left), id(right))
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept[0] is not left or kept[1] is not right:
                if len(self._kept) >= KEPT:
                    self._kept.clear()
                kept = self._kept[key] = (left, right, self._worker.submit(compare, left, right))
        try:
            return kept[2].result(PATIENCE)
        except TimeoutError:
            return None
