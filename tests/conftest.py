"""Every test runs with shapes and types enforced, one thread a worker, and no network."""

import os

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from jaxtyping import install_import_hook

install_import_hook("monosema", "beartype.beartype").__enter__()

import torch  # noqa: E402

torch.set_num_threads(1)
