"""The experiment `absorption`: why dictionaries with untied weights absorb, exactly and trained."""

from dataclasses import dataclass
from statistics import mean

import torch

from monosema.core.exhibits import Curves, Exhibit, Line, Panel, Table
from monosema.core.findings import Finding, short
from monosema.toys.absorption import Absorbed, hierarchy_dictionaries
from monosema.toys.dictionaries import Dictated, dictate, specs
from monosema.toys.intervals import over_seeds, share
from monosema.toys.ledger import BREAK_EVEN, absorption_ledger, expected_difference
from monosema.toys.settings import AbsorptionConfig

QUESTION = "Why do dictionaries with untied weights absorb?"
ANGLES = tuple(range(0, 91, 3))
PENALTIES = tuple(0.1 * i for i in range(21))
OWN, ABSORBED = 0.0, 45.0
OTHER = "the same dictionaries against another toy model's features"


@dataclass(frozen=True)
class Runs:
    """What the experiment trained: tied and untied on a hierarchy by seed, every architecture on toy models by seed."""

    hierarchy: list[dict[str, Absorbed]]
    dictated: list[list[Dictated]]

    def of(self, name: str) -> list[Absorbed]:
        return [each[name] for each in self.hierarchy]

    def by_name(self) -> dict[str, list[Dictated]]:
        return {one.name: [each[i] for each in self.dictated] for i, one in enumerate(self.dictated[0])}


def absorption(config: AbsorptionConfig) -> Exhibit:
    """Add up the ledger, train the dictionaries, and say what was seen."""
    runs = Runs(hierarchy_dictionaries(config.hierarchy), dictate(config.dictionaries, specs(config.dictionaries)))
    found = findings(config, runs)
    panels: tuple[Panel, ...] = (
        _by_angle(config),
        _by_penalty(config),
        _trained(runs),
        _architectures(runs),
        _by_importance(runs),
    )
    h, d = config.hierarchy, config.dictionaries
    how = (
        f"an exact ledger; {h.seeds} seeds of a parent, its child and two others in {h.d} dimensions, L1 dictionaries "
        f"of {h.n_features} latents on {h.rows:,} rows each; {d.seeds} toy models ({d.n} features in {d.m} "
        f"dimensions, density {short(d.density)}, importance {short(d.decay)}^i) with 7 dictionaries of "
        f"{d.n_features} latents each"
    )
    return Exhibit("absorption", QUESTION, _answer(config, runs, found), panels, found, config, how)


def findings(config: AbsorptionConfig, runs: Runs) -> dict[str, Finding]:
    """The headline numbers."""
    untied, tied, n = runs.of("untied"), runs.of("tied"), len(runs.hierarchy)
    q1 = 1 - config.parent_alone
    own, absorbed = (absorption_ledger(angle, config.penalty, 1 - q1, q1) for angle in (OWN, ABSORBED))
    best = max(runs.by_name().values(), key=lambda each: mean(float(one.matched.mean()) for one in each))
    gain, cost = absorbed.untied - own.untied, absorbed.tied - own.tied
    return {
        "loss_of_absorbing": Finding(
            f"loss of the absorbed dictionary less that of the own one, penalty {short(config.penalty)}, untied",
            gain,
            cost,
            "the same with a tied encoder",
            gain,
            gain,
            1,
            "ledgers",
        ),
        "seeds_that_absorb": share(
            "untied dictionaries that absorb the parent",
            sum(each.absorbs for each in untied),
            n,
            mean(float(each.absorbs) for each in tied),
            "tied dictionaries on the same rows",
            "seeds",
        ),
        "cosine_of_the_parent_latent_with_the_child": over_seeds(
            "cosine of the parent's latent with the child, untied",
            [each.with_child for each in untied],
            mean(each.with_child for each in tied),
            "tied dictionaries on the same rows",
        ),
        "error_of_tied_over_untied": over_seeds(
            "squared error of the tied dictionary over the untied one's",
            [b.mse / a.mse for a, b in zip(untied, tied, strict=True)],
            1.0,
            "the untied one over itself",
        ),
        "best_recovery": over_seeds(
            f"mean cosine of a toy model's features and their partners, {best[0].name}",
            [float(one.matched.mean()) for one in best],
            mean(float(one.control.mean()) for one in best),
            OTHER,
        ),
    }


def _answer(config: AbsorptionConfig, runs: Runs, found: dict[str, Finding]) -> tuple[str, ...]:
    leaning = sum(each.leans for each in runs.of("tied"))
    absorbing = {name: sum(each.absorbs for each in runs.of(name)) for name in ("untied", "tied")}
    names = runs.by_name()
    untied, tied = (mean(float(one.matched.mean()) for one in names[f"l1_{kind}"]) for kind in ("untied", "tied"))
    gain = found["loss_of_absorbing"]
    return (
        "Because it pays, and they can. One latent for parent and child together costs less penalty than two, if the "
        "parent's own latent is silent there. An untied encoder reads the parent less enough of the child; its "
        "decoder row stays the parent's. A tied one reads along its decoder row, which is as long along parent and "
        "child as along the parent.",
        f"On the ledger, absorbing changes the untied loss by {gain.value:.4f} (by the formula "
        f"{expected_difference(config.penalty, 1 - config.parent_alone):.4f}) and the best tied loss by "
        f"{short(gain.control)}.",
        f"Trained with the same settings, {absorbing['untied']} of {len(runs.hierarchy)} untied dictionaries absorb "
        f"the parent and {absorbing['tied']} tied ones; the share is {found['seeds_that_absorb']}. A tied "
        f"latent can be silent at the child's rows only by turning away from the child: {leaning} of "
        f"{len(runs.hierarchy)} did, and are the parent's no more. The cosine of the parent's latent with the child is "
        f"{found['cosine_of_the_parent_latent_with_the_child']}.",
        f"The error of the tied dictionaries is {found['error_of_tied_over_untied']} times that of the untied ones.",
        "On toy models, where there is no hierarchy, L1 finds the features with a mean cosine of "
        f"{tied:.3f} tied and {untied:.3f} untied; the best of all is "
        f"{found['best_recovery'].name.rpartition(', ')[2]}, {found['best_recovery']}.",
    )


