"""Glasses taken off a painted picture and put on before a head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, BoundGaussians, FloatArray, Matte, Pose, Track
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.accessories.glasses import (
    add_glasses,
    relabel_hidden_splats,
    remove_glasses,
    rigid_triangles,
)
from likeness.engine.gaussians.lift.pixels.labels_glasses import DetectedGlasses
from likeness.engine.gaussians.lift.pixels.labels_glasses import S as FACE
from likeness.engine.gaussians.lift.surface.surfels import CORE, PHOTO, SHELL

SKIN, FRAME = np.array([0.8, 0.62, 0.52]), np.array([0.1, 0.1, 0.12])


def _frame() -> FloatArray:
    """Two rings and a bridge in the upright face."""
    height, width = (int((FACE.up + FACE.down) * FACE.size), int(FACE.wide * FACE.size))
    ys, xs = np.mgrid[:height, :width] + 0.5
    x, y = (xs / FACE.size - FACE.wide / 2, ys / FACE.size - FACE.up)
    ring = np.abs(np.hypot(np.abs(x) - 0.5, 0.9 * (y - 0.05)) - 0.38) < 0.035
    bridge = (np.abs(x) < 0.14) & (np.abs(y + 0.02) < 0.03)
    return (ring | bridge).astype(np.float32)


def _worn(unit: float, shape: tuple[int, int], middle: FloatArray) -> tuple[Matte, DetectedGlasses]:
    glasses = DetectedGlasses(_frame(), middle, np.array([unit, 0.0]))
    weight = glasses.on_grid(*shape, 1.0)[..., None]
    rgb = (1.0 - weight) * SKIN + weight * FRAME
    return Matte(np.ones(shape, np.float32), rgb.astype(np.float32)), glasses


def test_without_glasses_nothing_changes():
    matte = Matte(np.ones((8, 8)), np.zeros((8, 8, 3)))
    bare, frame = remove_glasses(matte, None)
    assert bare is matte
    assert frame is None


@pytest.mark.parametrize("unit", [30.0, 80.0, 170.0])
def test_skin_behind_a_frame_is_skin(unit: float):
    shape = (int(2.4 * unit), int(3.4 * unit))
    matte, glasses = _worn(unit, shape, np.array([shape[1] / 2, shape[0] / 2]))
    bare, frame = remove_glasses(matte, glasses)
    assert frame is not None
    assert np.abs(bare.foreground - SKIN).max() < 0.12
    assert np.abs(bare.foreground - SKIN).mean() < 0.005
    truth = glasses.on_grid(*shape, 1.0)
    assert np.abs(frame - truth).mean() < 0.02
    assert (frame[truth > 0.95] > 0.9).mean() > 0.9


def test_skin_behind_a_frame_does_not_answer_for_the_photo():
    body = make_synthetic_body()
    pose = Pose.rest(body.num_expression)
    pose = replace(pose, transl=np.array([0.0, 0.0, -3.0]))
    vertices, _ = body.vertices(pose)
    camera = photo_camera(50.0, 90, 120)
    track = Track(np.zeros(4), pose, camera, "full", np.ones(55), 0.0, 0.0)
    n = len(body.f)
    bound = BoundGaussians(
        np.arange(n, dtype=np.int32),
        np.full((n, 3), 1 / 3, np.float32),
        np.zeros((n, 3), np.float32),
        np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        np.full((n, 3), 1e-3, np.float32),
        np.ones(n, np.float32),
        np.zeros((n, 3), np.float32),
        np.where(np.arange(n) % 2, PHOTO, SHELL).astype(np.uint8),
    )
    frame = np.zeros((120, 90))
    frame[:60] = 1.0
    row = project(np.asarray(place_gaussians(bound, vertices, body).means, float), camera)[0][:, 1]
    photo = bound.layer == PHOTO
    above, below = row < 59, row > 63
    assert (above & photo).any()
    assert (below & photo).any()
    after = relabel_hidden_splats(bound, frame, body, vertices, track)
    assert (after.layer[above & photo] == CORE).all()
    np.testing.assert_array_equal(after.layer[below | ~photo], bound.layer[below | ~photo])


@pytest.mark.slow
def test_glasses_are_rigid_before_the_face_and_reach_the_ears(average: Body):
    camera = photo_camera(1240.0, 400, 480)
    pose = replace(Pose.rest(average.num_expression), transl=np.array([0.0, -0.62, -0.85]))
    vertices, joints = average.vertices(pose)
    eyes = joints[[JOINT_INDEX["right_eye_smplhf"], JOINT_INDEX["left_eye_smplhf"]]]
    xy, _ = project(eyes, camera)
    unit = float(np.linalg.norm(xy[1] - xy[0]))
    matte, glasses = _worn(unit, (480, 400), xy.mean(0))
    bare, frame = remove_glasses(matte, glasses)
    assert frame is not None
    track = Track(np.zeros(0), pose, camera, "head", np.ones(55), 1.0, 1.0)
    worn = add_glasses(frame, matte, bare, average, vertices, track, 6000)
    assert worn is not None
    assert len(worn) <= 6000
    assert np.isin(worn.triangle, rigid_triangles(average)).all()

    grimace = average.expression(eyeBlinkLeft=1.0, browInnerUp=1.0, mouthSmileLeft=1.0, jawOpen=0.8)
    moved, _ = average.vertices(replace(pose, expression=grimace))
    still = place_gaussians(worn, vertices, average).means
    assert np.abs(place_gaussians(worn, moved, average).means - still).max() < 1e-3

    front = worn.layer == 2
    part = np.array(average.part_names)[average.face_part]
    eye_front = vertices[np.unique(average.f[part == "eye"])][:, 2].max()
    lens = front & (np.abs(still[:, 0]) < 0.06)
    assert np.median(still[lens][:, 2]) > eye_front
    # Temples: one on each side, back to where the ears begin.
    ears = vertices[np.unique(average.f[part == "ear"])]
    for sign in (-1.0, 1.0):
        side = ~front & (sign * still[:, 0] > 0)
        assert side.sum() > 50
        assert still[side][:, 2].min() < ears[sign * ears[:, 0] > 0][:, 2].max()
