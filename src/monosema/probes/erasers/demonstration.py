"""Two discrete predictors: one projection makes two classes inseparable for every linear probe, and no more than that.

    class 1    x_0 in (-1, -.5, 0, .5, 1) with probabilities (0, .1, .2, .3, .4),   x_1 (0, .05, .05, .1, .8)
    class 0    x_0 (.6, .2, .1, .1, 0),                                             x_1 (.3, .3, .3, .1, 0)

No language model is in it. The rows are drawn by class, as many of each; every eraser is fitted on them, and logistic
regression on what it leaves of them. A look-up table of the erased rows, scored on rows drawn anew, says what is
still there.
"""

from dataclasses import dataclass
from statistics import mean, stdev

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.exhibits import Curves, Exhibit, Line, Panel, Points, Scatter, Table, on_shared_axes
from monosema.core.findings import Finding, short
from monosema.core.seeding import generator
from monosema.evaluation.stability import students_t
from monosema.probes.erasers.configs import (
    EraserConfig,
    InlpConfig,
    LeaceConfig,
    MeanDifferenceConfig,
    TwoPredictorsConfig,
)
from monosema.probes.erasers.eraser import Eraser
from monosema.probes.erasers.fitting import fit_eraser
from monosema.probes.erasers.readers import by_neighbours
from monosema.probes.erasers.regression import regress

VALUES = (-1.0, -0.5, 0.0, 0.5, 1.0)
LAW = (
    ((0.6, 0.2, 0.1, 0.1, 0.0), (0.3, 0.3, 0.3, 0.1, 0.0)),
    ((0.0, 0.1, 0.2, 0.3, 0.4), (0.0, 0.05, 0.05, 0.1, 0.8)),
)
"""By class and predictor, the probability of each of VALUES."""

QUESTION = "Does erasing the difference of means remove what a linear probe reads?"
SENTENCE = "This is a fact of linear algebra, not of language models: there is no model in it."
BEFORE, MEAN, LEACE, STEP = "before", "mean projection", "LEACE", "one step of logistic regression"


@dataclass(frozen=True)
class Trial:
    """What logistic regression made of the rows of one seed: accuracy on them, largest coefficient, largest gap of
    the class means; and the accuracy on new rows of a look-up among them."""

    accuracy: float
    coefficient: float
    gap: float
    looked_up: float


def two_predictors(config: TwoPredictorsConfig) -> Exhibit:
    """Draw, erase, fit again; the same config gives the same exhibit."""
    trials = _trials(config, config.rows)
    found = _findings(trials)
    by_size = {n: trials if n == config.rows else _trials(config, n) for n in sorted({*config.sizes, config.rows})}
    panels: tuple[Panel, ...] = (_by_method(trials), *_scatters(config), _by_size(by_size))
    how = (
        f"{config.seeds} seeds of {config.rows} rows a class; logistic regression by L-BFGS in float64 on centred "
        f"rows, ridge {short(config.ridge)}, scored on the rows it was fitted on; the look-up is the majority of "
        f"{config.neighbours} nearest neighbours, on as many rows drawn anew"
    )
    return Exhibit("two_predictors", QUESTION, _answer(trials, found), panels, found, config, how)


def drawn(n: int, seed: int, *purpose: str) -> tuple[Float64[Tensor, "rows 2"], Int64[Tensor, "rows"]]:
    """n rows of each class and their labels, class 0 first."""
    random = generator(seed, "two predictors", *purpose)
    values = torch.tensor(VALUES, dtype=torch.float64)
    law = torch.tensor(LAW, dtype=torch.float64)
    classes = [torch.stack([values[torch.multinomial(p, n, True, generator=random)] for p in each], 1) for each in law]
    return torch.cat(classes), torch.arange(2).repeat_interleave(n)


def erasers(x: Float64[Tensor, "rows 2"], z: Int64[Tensor, "rows"], ridge: float) -> dict[str, Eraser]:
    """The three erasers that are compared, by name."""
    configs: dict[str, EraserConfig] = {
        MEAN: MeanDifferenceConfig(),
        LEACE: LeaceConfig(),
        STEP: InlpConfig(steps=1, ridge=ridge),
    }
    return {name: fit_eraser(config, x, z) for name, config in configs.items()}


def _trials(config: TwoPredictorsConfig, n: int) -> dict[str, list[Trial]]:
    trials: dict[str, list[Trial]] = {name: [] for name in (BEFORE, MEAN, LEACE, STEP)}
    for i in range(config.seeds):
        x, z = drawn(n, config.seed + i, "fitted")
        new, z_new = drawn(n, config.seed + i, "new")
        fitted = erasers(x, z, config.ridge)
        for name, each in trials.items():
            rows, new_rows = (x, new) if name == BEFORE else (fitted[name](x), fitted[name](new))
            regression = regress(rows, z, config.ridge)
            each.append(
                Trial(
                    _share(regression.predict(rows) == z),
                    float(regression.W.abs().max()),
                    float((rows[n:].mean(0) - rows[:n].mean(0)).abs().max()),
                    _share(by_neighbours(rows, z, new_rows, config.neighbours) == z_new),
                )
            )
    return trials


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())


def _over_seeds(name: str, values: list[float], control: float, control_is: str) -> Finding:
    """The mean with the 95% interval of Student's t."""
    middle = mean(values)
    half = students_t(len(values) - 1) * stdev(values) / len(values) ** 0.5
    return Finding(name, middle, control, control_is, middle - half, middle + half, len(values), "seeds")


