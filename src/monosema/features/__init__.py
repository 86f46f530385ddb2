"""What features look like: a sample of them with contexts, logit effects and numbers, as plain rows.

    dictionary, model, tokens    --sample--> FeatureSample (frozen rows, JSON both ways)
    sample, its control's        --readability--> Finding
    all dictionaries of a run    --study--> FeatureStudy: all of that, as features.json holds it
    every feature                --build--> a folder of Parquet files a dictionary, with effects on the loss
    such a folder                --Explaining--> explanations of features, and what they are worth beside a control

Computes rows, never pages. Names are resolved when first used, so that reading rows costs no import
of torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.features.explaining.config import EndpointConfig as EndpointConfig
    from monosema.features.explaining.config import ExplainConfig as ExplainConfig
    from monosema.features.explaining.explaining import Explaining as Explaining
    from monosema.features.rows import Context as Context
    from monosema.features.rows import Detector as Detector
    from monosema.features.rows import FeatureRow as FeatureRow
    from monosema.features.rows import FeatureSample as FeatureSample
    from monosema.features.rows import FeatureStudy as FeatureStudy
    from monosema.features.rows import LogitEffect as LogitEffect
    from monosema.features.rows import LogitEffects as LogitEffects
    from monosema.features.rows import SampleConfig as SampleConfig
    from monosema.features.rows import ScoredFeature as ScoredFeature
    from monosema.features.rows import Stratum as Stratum
    from monosema.features.rows import StudiedDictionary as StudiedDictionary
    from monosema.features.rows import TopToken as TopToken
    from monosema.features.sampling import sample as sample
    from monosema.features.sampling import sample_many as sample_many
    from monosema.features.studying import study as study
    from monosema.features.summary import foresight as foresight
    from monosema.features.summary import readability as readability
    from monosema.features.tables.building import build as build
    from monosema.features.tables.config import BuildConfig as BuildConfig

_HOMES = {
    "BuildConfig": "tables.config",
    "Context": "rows",
    "Detector": "rows",
    "EndpointConfig": "explaining.config",
    "ExplainConfig": "explaining.config",
    "Explaining": "explaining.explaining",
    "FeatureRow": "rows",
    "FeatureSample": "rows",
    "FeatureStudy": "rows",
    "LogitEffect": "rows",
    "LogitEffects": "rows",
    "SampleConfig": "rows",
    "ScoredFeature": "rows",
    "Stratum": "rows",
    "StudiedDictionary": "rows",
    "TopToken": "rows",
    "build": "tables.building",
    "foresight": "summary",
    "readability": "summary",
    "sample": "sampling",
    "sample_many": "sampling",
    "study": "studying",
}

__all__ = [
    "BuildConfig",
    "Context",
    "Detector",
    "EndpointConfig",
    "ExplainConfig",
    "Explaining",
    "FeatureRow",
    "FeatureSample",
    "FeatureStudy",
    "LogitEffect",
    "LogitEffects",
    "SampleConfig",
    "ScoredFeature",
    "Stratum",
    "StudiedDictionary",
    "TopToken",
    "build",
    "foresight",
    "readability",
    "sample",
    "sample_many",
    "study",
]

__getattr__ = lazily(__name__, _HOMES)
