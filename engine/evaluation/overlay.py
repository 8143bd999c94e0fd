"""The fitted body drawn over the picture it was fitted to, for the eye.

Parts that were seen are light blue clay; parts that were not seen, and so stand as the prior
has them, are striped orange. Eyeballs, irises and lips are coloured, so that gaze and mouth can be
judged against the picture, and lines follow the outline of each limb.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from ..body import Body
from ..cameras import camera_position, project
from ..gaussians.binding import vertex_normals
from ..render.mesh import MeshBuffer, rasterize_mesh
from ..types import JOINT_INDEX, PARENTS, Camera, FloatArray, IntArray, Pose

SEEN = np.array([0.56, 0.78, 1.0])
UNSEEN = np.array([1.0, 0.64, 0.30])
OPACITY = 0.62
_STRIPES = 0.24  # how much the opacity of unseen parts changes from stripe to stripe
_SEEN_FROM, _SEEN_TO = 0.1, 0.5  # joint confidence where the tint turns from unseen to seen
_PART_COLOURS = {
    "lips": (np.array([0.86, 0.42, 0.50]), 0.75),
    "mouth": (np.array([0.30, 0.10, 0.14]), 0.9),
    "tongue": (np.array([0.75, 0.35, 0.40]), 0.9),
    "teeth": (np.array([1.0, 1.0, 0.97]), 0.9),
    "eye": (np.array([1.0, 1.0, 1.0]), 1.0),
    "eye_socket": (np.array([0.55, 0.35, 0.35]), 0.6),
}
"""Colour of a part of the body and how much of it covers the tint."""

_IRIS, _PUPIL = np.array([0.16, 0.30, 0.46]), np.array([0.04, 0.05, 0.08])
_IRIS_OPACITY, _PUPIL_SHARE = 0.85, 0.42
_KEY, _FILL = np.array([-0.45, 0.65, 0.62]), np.array([0.75, 0.05, 0.35])  # camera axes, y up
_LINE, _LINE_OPACITY = np.array([1.0, 1.0, 1.0]), 0.85
_HALO, _HALO_OPACITY = np.array([0.05, 0.09, 0.16]), 0.6
_LINE_WIDTH = 1 / 720  # of the longer side
_STEP = 0.022  # metres of depth between two limbs, the nearer of which gets a line
_FINE_PIXELS = 1600  # pictures up to this side are drawn at twice the size


@dataclass(frozen=True)
class _Eye:
    """An eyeball at rest: its centre, the direction of its pupil, and the iris's half angle."""

    joint: int
    centre: FloatArray
    gaze: FloatArray
    angle: float


