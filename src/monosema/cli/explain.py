"""`monosema explain`: explanations of features, and what they are worth beside a control."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from monosema.cli.showing import Grid, Outcome
from monosema.core.config import require, to_json
from monosema.core.errors import ConfigError
from monosema.core.runs import open_run
from monosema.features.explaining.config import KEY_VARIABLE, EndpointConfig, ExplainConfig, Score

if TYPE_CHECKING:
    from monosema.features.explaining.consulting import Estimate
    from monosema.features.explaining.explaining import Explained
    from monosema.features.explaining.results import Line


@dataclass(frozen=True)
class By:
    """Who explains, besides n-grams, tokens and TF-IDF, which need no language model."""

    base_url: str = ""
    """A server that speaks OpenAI's protocol, such as http://127.0.0.1:8000/v1."""
    model: str = ""
    """The model's name there."""
    score: UseAppendAction[tuple[Score, ...]] = ()
    """What its explanations are scored by; again for several. Default: detection and fuzzing."""
    embedding: str = ""
    """A model of its /embeddings, for the embedding score. Default: words."""
    key_variable: str = KEY_VARIABLE
    """Environment variable that holds the key, which is written nowhere."""
    asked_control: int = 20
    """Features of the control, and of shuffled explanations, that it is asked about."""
    concurrency: int = 8
    """Questions at once."""
    timeout: float = 120.0
    """Seconds for one answer."""
    price_in: float | None = None
    """Price of a million tokens of prompt."""
    price_out: float | None = None
    """Price of a million tokens of answers."""


@dataclass(frozen=True)
class Arguments:
    """Explain features of RUN's tables, and score the explanations on documents they were not made from.

    Without --base-url nothing leaves this machine. Each score stands beside the same on the randomised model and
    beside that of another feature's explanation. Answers are kept as they come: a killed command goes on when
    repeated, and a question that failed is asked again.
    """

    run: Positional[Path]
    """Run directory with feature tables."""
    names: UseAppendAction[tuple[str, ...]] = ()
    """Which dictionaries; again for several. Default: every one with a table."""
    feature: UseAppendAction[tuple[int, ...]] = ()
    """These features alone; again for several. Default: a draw."""
    n_features: int = 100
    """Features drawn."""
    n_control: int = 100
    """Features of the control's dictionary drawn."""
    n_windows: int = 50
    """Windows of each kind that a score is made from."""
    n_examples: int = 20
    """Windows that the endpoint explains from."""
    n_least: int = 5
    """Windows of each kind that a feature must have."""
    seed: int = 0
    """Of everything that is random."""
    no_control: FlagCreatePairsOff[bool] = False
    """Do without the randomised model; what is found says so."""
    by: Annotated[By, arg(name="")] = field(default_factory=By)
    yes: FlagCreatePairsOff[bool] = False
    """Ask the endpoint without waiting for a yes to the cost."""
    dry_run: FlagCreatePairsOff[bool] = False
    """Show the cost and stop."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Draw, show the cost, explain, score, and show every score beside its control."""
    a = arguments
    endpoint = _endpoint(a.by)
    require(not a.dry_run or bool(endpoint.base_url), "--dry-run shows the cost of an endpoint: give --base-url")
    if endpoint.base_url:
        endpoint.key()
    config = ExplainConfig(a.n_features, a.n_control, tuple(a.feature), a.n_windows, a.n_examples, a.n_least, a.seed)
    run = open_run(a.run)
    from monosema.pipeline.explain_stage import Chosen, estimated, explain_stage, prepared

    chosen = Chosen(tuple(a.names), config, endpoint, not a.no_control)
    work = prepared(run, chosen)
    estimate = estimated(work)
    if estimate is not None:
        said = _cost(estimate, endpoint)
        if a.dry_run:
            return Outcome((), "", {"estimate": _estimate_json(estimate, endpoint)}, tuple(said))
        print("\n".join(said), file=sys.stderr, flush=True)
        _agreed(a, estimate)
    found = explain_stage(run, chosen, work)
    return Outcome(
        wrote=tuple(work[name].folder / "explanations.json" for name in found),
        next=f"monosema dash {a.run}",
        result={name: _result(explained, endpoint) for name, explained in found.items()},
        shown=tuple(item for name, explained in found.items() for item in _shown(name, explained, endpoint)),
    )


def _endpoint(by: By) -> EndpointConfig:
    return EndpointConfig(
        base_url=by.base_url,
        model=by.model,
        scores=tuple(dict.fromkeys(by.score)) or ("detection", "fuzzing"),
        embedding=by.embedding,
        key_variable=by.key_variable,
        n_control=by.asked_control,
        concurrency=by.concurrency,
        timeout=by.timeout,
        price_in=by.price_in,
        price_out=by.price_out,
    )


