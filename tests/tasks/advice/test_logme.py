import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from tasks.advice.logme import logme


def made(size, width, signal, seed=0):
    """Return features of two classes that differ by `signal` in the first of them, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(size) % 2
    features = rng.normal(size=(size, width))
    features[:, 0] += signal * labels
    return features, labels


@pytest.mark.parametrize(("size", "width"), [(60, 5), (30, 50)])
def test_it_is_the_largest_evidence_that_a_generic_optimiser_finds(size, width):
    features, labels = made(size, width, 2.0)

    def unlikely(precisions, indicator):
        alpha, beta = np.exp(precisions)
        covariance = np.eye(size) / beta + features @ features.T / alpha
        return -multivariate_normal(np.zeros(size), covariance).logpdf(indicator)

    found = [
        -minimize(unlikely, [0.0, 0.0], args=(labels == k,), method="Nelder-Mead", tol=1e-8).fun
        for k in (0, 1)
    ]
    assert logme(features, labels, classes=2) == pytest.approx(np.mean(found) / size, abs=1e-5)


def test_features_that_tell_more_score_higher():
    scores = [logme(*made(100, 10, signal), classes=2) for signal in (0.0, 1.0, 3.0)]
    assert scores == sorted(scores)


def test_turning_or_scaling_the_features_changes_nothing():
    features, labels = made(40, 6, 1.0)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    once = logme(features, labels, classes=2)
    assert logme(3 * features @ turn, labels, classes=2) == pytest.approx(once, abs=1e-5)


def test_features_that_say_the_label_outright_and_those_that_say_nothing_have_a_score():
    labels = np.arange(20) % 2
    for features in (np.eye(2)[labels], np.zeros((20, 3)), np.eye(20)):
        assert np.isfinite(logme(features, labels, classes=2))
