"""Passes that begin at a layer: the same as whole ones, bit for bit, in every family."""

import pytest
import torch

from monosema.models import Edit, Model
from monosema.models.resuming import passing_through, resumes_exactly


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_pass_that_begins_at_a_layer_is_the_whole_pass(model: Model, tokens: torch.Tensor, layer: int):
    site = f"resid_pre.{layer}" if layer < 2 else "resid_post.1"
    whole = model.run(tokens, read=[site, "logits"])
    with passing_through(model, layer):
        again = model.run(tokens, read=["logits"], edits=[Edit(site, lambda _: whole[site])])
        wrong = model.run(tokens, read=["logits"], edits=[Edit(site, lambda _: whole[site] + 1)])
    assert torch.equal(again["logits"], whole["logits"])
    assert layer == 0 or not torch.equal(wrong["logits"], whole["logits"])
    assert layer == 2 or resumes_exactly(model, layer)


def test_the_layers_before_are_not_computed_and_come_back(gpt2: Model, tokens: torch.Tensor):
    whole = gpt2.run(tokens, read=["resid_pre.0", "resid_post.0", "logits"])
    with passing_through(gpt2, 1):
        handed_on = gpt2.run(tokens, read=["resid_post.0"])["resid_post.0"]
    assert torch.equal(handed_on, whole["resid_pre.0"])
    assert torch.equal(gpt2.run(tokens, read=["logits"])["logits"], whole["logits"])


def test_a_forward_of_a_layers_own_is_put_back(gpt2: Model):
    layer = gpt2.module.get_submodule("transformer.h.0")
    own = layer.forward
    layer.__dict__["forward"] = own
    try:
        with passing_through(gpt2, 1):
            assert layer.__dict__["forward"] is not own
        assert layer.__dict__["forward"] is own
    finally:
        del layer.__dict__["forward"]


def test_what_does_not_resume_is_found_out(gpt2: Model):
    # A later layer that looks at the tokens' embedding cannot be begun at.
    module = gpt2.module
    seen: list[torch.Tensor] = []
    first, last = module.get_submodule("transformer.h.0"), module.get_submodule("transformer.h.1")
    hooks = [
        first.register_forward_hook(lambda _, __, output: seen.append(output)),
        last.register_forward_hook(lambda _, __, output: output + seen[-1].mean()),
    ]
    try:
        assert resumes_exactly(gpt2, 0)
        assert not resumes_exactly(gpt2, 1)
    finally:
        for hook in hooks:
            hook.remove()
    assert resumes_exactly(gpt2, 1)
