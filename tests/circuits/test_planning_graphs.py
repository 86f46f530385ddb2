"""Graphs of couplets: what their masks settle, in models that have learnt nothing, and what is counted on them."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.circuits import Bench, Change, TraceConfig, trace
from monosema.circuits.attribution.graph import FEATURE, TOKEN
from monosema.circuits.planning import carriers
from monosema.circuits.planning.carriers import MOST, added, at_newline, carried, firing, most
from monosema.circuits.planning.features import dealt_to
from monosema.circuits.planning.graphing import EXACT, dense, influence_at, passed, reached
from monosema.circuits.planning.meanings import detects, drawn
from monosema.circuits.planning.noun_graphs import known_of as known_of_nouns
from monosema.circuits.planning.noun_graphs import nouns_traced
from monosema.circuits.planning.settings import LearningConfig, PlanningConfig, TranscoderConfig
from monosema.circuits.planning.traces import known_of, paired
from monosema.circuits.planning.transcoders import Transcoded, transcoded, written_by_mlps
from monosema.circuits.planning.transplants import Scene, scene
from monosema.core.seeding import generator
from monosema.corpus.plans import Articles, ArticlesConfig, Couplets, CoupletsConfig
from monosema.corpus.plans.articles import ASKED
from monosema.corpus.plans.config import Sight
from monosema.corpus.plans.couplets import END, NEWLINE, OTHER_TOPIC
from tests.circuits.test_planning import spread

LANGUAGE = Couplets(CoupletsConfig())
FEATURES = 48
QUICK = TranscoderConfig(n_features=FEATURES, k=12, rows=20_480, lr=0.01)


@cache
def made_of(sight: Sight) -> Transcoded:
    draws = generator(0, "texts")
    texts, others = (LANGUAGE.draw(256, draws).tokens[:, :END] for _ in range(2))
    return transcoded(spread(sight), texts, others, QUICK, 0)


@cache
def stage_of(sight: Sight) -> tuple[Scene, Tensor]:
    return paired(scene(made_of(sight).reader, LANGUAGE, 64, 0), 32, 0)


def shares(sight: Sight, n: int = 4) -> list:
    verses = stage_of(sight)[0].verses
    return [passed(made_of(sight), row[:END], int(row[END]), NEWLINE, OTHER_TOPIC) for row in verses.tokens[:n]]


@pytest.mark.slow
@pytest.mark.parametrize(("sight", "share"), [("planner", 1.0), ("no plan", 0.0)])
def test_what_passes_the_newline_is_what_the_mask_makes_it(sight: Sight, share: float):
    for one in shares(sight):
        assert one.through[0] == pytest.approx(share, abs=1e-4)
        assert 0 < one.through[1] < 1
        assert one.by_features[0] <= one.through[0] + 1e-9
        # In the planner some of it is carried by attention alone; without a plan no feature there hears of the line.
        assert (0 < one.by_features[0] < 1) if sight == "planner" else one.by_features[0] == 0
        assert "attn_pattern.0" in one.graph.facts["edits"]


@pytest.mark.slow
def test_where_all_is_seen_some_passes_the_newline_and_more_of_it_than_by_features():
    for one in shares("free"):
        assert 0 < one.by_features[0] < one.through[0] < 1
        assert "edits" not in one.graph.facts


def test_influence_along_all_paths_is_the_graphs_own():
    [one] = shares("free", 1)
    nodes, A = one.graph.nodes, dense(one.graph.edges, len(one.graph.nodes))
    ahat = A.abs() / A.abs().sum(1, keepdim=True).clamp(min=1e-300)
    weights = torch.where(nodes.kind == 5, nodes.value, 0.0)
    assert torch.allclose(reached(ahat, weights), nodes.influence, rtol=1e-4, atol=1e-9)
    there = (nodes.kind == FEATURE) & (nodes.token == NEWLINE)
    column = influence_at(one.graph, NEWLINE, FEATURES)
    assert float(column.sum()) == pytest.approx(float(nodes.influence[there].sum()), rel=1e-5)
    assert int((column > 0).sum()) == int((nodes.influence[there] > 0).sum()) > MOST
    early = (nodes.kind == TOKEN) & (nodes.token < NEWLINE)
    around = reached(ahat.masked_fill(there, 0.0), weights)[early].sum()
    assert 1 - float(around / nodes.influence[early].sum()) == pytest.approx(one.by_features[0], abs=1e-5)


def test_transcoders_explain_and_stand_in_for_the_mlps():
    made = made_of("free")
    tokens = LANGUAGE.draw(64, generator(5, "test")).tokens[:, :END]
    truth = made.reader.run(tokens, ["logits"])["logits"]
    off = [
        (made.reader.run(tokens, ["logits"], e)["logits"] - truth).square().mean()
        for e in (made.spliced(), made.silenced())
    ]
    assert off[0] < 0.7 * off[1]
    assert all(0.3 < share < 1 for share in made.explained)
    seen = written_by_mlps(made.reader, tokens)
    assert torch.equal(made.reader.run(tokens, ["mlp_out.1"], made.silenced())["mlp_out.1"][3, 4], made.means[1])
    assert seen["mlp_out.1"].shape == (64 * END, 16)


@pytest.mark.parametrize("sight", ["planner", "free"])
def test_what_is_taken_away_is_what_the_bench_takes_away(sight: Sight):
    made, stage = made_of(sight), stage_of(sight)[0]
    features = at_newline(made, LANGUAGE, 0)
    tokens = stage.verses.tokens[0, :END]
    codes = firing(made, stage.verses.tokens[:1], NEWLINE)
    graph = trace(made.reader.model, made.transcoders, tokens, EXACT, edits=made.reader.edits())
    eight = most(influence_at(graph, NEWLINE, FEATURES)[None])
    assert bool(eight.sum() == MOST) and bool((codes > 0)[eight].all())
    changes = [Change(i // FEATURES, i % FEATURES, NEWLINE) for i in eight[0].nonzero()[:, 0].tolist()]
    bench = Bench(made.reader.model, made.transcoders, tokens, edits=made.reader.edits())
    expected = bench.change(changes, "free").logits_after
    logits = made.reader.run(tokens[None], ["logits"], added(-features.writes(codes * eight)))["logits"][0, -1]
    assert torch.allclose(logits - logits.mean(), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    assert bench.change(changes, "free").logits.abs().max() > 1e-2


def test_only_where_the_newline_is_all_that_is_seen_does_everything_follow_from_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(carriers, "JUDGED_ON", 512)
    stage, donor = stage_of("no plan")
    made = made_of("no plan")
    influence = torch.rand(len(donor), 2 * FEATURES, generator=generator(0, "i")) * (
        firing(made, stage.verses.tokens, NEWLINE) > 0
    )
    found = carried(stage, donor, at_newline(made, LANGUAGE, 0), influence, 0)
    # Without a plan every newline is alike: exchanging anything of it changes no line, so none becomes the donor's.
    before = (stage.with_states(stage.own)[:, 1:] == stage.lines(stage.donors.first)[:, 1:]).all(1)
    assert torch.equal(found.put_in[1], before) and torch.equal(found.put_in[2], before)
    assert 0 < float(found.share.min()) <= float(found.share.max()) <= 1
    assert found.left.shape == (4, len(donor))


def test_others_that_fire_as_often_are_of_the_same_layer():
    features = at_newline(made_of("free"), LANGUAGE, 0)
    layer = torch.arange(2 * FEATURES) // FEATURES
    assert bool((layer[features.nearest] == layer[:, None]).all())
    assert not bool((features.nearest == torch.arange(2 * FEATURES)[:, None]).any())
    codes = torch.rand(3, 2 * FEATURES, generator=generator(0, "c"))
    other = dealt_to(features.nearest, codes, generator(0, "d"))
    assert torch.allclose(other[:, :FEATURES].sum(1), codes[:, :FEATURES].sum(1))
    # What features write is each layer's own decoder's.
    one = torch.zeros(1, 2 * FEATURES)
    one[0, FEATURES + 3] = 2.0
    writes = features.writes(one)
    assert not bool(writes[0].any()) and torch.equal(writes[1, 0], 2 * made_of("free").transcoders[1].W_dec[3])


def test_donors_are_couplets_of_the_scene_that_share_no_word_but_the_first():
    stage, donor = stage_of("free")
    assert torch.equal(stage.donors.tokens, stage.verses.tokens[donor])
    assert not bool((stage.lines(stage.verses.first) == stage.lines(stage.donors.first))[:, 1:].any())
    assert torch.equal(stage.others, stage.own[:, donor])


def test_a_feature_is_named_by_what_it_detects_by_hand():
    values = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    names = ("sea", "wood", "town", "fire")
    fires = values == 1
    assert detects(fires, values, names) == (1.0, ("wood",))
    # Fires on both of wood and one of the two of town: 2 * 3 / (3 + 4).
    fires = torch.tensor([0, 0, 1, 1, 1, 0, 0, 0], dtype=torch.bool)
    assert detects(fires, values, names) == (pytest.approx(6 / 7), ("wood", "town"))
    # What fires always, or on nothing, detects nothing.
    assert detects(torch.ones(8, dtype=torch.bool), values, names) == (0.0, ())
    assert detects(torch.zeros(8, dtype=torch.bool), values, names) == (0.0, ())
    assert detects(torch.ones(8, dtype=torch.bool), torch.zeros(8, dtype=torch.int64), names) == (0.0, ())


def test_facts_of_couplets_are_true():
    known = known_of(LANGUAGE, 0)
    names, topics = known.facts["topic"]
    assert [names[t] for t in topics[:5].tolist()] == [known.words[t] for t in known.tokens[:5, 2].tolist()]
    for name, place in (("t1", 7), ("t3", 9), ("end word", 10)):
        assert torch.equal(known.facts[name][1], known.tokens[:, place])
    rimes, which = known.facts["rhyme"]
    assert all(known.words[w].endswith(rimes[r][1:]) for w, r in zip(known.tokens[:9, 5], which[:9], strict=True))


def test_a_drawn_graph_says_where_its_features_fire_most():
    made, known = made_of("free"), known_of(LANGUAGE, 0)
    tokens = stage_of("free")[0].verses.tokens[0]
    graph = trace(made.reader.model, made.transcoders, tokens[:END], TraceConfig(control=False)).prune()
    picture = drawn("free-0", graph, made, known)
    features = graph.nodes.of("feature").tolist()
    assert set(picture.meanings) == {graph.nodes.ids()[i] for i in features}
    i = features[0]
    meaning = picture.meanings[graph.nodes.ids()[i]]
    place = int(graph.nodes.token[i])
    a = firing(made, known.tokens, place)[:, int(graph.nodes.layer[i]) * FEATURES + int(graph.nodes.index[i])]
    before, word, value = meaning.examples[0]
    assert value == float(a.max())
    row = known.tokens[int(a.argmax())].tolist()
    assert [known.words[t] for t in row[: place + 1]] == [*before.split(), word]


@pytest.mark.slow
def test_features_before_an_article_are_asked_where_the_noun_is_said():
    language = Articles(ArticlesConfig("planner"))
    from monosema.circuits.planning.learning import untrained

    sees = torch.ones(6, 6, dtype=torch.bool).tril()
    reader = untrained("articles", len(language.words), sees, LearningConfig(n_layers=2, d_model=16, n_heads=2), 0)
    config = replace(PlanningConfig(), language="articles", couplets=64, transcoders=QUICK)
    found = nouns_traced(config, reader, language, "planner", 0)
    pairs = language.held_out.nonzero()[:, 0]
    made = found.drawn[0].made
    fires = firing(made, language.asked_of_nouns(), ASKED) > 0
    prompt = language.asked_of_pairs()[pairs[0]]
    graph = trace(
        reader.model,
        made.transcoders,
        prompt,
        replace(EXACT, control=False, targets=(int(language.articles[pairs[0]]),)),
    )
    eight = most(influence_at(graph, ASKED, FEATURES)[None])[0]
    assert float(found.same[0]) == pytest.approx(float((eight & fires[pairs[0]]).sum()) / MOST)
    each = (eight & fires).sum(1).double() / MOST
    assert float(found.others[0]) == pytest.approx(float((each.sum() - each[pairs[0]]) / 99), rel=1e-5)
    names, nouns = known_of_nouns(language).facts["noun"]
    assert nouns[100 + 7] == nouns[7] == 7 and language.words[int(language.nouns[7])] == names[7]
