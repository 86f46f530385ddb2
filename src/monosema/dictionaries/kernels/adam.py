"""The numbers of one Adam step (Kingma & Ba 2015, algorithm 1), as the kernels take them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AdamStep:
    """m += (1 - beta1) (g - m), v += (1 - beta2) (g^2 - v), W -= rate m / (sqrt(v) / correction + epsilon)
    with g the gradient times `scale`.

    rate        lr / (1 - beta1^t)
    correction  sqrt(1 - beta2^t)
    """

    scale: float
    beta1: float
    beta2: float
    rate: float
    correction: float
    epsilon: float

    @staticmethod
    def at(t: int, lr: float, beta1: float, beta2: float, epsilon: float, scale: float = 1.0) -> "AdamStep":
        """The t-th step, counted from 1."""
        return AdamStep(scale, beta1, beta2, lr / (1 - beta1**t), (1 - beta2**t) ** 0.5, epsilon)
