"""Light around a synthetic person: environments drawn, turned and exposed, and their beams.

Environments are lat-long pictures [H, 2H, 3], laid out as in :mod:`.core.spherical_harmonics`.

Exposure: :func:`environment_picture` scales the picture so that a white card that faces the
strongest light and one that stands upright and turns round once get, on the mean of both and with
the key light, an irradiance of pi times ``strength``. At a strength of 1 a grey card of 18 % is
then drawn with a linear 0.18. Renderers take the picture, and :func:`key_irradiance`, as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.spherical_harmonics import (
    COARSE,
    downscale_picture,
    latlong_directions,
    mean_radiance,
    sh_basis,
    sh_coefficients,
    solid_angles,
)
from ..core.types import FloatArray, LikenessError
from ..imaging.environment import check_environment, read_environment, turn_environment
from .person_parts import Lighting
from .sky import sky_picture

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
FROM_FILES = 0.6  # share of people under an environment from a file, where there are any
WITH_KEY = 0.4  # share of people with a key light
MAX_BEAMS, BEAM_RADIUS, MIN_BEAM = 3, 18.0, 0.08  # degrees; share of a mean environment's light


@dataclass(frozen=True)
class Beam:
    """Light from nearly one direction.

    Attributes:
        direction: [3] towards the light, unit.
        irradiance: [3] linear, of a surface that faces it.
        angle: degrees across the light as seen from the person.
    """

    direction: FloatArray
    irradiance: FloatArray
    angle: float


def random_lighting(rng: np.random.Generator, environments: Sequence[Path]) -> Lighting:
    """Choose an environment, its turn and strength, and sometimes a key light.

    The environment is one of the files or a procedural sky's seed; the key light comes from the
    front half.
    """
    from_file = len(environments) > 0 and rng.random() < FROM_FILES
    environment = environments[int(rng.integers(len(environments)))] if from_file else None
    sky, turn = int(rng.integers(2**31)), float(rng.uniform(0.0, 360.0))
    strength = float(np.exp(np.clip(rng.normal(0.0, 0.15), -0.3, 0.3)))
    if rng.random() >= WITH_KEY:
        return Lighting(environment, sky, turn, strength)
    side, up = np.radians(rng.uniform(-75.0, 75.0)), np.radians(rng.uniform(5.0, 60.0))
    key = (float(np.sin(side) * np.cos(up)), float(np.sin(up)), float(np.cos(side) * np.cos(up)))
    warm = float(rng.uniform(-1.0, 1.0))  # from tungsten behind a half filter to open shade
    color = (1.0 + 0.22 * warm, 1.0, 1.0 - 0.3 * warm)
    power = float(np.exp(rng.uniform(np.log(0.4), np.log(2.5))))
    return Lighting(environment, sky, turn, strength, key, color, power, rng.uniform(3.0, 35.0))


class EnvironmentPool:
    """The HDR pictures of a set.

    Broken ones are reported when first met: collections are large, and reading all of them takes
    minutes.

    Args:
        paths: of the pictures.
        read: gives the [H, W, 3] linear picture of a file.
        skipped: called with each broken one and the reason.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        read: Callable[[Path], FloatArray],
        skipped: Callable[[Path, str], None],
    ) -> None:
        self.paths = tuple(paths)
        self._read, self._skipped = read, skipped
        self._last: tuple[Path, FloatArray] | None = None
        self._broken: set[Path] = set()

    def read(self, path: Path) -> FloatArray:
        """[H, W, 3] linear float32 of a picture.

        Raises:
            LikenessError: its shape is not H x 2H, or it is black.
        """
        if self._last is None or self._last[0] != path:
            self._last = path, check_environment(self._read(path), path)
        return self._last[1]

    def random_lighting(self, rng: np.random.Generator) -> Lighting:
        """A :func:`random_lighting` with a picture that can be used.

        The next picture replaces a broken one, or a procedural sky when all are broken.
        """
        drawn = random_lighting(rng, self.paths)
        if drawn.environment is None:
            return drawn
        first = self.paths.index(drawn.environment)
        around = (*self.paths[first:], *self.paths[:first])
        return replace(drawn, environment=next(filter(self._usable, around), None))

    def _usable(self, path: Path) -> bool:
        if path not in self._broken:
            try:
                self.read(path)
            except LikenessError as error:
                self._broken.add(path)
                self._skipped(path, error.message)
        return path not in self._broken