class OverlayPainter:
    """Draws one person's body over pictures; what all frames share is computed once.

    Args:
        body: the body that was fitted. betas: [S] its shape.
    """

    def __init__(self, body: Body, betas: FloatArray) -> None:
        self.body = body.personalised(np.asarray(betas, np.float64))
        self._f = np.asarray(self.body.f, np.int64)

    def draw(
        self,
        rgb: FloatArray,
        pose: Pose,
        camera: Camera,
        confidence: FloatArray | None = None,
        *,
        skeleton: bool = False,
    ) -> FloatArray:
        """The picture [H, W, 3] float32 0..1 with the body over it.

        Args:
            rgb: [H, W, 3] 0..1, of the camera's size.
            confidence: [55] 0 (unseen) .. 1 (seen) per joint; all seen when None.
            skeleton: also draw the joints and the bones between them.
        """
        out = np.array(rgb, np.float32)
        vertices, joints = self.body.vertices(pose)
        window = _window(vertices, camera)
        if window is not None:
            left, top, right, bottom = window
            fine = 2 if max(camera.width, camera.height) <= _FINE_PIXELS else 1
            colour, alpha = self._body_layer(
                vertices, _cropped(camera, window, fine), confidence,
                max(1.0, _LINE_WIDTH * max(camera.width, camera.height)) * fine,
            )  # fmt: skip
            colour, alpha = _shrunk(colour * alpha[..., None], fine), _shrunk(alpha, fine)
            part = out[top:bottom, left:right]
            out[top:bottom, left:right] = colour + (1 - alpha[..., None]) * part
        if skeleton:
            out = _with_skeleton(out, joints, camera, confidence)
        return np.clip(out, 0, 1)

    def _body_layer(
        self,
        vertices: FloatArray,
        camera: Camera,
        confidence: FloatArray | None,
        line: float,
    ) -> tuple[FloatArray, FloatArray]:
        """Colour [h, w, 3] and opacity [h, w] of the body alone; ``line`` in pixels."""
        buffer = rasterize_mesh(vertices, self._f, camera, cull_back=True)
        rows, columns = np.nonzero(buffer.face >= 0)
        face, bary = buffer.face[rows, columns], buffer.bary[rows, columns]
        light, shine, seen = _mixed(
            np.stack([*_lit(vertices, self._f, camera), self._seen(confidence)], 1),
            self._f[face], bary,
        ).T  # fmt: skip
        tint = seen[:, None] * SEEN + (1 - seen[:, None]) * UNSEEN
        stripes = ((rows + columns) / (8 * line)).astype(np.int64) % 2
        opacity = OPACITY + _STRIPES * (1 - seen) * (stripes - 0.5)
        colours, cover = self._parts
        part = self.body.face_part[face]
        tint = colours[part] * cover[part] + tint * (1 - cover[part])
        self._paint_eyes(tint, opacity, face, bary)
        colour = np.zeros((*buffer.face.shape, 3), np.float32)
        alpha = np.zeros(buffer.face.shape, np.float32)
        colour[rows, columns] = np.clip(tint * light[:, None] + shine[:, None], 0, 1)
        alpha[rows, columns] = opacity
        for mask, tone, strength in _outlines(buffer, line):
            amount = strength * mask
            alpha_after = amount + alpha * (1 - amount)
            share = (amount / np.maximum(alpha_after, 1e-6))[..., None]
            colour, alpha = tone * share + colour * (1 - share), alpha_after
        return colour, alpha

    def _seen(self, confidence: FloatArray | None) -> FloatArray:
        """[V] from 0 for unseen to 1 for seen."""
        if confidence is None:
            return np.ones(len(self.body.v_template))
        t = np.clip((np.asarray(confidence) - _SEEN_FROM) / (_SEEN_TO - _SEEN_FROM), 0, 1)
        return np.asarray(self.body.weights @ (t * t * (3 - 2 * t)))

    @cached_property
    def _parts(self) -> tuple[FloatArray, FloatArray]:
        """Colour [P, 3] and cover [P, 1] of each part."""
        count = len(self.body.part_names)
        colour, cover = np.zeros((count, 3)), np.zeros((count, 1))
        for index, name in enumerate(self.body.part_names):
            if name in _PART_COLOURS:
                colour[index], cover[index] = _PART_COLOURS[name]
        return colour, cover

    @cached_property
    def _eyes(self) -> tuple[_Eye, ...]:
        """Both eyeballs, of a body whose landmarks know the irises."""
        body, marks = self.body, self.body.landmarks
        if marks is None or len(marks.face_triangle) < 478 or "eye" not in body.part_names:
            return ()
        rows = slice(468, 478)
        points = _mixed(body.v_template, self._f[marks.face_triangle[rows]], marks.face_bary[rows])
        eyes = []
        for name, five in (("right_eye_smplhf", points[:5]), ("left_eye_smplhf", points[5:])):
            joint = JOINT_INDEX[name]
            rays = five - body.J_template[joint]
            rays /= np.linalg.norm(rays, axis=1, keepdims=True)
            angle = float(np.arccos(np.clip(rays[1:] @ rays[0], -1, 1)).mean())
            eyes.append(_Eye(joint, body.J_template[joint], rays[0], angle))
        return tuple(eyes)

    def _paint_eyes(
        self, tint: FloatArray, opacity: FloatArray, face: IntArray, bary: FloatArray
    ) -> None:
        """Irises and pupils, in place, from where the pixels lie on the eyeball at rest."""
        if not self._eyes:
            return
        rows = np.flatnonzero(self.body.face_part[face] == self.body.part_names.index("eye"))
        points = _mixed(self.body.v_template, self._f[face[rows]], bary[rows])
        for eye in self._eyes:
            ray = points - eye.centre
            distance = np.linalg.norm(ray, axis=1)
            angle = np.arccos(np.clip(ray @ eye.gaze / np.maximum(distance, 1e-9), -1, 1))
            same = np.sign(points[:, 0]) == np.sign(eye.centre[0])
            iris = rows[same & (angle < eye.angle)]
            tint[iris], opacity[iris] = _IRIS, _IRIS_OPACITY
            tint[rows[same & (angle < _PUPIL_SHARE * eye.angle)]] = _PUPIL


def overlay(
    rgb: FloatArray,
    body: Body,
    pose: Pose,
    betas: FloatArray,
    camera: Camera,
    confidence: FloatArray | None = None,
    *,
    skeleton: bool = False,
) -> FloatArray:
    """One picture with the fitted body over it; see :class:`OverlayPainter`."""
    return OverlayPainter(body, betas).draw(rgb, pose, camera, confidence, skeleton=skeleton)


