"""Settings of every probe. No torch, so that a command can print its help.

What all of them share:

    normalisation    none                       rows as they are
                     mean                       less the mean of the training rows
                     mean_std                   the same, divided by their standard deviation
                     transductive_mean, ..._std the statistics of whatever rows are scored, as the published CCS code
                                                takes them: a row's score then depends on the rows beside it
    sign             of methods without labels: `labels` takes the sign that is right for most of the training rows,
                     `unsettled` leaves it open, and accuracies are then of the better sign

Pairs are normalised side by side: each side by statistics of its own (Burns et al. 2022).
"""

from dataclasses import dataclass
from typing import Literal

from monosema.core.config import require_range

Normalisation = Literal["none", "mean", "mean_std", "transductive_mean", "transductive_mean_std"]
SignRule = Literal["labels", "unsettled"]


@dataclass(frozen=True)
class CCSConfig:
    """Contrast-consistent search (Burns et al. 2022), for pairs.

    optimiser     lbfgs, or AdamW as published (full batch, `lr`, `weight_decay`, `steps` of them)
    restarts      all at once as one stack; the one with the lowest loss is kept
    steps         at most
    ridge         lbfgs minimises loss + ridge / 2 |w|^2, w for rows whose root mean square is 1; the loss reported
                  is without it
    """

    optimiser: Literal["lbfgs", "adamw"] = "lbfgs"
    restarts: int = 10
    steps: int = 1000
    lr: float = 0.01
    weight_decay: float = 0.01
    ridge: float = 1e-4
    normalisation: Normalisation = "mean"
    sign: SignRule = "labels"

    def __post_init__(self) -> None:
        require_range("restarts", self.restarts, 1)
        require_range("steps", self.steps, 1)
        require_range("lr", self.lr, 0, open_low=True)
        require_range("weight_decay", self.weight_decay, 0)
        require_range("ridge", self.ridge, 0)


@dataclass(frozen=True)
class CRCConfig:
    """Contrastive representation clustering, top principal component (Burns et al. 2022), for pairs: the top right
    singular vector of the differences of the normalised sides."""

    normalisation: Normalisation = "mean"
    sign: SignRule = "labels"


@dataclass(frozen=True)
class VINCConfig:
    """Variance, invariance, negative covariance (Mallen & Belrose 2023), for pairs: the top eigenvector of

        variance * Var - invariance * Inv - negative * NegCov

    Var     covariance of the statements' means over their paraphrases, mean of the two sides
    Inv     mean covariance of paraphrases within a statement, mean of the two sides
    NegCov  covariance of the two sides' means, made symmetric

    paraphrases    rows of one group are paraphrases of one statement; otherwise every row is a statement of its own,
                   and Inv is 0
    """

    variance: float = 1.0
    invariance: float = 5.0
    negative: float = 5.0
    paraphrases: bool = False
    normalisation: Normalisation = "mean"
    sign: SignRule = "labels"

    def __post_init__(self) -> None:
        for name in ("variance", "invariance", "negative"):
            require_range(name, getattr(self, name), 0)


@dataclass(frozen=True)
class PCAConfig:
    """The top principal component: of the statements; of pairs, of both sides stacked, each centred."""

    normalisation: Normalisation = "mean"
    sign: SignRule = "labels"


@dataclass(frozen=True)
class KMeansConfig:
    """Two clusters (Lloyd 1982) of the statements, or of the pairs' differences: the direction between their means,
    the threshold halfway. restarts: from two rows drawn at random; the one with the least spread is kept."""

    restarts: int = 10
    steps: int = 300
    normalisation: Normalisation = "mean"
    sign: SignRule = "labels"

    def __post_init__(self) -> None:
        require_range("restarts", self.restarts, 1)
        require_range("steps", self.steps, 1)


@dataclass(frozen=True)
class MassMeanConfig:
    """The difference of the classes' means (Marks & Tegmark 2023), the threshold halfway; with `tilt`, times the
    inverse of the pooled covariance within the classes (its pseudo-inverse where it has none)."""

    tilt: bool = False
    normalisation: Normalisation = "mean"


@dataclass(frozen=True)
class LDAConfig:
    """Linear discriminant analysis (Fisher 1936): tilted mass-mean with the classes' shares in the threshold, as
    scikit-learn's LinearDiscriminantAnalysis(solver="lsqr").

    shrinkage    share of tr(Sigma) / d * I in the covariance within the classes
    """

    shrinkage: float = 0.0
    normalisation: Normalisation = "mean"

    def __post_init__(self) -> None:
        require_range("shrinkage", self.shrinkage, 0, 1)


@dataclass(frozen=True)
class LogisticConfig:
    """Logistic regression by L-BFGS on centred rows: mean log loss + ridge / 2 |w|^2, the intercept free.

    ridge        scikit-learn's C is 1 / (n * ridge). It bears on directions of little variance most, and truth can lie
                 in one: so rows are divided by their deviations unless another normalisation is asked for
    tolerance    of the gradient's largest entry
    """

    ridge: float = 1e-4
    steps: int = 2000
    tolerance: float = 1e-8
    normalisation: Normalisation = "mean_std"

    def __post_init__(self) -> None:
        require_range("ridge", self.ridge, 0)
        require_range("steps", self.steps, 1)
        require_range("tolerance", self.tolerance, 0, open_low=True)


@dataclass(frozen=True)
class RandomConfig:
    """A direction drawn evenly from the sphere, the threshold at the mean of the training rows: what no method is."""

    normalisation: Normalisation = "mean"
    sign: SignRule = "labels"
