import pytest

from monosema.core import errors
from monosema.core.errors import MonosemaError, unknown


def test_the_message_names_what_was_got_the_nearest_and_the_list():
    assert unknown("metric", "mxe", ["mse", "l0"]) == "unknown metric 'mxe'. Did you mean 'mse'? Known: l0, mse"


def test_nothing_is_suggested_where_nothing_is_near():
    assert unknown("metric", "frequency", ["mse", "l0"]) == "unknown metric 'frequency'. Known: l0, mse"


def test_underscores_do_not_hide_the_name():
    message = unknown("architecture", "batch_topk", ["batchtopk", "gated", "jumprelu", "l1", "matryoshka", "topk"])
    assert "Did you mean 'batchtopk'?" in message


def test_known_names_may_come_from_an_iterator():
    assert unknown("key", "kk", iter({"k": 1})).endswith("Known: k")


def test_every_error_of_ours_is_caught_by_one_name_and_drawn_in_the_tree():
    ours = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(ours) == 8
    for error in ours:
        assert issubclass(error, MonosemaError)
        assert error.__name__ in (errors.__doc__ or "")


def test_a_bug_is_not_caught_by_it():
    with pytest.raises(KeyError):
        try:
            raise KeyError("ours")
        except MonosemaError:
            pass
