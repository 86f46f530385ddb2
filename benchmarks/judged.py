"""Who is judged on worlds, and how each is brought to the L0 that is asked of it: a literal table.

`{k}` in the settings stands for the L0 asked for, `{penalty}` for a number that is looked for until L0 is near it,
from `start` on. A learning rate of None is the library's own default, or law. What is not set is the library's default.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.contenders import OURS, Contender

SHARES = (1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""What each nested dictionary of a Matryoshka adds to the one before it: for all libraries the same, that of ours."""


@dataclass(frozen=True)
class Judged:
    """family: what is compared with what. start: the first penalty tried; None where k sets L0. lr: what its own
    rate is, to be named beside those of the search; None where it is not a single number."""

    family: str
    contender: Contender
    start: float | None = None

    @property
    def name(self) -> str:
        return self.contender.name

    def at(self, lr: float | None, k: int, penalty: float | None) -> dict[str, Any]:
        """The settings of a run; `lr` None: its default."""
        text = json.dumps(self.contender.settings)
        for word, number in (("k", k), ("penalty", penalty)):
            text = text.replace(f'"{{{word}}}"', repr(number)).replace(f"{{{word}}}", repr(number))
        return {**json.loads(text), "lr": lr}


def _ours(family: str, spec: str, start: float | None = None) -> Judged:
    return Judged(family, Contender(family, OURS, "ours", None, {"spec": spec}), start)


def _saelens(family: str, architecture: str, start: float | None = None, **sae: Any) -> Judged:
    settings = {"architecture": architecture, "sae": sae}
    return Judged(family, Contender(f"saelens_{family}", "saelens", "saelens", None, settings), start)


def _dictionary_learning(family: str, trainer: str, start: float | None = None, **options: Any) -> Judged:
    settings = {"trainer": trainer, "options": options}
    contender = Contender(f"dictionary_learning_{family}", "dictionary-learning", "dictionary_learning", None, settings)
    return Judged(family, contender, start)


def judged(n_features: int) -> tuple[Judged, ...]:
    """Every contender, for dictionaries of `n_features`."""
    sizes = [round(sum(SHARES[: i + 1]) * n_features) for i in range(len(SHARES))]
    signum = Contender("sparsify_topk", "sparsify", "sparsify", None, {"optimizer": "signum"})
    return (
        _ours("topk", "topk,k={k}"),
        _saelens("topk", "topk"),
        _dictionary_learning("topk", "TopKTrainer"),
        Judged("topk", signum),
        Judged("topk", replace(signum, name="sparsify_topk_adam", settings={"optimizer": "adam"})),
        _ours("batchtopk", "batchtopk,k={k}"),
        _saelens("batchtopk", "batchtopk"),
        _dictionary_learning("batchtopk", "BatchTopKTrainer"),
        _ours("jumprelu", "jumprelu,target={k}"),
        _saelens("jumprelu", "jumprelu", 1.0, l0_coefficient="{penalty}"),
        _dictionary_learning("jumprelu", "JumpReluTrainer", target_l0="{k}"),
        _ours("l1", "l1,penalty={penalty}", 3.0),
        _saelens("l1", "standard", 1.0, l1_coefficient="{penalty}"),
        _dictionary_learning("l1", "StandardTrainer", 0.1, l1_penalty="{penalty}"),
        _ours("gated", "gated,penalty={penalty}", 3.0),
        _saelens("gated", "gated", 1.0, l1_coefficient="{penalty}"),
        _dictionary_learning("gated", "GatedSAETrainer", 0.1, l1_penalty="{penalty}"),
        _ours("matryoshka", "matryoshka,k={k}"),
        _saelens("matryoshka", "matryoshka_batchtopk", matryoshka_widths=sizes),
        _dictionary_learning("matryoshka", "MatryoshkaBatchTopKTrainer", group_fractions=list(SHARES)),
    )
