"""A query and its URL are the same thing, exactly."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monosema.core.errors import ConfigError
from monosema.features.browse import COLUMNS, Query, Range

floats = st.floats(allow_nan=False, allow_infinity=False)
columns = st.sampled_from(list(COLUMNS))


bounds = st.tuples(floats, floats, st.sampled_from(["both", "low", "high"]))

queries = st.fixed_dictionaries(
    {
        "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
        "kind": st.sampled_from(["all", "alive", "dead", "dense", "rare"]),
        "labelled": st.sampled_from(["any", "yes", "no"]),
        "sort": columns,
        "descending": st.booleans(),
        "page": st.integers(1, 10_000),
        "size": st.integers(1, 200),
        "x": columns,
        "y": columns,
    }
)


def bounded(column: str, bounds: tuple[float, float, str]) -> Range:
    low, high = sorted(bounds[:2])
    return Range(column, None if bounds[2] == "high" else low, None if bounds[2] == "low" else high)


@given(queries, st.dictionaries(columns, bounds, max_size=4))
def test_the_url_says_the_whole_query(fields: dict[str, Any], kept: dict[str, tuple[float, float, str]]):
    query = Query(**fields, ranges=tuple(bounded(*pair) for pair in kept.items()))
    assert Query.from_url(query.to_url()) == query
    assert Query.from_url(query.to_url()).to_url() == query.to_url()
    assert query.to_url().isascii() and " " not in query.to_url()


def test_a_query_by_hand():
    query = Query(text="a&b=ü", kind="dense", ranges=(Range("frequency", 0.1, 1.0), Range("feature", low=3.0)), page=2)
    assert query.to_url() == "q=a%26b%3D%C3%BC&kind=dense&page=2&feature.min=3.0&frequency.min=0.1&frequency.max=1.0"
    assert Query().to_url() == ""
    assert Query(descending=False).to_url() == "sort=importance"
    assert Query.from_url("sort=-frequency") == Query(sort="frequency")


def test_what_a_form_sends_empty_says_nothing():
    assert Query.from_url("q=&kind=all&frequency.min=&frequency.max=&sort=-importance&size=50") == Query()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sorts=frequency", "unknown filter 'sorts'. Did you mean 'sort'?"),
        ("sort=-frequncy", "unknown column 'frequncy'. Did you mean 'frequency'?"),
        ("kind=dad", "unknown value of kind 'dad'. Did you mean 'dead'?"),
        ("frequency.min=often", "frequency.min is 'often': it must be a number"),
        ("frequency.min=nan", "must be finite"),
        ("frequency.min=2&frequency.max=1", "frequency from 2.0 to 1.0: nothing lies between"),
        ("page=0", "page is 0: it must be at least 1"),
        ("page=-1", "page is '-1': it must be a whole number"),
        ("size=100000", "size is 100000: it must be at least 1, at most 200"),
        ("page=1&page=2", "'page' stands twice"),
        ("q=" + "x" * 201, "at most 200"),
        ("q=%ff", "does not read"),
    ],
)
def test_what_does_not_read_is_said(url: str, says: str):
    with pytest.raises(ConfigError) as error:
        Query.from_url(url)
    assert says in str(error.value)
