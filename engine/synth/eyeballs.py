"""A synthetic person's eyes: irises, whites, and the eyeballs' mesh with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..body.model import Body
from ..core.color import rgb_to_lab
from ..core.interpolation import smoothstep
from ..core.noise import fractal_noise
from ..core.types import JOINT_INDEX, FloatArray
from ..wardrobe.asset_files import load_texture
from ..wardrobe.library import Library
from ..wardrobe.mesh_parts import LABEL, Material, MeshPart
from .person_parts import Traits, Wearer

EYE_CENTRE = (0.704, 0.298)  # of the upper eye in MakeHuman's eye pictures, v down
EYE_SCALE = 0.112 / 0.0058  # those pictures' units per metre: all irises have the same size
EYE_PARTS = ("eye", "eye_back")
IRIS, PUPIL = 0.0058, 0.0017  # metres: radii in those pictures
REACH = 0.2 / EYE_SCALE  # metres from an eye's middle to the edge of its own picture
ROUGHNESS = 0.05
COLORS: dict[str, tuple[tuple[float, float, float], float, float]] = {
    "dark brown": ((0.19, 0.12, 0.08), 0.12, 0.64),
    "brown": ((0.31, 0.20, 0.12), 0.20, 0.30),
    "hazel": ((0.38, 0.30, 0.18), 0.13, 0.04),
    "amber": ((0.42, 0.29, 0.15), 0.05, 0.01),
    "green": ((0.34, 0.36, 0.25), 0.10, 0.005),
    "grey": ((0.40, 0.43, 0.45), 0.10, 0.005),
    "blue": ((0.31, 0.38, 0.46), 0.20, 0.0),
    "light blue": ((0.42, 0.50, 0.56), 0.10, 0.0),
}
"""Mean colour of an iris, and how often people of Monk's tones 1-4 and of the others have it."""


@dataclass(frozen=True)
class EyesLook:
    """How a person's eyes look.

    Attributes:
        picture: folder and file of the library's eye; None: procedural.
        seed: of noise.
        iris: mean colour, sRGB.
        pupil: radius in metres.
        contrast: of the fibres.
        ring: darkness of the iris' border.
        veins: of the white, 0..1.
        yellow: of the white, 0..1.
    """

    picture: str | None
    seed: int
    iris: tuple[float, float, float]
    pupil: float
    contrast: float
    ring: float
    veins: float
    yellow: float


@lru_cache(maxsize=32)
def _library_eye(path: Path) -> FloatArray:
    """[205, 205, 3] one eye of a picture, sRGB 0..1; its edges lie REACH from its middle."""
    rgba = load_texture(path)
    size = rgba.shape[0]
    left, top = (round((c - 0.2) * size) for c in EYE_CENTRE)
    span = round(0.4 * size)
    return rgba[top : top + span, left : left + span, :3] / 255.0


