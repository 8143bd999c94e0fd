"""Gaussian mixtures of colours: the person's and the background's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.kernels import kernel
from ..core.types import FloatArray

_FLOOR = 2e-4
"""Minimum colour variance of a component (about 1/70 of the range): noise and gradients."""


@dataclass(frozen=True)
class ColorModel:
    """A mixture of K Gaussians over D-dimensional features.

    Attributes:
        weights: [K].
        means: [K, D].
        precisions: [K, D, D].
        log_norms: [K].
    """

    weights: FloatArray
    means: FloatArray
    precisions: FloatArray
    log_norms: FloatArray

    def log_density(self, features: FloatArray, equal: bool = True) -> FloatArray:
        """Return the log density of features.

        Args:
            features: [N, D].
            equal: Weigh all components equally: a shoe is small, but as much the person's as
                their coat.

        Returns:
            [N].
        """
        weights = np.full(len(self.weights), 1.0 / len(self.weights)) if equal else self.weights
        return self._evaluate(features, weights, posterior=False)[0]

    def posterior(self, features: FloatArray) -> FloatArray:
        """Return the probability that each component produced each of the features.

        Args:
            features: [N, D].

        Returns:
            [N, K] in 0..1.
        """
        return self._evaluate(features, self.weights)[1]

    def _evaluate(
        self, features: FloatArray, weights: FloatArray, posterior: bool = True
    ) -> tuple[FloatArray, FloatArray]:
        """[N] log densities, and [N, K] posteriors; those are empty if not wanted."""
        data = np.ascontiguousarray(features, np.float64)
        tops = np.log(weights) + self.log_norms
        found: tuple[FloatArray, FloatArray] = _evaluate(
            data, tops, self.means, self.precisions, posterior
        )
        return found


@kernel()
def _evaluate(features, tops, means, precisions, posterior):  # type: ignore[no-untyped-def]
    count, dimensions = features.shape
    components = means.shape[0]
    total = np.empty(count)
    shares = np.empty((count if posterior else 0, components))
    step, joint = np.empty(dimensions), np.empty(components)
    for n in range(count):
        most = -np.inf
        for k in range(components):
            for i in range(dimensions):
                step[i] = features[n, i] - means[k, i]
            squared = 0.0
            for i in range(dimensions):
                along = 0.5 * precisions[k, i, i] * step[i]
                for j in range(i + 1, dimensions):
                    along += precisions[k, i, j] * step[j]
                squared += step[i] * along
            joint[k] = tops[k] - squared
            most = max(most, joint[k])
        sum_ = 0.0
        for k in range(components):
            joint[k] = np.exp(joint[k] - most)
            sum_ += joint[k]
        total[n] = most + np.log(sum_)
        if posterior:
            for k in range(components):
                shares[n, k] = joint[k] / sum_
    return total, shares


def fit_colors(features: FloatArray, components: int = 8, rounds: int = 8) -> ColorModel:
    """Fit a mixture by expectation maximisation, started from farthest points; deterministic.

    Args:
        features: [N, D].
        components: Number of Gaussians.
        rounds: Number of iterations.
    """
    data = np.asarray(features, np.float64)
    if len(data) > 6000:
        data = np.ascontiguousarray(data[:: len(data) // 6000 + 1])
    dimensions = data.shape[1]
    starts = [data.mean(0)]
    nearest = ((data - starts[0]) ** 2).sum(1)
    for _ in range(components):
        # A high quantile rather than the farthest point itself, which is an outlier.
        most = int(0.97 * (len(data) - 1))
        starts.append(data[np.argsort(nearest)[most]])
        nearest = np.minimum(nearest, ((data - starts[-1]) ** 2).sum(1))
    distances = np.stack([((data - start) ** 2).sum(1) for start in starts[1:]], 1)
    share = np.eye(components)[distances.argmin(1)]
    model = None
    for _ in range(rounds):
        model = _maximise(data, share, dimensions)
        share = model.posterior(data)
    assert model is not None
    return model


def _maximise(data: FloatArray, share: FloatArray, dimensions: int) -> ColorModel:
    components = share.shape[1]
    total = np.full(components, 1e-3)
    means = np.zeros((components, dimensions))
    covariances = np.zeros((components, dimensions, dimensions))
    _add_moments(data, share, total, means, covariances)
    covariances += _FLOOR * np.eye(dimensions)
    norms = -0.5 * (np.linalg.slogdet(covariances)[1] + dimensions * np.log(2 * np.pi))
    return ColorModel(total / total.sum(), means, np.linalg.inv(covariances), norms)


@kernel()
def _add_moments(data, share, total, means, covariances):  # type: ignore[no-untyped-def]
    """Add to weights [K], and compute means [K, D] and covariances [K, D, D] by shares [N, K]."""
    count, dimensions = data.shape
    components = share.shape[1]
    for n in range(count):
        for k in range(components):
            total[k] += share[n, k]
            for i in range(dimensions):
                means[k, i] += share[n, k] * data[n, i]
    for k in range(components):
        for i in range(dimensions):
            means[k, i] /= total[k]
    for n in range(count):
        for k in range(components):
            for i in range(dimensions):
                weighted = share[n, k] * (data[n, i] - means[k, i])
                for j in range(i + 1):
                    covariances[k, i, j] += weighted * (data[n, j] - means[k, j])
    for k in range(components):
        for i in range(dimensions):
            for j in range(i + 1):
                covariances[k, i, j] /= total[k]
                covariances[k, j, i] = covariances[k, i, j]
