"""Tests against the peers' own code, which lives in environments of its own: `make peers`."""

import os

TESTS = ["test_circuit_tracer.py", "test_concept_erasure.py", "test_saelens.py", "test_transformer_lens.py"]
collect_ignore = [] if "MONOSEMA_PEERS" in os.environ else TESTS
