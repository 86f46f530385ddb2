"""Products of components under gradient flow: exact curves, heights, ends and conserved quantities (MATH of
Jermyn & Shlegeris 2022), and the control without a product."""

import math

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.core.seeding import generator
from monosema.toys.multicomponent import losses as losses_of
from monosema.toys.multicomponent.plateaus import plateaus
from monosema.toys.multicomponent.products import aligned, imbalance, initial, product, pullback
from monosema.toys.multicomponent.targets import strengths, target
from monosema.toys.multicomponent.theory import (
    eckart_young,
    half_time,
    logistic,
    loss_of_logistics,
    seeds_of_growth,
    time_of_three,
)
from monosema.toys.multicomponent.training import OptimiserConfig, train

VALUES = (8.0, 2.0, 0.5)


def drawn(n_runs: int, rank: int, sizes: tuple[int, ...], scale: float):
    return initial(n_runs, rank, sizes, scale, generator(0, "tests"))


def curve(trajectory, run: int, lr: float) -> tuple[list[float], list[float]]:
    return [step * lr for step in trajectory.steps], trajectory.losses[run].tolist()


@pytest.mark.parametrize("order", [2, 3])
def test_a_target_has_the_components_it_was_given(order: int):
    made = target(VALUES, 6, order)
    assert torch.allclose(strengths(made.array[None], made), torch.tensor([VALUES], dtype=torch.float64))
    assert made.array.square().sum() == pytest.approx(sum(s * s for s in VALUES))
    if order == 2:
        assert torch.linalg.svdvals(made.array)[:3].tolist() == pytest.approx(VALUES)


def test_components_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="do not fit"):
        target(VALUES, 2)
    with pytest.raises(ConfigError, match="must fall"):
        target((1.0, 2.0), 4)


@pytest.mark.parametrize("loss", ["mse", "kl"])
@pytest.mark.parametrize("order", [2, 3])
def test_gradients_are_those_of_autograd(loss, order: int):
    made = target((3.0, 1.0), 4, order)
    factors = tuple(x.requires_grad_() for x in drawn(2, 3, (4,) * order, 1.0))
    Z = product(factors)
    losses_of.losses(loss, Z, made.array[None]).sum().backward()
    with torch.no_grad():
        written = pullback(factors, losses_of.gradient(loss, Z, made.array[None]))
    assert all(torch.allclose(x.grad, g) for x, g in zip(factors, written, strict=True))


def test_kl_is_zero_up_to_a_constant_a_row():
    made = target((3.0, 1.0), 4)
    shifted = made.array[None] + torch.arange(4.0, dtype=torch.float64)[:, None]
    assert losses_of.losses("kl", shifted, made.array[None]).item() == pytest.approx(0, abs=1e-15)
    assert losses_of.losses("kl", 2 * made.array[None], made.array[None]).item() > 0.05


@pytest.mark.slow
def test_one_balanced_component_is_a_logistic():
    # Euler at lr 1e-4, s = 2, u0 = 1e-6: off by at most 6.2e-4.
    made = target((2.0,), 1)
    ran = train(aligned(made, [1e-6]), made, "mse", OptimiserConfig("flow", 1e-4), 70_000, record_every=100)
    t = torch.tensor(ran.steps, dtype=torch.float64) * 1e-4
    off = (ran.strengths[0, :, 0] - logistic(t, 2.0, 1e-6)).abs().max().item()
    assert off == pytest.approx(6.2e-4, rel=0.02)


def test_half_time_is_when_half_is_there():
    t = torch.tensor([half_time(2.0, 1e-6)], dtype=torch.float64)
    assert logistic(t, 2.0, 1e-6).item() == pytest.approx(1.0)


