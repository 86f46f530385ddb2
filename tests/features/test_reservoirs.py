"""The best places in one pass, against sorting everything."""

import pytest
import torch

from monosema.features.mixing import mixed
from monosema.features.reservoirs import Reservoir

N = 300


def kept(
    keys: torch.Tensor, documents: torch.Tensor, k: int, batch: int, *, one_per_document: bool
) -> list[tuple[float, int]]:
    reservoir = Reservoir(k, one_per_document=one_per_document)
    for start in range(0, N, batch):
        part = slice(start, start + batch)
        places = torch.arange(N)[part]
        reservoir.offer(keys[part], places, documents[part], lambda i, first=start: torch.tensor([float(first + i)]))
    assert all(float(entry.window) == entry.place for entry in reservoir.kept)  # the window goes with its place
    return [(entry.key, entry.place) for entry in reservoir.kept]


@pytest.mark.parametrize("batch", [1, 7, 100, N])
@pytest.mark.parametrize("k", [0, 1, 5, N])
@pytest.mark.parametrize("levels", [4, 10_000], ids=["many ties", "few ties"])
def test_what_is_kept_is_what_sorting_everything_gives(batch: int, k: int, levels: int):
    generator = torch.Generator().manual_seed(levels)
    keys = torch.randint(levels, (N,), generator=generator).float()
    documents = torch.randint(20, (N,), generator=generator)
    ranked = sorted(range(N), key=lambda i: (-float(keys[i]), i))
    assert kept(keys, documents, k, batch, one_per_document=False) == [(float(keys[i]), i) for i in ranked[:k]]
    first = {int(documents[i]): i for i in reversed(ranked)}
    best = [i for i in ranked if first[int(documents[i])] == i]
    assert kept(keys, documents, k, batch, one_per_document=True) == [(float(keys[i]), i) for i in best[:k]]


def test_mixed_numbers_look_uniform_and_differ_by_salt():
    places = torch.arange(20_000)
    numbers = mixed(places, 1)
    assert len(numbers.unique()) == 20_000 and int(numbers.min()) >= 0
    # Of 16 equal parts of the range each holds 1,250 of 20,000, give or take 4 standard deviations (34 each).
    parts = torch.bincount(numbers >> 59, minlength=16)
    assert int((parts - 1250).abs().max()) < 137
    bits = torch.stack([(numbers >> i) & 1 for i in range(63)]).double().mean(1)
    assert float((bits - 0.5).abs().max()) < 0.016
    assert float((numbers == mixed(places, 2)).double().mean()) == 0
    assert mixed(torch.tensor([0]), 0).tolist() != mixed(torch.tensor([0]), 1).tolist()


def test_mixed_is_splitmix64():
    # The first outputs of SplitMix64 with state 0 (Vigna's reference code), without the sign bit.
    state = torch.tensor([1, 2, 3])
    known = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert mixed(state, 0).tolist() == [number & (2**63 - 1) for number in known]
