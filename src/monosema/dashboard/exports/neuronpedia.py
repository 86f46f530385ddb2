"""The folder that Neuronpedia imports.

    MODEL/LAYER-SET/  release.jsonl  model.jsonl  sourceset.jsonl  source.jsonl
                      features/batch-N.jsonl.gz  activations/batch-N.jsonl.gz  explanations/batch-N.jsonl.gz

Beyond what other tools fill in: `lossValues`, what removing the feature does to the loss on each token (nats, the
total effect), and `logitContributions`, the tokens changed most at the chosen one. `correlated_features_l1` carries a
cosine, as it does there. The same table gives the same bytes: nothing in it is the time of the export.
"""

import gzip
import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from monosema.core.config import require
from monosema.core.errors import RunError
from monosema.core.sites import parse
from monosema.dashboard.exports.saedashboard import bin_of, histogram_bars, near, short
from monosema.dashboard.exports.selection import Selection
from monosema.features.browse.rows import Changed, Example, ExampleGroup, Explanation, FeatureDetail
from monosema.features.explaining.config import BASELINES

BATCH = 256
"""Features in one file."""

CREATED = "1970-01-01T00:00:00.000Z"
"""Stands where Neuronpedia keeps a time; it sets its own at the import."""

CREATOR = "monosema"


@dataclass(frozen=True)
class Naming:
    """How Neuronpedia names the model and the set of dictionaries; '' takes what the table says."""

    model: str = ""
    set: str = ""

    def __post_init__(self) -> None:
        for what, name in (("model", self.model), ("set", self.set)):
            require(
                not name or re.fullmatch(r"[\w.-]+", name) is not None,
                f"the {what}'s name is {name!r}: letters, digits, '.', '-' and '_' only",
            )


