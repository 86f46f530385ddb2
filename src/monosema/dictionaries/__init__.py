"""Sparse dictionaries of activations: what they are, how they are trained, kept and pruned.

    x [batch, d_in]  --encode-->  f [batch, n_features]  --decode-->  y [batch, d_out]

Never imports a model, a store or a metric: training takes any source of batches.
"""

from monosema.dictionaries.architecture import Architecture, Moment, Terms
from monosema.dictionaries.batchtopk import BatchTopKConfig
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.dictionary import Dictionary
from monosema.dictionaries.folder import load, save
from monosema.dictionaries.gated import GatedConfig
from monosema.dictionaries.jumprelu import JumpReLUConfig
from monosema.dictionaries.l1 import L1Config
from monosema.dictionaries.matryoshka import MatryoshkaConfig
from monosema.dictionaries.spec import DictionarySpec, OptimiserConfig, parse_spec
from monosema.dictionaries.table import ARCHITECTURES
from monosema.dictionaries.topk import TopKConfig
from monosema.dictionaries.trainer import TrainConfig, Trained, train
from monosema.dictionaries.weights import Weights

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "BatchTopKConfig",
    "Dictionary",
    "DictionarySpec",
    "GatedConfig",
    "JumpReLUConfig",
    "L1Config",
    "MatryoshkaConfig",
    "Moment",
    "OptimiserConfig",
    "SparseCodes",
    "Terms",
    "TopKConfig",
    "TrainConfig",
    "Trained",
    "Weights",
    "load",
    "parse_spec",
    "save",
    "train",
]
