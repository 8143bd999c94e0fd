"""Augmentation of rendered people into a user's photos.

Blur, noise, JPEG, colour casts, a matte with errors, a body that is slightly wrong.

Parameters are sampled once per view, from (seed, subject, view), as an :class:`AugmentParams` of
plain numbers, which is part of the name of a cached lifted reference. Lengths are shares of the
picture's longer side or of the person's height, so that they mean the same at every size.

Exposure, white balance, contrast and saturation are one function of a pixel's colour, the same all
over the picture (:class:`ColorJitter`), and also apply to the target: a red wall's light cannot be
distinguished from a red face, and users expect an avatar in the photo's colours. Blur, noise and
JPEG apply to the photo only: the target stays sharp and clean.
"""

from __future__ import annotations

import io
import math
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from ..core.types import BoolArray, FloatArray, LikenessError
from ..imaging.resize import scale_size

_GAMMA = 2.2  # near enough to sRGB's for exposure and white balance
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_PHOTO, _TRACK, _NOISE, _ALPHA, _BACKDROP = 1, 2, 3, 4, 5  # streams of the seed


@dataclass(frozen=True)
class Augmentation:
    """How far training's references are from clean renderings with a known body.

    Attributes:
        strength: Of errors in photo and matte; 0 for none, 1 as in ordinary photos.
        tracked: Share of the references whose matte, body and camera come from our own matting and
            tracker, as in use.
        pose_noise: Of the other references' true body and lens; 1 for errors as large as our
            tracker's.
        seed: Of all this; independent of the run's seed, so that runs share cached references.

    Raises:
        LikenessError: A value is out of range.
    """

    strength: float = 0.0
    tracked: float = 0.0
    pose_noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, largest in (("strength", 3.0), ("tracked", 1.0), ("pose_noise", 3.0)):
            value = getattr(self, name)
            if not 0.0 <= value <= largest:  # nor NaN
                raise LikenessError(
                    f"augment.{name} is {value}.", f"Give a number from 0 to {largest:g}."
                )
        if self.seed < 0:
            raise LikenessError(f"augment.seed is {self.seed}.", "Give a number from 0.")


CLEAN = Augmentation()
"""Renderings with a known body."""

AS_IN_USE = Augmentation(strength=1.0, tracked=0.25)
"""For networks that shall work on real photos: all errors of photos, and a quarter of the
references with the body and matte that we find. Seen from other sides a wrong body is off by more
than any detail, which teaches blur: with one in every sample, 1,000 steps of ``small`` gained 0.3
dB at 60 to 120 degrees and lost 0.1 dB behind."""


