import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monosema.core.seeding import derive, generator

purposes = st.lists(st.text(max_size=5) | st.integers(), max_size=3).map(tuple)


@given(st.integers(0, 2**31), purposes)
def test_a_seed_fits_every_generator(seed: int, purpose: tuple[str | int, ...]):
    assert 0 <= derive(seed, *purpose) < 2**63


@given(st.lists(st.tuples(st.integers(0, 9), purposes), min_size=2, max_size=2, unique=True))
def test_different_purposes_have_different_seeds(pair: list[tuple[int, tuple[str | int, ...]]]):
    (seed, purpose), (other_seed, other_purpose) = pair
    assert derive(seed, *purpose) != derive(other_seed, *other_purpose)


@pytest.mark.parametrize(
    ("one", "other"), [(("a", "b"), ("a/b",)), ((1,), ("1",)), ((), ("",)), (("a", 12), ("a1", 2))]
)
def test_purposes_that_look_alike_when_joined(one: tuple[str | int, ...], other: tuple[str | int, ...]):
    assert derive(0, *one) != derive(0, *other)


def test_the_stream_does_not_depend_on_what_was_drawn_before():
    alone = torch.rand(4, generator=generator(0, "topk", 3))
    for purpose in ("l1", "gated"):
        torch.rand(1000, generator=generator(0, purpose, 3))
    torch.rand(1000)
    assert torch.equal(alone, torch.rand(4, generator=generator(0, "topk", 3)))


def test_a_seed_is_the_same_on_every_machine():
    # sha256 of '[0, "shuffle", 1]', first 8 bytes, little-endian, halved.
    assert derive(0, "shuffle", 1) == 4_254_814_228_894_185_632
