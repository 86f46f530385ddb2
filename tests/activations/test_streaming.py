"""A stream gives what a store gives, from the model itself, and resumes without running what came before."""

from itertools import islice

import pytest
import torch

from monosema.activations import HarvestConfig, Stream, harvest, stream
from monosema.core.errors import DataError, SiteError

SITES = ["resid_post.0", "attn_z.0"]
SMALL = HarvestConfig(batch_size=4, dtype="float32", shard_rows=64, outlier_factor=1e6, buffer_rows=100)


def first(source: Stream, n: int, batch_size: int = 16, seed: int = 0, start: int = 0) -> list:
    return list(islice(source.batches(batch_size, seed, start), n))


def same(a, b) -> bool:
    fields = (torch.equal(getattr(a, n), getattr(b, n)) for n in ("tokens", "documents", "positions"))
    return all(fields) and all(torch.equal(a.activations[s], b.activations[s]) for s in a.activations)


@pytest.mark.parametrize("site", SITES)
def test_an_epoch_is_every_usable_row_once_bit_for_bit(tokens, model, all_rows, tuples, site):
    source = stream(model, tokens, SITES, SMALL)
    batches = first(source, source.n_rows, batch_size=1)
    index = [torch.cat([getattr(b, name) for b in batches]) for name in ("tokens", "documents", "positions")]
    assert tuples(*index, torch.cat([b.activations[site] for b in batches])) == all_rows(site)


def test_it_resumes_at_any_step_and_differs_by_seed_and_epoch(tokens, model):
    source = stream(model, tokens, SITES, SMALL)
    steps = source.n_rows // 16
    whole = first(source, 2 * steps + 2)
    for start in range(len(whole)):
        assert same(first(source, 1, start=start)[0], whole[start])
    assert not same(whole[0], whole[steps])
    assert not same(whole[0], first(source, 1, seed=1)[0])


def test_resuming_runs_one_buffer_and_nothing_before_it(tokens, model):
    source = stream(model, tokens, SITES, SMALL)
    first(source, 1)
    model.passes = 0
    first(source, 1, start=1000 * (source.n_rows // 16) + 10)
    assert model.passes <= 2 * (100 // 8 // 4 + 1)  # a batch lies in two buffers at most, of 12 blocks each


def test_the_place_of_an_outlier_is_taken_by_a_row_that_is_none(tokens, model, all_rows):
    model.spoil = lambda _site, ids, x: torch.where((ids == 7).view(-1, 8, *[1] * (x.ndim - 2)), 100 * x, x)
    config = HarvestConfig(batch_size=4, dtype="float32", shard_rows=64, buffer_rows=100)
    source = stream(model, tokens, SITES, config)
    batches = first(source, source.n_rows, batch_size=1)
    seen = [
        (int(b.tokens), int(b.documents), int(b.positions), tuple(b.activations["resid_post.0"][0].tolist()))
        for b in batches
    ]
    want = {(token, document, position, tuple(x)) for token, document, position, *x in all_rows("resid_post.0")}
    assert sum(row[0] == 7 for row in want) > 3
    assert set(seen) == {row for row in want if row[0] != 7}
    assert len(seen) == int(tokens.blocks(0, tokens.n_blocks).usable.sum())


def test_limits_are_those_of_the_store(tokens, model, tmp_path):
    config = HarvestConfig(batch_size=4, dtype="float32", shard_rows=64)
    assert (
        stream(model, tokens, SITES, config).limits == harvest(model, tokens, SITES, tmp_path, config).manifest.limits
    )


def test_its_fingerprint_follows_what_it_is_made_of(tokens, model):
    a = stream(model, tokens, SITES, SMALL).fingerprint
    assert a == stream(model, tokens, SITES, SMALL).fingerprint
    assert a != stream(model, tokens, SITES[:1], SMALL).fingerprint
    assert a != stream(model, type(tokens)(seed=1), SITES, SMALL).fingerprint


def test_what_is_not_finite_is_named_when_it_is_reached(tokens, model):
    at = tokens.ids[-2].clone()
    model.spoil = lambda _site, ids, x: x.masked_fill((ids == at).all(1).view(-1, 1, *[1] * (x.ndim - 2)), float("nan"))
    source = stream(model, tokens, SITES, SMALL)
    with pytest.raises(DataError, match=r"resid_post\.0 is not finite in document"):
        first(source, source.n_rows // 16)


def test_patterns_are_refused(tokens, model):
    with pytest.raises(SiteError, match="no row per token"):
        stream(model, tokens, ["attn_pattern.0"], SMALL)


def test_batches_can_be_trained_on(tokens, model):
    batch = first(stream(model, tokens, SITES, SMALL), 1)[0]
    weight = torch.ones(6, 2, requires_grad=True)
    (batch.activations["resid_post.0"] @ weight).sum().backward()
    assert weight.grad is not None
