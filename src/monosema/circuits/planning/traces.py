"""A model of couplets traced: transcoders of its layers, graphs, and what their features at the newline do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.graph import Graph
from monosema.circuits.attribution.tracing import trace
from monosema.circuits.interventions.checking import check
from monosema.circuits.interventions.effects import Bench
from monosema.circuits.planning.carriers import MOST, AtNewline, Carried, at_newline, carried, most
from monosema.circuits.planning.graphing import EXACT, Passed, influence_at, passed
from monosema.circuits.planning.meanings import Drawn, Known, drawn
from monosema.circuits.planning.settings import PlanningConfig
from monosema.circuits.planning.transcoders import TEXTS, Transcoded, transcoded
from monosema.circuits.planning.transplants import Scene
from monosema.circuits.planning.writing import losses
from monosema.core.seeding import generator
from monosema.corpus.plans.couplets import END, LINE, NEWLINE, OTHER_TOPIC, RIMES, TOPICS, Couplets

KNOWN, CHECKED, TAKEN_AWAY, SHOWN = 2048, 12, 16, 2
"""Couplets that say what features mean; graphs that are checked, and of each the features; graphs that are shown."""


@dataclass(frozen=True)
class Traces:
    """Of `n` couplets of one model.

    spliced       nats a second line with all transcoders in the MLPs' place; silenced: with their means
    by_features, through    shares of the first line's influence that pass a feature of the newline, and the newline at
                  all; beside, the same of the filler before the rhyme word
    scores        replacement and completeness; each as measured, and of the control
    agreement     rank correlation of what graphs predict of features taken away with what happens; of random vectors
    carried       what the features of most influence do when they are taken away and exchanged
    first_word    share of the eight of the end word that are among the eight of t1 too, in the graph up to the newline;
                  and what it would be by chance
    """

    made: Transcoded
    newline: AtNewline
    spliced: Float[Tensor, "n"]
    silenced: Float[Tensor, "n"]
    by_features: Float[Tensor, "place n"]
    through: Float[Tensor, "place n"]
    scores: Float[Tensor, "score kind n"]
    agreement: Float[Tensor, "kind m"]
    carried: Carried
    first_word: Float[Tensor, "kind n"]
    drawn: tuple[Drawn, ...]


def traced(config: PlanningConfig, stage: Scene, name: str, seed: int) -> Traces:
    """Train transcoders, trace the scene's first couplets, and see what their features do."""
    language, draws = stage.language, generator(seed, "couplets for transcoders")
    texts, judged_on = (language.draw(n, draws).tokens[:, :END] for n in (TEXTS, config.couplets))
    made = transcoded(stage.reader, texts, judged_on, config.transcoders, seed)
    few, donor = paired(stage, config.graphs, seed)
    found = [_passed(made, tokens) for tokens in few.verses.tokens]
    features = at_newline(made, language, seed)
    influence, firsts = (
        torch.stack([influence_at(graph, NEWLINE, config.transcoders.n_features) for graph in graphs])
        for graphs in ([one.graph for one in found], [_first(made, tokens) for tokens in few.verses.tokens])
    )
    return Traces(
        made,
        features,
        *(losses(stage.reader, few.verses, edits).sum(1) for edits in (made.spliced(), made.silenced())),
        *(torch.tensor([getattr(one, key) for one in found]).T for key in ("by_features", "through")),
        scores=_scores([one.graph for one in found]),
        agreement=_agreement(made, [one.graph for one in found[:CHECKED]], seed),
        carried=carried(few, donor, features, influence, seed),
        first_word=_in_common(influence, firsts),
        drawn=_drawn(made, few, [one.graph for one in found[:SHOWN]], name, seed),
    )


def paired(stage: Scene, n: int, seed: int) -> tuple[Scene, Int64[Tensor, "n"]]:
    """The first `n` couplets of a scene with donors from among them, and which of them these are. Their lines share no
    word but the first."""
    verses = stage.verses[:n]
    lines = stage.lines(verses.first)[:, 1:]
    differ = (lines[:, None] != lines[None]).all(2).float()
    donor = torch.multinomial(differ, 1, generator=generator(seed, "donors among couplets"))[:, 0]
    own = stage.own[:, :n]
    return replace(stage, verses=verses, donors=verses[donor], own=own, others=own[:, donor]), donor


def known_of(language: Couplets, seed: int) -> Known:
    """Couplets of which topic, rhyme, end word and the words that lead up to it are known."""
    verses = language.draw(KNOWN, generator(seed, "couplets that are known"))
    lines, words = language.lines[verses.first], language.words
    facts = {
        "rhyme": (tuple(f"-{rime}" for rime in RIMES), verses.first // len(TOPICS)),
        "topic": (tuple(TOPICS), verses.first % len(TOPICS)),
        **{f"t{j + 1}": (words, lines[:, j]) for j in range(len(LINE))},
        "end word": (words, lines[:, -1]),
    }
    return Known(verses.tokens, words, facts)


def _passed(made: Transcoded, tokens: Int64[Tensor, "seq"]) -> Passed:
    return passed(made, tokens[:END], int(tokens[END]), NEWLINE, OTHER_TOPIC)


def _first(made: Transcoded, tokens: Int64[Tensor, "seq"], *, control: bool = False) -> Graph:
    """The graph up to the newline, whose target is t1."""
    config = replace(EXACT, targets=(int(tokens[NEWLINE + 1]),), control=control)
    return trace(made.reader.model, made.transcoders, tokens[: NEWLINE + 1], config, edits=made.reader.edits())


def _scores(graphs: Sequence[Graph]) -> Float[Tensor, "score kind n"]:
    found = [[(one.value, one.control) for one in graph.findings] for graph in graphs]
    return torch.tensor(found).permute(1, 2, 0)


def _agreement(made: Transcoded, graphs: Sequence[Graph], seed: int) -> Float[Tensor, "kind m"]:
    rows = []
    for graph in graphs:
        bench = Bench(made.reader.model, made.transcoders, graph.tokens, edits=made.reader.edits())
        agreement = check(bench, graph, TAKEN_AWAY, seed=seed).findings[0]
        rows.append((agreement.value, agreement.control))
    return torch.tensor(rows).T


def _in_common(influence: Tensor, firsts: Tensor) -> Float[Tensor, "kind n"]:
    both = (most(influence) & most(firsts)).sum(1) / MOST
    return torch.stack([both, MOST / (influence > 0).sum(1)])


def _drawn(made: Transcoded, few: Scene, graphs: Sequence[Graph], name: str, seed: int) -> tuple[Drawn, ...]:
    known = known_of(few.language, seed)
    shown = [drawn(f"{name}-{i}", graph.prune(), made, known) for i, graph in enumerate(graphs)]
    first = _first(made, few.verses.tokens[0], control=True).prune()
    return (*shown, drawn(f"{name}-0-t1", first, made, known))
