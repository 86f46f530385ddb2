"""Each method against its definition worked otherwise, or an independent library."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from monosema.probes.class_means import mean_difference, within_covariance
from monosema.probes.clusters import lloyd
from monosema.probes.data import Contrast, Labelled
from monosema.probes.fitting import fit, fit_labellings
from monosema.probes.settings import (
    CRCConfig,
    KMeansConfig,
    LDAConfig,
    LogisticConfig,
    MassMeanConfig,
    PCAConfig,
    VINCConfig,
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def statements(n: int = 200, d: int = 12, seed: int = 0) -> Labelled:
    """Correlated features, a mean far from 0, classes of unequal size that overlap."""
    y = (drawn(n, seed=seed + 1) > 0.4).long()
    x = drawn(n, d, seed=seed) @ drawn(d, d, seed=77) + 3.0
    x[:, 0] += 2.0 * y
    x[:, 3] -= 1.0 * y
    return Labelled(x, y)


def pairs(n: int = 200, d: int = 12, seed: int = 0, a: float = 2.0) -> Contrast:
    y = (drawn(n, seed=seed + 1) > 0).long()
    content, sign = drawn(n, d, seed=seed + 2), (2 * y - 1)[:, None].double()
    truth = torch.zeros(d, dtype=torch.float64)
    truth[2] = a
    x0, x1 = (content + s * sign * truth + 0.5 * drawn(n, d, seed=seed + 3 + s) for s in (-1, 1))
    return Contrast(x0 + 1.0, x1 - 2.0, y)


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / a.norm() / b.norm())


def test_lda_is_that_of_scikit_learn():
    data = statements()
    probe = fit(LDAConfig(normalisation="none"), data)
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(data.x.numpy(), data.y.numpy())
    np.testing.assert_allclose(probe.direction.numpy(), lda.coef_[0], rtol=1e-10, atol=1e-12)
    assert probe.bias == pytest.approx(float(lda.intercept_[0]), abs=1e-10)
    centred = fit(LDAConfig(), data)
    np.testing.assert_allclose(centred.direction.numpy(), lda.coef_[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(centred.score(data).numpy(), lda.decision_function(data.x.numpy()), atol=1e-10)


def test_lda_without_an_inverse_takes_the_pseudo_inverse():
    # scikit-learn's lsqr solver divides by singular values that are zero but for rounding, and gives weights of 1e12.
    data = statements(n=30, d=50)
    sigma = within_covariance(data.x, data.y).numpy()
    expected = np.linalg.pinv(sigma, rcond=1e-13, hermitian=True) @ mean_difference(data.x, data.y).numpy()
    np.testing.assert_allclose(fit(LDAConfig(), data).direction.numpy(), expected, rtol=1e-6, atol=1e-8)


def test_the_total_covariance_gives_the_direction_of_the_one_within():
    data = statements()
    d = mean_difference(data.x, data.y)
    total = torch.cov(data.x.T, correction=0)
    by_total, by_within = (torch.linalg.solve(s, d) for s in (total, within_covariance(data.x, data.y)))
    assert abs(cosine(by_total, by_within)) == pytest.approx(1.0, abs=1e-12)
    assert abs(cosine(by_total, d)) < 0.9
    tilted = fit(MassMeanConfig(tilt=True), data)
    assert cosine(tilted.direction, by_within) == pytest.approx(1.0, abs=1e-12)


def test_least_squares_weights_times_the_covariance_are_the_mean_difference():
    data = statements()
    x, y = data.x - data.x.mean(0), data.y.double() - data.y.double().mean()
    w = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    assert cosine(x.T @ x @ w, mean_difference(data.x, data.y)) == pytest.approx(1.0, abs=1e-12)


def test_mass_mean_puts_its_threshold_halfway():
    # Means (0, 0) and (2, 4): the difference is (2, 4), and their middle (1, 2) scores 0.
    data = Labelled(torch.tensor([[-1.0, 0], [1, 0], [2, 3], [2, 5]]), torch.tensor([0, 0, 1, 1]))
    probe = fit(MassMeanConfig(), data)
    assert probe.direction.tolist() == [2.0, 4.0]
    assert probe.score(torch.tensor([1.0, 2.0])).item() == 0.0
    assert probe.predict(data).tolist() == [0, 0, 1, 1]
    assert fit(MassMeanConfig(), data.relabelled(1 - data.y)).direction.tolist() == [-2.0, -4.0]


@pytest.mark.parametrize("ridge", [1e-3, 0.1])
@pytest.mark.parametrize(("n", "d"), [(200, 12), (25, 40)])
def test_logistic_regression_is_that_of_scikit_learn(ridge: float, n: int, d: int):
    data = statements(n, d)
    probe = fit(LogisticConfig(ridge=ridge, normalisation="mean"), data)
    x = (data.x - data.x.mean(0)).numpy()
    theirs = LogisticRegression(C=1 / (n * ridge), tol=1e-12, solver="newton-cg", max_iter=1000).fit(x, data.y.numpy())
    np.testing.assert_allclose(probe.direction.numpy(), theirs.coef_[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(probe.score(data).numpy(), theirs.decision_function(x), rtol=1e-4, atol=1e-4)


def test_labellings_fitted_together_end_where_each_ends_alone():
    data = statements()
    labels = torch.stack([data.y, data.y.roll(5), 1 - data.y])
    together = fit_labellings(LogisticConfig(), data, labels)
    for probe, y in zip(together, labels, strict=True):
        alone = fit(LogisticConfig(), data.relabelled(y))
        torch.testing.assert_close(probe.direction, alone.direction, rtol=1e-5, atol=1e-6)


def test_crc_is_the_top_singular_vector_of_the_differences():
    data = pairs()
    D = (data.x1 - data.x1.mean(0)) - (data.x0 - data.x0.mean(0))
    top = torch.tensor(np.linalg.svd(D.numpy())[2][0])
    assert abs(cosine(fit(CRCConfig(), data).direction, top)) == pytest.approx(1.0, abs=1e-12)


def test_crc_with_fewer_pairs_than_dimensions_is_the_same_vector():
    data = pairs(n=20, d=60)
    D = (data.x1 - data.x1.mean(0)) - (data.x0 - data.x0.mean(0))
    top = torch.tensor(np.linalg.svd(D.numpy())[2][0])
    assert abs(cosine(fit(CRCConfig(), data).direction, top)) == pytest.approx(1.0, abs=1e-12)


def test_vinc_is_the_top_eigenvector_worked_with_numpy():
    plain = pairs(n=60, d=5)
    groups = tuple(f"{int(y)} {i // 3}" for i, y in enumerate(plain.y.tolist()))
    data = Contrast(plain.x0, plain.x1, plain.y, groups)
    sides = [side - side.mean(0) for side in (data.x0.numpy(), data.x1.numpy())]
    names = list(dict.fromkeys(groups))
    members = [[i for i, g in enumerate(groups) if g == name] for name in names]
    means = [np.array([side[m].mean(0) for m in members]) for side in sides]
    var = np.mean([np.cov(m.T, bias=True) for m in means], 0)
    inv = np.mean(
        [sum((side[m] - side[m].mean(0)).T @ (side[m] - side[m].mean(0)) for m in members) / 60 for side in sides], 0
    )
    a, b = (m - m.mean(0) for m in means)
    cross = a.T @ b / len(names)
    A = var - 5 * inv - 5 * (cross + cross.T) / 2
    top = torch.tensor(np.linalg.eigh(A)[1][:, -1])
    assert abs(cosine(fit(VINCConfig(paraphrases=True), data).direction, top)) == pytest.approx(1.0, abs=1e-10)
    ungrouped = fit(VINCConfig(), data).direction
    assert abs(cosine(ungrouped, top)) < 1 - 1e-6


def test_pca_of_pairs_stacks_the_sides_each_centred():
    data = pairs()
    stacked = torch.cat([data.x0 - data.x0.mean(0), data.x1 - data.x1.mean(0)])
    top = torch.tensor(np.linalg.svd(stacked.numpy())[2][0])
    assert abs(cosine(fit(PCAConfig(), data).direction, top)) == pytest.approx(1.0, abs=1e-12)


def test_k_means_ends_where_that_of_scikit_learn_does():
    x = statements().x
    start = torch.stack([x[:2], x[10:12]])
    centres, spread = lloyd(x, start, 300)
    for i in range(2):
        theirs = KMeans(2, init=start[i].numpy(), n_init=1, tol=0, algorithm="lloyd").fit(x.numpy())
        np.testing.assert_allclose(centres[i].numpy(), theirs.cluster_centers_, atol=1e-10)
        assert float(spread[i]) * len(x) == pytest.approx(theirs.inertia_)


def test_k_means_finds_two_clouds_and_its_threshold_lies_between():
    y = torch.tensor([0, 1] * 20)
    data = Labelled(drawn(40, 3) * 0.1 + 5 * y[:, None], y)
    probe = fit(KMeansConfig(), data)
    assert probe.accuracy(data).value == 1.0
    assert abs(float(probe.score(torch.full((3,), 2.5)))) < 0.1 * float(probe.score(torch.full((3,), 5.0)))
