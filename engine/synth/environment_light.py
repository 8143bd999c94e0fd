"""Light around a person: environments drawn, read, turned and exposed; spherical harmonics.

Environments are lat-long pictures [H, 2H, 3] of linear radiance, v down. u grows to the right for
a viewer in the middle. In engine axes **u = 0.5 is +x** (the body's left), u = 0.75
is +z (before the body), u = 0.25 is -z; that is where Blender's environment texture has them when
engine (x, y, z) is Blender's (x, -z, y) and nothing is turned.

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

from ..core.types import FloatArray, LikenessError
from .person_parts import Lighting
from .sky import latlong_directions, sky_picture

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
COARSE = 64  # rows; enough for everything but mirrors
FROM_FILES = 0.6  # share of people under an environment from a file, where there are any
WITH_KEY = 0.4  # share of people with a key light
MAX_BEAMS, BEAM_RADIUS, MIN_BEAM = 3, 18.0, 0.08  # degrees; share of a mean environment's light
COSINE = np.pi * np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])  # Ramamoorthi and Hanrahan 2001


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


def read_environment(path: Path) -> FloatArray:
    """[H, W, 3] linear float32 of an OpenEXR file, without Blender.

    Raises:
        LikenessError: the file is not a readable .exr (only Blender reads .hdr), or the OpenEXR
            package is missing.
    """
    if path.suffix.lower() != ".exr":
        raise LikenessError(
            f"'{path}' is not an .exr file; without Blender only those can be read.",
            "Use .exr files, or run the command in Blender (blender --command likeness synth).",
        )
    try:
        import OpenEXR
    except ImportError as error:
        raise LikenessError(
            f"'{path}' needs the package OpenEXR to be read without Blender.",
            "Run 'pip install OpenEXR', or run the command in Blender.",
        ) from error
    try:
        with OpenEXR.File(str(path)) as file:
            channels = file.channels()
            if "RGB" in channels or "RGBA" in channels:
                pixels = channels["RGB" if "RGB" in channels else "RGBA"].pixels[..., :3]
            else:
                pixels = np.stack([channels[name].pixels for name in "RGB"], -1)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as an environment ({error}).",
            "Give a lat-long picture with the channels R, G and B.",
        ) from error
    return np.asarray(pixels, np.float32)


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
            self._last = path, _checked(self._read(path), path)
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
        picture = _checked(read(lighting.environment), lighting.environment)
    picture = _turned(picture, lighting.turn)
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


def solid_angles(height: int) -> FloatArray:
    """[H, 1] steradians of a pixel in each row of a lat-long picture H high and 2 H wide."""
    edges = np.cos(np.linspace(0.0, np.pi, height + 1))
    return np.asarray((edges[:-1] - edges[1:])[:, None] * np.pi / height)


def mean_radiance(picture: FloatArray) -> FloatArray:
    """Mean over all directions.

    Args:
        picture: [H, W, 3] linear radiance, lat-long.

    Returns:
        [3] linear.
    """
    weight = solid_angles(len(picture))[..., None] * 2 * len(picture) / picture.shape[1]
    return np.asarray((picture * weight).sum((0, 1), dtype=np.float64) / (4 * np.pi))


def downscale_picture(picture: FloatArray, height: int) -> FloatArray:
    """Resize a picture by means over whole pixels; smaller pictures grow.

    Args:
        picture: [H, W, 3].
        height: of the result, pixels.

    Returns:
        [height, 2 height, 3] float64.
    """
    rows = np.minimum(np.arange(len(picture)) * height // len(picture), height - 1)
    out = np.asarray(picture, np.float64)
    if len(picture) >= height:
        out = np.add.reduceat(out, np.searchsorted(rows, np.arange(height)), axis=0)
        out /= np.bincount(rows)[:, None, None]
    else:
        out = out[np.arange(height) * len(picture) // height]
    wide, width = out.shape[1], 2 * height
    if wide < width:
        return np.asarray(out[:, np.arange(width) * wide // width])
    columns = np.arange(wide) * width // wide
    out = np.add.reduceat(out, np.searchsorted(columns, np.arange(width)), axis=1)
    return np.asarray(out / np.bincount(columns)[None, :, None])


def sh_basis(directions: FloatArray) -> FloatArray:
    """Real spherical harmonics of the bands 0 to 2.

    Args:
        directions: [..., 3] unit.

    Returns:
        [..., 9].
    """
    x, y, z = np.moveaxis(np.asarray(directions, np.float64), -1, 0)
    one = np.ones_like(x)
    return np.stack(
        [
            0.282095 * one,
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        -1,
    )


def sh_coefficients(picture: FloatArray) -> FloatArray:
    """[9, 3] spherical harmonics of the irradiance: E(n) = ``sh_basis(n) @ coefficients``.

    Ramamoorthi and Hanrahan, An efficient representation for irradiance environment maps (2001).

    Args:
        picture: [H, W, 3] linear radiance, lat-long.
    """
    small = downscale_picture(picture, COARSE)
    weighted = small * solid_angles(COARSE)[..., None]
    basis = sh_basis(latlong_directions(COARSE)).reshape(-1, 9)
    return np.asarray(COSINE[:, None] * (basis.T @ weighted.reshape(-1, 3)))


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


def _checked(picture: FloatArray, path: Path) -> FloatArray:
    shape = np.shape(picture)
    good = len(shape) == 3 and shape[2] >= 3 and shape[0] >= 2 and shape[1] == 2 * shape[0]
    clean = np.nan_to_num(picture[..., :3], nan=0.0, posinf=65504.0).clip(0.0) if good else None
    if clean is None or not clean.any():
        raise LikenessError(
            f"'{path}' is not a lat-long environment: its shape is {shape}"
            + ("." if clean is None else " and it is black."),
            "Give pictures that are twice as wide as high and show the whole surroundings.",
        )
    return np.asarray(clean, np.float32)


def _turned(picture: FloatArray, degrees: float) -> FloatArray:
    """Turned about y, counter-clockwise from above: what was at +z comes to +x at 90."""
    columns = -degrees / 360.0 * picture.shape[1]
    whole = int(np.floor(columns))
    part = np.float32(columns - whole)
    near = np.roll(picture, whole, axis=1)
    return near if part == 0 else near * (1 - part) + np.roll(near, 1, axis=1) * part
