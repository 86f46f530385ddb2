"""Erasers held to their theorems: guarded, idempotent, of the least rank and, for LEACE, at the least price."""

import itertools

import pytest
import torch
from torch import Tensor

from monosema.core.errors import ConfigError, DataError, MismatchError
from monosema.core.seeding import generator
from monosema.probes.erasers.closed import inverse_times
from monosema.probes.erasers.configs import (
    EraserConfig,
    InlpConfig,
    LeaceConfig,
    MeanDifferenceConfig,
    OrthConfig,
    RandomEraserConfig,
)
from monosema.probes.erasers.eraser import Eraser
from monosema.probes.erasers.fitting import EraserFitter, fit_eraser

N, D = 600, 12
GUARDED = [LeaceConfig(), OrthConfig(), MeanDifferenceConfig()]


def drawn(k: int, seed: int = 0, n: int = N, d: int = D) -> tuple[Tensor, Tensor]:
    """Correlated rows far from the origin, with classes of different frequency and mean."""
    random = generator(seed, "erasers")
    z = torch.arange(n) % (k + 1) % k
    mixing = torch.randn(d, d, generator=random, dtype=torch.float64)
    means = torch.randn(k, d, generator=random, dtype=torch.float64)
    x = torch.randn(n, d, generator=random, dtype=torch.float64) @ mixing + means[z] + 20
    return x, z


def class_means(x: Tensor, z: Tensor) -> Tensor:
    return torch.stack([x[z == c].mean(0) for c in range(int(z.max()) + 1)])


def covariance(x: Tensor) -> Tensor:
    return (x - x.mean(0)).T @ (x - x.mean(0)) / len(x)


def mse(eraser: Eraser, x: Tensor) -> float:
    return float((eraser(x) - x).square().sum(1).mean())


@pytest.mark.parametrize("config", GUARDED, ids=lambda config: config.method)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_class_means_are_equal_after_and_were_not_before(config: EraserConfig, k: int):
    x, z = drawn(k)
    erased = fit_eraser(config, x, z)(x)
    before, after = (class_means(rows, z).std(0).max() for rows in (x, erased))
    assert before > 0.3
    assert after < 1e-12
    one_hot = torch.nn.functional.one_hot(z).double()
    assert float(((erased - erased.mean(0)).T @ (one_hot - one_hot.mean(0)) / len(z)).abs().max()) < 1e-12


