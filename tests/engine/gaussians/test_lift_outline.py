"""Skin at the outline of a face that was fitted too wide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from likeness.engine.core.cameras import orbit, project
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift import LiftOptions, lift_photo
from likeness.engine.render import render_camera
from scipy.spatial import cKDTree

from .photographed_head import BUDGET, Head


def test_skin_that_is_drawn_in_does_not_crack(head: Head) -> None:
    """From beside, nothing of the mouth shows between rows of a cheek's splats."""
    alpha = head.matte.alpha
    columns = np.nonzero(alpha.max(0) > 0.5)[0]
    ragged = (4 + 2 * (np.arange(len(alpha)) // 3 % 2))[:, None]
    across = np.arange(alpha.shape[1])
    inside = (across > columns[0] + ragged) & (across < columns[-1] - ragged)
    narrow = replace(head.matte, alpha=(alpha * inside).astype(np.float32))
    options = LiftOptions(max_gaussians=BUDGET)
    lifted = lift_photo(narrow, head.observation, head.track, head.body, options)
    body, bound = lifted.body, lifted.gaussians
    vertices, joints = body.vertices(head.track.pose)
    part = np.array(body.part_names)[body.face_part[bound.triangle]]
    mouth = np.isin(part, ["mouth", "teeth", "tongue"])
    marked = replace(bound, colors=np.where(mouth[:, None], [0.0, 1.0, 0.0], 0.0))
    placed = place_gaussians(marked, vertices, body)
    lips = vertices[body.f[np.array(body.part_names)[body.face_part] == "lips"]].reshape(-1, 3)
    for yaw in (-60.0, 60.0):
        camera = orbit(head.track.camera, joints[JOINT_INDEX["head"]], yaw)
        row, col = np.nonzero(render_camera(placed, camera).rgb[..., 1] > 0.3)
        beside = cKDTree(project(lips, camera)[0]).query(np.stack([col, row], -1) + 0.5)[0] > 20.0
        assert beside.sum() < 200  # 600 where neighbours stay behind