def _title(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _radius(size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """x, y (down) and distance from the middle of an eye's picture, metres, each [size, size]."""
    place = ((np.arange(size) + 0.5) / size * 2.0 - 1.0) * REACH
    x, y = np.meshgrid(place, place)
    return x, y, np.hypot(x, y)


def _mean_iris(picture: FloatArray) -> FloatArray:
    r = _radius(len(picture))[2]
    return np.asarray(picture[(r > 1.3 * PUPIL) & (r < 0.9 * IRIS)].mean(0))


def random_eyes(rng: np.random.Generator, traits: Traits, library: Library | None) -> EyesLook:
    """Choose eyes.

    Raises:
        LikenessError: a picture of the library's eyes cannot be read; the message names it.
    """
    odds = np.array([light if traits.tone <= 4 else dark for _, light, dark in COLORS.values()])
    mean = list(COLORS.values())[int(rng.choice(len(COLORS), p=odds / odds.sum()))][0]
    iris = np.clip(np.array(mean) * rng.uniform(0.7, 1.1) + rng.normal(0, 0.015, 3), 0.04, 0.9)
    picture = None
    if library is not None and library.eyes:
        # The fibres of the picture that is nearest in colour; the colour itself is shifted.
        gaps = [
            np.linalg.norm(rgb_to_lab(_mean_iris(_library_eye(path))) - rgb_to_lab(iris))
            for path in library.eyes
        ]
        picture = _title(library.eyes[int(np.argmin(gaps + rng.normal(0, 4.0, len(gaps))))])
    years = float(np.clip((traits.age - 30.0) / 50.0, 0.0, 1.0))
    return EyesLook(
        picture=picture,
        seed=int(rng.integers(2**31)),
        iris=(float(iris[0]), float(iris[1]), float(iris[2])),
        pupil=float(rng.uniform(0.0013, 0.0024)) * (1.0 - 0.2 * years),
        contrast=float(rng.uniform(0.6, 1.1)),
        ring=float(rng.uniform(0.35, 0.95)) * (1.0 - 0.5 * years),
        veins=float(np.clip(rng.beta(2, 4) + 0.2 * years, 0, 1)),
        yellow=float(np.clip(0.5 * rng.beta(2, 4) + 0.4 * years + 0.03 * traits.tone, 0, 1)),
    )


def eye_parts(wearer: Wearer, look: EyesLook) -> list[MeshPart]:
    """Make both eyeballs, with one picture beside the other.

    Raises:
        LikenessError: the library's picture cannot be read; the message names it.
    """
    body = wearer.dress.body
    color = wearer.make_once("eyes", look, lambda: _paint_both_eyes(wearer, look))
    own, uv = _placed(body)
    return [
        MeshPart(
            "eyes",
            wearer.posed.vertices,
            body.f[own],
            uv,
            np.full(int(own.sum()), LABEL["eye"], np.uint8),
            Material(kind="eye", color=color, roughness=ROUGHNESS),
        )
    ]


def _paint_both_eyes(wearer: Wearer, look: EyesLook) -> NDArray[np.uint8]:
    """[size, 2 size, 4] the left and the right eye's picture."""
    size = int(np.clip(wearer.texture_size // 4, 128, 512))
    picture = None
    if look.picture is not None and wearer.library is not None:
        path = next(p for p in wearer.library.eyes if _title(p) == look.picture)
        picture = _library_eye(path)
    return np.concatenate([_painted(look, picture, size, k) for k in range(2)], 1)


def _placed(body: Body) -> tuple[NDArray[np.bool_], FloatArray]:
    """[F] the eyeballs' triangles, and [E, 3, 2] their corners in the two eyes' picture.

    The corners are set by their place before the eyes at rest, so that they turn with the gaze.
    """
    corners = np.asarray(body.v_template, np.float64)[body.f]
    own = np.isin(body.face_part, [body.part_names.index(name) for name in EYE_PARTS])
    corners = corners[own]
    uv = np.empty((len(corners), 3, 2))
    for k, (name, side) in enumerate((("left_eye_smplhf", 1.0), ("right_eye_smplhf", -1.0))):
        mine = side * corners.mean(1)[:, 0] > 0
        place = (corners[mine] - body.J_template[JOINT_INDEX[name]])[..., :2] / REACH
        # Past the picture's edge it would wrap round to the other eye: stay on the white.
        place = np.clip(place, -0.98, 0.98) * [0.5, -0.5] + 0.5
        uv[mine] = place * [0.5, 1.0] + [0.5 * k, 0.0]
    return own, uv


def _painted(look: EyesLook, picture: FloatArray | None, size: int, side: int) -> NDArray[np.uint8]:
    """[size, size, 4] one eye's picture; side 0 is the left eye."""
    x, y, r = _radius(size)
    if picture is None:
        white, fibres = _own_white(look, x, y, r, side), _own_fibres(look, x, y, r, side)
    else:
        white, fibres = _from_picture(look, picture, x, y, r)
    white = white * (1.0 - look.yellow * np.array([0.02, 0.07, 0.20]))
    white = white * (1.0 - 0.22 * smoothstep(r, 0.5 * REACH, 1.2 * REACH)[..., None])
    iris = np.array(look.iris) * np.clip(fibres, 0.15, 2.5)[..., None]
    iris = iris * (1.0 - 0.75 * look.ring * smoothstep(r, 0.80 * IRIS, 0.99 * IRIS)[..., None])
    edge = smoothstep(r, 0.95 * IRIS, 1.06 * IRIS)[..., None]
    hole = smoothstep(r, look.pupil - 0.0002, look.pupil + 0.0002)[..., None]
    rgb = edge * white + (1.0 - edge) * (hole * iris + (1.0 - hole) * 0.015)
    out = np.full((size, size, 4), 255, np.uint8)
    out[..., :3] = np.clip(rgb, 0.0, 1.0) * 255.0 + 0.5
    return out


def _from_picture(
    look: EyesLook, picture: FloatArray, x: FloatArray, y: FloatArray, r: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The white [S, S, 3], and the iris' relative lightness [S, S] with the pupil's new size."""
    size = len(picture)

    def at(plane: FloatArray, distance: FloatArray) -> FloatArray:
        scale = distance / np.maximum(r, 1e-9)
        place = np.stack([y * scale, x * scale]) / REACH
        pixel = (place * 0.5 + 0.5) * size - 0.5
        return np.asarray(ndimage.map_coordinates(plane, pixel, order=3, mode="nearest"))

    white = np.stack([at(picture[..., c], np.maximum(r, 1.08 * IRIS)) for c in range(3)], -1)
    stretched = np.interp(r, [0.0, look.pupil, IRIS, 1.0], [0.0, 1.12 * PUPIL, IRIS, 1.0])
    light = picture.mean(-1)
    ratio = at(light, np.clip(stretched, 1.12 * PUPIL, 0.97 * IRIS)) / _mean_iris(picture).mean()
    return white, np.asarray(np.maximum(ratio, 0.05) ** look.contrast)


def _angle_points(x: FloatArray, y: FloatArray, around: float, radial: FloatArray) -> FloatArray:
    angle = np.arctan2(y, x)
    p = np.stack([around * np.cos(angle), around * np.sin(angle), radial], -1)
    return np.asarray(p.reshape(-1, 3))


def _own_fibres(
    look: EyesLook, x: FloatArray, y: FloatArray, r: FloatArray, side: int
) -> FloatArray:
    """[S, S] threads that run from the pupil to the border, lighter around the pupil."""
    waver = fractal_noise(_angle_points(x, y, 2.0, r / 0.002), look.seed + side, 1.0, 2)
    radial = r / 0.0035 + 0.2 * waver.reshape(r.shape)
    threads = fractal_noise(_angle_points(x, y, 9.0, radial), look.seed + 2 + side, 0.8, 3)
    frill = np.exp(-(((r - look.pupil - 0.0009) / 0.0008) ** 2))
    return np.asarray(1.0 + 0.9 * look.contrast * threads.reshape(r.shape) + 0.35 * frill)


def _own_white(
    look: EyesLook, x: FloatArray, y: FloatArray, r: FloatArray, side: int
) -> FloatArray:
    """[S, S, 3] with veins that thin out towards the iris."""
    flat = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
    bend = fractal_noise(flat, look.seed + 4 + side, 0.003, 2)[:, None] * 0.0012
    vein = np.abs(fractal_noise(flat + bend, look.seed + 6 + side, 0.0045, 3)).reshape(r.shape)
    vein = (
        (1.0 - smoothstep(vein, 0.0, 0.05))
        * smoothstep(r, IRIS, 1.9 * IRIS)
        * smoothstep(np.abs(x), 0.0, IRIS)
    )
    pink = 0.25 * smoothstep(np.abs(x), 0.5 * REACH, REACH) + 0.75 * vein
    base = np.array([0.80, 0.76, 0.73])
    return np.asarray(base * (1.0 - look.veins * pink[..., None] * np.array([0.05, 0.45, 0.42])))
