import json
import math
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monosema.core.config import from_json, from_text, require, require_range, to_json
from monosema.core.errors import ConfigError


@dataclass(frozen=True)
class Adam:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)


@dataclass(frozen=True)
class Config:
    k: int
    how: Literal["fast", "exact"] = "exact"
    bits: Literal[16, 32] = 32
    tied: bool = False
    name: str | None = None
    sites: tuple[str, ...] = ()
    adam: Adam = field(default_factory=Adam)


configs = st.builds(
    Config,
    k=st.integers(),
    how=st.sampled_from(["fast", "exact"]),
    bits=st.sampled_from([16, 32]),
    tied=st.booleans(),
    name=st.none() | st.text(),
    sites=st.lists(st.text()).map(tuple),
    adam=st.builds(
        Adam, lr=st.floats(allow_nan=False, allow_infinity=False), betas=st.tuples(st.floats(0, 1), st.floats(0, 1))
    ),
)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_come_back(value: float):
    text = json.dumps(to_json(Adam(lr=value)), allow_nan=False)
    assert repr(from_json(Adam, json.loads(text)).lr) == repr(value)


@given(configs)
def test_json_and_back_is_the_same_config(config: Config):
    assert from_json(Config, json.loads(json.dumps(to_json(config)))) == config


def test_to_json_holds_every_field_by_name():
    assert to_json(Config(k=3, sites=("embed",))) == {
        "k": 3,
        "how": "exact",
        "bits": 32,
        "tied": False,
        "name": None,
        "sites": ["embed"],
        "adam": {"lr": 0.001, "betas": [0.9, 0.999]},
    }


def test_to_json_refuses_what_it_cannot_read_back():
    with pytest.raises(TypeError, match="cannot hold a set"):
        to_json({1, 2})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"k": 1, "hwo": "fast"}, "config: unknown setting 'hwo'. Did you mean 'how'?"),
        ({"k": 1, "adam": {"lrr": 1.0}}, "config.adam: unknown setting 'lrr'. Did you mean 'lr'?"),
        ({}, "config: setting 'k' is missing"),
        ({"k": "3"}, "config.k: expected int, got '3'"),
        ({"k": 3.0}, "config.k: expected int, got 3.0"),
        ({"k": True}, "config.k: expected int, got True"),
        ({"k": None}, "config.k: expected int, got None"),
        ({"k": 1, "tied": 1}, "config.tied: expected bool, got 1"),
        ({"k": 1, "name": 1}, "config.name: expected str or null, got 1"),
        ({"k": 1, "how": "exakt"}, "config.how: unknown value 'exakt'. Did you mean 'exact'?"),
        ({"k": 1, "how": 3}, "config.how: expected 'fast' or 'exact', got 3"),
        ({"k": 1, "bits": 8}, "config.bits: expected 16 or 32, got 8"),
        ({"k": 1, "bits": "16"}, "config.bits: expected 16 or 32, got '16'"),
        ({"k": 1, "sites": "embed"}, "config.sites: expected tuple[str, ...], got 'embed'"),
        ({"k": 1, "sites": ["embed", 3]}, "config.sites[1]: expected str, got 3"),
        ({"k": 1, "adam": {"betas": [0.9]}}, "config.adam.betas: expected 2 values, got 1"),
        ({"k": 1, "adam": {"betas": [0.9, True]}}, "config.adam.betas[1]: expected float, got True"),
        ({"k": 1, "adam": 0.1}, "config.adam: expected Adam, got 0.1"),
        ([1], "config: expected an object with the fields of Config, got [1]"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(data: object, says: str):
    with pytest.raises(ConfigError) as error:
        from_json(Config, data)
    assert str(error.value).startswith(says)


def test_an_int_stands_for_a_float_but_not_the_other_way_round():
    config = from_json(Adam, {"lr": 1})
    assert config.lr == 1.0 and isinstance(config.lr, float)


def test_a_literal_does_not_take_an_equal_value_of_another_type():
    @dataclass(frozen=True)
    class One:
        n: Literal[1]

    assert from_json(One, {"n": 1}) == One(1)
    with pytest.raises(ConfigError):
        from_json(One, {"n": True})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ({"k": "32"}, Config(32)),
        ({"k": "1", "tied": "TRUE"}, Config(1, tied=True)),
        ({"k": "1", "how": "fast"}, Config(1, how="fast")),
        ({"k": "1", "bits": "16"}, Config(1, bits=16)),
        ({"k": "1", "name": "none"}, Config(1, name=None)),
        ({"k": "1", "name": "12"}, Config(1, name="12")),
        ({"k": "1", "sites": "embed+resid_post.1"}, Config(1, sites=("embed", "resid_post.1"))),
        ({"k": "1", "sites": ""}, Config(1)),
    ],
)
def test_command_line_text(text: dict[str, str], value: Config):
    assert from_text(Config, text) == value


def test_command_line_text_of_a_tuple_of_numbers():
    assert from_text(Adam, {"lr": "3e-4", "betas": "0.5+1"}) == Adam(3e-4, (0.5, 1.0))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({"k": "many"}, "config.k: expected int, got 'many'"),
        ({"k": "1.5"}, "config.k: expected int, got '1.5'"),
        ({"k": "1", "tied": "yes"}, "config.tied: expected bool, got 'yes'"),
        ({"k": "1", "kk": "2"}, "config: unknown setting 'kk'. Did you mean 'k'?"),
        ({"k": "1", "bits": "8"}, "config.bits: expected 16 or 32, got '8'"),
    ],
)
def test_command_line_text_that_does_not_fit(text: dict[str, str], says: str):
    with pytest.raises(ConfigError) as error:
        from_text(Config, text)
    assert str(error.value).startswith(says)


def test_too_few_parts_for_a_fixed_tuple():
    with pytest.raises(ConfigError, match=r"config\.betas: expected 2 values, got 1"):
        from_text(Adam, {"betas": "0.5"})


def test_require_raises_its_message_and_only_then():
    require(True, "never said")
    with pytest.raises(ConfigError, match="k is larger than n_features"):
        require(False, "k is larger than n_features")


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_inside_a_closed_range(value: float):
    require_range("share", value, 0, 1)


@pytest.mark.parametrize("value", [-1e-9, 1.000001, math.nan, math.inf, -math.inf])
def test_outside_a_closed_range(value: float):
    with pytest.raises(ConfigError, match=r"share is .*: it must be at least 0, at most 1"):
        require_range("share", value, 0, 1)


def test_an_open_range_leaves_out_its_lower_end():
    require_range("lr", 1e-30, 0, open_low=True)
    with pytest.raises(ConfigError, match=r"lr is 0: it must be more than 0$"):
        require_range("lr", 0, 0, open_low=True)
