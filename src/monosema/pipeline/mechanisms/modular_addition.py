"""The mechanism of modular addition: trained, measured, and told."""

from collections.abc import Sequence

from monosema.core.exhibits import Exhibit
from monosema.pipeline.mechanisms import claims
from monosema.pipeline.mechanisms.modular_claims import CLAIMS
from monosema.pipeline.mechanisms.modular_panels import listed, pictures
from monosema.pipeline.mechanisms.modular_study import Studied, studied
from monosema.pipeline.mechanisms.settings import ModularConfig

WORDS = (
    "In words, as far as the claims hold: each number lies on a few circles, turned by a fixed angle per unit. '=' "
    "looks at the two numbers by where they stand on the circles; MLP neurons, each on one circle, turn that into the "
    "cosine and sine of the sum's angle; the unembedding gives every answer c a wave on each circle that is highest at "
    "the sum. Only there do the crests of all waves meet."
)


def modular_addition(config: ModularConfig) -> Exhibit:
    """Train the models, measure every claim in each, and show the first."""
    models = [studied(config.of(config.seed + i)) for i in range(config.models)]
    runs = [one.measured for one in models]
    seeds = [one.seed for one in models]
    by_model = (claims.by_model(CLAIMS, runs, seeds),) if len(models) > 1 else ()
    return Exhibit(
        name="modular_addition",
        question="How does a small transformer add modulo a number?",
        answer=(_learnt(config, models), claims.said(CLAIMS, runs), WORDS, _formula(models)),
        panels=(claims.table(CLAIMS, runs), *by_model, *pictures(models[0])),
        findings={claim.name: claims.pooled(claim, runs) for claim in CLAIMS},
        settings=config,
        how=(
            f"One layer without norms, {config.steps:,} full-batch steps on {config.share:.0%} of all pairs modulo "
            f"{config.modulus}; {len(models)} model{'s' if len(models) > 1 else ''}. Key frequencies are read off the "
            "embedding, amplitudes are fitted on the pairs trained on, and every accuracy is of the others. The panels "
            f"show seed {seeds[0]}."
        ),
        command="mechanism modular_addition",
    )


def _learnt(config: ModularConfig, models: Sequence[Studied]) -> str:
    told = [f"{listed(one.keys)} (seed {one.seed})" for one in models]
    right = claims.span([one.accuracy for one in models], ".1%")
    beside = claims.span([one.heart_accuracy for one in models], ".1%")
    return (
        f"Sums of unseen pairs modulo {config.modulus}: {right} right. Of {(config.modulus - 1) // 2} frequencies the "
        f"key ones are: {'; '.join(told)}. The control, the same model when it knew by heart the pairs it was shown, "
        f"had {beside} of the others right."
    )


def _formula(models: Sequence[Studied]) -> str:
    runs = [one.measured for one in models]
    by_name = {claim.name: claims.pooled(claim, runs) for claim in CLAIMS}
    clean, apart, answers, rest, wrong, alone = (
        by_name[name].value
        for name in (
            "logits_are_cosines",
            "circles_disagree_logits",
            "circles_disagree_answers",
            "others_go_on",
            "errors_foretold",
            "circles_vote_alone",
        )
    )
    return (
        f"Written as a formula with one number a circle, this explains {clean:.1%} of the logits' variance; "
        f"{apart:.1%} where each circle is turned on its own, and it gives {answers:.1%} of the answers there. With "
        f"one circle taken out the formula would stay right, but the model is right on {alone:.1%}. One vector for "
        f"each missing circle, the same for all pairs, and the formula explains {rest:.1%} of those logits' variance, "
        f"and gives {wrong:.1%} of the wrong answers."
    )