def write_neuronpedia(folder: Path, selection: Selection, naming: Naming | None = None) -> Path:
    """Write the folder below `folder`, whole or not at all; the source's own folder.

    Raises RunError when it is there already.
    """
    model, source = _ids(selection, naming or Naming())
    target = folder / model / source
    if target.exists():
        raise RunError(f"{target} is there already: remove it, or give another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=f".{source}.", dir=target.parent))
    try:
        for name, data in files(selection, naming or Naming()):
            (temporary / name).parent.mkdir(exist_ok=True)
            (temporary / name).write_bytes(data)
        temporary.chmod(0o755)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def tar(selection: Selection) -> bytes:
    """The same folder as a tar, in memory."""
    out, (model, source) = io.BytesIO(), _ids(selection, Naming())
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files(selection, Naming()):
            entry = tarfile.TarInfo(f"{model}/{source}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def files(selection: Selection, naming: Naming) -> Iterator[tuple[str, bytes]]:
    """Every file by its place in the source's folder."""
    model, source = _ids(selection, naming)
    for name, row in _heads(selection, model, source).items():
        yield f"{name}.jsonl", _lines([row])
    for number, first in enumerate(range(0, len(selection.features), BATCH)):
        part = Selection(selection.table, selection.features[first : first + BATCH], selection.labels, selection.query)
        features, activations, explanations = [], [], []
        for detail, groups in part.each():
            key = {"modelId": model, "layer": source, "index": str(detail.row.feature)}
            features.append({**key, **_feature(selection, detail)})
            activations += [{**key, **a} for a in _activations(key, groups, detail.row.max_act)]
            asked = selection.table.explanations(detail.row.feature)
            explanations += [{**key, **e} for e in _explanations(selection, detail, asked)]
        for kind, rows in (("features", features), ("activations", activations), ("explanations", explanations)):
            yield f"{kind}/batch-{number}.jsonl.gz", gzip.compress(_lines(rows), mtime=0)


def _ids(selection: Selection, naming: Naming) -> tuple[str, str]:
    manifest = selection.table.manifest
    layer = parse(manifest.reads[0]).layer or 0
    plain = re.sub(r"[^\w.-]+", "-", naming.set or manifest.dictionary)
    return naming.model or f"model-{manifest.model_fingerprint}", f"{layer}-{plain}"


def _heads(selection: Selection, model: str, source: str) -> dict[str, dict[str, Any]]:
    """The one row of each of the four files that say what it is."""
    manifest, set_name = selection.table.manifest, source.partition("-")[2]
    says = f"{manifest.architecture} of {manifest.n_features} features at {' + '.join(manifest.reads)}"
    shared = {"creatorId": CREATOR, "createdAt": CREATED, "visibility": "PUBLIC"}
    release = {"name": set_name, "description": says, "descriptionShort": says, "urls": []}
    described = {"id": model, "displayName": model, "displayNameShort": model, "instruct": False}
    unknown = {"inferenceEnabled": False, "layers": 0, "neuronsPerLayer": 0, "owner": "", "updatedAt": CREATED}
    sourceset = {"modelId": model, "name": set_name, "description": says, "type": manifest.architecture, "urls": []}
    shown = {"id": source, "modelId": model, "setName": set_name, "hasDashboards": True}
    text = {"num_prompts": manifest.n_documents, "num_tokens_in_prompt": manifest.context}
    notes = {"dataset": manifest.corpus_fingerprint, "notes": f"dictionary {manifest.dictionary_fingerprint}"}
    return {
        "release": {**release, "creatorName": CREATOR, "creatorNameShort": CREATOR, **shared},
        "model": {**described, **unknown, **shared},
        "sourceset": {**sourceset, "creatorName": CREATOR, "releaseName": set_name, "hasDashboards": True, **shared},
        "source": {**shown, **text, **notes, **shared},
    }


def _feature(selection: Selection, detail: FeatureDetail) -> dict[str, Any]:
    row, acts, logits = detail.row, histogram_bars(detail.acts), histogram_bars(detail.logits)
    decoder, together = near(detail.neighbours, "decoder"), near(detail.neighbours, "coactivation")
    return {
        "creatorId": CREATOR,
        "createdAt": CREATED,
        "maxActApprox": short(row.max_act),
        "frac_nonzero": row.frequency,
        "hasVector": False,
        "vector": [],
        "hookName": parse(selection.table.manifest.writes[0]).transformer_lens,
        "vectorDefaultSteerStrength": 10,
        "topkCosSimIndices": [n.feature for n in decoder],
        "topkCosSimValues": [short(n.value) for n in decoder],
        "neuron_alignment_indices": [],
        "neuron_alignment_values": [],
        "neuron_alignment_l1": [],
        "correlated_neurons_indices": [],
        "correlated_neurons_pearson": [],
        "correlated_neurons_l1": [],
        "correlated_features_indices": [n.feature for n in together],
        "correlated_features_pearson": [],
        "correlated_features_l1": [short(n.value) for n in together],
        "neg_str": [e.text for e in detail.bottom_logits],
        "neg_values": [short(e.effect) for e in detail.bottom_logits],
        "pos_str": [e.text for e in detail.top_logits],
        "pos_values": [short(e.effect) for e in detail.top_logits],
        "freq_hist_data_bar_heights": acts[1],
        "freq_hist_data_bar_values": acts[0],
        "logits_hist_data_bar_heights": logits[1],
        "logits_hist_data_bar_values": logits[0],
        "decoder_weights_dist": [],
    }


def _activations(key: dict[str, str], groups: Sequence[ExampleGroup], largest: float) -> list[dict[str, Any]]:
    shown = [(group, e) for group in groups if group.name in ("top", "interval") for e in group.examples]
    return [
        {"id": f"{key['layer']}-{key['index']}-{i}", **_activation(group, example, largest)}
        for i, (group, example) in enumerate(shown)
    ]


def _activation(group: ExampleGroup, e: Example, largest: float) -> dict[str, Any]:
    low, high, share = bin_of(group, largest)
    values = [short(a) for a in e.acts]
    most = max(range(len(values)), key=values.__getitem__)
    effect = e.effect
    return {
        "creatorId": CREATOR,
        "createdAt": CREATED,
        "tokens": list(e.texts),
        "values": values,
        "maxValue": values[most],
        "maxValueTokenIndex": most,
        "minValue": min(values),
        "binMin": low,
        "binMax": high,
        "binContains": share,
        "qualifyingTokenIndex": e.at,
        "dataIndex": str(e.pos),
        "dataSource": e.name,
        "lossValues": [short(v or 0.0) for v in effect.total] if effect else [],
        "logitContributions": None if effect is None else _contributions(effect.up, effect.down, len(values), e.at),
        "dfaValues": [],
    }


def _contributions(up: Sequence[Changed], down: Sequence[Changed], n: int, at: int) -> str:
    """For each token the tokens that the feature makes more and less likely after it; ours are at the chosen one."""

    def listed(changes: Sequence[Changed]) -> list[list[dict[str, Any]]]:
        return [[{"t": c.text, "v": short(-c.delta)} for c in changes] if i == at else [] for i in range(n)]

    return json.dumps({"pos": listed(down), "neg": listed(up)}, ensure_ascii=False)


def _explanations(selection: Selection, detail: FeatureDetail, asked: Sequence[Explanation]) -> list[dict[str, Any]]:
    """The label, the floor, and what language models said; a failure is no explanation, a baseline of words is none."""
    said = []
    if label := selection.labels.get(detail.row.feature):
        said.append({"description": label, "typeName": "human", "explanationModelName": ""})
    if detail.row.floor_text:
        said.append(
            {"description": detail.row.floor_text, "typeName": "n-gram floor", "explanationModelName": "monosema"}
        )
    models = [e for e in asked if e.text and e.explainer not in BASELINES]
    return said + [{"description": e.text, "typeName": "monosema", "explanationModelName": e.explainer} for e in models]


def _lines(rows: Iterable[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()
