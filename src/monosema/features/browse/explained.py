"""The explanations of a table's features, as `monosema explain` left them; none where they are of another table.

explanations.json            whether they are of this table, the means over the control, which explainer is shown
explanations.parquet         -> the text of each explainer
explanation_scores.parquet   -> its scores; of the one that is shown, columns of every feature
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monosema.core.errors import DamagedError
from monosema.core.runs import read_json
from monosema.features.browse.database import Database, quoted, source
from monosema.features.browse.manifest import Manifest
from monosema.features.browse.rows import Explanation, ExplanationScore

FORMAT = 1

FLOOR = "ngrams"
"""The explainer that every other has to beat."""

WORDS = "tfidf"
"""The explainer in the columns where no language model was asked; its words stand on the feature's page alone."""

COLUMN = "detection"
"""The score in the columns of every feature."""

NOTHING = (
    "'' AS explanation, NULL::DOUBLE AS floor_detection, NULL::DOUBLE AS explained, NULL::DOUBLE AS beats_floor, "
    "NULL::DOUBLE AS beats_floor_low"
)
"""The columns of a table without explanations."""


@dataclass(frozen=True)
class Explained:
    """What was explained. `shown`: the explainer in the columns; `controls`: means over the control's features, by
    explainer and score."""

    folder: Path
    shown: str
    control_is: str
    controls: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, Path]:
        return self.folder / "explanations.parquet", self.folder / "explanation_scores.parquet"

    @property
    def columns(self) -> str:
        """SQL of a table with a row for each feature that was explained."""
        texts, scores = map(source, self.files)
        its = f"explainer = '{quoted(self.shown)}'"
        said = "''" if self.shown == WORDS else f"max(text) FILTER ({its} AND state = 'done')"
        return (
            f"SELECT feature, coalesce(t.explanation, '') AS explanation, s.* EXCLUDE (feature) FROM "
            f"(SELECT feature, max(value) FILTER (explainer = '{FLOOR}') AS floor_detection, "
            f"max(value) FILTER ({its}) AS explained, max(margin) FILTER ({its}) AS beats_floor, "
            f"max(margin_low) FILTER ({its}) AS beats_floor_low FROM {scores} WHERE score = '{COLUMN}' "
            f"GROUP BY feature) s LEFT JOIN (SELECT feature, {said} AS explanation FROM {texts} GROUP BY feature) t "
            "USING (feature)"
        )

    def of_feature(self, feature: int, database: Database) -> tuple[Explanation, ...]:
        """The explanations of one feature: the one that is shown, then the floor, then the others."""
        texts, scores = self.files
        wanted = f"WHERE feature = {int(feature)}"
        rows = database.rows(f"SELECT * FROM {source(scores)} {wanted}", files=[scores])
        found = database.rows(f"SELECT * FROM {source(texts)} {wanted} ORDER BY explainer", files=[texts])
        found.sort(key=lambda row: (row["explainer"] != self.shown, row["explainer"] != FLOOR))
        return tuple(
            Explanation(
                explainer=row["explainer"],
                text=row["text"],
                failed=row["reason"],
                scores=tuple(self._score(its) for its in rows if its["explainer"] == row["explainer"]),
            )
            for row in found
        )

    def _score(self, row: dict[str, Any]) -> ExplanationScore:
        kept = ("value", "low", "high", "n", "shuffled", "margin", "margin_low", "margin_high", "state", "reason")
        control = self.controls.get((row["explainer"], row["score"]))
        return ExplanationScore(name=row["score"], control=control, **{name: row[name] for name in kept})


def read_explained(folder: Path, manifest: Manifest) -> Explained | None:
    """What `folder` holds of explanations of the table that `manifest` describes. Raises DamagedError."""
    path = folder / "explanations.json"
    found = read_json(path) if path.exists() else None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return None
    names = ("dictionary_fingerprint", "model_fingerprint", "corpus_fingerprint")
    try:
        if any(found["about"][name] != getattr(manifest, name) for name in names):
            return None
        lines = [(line["explainer"], line["score"], line["finding"]) for line in found["lines"]]
        controls = {(by, score): finding["control"] for by, score, finding in lines if finding["control"] is not None}
        control_is = lines[0][2]["control_is"] if lines else ""
        return Explained(folder, found["shown"], control_is, controls)
    except (KeyError, TypeError) as error:
        raise DamagedError(f"{path} is not what was written ({error}): run `monosema explain RUN` again") from error
