"""The features of every dictionary of a run beside those of its control."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

from monosema.corpus.views import Tokens
from monosema.features.reading import Dictionary, Model, Tokenizer
from monosema.features.rows import FeatureStudy, SampleConfig, StudiedDictionary
from monosema.features.sampling import sample_many
from monosema.features.summary import foresight, readability

SKIPPED = "skipped by the user"


@runtime_checkable
class Control(Protocol):
    """Where there is nothing to find; `monosema.evaluation.Control` is one."""

    @property
    def dictionaries(self) -> Mapping[str, Dictionary]: ...
    @property
    def model(self) -> Model: ...
    @property
    def what(self) -> str: ...


def study(
    dictionaries: Mapping[str, Dictionary],
    model: Model,
    tokens: Tokens,
    tokenizer: Tokenizer,
    control: Control | None,
    config: SampleConfig | None = None,
) -> FeatureStudy:
    """A sample of each dictionary's features, of its control's (of the same name), and what they say.

    `control=None` is a user's decision to go without, and the study says so. Raises as `sample` does.
    """
    config = config or SampleConfig()
    samples = sample_many(dictionaries, model, tokens, tokenizer, config)
    others, what = {}, SKIPPED
    if control is not None:
        twins = {name: control.dictionaries[name] for name in dictionaries if name in control.dictionaries}
        of_controls = replace(config, n_features=config.n_control)
        others, what = sample_many(twins, control.model, tokens, tokenizer, of_controls), control.what
    studied = []
    for name, found in samples.items():
        other = others.get(name)
        control_is = what if other is not None or control is None else f"the control has no dictionary '{name}'"
        findings = [measured(found, other, control_is) for measured in (foresight, readability)]
        there = tuple(finding for finding in findings if finding is not None)
        studied.append(StudiedDictionary(name, found, other, control_is, there))
    return FeatureStudy(tuple(studied))
