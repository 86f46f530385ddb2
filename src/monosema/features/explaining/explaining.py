"""Explanations of a table's features and their scores: the steps in their order.

table --windows, split by document--> features drawn --baselines--> rows
                                            `---------endpoint----> rows    after its cost was shown
the control's dictionary, on the same windows, in the same way
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monosema.core.config import to_json
from monosema.core.errors import DataError, RunError
from monosema.features.browse.manifest import Manifest, read_manifest
from monosema.features.explaining.answers import Answers
from monosema.features.explaining.asked import Questioner, Texts
from monosema.features.explaining.baselines import background_of
from monosema.features.explaining.client import Endpoint
from monosema.features.explaining.config import EndpointConfig, ExplainConfig
from monosema.features.explaining.consulting import Asked, Consulting, Estimate
from monosema.features.explaining.results import (
    Explanation,
    Line,
    ScoreRow,
    lines,
    merged,
    read_rows,
    read_summary,
    with_shuffled,
    write_rows,
    write_summary,
)
from monosema.features.explaining.sides import Side, chosen, require_some, score_baselines
from monosema.features.explaining.sources import ModelSource, Source, TableSource, in_random_order
from monosema.features.explaining.windows import WIDTH, Windows, read_text
from monosema.features.studying import SKIPPED, Control
from monosema.features.tables.database import Database, rows_of

MEMORY_MB = 1024

SPARE = 4
"""Features of the control that are looked at for each that is explained: some have too few windows."""


@dataclass(frozen=True)
class Explained:
    """What was written, and what it says. `estimate` and `asked` are of an endpoint, if there was one."""

    files: tuple[Path, ...]
    lines: tuple[Line, ...]
    n_features: int
    n_control: int
    left_out: dict[int, str]
    estimate: Estimate | None
    asked: Asked | None


class Explaining:
    """The work on one table. Making one draws the features; `estimate` says what an endpoint will be asked; `run`
    does it all and writes the files."""

    def __init__(
        self,
        folder: Path,
        config: ExplainConfig,
        control: Control | None = None,
        endpoint: EndpointConfig | None = None,
        answers: Path | None = None,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """`control=None` is a user's decision to go without. `answers`: the file that keeps an endpoint's answers.

        Raises RunError (the table is not whole), DataError (too little text, no such feature), ConfigError.
        """
        self.folder, self.config = folder, config
        self.manifest = read_manifest(folder)
        if self.manifest.building:
            raise RunError(f"the table in {folder} is not whole: repeat `monosema features RUN`, it goes on")
        self.database = Database(MEMORY_MB, folder / ".spill")
        text = read_text(folder, self.manifest.corpus_fingerprint, self.database)
        windows = Windows.of(text, config.seed)
        words = self.database.fetch(f"SELECT text FROM {rows_of([folder / 'text.parquet'])} ORDER BY token")["text"]
        self.background = background_of(windows, [str(word) for word in words])
        self.trained = self._trained()
        require_some(self.trained, config.n_least)
        self.control_is, self.control_fingerprint = SKIPPED, ""
        self.control = self._control(control)
        self.consulting = self._consulting(endpoint, answers, wait) if endpoint and endpoint.base_url else None

    def _trained(self) -> Side:
        source, config = TableSource(self.folder, self.database), self.config
        asked = list(config.features)
        for feature in asked:
            if feature >= self.manifest.n_features:
                last = self.manifest.n_features - 1
                raise DataError(f"there is no feature {feature}: '{self.manifest.dictionary}' has features 0 to {last}")
        alive = in_random_order(self.folder / "features.parquet", config.seed, self.database)
        found, left_out = chosen(asked or alive, source, self.background, config, len(asked) or config.n_features)
        return Side("trained", self.folder, found, left_out if asked else {}, len(left_out))

    def _control(self, control: Control | None) -> Side | None:
        if control is None or not self.config.n_control:
            return None
        name, numbers = self.manifest.dictionary, self.folder / "control" / "features.parquet"
        if name not in control.dictionaries or not numbers.exists():
            self.control_is = f"the control has no dictionary '{name}'"
            return None
        config, dictionary = self.config, control.dictionaries[name]
        candidates = in_random_order(numbers, config.seed, self.database)[: SPARE * config.n_control + 64]
        text = self.background.windows.text
        source: Source = ModelSource(dictionary, control.model, text, candidates)
        found, left_out = chosen(candidates, source, self.background, config, config.n_control)
        self.control_is, self.control_fingerprint = control.what, dictionary.fingerprint
        return Side("control", self.folder / "control", found, {}, len(left_out))

    def _consulting(
        self, endpoint: EndpointConfig, answers: Path | None, wait: Callable[[float], object] | None
    ) -> Consulting:
        kept = Answers(answers or self.folder / "answers.jsonl")
        texts = Texts(self.folder, self.background.windows, self.database)
        sides = [
            (side, Questioner(side.name, self.background, texts, endpoint.embedding))
            for side in (self.trained, self.control)
            if side is not None
        ]
        return Consulting(endpoint, sides, Endpoint(endpoint, endpoint.key(), wait), kept, self.config.seed)

    def estimate(self) -> Estimate | None:
        """What an endpoint will be asked; None without one."""
        return None if self.consulting is None else self.consulting.estimate()

    def run(self) -> Explained:
        """Explain, score, and write. Rows of other features and explainers, made from the same table with the same
        settings, stay."""
        estimate, asked = self.estimate(), None
        sides = [side for side in (self.trained, self.control) if side is not None]
        for side in sides:
            score_baselines(side, self.background, self.config.seed)
        if self.consulting is not None:
            asked = self.consulting.run()
        about = self._about()
        before = read_summary(self.folder)
        same = before.get("about") == about
        files: list[Path] = []
        rows: dict[str, list[ScoreRow]] = {"trained": [], "control": []}
        texts: dict[str, list[Explanation]] = {"trained": [], "control": []}
        for side in sides:
            old_texts = read_rows(Explanation, side.folder, self.database) if same else []
            old_rows = read_rows(ScoreRow, side.folder, self.database) if same else []
            texts[side.name] = merged(old_texts, side.explanations)
            rows[side.name] = merged(old_rows, with_shuffled(old_rows, side.scores))
        (self.folder / "explanations.json").unlink(missing_ok=True)
        for side in sides:
            files += [
                write_rows(texts[side.name], Explanation, side.folder, self.database),
                write_rows(rows[side.name], ScoreRow, side.folder, self.database),
            ]
        said = self._said(texts, estimate, asked) | {"shown": self._shown(before.get("shown", ""), texts["trained"])}
        found = lines(rows["trained"], rows["control"], self.control_is, self.config.seed)
        files.insert(0, write_summary(self.folder, about, said, found))
        n_control = 0 if self.control is None else len(self.control.drawn)
        left_out = self.trained.left_out
        return Explained(tuple(files), tuple(found), len(self.trained.drawn), n_control, left_out, estimate, asked)

    def _shown(self, before: str, texts: list[Explanation]) -> str:
        """The explainer that lists of features show: the endpoint's model that was asked last, else TF-IDF."""
        if self.consulting is not None:
            return self.consulting.config.model
        return before if any(row.explainer == before for row in texts) else "tfidf"

    def _about(self) -> dict[str, Any]:
        """What the rows depend on, beside the choice of features and the explainers."""
        kept = ("n_windows", "n_examples", "n_least", "seed")
        return {
            **_fingerprints(self.manifest),
            "control_fingerprint": self.control_fingerprint,
            "width": WIDTH,
            **{name: getattr(self.config, name) for name in kept},
        }

    def _said(
        self, texts: dict[str, list[Explanation]], estimate: Estimate | None, asked: Asked | None
    ) -> dict[str, Any]:
        """Of explanations.json: counts, and what was asked of an endpoint."""
        windows = self.background.windows
        said: dict[str, Any] = {
            "n_features": len({row.feature for row in texts["trained"]}),
            "n_control": len({row.feature for row in texts["control"]}),
            "n_too_few": self.trained.n_too_few,
            "n_windows_explaining": int((~windows.judging).sum()),
            "n_windows_judging": int(windows.judging.sum()),
            "n_documents_explaining": len(windows.documents[~windows.judging].unique()),
            "n_documents_judging": len(windows.documents[windows.judging].unique()),
        }
        if self.consulting is None or estimate is None or asked is None:
            return said
        config = self.consulting.config
        return said | {
            "endpoint": {
                "base_url": config.base_url,
                "model": config.model,
                "scores": list(config.scores),
                "estimate": to_json(estimate.total),
                "asked": to_json(asked.spent),
                "n_answered_before": estimate.n_answered,
                "n_failed": asked.n_failed,
            }
        }


def _fingerprints(manifest: Manifest) -> dict[str, str]:
    names = ("dictionary_fingerprint", "model_fingerprint", "corpus_fingerprint")
    return {name: getattr(manifest, name) for name in names}
