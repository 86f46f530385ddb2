"""A small run, made up: every kind of row a report can meet, with the worst text a corpus can hold."""

from dataclasses import replace

from monosema.core.findings import Finding
from monosema.dashboard import ReportData
from monosema.evaluation.prune_study import PrunePoint, PruneStudy
from monosema.evaluation.scorecard import HISTOGRAM_EDGES, Histogram, MetricInfo, Scorecard
from monosema.features.rows import (
    Context,
    Detector,
    FeatureRow,
    FeatureSample,
    FeatureStudy,
    LogitEffect,
    LogitEffects,
    SampleConfig,
    ScoredFeature,
    Stratum,
    StudiedDictionary,
    TopToken,
)

REDRAWN = "the same recipe on the model with weights redrawn"

NASTY = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=https://example.org/x onerror=alert(3)>',
    "' onmouseover='alert(4)",
    "<!--",
    "]]>",
    "&lt;b&gt;&amp;",
    "{{ 7 * 7 }}{% raw %}",
    "\x00\x07\x1b",
    "\u202e\u2066\u200f\u061c",
    "\ufffe\uffff",
    "שלום עולם",
    "e\u0301\u0489",
    "👩\u200d👩\u200d👧",
    "\u2028\u2029\x85\ufeff\u200b",
    "\r\n\t   x",
    "javascript:alert(5)",
)
"""Tokens that would be markup, or move the page's own text, if they were taken for more than text."""


HALF = "\ud800"
"""Half a character: no corpus holds it, but the name of a folder can."""


def finding(name: str, value: float, control: float | None, spread: float = 0.02, unit: str = "documents") -> Finding:
    is_ = REDRAWN if control is not None else "skipped by the user"
    return Finding(name, value, control, is_, value - spread, value + spread, 64, unit)


INFOS = {
    "mse": MetricInfo("sum |x - y|^2 / (n_tokens * d_out)", "squared activation per coordinate", "lower"),
    "variance_explained": MetricInfo("1 - sum |x - y|^2 / sum |x - mean(x)|^2", "fraction, at most 1", "higher"),
    "l0": MetricInfo("mean over tokens of the number of features with f != 0", "features per token", "lower"),
    "loss_recovered_zero": MetricInfo("(zero - spliced) / (zero - model)", "fraction", "higher"),
    "loss_recovered_mean": MetricInfo("(mean - spliced) / (mean - model)", "fraction", "higher"),
    "new_metric": MetricInfo("whatever is added later", "furlongs", "neither"),
}


def scorecard(names: tuple[str, ...] = ("l1", "topk32")) -> Scorecard:
    findings = {
        name: {
            "mse": finding("mse", 0.0123 + i / 100, 0.5),
            "variance_explained": finding("variance_explained", 0.91 - i / 10, 0.52 + i / 5),
            "l0": finding("l0", 12.5 + 20.0 * i, 30.25),
            "loss_recovered_zero": finding("loss_recovered_zero", 0.97 - i / 10, -41.5),
            "loss_recovered_mean": finding("loss_recovered_mean", 0.93, 0.92),
            "new_metric": replace(finding("new_metric", float("nan"), None), low=float("nan"), high=float("nan")),
        }
        for i, name in enumerate(names)
    }
    counts = tuple(i % 7 * 3 for i in range(28))
    return Scorecard(
        findings=findings,
        histograms={name: Histogram(HISTOGRAM_EDGES, counts, 5, counts[::-1], 40) for name in names},
        architectures=dict(zip(names, ("l1", "topk") * len(names), strict=False)),
        metrics=INFOS,
        model="tiny",
        control_is=REDRAWN,
        n_tokens=123_456,
        n_documents=64,
        n_outliers=7,
    )


def point(name: str, above: float | None, l0: float, recovered: float, **differences: Finding) -> PrunePoint:
    metrics = {
        "l0": finding("l0", l0, 20.0, 0.5),
        "loss_recovered_zero": finding("loss_recovered_zero", recovered, 0.3),
    }
    random = {
        k: replace(v, value=v.value - 0.1, control=None, control_is="is itself a control") for k, v in metrics.items()
    }
    return PrunePoint(
        name, "l1", above, 0 if above is None else 3, 0.0 if above is None else 1.75, metrics,
        {} if above is None else random, differences,
    )  # fmt: skip


