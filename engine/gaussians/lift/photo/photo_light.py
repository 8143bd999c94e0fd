"""A rough estimate of the light baked into a photo, to shade what the photo does not show.

Observed colour = albedo x shade(normal). The logarithm of the shade is a spherical-harmonics
expansion of order 2 (nine terms, as Ramamoorthi and Hanrahan 2001 show to hold a diffuse
surface's irradiance to a percent; in the logarithm here, so that it stays positive and the fit is
linear). Every surface class has an unknown albedo of its own, found in the same least squares.

Only normals that face the camera are seen, and only there does the expansion hold: it is not
extrapolated. Over the rim, and earlier where nothing is seen, the light passes into the one that
the same class has in front, its median (:meth:`PhotoLight.all_around`): on rendered people a back
is 0.97 times as bright as the front, give or take 0.4, so that nothing is a better guess than the
front itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.settings import register_settings
from ....core.types import FloatArray, IntArray
from ..surface.labels import ramp


@dataclass(frozen=True)
class LightSettings:
    """The light in the photo."""

    floor: float = 0.03  # added to colours before their logarithm: keeps noise in black cloth small
    ridge: tuple[float, ...] = (0.0054, 0.0054, 0.0108, 0.036, 0.036, 0.036, 0.036, 0.036)
    """Prior weight of each term but the first, per unit of sample weight."""

    spread: float = 0.12  # of the logarithm, from which on a sample is doubted (folds, prints)
    prior: tuple[float, float] = (0.06, 0.10)
    """First-order terms of the prior: from above, from the camera."""

    darkest: float = 0.45  # least shade
    brightest: float = 1.6  # and most
    rounds: int = 6  # of the robust fit
    rim: tuple[float, float] = (0.25, -0.35)
    """Cosines to the camera between which the fitted light passes into the front's usual one."""

    unseen_rim: tuple[float, float] = (0.5, -0.1)  # the same of what is not seen

    few: int = 50  # seen points that speak for a class's light


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
        return np.asarray(np.exp(_soft_clip(log, np.log(S.darkest), np.log(S.brightest))))

    def all_around(self, normals: FloatArray, surface: IntArray, weight: FloatArray) -> FloatArray:
        """Return the light [N, 3] also where normals face away.

        Args:
            normals: [N, 3] unit, world axes of the photo's camera.
            surface: [N] class of each point.
            weight: [N] how much each shows of the light of its class; 0 where it is not seen.
        """
        out = self.shade(normals)
        unseen_away = ramp(normals[:, 2:], *S.unseen_rim)
        away = np.where(weight[:, None] > 0, ramp(normals[:, 2:], *S.rim), unseen_away)
        every = weighted_median(out, weight) if weight.any() else np.ones(3)
        for kind in np.unique(surface):
            own = surface == kind
            seen = own & (weight > 0)
            level = every if seen.sum() < S.few else weighted_median(out[seen], weight[seen])
            out[own] += away[own] * (level - out[own])
        return out


def weighted_median(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Compute the median [C] of each channel.

    Args:
        values: [N, C].
        weight: [N] at least one positive.
    """
    out = np.zeros(values.shape[1])
    for c in range(values.shape[1]):
        order = np.argsort(values[:, c])
        mass = np.cumsum(weight[order])
        out[c] = values[order[np.searchsorted(mass, 0.5 * mass[-1])], c]
    return out


def _soft_clip(x: FloatArray, low: float, high: float) -> FloatArray:
    """Values near 0 unchanged, approaching ``low`` < 0 and ``high`` > 0 smoothly."""
    bound = np.where(x < 0, -low, high)
    return np.asarray(bound * np.tanh(x / bound))


def fit_light(
    normals: FloatArray,
    colors: FloatArray,
    surface: IntArray,
    weight: FloatArray,
    usual: PhotoLight | None = None,
    caution: float = 1.0,
) -> PhotoLight:
    """Estimate the light from seen points.

    Args:
        normals: [N, 3] unit, world axes of the photo's camera.
        colors: [N, 3] as photographed.
        surface: [N] which points share an albedo (0, 1, ...; -1 for those to leave out).
        weight: [N] trust in each.
        usual: the light that is likely before anything is seen; None: ambient light, a little
            more from above and from the camera.
        caution: times as much as usual the light that is likely counts against what is seen.

    Returns:
        The light; without enough points the usual one.
    """
    used = (surface >= 0) & (weight > 0)
    if usual is None:
        prior = np.zeros((9, 3))
        prior[2], prior[3] = S.prior
        usual = PhotoLight(_centred(prior, np.array([[0.0, 0.0, 1.0]]), np.ones(1)))
    if used.sum() < S.few:
        return usual
    prior = usual.terms
    terms = _terms(normals[used])[:, 1:]
    value = np.log(colors[used] + S.floor)
    _, kind = np.unique(surface[used], return_inverse=True)
    trust = weight[used] / weight[used].sum()
    out = prior.copy()
    out[1:] = _robust_fit(terms, value, kind, trust, prior[1:], caution)
    return PhotoLight(_centred(out, normals[used], trust))


def _robust_fit(
    terms: FloatArray,
    value: FloatArray,
    kind: IntArray,
    trust: FloatArray,
    prior: FloatArray,
    caution: float,
) -> FloatArray:
    """[8, 3] coefficients; each kind's own level is taken out by its weighted mean."""
    count = int(kind.max()) + 1

    def centred(x: FloatArray, w: FloatArray) -> FloatArray:
        total = np.maximum(np.bincount(kind, w, count), 1e-12)
        mean = np.stack([np.bincount(kind, w * c, count) for c in x.T], -1) / total[:, None]
        return np.asarray(x - mean[kind])

    ridge = caution * np.diag(S.ridge)
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
