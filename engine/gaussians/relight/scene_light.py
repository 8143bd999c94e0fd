"""Light of a scene on splats, by nine spherical harmonics: closed form, without noise.

The irradiance of a diffuse surface is held to a percent by nine coefficients (Ramamoorthi and
Hanrahan 2001), but for a small bright lamp or sun, whose light they spread over half the sphere.
Splats throw no shadows on one another here; the photo's own small shadows, in folds and under
hair, stay in the albedo.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.color import linear_to_srgb, srgb_to_linear
from ...core.spherical_harmonics import sh_basis, sh_coefficients
from ...core.types import FloatArray
from ...imaging.environment import turn_environment
from .albedo import Reflectance

_LEAST = 0.05 * 0.282095
"""Share of the mean light that reaches every side: nine coefficients ring below zero."""


@dataclass(frozen=True)
class SceneLight:
    """Light that comes from far away, fixed in world space.

    Attributes:
        coefficients: [9, 3] of the irradiance, linear RGB, engine axes.
        amount: 0 is the photo's light, 1 this one; between, both are mixed.
    """

    coefficients: FloatArray
    amount: float = 1.0

    @staticmethod
    def from_picture(
        picture: FloatArray, turn: float = 0.0, exposure: float = 0.0, amount: float = 1.0
    ) -> SceneLight:
        """Take the light from a picture of the surroundings.

        Args:
            picture: [H, 2H, 3] linear radiance, lat-long (:mod:`.core.spherical_harmonics`).
            turn: degrees about the upright axis, counter-clockwise from above.
            exposure: stops; 0 leaves the picture's numbers as they are.
            amount: of the light, 0..1.
        """
        light = sh_coefficients(turn_environment(picture, turn) if turn else picture)
        return SceneLight(light * 2.0**exposure, amount)

    def irradiance(self, normals: FloatArray) -> FloatArray:
        """Return the linear irradiance [N, 3], never below a small share of the mean.

        Args:
            normals: [N, 3] unit, world space.
        """
        light = sh_basis(normals) @ self.coefficients
        return np.asarray(np.maximum(light, _LEAST * self.coefficients[0]))

    def shade(self, colors: FloatArray, found: Reflectance, normals: FloatArray) -> FloatArray:
        """Light splats.

        Args:
            colors: [N, 3] sRGB 0..1, in the photo's light.
            found: N splats without light.
            normals: [N, 3] unit, world space.

        Returns:
            [N, 3] sRGB 0..1; what is brighter is cut off.
        """
        light = self.irradiance(normals) * found.folds[:, None] / np.pi
        lit = srgb_to_linear(found.albedo) * light
        mixed = srgb_to_linear(colors) + self.amount * (lit - srgb_to_linear(colors))
        return np.asarray(linear_to_srgb(np.clip(mixed, 0.0, 1.0)))
