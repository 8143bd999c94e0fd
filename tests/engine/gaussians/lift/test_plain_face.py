"""A face that no photo shows, painted onto the default body."""

from __future__ import annotations

from typing import Any

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import JOINT_INDEX, FloatArray
from likeness.engine.gaussians.lift.face.eye_splats import S as EYES
from likeness.engine.gaussians.lift.face.plain_face import S, paint_plain_face
from likeness.engine.gaussians.lift.pixels.head_pixels import is_head_cut

TONE = np.array([0.8, 0.6, 0.5])


def painted(body: Body) -> tuple[FloatArray, Any, FloatArray]:
    """Triangles' middles, their parts and what becomes of skin of one tone there."""
    rest = np.asarray(body.v_template, np.float64)[body.f].mean(1)
    part = np.array(body.part_names)[body.face_part]
    free = np.ones(len(rest), bool)
    return rest, part, paint_plain_face(np.tile(TONE, (len(rest), 1)), rest, part, free, body)


def test_brows_irises_and_lips_alone_are_painted(default_body: Body) -> None:
    rest, part, color = painted(default_body)
    changed = np.abs(color - TONE).max(1) > 0.02
    assert set(part[changed]) <= {"eye", "lips", "face", "eyelid"}
    np.testing.assert_allclose(
        color[part == "lips"], np.tile(TONE * S.lips, ((part == "lips").sum(), 1))
    )
    eyes = default_body.J_template[JOINT_INDEX["left_eye_smplhf"]]
    brows = changed & (part == "face")
    assert brows.sum() > 10
    height = rest[brows, 1] - eyes[1]
    assert height.min() > 0.01
    assert height.max() < 0.04
    assert (color[brows] < TONE).all()
    # Both sides alike, and nothing between them.
    left = rest[brows, 0] > 0
    assert 0.7 < left.sum() / (~left).sum() < 1.4
    assert np.abs(rest[brows, 0]).min() > 0.004


def test_an_iris_is_as_wide_as_everybodys(default_body: Body) -> None:
    rest, part, color = painted(default_body)
    centre = default_body.J_template[JOINT_INDEX["right_eye_smplhf"]]
    ball = (part == "eye") & (rest[:, 0] < 0) & (rest[:, 2] > centre[2])
    aside = np.linalg.norm(rest[ball, :2] - centre[:2], axis=1) / EYES.iris_radius
    assert np.abs(color[ball][aside > 1.0 + S.edge] - TONE).max() < 1e-12
    assert (color[ball][aside < 1.0 - S.edge] <= np.array(S.iris) + 1e-12).all()
    behind = (part == "eye") & (rest[:, 2] < centre[2])
    np.testing.assert_array_equal(color[behind], np.tile(TONE, (behind.sum(), 1)))


def test_what_the_photo_shows_stays(default_body: Body) -> None:
    rest = np.asarray(default_body.v_template, np.float64)[default_body.f].mean(1)
    part = np.array(default_body.part_names)[default_body.face_part]
    color = np.tile(TONE, (len(rest), 1))
    nothing = np.zeros(len(rest), bool)
    np.testing.assert_array_equal(paint_plain_face(color, rest, part, nothing, default_body), color)


def test_a_head_is_cut_where_the_frame_ends_below_its_eyes(default_body: Body) -> None:
    camera = photo_camera(500.0, 300, 400)
    rest = np.asarray(default_body.v_template, np.float64)
    chin = rest[default_body.weights[:, JOINT_INDEX["head"]] > 0.5, 1].min()

    def photo(top: float) -> FloatArray:
        """The body whose frame ends so many metres above the chin."""
        half = 2.0 * 200 / 500.0
        return np.asarray(rest + np.array([0.0, half - chin - top, -2.0]))

    assert is_head_cut(camera, default_body, photo(0.05))
    assert not is_head_cut(camera, default_body, photo(0.4))
