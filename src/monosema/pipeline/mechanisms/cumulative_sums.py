"""The mechanism of cumulative sums: trained, measured, and told."""

from collections.abc import Sequence

from monosema.core.exhibits import Exhibit
from monosema.pipeline.mechanisms import claims
from monosema.pipeline.mechanisms.cumulative_claims import CLAIMS
from monosema.pipeline.mechanisms.cumulative_panels import pictures
from monosema.pipeline.mechanisms.cumulative_study import Counted, counted
from monosema.pipeline.mechanisms.settings import CumulativeConfig

WORDS = (
    "In words, as far as the claims hold: the first layer's heads look at all steps so far alike, and so add their "
    "mean, S / n, along one direction. The MLPs, which see the position too, answer by it: level in a zone around 0 at "
    "even positions, nowhere at odd ones, where a sum cannot be level; otherwise above or below by its sign. The "
    "second layer's attention is not used."
)


def cumulative_sums(config: CumulativeConfig) -> Exhibit:
    """Train the models, measure every claim in each, and show the first."""
    models = [counted(config, config.seed + i) for i in range(config.models)]
    runs = [one.measured for one in models]
    seeds = [one.seed for one in models]
    by_model = (claims.by_model(CLAIMS, runs, seeds),) if len(models) > 1 else ()
    return Exhibit(
        name="cumulative_sums",
        question="How does a small transformer keep count?",
        answer=(_learnt(models), claims.said(CLAIMS, runs), WORDS, _rule(runs)),
        panels=(claims.table(CLAIMS, runs), *by_model, *pictures(models[0])),
        findings={claim.name: claims.pooled(claim, runs) for claim in CLAIMS},
        settings=config,
        how=(
            f"Two layers of four heads, {config.steps:,} steps on fresh sequences; {len(models)} "
            f"model{'s' if len(models) > 1 else ''}. Every number is of {config.n_sequences:,} fresh sequences; the "
            f"direction and the lines are fitted on others. The panels show seed {seeds[0]}."
        ),
        command="mechanism cumulative_sums",
    )


def _learnt(models: Sequence[Counted]) -> str:
    right = claims.span([one.accuracy for one in models], ".2%")
    return f"Below, level or above, at every position of fresh sequences: {right} right."


def _rule(runs: Sequence[claims.Measured]) -> str:
    by_name = {claim.name: claims.pooled(claim, runs) for claim in CLAIMS}
    between, made_up, wrong, own, midway = (
        by_name[name].value
        for name in (
            "counts_between",
            "made_up_attention",
            "errors_foretold",
            "errors_foretold_by_its_lines",
            "midway",
        )
    )
    return (
        f"The rule, written down, gives {between:.1%} of the model's answers to counts that cannot occur, and "
        f"{made_up:.1%} under made-up attention; of its errors there {wrong:.1%}, and {own:.1%} with the model's own "
        f"lines, which are off by {midway:.2f} of a step from midway."
    )
