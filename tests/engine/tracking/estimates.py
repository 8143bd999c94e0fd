"""Poses in the camera of another program, and what its files hold of them."""

from __future__ import annotations

import numpy as np
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import project
from likeness.engine.core.types import JOINT_INDEX, PARENTS, Observation
from likeness.engine.tracking.estimators import init_from_estimate
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from likeness.engine.tracking.joint_limits import clamp_pose
from scipy.spatial.transform import Rotation

WIDTH, HEIGHT = 640, 480
BODY = make_synthetic_body()
REST = BODY.J_template
UPPER = [9, 12, 13, 14, 15, 16, 17, 18, 19]
# MHR's joints, by their number in SAM 3D Body's output
MHR_TRUNK = {"pelvis": 1, "spine1": 34, "spine2": 35, "spine3": 37, "neck": 110, "head": 113}
MHR_LIMBS = {
    "left": {"hip": 2, "knee": 3, "shoulder": 75, "elbow": 76, "wrist": 78},
    "right": {"hip": 18, "knee": 19, "shoulder": 39, "elbow": 40, "wrist": 42},
}
MHR_KNUCKLES = {"pinky1": 2, "ring1": 6, "middle1": 10, "index1": 14, "thumb1": 19}
MHR_CHILD = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}


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


def bend_mhr(seed):
    """A pose of hinges as MHR has them: elbows and knees bend about one axis."""
    rng = np.random.default_rng(seed)
    pose = np.zeros((55, 3))
    for name, size in (("spine2", 0.2), ("neck", 0.2), ("left_hip", 0.3), ("right_hip", 0.3)):
        pose[JOINT_INDEX[name]] = rng.normal(scale=size, size=3)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        pose[JOINT_INDEX[f"{side}_shoulder"]] = [0.2, 0.3 * sign, 0.9 * sign]
        pose[JOINT_INDEX[f"{side}_elbow"]] = [0, sign * rng.uniform(0.5, 1.5), 0]
        pose[JOINT_INDEX[f"{side}_wrist"]] = rng.normal(scale=0.3, size=3)
        pose[JOINT_INDEX[f"{side}_knee"]] = [rng.uniform(0.3, 1.0), 0, 0]
    pose[0] = [0.1, 0.5, -0.08]
    return pose


def dump_mhr(pose, root, cam_t):
    """Joint frames by the rig's rules: x along the bone (towards the body on the right side), z the
    hinge; along the spine x up, y front, z left. In photo space; positions come out flipped."""
    R, p = joints_by_hand(pose, REST, root)
    G, at = np.tile(np.eye(3), (127, 1, 1)), np.tile(p[0], (127, 1))
    G[1], at[1] = R[0], p[0]
    for name, theirs in list(MHR_TRUNK.items())[1:]:
        j = JOINT_INDEX[name]
        G[theirs], at[theirs] = R[j][:, [1, 2, 0]], p[j]
    for side, joints in MHR_LIMBS.items():
        outward = 1.0 if side == "left" else -1.0
        for name, theirs in joints.items():
            j = JOINT_INDEX[f"{side}_{name}"]
            at[theirs] = p[j]
            if name == "wrist":
                continue
            hinge = R[j] @ ([1.0, 0, 0] if name in ("hip", "knee") else [0, -outward, 0])
            hinge = hinge * (1.0 if name in ("hip", "knee") else outward)
            bone = outward * (p[JOINT_INDEX[f"{side}_{MHR_CHILD[name]}"]] - p[j])
            x = bone / np.linalg.norm(bone)
            z = hinge * (1.0 if name in ("hip", "knee") else outward)
            z = z - x * (x @ z)
            z = z / np.linalg.norm(z)
            G[theirs] = np.stack([x, np.cross(z, x), z], axis=1)
        for name, offset in MHR_KNUCKLES.items():
            j = JOINT_INDEX[f"{side}_{name}"]
            for k in range(3):
                at[joints["wrist"] + offset + k] = p[j + k]
            tip = R[j + 2] @ (REST[j + 2] - REST[j + 1])
            at[joints["wrist"] + offset + 3] = p[j + 2] + tip
    return (
        R,
        p,
        {
            "pred_global_rots": G,
            "pred_joint_coords": at * [1, -1, -1] - cam_t,
            "pred_cam_t": np.array(cam_t),
        },
    )
