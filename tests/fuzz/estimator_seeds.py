"""Small good files of other programs' estimates, and of whom each part is taken from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np


def dumps(folder: Path) -> None:
    """Other programs' estimates."""
    rng = np.random.default_rng(4)
    pose = {"global_orient": rng.normal(0, 0.3, (1, 3)), "body_pose": rng.normal(0, 0.3, (1, 63))}
    np.savez(folder / "pose.npz", **pose, transl=np.zeros((1, 3)))
    sam = {
        "pred_global_rots": np.tile(np.eye(3), (1, 127, 1, 1)),
        "pred_joint_coords": rng.normal(0, 0.3, (1, 127, 3)),
        "pred_cam_t": np.array([[0.0, 0.0, 4.0]]),
        "focal_length": np.array([80.0]),
    }
    np.savez(folder / "sam.npz", **sam)
    (folder / "sam.json").write_text(json.dumps({k: v.tolist() for k, v in sam.items()}))
    turn = np.eye(3)
    np.savez(
        folder / "pixie.npz",
        global_pose=turn,
        body_pose=np.tile(turn, (21, 1, 1)),
        body_cam=np.array([0.9, 0.0, 0.0]),
        crop=np.array([32.0, 24.0, 40.0]),
    )
    np.savez(folder / "head.npz", transform_matrix=np.eye(3, 4), posecode=np.zeros(6))
    np.savez(
        folder / "osx.npz",
        smplx_root_pose=np.array([[3.0, 0.1, 0.0]]),
        smplx_body_pose=rng.normal(0, 0.3, (1, 63)),
        smplx_jaw_pose=np.zeros((1, 3)),
        smplx_lhand_pose=np.zeros((1, 45)),
        cam_trans=np.array([[0.0, 0.0, 30.0]]),
        bbox=np.array([[8.0, 4.0, 30.0, 40.0]]),
        pelvis=np.array([[0.0, 0.3, 30.0]]),
        img_size=np.array([64, 48]),
    )
    np.savez(
        folder / "multihmr.npz",
        rotvec=rng.normal(0, 0.3, (2, 53, 3)),
        transl=np.array([[0.0, 0.0, 3.0]] * 2),
        transl_pelvis=np.array([[0.0, 0.4, 3.0]] * 2),
        scores=np.array([0.9, 0.4]),
        K=np.array([[80.0, 0.0, 32.0], [0.0, 80.0, 32.0], [0.0, 0.0, 1.0]]),
        square=np.array(64),
    )
    np.savez(
        folder / "hamer.npz",
        global_orient=np.tile(turn, (2, 1, 1, 1)),
        hand_pose=np.tile(turn, (2, 15, 1, 1)),
        right=np.array([0, 1]),
        box_center=np.array([[20.0, 24.0], [44.0, 24.0]]),
        box_size=np.array([12.0, 12.0]),
        img_size=np.array([[64.0, 48.0]] * 2),
        pred_vertices=rng.normal(0, 0.05, (2, 778, 3)),
        pred_cam=np.array([[0.9, 0.0, 0.0]] * 2),
    )
    face = {"crop": np.array([32.0, 24.0, 40.0]), "cam": np.array([8.0, 0.0, 0.0])}
    skin = rng.normal(0, 0.05, (5023, 3))
    np.savez(folder / "emica.npz", globalpose=np.zeros(3), jawpose=np.zeros(3), verts=skin, **face)
    np.savez(
        folder / "smirk.npz",
        pose_params=np.zeros((1, 3)),
        jaw_params=np.zeros((1, 3)),
        eyelid_params=np.zeros((1, 2)),
        vertices=skin,
        **face,
    )
    np.savez(
        folder / "mesh.npz",
        mesh_pixels=rng.uniform(0, 48, (40, 2)),
        mesh_part=np.array(1),
        body_triangle=rng.integers(0, 20, 40),
        body_barycentric=rng.dirichlet(np.ones(3), 40),
    )
    people = [{"keypoints": np.ones((133, 2)).tolist(), "keypoint_scores": [1.0] * 133}]
    (folder / "keypoints.json").write_text(json.dumps({"instance_info": people}))


def visibility_maps(folder: Path) -> None:
    """Whom parts are taken from."""
    from likeness.engine.tracking.estimators.visibility import MAP_FILE

    shutil.copy(MAP_FILE, folder / "map.toml")