def _window(vertices: FloatArray, camera: Camera) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the pixels that the body may touch; None if there are none."""
    xy, z = project(vertices, camera)
    ahead = z > 0.05
    if not ahead.any():
        return None
    low, high = xy[ahead].min(0), xy[ahead].max(0)
    margin = 8
    left, top = (int(v) for v in np.clip(low - margin, 0, [camera.width, camera.height]))
    right, bottom = (int(v) for v in np.clip(high + margin, 0, [camera.width, camera.height]))
    return (left, top, right, bottom) if right > left and bottom > top else None


def _cropped(camera: Camera, window: tuple[int, int, int, int], fine: int) -> Camera:
    """The camera of a part of the picture, ``fine`` times as large."""
    left, top, right, bottom = window
    K = np.array(camera.K, np.float64)
    K[0, 2] -= left
    K[1, 2] -= top
    width, height = right - left, bottom - top
    return Camera(camera.viewmat, K, width, height).resized(width * fine, height * fine)


def _mixed(values: FloatArray, corners: IntArray, bary: FloatArray) -> FloatArray:
    """[N, C] from values [V, C] at the corners [N, 3]."""
    out = bary[:, :1] * values[corners[:, 0]]
    out += bary[:, 1:2] * values[corners[:, 1]]
    out += bary[:, 2:] * values[corners[:, 2]]
    return np.asarray(out)


def _lit(vertices: FloatArray, f: IntArray, camera: Camera) -> tuple[FloatArray, FloatArray]:
    """Light [V] and shine [V]: from the upper left, less from the right, darker at grazing."""
    to_camera = camera.viewmat[:3, :3] * np.array([[1], [-1], [-1]])  # axes right, up, back
    n = vertex_normals(vertices, f) @ to_camera.T
    view = (camera_position(camera) - vertices) @ to_camera.T
    view /= np.maximum(np.linalg.norm(view, axis=1, keepdims=True), 1e-9)
    key, fill = _KEY / np.linalg.norm(_KEY), _FILL / np.linalg.norm(_FILL)
    wrapped = np.clip((n @ key + 0.25) / 1.25, 0, 1)
    light = 0.20 + 0.82 * wrapped**1.4 + 0.14 * np.clip(n @ fill, 0, 1)
    facing = np.clip((n * view).sum(1), 0, 1)
    light *= 0.66 + 0.34 * facing**0.6
    half = key + view
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    return light, 0.10 * np.clip((n * half).sum(1), 0, 1) ** 24


def _outlines(buffer: MeshBuffer, line: float) -> list[tuple[FloatArray, FloatArray, float]]:
    """A dark rim around the body, then light lines along the near side of each step in depth.

    Each as coverage [h, w], colour [3] and opacity.
    """
    covered = buffer.face >= 0
    size = 2 * max(1, round(line)) + 1
    depth = np.where(covered, buffer.depth, np.float32(1e3))
    step = covered & (ndimage.maximum_filter(depth, size) - depth > _STEP)
    rim = (ndimage.maximum_filter(covered.view(np.uint8), size) > 0) & ~covered
    soft = [ndimage.uniform_filter(mask.astype(np.float32), 3) for mask in (rim, step)]
    return [(soft[0], _HALO, _HALO_OPACITY), (soft[1], _LINE, _LINE_OPACITY)]


def _shrunk(picture: FloatArray, factor: int) -> FloatArray:
    """Every ``factor`` x ``factor`` pixels become their mean."""
    if factor == 1:
        return picture
    h, w = picture.shape[0] // factor, picture.shape[1] // factor
    blocks = picture.reshape(h, factor, w, factor, *picture.shape[2:])
    return np.asarray(blocks.mean((1, 3)))


def _with_skeleton(
    rgb: FloatArray, joints: FloatArray, camera: Camera, confidence: FloatArray | None
) -> FloatArray:
    """Bones as lines, joints as dots, unseen ones orange."""
    xy, z = project(joints, camera)
    fine = 2 if max(camera.width, camera.height) <= _FINE_PIXELS else 1
    width, height = camera.width * fine, camera.height * fine
    layer = Image.new("RGBA", (width, height), (255, 255, 255, 0))
    pen = ImageDraw.Draw(layer)
    thick = max(2, round(2.5 * _LINE_WIDTH * max(width, height)))
    sure = np.ones(len(joints)) if confidence is None else np.asarray(confidence)
    for joint, parent in enumerate(PARENTS):
        if parent < 0 or min(z[joint], z[parent]) < 0.05:
            continue
        colour = (255, 255, 255, 235) if sure[joint] > _SEEN_FROM else (255, 150, 40, 235)
        ends = [tuple(float(v) for v in fine * xy[k]) for k in (parent, joint)]
        finger = joint >= JOINT_INDEX["left_index1"]
        pen.line(ends, fill=colour, width=max(1, thick // 2) if finger else thick)
        if not finger:
            (x, y), r = ends[1], 1.3 * thick
            pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    small = layer.resize((camera.width, camera.height), Image.Resampling.BOX)
    rgba = np.asarray(small, np.float32) / 255
    return np.asarray(rgba[..., :3] * rgba[..., 3:] + rgb * (1 - rgba[..., 3:]), np.float32)
