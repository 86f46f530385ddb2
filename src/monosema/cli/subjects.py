"""The model that a verb on circuits is given: a folder's, a run's, ours, or an example made here."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from monosema.corpus import Tokenizer
    from monosema.models import Model


def subject(
    folder: Path | None, example: Literal["none", "by-hand", "trained"], seed: int
) -> "tuple[Model, Tokenizer | None]":
    """The model and its tokenizer; examples have none. Raises as `models.load` and `Tokenizer.load` do."""
    from monosema import models
    from monosema.cli.places import model_folder
    from monosema.corpus import Tokenizer

    if example == "by-hand":
        from monosema.circuits.heads.by_hand import induction_by_hand

        return models.wrap(induction_by_hand(40, 64, seed=seed), "induction by hand"), None
    if example == "trained":
        from monosema.circuits.heads.learning import InductionConfig, train_induction

        return models.wrap(train_induction(InductionConfig(seed=seed)).module, "induction, trained"), None
    place = model_folder(folder)
    return models.load(place), Tokenizer.load(place)
