"""Graphs of the planning test bed as pages: what features stand for is said, and the same bytes come again."""

from pathlib import Path

import pytest

from monosema.circuits import TraceConfig, trace
from monosema.circuits.planning.meanings import Drawn, drawn
from monosema.circuits.planning.traces import known_of
from monosema.corpus.plans.config import Sight
from monosema.corpus.plans.couplets import END
from monosema.pipeline.planning import graphed, write_graphs
from tests.circuits.test_planning_graphs import LANGUAGE, made_of, stage_of


def picture_of(sight: Sight) -> Drawn:
    made, row = made_of(sight), stage_of(sight)[0].verses.tokens[0]
    config = TraceConfig(control=False, targets=(int(row[END]),))
    graph = trace(made.reader.model, made.transcoders, row[:END], config, edits=made.reader.edits())
    return drawn(f"{sight}-0", graph.prune(), made, known_of(LANGUAGE, 0))


@pytest.mark.slow
def test_a_page_says_what_its_features_stand_for(tmp_path: Path):
    pictures = tuple(picture_of(sight) for sight in ("planner", "free"))
    pages = write_graphs(tmp_path / "one", pictures)
    assert [page.name for page in pages] == ["planner-0.html", "free-0.html"]
    values = graphed(pictures[0]).values
    assert values.texts[0] == "BOS" and values.texts[6] == "NL" and len(values.texts) == END
    shown = {node.name: node for node in values.nodes}
    assert any(meaning.fact for meaning in pictures[0].meanings.values())
    for name, meaning in pictures[0].meanings.items():
        assert shown[name].contexts[0].activation == meaning.examples[0][2]
        assert shown[name].contexts[0].token == meaning.examples[0][1]
        assert shown[name].says.endswith(f": {meaning.fact}") == bool(meaning.fact)
    texts = [page.read_text(encoding="utf-8") for page in pages]
    assert "attn_pattern.0,attn_pattern.1" in texts[0] and "attn_pattern" not in texts[1]
    [again] = write_graphs(tmp_path / "two", pictures[:1])
    assert again.read_bytes() == pages[0].read_bytes()
