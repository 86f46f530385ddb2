"""A study: every dictionary beside its control's, and several at once as one by one."""

import json
from dataclasses import dataclass

import pytest

from monosema.features import FeatureStudy, SampleConfig, reading, sample, sample_many, study

from .stand_ins import Corpus, Detecting, Letters, OneHot

CORPUS = Corpus("^abcabca" * 8, "^axxbxxb" * 8, "^xxxcxxx" * 8)
ONE, OTHER = Detecting([{"a": 1.0}, {"b": 1.0}]), Detecting([{"b": 2.0}, {"c": 1.0}, {"x": 1.0}])


@dataclass
class Nothing:
    dictionaries: dict[str, Detecting]
    model: OneHot
    what: str = "letters redrawn"


def test_several_dictionaries_at_once_are_sampled_as_one_by_one():
    together = sample_many({"one": ONE, "other": OTHER}, OneHot(), CORPUS, Letters())
    assert together == {name: sample(d, OneHot(), CORPUS, Letters()) for name, d in (("one", ONE), ("other", OTHER))}


def test_the_model_runs_once_a_block_or_twice_when_memory_is_short(monkeypatch: pytest.MonkeyPatch):
    class Counting(OneHot):
        runs = 0

        def run(self, tokens, read):
            Counting.runs += len(tokens)
            return super().run(tokens, read)

    both = {"one": ONE, "other": OTHER}
    first = sample_many(both, Counting(), CORPUS, Letters())
    assert Counting.runs == 3
    monkeypatch.setattr(reading, "KEPT_BYTES", 0)
    assert sample_many(both, Counting(), CORPUS, Letters()) == first
    assert Counting.runs == 3 + 6


def test_each_dictionary_stands_beside_the_control_of_its_name():
    control = Nothing({"one": OTHER}, OneHot())
    found = study({"one": ONE, "other": OTHER}, OneHot(), CORPUS, Letters(), control, SampleConfig(n_control=1))
    one, other = found.dictionaries
    assert one.control is not None and one.control.fingerprint == OTHER.fingerprint
    assert len(one.control.features) == 1
    assert (one.control_is, one.findings[0].control_is) == ("letters redrawn", "letters redrawn")
    assert one.findings[0].control is not None
    assert (other.control, other.control_is) == (None, "the control has no dictionary 'other'")
    assert other.findings[0].control is None


def test_without_a_control_the_study_says_so():
    found = study({"one": ONE}, OneHot(), CORPUS, Letters(), None)
    assert (found.dictionaries[0].control, found.dictionaries[0].control_is) == (None, "skipped by the user")


def test_a_study_comes_back_from_json():
    found = study({"one": ONE}, OneHot(), CORPUS, Letters(), Nothing({"one": OTHER}, OneHot()))
    assert FeatureStudy.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
