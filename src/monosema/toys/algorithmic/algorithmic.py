"""The experiment `algorithmic`: how much of each task a small transformer learns, beside what knows nothing."""

from dataclasses import dataclass, replace

from jaxtyping import Int64
from torch import Tensor, nn

from monosema.core.exhibits import Curves, Exhibit, Line, Table
from monosema.core.findings import Finding, short
from monosema.core.seeding import generator
from monosema.toys.algorithmic.algorithmic_config import AlgorithmicConfig
from monosema.toys.algorithmic.grading import accuracy, answers, commonest, whole
from monosema.toys.algorithmic.grokking import Grokked, first_above, grok
from monosema.toys.algorithmic.learning import Learnt, learn, untrained
from monosema.toys.algorithmic.recipes import RECIPES, Recipe
from monosema.toys.algorithmic.tasks import TASKS, Task
from monosema.toys.intervals import share

N_COUNTED = 4000
"""Drawn sequences on which the commonest answers are counted."""

CONTROLS = {
    "majority": "the commonest answer at each position",
    "shuffled": "the same model trained on answers of other sequences",
    "untrained": "the same model untrained",
}


@dataclass(frozen=True)
class Scores:
    """A trained model's accuracy with its interval, whole sequences right, and the controls' accuracies."""

    task: Task
    recipe: Recipe
    learnt: Learnt
    value: float
    low: float
    high: float
    whole: float
    controls: dict[str, float]
    example: tuple[str, str, str]

    @property
    def best_control(self) -> str:
        """The control that does best, by its key."""
        return max(self.controls, key=self.controls.__getitem__)


def algorithmic(config: AlgorithmicConfig) -> Exhibit:
    """Train every task, its controls, and modular addition with its own."""
    scores = [scored(config, name) for name in config.tasks]
    runs = {
        "true": grok(config.grok),
        "shuffled": grok(config.grok, "shuffled"),
        "no decay": grok(replace(config.grok, weight_decay=0.0)),
    }
    found = {s.task.name: _finding(s, config.n_test) for s in scores} | _grok_findings(config, runs)
    return Exhibit(
        name="algorithmic",
        question="Which algorithmic tasks does a small transformer learn, beside what knows nothing?",
        answer=(_learnt_said(scores), _controls_said(scores), _grok_said(config, found, runs)),
        panels=(_accuracies(scores), _losses(scores), _grokking(config, runs), _examples(scores)),
        findings=found,
        settings=config,
        how=(
            f"Fresh sequences at every step, {config.steps_share:g} of the steps of each recipe; {config.n_test:,} "
            "fresh sequences are asked. Accuracy is per position asked, its interval over sequences. Modular addition: "
            f"the whole of {config.grok.share:g} of all pairs at every step, for {config.grok.steps:,} steps."
        ),
    )


def scored(config: AlgorithmicConfig, name: str) -> Scores:
    """A task's model and its controls, asked the same sequences."""
    task, recipe = TASKS[name](), RECIPES[name]
    recipe = replace(recipe, steps=max(1, round(config.steps_share * recipe.steps)))
    learnt = learn(task, recipe, "true", config.seed)
    tokens = task.draw(config.n_test, generator(config.seed, "test", name))
    targets = task.solve(tokens)

    def of(given: Int64[Tensor, "n seq"]) -> tuple[float, float, float]:
        return accuracy(given, targets, generator(config.seed, "interval", name))

    def by(module: nn.Module) -> float:
        return of(answers(module, tokens))[0]

    given = answers(learnt.module, tokens)
    counted = task.solve(task.draw(N_COUNTED, generator(config.seed, "counted", name)))
    controls = {
        "majority": of(commonest(counted, tokens))[0],
        "shuffled": by(learn(task, recipe, "shuffled", config.seed).module),
        "untrained": by(untrained(task, recipe, config.seed)),
    }
    asked = targets[0] >= 0
    example = (task.decode(tokens[0]), task.decode(targets[0][asked]), task.decode(given[0][asked]))
    return Scores(task, recipe, learnt, *of(given), whole(given, targets), controls, example)


def _finding(s: Scores, n: int) -> Finding:
    best = s.best_control
    return Finding(s.task.name, s.value, s.controls[best], CONTROLS[best], s.low, s.high, n, "sequences")


def _grok_findings(config: AlgorithmicConfig, runs: dict[str, Grokked]) -> dict[str, Finding]:
    pairs = config.grok.modulus**2
    n = pairs - round(config.grok.share * pairs)
    true, shuffled = runs["true"], runs["shuffled"]
    known = first_above(true.steps, true.train)
    at = true.steps.index(known) if known is not None else -1
    of_it, beside = "pairs not trained on", "the same training on sums dealt out anew"
    return {
        "modular_addition": share("modular_addition", round(true.test[-1] * n), n, shuffled.test[-1], beside, of_it),
        "modular_addition_once_known_by_heart": share(
            "modular_addition_once_known_by_heart", round(true.test[at] * n), n, shuffled.test[-1], beside, of_it
        ),
        "modular_addition_without_decay": share(
            "modular_addition_without_decay", round(runs["no decay"].test[-1] * n), n, shuffled.test[-1], beside, of_it
        ),
    }


