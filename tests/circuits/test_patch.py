"""Patching, exactly: everything is the clean prompt, nothing the corrupted one, all paths together the activation;
and where the model is linear, the gradient's estimate is the effect."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from monosema.circuits.heads.by_hand import induction_by_hand
from monosema.circuits.patch.activation import activation_patching
from monosema.circuits.patch.attribution import attribution_patching
from monosema.circuits.patch.controls import random_groups, unrelated_prompts
from monosema.circuits.patch.effects import Effects, agreement
from monosema.circuits.patch.exploring import explore_patching
from monosema.circuits.patch.features import feature_places
from monosema.circuits.patch.metrics import METRICS, measure
from monosema.circuits.patch.pairs import Pairs, induction_pairs
from monosema.circuits.patch.paths import Receiver, path_patching, receivers
from monosema.circuits.patch.places import Patch, places
from monosema.circuits.patch.settings import PatchConfig
from monosema.core.errors import ConfigError, DataError, MismatchError, SiteError
from monosema.core.exhibits import Table
from monosema.models import Model, wrap
from monosema.models.small_transformer import SmallConfig, small_transformer
from tests.circuits.linear_models import D, dictionary, model_of, sited

N = 6
SOME = ["gpt2", "gpt_neox", "gpt_neox serial", "llama", "qwen3", "gemma2", "small layer", "small no norm"]
cached = cache(model_of)


def pairs_of(model: Model, n: int = 3) -> Pairs:
    draws = torch.Generator().manual_seed(2)
    clean, corrupted = (torch.randint(3, 53, (n, N), generator=draws) for _ in range(2))
    d_out = model.run(clean[:1], ["logits"])["logits"].shape[-1]
    return Pairs(clean, corrupted, *(torch.randint(d_out, (n,), generator=draws) for _ in range(2)))


def close(a: Tensor, b: Tensor, within: float = 1e-10) -> bool:
    return bool((a - b).abs().max() <= within * max(1.0, float(b.abs().max())))


@pytest.mark.parametrize("name", SOME)
def test_everything_is_the_clean_prompt_and_nothing_the_corrupted_one(name: str):
    model = cached(name)
    pairs = pairs_of(model)
    everything = [
        tuple(Patch("resid_pre.0", position) for position in range(N)),
        (Patch("embed"),),
        (),
        (Patch("ln_final"),),
    ]
    for metric in METRICS:
        found = activation_patching(model, pairs, everything, metric)
        assert close(found.values[[0, 1, 3]], found.clean.expand(3, -1))
        assert close(found.values[2], found.corrupted)
        assert close(found.share, torch.tensor([1, 1, 0, 1], dtype=torch.float64))


def test_many_groups_in_one_pass_are_as_one_by_one():
    model = cached("llama")
    pairs, kinds = pairs_of(model), ["resid_post", "mlp_out", "heads", "attn_q", "attn_k", "attn_v", "attn_pattern"]
    groups = [(one,) for one in places(model, kinds, N)]
    groups.append((Patch("attn_z.1", 3, 1), Patch("attn_z.1", 2, 0), Patch("mlp_out.0", 4)))
    together, single = (activation_patching(model, pairs, groups, rows=rows) for rows in (64, 1))
    assert len(together) == 3 * N * 2 + 3 * 3 * 4 + 3 * 2 * 2 + 1
    assert close(together.values, single.values)
    assert together.names[-1] == "attn_z.1 head 1 at 3 + attn_z.1 head 0 at 2 + mlp_out.0 at 4"


def test_patches_are_what_they_say():
    # By the definition: run the corrupted prompt with that slice of the clean one's activation.
    from monosema.models import Edit

    model = cached("gpt2")
    pairs = pairs_of(model)
    site, seen = "attn_pattern.1", model.run(pairs.clean, ["attn_pattern.1"])

    def apply(x: Tensor) -> Tensor:
        x[:, 2, 5] = seen[site][:, 2, 5]
        return x

    logits = model.run(pairs.corrupted, ["logits"], [Edit(site, apply)])["logits"][:, -1]
    found = activation_patching(model, pairs, [(Patch(site, 5, 2),)])
    assert close(found.values[0], measure("logit_diff", logits, pairs))


def test_metrics_by_hand():
    pairs = Pairs(torch.zeros(1, 2).long(), torch.ones(1, 2).long(), torch.tensor([1]), torch.tensor([0]))
    logits = torch.tensor([[1.0, 3.0]])
    p = 1 / (1 + torch.exp(torch.tensor(-2.0, dtype=torch.float64)))
    assert measure("logit_diff", logits, pairs).tolist() == [2.0]
    assert close(measure("probability", logits, pairs), p[None])
    assert close(measure("loss", logits, pairs), -p.log()[None])


@pytest.mark.parametrize("name", SOME)
def test_all_paths_together_are_activation_patching(name: str):
    model = cached(name)
    pairs = pairs_of(model)
    senders = [[Patch("attn_z.0", head=1)], [Patch("mlp_out.0", 3)], [Patch("resid_pre.1")], [Patch("attn_q.1", 4, 0)]]
    for sender in senders:
        routes = [receivers(model, sender), ()]
        found = path_patching(model, pairs, sender, routes)
        whole = activation_patching(model, pairs, [sender])
        assert close(found.values[0], whole.values[0])
        assert close(found.values[1], found.corrupted)
        assert not close(whole.values[0], whole.corrupted, 1e-6)


def test_the_direct_path_to_the_logits_is_what_the_head_adds_there():
    # Without norms the direct effect is linear: what the head writes more, through the unembedding.
    model = cached("small no norm")
    pairs = pairs_of(model)
    from monosema.circuits.heads.weights import head_weights

    found = path_patching(model, pairs, [Patch("attn_z.1", head=2)], [[Receiver("end")]])
    z = [model.run(tokens, ["attn_z.1"])["attn_z.1"][:, -1, 2] for tokens in (pairs.clean, pairs.corrupted)]
    W_U = model.module.get_submodule("unembed").get_parameter("weight")
    writes = (z[0] - z[1]) @ head_weights(model, 1).W_O[2]
    expected = (writes * (W_U[pairs.answers] - W_U[pairs.wrongs])).sum(1)
    assert close(found.values[0] - found.corrupted, expected)


def linear_model() -> Model:
    """No norm, no MLP, and patterns that depend on nothing: queries are zero."""
    module = small_transformer(SmallConfig(53, 53, 32, 3, D, 3, 10, 0, norm="none")).requires_grad_(False).double()
    for layer in range(3):
        module.blocks[layer].get_submodule("attn.query").get_parameter("weight").zero_()
    return wrap(module, "linear")


def test_in_a_linear_model_attribution_patching_is_exact():
    pairs = pairs_of(linear_model())
    kinds = ["embed", "resid_pre", "resid_post", "attn_out", "heads", "attn_v", "ln_final"]
    groups = [(one,) for one in places(linear_model(), kinds, N)]
    estimated, truth = (f(linear_model(), pairs, groups) for f in (attribution_patching, activation_patching))
    assert close(estimated.values, truth.values)
    found = agreement(estimated, truth)
    assert found.correlation == pytest.approx(1, abs=1e-9)
    assert found.max_error < 1e-10
    bent = cached("small layer")
    apart = agreement(*(f(bent, pairs, groups) for f in (attribution_patching, activation_patching)))
    assert apart.max_error > 0.05


@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "llama", "gemma2", "small layer"])
def test_attribution_patching_is_the_slope_of_a_small_change(name: str):
    # A thousandth of the way there and back; transformers' softmaxes are in float32.
    from monosema.models import Edit

    model = cached(name)
    pairs = pairs_of(model)
    kinds = ["resid_post", "mlp_out", "attn_out", "heads", "attn_q", "attn_k", "attn_v", "attn_pattern"]
    kinds += [kind for kind in ("resid_mid",) if "resid_mid.0" in model.sites()]
    groups = [(one,) for one in places(model, kinds, N)]
    estimated = attribution_patching(model, pairs, groups)
    there = model.run(pairs.clean, list({one.site for (one,) in groups}))
    here = model.run(pairs.corrupted, list(there))
    for i in range(0, len(groups), 7):
        [patch] = groups[i]
        ends = []
        for step in (1e-3, -1e-3):
            x = here[patch.site].clone()
            x[patch.cut(x)] += step * (there[patch.site] - here[patch.site])[patch.cut(x)]
            edits = [Edit(patch.site, lambda _, x=x: x.clone())]
            ends.append(measure("logit_diff", model.run(pairs.corrupted, ["logits"], edits)["logits"][:, -1], pairs))
        slope = (ends[0] - ends[1]) / 2e-3
        assert (slope - (estimated.values[i] - estimated.corrupted)).abs().max() < 2e-3 * max(1, slope.abs().max())


def test_features_of_a_dictionary_are_patched_by_what_they_write():
    model, draws = cached("gpt2"), torch.Generator().manual_seed(0)
    pairs = pairs_of(model)
    W = [torch.randn(40, D, generator=draws, dtype=torch.float64) * D**-0.5 for _ in range(2)]
    one = sited(dictionary(*W, model, "l1", draws), ["mlp_in.1"], ["mlp_out.1"])
    every = tuple(Patch("mlp_out.1", feature=i) for i in range(40))
    found = activation_patching(
        model, pairs, [every, every[3:5], (Patch("mlp_out.1"),)], dictionaries={"mlp_out.1": one}
    )
    seen = [model.run(tokens, ["mlp_in.1", "mlp_out.1"]) for tokens in (pairs.clean, pairs.corrupted)]
    codes = [one.encode(x["mlp_in.1"].flatten(0, 1)).dense() for x in seen]
    from monosema.models import Edit

    def patched(columns: slice) -> Tensor:
        delta = ((codes[0] - codes[1])[:, columns] @ one.W_dec[columns]).view(3, N, D)
        logits = model.run(pairs.corrupted, ["logits"], [Edit("mlp_out.1", lambda x: x + delta)])["logits"][:, -1]
        return measure("logit_diff", logits, pairs)

    assert close(found.values[0], patched(slice(0, 40)))
    assert close(found.values[1], patched(slice(3, 5)))
    # Errors stay the corrupted prompt's: all features are less than the whole site.
    assert not close(found.values[0], found.values[2], 1e-3)
    with pytest.raises(MismatchError, match=r"no dictionary that writes mlp_out\.1 was given \(given: none\)"):
        activation_patching(model, pairs, [every])


def test_the_features_that_differ_most_are_found_first():
    model, draws = cached("gpt2"), torch.Generator().manual_seed(0)
    pairs = pairs_of(model)
    W = [torch.randn(40, D, generator=draws, dtype=torch.float64) * D**-0.5 for _ in range(2)]
    one = sited(dictionary(*W, model, "l1", draws), ["resid_post.1"], ["resid_post.1"])
    seen = [
        model.run(tokens, ["resid_post.1"])["resid_post.1"].flatten(0, 1) for tokens in (pairs.clean, pairs.corrupted)
    ]
    size = (one.encode(seen[0]).dense() - one.encode(seen[1]).dense()).abs().sum(0) * W[1].norm(dim=1)
    found = feature_places(model, pairs, one, 5)
    assert [patch.feature for patch in found] == size.argsort(descending=True)[:5].tolist()
    assert {patch.site for patch in found} == {"resid_post.1"}
    with pytest.raises(DataError, match="no feature of the dictionary fires differently"):
        feature_places(model, Pairs(pairs.clean, pairs.clean, pairs.answers, pairs.wrongs), one)
    with pytest.raises(MismatchError, match="it must read one site and write one"):
        feature_places(model, pairs, sited(one, ["mlp_in.0", "mlp_in.1"], ["mlp_out.0"]))
    with pytest.raises(MismatchError, match=r"the dictionary's widths are \(9, 24\), at resid_post\.1"):
        feature_places(model, pairs, replace(one, widths_in=(9,)))
    study = explore_patching(model, pairs, PatchConfig(("heads",), features=6), dictionary=one)
    assert {"features_strongest", "features_together"} <= study.findings.keys()
    [table] = [panel for panel in study.panels if isinstance(panel, Table) and panel.title == "Strongest places"]
    assert sum("feature" in row[0] for row in table.rows) == 6


def by_hand() -> Model:
    return wrap(induction_by_hand(12, 24, 3).double(), "by hand")


def test_patching_names_the_heads_of_the_circuit_and_no_other():
    model = by_hand()
    pairs = induction_pairs(model, 12, 8)
    heads = [(one,) for one in places(model, ["heads"], pairs.n_tokens)]
    found = dict(zip(heads, activation_patching(model, pairs, heads).share.tolist(), strict=True))
    assert found.pop((Patch("attn_z.0", head=0),)) == pytest.approx(1, abs=0.01)
    assert found.pop((Patch("attn_z.1", head=0),)) == pytest.approx(1, abs=0.01)
    assert max(map(abs, found.values())) < 0.02
    # The corrupted token is at position 3: head 0.0 moves it to 4, query at 4, key and value at 3.
    where = [(Patch("attn_z.0", at, 0),) for at in range(pairs.n_tokens)]
    moved = activation_patching(model, pairs, where).share
    assert float(moved[4]) == pytest.approx(1, abs=0.01)
    assert float(moved[[i for i in range(pairs.n_tokens) if i != 4]].abs().max()) < 0.01
    # Its message is read by head 1.0's keys, and by nothing else.
    routes = [[one] for one in receivers(model, [Patch("attn_z.0", head=0)])]
    read = path_patching(model, pairs, [Patch("attn_z.0", head=0)], routes)
    shares = dict(zip(read.names, read.share.tolist(), strict=True))
    assert shares.pop("k 1.0") == pytest.approx(1, abs=0.01)
    assert max(map(abs, shares.values())) < 0.02


def test_controls_find_nothing_in_the_circuit_by_hand():
    model = by_hand()
    pairs = induction_pairs(model, 12, 8)
    circuit = (Patch("attn_z.0", head=0), Patch("attn_z.1", head=0))
    random = random_groups(places(model, ["heads"], pairs.n_tokens), circuit, 10)
    assert not {one for group in random for one in group} & set(circuit)
    assert all(len(group) == 2 for group in random)
    assert float(activation_patching(model, pairs, random).share.abs().max()) < 0.02
    strange = unrelated_prompts(model, pairs)
    assert float(activation_patching(model, pairs, [circuit], source=strange).share[0]) < 0.5
    with pytest.raises(ConfigError, match="of attn_z there are 1 places besides the 5 chosen"):
        random_groups(places(model, ["heads"], 9), places(model, ["heads"], 9)[:5])


def test_effects_have_intervals_over_pairs_and_need_prompts_that_differ():
    model = by_hand()
    pairs = induction_pairs(model, 12, 8)
    found = activation_patching(model, pairs, [(Patch("attn_z.0", head=0),)])
    low, high = found.interval(0)
    assert low <= float(found.share[0]) <= high
    assert high - low < 0.05
    same = Pairs(pairs.clean, pairs.clean, pairs.answers, pairs.wrongs)
    with pytest.raises(DataError, match="nothing tells them apart"):
        activation_patching(model, same, [()])
    with pytest.raises(DataError, match="the estimates are of other places"):
        agreement(found, Effects(("x",), found.values, found.clean, found.corrupted, "loss"))


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (Patch("attn_z.1", head=7), r"attn_z\.1 head 7: there is no head 7, attn_z\.1 has heads 0 to 2"),
        (Patch("mlp_out.1", head=0), r"there is no head 0, mlp_out\.1 has none"),
        (Patch("resid_post.9"), "this model has 3 layers"),
        (Patch("resid_post.1", 6), "there is no position 6, the prompts have 0 to 5"),
        (Patch("blocks.1.hook_mlp_out"), r"write 'mlp_out\.1' for"),
        (Patch("logits"), "the logits are what is measured"),
    ],
)
def test_a_place_that_is_not_there_is_refused_in_a_sentence(patch: Patch, says: str):
    model = cached("gpt2")
    with pytest.raises((SiteError, ConfigError), match=says):
        activation_patching(model, pairs_of(model), [(patch,)])


def test_a_path_that_is_not_there_is_refused_in_a_sentence():
    model, sender = cached("gpt2"), [Patch("attn_z.1", head=0)]
    pairs = pairs_of(model)
    with pytest.raises(SiteError, match=r"q 1\.0 does not read what the sender writes"):
        path_patching(model, pairs, sender, [[Receiver("q", 1, 0)]])
    with pytest.raises(SiteError, match=r"there is no head 3 at attn_q\.2: it has 3"):
        path_patching(model, pairs, sender, [[Receiver("q", 2, 3)]])
    with pytest.raises(ConfigError, match="the sender is 2 parts"):
        path_patching(model, pairs, [*sender, Patch("mlp_out.0")], [[Receiver("end")]])
    with pytest.raises(SiteError, match="does not enter the residual stream"):
        path_patching(model, pairs, [Patch("ln_final")], [[Receiver("end")]])
