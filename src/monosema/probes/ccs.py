"""Contrast-consistent search (Burns et al. 2022): all restarts as one stack, gradients written out.

    p = sigmoid(n(x) . w + b)        loss = mean (p0 - (1 - p1))^2 + mean min(p0, p1)^2

Sides lie one under the other, so that a step is one product forward and one back, in float32. Where there are fewer
rows than dimensions the fit runs in the span of the rows: what of w lies outside changes no training score, and is 0.
The loss has kinks and flat valleys, in which L-BFGS alone ends early, far out. So `lbfgs` first takes `WARM_STEPS` of
AdamW, on rows divided by their root mean square. Where a loss of 0 can be reached w grows without end, and any feature
that reaches it will do; the slight ridge makes it the one with the largest margin, as AdamW's thousand steps do.
Departures from the published code: this is the default, and the loss that decides between restarts is taken after the
last step, not before it.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.errors import DivergedError
from monosema.core.seeding import generator
from monosema.probes.minimising import minimise
from monosema.probes.rows import Fitted, Rows, in_span
from monosema.probes.settings import CCSConfig

TOLERANCE = 1e-5
WARM_STEPS, WARM_LR = 150, 0.03
BETAS, EPSILON = (0.9, 0.999), 1e-8
"""torch.optim.AdamW's defaults."""


def fit_ccs(config: CCSConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    """The restart with the lowest loss. Labels are not looked at. Raises DivergedError when none is finite."""
    del labels
    return [min(restarts(config, rows, seed), key=lambda fitted: fitted.loss)]


def restarts(config: CCSConfig, rows: Rows, seed: int) -> list[Fitted]:
    """Where every restart ended whose loss is finite."""
    n_sides, n, d = rows.sides.shape
    x, basis = in_span(rows.sides.reshape(n_sides * n, d).float())
    start = _initial(config.restarts, d, seed, basis, x.device)
    if config.optimiser == "adamw":
        unit, theta = 1.0, _by_adamw(x, start, config.steps, config.lr, config.weight_decay)
    else:
        unit = float(x.square().mean().sqrt().clamp_min(1e-30))
        x = x / unit
        theta = _by_lbfgs(config, x, start)
    losses = ccs_loss_and_gradient(x, theta)[0]
    w, b = theta[:, :-1].double() / unit, theta[:, -1].double()
    w = w if basis is None else w @ basis.double().T
    ended = [Fitted(w[r], float(b[r]), float(losses[r])) for r in range(len(theta)) if math.isfinite(float(losses[r]))]
    if not ended:
        raise DivergedError("every restart of ccs left the finite numbers: normalise by mean_std, or lower lr")
    return ended


def ccs_loss_and_gradient(
    x: Float[Tensor, "rows d"], theta: Float[Tensor, "restart d_plus_1"]
) -> tuple[Float[Tensor, " restart"], Float[Tensor, "restart d_plus_1"]]:
    """The loss of each restart and its gradient. x: side 0 over side 1; theta: w and, last, b."""
    n = len(x) // 2
    p = torch.sigmoid(torch.addmm(theta[:, -1], x, theta[:, :-1].T))
    p0, p1 = p[:n], p[n:]
    off, low = p0 + p1 - 1, torch.minimum(p0, p1)
    loss = (off.square().sum(0) + low.square().sum(0)) / n
    first = p0 <= p1
    by_p = torch.cat([off + low * first, off + low * ~first]).mul_(2 / n)
    by_z = by_p.mul_(p * (1 - p))
    return loss, torch.cat([by_z.T @ x, by_z.sum(0)[:, None]], 1)


def _initial(n: int, d: int, seed: int, basis: Tensor | None, device: torch.device) -> Float[Tensor, "restart p"]:
    """As torch.nn.Linear begins: w and b uniform within 1 / sqrt(d)."""
    drawn = (2 * torch.rand(n, d + 1, generator=generator(seed, "ccs")) - 1).to(device) / math.sqrt(d)
    return drawn if basis is None else torch.cat([drawn[:, :-1] @ basis, drawn[:, -1:]], 1)


def _by_lbfgs(config: CCSConfig, x: Tensor, start: Tensor) -> Tensor:
    def objective(theta: Tensor) -> tuple[Tensor, Tensor]:
        loss, gradient = ccs_loss_and_gradient(x, theta)
        w = theta[:, :-1]
        gradient[:, :-1] += config.ridge * w
        return loss + config.ridge / 2 * w.square().sum(1), gradient

    warm = _by_adamw(x, start, WARM_STEPS, WARM_LR, 0.0)
    return minimise(objective, warm, config.steps, TOLERANCE).x


def _by_adamw(x: Tensor, start: Tensor, steps: int, lr: float, weight_decay: float) -> Tensor:
    theta, m, v = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    for step in range(1, steps + 1):
        gradient = ccs_loss_and_gradient(x, theta)[1]
        m.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
        v.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        root = (v / (1 - BETAS[1] ** step)).sqrt_().add_(EPSILON)
        theta.mul_(1 - lr * weight_decay).addcdiv_(m, root, value=-lr / (1 - BETAS[0] ** step))
    return theta
