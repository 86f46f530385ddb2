"""The same theorems on transformers' own models and on our own dictionaries."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from monosema.dictionaries import ARCHITECTURES, Dictionary
from monosema.dictionaries.weights import Weights
from monosema.evaluation import METRICS, Control, PruneConfig, ScoreConfig, prune, score
from monosema.evaluation.killing import find_rates, split_documents
from monosema.evaluation.measuring import measure, prepare
from monosema.models import next_token_loss, randomised, wrap

WIDTH, CONTEXT, N_BLOCKS = 16, 12, 10


@pytest.fixture(scope="module")
def model():
    import transformers

    config = transformers.GPT2Config(
        vocab_size=40, n_embd=WIDTH, n_layer=2, n_head=2, n_positions=CONTEXT, bos_token_id=0, eos_token_id=0
    )
    torch.manual_seed(0)
    module = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    for parameter in module.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return wrap(module.requires_grad_(False).eval(), "gpt2")


@pytest.fixture(scope="module")
def tokens(model):
    """What the model itself says, so that it predicts well: blocks of two documents each, a BOS before
    either, and padding after the second."""
    random = torch.Generator().manual_seed(0)
    ids = torch.zeros(N_BLOCKS, CONTEXT, dtype=torch.int64)
    for i in (i for i in range(CONTEXT) if i not in (0, 6)):
        logits = model.run(ids[:, :i], read=["logits"])["logits"][:, -1, 1:]
        ids[:, i] = 1 + torch.multinomial(logits.softmax(1), 1, generator=random).squeeze(1)
    documents = 2 * torch.arange(N_BLOCKS).unsqueeze(1) + (torch.arange(CONTEXT) >= 6)
    documents[:, -1] = -1
    usable = (ids > 0) & (documents >= 0)

    def blocks(start, stop):
        return SimpleNamespace(tokens=ids[start:stop], documents=documents[start:stop], usable=usable[start:stop])

    return SimpleNamespace(context=CONTEXT, n_blocks=N_BLOCKS, d_vocab=40, blocks=blocks)


def build(rows, sites, architecture="l1", *, writes=None, decoder=None, **config) -> Dictionary:
    """An untrained dictionary of our own with the given encoder rows."""
    rule, example = ARCHITECTURES[architecture]
    writes = writes or sites
    W_dec = rows.clone() if decoder is None else decoder
    widths = tuple([rows.shape[1] // len(sites)] * len(sites))
    return Dictionary(
        architecture,
        rule(replace(example, n_features=len(rows), **config)),
        Weights(rows, W_dec, torch.zeros(len(rows)), torch.zeros(W_dec.shape[1]), centred=False),
        sites,
        writes,
        widths,
        tuple([W_dec.shape[1] // len(writes)] * len(writes)),
        torch.ones(len(rows), dtype=torch.bool),
    )


def identity(*sites: str) -> Dictionary:
    both = torch.eye(WIDTH * len(sites))
    return build(torch.cat([both, -both]), sites)


def random_rows(n: int, seed: int = 0, width: int = WIDTH) -> torch.Tensor:
    rows = torch.randn(n, width, generator=torch.Generator().manual_seed(seed))
    return rows / rows.norm(dim=1, keepdim=True)


@pytest.mark.parametrize(
    "sites",
    [
        ("embed",),
        ("resid_pre.1",),
        ("resid_post.0",),
        ("attn_z.1",),
        ("mlp_in.1",),
        ("mlp_out.0",),
        ("attn_out.0", "mlp_out.1"),
        ("resid_post.0", "resid_post.1"),
    ],
    ids="+".join,
)
def test_splicing_the_identity_anywhere_changes_nothing(model, tokens, sites):
    # Outliers too, so that every usable row is replaced.
    card = score({"d": identity(*sites)}, model, tokens, None, ScoreConfig(exclude_outliers=False))
    values = {name: finding.value for name, finding in card.findings["d"].items()}
    assert values["loss_recovered_zero"] == pytest.approx(1.0, abs=1e-5)
    assert values["kl"] == pytest.approx(0.0, abs=1e-6)
    assert values["l0"] == pytest.approx(WIDTH * len(sites), abs=0.01)
    assert values["loss_zero"] - values["loss_model"] > 1e-2


def test_the_losses_are_the_models_own(model, tokens):
    card = score({"d": identity("resid_post.0")}, model, tokens, None, ScoreConfig(exclude_outliers=False))
    blocks = tokens.blocks(0, N_BLOCKS)
    losses = next_token_loss(model.run(blocks.tokens, read=["logits"])["logits"], blocks.tokens)
    counted = blocks.usable[:, :-1] & blocks.usable[:, 1:]  # a BOS stands between documents
    assert card.findings["d"]["loss_model"].value == pytest.approx(float(losses[counted].double().mean()), rel=1e-6)
    assert card.n_tokens == int(blocks.usable.sum()) and card.n_documents == 2 * N_BLOCKS


def test_a_transcoder_that_copies_the_mlp_is_exact(model, tokens):
    # mlp_out = mlp_act @ W + b, so reading mlp_act and writing mlp_out can be done without error.
    linear = model.module.transformer.h[1].mlp.c_proj
    both = torch.cat([torch.eye(4 * WIDTH), -torch.eye(4 * WIDTH)])
    exact = build(both, ("mlp_act.1",), writes=("mlp_out.1",), decoder=both @ linear.weight)
    exact = replace(exact, weights=replace(exact.weights, b_dec=linear.bias.clone()))
    values = score({"d": exact}, model, tokens, None, ScoreConfig()).findings["d"]
    assert values["variance_explained"].value == pytest.approx(1.0, abs=1e-6)
    assert values["loss_recovered_mean"].value == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pruning_takes_exactly_the_killed_frequencies_off_l0(model, tokens, architecture):
    # Also for TopK, where another feature could have been selected in the place of a killed one.
    dictionary = build(random_rows(24), ("resid_post.0",), architecture)
    extra = {name: torch.zeros_like(t) for name, t in dictionary.rule.extra(24).items()}
    statistics = dict.fromkeys(("threshold",), 0.5)
    extra |= dictionary.rule.inference_extra(statistics, 24) if architecture in ("batchtopk", "matryoshka") else {}
    dictionary = replace(dictionary, weights=replace(dictionary.weights, extra=extra))
    prepared = prepare({"d": dictionary}, model, tokens, ScoreConfig())
    rates = find_rates(prepared, {"d": dictionary}, split_documents(prepared, 0))["d"]
    keep = rates.choosing <= rates.choosing.median()
    assert 0 < int(keep.sum()) < 24
    pair = measure(
        prepared, {"whole": dictionary, "pruned": dictionary.pruned(keep), "same": dictionary.pruned(keep | True)}
    )
    whole, pruned, same = (pair.tallies[name] for name in ("whole", "pruned", "same"))
    killed = float(whole.frequencies.rates()[~keep].sum())
    assert killed > 0
    l0 = {name: tally.estimates(0)["l0"].value for name, tally in pair.tallies.items()}
    assert l0["pruned"] == pytest.approx(l0["whole"] - killed, abs=1e-12)
    # Pruning nothing is the identity, in every metric.
    assert {n: e.value for n, e in same.estimates(0).items()} == {n: e.value for n, e in whole.estimates(0).items()}
    assert pruned.frequencies.counts[~keep].sum() == 0


def test_every_metric_is_finite_and_beside_its_control(model, tokens):
    sites = ("resid_post.0",)
    dictionaries = {"d": build(random_rows(24), sites), "k": build(random_rows(24, 1), sites, "topk")}
    control = Control(dictionaries, randomised(model), "the same on weights redrawn")
    card = score(dictionaries, model, tokens, control, ScoreConfig(batch_size=3))
    for name in dictionaries:
        assert set(card.findings[name]) == set(METRICS)
        for finding in card.findings[name].values():
            assert math.isfinite(finding.value) and finding.low <= finding.high
            assert finding.control is not None
            assert math.isfinite(finding.control) or "recovered" in finding.name
    assert card.findings["d"]["loss_model"].value != card.findings["d"]["loss_model"].control


def test_a_study_on_a_real_model_holds_its_identity(model, tokens):
    sites = ("resid_post.0",)
    dense, sparse = build(random_rows(32), sites), build(random_rows(4, 1), sites)
    control = Control({"dense": dense, "sparse": sparse}, randomised(model), "the same on weights redrawn")
    result = prune({"dense": dense, "sparse": sparse}, model, tokens, control, PruneConfig(thresholds=(0.7, 0.5)))
    l0 = {(p.dictionary, p.above): p.findings["l0"].value for p in result.points}
    assert len([p for p in result.points if p.above is not None]) >= 2
    for p in result.points:
        assert p.findings["l0"].value == pytest.approx(l0[(p.dictionary, None)] - p.killed_frequency, abs=1e-12)
        assert p.findings["loss_spliced"].control is not None
    assert result.verdict in ("yes", "no", "undecided") and result.best is not None
    best = result.best_point()
    assert best.differences["pruned"].low <= best.differences["pruned"].value <= best.differences["pruned"].high
