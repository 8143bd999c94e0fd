"""Simple shaded pictures of the body that the landmark detectors recognise as a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..body.atlas import surface_points
from ..body.model import Body
from ..core.cameras import project
from ..core.geometry import vertex_normals
from ..core.kernels import kernel
from ..core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray
from ..render.mesh import MeshBuffer, rasterize_mesh

Paint = Callable[[IntArray, FloatArray], FloatArray]

BACKGROUND = 0.75
SUPERSAMPLING = 2


def render_plain(
    vertices: FloatArray, f: IntArray, paint: Paint, camera: Camera, light: FloatArray
) -> tuple[FloatArray, MeshBuffer]:
    """Draw a Lambert-shaded picture on grey.

    Args:
        vertices: [V, 3] metres, world space.
        f: [F, 3] triangles.
        paint: ``paint(triangle [P], bary [P, 3]) -> colours [P, 3]`` in 0..1.
        camera: The camera.
        light: [3] direction towards the light, world space.

    Returns:
        rgb: [H, W, 3] float32 in 0..1.
        buffer: The z-buffer at SUPERSAMPLING times the size.
    """
    large = camera.resized(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
    buffer = rasterize_mesh(vertices, f, large)
    covered = buffer.face >= 0
    face, bary = buffer.face[covered], buffer.bary[covered]
    shade = np.empty(len(face))
    towards = light / np.linalg.norm(light), -camera.viewmat[2, :3]
    _shade(vertex_normals(vertices, f), f, face, bary, *towards, shade)
    picture = np.full((large.height, large.width, 3), _to_byte(BACKGROUND), np.uint8)
    picture[covered] = _to_byte(paint(face, bary) * shade[:, None])
    small = Image.fromarray(picture).resize((camera.width, camera.height), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255.0, buffer


def _to_byte(values: FloatArray | float) -> NDArray[np.uint8]:
    return np.asarray(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


@kernel()
def _shade(normals, f, face, bary, to_light, to_camera, shade):  # type: ignore[no-untyped-def]
    """Fill in how bright [P] surface points are: triangles [P], coordinates [P, 3]."""
    for i in range(face.shape[0]):
        a, b, c = f[face[i], 0], f[face[i], 1], f[face[i], 2]
        length = lambert = rim = 0.0
        for k in range(3):
            n = bary[i, 0] * normals[a, k] + bary[i, 1] * normals[b, k] + bary[i, 2] * normals[c, k]
            length += n * n
            lambert += n * to_light[k]
            rim += n * to_camera[k]
        length = max(np.sqrt(length), 1e-9)
        lambert, rim = max(lambert / length, 0.0), max(rim / length, 0.0)
        shade[i] = (0.55 + 0.45 * min(lambert, 1.0)) * (0.75 + 0.25 * min(rim, 1.0))


class PersonPaint:
    """Surface colours that make the bare body look like a dressed person.

    Args:
        body: Its rest pose gives the positions of brows, irises and hairline.
    """

    SKIN = (0.80, 0.63, 0.53)
    PARTS: ClassVar[dict[str, tuple[float, float, float]]] = {
        "lips": (0.67, 0.33, 0.33),
        "mouth": (0.35, 0.14, 0.14),
        "tongue": (0.62, 0.30, 0.30),
        "teeth": (0.93, 0.91, 0.86),
        "eye": (0.93, 0.93, 0.93),
        "eye_back": (0.93, 0.93, 0.93),
        "torso": (0.25, 0.35, 0.60),
        "leg": (0.20, 0.20, 0.22),
        "foot": (0.10, 0.10, 0.10),
    }
    HAIR = (0.20, 0.14, 0.10)
    IRIS = (0.35, 0.25, 0.16)
    PUPIL = (0.06, 0.04, 0.04)
    IRIS_RADIUS = 0.0058  # metres; nearly the same in all adults
    PUPIL_RADIUS = 0.0022

    def __init__(self, body: Body) -> None:
        self._points = body.v_template.astype(np.float64)
        self._normals = vertex_normals(self._points, body.f)
        self._f = body.f
        self._part = body.face_part
        self._names = body.part_names
        self._eyes = body.J_template[[JOINT_INDEX[f"{s}_eye_smplhf"] for s in ("left", "right")]]
        table = np.tile(np.array(self.SKIN), (len(body.part_names), 1))
        for name, colour in self.PARTS.items():
            table[body.part_names.index(name)] = colour
        self._table = table

    def __call__(self, face: IntArray, bary: FloatArray) -> FloatArray:
        """Return colours [P, 3] at surface points: triangles [P], coordinates [P, 3]."""
        part = self._part[face]
        colours = self._table[part]
        # Only the head's colours depend on more than the part.
        head = self._rows_of(part, "face", "scalp", "neck", "eye")
        colours[head] = self._paint_head(part[head], face[head], bary[head])
        return np.asarray(colours)

    def _rows_of(self, part: IntArray, *names: str) -> IntArray:
        """Rows of ``part`` [P] that have one of some names."""
        wanted = np.isin(np.arange(len(self._names)), [self._names.index(n) for n in names])
        return np.flatnonzero(wanted[part])

    def _paint_head(self, part: IntArray, face: IntArray, bary: FloatArray) -> FloatArray:
        colours = self._table[part]
        points = surface_points(self._points, self._f, face, bary)
        rows = self._rows_of(part, "face", "scalp", "neck")
        colours[rows[is_scalp(points[rows], self._eyes)]] = self.HAIR
        eyed, faced = self._rows_of(part, "eye"), self._rows_of(part, "face")
        facing = surface_points(self._normals, self._f, face[faced], bary[faced])[:, 2]
        browed = faced[facing > 0.2]
        for eye, side in zip(self._eyes, (1.0, -1.0)):
            near = eyed[side * points[eyed, 0] > 0]
            across = np.hypot(*(points[near, :2] - eye[:2]).T)
            colours[near[across < self.IRIS_RADIUS]] = self.IRIS
            colours[near[across < self.PUPIL_RADIUS]] = self.PUPIL
            # A brow is an arched band of 9 mm on the ridge, 20 mm above the eye's centre.
            near = browed[np.abs(points[browed, 0] - eye[0]) < 0.026]
            x, y = side * (points[near, 0] - eye[0]), points[near, 1] - eye[1]
            middle = 0.0165 + 0.0035 * np.cos(np.clip((x - 0.006) / 0.03, -1.0, 1.0) * np.pi / 2)
            strength = 0.8 * np.clip(1.0 - np.abs(y - middle) / 0.0045, 0.0, 1.0)[:, None]
            colours[near] += strength * (np.array(self.HAIR) - colours[near])
        return np.asarray(colours)


def is_scalp(points: FloatArray, eyes: FloatArray) -> BoolArray:
    """Whether points of the head lie under the hair, by their position relative to the eyes.

    The hairline runs about 62 mm above the eyes and slopes back to just before the ears.

    Args:
        points: [P, 3] metres, at rest.
        eyes: [2, 3] metres, at rest.

    Returns:
        [P] bool.
    """
    above = points[:, 1] - eyes[:, 1].mean()
    behind = eyes[:, 2].mean() - points[:, 2]
    open_face = (above < 0.062) & (behind < 0.055 - 0.2 * np.maximum(above, 0.0))
    below_skull = above < -0.062 - 0.55 * np.maximum(0.0, 0.07 - behind)
    return np.asarray(~open_face & ~below_skull)


def triangulate(
    cameras: list[Camera], pixels: FloatArray, confidence: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Triangulate a point robustly.

    Reweighted linear triangulation (Geman-McClure weights on the distance from point to ray).

    Args:
        cameras: C cameras.
        pixels: [C, 2] its pixel in each.
        confidence: [C] in 0..1.

    Returns:
        point: [3] metres.
        miss: [C] distance of each view's ray from it, metres.
    """
    weight = np.array(confidence, np.float64)
    point = np.zeros(3)
    miss = np.zeros(len(cameras))
    radius = 0.015  # metres; views that miss by more are mostly ignored
    for _ in range(6):
        rows, values = [], []
        for camera, pixel, w in zip(cameras, pixels, weight):
            P = camera.K @ camera.viewmat[:3]
            for axis in (0, 1):
                row = np.sqrt(w) * (pixel[axis] * P[2] - P[axis]) / camera.K[0, 0]
                rows.append(row[:3])
                values.append(-row[3])
        point = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
        for i, (camera, pixel) in enumerate(zip(cameras, pixels)):
            xy, depth = project(point, camera)
            miss[i] = np.linalg.norm(xy - pixel) * float(depth) / camera.K[0, 0]
        weight = confidence / (1.0 + (miss / radius) ** 2) ** 2
    return point, miss
