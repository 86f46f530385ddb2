"""Geometry of token embeddings: what is near what, what is in clusters, and what of it linear algebra alone gives.

    explore_model, explore           the page of a model's tokens, or of any matrix with a row for every token
    GeometryConfig, study, Study     settings, and everything that is measured as plain values
    embedding                        a model's token embedding or unembedding
    vocabulary, Vocabulary           what every token is as text, and its class
    Clusters, token_classes, read_clusters      named clusters of tokens
    anova, Anova, along, shuffled_eta2          how much of a random direction's order is clusters, exactly
    principal, Principal, centred, whitened, gaussian_like    the matrix treated, or made anew by chance
    random_directions, nearest, pairs, expected_top           tokens near random directions, and what chance gives
    separation, discriminants        how far apart clusters are, and directions that tell them apart

Names are resolved when they are first used, so that a config costs no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.geometry.axes import Principal, centred, gaussian_like, principal, whitened
    from monosema.geometry.clusters import Clusters, read_clusters, token_classes
    from monosema.geometry.directions import expected_top, nearest, pairs, random_directions
    from monosema.geometry.exploring import embedding, explore, explore_model
    from monosema.geometry.separating import discriminants, separation
    from monosema.geometry.settings import GeometryConfig
    from monosema.geometry.studying import Study, study
    from monosema.geometry.token_texts import Vocabulary, vocabulary
    from monosema.geometry.variances import Anova, along, anova, shuffled_eta2

__all__ = [
    "Anova",
    "Clusters",
    "GeometryConfig",
    "Principal",
    "Study",
    "Vocabulary",
    "along",
    "anova",
    "centred",
    "discriminants",
    "embedding",
    "expected_top",
    "explore",
    "explore_model",
    "gaussian_like",
    "nearest",
    "pairs",
    "principal",
    "random_directions",
    "read_clusters",
    "separation",
    "shuffled_eta2",
    "study",
    "token_classes",
    "vocabulary",
    "whitened",
]

_HOMES = {
    "Anova": "variances",
    "Clusters": "clusters",
    "GeometryConfig": "settings",
    "Principal": "axes",
    "Study": "studying",
    "Vocabulary": "token_texts",
    "along": "variances",
    "anova": "variances",
    "centred": "axes",
    "discriminants": "separating",
    "embedding": "exploring",
    "expected_top": "directions",
    "explore": "exploring",
    "explore_model": "exploring",
    "gaussian_like": "axes",
    "nearest": "directions",
    "pairs": "directions",
    "principal": "axes",
    "random_directions": "directions",
    "read_clusters": "clusters",
    "separation": "separating",
    "shuffled_eta2": "variances",
    "study": "studying",
    "token_classes": "clusters",
    "vocabulary": "token_texts",
    "whitened": "axes",
}

__getattr__ = lazily(__name__, _HOMES)
