"""The whole study: what it says of clusters that are there and of ones that are not, and what turning leaves alone."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.core.errors import ConfigError
from monosema.core.exhibits import Exhibit, Scatter, Table, as_json
from monosema.core.seeding import generator
from monosema.corpus import Tokenizer
from monosema.geometry import Clusters, GeometryConfig, Vocabulary, embedding, explore, explore_model, study
from monosema.geometry.exploring import tied
from monosema.geometry.views import eta2_by_axis
from monosema.models import Model, load, randomised
from monosema.pipeline.demo import EMBEDDED_LM

from .test_variances import planted, turned

SMALL = GeometryConfig(directions=40, nearest=5, shuffles=40, drawn=5)
NAMES = tuple(f" token{i}" for i in range(240))


@cache
def seen(apart: float, turn: bool = False) -> Exhibit:
    """Clusters `apart` from one another, beside Gaussian rows; both turned in the same way with `turn`."""
    rows, clusters = planted(n=240, apart=apart)
    control = torch.randn(240, 16, generator=generator(9, "control"), dtype=torch.float64)
    Q = turned(16) if turn else torch.eye(16, dtype=torch.float64)
    return explore(rows @ Q, NAMES, SMALL, clusters, control @ Q)


def control_of(found: Exhibit, name: str) -> float:
    """The control of a finding, which must be there."""
    control = found.findings[name].control
    assert control is not None
    return control


def test_clusters_that_are_there_are_said_to_be_there():
    found = seen(20.0)
    assert found.answer[0].startswith("Yes: ")
    numbers = found.findings
    assert numbers["eta2"].value > 0.9 and numbers["alike_neighbours"].low > control_of(found, "alike_neighbours")
    assert numbers["own_mean_nearest"].value > 0.9 and numbers["eta2_along_the_best_direction"].value > 0.9


def test_clusters_that_are_not_there_are_said_not_to_be():
    # One in forty sets of labels without meaning is above the 97.5% that the answer goes by.
    clusters, found = planted(n=240)[1], []
    for seed in range(6):
        rows = torch.randn(240, 16, generator=generator(seed, "rows"), dtype=torch.float64)
        found.append(explore(rows, NAMES, SMALL, clusters))
    assert sum(each.answer[0].startswith("No: ") for each in found) >= 5
    assert all(each.findings["eta2_along_the_best_direction"].value < 0.1 for each in found)


def test_neighbours_are_alike_as_far_as_eta2_is_large():
    faint, some, strong = seen(1.0), seen(3.0), seen(20.0)
    assert faint.answer[0].startswith("No: along a random direction clusters are apart, but too little")
    assert some.answer[0].startswith("Hardly: ")
    for name in ("eta2", "alike_neighbours"):
        values = [found.findings[name].value for found in (faint, some, strong)]
        assert control_of(faint, name) < values[0] < values[1] < values[2]


def test_turning_changes_no_number_and_no_neighbour():
    one, other = seen(3.0), seen(3.0, turn=True)
    assert one.findings.keys() == other.findings.keys()
    for name, finding in one.findings.items():
        again = other.findings[name]
        assert [again.value, again.control, again.low, again.high] == pytest.approx(
            [finding.value, finding.control, finding.low, finding.high], abs=1e-9
        ), name
    tables = [[panel.rows for panel in found.panels if isinstance(panel, Table)] for found in (one, other)]
    assert tables[0] == tables[1]


def test_the_mean_over_axes_gives_both_eta2():
    rows, clusters = planted(n=240)
    words = Vocabulary(tuple(range(240)), NAMES, NAMES, frozenset())
    found = study(rows, rows, words, clusters, SMALL)
    by_axis, variances = found.by_axis[0], found.sources[0].found.variances
    weighted = float((by_axis * variances).sum() / variances.sum())
    assert found.view().rows.eta2 == pytest.approx(weighted, rel=1e-10)
    assert found.view("centred").rows.eta2 == pytest.approx(weighted, rel=1e-10)
    assert found.view("whitened").rows.eta2 == pytest.approx(float(by_axis.mean()), rel=1e-10)
    assert len(eta2_by_axis(found.sources[0].found, clusters)) == 16
    assert float(found.shuffled.mean()) == pytest.approx(3 / 239, abs=4 * float(found.shuffled.std()) / 40**0.5)
    whitened = found.shuffled_whitened
    assert float(whitened.mean()) == pytest.approx(3 / 239, abs=4 * float(whitened.std()) / 40**0.5)


def test_the_identity_of_axes_is_said_only_where_it_holds():
    rows, clusters = planted(n=240)
    some = Clusters(clusters.names, torch.where(torch.arange(240) < 60, -1, clusters.of))
    full, part = (explore(rows, NAMES, SMALL, each) for each in (clusters, some))
    words = Vocabulary(tuple(range(240)), NAMES, NAMES, frozenset())
    found = study(rows, rows, words, some, SMALL)
    assert found.view("whitened").rows.eta2 != pytest.approx(float(found.by_axis[0].mean()), rel=1e-4)
    assert "plain mean" in full.answer[2] and "plain mean" not in part.answer[2]
    says = [next(panel.says for panel in each.panels if panel.title.startswith("Which")) for each in (full, part)]
    assert "plain mean" in says[0] and "plain mean" not in says[1]


def test_the_largest_cluster_can_be_all_there_is():
    rows = torch.randn(240, 16, generator=generator(2, "rows"), dtype=torch.float64)
    of = torch.arange(240) % 4
    rows[of == 2, 0] += 30
    found = explore(rows, NAMES, SMALL, Clusters(("a", "b", "c", "d"), of))
    assert "The cluster 'c' alone makes" in found.answer[1]
    rest = found.findings["eta2_without_c"]
    assert found.findings["eta2"].value > 0.8 and rest.value < 0.04 and rest.n == 180
    two = explore(rows, NAMES, SMALL, Clusters(("rest", "c"), (of == 2).long()))
    assert not [name for name in two.findings if "without" in name]


def test_pictures_share_axes_and_name_tokens():
    panels = [panel for panel in seen(3.0).panels if isinstance(panel, Scatter)]
    assert [panel.x_span == other.x_span for panel, other in zip(panels[::2], panels[1::2], strict=True)] == [
        True,
        True,
    ]
    for panel in panels:
        assert [points.name for points in panel.points] == list("abcd")
        assert all(0 < len(points.x) <= 5 for points in panel.points)
        assert all(label.startswith("' token") for points in panel.points for label in points.labels)


def test_the_same_settings_give_the_same_and_another_seed_other_directions():
    rows, clusters = planted(n=240, apart=3.0)
    one, again = (as_json(explore(rows, NAMES, SMALL, clusters)) for _ in range(2))
    assert one == again
    other = explore(rows, NAMES, replace(SMALL, seed=1), clusters).findings
    assert one["findings"]["alike_neighbours"]["value"] != other["alike_neighbours"].value
    assert one["findings"]["eta2"]["value"] == other["eta2"].value


def test_what_does_not_fit_is_refused():
    rows, clusters = planted(n=240)
    with pytest.raises(ConfigError, match="5 names were given for 240 rows"):
        explore(rows, NAMES[:5], SMALL, clusters)
    with pytest.raises(ConfigError, match="the matrix has 240 rows: control, vocabulary and clusters"):
        explore(rows, NAMES, SMALL, planted(n=200)[1])
    few = Clusters(("a", "b"), torch.tensor([0] * 3 + [1] * 3 + [-1] * 234))
    with pytest.raises(ConfigError, match="6 tokens in clusters are too few: 8 are needed"):
        explore(rows, NAMES, SMALL, few)
    with pytest.raises(ConfigError, match="rows of one dimension have no geometry"):
        explore(rows[:, :1], NAMES, SMALL, clusters)


@pytest.fixture(scope="module")
def embedded() -> tuple[Model, Tokenizer]:
    return load(EMBEDDED_LM), Tokenizer.load(EMBEDDED_LM)


def test_a_model_stands_beside_its_own_weights_redrawn(embedded: tuple[Model, Tokenizer]):
    model, tokenizer = embedded
    found = explore_model(model, tokenizer, SMALL)
    numbers = found.findings
    assert found.name == "geometry-embed" and "tied to the unembedding" in found.how
    assert numbers["eta2"].value > 5 * control_of(found, "eta2")
    assert control_of(found, "eta2_beside_redrawn") < 0.01
    assert numbers["effective_dimension"].value < control_of(found, "effective_dimension")


def test_embeddings_are_copies_of_the_model_s_own(embedded: tuple[Model, Tokenizer]):
    model, _ = embedded
    rows = embedding(model)
    assert tied(model) and torch.equal(rows, embedding(model, "unembed"))
    tokens = torch.arange(40)[None]
    read: Tensor = model.run(tokens, read=["embed"])["embed"]
    assert torch.equal(read[0], rows[:40])
    rows.zero_()
    assert bool(embedding(model).any())
    assert not torch.equal(embedding(randomised(model)), embedding(model))
