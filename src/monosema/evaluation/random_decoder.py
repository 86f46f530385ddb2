"""A dictionary of random directions that fires as often as another: what directions give that nobody looked for.

    u_f    a random direction with the norm of the dictionary's own decoder row f
    f      fires on the rows where (x - mean) . u_f is largest: on as many of the given rows as its counterpart
    y      mean + g sum_f (x - mean) . u_f / |u_f|^2  u_f          over the features that fire

The gain g, one number for all, is the best by least squares on the given rows, so that the control is not
made worse than it need be by directions that overlap. Same number of features, same norms, same firing
rates, no training. Defined where a dictionary reads what it writes: elsewhere a random direction of the one
side has no counterpart on the other.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core.errors import ConfigError
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary, JumpReLUConfig, Weights
from monosema.dictionaries.table import architecture

WHAT = "random directions of the same norms that fire as often"

ROWS = 8192
"""Rows on which rates, thresholds and the gain are found."""

COLUMNS_AT_ONCE = 1024


def why_undefined(dictionary: Dictionary) -> str:
    """Why `dictionary` has no random counterpart, in words; '' when it has one."""
    if dictionary.is_autoencoder:
        return ""
    return f"it reads {', '.join(dictionary.reads)} and writes {', '.join(dictionary.writes)}"


@torch.no_grad()
def random_decoder(dictionary: Dictionary, x: Float[Tensor, "row d_in"], seed: int = 0) -> Dictionary:
    """The counterpart of `dictionary` on the rows `x` of what it reads.

    On exactly these rows each feature fires as often as its own does (equal readings aside). Raises
    ConfigError for a dictionary that does not write what it reads.
    """
    if reason := why_undefined(dictionary):
        raise ConfigError(f"there is no random counterpart: {reason}")
    x = x.float().cpu()
    own = dictionary.to("cpu")
    drawn = torch.randn(own.W_dec.shape, generator=generator(seed, "random decoder"))
    norms = own.W_dec.detach().float().norm(dim=1, keepdim=True)
    rows = torch.nn.functional.normalize(drawn, dim=1) * norms
    mean = x.mean(0)
    reads = rows / norms.square().clamp(min=1e-12)
    limits = _limits(x - mean, reads, own.encode(x).counts())
    # Readings count from a limit below zero, so that what fires is always above a threshold of 0 or more.
    found = _made(own, Weights(reads, rows, -limits.clamp(max=0), mean, True, {"threshold": limits.clamp(min=0)}))
    target, y = x - mean, found.reconstruct(x) - mean
    gain = float((target * y).sum() / y.square().sum().clamp(min=1e-12))
    w = found.weights
    gain = max(gain, 1e-3)
    scaled = Weights(gain * reads, rows, gain * w.b_enc, mean, True, {"threshold": gain * w.extra["threshold"]})
    return replace(found, weights=scaled)


def _limits(
    centred: Float[Tensor, "row d"], reads: Float[Tensor, "n_features d"], counts: Int64[Tensor, "n_features"]
) -> Float[Tensor, "n_features"]:
    """For each feature the reading above which it fires on as many rows as `counts` says."""
    n, limits = len(centred), []
    for start in range(0, len(reads), COLUMNS_AT_ONCE):
        readings = (reads[start : start + COLUMNS_AT_ONCE] @ centred.T).sort(dim=1, descending=True).values
        fires = counts[start : start + len(readings)].unsqueeze(1)
        last = readings.gather(1, (fires - 1).clamp(min=0))
        following = readings.gather(1, fires.clamp(max=n - 1))
        between = (last + following) / 2
        never = readings[:, :1].abs() * 2 + 1
        always = readings[:, -1:] - 1
        limits.append(torch.where(fires == 0, never, torch.where(fires == n, always, between)).squeeze(1))
    return torch.cat(limits)


def _made(own: Dictionary, weights: Weights) -> Dictionary:
    config = JumpReLUConfig(n_features=own.n_features, target=1.0)
    rule = architecture("jumprelu")(config)  # type: ignore[call-arg]
    made = replace(own, architecture="jumprelu", rule=rule, weights=weights, metadata=_without_a_recipe(own.metadata))
    return replace(made, folder=None)


def _without_a_recipe(metadata: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in metadata.items() if key.endswith("_fingerprint")} | {"control": WHAT}
