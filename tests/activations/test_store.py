"""Batches cover the store once an epoch, mix it, repeat exactly, resume anywhere, and stay within bounds."""

import os
import threading
import weakref
from itertools import islice
from pathlib import Path

import pytest
import torch

from monosema.activations import ActivationStore, HarvestConfig, harvest, open_store, shuffle
from monosema.activations.manifest import NAME
from monosema.core.errors import ConfigError, DamagedError, RunError

SITES = ["resid_post.0", "attn_z.0"]


def config(dtype: str = "float32", buffer_rows: int = 100) -> HarvestConfig:
    return HarvestConfig(batch_size=4, dtype=dtype, shard_rows=64, outlier_factor=1e6, buffer_rows=buffer_rows)


@pytest.fixture(params=[100, 100_000], ids=["seven buffers", "one buffer"])
def store(request, tmp_path, tokens, model) -> ActivationStore:
    return harvest(model, tokens, SITES, tmp_path / "store", config(buffer_rows=request.param))


def first(store: ActivationStore, n: int, batch_size: int = 16, seed: int = 0, start: int = 0) -> list:
    batches = store.batches(batch_size, seed, start)
    found = list(islice(batches, n))
    batches.close()
    return found


def joined(batches: list, site: str) -> tuple:
    index = [torch.cat([getattr(b, name) for b in batches]) for name in ("tokens", "documents", "positions")]
    return (*index, torch.cat([b.activations[site] for b in batches]))


