"""A run through every stage, small enough to be made in seconds."""

import random
from pathlib import Path

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "one", "red", "dog", "run", "far"]
LM = ["--context", "16", "--vocab-size", "300", "--n-layers", "2", "--d-model", "16", "--n-heads", "2"]
LM += ["--steps", "12", "--batch-size", "8", "--eval-every", "6"]
DICTIONARIES = ["--dictionary", "topk,k=4,n_features=32", "--dictionary", "l1,penalty=1,n_features=32"]
DICTIONARIES += ["--dictionary", "heavy=l1,penalty=4,n_features=32"]
TRAIN = [*DICTIONARIES, "--rows", "3200", "--batch-size", "64"]
TRANSCODERS = ["--dictionary", "tc=topk,k=4,n_features=32", "--reads", "mlp_in", "--writes", "mlp_out"]
TRANSCODERS += ["--rows", "1280", "--batch-size", "64"]
PROMPT = "the cat sat on a"
WHOLE = ["--nodes", "1", "--edges", "1"]
SAMPLE = ["--n-features", "6", "--n-control", "2", "--n-scored", "6"]


def write_texts(folder: Path, n: int = 60, seed: int = 0) -> Path:
    """`n` text files of random words."""
    folder.mkdir(parents=True)
    rng = random.Random(seed)
    for i in range(n):
        words = [rng.choice(WORDS) for _ in range(rng.randint(30, 60))]
        (folder / f"{i}.txt").write_text(" ".join(words) + "\n")
    return folder


def stages(run: Path, texts: Path) -> list[list[str]]:
    """The commands that make a whole run, in order."""
    return [
        ["lm", "train", str(run), "--corpus", str(texts), *LM],
        ["harvest", str(run), "--site", "blocks.0.hook_resid_post"],
        ["train", str(run), *TRAIN],
        ["score", str(run)],
        ["prune", str(run), "--above", "0.3", "--above", "0.1"],
        ["report", str(run), *SAMPLE],
    ]


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file under `folder`, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
