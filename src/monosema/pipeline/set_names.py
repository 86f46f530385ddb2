"""Transcoders of MLPs, and their sets: NAME-0, NAME-1, ... are the set NAME. Importing this loads no numerics."""

import re
from collections.abc import Sequence

READ, WRITTEN = {"mlp_in", "resid_mid", "resid_pre"}, "mlp_out"


def set_of(name: str) -> str:
    """The set of dictionaries that one called `name` belongs to."""
    return re.sub(r"-\d+$", "", name)


def is_transcoder(reads: Sequence[str], writes: Sequence[str]) -> bool:
    """Whether a dictionary that reads and writes these sites stands for MLPs."""
    kinds, into = ({site.rpartition(".")[0] for site in side} for side in (reads, writes))
    return bool(kinds) and kinds <= READ and into == {WRITTEN}
