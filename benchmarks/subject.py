"""What all makers of feature pages are given: a dictionary of the embedded language model, and blocks of its text.

FOLDER/dictionary            as SAELens opens it
FOLDER/tokens.safetensors    tokens, documents, usable: [block, context]
FOLDER/run                   the run that they came from; not made again when it is there
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file

from benchmarks.workers.showing import DICTIONARY, TOKENS
from monosema.activations import HarvestConfig
from monosema.core.config import require
from monosema.core.runs import open_run
from monosema.dictionaries import TrainConfig, parse_spec
from monosema.pipeline.configs import PackConfig, SubjectConfig
from monosema.pipeline.demo import EMBEDDED_LM, EMBEDDED_SITE
from monosema.pipeline.stages import harvest_stage, train_stage
from monosema.pipeline.subject import open_subject

LEAST_TEXT = 50_000
"""Tokens that are packed at least: so many documents that some are held out."""


@dataclass(frozen=True)
class MadeOfConfig:
    """A BatchTopK dictionary of `n_features` that sees `rows` activations, and the first `tokens` of its text."""

    n_features: int = 1024
    k: int = 32
    rows: int = 200_000
    tokens: int = 65_536
    seed: int = 0


def prepare(folder: Path, config: MadeOfConfig) -> Path:
    """The folder with everything in it, made where it is not there yet."""
    if (folder / TOKENS).exists():
        return folder
    run = open_run(folder / "run", create=True)
    subject = SubjectConfig(str(EMBEDDED_LM.resolve()), (EMBEDDED_SITE,), control=None, harvest=HarvestConfig())
    harvest_stage(
        run, subject, PackConfig(max_tokens=max(LEAST_TEXT, config.rows, 2 * config.tokens), seed=config.seed)
    )
    spec = parse_spec(
        f"d=batchtopk,k={config.k},lr=0.003,n_features={config.n_features}", (EMBEDDED_SITE,), (EMBEDDED_SITE,)
    )
    train_stage(run, [spec], TrainConfig(rows=config.rows, batch_size=2048, seed=config.seed))
    found = open_subject(run)
    dictionary = found.dictionaries["d"].folder
    assert dictionary is not None, "a dictionary of a run has a folder"
    shutil.copytree(dictionary, folder / DICTIONARY, dirs_exist_ok=True)
    text = found.packed.train
    n_blocks = config.tokens // text.context
    require(n_blocks <= text.n_blocks, f"{config.tokens:,} tokens were asked for, the text has {text.n_blocks} blocks")
    blocks = text.blocks(0, n_blocks)
    tensors = {name: getattr(blocks, name).contiguous() for name in ("tokens", "documents", "usable")}
    save_file(tensors, folder / TOKENS)
    return folder
