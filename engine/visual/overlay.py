"""The fitted body drawn over the picture it was fitted to, for the eye.

Parts that were seen are light blue clay; unseen parts, which the prior placed, are striped orange.
Eyeballs, irises and lips are coloured, so that gaze and mouth can be judged against the picture,
and lines follow the outline of each limb.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw

from ..body import Body
from ..core.cameras import camera_position, project
from ..core.geometry import vertex_normals
from ..core.types import JOINT_INDEX, PARENTS, Camera, FloatArray, IntArray, Pose
from ..render.mesh import rasterize_mesh
from .overlay_pixels import composite_overlay

_SEEN_FROM, _SEEN_TO = 0.1, 0.5  # joint confidence where the tint turns from unseen to seen
_PART_COLOURS = {
    "lips": (0.86, 0.42, 0.50, 0.75),
    "mouth": (0.30, 0.10, 0.14, 0.9),
    "tongue": (0.75, 0.35, 0.40, 0.9),
    "teeth": (1.0, 1.0, 0.97, 0.9),
    "eye": (1.0, 1.0, 1.0, 1.0),
    "eye_socket": (0.55, 0.35, 0.35, 0.6),
}
"""Colour of a part of the body and how much of it covers the tint."""

_MOUTH = ("lips", "mouth", "teeth", "tongue")
_PUPIL_SHARE = 0.42  # of the iris's half angle
_KEY, _FILL = np.array([-0.45, 0.65, 0.62]), np.array([0.75, 0.05, 0.35])  # camera axes, y up
_LINE_WIDTH = 1 / 1000  # of the longer side
_FINE_PIXELS = 1600  # pictures up to this side are drawn at twice the size


class OverlayPainter:
    """Draws one person's body over pictures, computing once what all frames share.

    Args:
        body: the body that was fitted.
        betas: [S] its shape.
        smooth: draw at twice the size, except for large pictures; four times as slow.
    """

    def __init__(self, body: Body, betas: FloatArray, smooth: bool = True) -> None:
        self._smooth = smooth
        self.body = body.personalised(np.asarray(betas, np.float64))
        self._f = np.asarray(self.body.f, np.int64)
        self._rest = np.asarray(self.body.v_template, np.float64)

    def draw(
        self,
        rgb: FloatArray,
        pose: Pose,
        camera: Camera,
        confidence: FloatArray | None = None,
        *,
        skeleton: bool = False,
    ) -> FloatArray:
        """Draw the body over a picture.

        Args:
            rgb: [H, W, 3] 0..1, of the camera's size.
            pose: of the body.
            camera: of the picture.
            confidence: [55] 0 (unseen) .. 1 (seen) per joint; all seen when None.
            skeleton: also draw the joints and the bones between them.

        Returns:
            [H, W, 3] float32 0..1.
        """
        out = np.array(rgb, np.float32)
        vertices, joints = self.body.vertices(pose)
        window = _window(vertices, camera)
        if window is not None:
            left, top, right, bottom = window
            small = max(camera.width, camera.height) <= _FINE_PIXELS
            fine = 2 if self._smooth and small else 1
            close = _cropped(camera, window, fine)
            buffer = rasterize_mesh(vertices, self._f, close, cull_back=True)
            looks = np.stack([*_lit(vertices, self._f, camera), self._seen(confidence)], 1)
            composite_overlay(
                out[top:bottom, left:right],
                fine,
                (left * fine, top * fine),
                buffer.face,
                buffer.bary,
                buffer.depth,
                self._f,
                self.body.face_part,
                looks,
                self._colours,
                self._rest,
                self._eyes,
                np.isin(self.body.part_names, _MOUTH),
                max(1.0, _LINE_WIDTH * max(camera.width, camera.height)) * fine,
            )
        if skeleton:
            out = _with_skeleton(out, joints, camera, confidence)
        return np.clip(out, 0, 1)

    def _seen(self, confidence: FloatArray | None) -> FloatArray:
        """[V] from 0 for unseen to 1 for seen."""
        if confidence is None:
            return np.ones(len(self.body.v_template))
        t = np.clip((np.asarray(confidence) - _SEEN_FROM) / (_SEEN_TO - _SEEN_FROM), 0, 1)
        return np.asarray(self.body.weights @ (t * t * (3 - 2 * t)))

    @cached_property
    def _colours(self) -> FloatArray:
        """[P, 4] colour and cover of each part."""
        names = self.body.part_names
        return np.array([_PART_COLOURS.get(name, (0.0, 0.0, 0.0, 0.0)) for name in names])

    @cached_property
    def _eyes(self) -> tuple[int, FloatArray]:
        """The part that eyeballs are (-1: none), and for each eyeball [K, 8].

        The eight numbers are its centre at rest, the direction of its pupil, and the cosines of the
        half angles of iris and pupil.
        """
        body, marks = self.body, self.body.landmarks
        if marks is None or len(marks.face_triangle) < 478 or "eye" not in body.part_names:
            return -1, np.zeros((0, 8))
        corners = self._rest[self._f[marks.face_triangle[468:478]]]
        points = np.einsum("nk,nkc->nc", marks.face_bary[468:478], corners)
        eyes = []
        for name, five in (("right_eye_smplhf", points[:5]), ("left_eye_smplhf", points[5:])):
            centre = body.J_template[JOINT_INDEX[name]]
            rays = five - centre
            rays /= np.linalg.norm(rays, axis=1, keepdims=True)
            angle = float(np.arccos(np.clip(rays[1:] @ rays[0], -1, 1)).mean())
            eyes.append([*centre, *rays[0], np.cos(angle), np.cos(_PUPIL_SHARE * angle)])
        return body.part_names.index("eye"), np.array(eyes)


def draw_overlay(
    rgb: FloatArray,
    body: Body,
    pose: Pose,
    betas: FloatArray,
    camera: Camera,
    confidence: FloatArray | None = None,
    *,
    skeleton: bool = False,
) -> FloatArray:
    """Draw the fitted body over one picture; see :class:`OverlayPainter`.

    Args:
        rgb: [H, W, 3] 0..1, of the camera's size.
        body: the body that was fitted.
        pose: of the body.
        betas: [S] the body's shape.
        camera: of the picture.
        confidence: [55] 0 (unseen) .. 1 (seen) per joint; all seen when None.
        skeleton: also draw the joints and the bones between them.

    Returns:
        [H, W, 3] float32 0..1.
    """
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