@pytest.mark.parametrize("config", [*GUARDED, InlpConfig(steps=2), RandomEraserConfig(3)], ids=lambda c: c.method)
def test_erasing_twice_is_erasing_once(config: EraserConfig):
    x, z = drawn(3)
    eraser = fit_eraser(config, x, z)
    torch.testing.assert_close(eraser(eraser(x)), eraser(x), rtol=1e-11, atol=1e-11)
    P = eraser.matrix()
    torch.testing.assert_close(P @ P, P, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(eraser(x) - eraser.mean, (x - eraser.mean) @ P.T, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("config", GUARDED, ids=lambda config: config.method)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_rank_is_one_less_than_the_classes(config: EraserConfig, k: int):
    x, z = drawn(k)
    assert fit_eraser(config, x.float(), z).rank == k - 1
    eraser = fit_eraser(config, x, z)
    assert eraser.rank == k - 1 == int(torch.linalg.matrix_rank(torch.eye(D).double() - eraser.matrix()))


@pytest.mark.parametrize("config", [LeaceConfig(), OrthConfig(), InlpConfig(), RandomEraserConfig(2)])
def test_the_mean_is_kept(config: EraserConfig):
    x, z = drawn(3)
    torch.testing.assert_close(fit_eraser(config, x, z)(x).mean(0), x.mean(0), rtol=1e-12, atol=1e-12)


def test_the_mean_difference_is_the_textbooks():
    x, z = drawn(2)
    d = x[z == 1].mean(0) - x[z == 0].mean(0)
    u = d / d.norm()
    torch.testing.assert_close(fit_eraser(MeanDifferenceConfig(), x, z)(x), x - (x @ u)[:, None] * u)


def test_two_classes_have_the_binary_closed_form():
    x, z = drawn(2)
    d, S = x[z == 1].mean(0) - x[z == 0].mean(0), covariance(x)
    tilted = torch.linalg.solve(S, d)
    binary = torch.eye(D).double() - torch.outer(d, tilted) / (d @ tilted)
    torch.testing.assert_close(fit_eraser(LeaceConfig(), x, z).matrix(), binary, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("k", [2, 4])
def test_leace_is_the_papers_projection(k: int):
    x, z = drawn(k)
    S = covariance(x)
    values, vectors = torch.linalg.eigh(S)
    root, inverse = ((vectors * values**p) @ vectors.T for p in (0.5, -0.5))
    one_hot = torch.nn.functional.one_hot(z).double()
    U = torch.linalg.svd(inverse @ (x - x.mean(0)).T @ (one_hot - one_hot.mean(0)))[0][:, : k - 1]
    paper = torch.eye(D).double() - root @ U @ U.T @ inverse
    torch.testing.assert_close(fit_eraser(LeaceConfig(), x, z).matrix(), paper, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("k", [2, 3, 6, 10])
def test_rounding_adds_no_direction(k: int):
    # Columns of classes are dependent; in float32 products they look as if they were not, by 1e-7.
    x, _ = drawn(2, n=3000)
    assert fit_eraser(LeaceConfig(), x.float(), torch.arange(3000) % k).rank == k - 1


def guarded_at_random(x: Tensor, z: Tensor, seed: int) -> Eraser:
    """Another affine eraser with equal class means: the projection along their span in a random metric."""
    A = torch.randn(D, D, generator=generator(seed, "metric"), dtype=torch.float64)
    means = class_means(x, z)
    G = (means[1:] - means[0]).T
    MG = A @ A.T @ G
    return Eraser("in a random metric", x.mean(0), G @ torch.linalg.inv(G.T @ MG), MG, ())


@pytest.mark.parametrize("k", [2, 4])
def test_no_affine_eraser_changes_less_than_leace(k: int):
    x, z = drawn(k)
    least = mse(fit_eraser(LeaceConfig(), x, z), x)
    others = [fit_eraser(config, x, z) for config in (OrthConfig(), MeanDifferenceConfig(), InlpConfig(steps=3))]
    others += [guarded_at_random(x, z, seed) for seed in range(20)]
    for other in others[3:]:
        assert class_means(other(x), z).std(0).max() < 1e-9
    assert all(least < mse(other, x) for other in others)


def test_leace_splits_the_variance_and_the_orthogonal_variant_does_not():
    x, z = drawn(3)
    total = float(covariance(x).trace())

    def parts(config: EraserConfig) -> float:
        erased = fit_eraser(config, x, z)(x)
        return float(covariance(erased).trace() + covariance(x - erased).trace())

    assert parts(LeaceConfig()) == pytest.approx(total, rel=1e-12)
    skewed = x * torch.arange(1.0, D + 1)  # the identity is about covariances; orth has it for free, mse it has not
    assert mse(fit_eraser(LeaceConfig(), skewed, z), skewed) < 0.95 * mse(fit_eraser(OrthConfig(), skewed, z), skewed)


def test_the_oracle_pays_least_and_leaves_no_covariance():
    x, z = drawn(3)
    fitter = EraserFitter(D, 3, dtype=torch.float64)
    fitter.update(x, z)
    erased = fitter.oracle()(x, z)
    assert class_means(erased, z).std(0).max() < 1e-12
    torch.testing.assert_close(erased, x - class_means(x, z)[z] + x.mean(0), rtol=1e-11, atol=1e-11)
    assert float((erased - x).square().sum(1).mean()) < mse(fitter.result(), x)


def test_numbers_are_erased_as_classes_are():
    x, _ = drawn(2)
    z = torch.stack([x[:, 0] + x[:, 1], 1e6 * x[:, 2]], 1)  # units must not matter
    eraser = fit_eraser(LeaceConfig(), x, z)
    assert eraser.rank == 2
    erased = eraser(x)
    left = (erased - erased.mean(0)).T @ ((z - z.mean(0)) / z.std(0)) / len(z)
    assert float(left.abs().max()) < 1e-10


@pytest.mark.parametrize("gap", [0.3, 0.039, 0.004])
def test_a_small_gap_is_erased_too(gap: float):
    # Balanced, unit variance, a Mahalanobis gap under .04: the reference implementation leaves it in place.
    half = torch.randn(2000, 4, generator=generator(0, "gap"), dtype=torch.float64)
    half = (half - half.mean(0)) / half.std(0)
    x, z = torch.cat([half, half]), torch.arange(2).repeat_interleave(2000)
    x[2000:, 1] += gap
    eraser = fit_eraser(LeaceConfig(), x.float(), z)
    assert eraser.rank == 1 and eraser.strengths[0] == pytest.approx(gap / 2, rel=0.05)
    means = class_means(eraser(x), z)
    assert float((means[1] - means[0]).norm()) < 1e-5 * gap + 1e-7
    assert float((class_means(x, z)[1] - class_means(x, z)[0]).norm()) == pytest.approx(gap)


def test_where_there_is_nothing_it_says_so():
    half = torch.randn(500, 4, generator=generator(0, "none"), dtype=torch.float64)
    x, z = torch.cat([half, half]), torch.arange(2).repeat_interleave(500)
    eraser = fit_eraser(LeaceConfig(), x, z)
    assert eraser.rank == 0 and torch.equal(eraser(x), x)
    assert str(eraser) == "leace: nothing erased, no label is correlated with the rows beyond rounding"
    assert str(fit_eraser(LeaceConfig(), *drawn(3))) == "leace: 2 of 12 directions erased"


def test_rows_in_a_subspace_are_guarded_too():
    # Fewer rows than dimensions, and a constant coordinate: the covariance has no inverse.
    x, z = drawn(2, n=9)
    x[:, 3] = 7.0
    for rows in (x, x.float()):
        eraser = fit_eraser(LeaceConfig(), rows, z)
        means = class_means(eraser(x), z)
        assert float((means[1] - means[0]).abs().max()) < (1e-9 if rows is x else 1e-3)
        assert torch.allclose(eraser(rows)[:, 3], rows[:, 3], atol=1e-4)


def test_narrow_directions_have_both_inverses_alike():
    values = torch.logspace(0, -7, D, dtype=torch.float64)
    Q = torch.linalg.qr(torch.randn(D, D, generator=generator(0, "Q"), dtype=torch.float64)).Q
    S = (Q * values) @ Q.T
    C = torch.randn(D, 2, generator=generator(0, "C"), dtype=torch.float64)
    torch.testing.assert_close(S @ inverse_times(S, C, 1e-12), C, rtol=1e-6, atol=1e-6)
    well = S + torch.eye(D).double()
    torch.testing.assert_close(well @ inverse_times(well, C, 1e-12), C, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_keep_their_type_and_shape(dtype: torch.dtype):
    x, z = drawn(3)
    eraser = fit_eraser(LeaceConfig(), x, z)
    rows = x.to(dtype).view(20, 30, D)
    erased = eraser(rows)
    assert erased.dtype == dtype and erased.shape == rows.shape
    close = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 0.3}[dtype]
    torch.testing.assert_close(erased.double(), eraser(x).view(20, 30, D), rtol=0, atol=close)


def test_random_erasers_are_told_apart_by_their_seed():
    x, z = drawn(2)
    one, same, other = (fit_eraser(RandomEraserConfig(2), x, z, seed) for seed in (0, 0, 1))
    assert torch.equal(one.U, same.U) and not torch.equal(one.U, other.U)


def test_inlp_stops_where_nothing_is_left_to_find():
    x, z = drawn(2)
    x = x - (class_means(x, z) - x.mean(0))[z]
    assert fit_eraser(InlpConfig(steps=4), x, z).rank == 0
    ranks = [fit_eraser(InlpConfig(steps=steps), *drawn(2)).rank for steps in (1, 2, 3)]
    assert ranks == [1, 2, 3]


@pytest.mark.parametrize("splits", [(9000,), (2, 8998), (70, 4026, 4904), (4500, 4500)])
def test_a_stream_gives_the_same_bits_however_it_is_cut(splits: tuple[int, ...]):
    x, z = drawn(3, n=9000)
    whole, parts = EraserFitter(D, 3), EraserFitter(D, 3)
    whole.update(x.float(), z)
    for low, high in itertools.pairwise([0, *itertools.accumulate(splits)]):
        parts.update(x[low:high].float(), z[low:high])
        parts.moments()  # looking changes nothing
    assert torch.equal(whole.result().matrix(), parts.result().matrix())
    exact = covariance(x)
    deviations = exact.diagonal().sqrt()
    error = (whole.moments().cov_xx - exact) / deviations / deviations[:, None]
    assert float(error.abs().max()) < 1e-6  # the mean is far from 0, and products are of float32
    torch.testing.assert_close(whole.moments().mean_x, x.float().double().mean(0), rtol=1e-8, atol=0)


@pytest.mark.parametrize(
    ("x", "z", "message"),
    [
        (torch.zeros(4, 3), torch.zeros(4).long(), "all 4 rows have the label 0"),
        (torch.full((4, 3), torch.nan), torch.tensor([0, 1, 0, 1]), "not finite"),
        (torch.zeros(4, 3), torch.tensor([0, 1, 0]), "4 rows came with 3 labels"),
        (torch.zeros(4, 3), torch.tensor([0, -1, 0, 1]), "some are below 0"),
    ],
)
def test_bad_rows_are_refused(x: Tensor, z: Tensor, message: str):
    with pytest.raises(DataError, match=message):
        fit_eraser(LeaceConfig(), x, z)


def test_bad_batches_are_refused():
    fitter = EraserFitter(3, 2)
    x, z = torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])
    for rows, labels, message in (
        (x[:, :2], z, "2 numbers, the fitter was made for 3"),
        (x, z + 1, "label 2 is none of the 2 classes"),
        (x, torch.rand(4), "class numbers"),
        (x, torch.rand(4, 3), "3 columns"),
    ):
        with pytest.raises(DataError, match=message):
            fitter.update(rows, labels)
    with pytest.raises(DataError, match="0 rows have no covariance"):
        fitter.result()
    fitter.update(x, 0 * z)
    with pytest.raises(DataError, match="every row has the same label"):
        fitter.result()
    with pytest.raises(DataError, match="one class number a row"):
        fit_eraser(InlpConfig(), x, torch.rand(4, 2))
    with pytest.raises(ConfigError, match="rows have only 3 directions"):
        fit_eraser(RandomEraserConfig(4), x, z)
    with pytest.raises(MismatchError, match="5 numbers, the eraser was fitted on 12"):
        fit_eraser(LeaceConfig(), *drawn(2))(torch.zeros(2, 5))


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "at hand"])
def test_float32_rows_that_span_few_directions_are_erased_at_a_small_price(streamed: bool):
    """A model's rows at one position: 40 numbers, 8 directions, a residual of 1e-4 in the rest."""
    random = generator(3, "narrow")
    z = torch.arange(400) % 2
    core = torch.randn(400, 8, generator=random) + z[:, None].float()
    x = (core @ torch.randn(8, 40, generator=random) * 5 + 1e-4 * torch.randn(400, 40, generator=random) + 30).float()
    if streamed:
        fitter = EraserFitter(40, 2)
        fitter.update(x, z)
        eraser = fitter.result()
    else:
        eraser = fit_eraser(LeaceConfig(), x, z)
    erased = eraser(x)
    spread = float((x - x.mean(0)).square().sum(1).mean())
    gap = class_means(x.double(), z)
    left = class_means(erased.double(), z)
    assert float((left[0] - left[1]).norm()) < 1e-4 * float((gap[0] - gap[1]).norm())
    assert float((erased - x).square().sum(1).mean()) < spread
