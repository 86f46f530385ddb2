"""`monosema patch`: where in a model the difference between two prompts is carried."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.circuits.patch.settings import PatchConfig
from monosema.cli.showing import Outcome
from monosema.core.errors import ConfigError

if TYPE_CHECKING:
    from monosema.circuits.patch.pairs import Pairs
    from monosema.corpus import Tokenizer
    from monosema.models import Model


@dataclass(frozen=True)
class Arguments:
    """Activation patching between two prompts: OUT/patch.html, its .json, and a folder of SVG files.

    The corrupted prompt runs, and takes over activations of the clean one: 0 is the corrupted prompt, 1 the clean one.
    Beside it what gradients estimate, what an unrelated prompt does, and what random places do.
    """

    model: Annotated[Positional[Path | None], arg(metavar="[MODEL]")] = None
    """Folder of a causal language model, or a run; the small one that comes with monosema by default."""
    clean: str = ""
    """The prompt whose answer is wanted."""
    corrupted: str = ""
    """The same with what matters changed; as many tokens."""
    answer: str = ""
    """The clean prompt's next token, such as " is"."""
    wrong: str = ""
    """The corrupted prompt's."""
    pairs: Path | None = None
    """In place of these: JSON lines with clean_prefix, patch_prefix, clean_answer and patch_answer."""
    skip: FlagCreatePairsOff[bool] = False
    """Leave out pairs of the file that do not fit, and say how many."""
    task: Literal["none", "agreement", "induction"] = "none"
    """In place of these: made-up pairs of subject and verb, or of random tokens that repeat."""
    n: int = 16
    """Made-up pairs, or pairs of the file, at most."""
    example: Literal["none", "by-hand", "trained"] = "none"
    """In place of a model: an induction circuit written by hand, or one trained here (half a minute)."""
    sites: str = "resid_post,heads"
    """Kinds of site in every layer (resid_post, mlp_out, attn_out, heads, attn_q ...), or sites (resid_post.3)."""
    metric: Literal["logit_diff", "probability", "loss"] = "logit_diff"
    """What is measured of the last token's logits."""
    top: int = 2
    """Strongest places of a kind that are patched together, against as many at random."""
    shown: int = 10
    """Rows in each table."""
    dictionary: Path | None = None
    """Folder of a dictionary, whose features are patched too."""
    seed: int = 0
    """Of made-up pairs and controls."""
    out: Path = Path("patch")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Load the model, make the pairs, patch, and write what was seen."""
    a = arguments
    _require_one_source(a)
    sites = tuple(site.strip() for site in a.sites.split(",") if site.strip())
    config = PatchConfig(sites, a.metric, a.top, shown=a.shown, seed=a.seed)

    from monosema import dictionaries
    from monosema.circuits.patch.exploring import explore_patching
    from monosema.cli.exhibiting import written
    from monosema.cli.subjects import subject
    from monosema.models.losses import require_next_token

    model, tokenizer = subject(a.model, a.example, a.seed)
    require_next_token(model, "patching")
    pairs, left = _pairs(a, model, tokenizer)
    bos, texts = None, None
    if tokenizer is not None:
        bos = tokenizer.bos
        clean, corrupted = (tokenizer.token_texts(rows[0].tolist()) for rows in (pairs.clean, pairs.corrupted))
        texts = (clean, corrupted)
    dictionary = None if a.dictionary is None else dictionaries.load(a.dictionary)
    exhibit = explore_patching(model, pairs, config, texts, bos, dictionary)
    then = f"monosema heads{f' {a.model}' if a.model else ''}{f' --example {a.example}' * (a.example != 'none')}"
    outcome = written(exhibit, a.out, then if model.n_heads else "")
    shown = (f"{left} pairs of the file do not fit and were left out", *outcome.shown) if left else outcome.shown
    return Outcome(outcome.wrote, outcome.next, outcome.result, shown)


def _require_one_source(a: Arguments) -> None:
    texts = {"--clean": a.clean, "--corrupted": a.corrupted, "--answer": a.answer, "--wrong": a.wrong}
    given = [any(texts.values()), a.pairs is not None, a.task != "none"]
    if sum(given) != 1:
        raise ConfigError(
            "say once which prompts: --clean, --corrupted, --answer and --wrong; or --pairs FILE; or --task agreement, "
            "or induction"
        )
    if given[0] and (missing := [name for name, text in texts.items() if not text]):
        raise ConfigError(f"{missing[0]} is missing: two prompts and the next token of each are needed")
    if a.skip and a.pairs is None:
        raise ConfigError("--skip is for the pairs of a file: give one with --pairs")
    if a.example != "none" and (a.model is not None or a.task != "induction"):
        raise ConfigError(
            "--example takes the place of a model, and its tokens are numbers: use it with --task induction"
        )


def _pairs(a: Arguments, model: "Model", tokenizer: "Tokenizer | None") -> "tuple[Pairs, int]":
    """The pairs, and how many of a file were left out because they do not fit."""
    from monosema.circuits.patch.pairs import agreement_pairs, induction_pairs, pair_of, read_pairs

    if tokenizer is None or a.task == "induction":
        return induction_pairs(model, a.n, bos=None if tokenizer is None else tokenizer.bos, seed=a.seed), 0
    if a.task == "agreement":
        return agreement_pairs(tokenizer, a.n, a.seed, model.n_context), 0
    if a.pairs is None:
        return pair_of(tokenizer, a.clean, a.corrupted, a.answer, a.wrong, model.n_context), 0
    pairs, left = read_pairs(a.pairs, tokenizer, model.n_context, a.skip)
    return pairs.where(slice(a.n)), left
