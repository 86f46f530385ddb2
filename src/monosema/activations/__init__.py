"""A model's activations on a corpus, as shuffled batches of rows: from disk, or straight from the model.

    model, tokens --harvest--> store (shards + manifest) --batches--> Batch [batch, width] per site
    model, tokens --stream---------------------------------batches--> the same, without a store

Names are resolved when first used, so that `HarvestConfig` costs no import of torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.activations.config import HarvestConfig as HarvestConfig
    from monosema.activations.harvesting import harvest as harvest
    from monosema.activations.rows import Batch as Batch
    from monosema.activations.store import ActivationStore as ActivationStore
    from monosema.activations.store import open_store as open_store
    from monosema.activations.streaming import Stream as Stream
    from monosema.activations.streaming import stream as stream

_HOMES = {
    "ActivationStore": "store",
    "Batch": "rows",
    "HarvestConfig": "config",
    "Stream": "streaming",
    "harvest": "harvesting",
    "open_store": "store",
    "stream": "streaming",
}

__all__ = ["ActivationStore", "Batch", "HarvestConfig", "Stream", "harvest", "open_store", "stream"]

__getattr__ = lazily(__name__, _HOMES)
