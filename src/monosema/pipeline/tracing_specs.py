"""Transcoders of all layers in one pass: a kind of site stands for that of every layer.

--reads mlp_in --writes mlp_out, tc=topk,...    -->    tc-0: mlp_in.0 -> mlp_out.0,  tc-1: mlp_in.1 -> mlp_out.1, ...
clt=topk,...,cross_layer=true    -->    clt: mlp_in.0, mlp_in.1, ... -> mlp_out.0, mlp_out.1, ...

What NAME-0, NAME-1, ... are together is called the set NAME; a cross-layer one is a set by itself.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from monosema.core.errors import ConfigError, SiteError
from monosema.dictionaries import DictionarySpec, parse_spec


def every_layer(there: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """`asked`, with a kind such as mlp_in replaced by that site of every layer `there`. Others stay as they are."""
    found: list[str] = []
    for name in asked:
        of_kind = [] if name in there else [site for site in there if _kind(site) == name]
        found += of_kind or [name]
    return tuple(found)


def layered_specs(
    texts: Sequence[str], reads: Sequence[str], writes: Sequence[str], there: Sequence[str]
) -> list[DictionarySpec] | None:
    """Of every text a dictionary for each layer, from one kind of site to another: NAME-0, NAME-1, ...; of a text with
    `cross_layer` one for all of them. None when `reads` and `writes` are sites. Raises SiteError for layers of which
    only one of the two is `there`."""
    kinds = {_kind(site) for site in there}
    if len(reads) != 1 or len(writes) > 1 or reads[0] in there or reads[0] not in kinds:
        return None
    into = writes[0] if writes else reads[0]
    if into not in kinds:
        raise SiteError(f"--reads {reads[0]} is a kind of site, so --writes must be one too: of {', '.join(there)}")
    ends = [_layers(there, kind) for kind in (reads[0], into)]
    if ends[0] != ends[1]:
        lacking = sorted(ends[0] ^ ends[1])[0]
        raise SiteError(f"the store has only one of {reads[0]} and {into} of layer {lacking}: harvest both")
    found: list[DictionarySpec] = []
    for text in texts:
        layers = sorted(ends[0])
        sites = [tuple(f"{kind}.{layer}" for layer in layers) for kind in (reads[0], into)]
        whole = parse_spec(text, sites[0], sites[1])
        if whole.cross_layer:
            found.append(whole)
            continue
        found += [
            replace(whole, name=f"{whole.name}-{layer}", reads=sites[0][i : i + 1], writes=sites[1][i : i + 1])
            for i, layer in enumerate(layers)
        ]
    if len({one.name for one in found}) < len(found):
        raise ConfigError("two dictionaries have the same name: write NAME=ARCHITECTURE,... for each")
    return found


def _kind(site: str) -> str:
    return re.sub(r"\.\d+$", "", site)


def _layers(there: Sequence[str], kind: str) -> set[int]:
    return {int(site.rpartition(".")[2]) for site in there if _kind(site) == kind and site != kind}
