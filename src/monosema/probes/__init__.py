"""Probes and erasers: what can be read from activations, how it is taken out, and always what else explains it.

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

__all__ = [
    "ERASERS",
    "Certificate",
    "CertificateConfig",
    "Eraser",
    "EraserFitter",
    "EraserKind",
    "InlpConfig",
    "JointMoments",
    "LeaceConfig",
    "MeanDifferenceConfig",
    "OracleEraser",
    "OrthConfig",
    "RandomEraserConfig",
    "TwoPredictorsConfig",
    "certify",
    "fit_eraser",
    "load_eraser",
    "loss_price",
    "price",
    "save_eraser",
    "scrub",
    "two_predictors",
]

_HOMES = {
    "ERASERS": "erasers.fitting",
    "Certificate": "erasers.certificate",
    "CertificateConfig": "erasers.configs",
    "Eraser": "erasers.eraser",
    "EraserFitter": "erasers.fitting",
    "EraserKind": "erasers.fitting",
    "InlpConfig": "erasers.configs",
    "JointMoments": "erasers.moments",
    "LeaceConfig": "erasers.configs",
    "MeanDifferenceConfig": "erasers.configs",
    "OracleEraser": "erasers.closed",
    "OrthConfig": "erasers.configs",
    "RandomEraserConfig": "erasers.configs",
    "TwoPredictorsConfig": "erasers.configs",
    "certify": "erasers.certificate",
    "fit_eraser": "erasers.fitting",
    "load_eraser": "erasers.saved",
    "loss_price": "erasers.price",
    "price": "erasers.price",
    "save_eraser": "erasers.saved",
    "scrub": "erasers.scrubbing",
    "two_predictors": "erasers.demonstration",
}

__getattr__ = lazily(__name__, _HOMES)