@pytest.mark.parametrize("site", SITES)
def test_an_epoch_is_every_row_once_bit_for_bit_less_the_tail(store, all_rows, tuples, site):
    rows = all_rows(site)
    assert store.n_rows == len(rows)
    batches = first(store, store.n_rows // 16)
    found = tuples(*joined(batches, site))
    assert len(found) == len(rows) // 16 * 16 and len(rows) % 16 != 0
    assert not list(_minus(found, rows))  # all distinct positions of the corpus, each once
    assert tuples(*joined(first(store, store.n_rows, batch_size=1), site)) == rows  # without a tail: all


def _minus(found: list, rows: list) -> list:
    left = list(rows)
    for row in found:
        if row not in left:
            yield row
        else:
            left.remove(row)


def test_every_batch_has_the_size_asked_for_across_epochs(store):
    assert {len(batch) for batch in first(store, 3 * (store.n_rows // 50) + 1, batch_size=50)} == {50}


def test_batches_are_float32_and_int64_whatever_is_stored(tmp_path, tokens, model):
    for dtype in ("float16", "bfloat16"):
        store = harvest(model, tokens, SITES, tmp_path / dtype, config(dtype))
        batch = first(store, 1)[0]
        assert {x.dtype for x in batch.activations.values()} == {torch.float32} and batch.tokens.dtype == torch.int64
        exact = model.run(tokens.blocks(0, tokens.n_blocks).tokens, SITES)["attn_z.0"].flatten(2)
        for i in range(len(batch)):
            place = (tokens.owners == batch.documents[i]) & (tokens.ids == batch.tokens[i])
            place &= torch.arange(8) == batch.positions[i]
            want = exact[place].to(getattr(torch, dtype)).float()
            assert (want == batch.activations["attn_z.0"][i]).all(1).any()


def test_a_batch_mixes_documents(store):
    # In order, 64 rows come from about 5 neighbouring documents of 40; drawn at random from all, from about 25.
    counts = [len(batch.documents.unique()) for batch in first(store, 5, batch_size=64)]
    assert min(counts) >= (20 if store.manifest.config.buffer_rows > 1000 else 12)
    spans = [int(batch.documents.max() - batch.documents.min()) for batch in first(store, 5, batch_size=64)]
    assert min(spans) > 25


def test_seeds_and_epochs_differ_and_repeats_do_not(store):
    steps = store.n_rows // 16
    a, again, b = first(store, 2 * steps), first(store, 2 * steps), first(store, 1, seed=1)
    assert all(same(x, y) for x, y in zip(a, again, strict=True))
    assert not same(a[0], b[0])
    assert not same(a[0], a[steps])


def same(a, b) -> bool:
    fields = (torch.equal(getattr(a, n), getattr(b, n)) for n in ("tokens", "documents", "positions"))
    return all(fields) and all(torch.equal(a.activations[s], b.activations[s]) for s in a.activations)


@pytest.mark.parametrize("batch_size", [16, 130])  # smaller and larger than a buffer of 100
def test_it_resumes_at_any_step(store, batch_size):
    steps = store.n_rows // batch_size
    whole = first(store, 2 * steps + 2, batch_size)
    for start in range(len(whole)):
        assert same(first(store, 1, batch_size, start=start)[0], whole[start])


def test_resuming_a_million_epochs_on_reads_no_more_than_the_buffers_in_use(store, monkeypatch):
    loads = []
    real = ActivationStore._load
    monkeypatch.setattr(ActivationStore, "_load", lambda self, slices: loads.append(len(slices)) or real(self, slices))
    first(store, 1, start=10**6 * (store.n_rows // 16) + 3)
    assert len(loads) <= 3


@pytest.mark.parametrize("buffer_rows", [40, 100, 300])
def test_two_buffers_at_most_are_in_memory_and_none_is_larger_than_it_says(
    tmp_path, tokens, model, monkeypatch, buffer_rows
):
    store = harvest(model, tokens, SITES, tmp_path, config(buffer_rows=buffer_rows))
    buffers: weakref.WeakSet = weakref.WeakSet()
    sizes, alive = [], []
    real = ActivationStore._load

    def load(self, slices):
        rows = real(self, slices)
        buffers.add(rows.tokens)
        sizes.append(len(rows))
        alive.append(len(buffers))
        return rows

    monkeypatch.setattr(ActivationStore, "_load", load)
    first(store, 3 * store.n_rows // 16)
    assert len(sizes) > 3 and max(sizes) <= buffer_rows
    assert max(alive) <= 2


def test_closing_the_batches_ends_the_thread(store):
    def threads() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("activations")]

    batches = store.batches(16, 0)
    next(batches)
    assert threads()
    batches.close()
    assert not threads()


def test_an_error_in_the_thread_reaches_the_reader(store, monkeypatch):
    def fail(_self, _slices):
        raise DamagedError("gone")

    monkeypatch.setattr(ActivationStore, "_load", fail)
    with pytest.raises(DamagedError, match="gone"):
        next(store.batches(16, 0))


def test_batches_can_be_trained_on(store):
    batch = first(store, 1)[0]
    weight = torch.ones(6, 2, requires_grad=True)
    (batch.activations["resid_post.0"] @ weight).sum().backward()
    assert torch.allclose(weight.grad, batch.activations["resid_post.0"].sum(0)[:, None].expand(6, 2))


@pytest.mark.parametrize(("batch_size", "start"), [(0, 0), (10**6, 0), (16, -1)])
def test_batches_that_cannot_be_are_refused_at_once(store, batch_size, start):
    with pytest.raises(ConfigError):
        store.batches(batch_size, 0, start)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_truncated_shard_is_named_at_open(store):
    os.truncate(store.path / "00002.safetensors", 1000)
    with pytest.raises(DamagedError, match=r"00002.safetensors is truncated: 1,000 bytes of"):
        open_store(store.path)


def test_a_shard_that_is_truncated_after_opening_is_named_when_it_is_read(store):
    os.truncate(store.path / "00002.safetensors", 1000)
    with pytest.raises(DamagedError, match=r"00002.safetensors is truncated"):
        first(store, store.n_rows // 16)


def test_a_missing_shard_is_named_at_open(store):
    (store.path / "00001.safetensors").unlink()
    with pytest.raises(DamagedError, match=r"00001.safetensors is missing"):
        open_store(store.path)


def test_an_edited_shard_is_named_on_verify(store):
    flip(store.path / "00001.safetensors")
    opened = open_store(store.path)
    with pytest.raises(DamagedError, match=r"00001.safetensors was edited: its checksum differs"):
        opened.verify()
    with pytest.raises(DamagedError, match=r"00001.safetensors was edited"):
        open_store(store.path, verify=True)


def test_an_edited_manifest_is_found_at_open(store):
    text = (store.path / NAME).read_text()
    for old, new, words in [
        ('"outlier_factor": 1000000.0', '"outlier_factor": 10.0', "its fingerprint differs"),
        ('"outlier_factor"', '"outlier_facto"', "Did you mean 'outlier_factor'"),
        ("monosema activations 2", "monosema activations 9", "is no manifest"),
        ("{", "", "not valid JSON"),
    ]:
        (store.path / NAME).write_text(text.replace(old, new, 1))
        with pytest.raises(DamagedError, match=words):
            open_store(store.path)


def test_no_store_is_an_error_that_says_so(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        open_store(tmp_path)


def test_a_buffer_never_takes_more_bytes_than_the_cap(monkeypatch):
    monkeypatch.setattr(shuffle, "BUFFER_BYTES", 1000)
    assert shuffle.capacity(row_bytes=30, buffer_rows=10**9) == 33
    assert shuffle.capacity(row_bytes=30, buffer_rows=20) == 20
    assert shuffle.capacity(row_bytes=5000, buffer_rows=20) == 1