def environment_picture(
    lighting: Lighting, read: Callable[[Path], FloatArray] = read_environment
) -> FloatArray:
    """[H, W, 3] float32 linear radiance around a person: turned and exposed (see above).

    Args:
        lighting: with its environment or sky.
        read: gives the [H, W, 3] linear picture of a file.

    Raises:
        LikenessError: the file's shape is not H x 2H, or it is black.
    """
    if lighting.environment is None:
        picture = sky_picture(lighting.sky)
    else:
        picture = check_environment(read(lighting.environment), lighting.environment)
    picture = turn_environment(picture, lighting.turn)
    small = downscale_picture(picture, COARSE)
    # Cards stand at 162 directions all over, and upright at 36 round about.
    everywhere = latlong_directions(9).reshape(-1, 3)
    angles = np.linspace(0.0, 2 * np.pi, 36, endpoint=False)
    upright = np.stack([np.cos(angles), 0 * angles, np.sin(angles)], -1)
    facing = _card(small, lighting, everywhere).max()
    exposure = lighting.strength / (0.5 * facing + 0.5 * _card(small, lighting, upright).mean())
    return np.asarray(picture * exposure, np.float32)


def key_irradiance(lighting: Lighting, picture: FloatArray) -> FloatArray:
    """Linear irradiance of a surface that faces the key light: a sun lamp's strength in Blender.

    Args:
        lighting: with or without a key light.
        picture: [H, W, 3] linear radiance as :func:`environment_picture` made it.

    Returns:
        [3] zero without a key light.
    """
    if lighting.key is None:
        return np.zeros(3)
    mean = float(mean_radiance(picture) @ LUMINANCE)
    return np.asarray(lighting.key_strength * np.pi * mean * np.array(lighting.key_color))


def extract_beams(picture: FloatArray, lighting: Lighting) -> tuple[FloatArray, tuple[Beam, ...]]:
    """Take what is too sharp for spherical harmonics out of an environment, as beams.

    Args:
        picture: [H, W, 3] linear radiance as :func:`environment_picture` makes it.
        lighting: with or without a key light.

    Returns:
        What is left of the environment, [64, 128, 3] float64, and the beams: the key light and up
        to three bright spots. Together they send as much light as the picture and the key.
    """
    rest, found = downscale_picture(picture, COARSE), []
    key = key_irradiance(lighting, picture)
    if lighting.key is not None and key.max() > 0:
        found.append(Beam(np.array(lighting.key), key, lighting.key_angle))
    directions, solid = latlong_directions(COARSE), solid_angles(COARSE)
    mean = float(mean_radiance(rest) @ LUMINANCE)
    for _ in range(MAX_BEAMS):
        bright = rest @ LUMINANCE
        peak = directions.reshape(-1, 3)[int(bright.argmax())]
        near = directions @ peak > np.cos(np.radians(BEAM_RADIUS))
        share = np.where(near, np.clip(1.0 - 2.0 * mean / np.maximum(bright, 1e-9), 0.0, 1.0), 0.0)
        taken = rest * share[..., None]
        power = taken @ LUMINANCE * solid
        if power.sum() < MIN_BEAM * np.pi * mean:
            break
        towards = (power[..., None] * directions).sum((0, 1)) / power.sum()
        direction = towards / np.linalg.norm(towards)
        apart = np.arccos(np.clip(directions @ direction, -1.0, 1.0))
        radius = np.sqrt(2.0 * (power * apart**2).sum() / power.sum())  # of an even disc
        found.append(
            Beam(direction, (taken * solid[..., None]).sum((0, 1)), float(2 * np.degrees(radius)))
        )
        rest = rest - taken
    return rest, tuple(found)


def _card(picture: FloatArray, lighting: Lighting, normals: FloatArray) -> FloatArray:
    """[N] luminance of white cards under an environment and its key."""
    lit = sh_basis(normals) @ sh_coefficients(picture) @ LUMINANCE
    if lighting.key is not None:
        towards = np.clip(normals @ np.array(lighting.key), 0.0, None)
        lit = lit + towards * (key_irradiance(lighting, picture) @ LUMINANCE)
    return np.asarray(np.clip(lit, 0.0, None) / np.pi)
