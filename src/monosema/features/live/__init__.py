"""A prompt under the model, now: what fires where, what each firing does, and what changing it does.

    Explorer(model, tokenizer, dictionaries)
        .look(name, text, at)            tokens with their losses; at one of them, every feature that fires
        .ablations(name, text, at)       exact effects of the most important ones, one after the other
        .steered(name, text, at, ...)    a feature set, scaled or limited: predictions and sampled text

Frozen rows come out. Names are resolved when they are first used: rows and settings load no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.features.live.explorer import Explorer as Explorer
    from monosema.features.live.settings import Draw as Draw
    from monosema.features.live.settings import Steer as Steer

_HOMES = {"Draw": "settings", "Explorer": "explorer", "Steer": "settings"}

__all__ = ["Draw", "Explorer", "Steer"]

__getattr__ = lazily(__name__, _HOMES)
