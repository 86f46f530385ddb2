"""Drawing contexts by size: exact over all draws, and a standard error that says how far a draw is off."""

import numpy as np
import pytest

from monosema.features.effects.estimates import inclusion, mean_and_error, sparse_mean_and_error, systematic


def test_chances_are_proportional_to_size_and_never_above_one():
    assert inclusion(np.array([1.0, 1.0, 2.0]), 2).tolist() == [0.5, 0.5, 1.0]
    # 10 of 16 is more than its share of two: it is certain, and the others share the second draw.
    assert inclusion(np.array([10.0, 1.0, 2.0, 3.0]), 2).tolist() == pytest.approx([1, 1 / 6, 2 / 6, 3 / 6])
    assert inclusion(np.array([5.0, 0.1]), 2).tolist() == [1.0, 1.0]


def test_a_draw_has_the_size_asked_for_and_the_certain_in_it():
    sizes = np.random.default_rng(0).random(40) ** 4
    chances = inclusion(sizes, 9)
    for start in (0.0, 0.25, 0.5, 0.999):
        drawn = systematic(chances, start)
        assert len(drawn) == len(set(drawn.tolist())) == 9
        assert set(np.flatnonzero(chances == 1)) <= set(drawn.tolist())


def test_the_weighted_sum_of_a_draw_is_the_sum_on_average():
    # Over all starts each context is drawn with its chance, so the mean estimate is the population's sum.
    rng = np.random.default_rng(1)
    sizes, effects = rng.random(30), rng.normal(size=30)
    chances, starts = inclusion(sizes, 7), (np.arange(20_000) + 0.5) / 20_000
    sums = []
    for start in starts:
        drawn = systematic(chances, start)
        sums.append((effects[drawn] / chances[drawn]).sum())
    assert np.mean(sums) == pytest.approx(effects.sum(), abs=2e-3)
    # Unweighted, the average is another number.
    assert abs(np.mean([effects[systematic(chances, s)].sum() * 30 / 7 for s in starts[::100]]) - effects.sum()) > 0.1


def test_the_error_is_that_of_a_mean_over_documents():
    # Documents of one length: the textbook's standard error of their means.
    rng = np.random.default_rng(2)
    means = rng.normal(size=(1, 25))
    mean, error = mean_and_error(means * 10, np.full(25, 10))
    assert mean[0] == pytest.approx(means.mean())
    assert error[0] == pytest.approx(means.std(ddof=1) / 5)
    # A feature that does the same to every token has none, however long the documents are.
    lengths = rng.integers(1, 50, 25)
    mean, error = mean_and_error(0.3 * lengths[None].astype(float), lengths)
    assert (mean[0], error[0]) == (pytest.approx(0.3), pytest.approx(0, abs=1e-12))


def test_the_error_covers_what_sampling_adds():
    # 400 populations' draws of 12 contexts out of 60 in 20 documents: the true mean is within 2 errors about as often
    # as it should be, and the error is larger than that of knowing every context.
    rng, inside, wider = np.random.default_rng(3), 0, 0
    for _ in range(400):
        sizes = rng.random(60) + 0.05
        effects = sizes * rng.normal(0.5, 1.0, 60)
        document, lengths = np.repeat(np.arange(20), 3), np.full(20, 30)
        chances = inclusion(sizes, 12)
        drawn = systematic(chances, rng.random())
        full = np.bincount(document, effects, minlength=20)[None]
        part = np.bincount(document[drawn], effects[drawn] / chances[drawn], minlength=20)[None]
        truth, own = mean_and_error(full, lengths)
        mean, error = mean_and_error(part, lengths)
        inside += abs(mean[0] - truth[0]) < 2 * error[0]
        wider += error[0] > own[0]
    assert inside > 0.9 * 400 and wider > 0.9 * 400


def test_leaving_out_documents_without_a_firing_changes_nothing():
    rng = np.random.default_rng(4)
    sums = rng.normal(size=(3, 8)) * (rng.random((3, 8)) < 0.5)
    lengths = rng.integers(5, 40, 8)
    feature, document = sums.nonzero()
    dense = mean_and_error(sums, lengths)
    sparse = sparse_mean_and_error(feature, document, sums[feature, document], 3, lengths)
    assert np.allclose(dense, sparse)


def test_one_document_has_no_error():
    assert np.isnan(mean_and_error(np.ones((1, 1)), np.array([4]))[1]).all()
