"""Poses in the camera of another program, and what its files hold of them."""

from __future__ import annotations

import numpy as np
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import project
from likeness.engine.core.types import PARENTS, Observation
from likeness.engine.tracking.estimators import init_from_estimate
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from likeness.engine.tracking.joint_limits import clamp_pose
from scipy.spatial.transform import Rotation

WIDTH, HEIGHT = 640, 480
BODY = make_synthetic_body()
REST = BODY.J_template
UPPER = [9, 12, 13, 14, 15, 16, 17, 18, 19]


def rotation(rotvec):
    return Rotation.from_rotvec(np.asarray(rotvec)).as_matrix()


def angle(a, b):
    return np.degrees(Rotation.from_matrix(a.T @ b).magnitude())


def towards(ray):
    """The shortest turn from straight ahead (-z) to a ray, in the photo's space."""
    ray = np.asarray(ray) / np.linalg.norm(ray)
    axis = np.cross([0, 0, -1.0], ray)
    sine = np.linalg.norm(axis)
    return rotation(axis / max(sine, 1e-12) * np.arctan2(sine, -ray[2]))


def random_pose(seed=0, scale=0.35):
    """[55, 3] possible, with a root that faces the viewer in OpenCV's frame (y down)."""
    rng = np.random.default_rng(seed)
    pose = clamp_pose(rng.normal(scale=scale, size=(55, 3)))
    upright = Rotation.from_matrix(np.diag([1.0, -1, -1]))  # y up to y down, facing the camera
    pose[0] = (Rotation.from_rotvec([0.1, 0.5, -0.08]) * upright).as_rotvec()
    return pose


def joints_by_hand(pose, rest, root):
    """[55, 3] joints and [55, 3, 3] world rotations; the pelvis joint at ``root``."""
    R, p = np.zeros((55, 3, 3)), np.zeros((55, 3))
    for j, parent in enumerate(PARENTS):
        local = rotation(pose[j])
        if parent < 0:
            R[j], p[j] = local, root
        else:
            R[j] = R[parent] @ local
            p[j] = p[parent] + R[parent] @ (rest[j] - rest[parent])
    return R, p


def by_their_camera(points, focal, centre):
    return focal * points[:, :2] / points[:, 2:] + np.asarray(centre)


def our_pixels(estimate, camera):
    posed = PosedJoints(BODY, init_from_estimate(BODY, estimate, FitState.rest(BODY)))
    return project(posed.p, camera)[0], posed


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def observed_at(**changes):
    """An observation of a person with their parts at given pixels."""
    fields = {
        "pose": np.zeros((33, 2)),
        "pose_visibility": np.zeros(33),
        "pose_world": np.zeros((33, 3)),
        "person_mask": np.zeros((HEIGHT, WIDTH), np.float32),
    } | changes
    return Observation(**fields)


def osx_dump(tmp_path, pose, pelvis, bbox):
    return save(
        tmp_path / "osx.npz",
        smplx_root_pose=pose[None, 0],
        smplx_body_pose=pose[1:22].reshape(1, -1),
        smplx_lhand_pose=pose[25:40].reshape(1, -1),
        smplx_rhand_pose=pose[40:].reshape(1, -1),
        smplx_jaw_pose=pose[None, 22],
        smplx_shape=np.zeros((1, 10)),
        smplx_expr=np.zeros((1, 10)),
        cam_trans=(pelvis - REST[0])[None],
        bbox=np.array(bbox),
        pelvis=pelvis,
    )
