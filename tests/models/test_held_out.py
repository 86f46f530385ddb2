"""The held-out loss and its unigram control, against sums done by hand and by torch."""

import pytest
import torch
from torch.nn import functional

from monosema.core.errors import DataError
from monosema.models import wrap
from monosema.models.held_out import document_losses, unigram

from .synthetic import Counting, CountingBlocks


class Given:
    """Four blocks of four tokens of a vocabulary of 3: what is text, and which document it is of, is said outright."""

    context, d_vocab, bos, fingerprint = 4, 3, 0, "given"
    rows = CountingBlocks(
        tokens=torch.tensor([[0, 1, 1, 2], [0, 1, 0, 2], [0, 2, 0, 0], [0, 0, 0, 0]]),
        documents=torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1], [1, 1, -1, -1], [2, -1, -1, -1]]),
        usable=torch.tensor([[0, 1, 1, 1], [0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]]).bool(),
    )

    def __len__(self) -> int:
        return 4

    def blocks(self, start: int, stop: int) -> CountingBlocks:
        rows = self.rows
        return CountingBlocks(rows.tokens[start:stop], rows.documents[start:stop], rows.usable[start:stop])


def test_the_unigram_model_counts_text_and_adds_one():
    # Text tokens 1 1 2, 1 2, 2: counts 0, 3, 3, smoothed 1, 4, 4 of 9.
    assert torch.allclose(unigram(Given()), -torch.tensor([1 / 9, 4 / 9, 4 / 9]).double().log())


def test_losses_are_summed_by_document_over_text_tokens(build):
    module = build("gpt2", vocab_size=3)
    found = document_losses(module, Given(), torch.tensor([10.0, 20.0, 30.0]).double(), n_blocks=100)
    rows = Given.rows
    loss = functional.cross_entropy(
        module(rows.tokens).logits[:, :-1].transpose(1, 2), rows.tokens[:, 1:], reduction="none"
    )
    expected = [loss[0].sum() + loss[1, 0], loss[1, 2] + loss[2, 0]]
    assert torch.allclose(found.sums[:, 0].float(), torch.stack(expected), atol=1e-5)
    assert found.sums[:, 1].tolist() == [20 + 20 + 30 + 20, 30 + 30]
    assert found.sums[:, 2].tolist() == [4, 2]
    assert found.unigram == pytest.approx(150 / 6)
    assert found.finding(seed=0).n == 2


def test_nothing_to_predict_is_an_error(build):
    class Padding(Given):
        rows = CountingBlocks(Given.rows.tokens, Given.rows.documents, torch.zeros(4, 4, dtype=torch.bool))

    with pytest.raises(DataError, match="no token to predict"):
        document_losses(build("gpt2", vocab_size=3), Padding(), torch.zeros(3).double(), n_blocks=4)


def test_a_random_model_is_no_better_than_chance(build):
    # Uniform logits: log(12) nats on every token. The control knows which ten of the twelve occur.
    module = build("gpt2", vocab_size=12)
    module.transformer.ln_f.weight.data.zero_()
    module.transformer.ln_f.bias.data.zero_()
    corpus = Counting(10)
    found = document_losses(wrap(module, "flat").module, corpus, unigram(corpus), n_blocks=10)
    assert found.model == pytest.approx(2.4849066)
    assert found.unigram < 2.35
