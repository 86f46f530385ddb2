"""Every test runs with shapes and types enforced, one thread a worker, no network, and the same examples."""

import os
import signal

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from jaxtyping import install_import_hook

install_import_hook("monosema", "beartype.beartype").__enter__()

import hypothesis  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("repeatable")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts background jobs deaf to Ctrl-C, which is tested
    signal.signal(signal.SIGINT, signal.default_int_handler)
