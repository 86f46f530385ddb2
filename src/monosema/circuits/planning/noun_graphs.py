"""Articles traced: is it the noun that the features before an article stand for?

Every pair that never came with an article is traced up to the colon (IND in the memoriser's language), with its noun's
article as the target. Of the features that fire there, the eight with most influence on it are asked whether they fire
after `say N` too, where the noun is named: a feature of the noun does, one of the pair does not. Beside it stands the
same after `say M`, of all other nouns.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.attribution.graph import Graph
from monosema.circuits.attribution.tracing import trace
from monosema.circuits.planning.carriers import MOST, firing, most
from monosema.circuits.planning.graphing import EXACT, influence_at
from monosema.circuits.planning.meanings import Drawn, Known, drawn
from monosema.circuits.planning.settings import PlanningConfig
from monosema.circuits.planning.sight import Reader
from monosema.circuits.planning.transcoders import TEXTS, Transcoded, transcoded
from monosema.core.seeding import generator
from monosema.corpus.plans.articles import ASKED, N_PAIRS, Articles


@dataclass(frozen=True)
class NounTraces:
    """Of the pairs held out of one model.

    same, others   the share of the eight that fire after the noun is said too, and after another noun is
    scores         replacement, as measured and of the control
    explained      by layer, the variance of the MLP that its transcoder explains
    """

    same: Float[Tensor, "pair"]
    others: Float[Tensor, "pair"]
    scores: Float[Tensor, "kind pair"]
    explained: tuple[float, ...]
    drawn: tuple[Drawn, ...]


def nouns_traced(config: PlanningConfig, reader: Reader, language: Articles, name: str, seed: int) -> NounTraces:
    """Train transcoders, and trace every pair that is held out; the first of them is drawn."""
    draws = generator(seed, "documents for transcoders")
    texts, judged_on = (language.draw(n, draws).tokens[:, : ASKED + 1] for n in (TEXTS, config.couplets))
    made = transcoded(reader, texts, judged_on, config.transcoders, seed)
    pairs = language.held_out.nonzero()[:, 0]
    prompts = language.asked_of_pairs()[pairs]
    graphs = [
        _traced(made, tokens, int(article)) for tokens, article in zip(prompts, language.articles[pairs], strict=True)
    ]
    n = config.transcoders.n_features
    eight = most(torch.stack([influence_at(graph, ASKED, n) for graph in graphs])).float()
    after_noun = (firing(made, language.asked_of_nouns(), ASKED) > 0).float()
    common = eight @ after_noun.T / MOST
    same = common[torch.arange(len(pairs)), pairs]
    scores = torch.tensor([(graph.findings[0].value, graph.findings[0].control) for graph in graphs]).T
    picture = drawn(name, graphs[0].prune(), made, known_of(language))
    return NounTraces(same, (common.sum(1) - same) / (N_PAIRS - 1), scores, made.explained, (picture,))


def known_of(language: Articles) -> Known:
    """Every pair and every noun that is said, up to the colon."""
    pair = torch.arange(N_PAIRS).repeat(2)
    names = tuple(language.words[token] for token in language.nouns.tolist())
    facts = {"noun": (names, pair), "article": (language.words, language.articles[pair])}
    return Known(torch.cat([language.asked_of_pairs(), language.asked_of_nouns()]), language.words, facts)


def _traced(made: Transcoded, tokens: Tensor, article: int) -> Graph:
    return trace(made.reader.model, made.transcoders, tokens, replace(EXACT, targets=(article,)))