def _cost(estimate: "Estimate", endpoint: EndpointConfig) -> list[str]:
    """The cost in words, by part."""
    total = estimate.total
    lines = [
        f"  {part}: {cost.calls:,} calls, about {cost.prompt_tokens:,} tokens of prompt and "
        f"{cost.completion_tokens:,} of answers"
        for part, cost in estimate.parts.items()
    ]
    price = total.price(endpoint.price_in, endpoint.price_out)
    costs = "" if price is None else f", about {price:,.2f} at the prices given"
    there = f"; {estimate.n_answered:,} answers are there already" if estimate.n_answered else ""
    return [
        f"{endpoint.model} at {endpoint.base_url} will be asked",
        *lines,
        f"together {total.calls:,} calls, about {total.prompt_tokens:,} tokens of prompt and "
        f"{total.completion_tokens:,} of answers{costs}{there}",
    ]


def _agreed(a: Arguments, estimate: "Estimate") -> None:
    """Raise ConfigError unless the cost was agreed to."""
    if a.yes or not estimate.total.calls:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to agree to the cost: repeat with --yes, or see it with --dry-run")
    print("go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigError("stopped before anything was asked")


def _shown(name: str, explained: "Explained", endpoint: EndpointConfig) -> list[Any]:
    said: list[Any] = [
        f"{name}: {explained.n_features:,} features explained, {explained.n_control:,} of the control's",
        *(f"feature {feature} is left out: {why}" for feature, why in explained.left_out.items()),
        _grid(explained.lines),
    ]
    apart = [f"{line.explainer} {line.score}" for line in explained.lines if line.tells_apart]
    if explained.n_control:
        said.append(f"higher than on the control, beyond chance: {', '.join(apart) or 'none'}")
    if explained.asked is not None and explained.estimate is not None:
        said += _asked(explained, endpoint)
    return said


def _asked(explained: "Explained", endpoint: EndpointConfig) -> list[str]:
    """What the endpoint was asked in the end, beside the estimate."""
    assert explained.asked is not None and explained.estimate is not None, "there is an endpoint"
    spent, total = explained.asked.spent, explained.estimate.total
    price = spent.price(endpoint.price_in, endpoint.price_out)
    said = [
        f"asked {spent.calls:,} calls (estimate {total.calls:,}), {spent.prompt_tokens:,} tokens of prompt "
        f"({total.prompt_tokens:,}), {spent.completion_tokens:,} of answers ({total.completion_tokens:,})"
        + ("" if price is None else f", {price:,.2f} at the prices given")
    ]
    if explained.asked.n_failed:
        n = explained.asked.n_failed
        said.append(f"{n:,} features failed and have no score: repeat the command to ask again only what failed")
    return said


def _grid(lines: "Sequence[Line]") -> Grid:
    headings = ("explainer", "score", "value", "95%", "control", "95%", "shuffled", "features", "failed")
    rows = [
        [
            line.explainer,
            line.score,
            _number(line.finding.value),
            _range(line.finding.low, line.finding.high),
            _number(line.finding.control),
            _range(line.control_low, line.control_high),
            _number(line.shuffled),
            f"{line.finding.n:,}",
            f"{line.n_failed:,}",
        ]
        for line in lines
    ]
    return Grid(headings, rows, frozenset(headings[2:]))


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.3f}"


def _range(low: float, high: float) -> str:
    return "" if low != low or high != high else f"{low:.3f}..{high:.3f}"


def _estimate_json(estimate: "Estimate", endpoint: EndpointConfig) -> dict[str, Any]:
    total = estimate.total
    return {
        "total": to_json(total),
        "parts": {part: to_json(cost) for part, cost in estimate.parts.items()},
        "answered": estimate.n_answered,
        "price": total.price(endpoint.price_in, endpoint.price_out),
    }


def _result(explained: "Explained", endpoint: EndpointConfig) -> dict[str, Any]:
    found: dict[str, Any] = {
        "n_features": explained.n_features,
        "n_control": explained.n_control,
        "left_out": {str(feature): why for feature, why in explained.left_out.items()},
        "lines": [to_json(line) for line in explained.lines],
    }
    if explained.asked is not None and explained.estimate is not None:
        spent = explained.asked.spent
        found["estimate"] = _estimate_json(explained.estimate, endpoint)
        found["asked"] = to_json(spent)
        found["price"] = spent.price(endpoint.price_in, endpoint.price_out)
        found["n_failed"] = explained.asked.n_failed
    return found