@dataclass(frozen=True)
class ColorJitter:
    """A change of all colours of a picture, and of its targets.

    Attributes:
        gains: Of the three channels in linear light: exposure and white balance.
        contrast: Around middle grey, of stored values.
        saturation: 0 is grey.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    saturation: float = 1.0

    def __call__(self, rgb: FloatArray) -> FloatArray:
        """Apply it to colours.

        Args:
            rgb: [..., 3] sRGB in 0..1.

        Returns:
            [..., 3] float32 in 0..1.
        """
        rgb = np.asarray(rgb, np.float32)
        if self == ColorJitter():
            return rgb
        shown = np.asarray(self.gains, np.float32) ** np.float32(1.0 / _GAMMA) * rgb
        shown = 0.5 + np.float32(self.contrast) * (shown - 0.5)
        grey = (shown @ _LUMA)[..., None]
        out: FloatArray = np.clip(grey + np.float32(self.saturation) * (shown - grey), 0.0, 1.0)
        return out


@dataclass(frozen=True)
class LensErrors:
    """Blur of a photo, and errors of the sensor and the file.

    Attributes:
        blur: Sigma in shares of the longer side.
        streak: Sigma of motion blur, in shares of the longer side.
        angle: Its direction in degrees.
        reduced: Factor to which the photo was once downscaled; 1 is not at all.
        shot: Sigma of shot noise at white, which falls with the root of the light.
        read: Sigma of read noise.
        grain: Sigma in shares of the longer side by which noise is smeared.
        jpeg: JPEG quality; 0 is no JPEG.
    """

    blur: float = 0.0
    streak: float = 0.0
    angle: float = 0.0
    reduced: float = 1.0
    shot: float = 0.0
    read: float = 0.0
    grain: float = 0.0
    jpeg: int = 0


@dataclass(frozen=True)
class MatteErrors:
    """Errors of a matte; lengths are shares of the person's height.

    Attributes:
        shift: By which the border lies too far out, or in where negative.
        waves: Sigma of its local variation.
        soft: Sigma by which the border is blurred.
        holes: Number of soft holes inside.
        lost: Number of missing ends (a hand, hair).
        kept: Number of background pieces beside the person.
    """

    shift: float = 0.0
    waves: float = 0.0
    soft: float = 0.0
    holes: int = 0
    lost: int = 0
    kept: int = 0


@dataclass(frozen=True)
class AugmentParams:
    """Augmentation parameters of one reference.

    Attributes:
        look: Change of all colours.
        lens: Errors of the photo.
        matte: Errors of the matte.
        tracked: Whether body, camera and matte come from the tracker and the matting.
        lens_known: Whether the tracker knows the lens (a phone writes it into the file).
        noise: Of the body's and the lens's errors, see :mod:`.augment_body`; 0 for tracked ones.
        busy: Whether the background is cluttered.
    """

    look: ColorJitter = ColorJitter()
    lens: LensErrors = LensErrors()
    matte: MatteErrors = MatteErrors()
    tracked: bool = False
    lens_known: bool = True
    noise: float = 0.0
    busy: bool = False

    @property
    def clean(self) -> bool:
        """Whether the reference is the rendering itself, with the true body."""
        return self == AugmentParams()


def make_rng(seed: int, subject: str, view: str, which: int) -> np.random.Generator:
    """Create the random generator of one view of one subject.

    Args:
        seed: Of the augmentation.
        subject: Key of the subject.
        view: Name of the view.
        which: Number of the stream.
    """
    return np.random.default_rng([seed, which, zlib.crc32(f"{subject}/{view}".encode())])


def draw_params(
    augmentation: Augmentation, subject: str, view: str, movable: bool = True
) -> AugmentParams:
    """Sample the augmentation parameters of a view as a reference.

    Args:
        augmentation: Its strengths and seed.
        subject: Key of the subject.
        view: Name of the view.
        movable: Whether a body other than the true one can be used (other views must share the
            pose).
    """
    k = augmentation.strength
    rng = make_rng(augmentation.seed, subject, view, _TRACK)
    chosen, known = rng.random(2)  # a smaller share is a subset of a larger one
    tracked = movable and bool(chosen < augmentation.tracked)
    noise = augmentation.pose_noise if movable and not tracked else 0.0
    out = AugmentParams(
        tracked=tracked, lens_known=bool(known < 0.5) or not (tracked or noise), noise=noise
    )
    if not k:
        return out
    rng = make_rng(augmentation.seed, subject, view, _PHOTO)
    matte = _matte_errors(make_rng(augmentation.seed, subject, view, _ALPHA), k)
    return AugmentParams(
        _look(rng, k),
        _lens(rng, k),
        MatteErrors() if tracked else matte,
        out.tracked,
        out.lens_known,
        out.noise,
        busy=bool(rng.random() < 0.6),
    )


def _happens(rng: np.random.Generator, share: float, k: float) -> bool:
    return bool(rng.random() < share * min(k, 1.0))


def _look(rng: np.random.Generator, k: float) -> ColorJitter:
    exposure = rng.normal(0.0, 0.16 * k)
    warmth, green = rng.normal(0.0, [0.10 * k, 0.03 * k])
    gains = np.exp(exposure + np.array([warmth, green, -warmth]))
    contrast, saturation = np.exp(rng.normal(0.0, [0.10 * k, 0.14 * k]))
    r, g, b = (round(float(v), 4) for v in gains)
    return ColorJitter((r, g, b), round(float(contrast), 4), round(float(saturation), 4))


def _lens(rng: np.random.Generator, k: float) -> LensErrors:
    """Half of the photos are sharp; one in ten is bad."""
    u = rng.random(8)
    blur = 0.0035 * k * u[0] ** 2 if _happens(rng, 0.5, k) else 0.0
    streak = 0.006 * k * u[1] if _happens(rng, 0.1, k) else 0.0
    reduced = 1.0 - min(0.55 * k, 0.8) * u[2] if _happens(rng, 0.3, k) else 1.0
    noisy = _happens(rng, 0.6, k)
    shot = 0.03 * k * u[3] ** 2 if noisy else 0.0
    read = 0.018 * k * u[4] ** 2 if noisy else 0.0
    grain = 0.0025 * u[5] if noisy else 0.0
    jpeg = round(95 - 60 * min(k, 1.5) * u[6] ** 1.5) if _happens(rng, 0.8, k) else 0
    blur, streak, angle, reduced, shot, read, grain = (
        round(float(v), 5) for v in (blur, streak, 180 * u[7], reduced, shot, read, grain)
    )
    return LensErrors(blur, streak, angle, reduced, shot, read, grain, max(jpeg, 5) if jpeg else 0)


def _matte_errors(rng: np.random.Generator, k: float) -> MatteErrors:
    shift, waves = 0.0025 * k * rng.normal(), 0.0025 * k * rng.random()
    soft = 0.004 * k * rng.random() ** 2
    holes, lost, kept = (
        int(rng.integers(1, 3)) if _happens(rng, share, k) else 0 for share in (0.2, 0.25, 0.3)
    )
    shift, waves, soft = (round(float(v), 5) for v in (shift, waves, soft))
    return MatteErrors(shift, waves, soft, holes, lost, kept)


def blur_image(pixels: FloatArray, lens: LensErrors) -> FloatArray:
    """Blur a picture by lens, motion and downscaling; colours and alpha alike.

    Args:
        pixels: [H, W, C].
        lens: The errors.

    Returns:
        [H, W, C] float32.
    """
    out = np.asarray(pixels, np.float32)
    height, width = out.shape[:2]
    side = max(height, width)
    if lens.blur:
        out = ndimage.gaussian_filter(out, (lens.blur * side, lens.blur * side, 0), mode="nearest")
    if lens.streak:
        out = _streaked(out, lens.streak * side, math.radians(lens.angle))
    if lens.reduced < 1.0:
        small = scale_size(width, height, lens.reduced)
        out = np.clip(_resized(_resized(out, small), (width, height)), 0.0, 1.0)
    return out


def add_sensor_noise(rgb: FloatArray, lens: LensErrors, rng: np.random.Generator) -> FloatArray:
    """Add the errors of sensor and file to a picture.

    Args:
        rgb: [H, W, 3] in 0..1.
        lens: The errors.
        rng: Of the noise.

    Returns:
        [H, W, 3] float32, quantised to 8 bits.
    """
    out = np.asarray(rgb, np.float32)
    side = max(out.shape[:2])
    if lens.shot or lens.read:
        noise = rng.standard_normal(out.shape).astype(np.float32)
        sigma = np.sqrt(lens.shot**2 * np.clip(out, 0.0, 1.0) + lens.read**2)
        if lens.grain * side > 0.3:
            noise = ndimage.gaussian_filter(noise, (lens.grain * side, lens.grain * side, 0))
            noise /= max(float(noise.std()), 1e-6)
        out = out + sigma * noise
    pixels = np.round(255.0 * np.clip(out, 0.0, 1.0)).astype(np.uint8)
    if lens.jpeg:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=lens.jpeg)
        pixels = np.asarray(Image.open(file))
    return np.asarray(pixels, np.float32) / np.float32(255.0)


def _streaked(rgb: FloatArray, sigma: float, angle: float) -> FloatArray:
    """Blur along one direction."""
    steps = np.arange(-math.ceil(2 * sigma), math.ceil(2 * sigma) + 1)
    weights = np.exp(-0.5 * (steps / max(sigma, 1e-6)) ** 2)
    along = np.array([math.sin(angle), math.cos(angle)])
    moved = [ndimage.shift(rgb, (*(step * along), 0.0), order=1, mode="nearest") for step in steps]
    out: FloatArray = np.average(moved, axis=0, weights=weights).astype(np.float32)
    return out


def _resized(rgb: FloatArray, size: tuple[int, int]) -> FloatArray:
    planes = [
        np.asarray(Image.fromarray(rgb[..., c]).resize(size, Image.Resampling.BICUBIC))
        for c in range(rgb.shape[-1])
    ]
    return np.asarray(np.stack(planes, -1))


def degrade_matte(alpha: FloatArray, errors: MatteErrors, rng: np.random.Generator) -> FloatArray:
    """Add errors to a true matte.

    Args:
        alpha: [H, W] in 0..1.
        errors: What to add.
        rng: Of the places.

    Returns:
        [H, W] float32.
    """
    true = np.asarray(alpha, np.float32)
    solid = true > 0.5
    if errors == MatteErrors() or not solid.any():
        return true
    rows = np.flatnonzero(solid.any(1))
    height = float(rows[-1] + 1 - rows[0])
    out = true
    if errors.shift or errors.waves:
        out = _border_moved(out, solid, height, errors, rng)
    if errors.soft:
        blurred = ndimage.gaussian_filter(out, errors.soft * height, mode="nearest")
        near = _near_border(solid, 4.0 * errors.soft * height + 2.0)
        out = np.where(near, blurred, out)
    edge = solid & ~ndimage.binary_erosion(solid, border_value=1)
    ends = np.argwhere(edge)
    if not len(ends):  # the person fills the picture
        return np.asarray(out, np.float32)
    middle = np.argwhere(solid).mean(0)
    for _ in range(errors.holes):
        # Near the border rather, where the background resembles the clothes.
        at = ends[rng.integers(len(ends))]
        at = at + rng.uniform(0.1, 0.6) * (middle - at)
        spot = _spot(true.shape, at, height * rng.uniform(0.015, 0.05, 2), rng)
        out = out * (1.0 - rng.uniform(0.3, 0.9) * spot)
    if errors.lost:
        far = np.linalg.norm(ends - middle, axis=1)
        tips = ends[far > np.quantile(far, 0.7)]
        for _ in range(errors.lost):
            at = tips[rng.integers(len(tips))]
            spot = _spot(true.shape, at, height * rng.uniform(0.02, 0.06, 2), rng)
            out = out * (1.0 - spot)
    for _ in range(errors.kept):
        at = ends[rng.integers(len(ends))]
        at = at + rng.uniform(0.0, 0.02) * height * _unit(at - middle)
        spot = _spot(true.shape, at, height * rng.uniform(0.01, 0.05, 2), rng)
        out = np.maximum(out, rng.uniform(0.5, 1.0) * spot)
    return np.asarray(np.clip(out, 0.0, 1.0), np.float32)


def _border_moved(
    alpha: FloatArray,
    solid: BoolArray,
    height: float,
    errors: MatteErrors,
    rng: np.random.Generator,
) -> FloatArray:
    """Each pixel near the border takes the alpha of one farther in (the person grows) or out."""
    signed = ndimage.distance_transform_edt(solid) - ndimage.distance_transform_edt(~solid)
    waves = ndimage.gaussian_filter(rng.standard_normal(solid.shape), 0.05 * height)
    waves *= errors.waves / max(float(waves.std()), 1e-9)
    move = height * (errors.shift + waves)
    inward = np.stack(np.gradient(ndimage.gaussian_filter(signed, 1.0)))
    inward /= np.maximum(np.linalg.norm(inward, axis=0), 1e-6)
    places = np.indices(solid.shape) + move * inward
    moved = ndimage.map_coordinates(alpha, places, order=1, mode="nearest")
    near = np.abs(signed) < 2.0 * np.abs(move) + 2.0
    return np.asarray(np.where(near, moved, alpha), np.float32)


def _near_border(solid: BoolArray, reach: float) -> BoolArray:
    inside = ndimage.distance_transform_edt(solid)
    outside = ndimage.distance_transform_edt(~solid)
    return np.asarray(np.maximum(inside, outside) < reach)


def _spot(
    shape: tuple[int, ...], at: FloatArray, radii: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """[H, W] 1 within an arbitrarily rotated ellipse, 0 outside, soft in between."""
    angle = rng.uniform(0.0, math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    offset = np.indices(shape).reshape(2, -1) - np.asarray(at, np.float64)[:, None]
    distance = np.linalg.norm((turn @ offset) / np.maximum(radii, 1.0)[:, None], axis=0)
    return np.asarray(np.clip(2.0 * (1.25 - distance), 0.0, 1.0).reshape(shape))


def _unit(vector: FloatArray) -> FloatArray:
    out: FloatArray = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return out


def add_clutter(behind: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw boards, discs and a texture onto a plain background, more or less out of focus.

    A matting must separate the person from them.

    Args:
        behind: [H, W, 3] in 0..1.
        rng: Of the objects.

    Returns:
        [H, W, 3] float32.
    """
    height, width = behind.shape[:2]
    side = max(height, width)
    ys, xs = np.indices((height, width)) / side
    out = np.asarray(behind, np.float32).copy()
    for _ in range(int(rng.integers(3, 10))):
        color = np.clip(rng.uniform(0.05, 0.9) + rng.normal(0.0, 0.07, 3), 0.0, 1.0)
        x, y = rng.uniform(0.0, [width / side, height / side])
        a, b = rng.uniform(0.02, 0.3, 2)
        if rng.random() < 0.7:
            inside = (np.abs(xs - x) < a) & (np.abs(ys - y) < b)
        else:
            inside = ((xs - x) / a) ** 2 + ((ys - y) / b) ** 2 < 1.0
        shade = rng.uniform(-0.3, 0.3) * (ys - y)[..., None]
        out = np.where(inside[..., None], np.clip(color + shade, 0.0, 1.0), out)
    rough = rng.standard_normal((height, width))
    sigma = side * rng.uniform(0.002, 0.02)
    rough = ndimage.gaussian_filter(rough, sigma)
    out = out + (0.04 * rng.random() ** 2 / max(float(rough.std()), 1e-9)) * rough[..., None]
    focus = side * rng.uniform(0.004, 0.03)
    out = ndimage.gaussian_filter(out, (focus, focus, 0), mode="nearest")
    return np.asarray(np.clip(out, 0.0, 1.0), np.float32)


def make_pixel_rngs(drawn_seed: int, subject: str, view: str) -> dict[str, np.random.Generator]:
    """Create the generators of all per-pixel noise: ``sensor``, ``matte``, ``behind``, ``body``.

    Args:
        drawn_seed: Seed of the augmentation.
        subject: Key of the subject.
        view: Name of the view.
    """
    rows = {"sensor": _PHOTO, "matte": _ALPHA, "behind": _BACKDROP, "body": _NOISE}
    return {name: make_rng(drawn_seed, subject, view, 100 + which) for name, which in rows.items()}
