"""One build of a table of stand-ins: n_features, n_tokens, k and the folder on the command line, JSON out."""

import json
import sys
import time
from pathlib import Path

from benchmarks.stand_ins import StandInDictionary, StandInModel, StandInText, StandInTokenizer
from benchmarks.workers.feed import memory
from monosema.features import BuildConfig, build


def main(n_features: int, n_tokens: int, k: int, out: Path) -> None:
    """Peak: the largest resident set of the process, everything in it."""
    before, started = memory("VmRSS"), time.perf_counter()
    dictionary, text = StandInDictionary(n_features, k), StandInText(n_tokens)
    config = BuildConfig(max_tokens=n_tokens)
    folder = build({"table": dictionary}, StandInModel(), text, StandInTokenizer(), out, config)["table"]
    took = {"seconds": time.perf_counter() - started, "processor": time.process_time()}
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(json.dumps({"before": before, "peak": memory("VmHWM"), "bytes": size, **took}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), Path(sys.argv[4]))
