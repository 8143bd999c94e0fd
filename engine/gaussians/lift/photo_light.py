"""A rough estimate of the light baked into a photo, to shade what the photo does not show.

Observed colour = albedo x shade(normal). The logarithm of the shade is a spherical-harmonics
expansion of order 2 (nine terms, as Ramamoorthi and Hanrahan 2001 show to hold a diffuse
surface's irradiance to a percent; in the logarithm here, so that it stays positive and the fit is
linear). Every surface class has an unknown albedo of its own, found in the same least squares.

Only normals that face the camera are seen. Behind them the expansion is not extrapolated: the
part of the normal along the view axis ends at zero, so that a back is lit as the rim is, and a
little less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.settings import register_settings
from ...core.types import FloatArray, IntArray


@dataclass(frozen=True)
class LightSettings:
    """The light in the photo."""

    floor: float = 0.03  # added to colours before their logarithm: black cloth's noise is no shade
    ridge: tuple[float, ...] = (0.0054, 0.0054, 0.0108, 0.036, 0.036, 0.036, 0.036, 0.036)
    """Prior weight of each term but the first, per unit of sample weight."""

    spread: float = 0.12  # of the logarithm, from which on a sample is doubted (folds, prints)
    prior: tuple[float, float] = (0.06, 0.10)
    """First-order terms of the prior: from above, from the camera."""

    darkest: float = 0.86  # least shade of what is never seen
    brightest: float = 1.12  # and most
    seen_darkest: float = 0.45  # least shade of what is seen
    seen_brightest: float = 1.6  # and most
    rounds: int = 6  # of the robust fit
    back: float = 0.18  # by which backs are darker: photographers stand with the light


S = register_settings("lift.photo_light", LightSettings())


def _terms(normals: FloatArray) -> FloatArray:
    """[N, 9] polynomials of the normal up to order 2, the view axis clamped at the rim."""
    x, y, z = normals[:, 0], normals[:, 1], np.maximum(normals[:, 2], 0.0)
    second = [x * y, y * z, x * z, 0.5 * (x * x - y * y), 0.5 * (3.0 * z * z - 1.0)]
    return np.stack([np.ones_like(x), x, y, z, *second], -1)


@dataclass(frozen=True)
class PhotoLight:
    """Shade over normals.

    Attributes:
        terms: [9, 3] coefficients of the logarithm of the shade, per colour channel. The photo's
            camera looks along -z, y is up.
    """

    terms: FloatArray

    def shade(self, normals: FloatArray) -> FloatArray:
        """Return the light [N, 3], a factor on the albedo; mean 1 where fitted.

        Args:
            normals: [N, 3] unit, world axes of the photo's camera.
        """
        log = _terms(normals) @ self.terms
        # What faces the camera was measured; the rest keeps within what backs look like.
        seen = np.clip((normals[:, 2:] + 0.3) / 0.6, 0.0, 1.0)
        low = np.log(S.darkest) + seen * (np.log(S.seen_darkest) - np.log(S.darkest))
        high = np.log(S.brightest) + seen * (np.log(S.seen_brightest) - np.log(S.brightest))
        away = np.clip(-normals[:, 2:], 0.0, 1.0)
        return np.asarray(np.exp(_soft_clip(log, low, high)) * (1.0 - S.back * away))


def _soft_clip(x: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Values near 0 unchanged, approaching ``low`` < 0 and ``high`` > 0 smoothly."""
    bound = np.where(x < 0, -low, high)
    return np.asarray(bound * np.tanh(x / bound))


def fit_light(
    normals: FloatArray, colors: FloatArray, surface: IntArray, weight: FloatArray
) -> PhotoLight:
    """Estimate the light from seen points.

    Args:
        normals: [N, 3] unit, world axes of the photo's camera.
        colors: [N, 3] as photographed.
        surface: [N] which points share an albedo (0, 1, ...; -1 for those to leave out).
        weight: [N] trust in each.

    Returns:
        The light; without enough points the prior: ambient light, a little more from above and
        from the camera.
    """
    used = (surface >= 0) & (weight > 0)
    prior = np.zeros((9, 3))
    prior[2], prior[3] = S.prior
    if used.sum() < 50:
        return PhotoLight(_centred(prior, np.array([[0.0, 0.0, 1.0]]), np.ones(1)))
    terms = _terms(normals[used])[:, 1:]
    value = np.log(colors[used] + S.floor)
    _, kind = np.unique(surface[used], return_inverse=True)
    trust = weight[used] / weight[used].sum()
    out = prior.copy()
    out[1:] = _robust_fit(terms, value, kind, trust, prior[1:])
    return PhotoLight(_centred(out, normals[used], trust))


def _robust_fit(
    terms: FloatArray, value: FloatArray, kind: IntArray, trust: FloatArray, prior: FloatArray
) -> FloatArray:
    """[8, 3] coefficients; each kind's own level is taken out by its weighted mean."""
    count = int(kind.max()) + 1

    def centred(x: FloatArray, w: FloatArray) -> FloatArray:
        total = np.maximum(np.bincount(kind, w, count), 1e-12)
        mean = np.stack([np.bincount(kind, w * c, count) for c in x.T], -1) / total[:, None]
        return np.asarray(x - mean[kind])

    ridge = np.diag(S.ridge)
    w = trust.copy()
    out = prior
    for _ in range(S.rounds):
        a, b = centred(terms, w), centred(value, w)
        normal = (a * w[:, None]).T @ a + ridge * w.sum()
        out = np.linalg.solve(normal, (a * w[:, None]).T @ b + ridge @ prior * w.sum())
        residual = np.linalg.norm(b - a @ out, axis=1) / np.sqrt(3.0)
        w = trust / (1.0 + (residual / S.spread) ** 2)
    return out


def _centred(terms: FloatArray, normals: FloatArray, trust: FloatArray) -> FloatArray:
    """The expansion with a level of 1 over the given normals."""
    out = terms.copy()
    out[0] = 0.0
    out[0] = -(trust[:, None] * (_terms(normals) @ out)).sum(0) / trust.sum()
    return out