def _learnt_said(scores: list[Scores]) -> str:
    named = sorted(scores, key=lambda s: s.value, reverse=True)
    listed = ", ".join(f"{s.task.name.replace('_', ' ')} {s.value:.1%}" for s in named)
    full = [s.task.name.replace("_", " ") for s in named if s.value >= 0.99]
    return f"Accuracy per position asked, on fresh sequences: {listed}. At 99% or more: {', '.join(full) or 'none'}."


def _controls_said(scores: list[Scores]) -> str:
    clear = [s for s in scores if s.low > max(s.controls.values())]
    rest = [s.task.name.replace("_", " ") for s in scores if s not in clear]
    most = max(scores, key=lambda s: s.controls[s.best_control])
    return (
        f"{len(clear)} of {len(scores)} tasks are clear of all three controls (the commonest answer, a model trained "
        "on answers of other sequences, the untrained model)"
        + (f"; not {', '.join(rest)}" if rest else "")
        + f". The highest control is {most.controls[most.best_control]:.1%}, on {most.task.name.replace('_', ' ')}: "
        f"{CONTROLS[most.best_control]}."
    )


def _grok_said(config: AlgorithmicConfig, found: dict[str, Finding], runs: dict[str, Grokked]) -> str:
    true = runs["true"]
    heart, rule = first_above(true.steps, true.train), first_above(true.steps, true.test)
    end, shuffled = found["modular_addition"], runs["shuffled"]
    begun = (
        f"knows the pairs it was shown by step {heart:,}, when it gets "
        f"{found['modular_addition_once_known_by_heart'].value:.0%} of the others right"
        if heart is not None
        else "does not come to know the pairs it was shown"
    )
    reached = f"above 99% from step {rule:,}" if rule is not None else f"{end.value:.1%} at the end"
    return (
        f"Modular addition (modulo {config.grok.modulus}, {config.grok.share:.0%} of all pairs): the model {begun}; of "
        f"the others it gets {reached}. Without weight decay it ends at "
        f"{found['modular_addition_without_decay'].value:.1%}. On sums dealt out anew it knows "
        f"{shuffled.train[-1]:.0%} of what it was shown and {shuffled.test[-1]:.1%} of the others; chance is "
        f"{1 / config.grok.modulus:.1%}."
    )


def _accuracies(scores: list[Scores]) -> Table:
    rows = tuple(
        (
            s.task.name.replace("_", " "),
            f"{s.value:.1%} ({s.low:.1%} .. {s.high:.1%})",
            f"{s.whole:.1%}",
            *(f"{s.controls[key]:.1%}" for key in CONTROLS),
            f"{s.recipe.steps:,} x {s.recipe.batch_size}",
            f"{sum(p.numel() for p in s.learnt.module.parameters()):,}",
        )
        for s in scores
    )
    return Table(
        "Accuracy by task",
        "The model's answers beside three controls: the commonest answer at each position, the same model trained on "
        "answers of other sequences, the model before training.",
        ("task", "right, 95% interval", "whole sequences", *CONTROLS, "steps x sequences", "parameters"),
        rows,
    )


def _losses(scores: list[Scores]) -> Curves:
    lines = [Line(s.task.name.replace("_", " "), s.learnt.steps, s.learnt.losses) for s in scores]
    last = {s.task.name: s.learnt.losses[-1] for s in scores}
    least = min(last, key=last.__getitem__)
    return Curves(
        "Loss by step",
        f"Each task falls in its own time; the least loss at the end is that of {least.replace('_', ' ')}, "
        f"{short(last[least])} nats.",
        "step",
        "nats per answer",
        tuple(lines),
        log_y=True,
    )


def _grokking(config: AlgorithmicConfig, runs: dict[str, Grokked]) -> Curves:
    true, shuffled, bare = runs["true"], runs["shuffled"], runs["no decay"]
    ends = (true.steps[0], true.steps[-1])
    return Curves(
        "Modular addition",
        f"Pairs it was shown, and the others: by heart first, by rule later. The others end at {true.test[-1]:.0%}, "
        f"on sums dealt out anew at {shuffled.test[-1]:.0%}.",
        "step",
        "share of sums right",
        (
            Line("shown", true.steps, true.train),
            Line("not shown", true.steps, true.test),
            Line("not shown, no weight decay", bare.steps, bare.test),
            Line("not shown, sums dealt out anew", shuffled.steps, shuffled.test, role="control"),
            Line("chance", ends, (1 / config.grok.modulus,) * 2, role="theory"),
        ),
    )


def _examples(scores: list[Scores]) -> Table:
    return Table(
        "One sequence of each task",
        "What is asked, one drawn sequence, the right answers and the model's.",
        ("task", "asked", "sequence", "right", "the model's"),
        tuple((s.task.name.replace("_", " "), s.task.asks, *s.example) for s in scores),
    )
