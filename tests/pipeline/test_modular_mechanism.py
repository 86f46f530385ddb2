"""A network written by hand that adds by circles, and does part of it otherwise: each claim is found out.

Modulo 11, on the circles of frequencies 2 and 3. Head 0 carries the first number's circles to '=', head 1 the
second's; a neuron for every pair of numbers fires by 1 for that pair alone; the unembedding writes 3 cos(2 w (s - c)) +
2 cos(3 w (s - c)). So the circles are all that is read, and the logits are cosines; but no neuron is of one circle,
attention looks by position alone, and with one circle missing no neuron fires.
"""

from math import pi

import pytest
import torch
from torch import Tensor

from monosema.core.findings import Finding
from monosema.models.small_transformer import SmallConfig, SmallTransformer, small_transformer
from monosema.pipeline.mechanisms import fourier
from monosema.pipeline.mechanisms.adding import Adder, adder
from monosema.pipeline.mechanisms.modular_claims import CLAIMS
from monosema.pipeline.mechanisms.modular_panels import pictures
from monosema.pipeline.mechanisms.modular_study import Bench, studied
from monosema.toys.algorithmic.grokking import sums
from monosema.toys.algorithmic.recipes import GrokConfig

P, KEYS, HEIGHTS = 11, (2, 3), (3.0, 2.0)
CONFIG = GrokConfig(modulus=P, steps=3, d_model=48, n_heads=2, d_mlp=P * P)
SMALL = SmallConfig(P + 1, P, 3, 1, d_model=26, n_heads=2, d_head=4, d_mlp=P * P, norm="none", attn_scale=1.0)
CIRCLES, PLACES, FIRST, SECOND, SUM = slice(0, 4), slice(4, 7), slice(7, 11), slice(11, 15), slice(15, 26)


def circle(n: Tensor) -> Tensor:
    """(cos 2wn, sin 2wn, cos 3wn, sin 3wn)."""
    angles = [2 * pi * k / P * n for k in KEYS]
    return torch.stack([part for x in angles for part in (x.cos(), x.sin())], -1)


@torch.no_grad()
def by_hand() -> SmallTransformer:
    module = small_transformer(SMALL).requires_grad_(False)
    for parameter in module.parameters():
        parameter.zero_()
    n = torch.arange(P, dtype=torch.float32)
    module.embed.weight[:P, CIRCLES] = circle(n)
    module.positions.weight[:, PLACES] = torch.eye(3)
    block = module.blocks[0]
    attention, mlp = block.get_submodule("attn"), block.get_submodule("mlp")
    w = {name: attention.get_submodule(name).get_parameter("weight") for name in ("query", "key", "value", "output")}
    for head, out in enumerate((FIRST, SECOND)):
        own = slice(4 * head, 4 * head + 4)
        w["query"][own.start, PLACES] = torch.tensor([0.0, 0.0, 200.0])
        w["key"][own.start, PLACES.start + head] = 1.0
        w["value"][own, CIRCLES] = torch.eye(4)
        w["output"][out, own] = torch.eye(4)
    a, b = torch.arange(P).repeat_interleave(P), torch.arange(P).repeat(P)
    # Of one's own circle 2 is read, of another number's at most `next_best`.
    next_best = float((circle(n) @ circle(n[:1]).T)[1:].max())
    room = 2 - next_best
    up, down = mlp.get_submodule("up"), mlp.get_submodule("down")
    up.get_parameter("weight")[:, FIRST] = circle(a.float()) / room * 2
    up.get_parameter("weight")[:, SECOND] = circle(b.float()) / room * 2
    up.get_parameter("bias")[:] = 1 - 8 / room
    down.get_parameter("weight")[SUM.start + (a + b) % P, torch.arange(P * P)] = 1.0
    waves = sum(h * torch.cos(2 * pi * k / P * (n[:, None] - n)) for k, h in zip(KEYS, HEIGHTS, strict=True))
    assert isinstance(waves, Tensor)
    module.unembed.weight[:, SUM] = waves
    return module


@pytest.fixture(scope="module")
def hand() -> Adder:
    return adder(by_hand(), sums(CONFIG), "by hand")


@pytest.fixture(scope="module")
def measured(hand: Adder) -> dict[str, Finding]:
    heart = adder(small_transformer(SMALL, seed=1).requires_grad_(False), sums(CONFIG), "random")
    keys = fourier.key_frequencies(hand.numbers)
    heights = fourier.amplitudes(hand.logits(), hand.targets, keys)
    bench = Bench(hand, heart, keys, heights, seed=0)
    return {claim.name: bench.measure(claim) for claim in CLAIMS}


def test_the_frequencies_and_amplitudes_are_those_that_were_written_down(hand: Adder):
    assert fourier.key_frequencies(hand.numbers) == KEYS
    heights = fourier.amplitudes(hand.logits(), hand.targets, (1, *KEYS, 4, 5))
    torch.testing.assert_close(heights, torch.tensor([0, *HEIGHTS, 0, 0]).double(), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("few_circles", 1.0),
        ("circles_suffice", 1.0),
        ("circles_turn", 1.0),
        ("through_the_mlp", 1.0),
        ("logits_are_cosines", 1.0),
    ],
)
def test_what_the_network_does_is_found(measured: dict[str, Finding], claim: str, value: float):
    found = measured[claim]
    assert found.value == pytest.approx(value, abs=1e-5)
    assert found.control is not None and found.control < 0.9


def test_without_the_circles_it_gives_one_answer_to_every_pair(measured: dict[str, Finding], hand: Adder):
    zero = float((hand.targets[hand.unseen] == 0).double().mean())
    assert measured["circles_are_needed"].value == pytest.approx(zero)
    # The other circles are not there, so that nothing is lost with them.
    assert measured["circles_are_needed"].control == 1.0


def test_what_it_does_not_do_is_not_found(measured: dict[str, Finding]):
    by_name = {claim.name: claim for claim in CLAIMS}
    for name in ("a_neuron_a_circle", "attention_by_the_circles", "circles_vote_alone"):
        assert not by_name[name].holds(measured[name]), name
    assert measured["attention_by_the_circles"].value == 0.0
    assert measured["a_neuron_a_circle"].value < 0.5


def test_a_model_hardly_trained_is_studied_and_shown_too():
    one = studied(GrokConfig(modulus=7, steps=2, d_model=8, n_heads=2, d_mlp=8))
    assert one.learned.heart_step == 0 and one.measured.keys() == {claim.name for claim in CLAIMS}
    assert not CLAIMS[0].holds(one.measured["few_circles"])
    panels = pictures(one)
    assert [panel.title for panel in panels if panel.title == "Training"] and len(panels) >= 8