def _by_angle(config: AbsorptionConfig) -> Curves:
    q0 = config.parent_alone
    found = [absorption_ledger(float(angle), config.penalty, q0, 1 - q0) for angle in ANGLES]
    untied, tied = tuple(each.untied for each in found), tuple(each.tied for each in found)
    best = [ANGLES[min(range(len(ANGLES)), key=values.__getitem__)] for values in (untied, tied)]
    return Curves(
        "Loss by the direction of the second latent",
        f"Turned from the child (0 degrees) towards the parent, the untied loss is least at {best[0]} degrees, half "
        f"way, where the latent says both; the tied loss is least at {best[1]}.",
        "degrees from the child towards the parent",
        "loss",
        (Line("untied", ANGLES, untied), Line("tied, best biases", ANGLES, tied, role="control")),
    )


def _by_penalty(config: AbsorptionConfig) -> Curves:
    q1 = 1 - config.parent_alone
    pairs = [tuple(absorption_ledger(angle, lam, 1 - q1, q1) for angle in (OWN, ABSORBED)) for lam in PENALTIES]
    return Curves(
        "What absorbing gains, by the penalty",
        f"The untied difference follows -q1 ((2 - sqrt 2) lam - lam^2 / 4), which is below 0 for any penalty under "
        f"{BREAK_EVEN:.2f}; the tied one is above 0 at "
        f"{sum(b.tied > a.tied + 1e-9 for a, b in pairs)} of {len(pairs)} penalties.",
        "penalty",
        "loss of the absorbed dictionary less the own one's",
        (
            Line("untied", PENALTIES, tuple(b.untied - a.untied for a, b in pairs)),
            Line("formula", PENALTIES, tuple(expected_difference(lam, q1) for lam in PENALTIES), role="theory"),
            Line("tied, best biases", PENALTIES, tuple(b.tied - a.tied for a, b in pairs), role="control"),
        ),
    )


def _trained(runs: Runs) -> Table:
    rows = []
    for seed, each in enumerate(runs.hierarchy):
        for name, one in each.items():
            verdict = "absorbs" if one.absorbs else "turned away" if one.leans else "no"
            cosines = f"{one.with_parent:.2f}", f"{one.with_child:.2f}"
            rows.append((str(seed), name, f"{one.full:.0%}", f"{one.partial:.0%}", *cosines, f"{one.mse:.4f}", verdict))
    return Table(
        "Dictionaries of a parent and its child",
        "Full: share of the child's rows on which the parent's latent is silent and another one says the parent. "
        "Partial: the share of the parent that others say there.",
        ("seed", "weights", "full", "partial", "cosine with parent", "with child", "squared error", "absorbs"),
        tuple(rows),
    )


def _architectures(runs: Runs) -> Table:
    rows = []
    for name, each in runs.by_name().items():
        values = (
            mean(float(one.matched.mean()) for one in each),
            mean(float(one.control.mean()) for one in each),
            mean(one.recovered for one in each),
            mean(one.variance_explained for one in each),
            mean(one.l0 for one in each),
            mean(one.by_importance for one in each),
        )
        rows.append((name, *(f"{value:.3f}" for value in values)))
    return Table(
        "Every architecture on hidden states of toy models",
        "Mean cosine of the represented features and their partners, beside the same for another toy model's features.",
        (
            "dictionary",
            "mean cosine",
            "control",
            "found at .9",
            "variance explained",
            "L0",
            "rank correlation with importance",
        ),
        tuple(rows),
    )


def _by_importance(runs: Runs) -> Curves:
    """The mean cosine of features by their place, in quarters of the features."""
    lines = []
    for name in ("l1_untied", "l1_tied", "topk", "matryoshka"):
        quarters = [torch.stack([part.mean() for part in one.matched.tensor_split(4)]) for one in runs.by_name()[name]]
        lines.append(Line(name, (1, 2, 3, 4), tuple(torch.stack(quarters).nanmean(0).tolist())))
    control = [torch.stack([part.mean() for part in one.control.tensor_split(4)]) for one in runs.by_name()["topk"]]
    return Curves(
        "Found, by importance",
        "The mean cosine of a feature and its partner in each quarter of the features, from the most important; the "
        "control is topk against another toy model's features.",
        "quarter of the features, from the most important (1)",
        "mean cosine",
        (
            *lines,
            Line(
                "another model's features",
                (1, 2, 3, 4),
                tuple(torch.stack(control).nanmean(0).tolist()),
                role="control",
            ),
        ),
    )
