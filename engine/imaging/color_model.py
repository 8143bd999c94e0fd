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
        return np.asarray(self._log_densities(features, weights)[1])

    def posterior(self, features: FloatArray) -> FloatArray:
        """Return the probability that each component produced each of the features.

        Args:
            features: [N, D].

        Returns:
            [N, K] in 0..1.
        """
        joint, total = self._log_densities(features, self.weights)
        return np.asarray(np.exp(joint - total[:, None]))

    def _log_densities(
        self, features: FloatArray, weights: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """[N, K] of each component, and [N] of their sum."""
        data = np.ascontiguousarray(features, np.float64)
        found: tuple[FloatArray, FloatArray] = _log_densities(
            data, np.log(weights) + self.log_norms, self.means, self.precisions
        )
        return found


@kernel()
def _log_densities(features, tops, means, precisions):  # type: ignore[no-untyped-def]
    count, dimensions = features.shape
    components = means.shape[0]
    joint, total = np.empty((count, components)), np.empty(count)
    step = np.empty(dimensions)
    for n in range(count):
        most = -np.inf
        for k in range(components):
            squared = 0.0
            for i in range(dimensions):
                step[i] = features[n, i] - means[k, i]
            for i in range(dimensions):
                for j in range(dimensions):
                    squared += step[i] * precisions[k, i, j] * step[j]
            joint[n, k] = tops[k] - 0.5 * squared
            most = max(most, joint[n, k])
        share = 0.0
        for k in range(components):
            share += np.exp(joint[n, k] - most)
        total[n] = most + np.log(share)
    return joint, total


def fit_colors(features: FloatArray, components: int = 8, rounds: int = 8) -> ColorModel:
    """Fit a mixture by expectation maximisation, started from farthest points; deterministic.

    Args:
        features: [N, D].
        components: Number of Gaussians.
        rounds: Number of iterations.
    """
    data = np.asarray(features, np.float64)
    if len(data) > 6000:
        data = data[:: len(data) // 6000 + 1]
    dimensions = data.shape[1]
    starts = [data.mean(0)]
    nearest = ((data - starts[0]) ** 2).sum(1)
    for _ in range(components):
        # A high quantile rather than the farthest point itself, which is an outlier.
        starts.append(data[np.argsort(nearest)[int(0.97 * (len(data) - 1))]])
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
    total = share.sum(0) + 1e-3
    means = (share.T @ data) / total[:, None]
    precisions, norms = [], []
    for k in range(share.shape[1]):
        d = data - means[k]
        covariance = (d * share[:, k : k + 1]).T @ d / total[k] + _FLOOR * np.eye(dimensions)
        precisions.append(np.linalg.inv(covariance))
        norms.append(-0.5 * (np.linalg.slogdet(covariance)[1] + dimensions * np.log(2 * np.pi)))
    return ColorModel(total / total.sum(), means, np.stack(precisions), np.array(norms))
