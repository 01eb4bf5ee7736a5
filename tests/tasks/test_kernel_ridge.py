"""Kernel ridge regression: against scikit-learn's, against leaving rows out one by one, and through landmarks."""

import numpy as np
import pytest
from tests.needs import needs

from imi.errors import UsageError
from imi.tasks import kernel_ridge
from imi.tasks.kernel_ridge import NOISES, fit_kernel, similarities
from imi.tasks.regress import fit_numbers
from imi.vectors import normalize, truncate

pytestmark = needs("sklearn")


def setup_module():
    global KernelRidge
    from sklearn.kernel_ridge import KernelRidge


@pytest.fixture(scope="module")
def bent():
    """Return 120 unit rows and a number that no straight line reads in them."""
    rng = np.random.default_rng(3)
    z = normalize(rng.normal(size=(120, 6)))
    return z, np.stack([np.sign(z[:, 0] * z[:, 1]) + 0.1 * rng.normal(size=120), z[:, 2]], axis=1)


def slow_fit(z, targets, gamma, noise, at):
    """Return what a fit without row `at` says of it; the mean is that of all rows."""
    others = np.arange(len(z)) != at
    alone = KernelRidge(alpha=noise, kernel="precomputed")
    centred = targets - targets.mean(axis=0)
    alone.fit(similarities(z[others], z[others], gamma), centred[others])
    return alone.predict(similarities(z[at : at + 1], z[others], gamma))[0] + targets.mean(axis=0)


def test_left_out_rows_are_really_left_out(bent):
    z, targets = bent
    fit = fit_kernel(z, targets)
    assert fit.kernel.gamma > 0
    errors = {}
    for noise in NOISES:
        errors[noise] = np.array([slow_fit(z, targets, fit.kernel.gamma, noise, at) for at in range(0, 120, 10)])
    close = [noise for noise in NOISES if np.allclose(errors[noise], fit.left_out[::10], atol=1e-6)]
    assert len(close) == 1, "the readings are those of one of the noises"
    whole = KernelRidge(alpha=close[0], kernel="precomputed")
    whole.fit(similarities(z, z, fit.kernel.gamma), targets - targets.mean(axis=0))
    expected = whole.predict(similarities(z[:9], z, fit.kernel.gamma)) + targets.mean(axis=0)
    np.testing.assert_allclose(fit.kernel.read(z[:9]), expected, atol=1e-6)


def test_a_line_where_a_line_does(groups):
    z, _ = groups
    y = z @ np.arange(32.0) / 32
    assert np.corrcoef(fit_numbers(z[::2], y[::2]).predict(z[1::2]), y[1::2])[0, 1] > 0.99


def test_landmarks_read_almost_what_all_rows_read(bent, monkeypatch):
    rng = np.random.default_rng(4)
    z = normalize(rng.normal(size=(600, 6)))
    y = np.sign(z[:, 0] * z[:, 1])[:, None]
    new = normalize(rng.normal(size=(200, 6)))
    exact = fit_kernel(z, y).kernel.read(new)
    monkeypatch.setattr(kernel_ridge, "MOST", 200)
    fit = fit_kernel(z, y, seed=1)
    assert fit.kernel.landmarks.shape == (200, 6) and len(fit.left_out) == 200
    truth = np.sign(new[:, 0] * new[:, 1])
    assert np.corrcoef(fit.kernel.read(new)[:, 0], exact[:, 0])[0, 1] > 0.9
    assert (np.sign(fit.kernel.read(new)[:, 0]) == truth).mean() > 0.8


def test_wider_vectors_are_shortened_and_narrow_ones_refused(bent):
    z, targets = bent
    read = fit_kernel(truncate(z, 3), targets).kernel.read
    np.testing.assert_allclose(read(z), read(truncate(z, 3)), atol=1e-4)
    with pytest.raises(UsageError, match="the head reads 3"):
        read(z[:, :2])
    with pytest.raises(UsageError, match="not finite"):
        fit_kernel(z, targets * np.nan)