@pytest.mark.slow
def test_what_is_conserved():
    made = target(VALUES, 6)
    factors = drawn(3, 4, (6, 6), 0.5)
    drifts = []
    for lr in (1e-3, 1e-4):
        ran = train(factors, made, "mse", OptimiserConfig("flow", lr), round(1 / lr), record_every=1000)
        (before,), (after,) = imbalance(factors), imbalance(ran.factors)
        drifts.append((after - before).abs().max().item())
        assert (ran.factors[0] - factors[0]).abs().max() > 0.5
    # Exact in the limit of small steps: ten times smaller steps, ten times less drift.
    assert drifts[1] < 2e-3 and drifts[0] / drifts[1] == pytest.approx(10, rel=0.1)


@pytest.mark.slow
def test_of_a_tensor_the_differences_of_squared_lengths_are_conserved():
    made = target((2.0, 1.0), 4, order=3)
    factors = drawn(2, 2, (4, 4, 4), 0.5)
    ran = train(factors, made, "mse", OptimiserConfig("flow", 1e-4), 5000, record_every=5000)
    for before, after in zip(imbalance(factors), imbalance(ran.factors), strict=True):
        kept = (after - before).diagonal(dim1=1, dim2=2).abs().max().item()
        assert kept < 1e-3
    assert (ran.losses[:, -1] < 0.9 * ran.losses[:, 0]).all()


def test_plateaus_are_the_best_that_fewer_components_can_do():
    # 1/2 (8^2 + 2^2 + .5^2), 1/2 (2^2 + .5^2), 1/2 .5^2
    made = target(VALUES, 10)
    ran = train(drawn(4, 3, (10, 10), 1e-6), made, "mse", OptimiserConfig("flow", 0.01), 4000, record_every=5)
    for run in range(4):
        heights = [plateau.height for plateau in plateaus(*curve(ran, run, 0.01))]
        assert heights == pytest.approx([34.125, 2.125, 0.125], rel=1e-5)
        assert heights == pytest.approx([eckart_young(VALUES, k) for k in range(3)], rel=1e-5)
    assert (ran.losses[:, -1] < 1e-9).all()


def test_a_plateau_is_longer_by_the_logarithm_of_a_smaller_start():
    # Plateau k lasts ln(1 / init) (1 / s_(k+1) - 1 / s_k): from the same draws a hundred times smaller, ln 100 times
    # the bracket longer. Between s = 8 and 2 that is 3/8, between 2 and .5 it is 3/2.
    made = target(VALUES, 10)
    lengths = []
    for init in (1e-6, 1e-8):
        ran = train(drawn(1, 3, (10, 10), init), made, "mse", OptimiserConfig("flow", 0.01), 5000, record_every=2)
        lengths.append([plateau.length for plateau in plateaus(*curve(ran, 0, 0.01))])
    longer = [after - before for before, after in zip(*lengths, strict=True)]
    assert longer[1:] == pytest.approx([math.log(100) * 3 / 8, math.log(100) * 3 / 2], rel=0.03)


@pytest.mark.parametrize(("rank", "end"), [(1, 2.125), (2, 0.125), (3, 0.0)])
def test_a_model_of_fewer_components_ends_at_what_it_cannot_hold(rank: int, end: float):
    made = target(VALUES, 6)
    ran = train(drawn(2, rank, (6, 6), 1e-3), made, "mse", OptimiserConfig("flow", 0.02), 3000, record_every=10)
    assert ran.losses[:, -1].tolist() == pytest.approx([end] * 2, abs=1e-9)
    # The level on which it ends is no plateau.
    assert len(plateaus(*curve(ran, 0, 0.02))) == rank


@pytest.mark.parametrize(("loss", "lr", "steps"), [("mse", 0.01, 2000), ("kl", 1.0, 4000)])
def test_without_a_product_there_is_no_plateau(loss, lr: float, steps: int):
    made = target(VALUES, 10)
    still = (torch.zeros(1, 10, 10, dtype=torch.float64),)
    ran = train(still, made, loss, OptimiserConfig("flow", lr), steps)
    assert plateaus(*curve(ran, 0, lr)) == ()
    if loss == "mse":  # every component at the same rate: the loss is L0 e^(-2t), by Euler (1 - lr)^(2 step)
        expected = 34.125 * (1 - lr) ** (2 * torch.tensor(ran.steps, dtype=torch.float64))
        assert torch.allclose(ran.losses[0], expected)


