"""Scores of dictionaries, each beside its control.

    score, Control, ScoreConfig      every metric of every dictionary -> Scorecard
    METRICS, Metric, ScoreBatch      one class a metric; score_codes for activations without a model
    Scorecard, frontier              plain values for files and pages
    prune, PruneConfig, PruneStudy   kill frequent features, and compare at the same L0
    score_together, Together         dictionaries that replace several sites at once, such as all MLPs
    recover                          against a world whose features are known
    detect, Detection, mean_f1       against a language whose features are known

Names are resolved when they are first used, so that reading a scorecard costs no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.evaluation.batch import Predictions, ScoreBatch
    from monosema.evaluation.config import PruneConfig, ScoreConfig
    from monosema.evaluation.detecting import Detection, detect, mean_f1
    from monosema.evaluation.frontiers import FrontierPoint, frontier
    from monosema.evaluation.measuring import score_codes
    from monosema.evaluation.metric import Metric
    from monosema.evaluation.metrics import METRICS
    from monosema.evaluation.prune_study import PrunePoint, PruneStudy
    from monosema.evaluation.pruning import prune
    from monosema.evaluation.recovery import recover
    from monosema.evaluation.scorecard import Histogram, MetricInfo, Row, Scorecard
    from monosema.evaluation.scoring import Control, score
    from monosema.evaluation.together import score_together
    from monosema.evaluation.together_scores import LayerScore, Together

__all__ = [
    "METRICS",
    "Control",
    "Detection",
    "FrontierPoint",
    "Histogram",
    "LayerScore",
    "Metric",
    "MetricInfo",
    "Predictions",
    "PruneConfig",
    "PrunePoint",
    "PruneStudy",
    "Row",
    "ScoreBatch",
    "ScoreConfig",
    "Scorecard",
    "Together",
    "detect",
    "frontier",
    "mean_f1",
    "prune",
    "recover",
    "score",
    "score_codes",
    "score_together",
]

_HOMES = {
    "METRICS": "metrics",
    "Control": "scoring",
    "Detection": "detecting",
    "FrontierPoint": "frontiers",
    "Histogram": "scorecard",
    "LayerScore": "together_scores",
    "Metric": "metric",
    "MetricInfo": "scorecard",
    "Predictions": "batch",
    "PruneConfig": "config",
    "PrunePoint": "prune_study",
    "PruneStudy": "prune_study",
    "Row": "scorecard",
    "ScoreBatch": "batch",
    "ScoreConfig": "config",
    "Scorecard": "scorecard",
    "Together": "together_scores",
    "detect": "detecting",
    "frontier": "frontiers",
    "mean_f1": "detecting",
    "prune": "pruning",
    "recover": "recovery",
    "score": "scoring",
    "score_codes": "measuring",
    "score_together": "together",
}

__getattr__ = lazily(__name__, _HOMES)
