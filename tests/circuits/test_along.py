"""Paths of several edges: going on to all that read is staying where one is; in a linear model all paths add up to
activation patching; in the circuit written by hand one path carries all."""

from collections.abc import Iterator

import pytest

from monosema.circuits.patch.activation import activation_patching
from monosema.circuits.patch.along import along, written_by
from monosema.circuits.patch.controls import unrelated_prompts
from monosema.circuits.patch.pairs import induction_pairs
from monosema.circuits.patch.paths import Receiver, path_patching, receivers
from monosema.circuits.patch.places import Patch
from monosema.core.errors import ConfigError, SiteError
from monosema.models import Model
from tests.circuits.test_patch import SOME, by_hand, cached, close, linear_model, pairs_of

END = Receiver("end")


@pytest.mark.parametrize("name", SOME)
def test_a_path_that_goes_on_to_all_readers_is_the_path_up_to_there(name: str):
    model = cached(name)
    pairs = pairs_of(model)
    sender = [Patch("attn_z.0", head=1)]
    every = tuple(one for one in receivers(model, sender) if one.part in "qkv" and one.layer == 1)
    steps = [every, (Receiver("k", 1, 1),), (Receiver("mlp", 1),), (Receiver("v", 1, 0, 3), Receiver("q", 1, 1))]
    short = path_patching(model, pairs, sender, steps)
    paths = [[step, receivers(model, [written_by(step)])] for step in steps]
    longer = along(model, pairs, sender, paths)
    assert close(longer.values, short.values)
    assert close(along(model, pairs, sender, [[step] for step in steps]).values, short.values)
    third = [[steps[1], (Receiver("mlp", 2),), receivers(model, [Patch("mlp_out.2")])], [steps[1], Receiver("mlp", 2)]]
    two = along(model, pairs, sender, third)
    assert close(two.values[0], two.values[1])
    assert not close(two.values[0], two.corrupted, 1e-6)
    assert not close(two.values[0], longer.values[1], 1e-6)


def every_path(model: Model, sender: Patch, before: tuple[Receiver, ...] = ()) -> Iterator[tuple[Receiver, ...]]:
    """All ways from a place to the end."""
    for one in receivers(model, [sender]):
        if one.part == "end":
            yield (*before, one)
        else:
            yield from every_path(model, written_by([one]), (*before, one))


def test_in_a_linear_model_all_paths_add_up_to_activation_patching():
    model = linear_model()
    pairs, sender = pairs_of(model), Patch("attn_z.0", head=1)
    # No MLP and no use of queries and keys: values alone carry, 1 + 3 + 3 + 9 paths.
    paths = [path for path in every_path(model, sender) if all(one.part in ("v", "end") for one in path)]
    assert len(paths) == 16
    found, whole = along(model, pairs, [sender], paths), activation_patching(model, pairs, [[sender]])
    assert close((found.values - found.corrupted).sum(0), (whole.values - whole.corrupted)[0])
    assert float((found.values - found.corrupted).abs().max(1).values.min()) > 1e-6  # each does something
    single = [path for path in paths if len(path) <= 2]
    assert not close((found.values[[paths.index(p) for p in single]] - found.corrupted).sum(0), whole.values[0], 1e-6)
    assert found.names[-1] == " > ".join(map(str, paths[-1]))
    unused = along(model, pairs, [sender], [[Receiver("q", 1, 0), END], [Receiver("k", 2, 2), END]])
    assert close(unused.values, unused.corrupted.expand(2, -1))
    # Where scores, norms and MLPs bend, paths do not add up.
    bent = cached("small layer")
    through = [path for path in every_path(bent, Patch("attn_z.1", head=1)) if len(path) <= 3]
    apart, all_of = along(bent, pairs, [Patch("attn_z.1", head=1)], through), [[Patch("attn_z.1", head=1)]]
    effect = activation_patching(bent, pairs, all_of)
    assert not close((apart.values - apart.corrupted).sum(0), (effect.values - effect.corrupted)[0], 1e-4)


def test_one_path_of_the_circuit_by_hand_carries_all_and_no_other_does():
    model = by_hand()
    pairs, sender = induction_pairs(model, 12, 8), Patch("attn_z.0", head=0)
    paths = list(every_path(model, sender))
    found = along(model, pairs, [sender], paths)
    shares = dict(zip(found.names, found.share.tolist(), strict=True))
    assert shares.pop("k 1.0 > the unembedding") == pytest.approx(1, abs=0.01)
    assert max(map(abs, shares.values())) < 0.02
    # From after layer 1's attention 2 ways (its MLP or not), from after layer 0's MLP 9 * 2 + 2, from the sender:
    assert len(paths) == 20 + 9 * 2 + 2
    # From tokens that are not theirs, the same path takes nothing over.
    strange = unrelated_prompts(model, pairs)
    carried = along(model, pairs, [sender], [[Receiver("k", 1, 0), END]], source=strange)
    assert float(carried.share[0]) < 0.5


def test_what_is_no_path_is_refused_in_a_sentence():
    model = cached("gpt2")
    pairs, sender = pairs_of(model), [Patch("attn_z.1", head=1)]

    def refused(path: list, kind: type[Exception], says: str) -> None:
        with pytest.raises(kind, match=says):
            along(model, pairs, sender, [path])

    refused([], ConfigError, "a path has no steps")
    refused([END, END], ConfigError, "the unembedding cannot be passed through: only heads of one layer, or one MLP")
    two = (Receiver("k", 2, 0), Receiver("mlp", 2))
    refused([two, END], ConfigError, r"k 2\.0 \+ mlp 2 cannot be passed through")
    refused([Receiver("k", 2, 0), Receiver("v", 2, 0)], SiteError, r"v 2\.0 does not read what the sender writes")
    refused([Receiver("k", 0, 0), END], SiteError, r"k 0\.0 does not read what the sender writes")
    refused([Receiver("k", 2, 9), END], SiteError, r"there is no head 9 at attn_k\.2")
    refused([(), END], ConfigError, "nothing cannot be passed through")
    nothing = along(model, pairs, sender, [[()]])
    assert nothing.names == ("nothing",)
    assert close(nothing.values[0], nothing.corrupted)