@pytest.mark.slow
def test_the_logistics_of_a_run_are_read_off_its_start():
    made = target(VALUES, 8)
    factors = drawn(3, 3, (8, 8), 1e-6)
    ran = train(factors, made, "mse", OptimiserConfig("flow", 1e-3), 30_000, record_every=50)
    t = torch.tensor(ran.steps, dtype=torch.float64) * 1e-3
    for run, u0 in enumerate(seeds_of_growth(factors, made).tolist()):
        expected = loss_of_logistics(t, VALUES, u0)
        # Where it falls steeply a small delay is a large difference: so delays are compared, at the geometric mean
        # of the heights before and after each drop.
        for between in (8.5, 0.5, 0.01):
            own, theirs = (t[(x < between).nonzero()[0, 0]].item() for x in (ran.losses[run], expected))
            assert own == pytest.approx(theirs, abs=0.15)


def test_a_component_beyond_the_model_is_never_learnt():
    u0 = seeds_of_growth(drawn(1, 2, (6, 6), 1e-3), target(VALUES, 6))[0].tolist()
    assert u0[2] == 0.0 and min(u0[:2]) > 0
    end = loss_of_logistics(torch.tensor([1e3], dtype=torch.float64), VALUES, u0)
    assert end.item() == pytest.approx(0.125)


@pytest.mark.slow
def test_three_factors_take_the_time_of_the_integral():
    made = target((1.0,), 1, order=3)
    ran = train(aligned(made, [1e-4]), made, "mse", OptimiserConfig("flow", 2e-3), 12_000, record_every=1)
    held = ran.strengths[0, :, 0].tolist()
    for u in (0.01, 0.5, 0.9):
        measured = next(i for i, x in enumerate(held) if x >= u) * 2e-3
        assert measured == pytest.approx(time_of_three(1.0, 1e-4, u), rel=2e-3)


def test_a_third_factor_waits_by_the_power_of_the_start_and_two_by_its_logarithm():
    three = [time_of_three(1.0, u0, 0.5) for u0 in (1e-6, 1e-9)]
    assert three[1] / three[0] == pytest.approx(10, rel=0.05)  # u0^(-1/3)
    two = [half_time(1.0, u0) for u0 in (1e-6, 1e-9)]
    assert two[1] / two[0] == pytest.approx(1.5, rel=1e-3)  # 9 / 6 decades


def test_runs_side_by_side_are_what_they_are_alone():
    made = target((3.0, 1.0), 5)
    factors = drawn(3, 2, (5, 5), 0.1)
    rates = torch.tensor([0.01, 0.02, 0.03], dtype=torch.float64)
    together = train(factors, made, "mse", OptimiserConfig("flow"), 200, rates=rates)
    for run in range(3):
        own = tuple(x[run : run + 1] for x in factors)
        alone = train(own, made, "mse", OptimiserConfig("flow", rates[run].item()), 200)
        assert torch.allclose(together.losses[run], alone.losses[0], rtol=1e-12)


@pytest.mark.slow
def test_adam_is_torchs():
    made = target((3.0, 1.0), 5)
    factors = drawn(1, 2, (5, 5), 0.1)
    ours = train(factors, made, "kl", OptimiserConfig("adam", 0.01), 300, record_every=300)
    theirs = [torch.nn.Parameter(x.clone()) for x in factors]
    optimiser = torch.optim.Adam(theirs, lr=0.01)
    for _ in range(300):
        optimiser.zero_grad()
        losses_of.losses("kl", product(tuple(theirs)), made.array[None]).sum().backward()
        optimiser.step()
    assert all(torch.allclose(x, y.data, rtol=1e-9) for x, y in zip(ours.factors, theirs, strict=True))


