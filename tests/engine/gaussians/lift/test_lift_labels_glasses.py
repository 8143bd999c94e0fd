"""Frames of glasses, drawn on the default body's face where its landmarks are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import BoolArray, FloatArray, Observation
from likeness.engine.gaussians.lift.pixels.labels_glasses import find_glasses
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage

SKIN, FRAME = np.array([0.80, 0.62, 0.52]), np.array([0.12, 0.10, 0.10])


@dataclass(frozen=True)
class Face:
    """A head without glasses: the picture, its landmarks [478, 2] and their distance."""

    picture: FloatArray
    points: FloatArray

    @property
    def apart(self) -> float:
        return float(np.linalg.norm(self.points[468] - self.points[473]))


def seen(points: FloatArray | None) -> Observation:
    return Observation(
        pose=np.zeros((33, 2)),
        pose_visibility=np.zeros(33),
        pose_world=np.zeros((33, 3)),
        person_mask=np.ones((300, 300), np.float32),
        face=points,
        face_score=1.0,
    )


@pytest.fixture(scope="module")
def face(default_body: Body) -> Face:
    """Shaded skin with dark eyes and brows, whose eyes are some 60 pixels apart."""
    body = default_body
    camera = photo_camera(1500.0, 300, 300)
    vertices = np.asarray(body.v_template) - [0.0, 0.62, 1.6]
    buffer = rasterize_mesh(vertices, body.f, camera)
    a, b, c = (vertices[body.f[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    facing = normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    shade = np.where(buffer.face >= 0, 0.55 + 0.45 * np.clip(facing[buffer.face], 0, 1), 1.0)
    picture = SKIN * ndimage.gaussian_filter(shade, 1.5)[..., None]
    dark = np.isin(body.face_part, [body.part_names.index("eye")])[buffer.face] & (buffer.face >= 0)
    picture[dark] = 0.2
    marks = body.landmarks
    assert marks is not None
    corners = vertices[body.f[marks.face_triangle]]
    points, _ = project(np.einsum("nk,nkd->nd", marks.face_bary, corners), camera)
    rows, cols = np.mgrid[:300, :300] + 0.5
    for brow in ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336)):
        for x, y in points[list(brow)]:
            picture[np.hypot(cols - x, rows - y) < 4] *= 0.5
    return Face(picture, points)


def frame(face: Face, width: float = 3.0) -> BoolArray:
    """[300, 300] two round rims and a bridge."""
    rows, cols = np.mgrid[:300, :300] + 0.5
    out = np.zeros((300, 300), bool)
    for x, y in face.points[[468, 473]]:
        radius = np.hypot(cols - x, rows - y - 0.12 * face.apart)
        out |= np.abs(radius - 0.38 * face.apart) < width / 2
    (x, y) = face.points[[468, 473]].mean(0)
    out |= (np.abs(cols - x) < 0.14 * face.apart) & (np.abs(rows - y - 2) < width / 2)
    return out


def test_a_bare_face_wears_no_glasses(face: Face) -> None:
    assert find_glasses(face.picture, seen(face.points)) is None
    assert find_glasses(face.picture, seen(None)) is None


@pytest.mark.parametrize("degrees", [0.0, 18.0])
def test_a_frame_is_found_where_it_is(face: Face, degrees: float) -> None:
    rim = frame(face)
    soft = ndimage.gaussian_filter(rim.astype(float), 0.6)[..., None]
    picture = face.picture * (1 - soft) + FRAME * soft
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([150.0, 150.0])
    points = (face.points - middle) @ turn.T + middle
    # scipy's angle counts the other way, for rows run down.
    picture = ndimage.rotate(picture, -degrees, reshape=False, order=1, mode="nearest")
    rim = ndimage.rotate(rim.astype(float), -degrees, reshape=False, order=1) > 0.5
    glasses = find_glasses(picture, seen(points))
    assert glasses is not None
    found = glasses.on_grid(300, 300, 1.0) > 0.4
    near = ndimage.binary_dilation(rim, iterations=3)
    assert near[found].mean() > 0.9
    assert ndimage.binary_dilation(found, iterations=2)[rim].mean() > 0.85
    half = glasses.on_grid(150, 150, 0.5)
    assert ndimage.binary_dilation(half > 0.3, iterations=2)[rim[::2, ::2]].mean() > 0.8


def test_small_faces_do_not_tell(face: Face) -> None:
    small = 0.3
    picture = ndimage.zoom(face.picture, (small, small, 1), order=1)
    assert find_glasses(picture, seen(face.points * small)) is None
