"""Features as places: at one position, of one head, together; these add up to the whole feature, and nothing else."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.circuits.patch.activation import activation_patching
from monosema.circuits.patch.attribution import attribution_patching
from monosema.circuits.patch.features import feature_places
from monosema.circuits.patch.metrics import measure
from monosema.circuits.patch.paths import path_patching, receivers
from monosema.circuits.patch.places import Patch
from monosema.core.errors import MismatchError, SiteError
from monosema.dictionaries import Dictionary
from monosema.models import Edit, Model
from tests.circuits.linear_models import D, dictionary, sited
from tests.circuits.test_patch import N, cached, close, linear_model, pairs_of

SITES = {"stream": ("resid_mid.1", "resid_mid.1"), "transcoder": ("mlp_in.1", "mlp_out.1"), "heads": ("attn_z.1",) * 2}


@cache
def features_of(kind: str) -> Dictionary:
    """40 random features; a head of the small model is 10 wide, so attn_z is 30."""
    draws = torch.Generator().manual_seed(0)
    width = 30 if kind == "heads" else D
    W = [torch.randn(40, width, generator=draws, dtype=torch.float64) * width**-0.5 for _ in range(2)]
    reads, writes = SITES[kind]
    one = sited(dictionary(W[0], W[1], cached("small layer"), "l1", draws), [reads], [writes])
    return replace(one, widths_in=(width,), widths_out=(width,))


def codes_of(model: Model, one: Dictionary) -> Tensor:
    """Clean less corrupted activation of every feature, [pair, token, feature]."""
    pairs, [site] = pairs_of(model), one.reads
    seen = [model.run(tokens, [site])[site].flatten(2) for tokens in (pairs.clean, pairs.corrupted)]
    codes = [one.encode(x.flatten(0, 1)).dense().unflatten(0, (3, N)) for x in seen]
    return codes[0] - codes[1]


@pytest.mark.parametrize("kind", SITES)
def test_a_feature_at_a_position_adds_what_it_writes_there(kind: str):
    model, one = cached("small layer"), features_of(kind)
    pairs, [site] = pairs_of(model), one.writes
    [patch] = feature_places(model, pairs, one, 1, by_position=True)
    position, feature = patch.position, patch.feature
    assert position is not None and feature is not None
    differs = codes_of(model, one)
    sizes = differs.abs().sum(0) * one.W_dec.norm(dim=1)
    assert float(sizes[position, feature]) == pytest.approx(float(sizes.max()))
    delta = differs[:, position, feature, None] * one.W_dec[feature]

    def apply(x: Tensor) -> Tensor:
        x[:, position] += delta.view(x[:, position].shape)
        return x

    logits = model.run(pairs.corrupted, ["logits"], [Edit(site, apply)])["logits"][:, -1]
    found = activation_patching(model, pairs, [(patch,)], dictionaries={site: one})
    assert close(found.values[0], measure("logit_diff", logits, pairs))
    assert not close(found.values[0], found.corrupted, 1e-6)


@pytest.mark.parametrize("kind", SITES)
def test_a_feature_at_all_positions_one_by_one_is_the_feature(kind: str):
    model, one = cached("small layer"), features_of(kind)
    pairs, [site] = pairs_of(model), one.writes
    [whole] = feature_places(model, pairs, one, 1)
    apart = tuple(Patch(site, position, feature=whole.feature) for position in range(N))
    twice = [(whole,), apart, apart[1:], *((patch,) for patch in apart)]
    found = activation_patching(model, pairs, twice, dictionaries={site: one})
    assert close(found.values[0], found.values[1])
    assert not close(found.values[0], found.values[2], 1e-9)
    assert len(set(found.names)) == len(twice)
    estimates = attribution_patching(model, pairs, twice, dictionaries={site: one})
    assert close(estimates.values[0], estimates.values[1])
    each = (estimates.values[3:] - estimates.corrupted).sum(0)
    assert close(each, estimates.values[0] - estimates.corrupted)


def test_of_a_feature_of_attn_z_a_heads_part_can_be_patched():
    model, one = cached("small layer"), features_of("heads")
    pairs, given = pairs_of(model), {"attn_z.1": features_of("heads")}
    [whole] = feature_places(model, pairs, one, 1)
    heads = tuple(Patch("attn_z.1", head=head, feature=whole.feature) for head in range(3))
    at = [Patch("attn_z.1", 4, head, whole.feature) for head in range(3)]
    groups = [(whole,), heads, tuple(at), (Patch("attn_z.1", 4, feature=whole.feature),), heads[:1]]
    found = activation_patching(model, pairs, groups, dictionaries=given)
    assert close(found.values[0], found.values[1])
    assert close(found.values[2], found.values[3])
    assert not close(found.values[0], found.values[4], 1e-6)
    assert found.names[2].startswith(f"attn_z.1 head 0 feature {whole.feature} at 4 + ")


def test_a_feature_at_a_position_and_a_head_at_another_add_up_where_the_model_is_linear():
    model, one = linear_model(), features_of("stream")
    pairs, given = pairs_of(model), {"resid_mid.1": features_of("stream")}
    [feature] = feature_places(model, pairs, one, 1, by_position=True)
    # The head comes first, and what is added of the feature stays what it was.
    groups = [[feature, Patch("attn_z.0", 3, 1)], [feature], [Patch("attn_z.0", 3, 1)]]
    found = activation_patching(model, pairs, groups, dictionaries=given)
    both, alone, head = found.values - found.corrupted
    assert close(both, alone + head)
    assert min(float(x.abs().max()) for x in (alone, head)) > 1e-6
    # All that read it carry what it does.
    ways = path_patching(model, pairs, [feature], [receivers(model, [feature])], dictionaries=given)
    assert close(ways.values[0], found.values[1])


def test_features_and_heads_that_are_not_there_are_refused():
    model, one = cached("small layer"), features_of("stream")
    pairs, given = pairs_of(model), {"resid_mid.1": one}

    def refused(patch: Patch, kind: type[Exception], says: str) -> None:
        with pytest.raises(kind, match=says):
            activation_patching(model, pairs, [(patch,)], dictionaries=given)

    refused(Patch("resid_mid.1", 9, feature=0), SiteError, "there is no position 9")
    refused(Patch("resid_mid.1", 0, feature=40), SiteError, "there is no such feature, its dictionary has 0 to 39")
    refused(Patch("resid_mid.1", 0, head=0, feature=0), SiteError, r"there is no head 0, resid_mid\.1 has none")
    refused(Patch("mlp_out.1", 0, feature=0), MismatchError, r"no dictionary that writes mlp_out\.1 was given")
