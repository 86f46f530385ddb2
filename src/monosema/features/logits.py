"""What a feature says about the next token by the direct path: its decoder row times the unembedding.

W_dec[f] [d_model]  @  logit_weights [d_model, d_vocab]  -  mean over the vocabulary
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core.errors import SiteError
from monosema.core.sites import parse
from monosema.features.reading import Dictionary, Model

RESIDUAL_KINDS = ("embed", "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
"""Kinds of site whose activations are added to the residual stream, or are the stream itself."""


def why_undefined(writes: tuple[str, ...]) -> str:
    """Why features that write `writes` have no direct logit effect, in words; '' when they have one."""
    if len(writes) != 1:
        return f"the dictionary writes {len(writes)} sites ({', '.join(writes)}): a direct logit effect is of one"
    try:
        kind = parse(writes[0]).kind
    except SiteError:
        return f"'{writes[0]}' is a module's own path: whether it adds to the residual stream is not known"
    if kind not in RESIDUAL_KINDS:
        return f"{writes[0]} is not written into the residual stream, which the unembedding reads"
    return ""


def logit_effects(
    dictionary: Dictionary, model: Model, features: Int64[Tensor, "feature"]
) -> Float[Tensor, "feature d_vocab"]:
    """Logits per unit of activation, centred over the vocabulary, up to the positive norm scale."""
    with torch.inference_mode():
        weights = model.logit_weights().float()
        effects = dictionary.W_dec[features.to(dictionary.W_dec.device)].float().to(weights.device) @ weights
        return (effects - effects.mean(1, keepdim=True)).cpu()