def test_sampled_steps_are_right_on_average_and_repeatable():
    made = target((3.0, 1.0), 5)
    factors = tuple(x.expand(20_000, -1, -1) for x in drawn(1, 2, (5, 5), 0.3))
    sgd = OptimiserConfig("sgd", 1.0, share=0.25)
    one = train(factors, made, "mse", sgd, 1, generator=generator(1, "sgd"))
    again = train(factors, made, "mse", sgd, 1, generator=generator(1, "sgd"))
    whole = train(factors, made, "mse", OptimiserConfig("flow", 1.0), 1)
    assert torch.equal(one.losses, again.losses)
    moved = one.factors[0] - factors[0]
    assert moved.std(0).max() > 0.1
    assert torch.allclose(moved.mean(0), (whole.factors[0] - factors[0])[0], atol=0.05)


def test_only_sgd_takes_a_share():
    with pytest.raises(ConfigError, match="share"):
        OptimiserConfig("adam", 0.01, share=0.5)
    with pytest.raises(ConfigError, match="lr"):
        OptimiserConfig("flow", -0.01)


@pytest.mark.slow
def test_the_measured_figures_with_cross_entropy():
    # default_rng(0), N = 20, s = (40, 15): .8026 with nothing learnt, .1915 the best of one component.
    made = target((40.0, 15.0), 20)
    ran = train(drawn(1, 1, (20, 20), 1e-3), made, "kl", OptimiserConfig("adam", 0.01), 3000, record_every=3)
    assert ran.losses[0, 0].item() == pytest.approx(0.8026, abs=1e-4)
    assert ran.losses[0, -1].item() == pytest.approx(0.1915, abs=1e-4)


@pytest.mark.slow
def test_the_second_plateau_is_there_with_gradient_descent_and_gone_with_adam():
    made = target((40.0, 15.0), 20)
    down = train(drawn(4, 2, (20, 20), 1e-8), made, "kl", OptimiserConfig("flow", 1.0), 4000, record_every=2)
    for run in range(4):
        first, second = (plateau.height for plateau in plateaus(*curve(down, run, 1.0)))
        assert first == pytest.approx(0.8026, abs=1e-4) and second == pytest.approx(0.1977, abs=0.008)
    assert (down.losses[:, -1] < 1e-4).all()
    adam = train(drawn(4, 2, (20, 20), 1e-3), made, "kl", OptimiserConfig("adam", 0.01), 4000)
    assert all(len(plateaus(*curve(adam, run, 1.0))) == 1 for run in range(4))


@pytest.mark.slow
def test_of_ten_components_something_is_left_when_two_are_learnt():
    left = {}
    for rank, values in ((2, (40.0, 15.0)), (10, tuple(40.0 / (i + 1) for i in range(10)))):
        factors = drawn(1, rank, (20, 20), 1e-8)
        ran = train(factors, target(values, 20), "kl", OptimiserConfig("flow", 1.0), 4000, record_every=4000)
        left[rank] = (ran.losses[0, -1] / ran.losses[0, 0]).item()
    assert left[2] < 1e-5 < 1e-3 < left[10] < 1e-2


def test_plateaus_of_curves_drawn_by_hand():
    times = [0.01 * i for i in range(2001)]
    exponential = [math.exp(-t) for t in times]
    assert plateaus(times, exponential) == ()

    def steps(*at: float) -> list[float]:
        return [sum(1 / (1 + math.exp(8 * (t - s))) for s in at) for t in times]

    two = plateaus(times, steps(5.0, 15.0))
    assert [round(p.height, 3) for p in two] == [2.0, 1.0]
    assert two[1].start < 6 and two[1].end > 14 and two[1].length == pytest.approx(10 - 2 * 0.457, abs=0.05)
    assert len(plateaus(times, steps(10.0, 10.2))) == 1
    # Noise a millionth as large as the loss adds none; nor does a drop of a two-thousandth.
    noisy = [x + 1e-6 * ((-1) ** i) for i, x in enumerate(steps(5.0, 15.0))]
    assert len(plateaus(times, noisy)) == 2
    small = [x + 0.0005 / (1 + math.exp(8 * (t - 18))) for t, x in zip(times, steps(5.0), strict=True)]
    assert len(plateaus(times, small)) == 1
    assert plateaus(times, [1.0] * len(times)) == ()
