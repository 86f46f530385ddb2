"""The experiment `articles`: "a" or "an" before a noun that comes later, in three languages."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monosema.circuits.planning.learning import learn
from monosema.circuits.planning.noun_graphs import NounTraces, nouns_traced
from monosema.circuits.planning.nouns import Answers, Exchanges, answers, exchanged
from monosema.circuits.planning.settings import PlanningConfig
from monosema.circuits.planning.shares import mean, rate, share
from monosema.core.exhibits import Curves, Exhibit, Line, Table
from monosema.core.findings import Finding, short
from monosema.corpus.plans.articles import LENGTH, N_PAIRS, Articles
from monosema.corpus.plans.config import TEMPLATES, ArticlesConfig, Templates

QUESTION = 'Is the noun known before its article is said, so that "a" or "an" follows from it?'
MAJORITY = "the commoner article always"
OTHERS = "a random direction as long"
ANOTHER = "where another noun is said"


@dataclass(frozen=True)
class Said:
    """One model of one language; `traces`, where pairs are held out."""

    language: Articles
    answers: Answers
    exchanges: Exchanges
    traces: NounTraces | None


Runs = dict[Templates, Sequence[Said]]


def articles(config: PlanningConfig) -> Exhibit:
    """Train a model a seed of every language, measure, and say what was seen."""
    return shown(config, run(config))


def run(config: PlanningConfig) -> Runs:
    """Train and measure."""
    seeds = range(config.seed, config.seed + config.models)
    return {name: [_said(config, name, seed) for seed in seeds] for name in TEMPLATES}


def shown(config: PlanningConfig, runs: Runs) -> Exhibit:
    """What was seen."""
    found = findings(runs)
    steps = config.learning.steps
    how = (
        f"Models of each language: {config.models}; {steps} steps of {config.learning.batch_size} fresh documents; "
        "every model has tables of its own, from its seed. Every pair's noun is exchanged for five others of each kind."
    )
    return Exhibit("articles", QUESTION, _answer(found), _panels(runs), found, config, how, "planning")


def _said(config: PlanningConfig, templates: Templates, seed: int) -> Said:
    language = Articles(ArticlesConfig(templates, seed=seed))
    sees = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()

    def draw(n: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        documents = language.draw(n, draws)
        return documents.tokens, documents.targets

    reader = learn(f"articles, {templates}", len(language.words), draw, sees, config.learning, seed)
    picture = f"articles-{templates}" if config.models == 1 else f"articles-{templates}-model-{seed - config.seed}"
    traces = None if templates == "unplanned" else nouns_traced(config, reader, language, picture, seed)
    return Said(language, answers(reader, language), exchanged(reader, language, seed), traces)


def findings(runs: Runs) -> dict[str, Finding]:
    """The headline numbers."""
    found: dict[str, Finding] = {}
    for name, models in runs.items():
        short_name = name.replace(" ", "_")
        for kind, held in (("seen", False), ("held_out", True)):
            if name == "unplanned" and held:
                continue
            right = torch.cat([one.answers.right[one.language.held_out == held] for one in models])
            common = _common(models, held)
            found[f"right_{kind}_{short_name}"] = share(
                f"articles right, pairs {kind.replace('_', ' ')}, {name}", right, common, MAJORITY, "pairs"
            )
        other, random = (torch.cat([getattr(one.exchanges, kind) for one in models]) for kind in ("other", "random"))
        found[f"turned_{short_name}"] = share(
            f"articles turned over by a noun of the other article, {name}", other, rate(random), OTHERS, "exchanges"
        )
        if traces := _traces(models):
            found[f"of_the_noun_{short_name}"] = mean(
                f"of the eight features before the article, those that fire where the noun is said, {name}",
                torch.cat([one.same for one in traces]),
                float(torch.cat([one.others for one in traces]).mean()),
                ANOTHER,
                "pairs",
            )
    return found


def _traces(models: Sequence[Said]) -> list[NounTraces]:
    return [one.traces for one in models if one.traces is not None]


def _common(models: Sequence[Said], held: bool) -> float:
    """The share of the commoner article among the pairs asked, model by model."""
    shares = [rate(one.language.takes_an[one.language.held_out == held]) for one in models]
    return sum(max(p, 1 - p) for p in shares) / len(shares)


def _answer(found: dict[str, Finding]) -> tuple[str, ...]:
    memoriser, planner = found["right_held_out_memoriser"], found["right_held_out_planner"]
    turned = found["turned_planner"]
    return (
        "Both languages say everything that is needed for pairs that never came with an article: which noun the pair "
        "means, and which article that noun takes. The model of the memoriser's language is right in "
        f"{memoriser.value:.1%} of them, that of the planner's in {planner.value:.1%}, where the commoner article is "
        f"right in {short(planner.control)}; of the pairs seen with an article they get "
        f"{found['right_seen_memoriser'].value:.1%} and {found['right_seen_planner'].value:.1%}.",
        "All that differs is one token: in the planner's language the same colon may be followed by the bare noun, so "
        "that the noun has to be known there.",
        f"Put another noun in at the colon, after the first layer, and {turned.value:.1%} of the planner's articles "
        f"turn over, by random directions as long {short(turned.control)}; of the memoriser's "
        f"{found['turned_memoriser'].value:.1%}, and of a language in which the noun is chosen after its article "
        f"{found['turned_unplanned'].value:.1%}.",
        "In graphs of pairs that never came with an article, of the eight features at the colon with most influence on "
        f"it {found['of_the_noun_planner'].value:.1%} fire where the noun is said too, in the planner "
        f"({short(found['of_the_noun_planner'].control)} where another is); in the memoriser "
        f"{found['of_the_noun_memoriser'].value:.1%} ({short(found['of_the_noun_memoriser'].control)}).",
    )


def _panels(runs: Runs) -> tuple[Table | Curves, ...]:
    return _answers_table(runs), _exchange_table(runs), _by_layer(runs), _graphs_table(runs), _by_seed(runs)


def _percent(p: float) -> str:
    return f"{p:.1%}"


def _answers_table(runs: Runs) -> Table:
    rows = []
    for name, models in runs.items():
        columns = []
        for held in (False, True):
            which = [one.language.held_out == held for one in models]
            columns += [
                rate(torch.cat([one.answers.right[mask] for one, mask in zip(models, which, strict=True)])),
                rate(torch.cat([one.answers.named[mask] for one, mask in zip(models, which, strict=True)])),
            ]
        said = rate(torch.cat([one.answers.said for one in models]))
        rows.append((name, *map(_percent, [*columns, said])))
    return Table(
        "What is said after the colon",
        "Articles and nouns, of pairs seen with an article and of pairs held out; the noun is the likeliest of all "
        "nouns there. In the memoriser's language the place asked is IND, which no bare noun follows; in the unplanned "
        "one no noun is settled, and the article of held-out pairs is never told.",
        ("language", "article, seen", "noun, seen", "article, held out", "noun, held out", "article after say"),
        tuple(rows),
    )


def _exchange_table(runs: Runs) -> Table:
    rows = []
    for name, models in runs.items():
        kinds = [torch.cat([getattr(one.exchanges, kind) for one in models]) for kind in _KINDS]
        rows.append((name, *(_percent(rate(hits)) for hits in kinds)))
    return Table(
        "The noun at the colon exchanged",
        "Shares of exchanges after the first layer that turn the article over; and those after which the noun "
        "likeliest to come bare is the one put in.",
        (
            "language",
            "a noun of the other article",
            "a noun of the same article",
            "a random direction",
            "noun is moved",
        ),
        tuple(rows),
    )


_KINDS = ("other", "same", "random", "moved")


def _by_layer(runs: Runs) -> Curves:
    lines = []
    for name, models in runs.items():
        by_layer = torch.stack([one.exchanges.by_layer.double().mean(1) for one in models])
        x = tuple(float(layer) for layer in range(by_layer.shape[1]))
        columns = (by_layer.mean(0), by_layer.amin(0), by_layer.amax(0))
        y, low, high = (tuple(column.tolist()) for column in columns)
        lines.append(Line(name, x, y, low, high, "control" if name == "unplanned" else "measured"))
    return Curves(
        "The noun put in at one layer alone",
        "Articles turned over by a noun of the other article put in after one layer; bands from the lowest to the "
        "highest model. After later layers what is put in holds the article itself, which say N calls for in the "
        "memoriser's language too.",
        "layer after which the noun is put in",
        "share of articles turned over",
        tuple(lines),
    )


def _graphs_table(runs: Runs) -> Table:
    rows = []
    for name, models in runs.items():
        if not (traces := _traces(models)):
            continue
        same, others = (torch.cat([getattr(one, key) for one in traces]) for key in ("same", "others"))
        found = mean("same", same, float(others.mean()), "", "pairs")
        scores = torch.cat([one.scores for one in traces], 1).mean(1).tolist()
        explained = torch.tensor([one.explained for one in traces]).mean(0).tolist()
        rows.append(
            (
                name,
                f"{found.value:.1%}, {found.low:.1%} to {found.high:.1%}",
                f"{found.control:.1%}",
                f"{scores[0]:.3f} ({scores[1]:.3f})",
                " ".join(f"{x:.3f}" for x in explained),
            )
        )
    return Table(
        "Graphs of pairs held out, up to the colon",
        "Of the eight features there with most influence on the noun's article, those that fire after `say` and the "
        "noun too (95% interval over pairs), and after `say` and another noun. Then the replacement score (in "
        "brackets: its control) and the variance of every layer's MLP that its transcoder explains.",
        ("language", "fire where the noun is said", "where another is", "replacement", "explained"),
        tuple(rows),
    )


def _by_seed(runs: Runs) -> Table:
    rows = []
    for name, models in runs.items():
        for i, one in enumerate(models):
            held = one.language.held_out
            right = (rate(one.answers.right[~held]), rate(one.answers.right[held]))
            turned = (rate(one.exchanges.other), rate(one.exchanges.random))
            rows.append((name, str(i), *map(_percent, (*right, *turned))))
    return Table(
        "Model by model",
        f"{len(rows)} models, each of {N_PAIRS} pairs.",
        ("language", "model", "right, seen", "right, held out", "turned over", "by random directions"),
        tuple(rows),
    )
