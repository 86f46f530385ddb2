"""Language models: hooked where they stand, trained small, randomised for control.

    load, wrap            a Model from a folder or from memory, its sites checked
    Model, Edit           run, read, change
    next_token_loss       nats per token
    randomised            the same model with its weights redrawn, permuted or made anew
    train_small, LMConfig a small GPT-2, BERT, T5 or Mamba from scratch
    SmallConfig, small_transformer, save_small      a plain small transformer, as tasks are trained on
    from_transformer_lens, load_transformer_lens    a checkpoint of TransformerLens as one

Names are resolved when they are first used, so that a config costs no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.models.controls import randomised
    from monosema.models.families import FAMILIES, Family
    from monosema.models.lm_config import LMConfig, TokenSource
    from monosema.models.loading import load, wrap
    from monosema.models.losses import next_token_loss
    from monosema.models.model import Edit, Model
    from monosema.models.small_transformer import SmallConfig, save_small, small_transformer
    from monosema.models.training import train_small
    from monosema.models.transformer_lens import from_transformer_lens, load_transformer_lens

__all__ = [
    "FAMILIES",
    "Edit",
    "Family",
    "LMConfig",
    "Model",
    "SmallConfig",
    "TokenSource",
    "from_transformer_lens",
    "load",
    "load_transformer_lens",
    "next_token_loss",
    "randomised",
    "save_small",
    "small_transformer",
    "train_small",
    "wrap",
]

_HOMES = {
    "FAMILIES": "families",
    "Family": "families",
    "Edit": "model",
    "LMConfig": "lm_config",
    "Model": "model",
    "SmallConfig": "small_transformer",
    "TokenSource": "lm_config",
    "from_transformer_lens": "transformer_lens",
    "load": "loading",
    "load_transformer_lens": "transformer_lens",
    "next_token_loss": "losses",
    "randomised": "controls",
    "save_small": "small_transformer",
    "small_transformer": "small_transformer",
    "train_small": "training",
    "wrap": "loading",
}

__getattr__ = lazily(__name__, _HOMES)
