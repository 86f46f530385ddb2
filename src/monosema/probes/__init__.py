"""Probes and erasers: what can be read from activations, how it is taken out, and always what else explains it.

Probes
    PROBES, Method, config_of   every method by name: its settings, fit, what it needs and who published it
    Labelled, Contrast          activations with labels: statements, and pairs of completions
    read_labelled, read_contrast, read_texts    activations of texts at many sites in one pass, without padding
    fit, fit_restarts, Probe    one fit for all methods; a direction, frozen
    judge, by_layer, transfer   a probe beside its controls; at every site; from set to set
    ccs_loss, xor_invariance, cosine_with_mean_difference    what algebra says before any model is asked
    sweep_distractor, which     when a method finds a distractor instead of the truth
    calibrate, reliability, ensemble, errors    probabilities, how far they are right, several probes together
    steer                       push a model along a probe: an Edit

Erasers
    fit_eraser, EraserFitter    LEACE, mean difference, INLP: of rows at hand, or of a stream
    Eraser, OracleEraser        what they return: a function of rows, and an Edit that splices into a model
    certify, price, loss_price  what an erasure is certified for, what is still read, what it cost
    scrub                       every site in turn
    two_predictors              why a probe that fails after erasure is linear algebra

Names are resolved when they are first used, so that listing the methods costs no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.probes.calibrating import Calibration, Reliability, calibrate, reliability
    from monosema.probes.data import Contrast, Labelled
    from monosema.probes.distractors import DistractorConfig, Swept, Which, sweep_distractor, which
    from monosema.probes.ensembles import Ensemble, Errors, ensemble, errors
    from monosema.probes.erasers.certificate import Certificate, certify
    from monosema.probes.erasers.closed import OracleEraser
    from monosema.probes.erasers.configs import (
        CertificateConfig,
        InlpConfig,
        LeaceConfig,
        MeanDifferenceConfig,
        OrthConfig,
        RandomEraserConfig,
        TwoPredictorsConfig,
    )
    from monosema.probes.erasers.demonstration import two_predictors
    from monosema.probes.erasers.eraser import Eraser
    from monosema.probes.erasers.fitting import ERASERS, EraserFitter, EraserKind, fit_eraser
    from monosema.probes.erasers.moments import JointMoments
    from monosema.probes.erasers.price import loss_price, price
    from monosema.probes.erasers.saved import load_eraser, save_eraser
    from monosema.probes.erasers.scrubbing import scrub
    from monosema.probes.fitting import fit, fit_restarts
    from monosema.probes.identities import Invariance, ccs_loss, cosine_with_mean_difference, xor_invariance
    from monosema.probes.judging import ControlConfig, Judged, judge
    from monosema.probes.layers import LayerCurves, by_layer
    from monosema.probes.probe import Probe
    from monosema.probes.reading import read_contrast, read_labelled, read_texts
    from monosema.probes.settings import (
        CCSConfig,
        CRCConfig,
        KMeansConfig,
        LDAConfig,
        LogisticConfig,
        MassMeanConfig,
        PCAConfig,
        RandomConfig,
        VINCConfig,
    )
    from monosema.probes.steering import steer
    from monosema.probes.table import PROBES, Method, config_of
    from monosema.probes.transfers import Transfer, transfer

__all__ = [
    "ERASERS",
    "PROBES",
    "CCSConfig",
    "CRCConfig",
    "Calibration",
    "Certificate",
    "CertificateConfig",
    "Contrast",
    "ControlConfig",
    "DistractorConfig",
    "Ensemble",
    "Eraser",
    "EraserFitter",
    "EraserKind",
    "Errors",
    "InlpConfig",
    "Invariance",
    "JointMoments",
    "Judged",
    "KMeansConfig",
    "LDAConfig",
    "Labelled",
    "LayerCurves",
    "LeaceConfig",
    "LogisticConfig",
    "MassMeanConfig",
    "MeanDifferenceConfig",
    "Method",
    "OracleEraser",
    "OrthConfig",
    "PCAConfig",
    "Probe",
    "RandomConfig",
    "RandomEraserConfig",
    "Reliability",
    "Swept",
    "Transfer",
    "TwoPredictorsConfig",
    "VINCConfig",
    "Which",
    "by_layer",
    "calibrate",
    "ccs_loss",
    "certify",
    "config_of",
    "cosine_with_mean_difference",
    "ensemble",
    "errors",
    "fit",
    "fit_eraser",
    "fit_restarts",
    "judge",
    "load_eraser",
    "loss_price",
    "price",
    "read_contrast",
    "read_labelled",
    "read_texts",
    "reliability",
    "save_eraser",
    "scrub",
    "steer",
    "sweep_distractor",
    "transfer",
    "two_predictors",
    "which",
    "xor_invariance",
]

_HOMES = {
    "ERASERS": "erasers.fitting",
    "PROBES": "table",
    "CCSConfig": "settings",
    "CRCConfig": "settings",
    "Calibration": "calibrating",
    "Certificate": "erasers.certificate",
    "CertificateConfig": "erasers.configs",
    "Contrast": "data",
    "ControlConfig": "judging",
    "DistractorConfig": "distractors",
    "Ensemble": "ensembles",
    "Eraser": "erasers.eraser",
    "EraserFitter": "erasers.fitting",
    "EraserKind": "erasers.fitting",
    "Errors": "ensembles",
    "InlpConfig": "erasers.configs",
    "Invariance": "identities",
    "JointMoments": "erasers.moments",
    "Judged": "judging",
    "KMeansConfig": "settings",
    "LDAConfig": "settings",
    "Labelled": "data",
    "LayerCurves": "layers",
    "LeaceConfig": "erasers.configs",
    "LogisticConfig": "settings",
    "MassMeanConfig": "settings",
    "MeanDifferenceConfig": "erasers.configs",
    "Method": "table",
    "OracleEraser": "erasers.closed",
    "OrthConfig": "erasers.configs",
    "PCAConfig": "settings",
    "Probe": "probe",
    "RandomConfig": "settings",
    "RandomEraserConfig": "erasers.configs",
    "Reliability": "calibrating",
    "Swept": "distractors",
    "Transfer": "transfers",
    "TwoPredictorsConfig": "erasers.configs",
    "VINCConfig": "settings",
    "Which": "distractors",
    "by_layer": "layers",
    "calibrate": "calibrating",
    "ccs_loss": "identities",
    "certify": "erasers.certificate",
    "config_of": "table",
    "cosine_with_mean_difference": "identities",
    "ensemble": "ensembles",
    "errors": "ensembles",
    "fit": "fitting",
    "fit_eraser": "erasers.fitting",
    "fit_restarts": "fitting",
    "judge": "judging",
    "load_eraser": "erasers.saved",
    "loss_price": "erasers.price",
    "price": "erasers.price",
    "read_contrast": "reading",
    "read_labelled": "reading",
    "read_texts": "reading",
    "reliability": "calibrating",
    "save_eraser": "erasers.saved",
    "scrub": "erasers.scrubbing",
    "steer": "steering",
    "sweep_distractor": "distractors",
    "transfer": "transfers",
    "two_predictors": "erasers.demonstration",
    "which": "distractors",
    "xor_invariance": "identities",
}

__getattr__ = lazily(__name__, _HOMES)
