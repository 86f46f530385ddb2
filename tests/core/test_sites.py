import pytest
from hypothesis import given
from hypothesis import strategies as st

from monosema.core.errors import SiteError
from monosema.core.sites import LAYER_KINDS, STACKS, WHOLE_KINDS, Site, parse

stacks = st.sampled_from(["", *STACKS])
layered = st.builds(Site, st.sampled_from(sorted(LAYER_KINDS)), st.integers(0, 200), stacks)
whole = st.builds(Site, st.sampled_from(sorted(WHOLE_KINDS)), st.none(), stacks)
sites = st.one_of(layered, whole)


@given(sites)
def test_what_is_printed_reads_back(site: Site):
    assert parse(str(site)) == site


@given(sites)
def test_what_transformer_lens_calls_it_reads_back(site: Site):
    # TransformerLens has no two-stack `logits`; our own spelling covers that one.
    if not (site.kind == "logits" and site.stack):
        assert parse(site.transformer_lens) == site


@given(st.lists(sites, min_size=2, max_size=2, unique=True))
def test_two_sites_never_share_a_name(pair: list[Site]):
    assert str(pair[0]) != str(pair[1])
    assert pair[0].transformer_lens != pair[1].transformer_lens


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        # TransformerLens, and with it SAELens and Neuronpedia
        ("blocks.3.hook_resid_post", "resid_post.3"),
        ("blocks.0.hook_resid_mid", "resid_mid.0"),
        ("blocks.11.attn.hook_z", "attn_z.11"),
        ("blocks.2.attn.hook_pattern", "attn_pattern.2"),
        ("blocks.2.mlp.hook_post", "mlp_act.2"),
        ("blocks.2.ln2.hook_normalized", "mlp_in.2"),
        ("blocks.2.hook_mlp_out", "mlp_out.2"),
        ("hook_embed", "embed"),
        ("ln_final.hook_normalized", "ln_final"),
        ("decoder.blocks.4.hook_resid_pre", "dec.resid_pre.4"),
        # sparsify and nnsight: the output of a whole block
        ("layers.2", "resid_post.2"),
        ("h.2", "resid_post.2"),
        ("transformer.h.10", "resid_post.10"),
        ("gpt_neox.layers.0", "resid_post.0"),
        ("model.layers[7]", "resid_post.7"),
        # dictionary_learning: newer names, and the folders of its published pythia-70m dictionaries
        ("resid_post_layer_2", "resid_post.2"),
        ("attn_layer_1", "attn_out.1"),
        ("mlp_layer_1", "mlp_out.1"),
        ("resid_out_layer5", "resid_post.5"),
        ("mlp_out_layer0", "mlp_out.0"),
        ("attn_out_layer0", "attn_out.0"),
    ],
)
def test_peers_spellings(theirs: str, ours: str):
    assert str(parse(theirs)) == ours


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("resid_pots.3", "Did you mean 'resid_post'?"),
        ("blocks.3.hook_resid_pots", "Did you mean 'hook_resid_post'?"),
        ("resid_post", "needs a layer, as in 'resid_post.0'"),
        ("logits.3", "has no layer: write 'logits'"),
        ("hook_resid_post", "'hook_resid_post': site 'resid_post' needs a layer"),
        ("blocks.3.hook_embed", "has no layer"),
        ("resid_post.-1", "does not read as a site"),
        ("resid_post.3.out", "does not read as a site"),
        ("", "does not read as a site"),
        (" resid_post.3", "does not read as a site"),
    ],
)
def test_a_name_that_is_wrong_says_what_would_be_right(text: str, says: str):
    with pytest.raises(SiteError) as error:
        parse(text)
    assert says in str(error.value)


def test_the_stream_before_the_norm_is_not_taken_for_the_mlp_input():
    with pytest.raises(SiteError, match=r"write 'resid_mid\.2' for it .*, or 'mlp_in\.2' for what the MLP receives"):
        parse("blocks.2.hook_mlp_in")


@pytest.mark.parametrize(
    ("kind", "layer", "stack"), [("resid_post", -1, ""), ("resid_post", 0, "mid"), ("resid", 0, "")]
)
def test_a_site_that_could_not_be_printed_and_read_cannot_be_made(kind: str, layer: int, stack: str):
    with pytest.raises(SiteError):
        Site(kind, layer, stack)
