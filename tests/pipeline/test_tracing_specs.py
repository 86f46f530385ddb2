"""A kind of site stands for that of every layer: which dictionaries come of it, and what cannot be meant."""

import pytest

from monosema.core.errors import ConfigError, SiteError
from monosema.dictionaries import DictionarySpec
from monosema.pipeline.set_names import set_of
from monosema.pipeline.tracing_specs import layered_specs

THERE = ("mlp_in.0", "mlp_in.1", "mlp_in.2", "mlp_out.0", "mlp_out.1", "mlp_out.2", "ln_final")


def specs(*texts: str, there: tuple[str, ...] = THERE, **sites: tuple[str, ...]) -> list[DictionarySpec]:
    found = layered_specs(texts, sites.get("reads", ("mlp_in",)), sites.get("writes", ("mlp_out",)), there)
    assert found is not None
    return found


def test_a_text_is_a_dictionary_of_every_layer_and_a_cross_layer_one_is_of_all():
    found = specs("tc=topk,k=3", "clt=topk,k=9,cross_layer=true")
    assert [one.name for one in found] == ["tc-0", "tc-1", "tc-2", "clt"]
    assert [(one.reads, one.writes) for one in found[:3]] == [
        ((f"mlp_in.{layer}",), (f"mlp_out.{layer}",)) for layer in range(3)
    ]
    assert (found[3].reads, found[3].writes) == (THERE[:3], THERE[3:6])
    assert found[3].cross_layer and not any(one.cross_layer for one in found[:3])


def test_without_writes_they_are_autoencoders_which_cannot_be_cross_layer():
    assert [(one.name, one.writes) for one in specs("topk,k=3", writes=())] == [
        (f"topk-{layer}", (f"mlp_in.{layer}",)) for layer in range(3)
    ]
    with pytest.raises(ConfigError, match="it must write elsewhere than it reads"):
        specs("topk,k=3,cross_layer=true", writes=())


def test_sites_are_left_to_what_reads_sites():
    for reads, writes in [
        (("mlp_in.0",), ("mlp_out.0",)),
        (("ln_final",), ()),
        (("mlp_in", "mlp_out"), ()),
        (("mlp_in",), ("mlp_out", "ln_final")),
        (("resid_post",), ()),
        ((), ()),
    ]:
        assert layered_specs(["topk"], reads, writes, THERE) is None


def test_one_kind_and_one_site_are_refused():
    with pytest.raises(SiteError, match="--reads mlp_in is a kind of site, so --writes must be one too"):
        specs("topk", writes=("mlp_out.0",))


@pytest.mark.parametrize("lacking", ["mlp_in.1", "mlp_out.1"])
def test_a_layer_of_which_one_of_the_two_was_harvested_is_named(lacking: str):
    there = tuple(site for site in THERE if site != lacking)
    with pytest.raises(SiteError, match="the store has only one of mlp_in and mlp_out of layer 1: harvest both"):
        specs("topk", there=there)


@pytest.mark.parametrize("texts", [("topk,k=3", "topk,k=4"), ("a-0=topk,cross_layer=true", "a=topk")])
def test_two_of_one_name_are_refused(texts: tuple[str, ...]):
    with pytest.raises(ConfigError, match="two dictionaries have the same name"):
        specs(*texts)


def test_the_name_of_a_set_is_that_of_its_dictionaries_without_the_layer():
    assert [set_of(name) for name in ("tc-0", "tc-11", "clt", "wide-tc-3", "tc-x")] == [
        "tc",
        "tc",
        "clt",
        "wide-tc",
        "tc-x",
    ]
