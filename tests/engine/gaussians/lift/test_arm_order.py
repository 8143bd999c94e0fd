"""Arms before and behind each other, against the picture of the pose that they truly have."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray, Pose
from likeness.engine.gaussians.lift.occlusion.arm_order import _bend_arms, order_arms
from likeness.engine.gaussians.lift.surface.labels import UPPER
from likeness.engine.gaussians.lift.surface.limbs import ARMS, GROUPS, vertex_groups
from likeness.engine.poses import build_pose
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh
from scipy.optimize import least_squares

CAMERA = photo_camera(420.0, 240, 260)


@dataclass(frozen=True)
class Stub:
    """What the search reads of the regions."""

    mask: BoolArray
    group: IntArray
    label: IntArray
    hidden: BoolArray
    handless: tuple[int, ...]
    limb: tuple[MeshBuffer, ...]


def nearest_limb(body: Body, pose: Pose, camera: Camera) -> IntArray:
    """[H, W] the limb that the photo shows, -1 beside the person."""
    face = rasterize_mesh(body.vertices(pose)[0], body.f, camera).face
    return np.asarray(np.where(face >= 0, vertex_groups(body)[body.f[face, 0]], -1))


def regions_of(body: Body, true: Pose, fitted: Pose) -> Stub:
    """The regions of a photo of ``true`` whose body was fitted as ``fitted``."""
    group = nearest_limb(body, true, CAMERA)
    vertices, _ = body.vertices(fitted)
    of_face = vertex_groups(body)[body.f[:, 0]]
    limbs = [rasterize_mesh(vertices, body.f[of_face == g], CAMERA) for g in range(len(GROUPS))]
    label = np.full(group.shape, UPPER)
    return Stub(group >= 0, group, label, np.zeros(len(body.f), bool), (), tuple(limbs))


@pytest.fixture(scope="module")
def crossed(average: Body) -> Pose:
    pose = build_pose("arms_crossed", average)
    return replace(pose, transl=np.array([0.0, -0.2, -2.2]))


def slide_arm(body: Body, pose: Pose, side: str, metres: float) -> Pose:
    """The pose with one wrist farther from the camera; in the picture it stays where it is."""
    joints = [JOINT_INDEX[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")]
    start = body.vertices(pose)[1][joints]
    sight = start[2] / np.linalg.norm(start[2])  # the camera is the origin

    def turned(turns: FloatArray) -> Pose:
        full = np.array(pose.full_pose, np.float64)
        full[joints[:2]] += turns.reshape(2, 3)
        return replace(pose, full_pose=full)

    def off(turns: FloatArray) -> FloatArray:
        away = body.vertices(turned(turns))[1][joints] - start
        return np.concatenate([away[2] - metres * sight, 0.3 * away[1, :2], 0.005 * turns])

    return turned(least_squares(off, np.zeros(6), diff_step=1e-4).x)


def test_arms_in_order_stay(average: Body, crossed: Pose) -> None:
    assert order_arms(regions_of(average, crossed, crossed), CAMERA, average, crossed) is crossed


@pytest.mark.parametrize(("side", "metres"), [("left", 0.08), ("right", -0.08)])
def test_a_crossed_arm_goes_before_or_behind_the_other(
    average: Body, crossed: Pose, side: str, metres: float
) -> None:
    fitted = slide_arm(average, crossed, side, metres)
    true = nearest_limb(average, crossed, CAMERA)

    def agreement(pose: Pose) -> float:
        shown = nearest_limb(average, pose, CAMERA)
        arms = np.isin(true, ARMS) | np.isin(shown, ARMS)
        return float((shown == true)[arms].mean())

    found = order_arms(regions_of(average, crossed, fitted), CAMERA, average, fitted)
    assert found is not fitted
    assert agreement(found) > agreement(fitted)
    wrist = JOINT_INDEX[f"{side}_wrist"]
    (before, after), _ = project(
        np.stack([average.vertices(pose)[1][wrist] for pose in (fitted, found)]), CAMERA
    )
    assert np.linalg.norm(before - after) < 2.0


@pytest.mark.parametrize("turns", [False, True])
def test_a_forearm_may_point_the_other_way_from_the_same_elbow(turns: bool) -> None:
    """From the front, hands behind the back and before the belly have one outline."""
    joints = np.array([[0.2, 0.4, -2.2], [0.32, 0.15, -2.25], [0.2, 0.05, -2.06]])
    first, second, elbow, wrist = _bend_arms(joints, np.zeros(3), turns)
    away = (wrist[:, 2] < elbow[:, 2] - 0.1) & (np.linalg.norm(elbow - joints[1], axis=1) < 1e-9)
    assert away.sum() == turns
    xy, _ = project(np.concatenate([wrist, joints[None, 2]]), CAMERA)
    np.testing.assert_allclose(xy[:-1], np.tile(xy[-1], (len(wrist), 1)), atol=0.6)
    upper, fore = joints[1] - joints[0], joints[2] - joints[1]
    np.testing.assert_allclose(first @ upper, elbow - joints[0], atol=2e-3)
    np.testing.assert_allclose(second @ fore, wrist - elbow, atol=2e-3)