def prune_study() -> PruneStudy:
    difference = replace(
        finding("difference in loss_recovered_zero", 0.0123, -0.02, 0.005), control_is="random features killed"
    )
    return PruneStudy(
        points=(
            point("light", None, 60.0, 0.99),
            point("light", 0.1, 25.0, 0.95, pruned=difference, denser=replace(difference, control=None)),
            point("heavy", None, 15.0, 0.9),
        ),
        metric="loss_recovered_zero",
        metrics=INFOS,
        best=("light", 0.1),
        verdict="yes",
        answer="Yes, pruning a denser dictionary beats a higher penalty at the same L0.",
        model="tiny",
        control_is=REDRAWN,
        n_tokens=5000,
        n_choosing=30,
        n_judging=34,
    )


def context(texts: tuple[str, ...], activations: tuple[float | None, ...], at: int, document: str = "a.py") -> Context:
    return Context(document, 3, 17, at, texts, tuple(range(100, 100 + len(texts))), activations)


def feature(number: int, frequency: float, texts: tuple[str, ...] = ("def", " ", "self", ".x")) -> FeatureRow:
    at = len(texts) // 2
    fires = tuple(2.5 if i == at else (None if i == 0 else 0.0) for i in range(len(texts)))
    weak = tuple(1.0 if i == at else 0.0 for i in range(len(texts)))
    silent = tuple(0.0 for _ in texts)
    return FeatureRow(
        feature=number,
        frequency=frequency,
        n_active=round(frequency * 10_000),
        mean_activation=1.25,
        max_activation=2.5,
        top_token=TopToken(7, texts[at], 0.625),
        detector=Detector("previous token", 9, texts[0], 0.5),
        logits=LogitEffects((LogitEffect(1, texts[at], 3.5), LogitEffect(2, "b", 1.75)), (LogitEffect(3, "c", -2.0),)),
        top=(context(texts, fires, at), context(texts[at:], fires[at:], 0, document="edge <b>.py")),
        active=(context(texts, weak, at),),
        inactive=(context(texts, silent, at),),
    )


def sample(features: tuple[FeatureRow, ...]) -> FeatureSample:
    return FeatureSample(
        fingerprint="0123456789abcdef",
        model_fingerprint="1" * 16,
        corpus_fingerprint="2" * 16,
        reads=("resid_post.2",),
        writes=("resid_post.2",),
        config=SampleConfig(),
        n_tokens=10_000,
        n_documents=64,
        n_features=1024,
        n_dead=12,
        n_eligible=900,
        no_logits="",
        strata=(Stratum(0.1, 1.0, 3, 1), Stratum(0.01, 0.1, 40, 2)),
        features=features,
        scored=(ScoredFeature(1, 0.05, None),),
    )


def studied(name: str, features: tuple[FeatureRow, ...], *, control: bool = True) -> StudiedDictionary:
    f1 = finding("token_f1", 0.41, 0.12 if control else None, unit="features")
    beside = sample((feature(5, 0.02),)) if control else None
    return StudiedDictionary(name, sample(features), beside, REDRAWN if control else "skipped by the user", (f1,))


def run() -> ReportData:
    """A whole run with two dictionaries."""
    features = (feature(1, 0.3), feature(2, 0.05), feature(3, 0.02, NASTY))
    return ReportData(
        title="demo",
        facts=(("model", "tiny, 2 layers"), ("corpus", "stdlib <&>"), ("site", "resid_post.2")),
        stages={
            "score": {
                "command": "monosema score runs/demo",
                "seed": 0,
                "python": "3.11.7",
                "machine": "x86_64, 2 cores",
                "packages": {"torch": "2.13.0"},
                "inputs": {"store": "abcd"},
                "outputs": {"scorecard": "ef01"},
                "finished": "2030-01-01T00:00:00Z",
            }
        },
        scorecard=scorecard(),
        prune=prune_study(),
        features=FeatureStudy((studied("l1", features), studied("topk32", features[:2], control=False))),
    )
