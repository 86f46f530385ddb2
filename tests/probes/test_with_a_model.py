"""Reading texts without padding, and steering, on a tiny random model."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from monosema.core.errors import DataError, MismatchError, SiteError
from monosema.corpus.statements.labelled import Pairs, Statements
from monosema.models import Model, wrap
from monosema.probes.data import Labelled
from monosema.probes.fitting import fit
from monosema.probes.reading import read_contrast, read_labelled, read_texts
from monosema.probes.settings import MassMeanConfig
from monosema.probes.steering import steer

TEXTS = ("a fox", "a", "two old foxes", "no fox", "an owl", "the owl is no fox")
SITES = ("resid_post.0", "mlp_out.1", "attn_z.1")


class Letters:
    """A token a letter. It has no pad token."""

    def __init__(self, bos: int | None = 0) -> None:
        self.bos = bos

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1 + ord(letter) % 50 for letter in text] for text in texts]


@pytest.fixture(scope="module")
def model() -> Model:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=53, n_embd=24, n_layer=2, n_head=3, n_positions=20, bos_token_id=0, eos_token_id=0
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = transformers.AutoModelForCausalLM.from_config(config)
    return wrap(module.requires_grad_(False).eval(), "tiny")


def alone(model: Model, text: str, site: str) -> torch.Tensor:
    tokens = torch.tensor([[0, *Letters().encode([text])[0]]])
    return model.run(tokens, [site])[site][0, 1:].flatten(1)


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_a_text_reads_as_it_does_alone_whatever_is_beside_it(model: Model, batch: int):
    found = read_texts(model, Letters(), TEXTS, SITES, batch=batch)
    for site in SITES:
        for i, text in enumerate(TEXTS):
            torch.testing.assert_close(found[site][i], alone(model, text, site)[-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("position", "at"), [("last", -1), (0, 0), (-2, -2), (2, 2)])
def test_positions_count_the_texts_own_tokens(model: Model, position, at: int):
    texts = ("foxes", "owl")
    found = read_texts(model, Letters(), texts, ["resid_post.0"], position)["resid_post.0"]
    for i, text in enumerate(texts):
        torch.testing.assert_close(found[i], alone(model, text, "resid_post.0")[at], rtol=1e-4, atol=1e-5)


def test_the_mean_is_over_the_text_without_its_beginning(model: Model):
    found = read_texts(model, Letters(), ["foxes"], ["resid_post.0"], "mean")["resid_post.0"]
    torch.testing.assert_close(found[0], alone(model, "foxes", "resid_post.0").mean(0), rtol=1e-4, atol=1e-5)


def test_a_tokenizer_without_bos_begins_with_the_text(model: Model):
    found = read_texts(model, Letters(None), ["fox"], ["resid_post.0"], 0)["resid_post.0"]
    tokens = torch.tensor(Letters().encode(["fox"]))
    torch.testing.assert_close(found[0], model.run(tokens, ["resid_post.0"])["resid_post.0"][0, 0])


def test_what_cannot_be_read_is_named(model: Model):
    with pytest.raises(DataError, match=r"text 1 has 22 tokens and tiny takes 20: 'x{21}'"):
        read_texts(model, Letters(), ["a", "x" * 21], ["resid_post.0"])
    with pytest.raises(DataError, match="text 1 has no tokens: ''"):
        read_texts(model, Letters(), ["a", ""], ["resid_post.0"])
    with pytest.raises(DataError, match="position 3 is not among the 3 tokens of 'owl'"):
        read_texts(model, Letters(), ["foxes", "owl"], ["resid_post.0"], 3)
    with pytest.raises(SiteError, match=r"resid_post\.0 to resid_post\.1"):
        read_texts(model, Letters(), ["a"], ["resid_post.7"])
    with pytest.raises(SiteError, match="has no width"):
        read_texts(model, Letters(), ["a"], ["attn_pattern.0"])


def test_statements_and_pairs_keep_their_labels_and_groups(model: Model):
    labels = np.array([1, 0, 1])
    statements = Statements("three", ("a fox", "an ox", "owls"), labels, ("x", "y", "z"))
    read = read_labelled(model, Letters(), statements, SITES)
    assert list(read) == list(SITES)
    assert read["attn_z.1"].x.shape == (3, 24) and read["attn_z.1"].groups == ("x", "y", "z")
    pairs = Pairs("three", ("a no", "b no", "c no"), ("a yes", "b yes", "c yes"), labels, ("x", "y", "z"))
    both = read_contrast(model, Letters(), pairs, SITES)["resid_post.0"]
    assert both.y.tolist() == [1, 0, 1]
    torch.testing.assert_close(both.x1[2], alone(model, "c yes", "resid_post.0")[-1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(both.x0[0], alone(model, "a no", "resid_post.0")[-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("positions", "moved"), [("all", [0, 1, 2, 3]), ("last", [3]), ((0, -2), [0, 2])])
def test_steering_adds_alpha_units_where_it_is_told(model: Model, positions, moved: list[int]):
    x = torch.randn(20, 24, generator=torch.Generator().manual_seed(0))
    probe = fit(MassMeanConfig(), Labelled(x, torch.tensor([0, 1] * 10)))
    tokens = torch.tensor([[0, 5, 6, 7]])
    before = model.run(tokens, ["resid_post.0"])["resid_post.0"]
    edit = steer(probe, "resid_post.0", 4.0, positions)
    after = model.run(tokens, ["resid_post.0", "logits"], [edit])
    difference = (after["resid_post.0"] - before)[0]
    for at in range(4):
        push = 4.0 * probe.unit.float() if at in moved else torch.zeros(24)
        torch.testing.assert_close(difference[at], push, rtol=1e-4, atol=1e-5)
    rise = probe.score(after["resid_post.0"]) - probe.score(before)
    torch.testing.assert_close(rise[0, moved[0]], 4.0 * probe.direction.norm(), rtol=1e-4, atol=1e-4)
    assert not torch.equal(after["logits"], model.run(tokens, ["logits"])["logits"])


def test_steering_elsewhere_is_refused(model: Model):
    x = torch.randn(20, 23, generator=torch.Generator().manual_seed(0))
    probe = fit(MassMeanConfig(), Labelled(x, torch.tensor([0, 1] * 10)))
    tokens = torch.tensor([[0, 5]])
    with pytest.raises(MismatchError, match="fitted on width 23"):
        model.run(tokens, ["logits"], [steer(probe, "resid_post.0", 1.0)])
    wide = fit(MassMeanConfig(), Labelled(torch.cat([x, x[:, :1]], 1), torch.tensor([0, 1] * 10)))
    with pytest.raises(MismatchError, match="not in a sequence of 2 tokens"):
        model.run(tokens, ["logits"], [steer(wide, "resid_post.0", 1.0, (5,))])