def _findings(trials: dict[str, list[Trial]]) -> dict[str, Finding]:
    keys = {BEFORE: "before", MEAN: "mean_projection", LEACE: "leace", STEP: "one_step"}
    found = {
        keys[name]: _over_seeds(f"accuracy, {name}", [t.accuracy for t in each], 0.5, "the commonest class")
        for name, each in trials.items()
    }
    looked_up = [t.looked_up for t in trials[MEAN]]
    found["looked_up"] = _over_seeds(
        "accuracy of a look-up on new rows, mean projection", looked_up, 0.5, "the commonest class"
    )
    return found


def _answer(trials: dict[str, list[Trial]], found: dict[str, Finding]) -> tuple[str, ...]:
    gap, coefficient = (max(getattr(t, what) for t in trials[MEAN]) for what in ("gap", "coefficient"))
    return (
        f"Yes, all of it. Logistic regression is right on {found['before'].value:.3f} of the rows before, and on "
        f"{found['mean_projection'].value:.3f} after the mean projection: over {found['before'].n} seeds its largest "
        f"coefficient is {short(coefficient)} and the largest gap between class means {short(gap)}. LEACE leaves "
        f"{found['leace'].value:.3f}.",
        SENTENCE
        + " Where two classes have the same mean, the best constant is the best linear probe by any convex loss; "
        "so that a probe fails after its class means were made equal says nothing of how a model represents anything.",
        "Projecting out the direction that logistic regression found is something else: class means stay up to "
        f"{short(max(t.gap for t in trials[STEP]))} apart, and the next regression scores {found['one_step']}.",
        f"What is not linear still reads it: a look-up among the erased rows is right on {found['looked_up']} of rows "
        "drawn anew.",
    )


def _by_method(trials: dict[str, list[Trial]]) -> Table:
    rows = []
    for name, each in trials.items():
        values = (
            f"{mean(t.accuracy for t in each):.3f}",
            f"{min(t.accuracy for t in each):.3f}..{max(t.accuracy for t in each):.3f}",
            short(max(t.coefficient for t in each)),
            short(max(t.gap for t in each)),
            f"{mean(t.looked_up for t in each):.3f}",
        )
        rows.append((name, *values))
    erased, looked_up = trials[MEAN] + trials[LEACE], mean(t.looked_up for t in trials[MEAN])
    says = (
        "After the mean projection and after LEACE no coefficient is above "
        f"{short(max(t.coefficient for t in erased))} and no seed scores more than "
        f"{short(max(t.accuracy for t in erased))}; the look-up of new rows, which is not linear, "
        f"goes from {mean(t.looked_up for t in trials[BEFORE]):.3f} to {looked_up:.3f}."
    )
    heads = ("rows", "accuracy", "lowest..highest", "largest coefficient", "largest gap of means", "look-up, new rows")
    return Table("Logistic regression before and after", says, heads, tuple(rows))


def _scatters(config: TwoPredictorsConfig) -> tuple[Scatter, ...]:
    """The rows of the first seed before and after, a little scattered where many are at one place."""
    x, z = drawn(config.rows, config.seed, "fitted")
    fitted = erasers(x, z, config.ridge)
    shaken = 0.04 * torch.randn(x.shape, generator=generator(config.seed, "shaken"), dtype=torch.float64)
    says = {
        BEFORE: "The classes lie in opposite corners; points are scattered a little so that equal ones can be seen.",
        MEAN: "All rows are on one line, and the means of the two classes on it are the same.",
        LEACE: "All rows are on a line through the mean, the one to which they move least; class means are the same.",
    }
    panels = []
    for name, sentence in says.items():
        rows = (x if name == BEFORE else fitted[name](x)) + shaken
        columns = {c: rows[z == c].T.tolist() for c in (0, 1)}
        points = [Points(f"class {c}", tuple(first), tuple(second)) for c, (first, second) in columns.items()]
        title = f"Rows: {name}" if name == BEFORE else f"Rows after {name}"
        panels.append(Scatter(title, sentence, "first predictor", "second predictor", tuple(points)))
    return on_shared_axes(*panels)


def _by_size(trials: dict[int, dict[str, list[Trial]]]) -> Curves:
    sizes = tuple(trials)
    lines = []
    for name in (BEFORE, MEAN, LEACE, STEP):
        values = [[t.accuracy for t in trials[n][name]] for n in sizes]
        lines.append(
            Line(
                name, sizes, tuple(map(mean, values)), tuple(map(min, values)), tuple(map(max, values)), role="measured"
            )
        )
    lines.append(Line("commonest class", sizes, (0.5,) * len(sizes), role="control"))
    steps = [mean(t.accuracy for t in trials[n][STEP]) for n in sizes]
    erased = [t.accuracy for n in sizes for name in (MEAN, LEACE) for t in trials[n][name]]
    says = (
        f"Mean projection and LEACE are between {short(min(erased))} and {short(max(erased))} at every number of rows. "
        f"One step of logistic regression leaves {steps[0]:.3f} with {sizes[0]} rows and {steps[-1]:.3f} with "
        f"{sizes[-1]:,}; bands are lowest and highest of the seeds."
    )
    return Curves("Accuracy by the number of rows", says, "rows of each class", "accuracy", tuple(lines), log_x=True)
