"""What a model in training is asked: which tokens, how many, and that nothing tells the answer."""

import json
import math

import pytest
import torch

from monosema.core.errors import DataError, MismatchError
from monosema.core.seeding import generator
from monosema.models import LMConfig, load, train_small
from monosema.models.losses import next_token_loss
from monosema.models.objectives import OBJECTIVES, Text, masked_token, next_token, spans, target_text

from .synthetic import Counting

D_VOCAB = 6000


def blocks(batch: int, length: int) -> Text:
    ids = torch.arange(batch * length).view(batch, length) % D_VOCAB
    usable = torch.ones_like(ids, dtype=torch.bool)
    usable[:, 0] = False
    return Text(ids, torch.arange(batch)[:, None].expand_as(ids), usable, D_VOCAB)


def test_the_next_token_has_the_loss_of_next_tokens():
    text = blocks(3, 5)
    logits = torch.randn(3, 5, D_VOCAB, generator=torch.Generator().manual_seed(0))
    task = next_token(text, generator(0))
    assert torch.equal(task.losses(logits), next_token_loss(logits, text.ids))
    assert torch.equal(task.counted, text.usable[:, 1:])
    assert torch.equal(task.inputs["input_ids"], text.ids)


def test_fifteen_in_a_hundred_are_masked_and_of_these_four_fifths_hidden():
    text = blocks(400, 101)
    task = masked_token(text, generator(0))
    chosen, shown = task.counted, task.inputs["input_ids"]
    n = int(chosen.sum())
    assert abs(n / 40_000 - 0.15) < 0.006
    assert not chosen[:, 0].any()
    assert torch.equal(shown[~chosen], text.ids[~chosen])
    hidden = shown == D_VOCAB
    assert abs(int(hidden.sum()) / n - 0.8) < 0.02
    assert abs(int((shown != text.ids).sum()) / n - 0.9) < 0.02  # a tenth stays
    assert torch.equal(task.targets, text.ids)


def test_every_block_with_text_has_a_masked_token_and_one_without_has_none():
    text = blocks(50, 3)
    text.usable[7] = False
    counted = masked_token(text, generator(0)).counted.sum(1)
    assert counted[7] == 0
    assert bool((counted[torch.arange(50) != 7] >= 1).all())


@pytest.mark.parametrize(("length", "n_cut", "n_spans"), [(2, 1, 1), (12, 2, 1), (64, 10, 3), (128, 19, 6)])
def test_what_is_left_and_what_was_cut_out_make_the_block_again(length, n_cut, n_spans):
    assert spans(length) == (n_cut, n_spans)
    text = blocks(40, length)
    task = target_text(text, generator(1))
    left, said = task.inputs["input_ids"], task.targets
    assert left.shape == (40, length - n_cut + n_spans)
    assert said.shape == (40, n_cut + n_spans)
    for row in range(40):
        pieces: dict[int, list[int]] = {}
        for token in said[row].tolist():
            if token >= D_VOCAB:
                pieces[token] = []
            else:
                pieces[list(pieces)[-1]].append(token)
        assert list(pieces) == [D_VOCAB + i for i in range(n_spans)]
        assert all(pieces.values())
        again = [t for token in left[row].tolist() for t in (pieces[token] if token >= D_VOCAB else [token])]
        assert again == text.ids[row].tolist()
    shifted = task.inputs["decoder_input_ids"]
    assert bool((shifted[:, 0] == D_VOCAB + n_spans).all())
    assert torch.equal(shifted[:, 1:], said[:, :-1])
    assert torch.equal(task.counted, (said < D_VOCAB) & (said != text.ids[:, :1]))  # a block's first token is no text


def test_spans_lie_everywhere_alike():
    # A pair of neighbours among twelve has eleven places: a token lies in two of them, but the first and last in one.
    text = Text(torch.arange(12).repeat(4000, 1), torch.zeros(4000, 12).long(), torch.ones(4000, 12).bool(), D_VOCAB)
    said = target_text(text, generator(2)).targets
    cut = (text.ids[:, :, None] == said[:, None, :]).any(2).double().mean(0)
    expected = torch.full((12,), 2 / 11).double()
    expected[[0, -1]] = 1 / 11
    assert (cut - expected).abs().max() < 0.025


def test_a_block_of_one_token_has_nothing_to_cut_out():
    with pytest.raises(DataError, match="take a longer context"):
        target_text(blocks(2, 1), generator(0))


@pytest.mark.parametrize("predicts", list(OBJECTIVES))
def test_the_same_draws_give_the_same_task(predicts):
    first, again, other = (OBJECTIVES[predicts](blocks(8, 20), generator(0, k)) for k in ("a", "a", "b"))
    assert torch.equal(first.inputs["input_ids"], again.inputs["input_ids"])
    assert torch.equal(first.targets, again.targets)
    if predicts != "next token":
        assert not torch.equal(first.inputs["input_ids"], other.inputs["input_ids"])


@pytest.mark.parametrize("family", ["bert", "t5", "mamba"])
def test_each_family_is_trained_saved_and_loaded_and_goes_on_to_the_same_bits(family, tmp_path):
    train, held_out = Counting(23), Counting(7, name="held out")
    config = LMConfig(n_layers=1, d_model=16, n_heads=2, steps=6, batch_size=4, lr=1e-2, eval_every=3)
    model = train_small(train, held_out, config, tmp_path / "whole", family=family)
    assert load(tmp_path / "whole").fingerprint == model.fingerprint
    assert model.module.config.model_type == family
    assert not model.run(torch.tensor([[0, 3, 4]]), model.sites()[:1])[model.sites()[0]].requires_grad

    class CrashError(Exception):
        pass

    def crash(**_: float) -> None:
        raise CrashError

    with pytest.raises(CrashError):
        train_small(train, held_out, config, tmp_path / "cut", log=crash, checkpoint_seconds=0.0, family=family)
    train_small(train, held_out, config, tmp_path / "cut", family=family)
    with pytest.raises(MismatchError, match=f"trained with family '{family}', not 'gpt2'"):
        train_small(train, held_out, config, tmp_path / "cut")
    saved = [(tmp_path / folder / "model.safetensors").read_bytes() for folder in ("whole", "cut")]
    assert saved[0] == saved[1]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "steps"), [("bert", 400), ("t5", 300), ("mamba", 100)])
def test_each_family_learns_to_count(family, steps, tmp_path):
    # Token frequencies alone say log(10) = 2.30; what comes before says everything, but for a block's first token.
    config = LMConfig(n_layers=2, d_model=32, n_heads=2, steps=steps, batch_size=16, lr=5e-3)
    train_small(Counting(60), Counting(17, name="held out"), config, tmp_path, family=family)
    found = json.loads((tmp_path / "recipe.json").read_text())["held_out_loss"]
    assert abs(found["control"] - math.log(10)) < 0.1
    assert found["high"] < 0.7 * found["control"]
