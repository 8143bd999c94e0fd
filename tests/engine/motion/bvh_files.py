"""BVH files of our joints, under the names that many programs give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from likeness.engine.body.model import Body
from likeness.engine.core.types import JOINT_INDEX, JOINT_NAMES, PARENTS, FloatArray, Pose
from scipy.spatial.transform import Rotation

from tests.blender.mixamo import MIXAMO

BODY = list(range(22))
FINGERS = [
    JOINT_INDEX[f"{s}_{f}{k}"]
    for s in ("left", "right")
    for f in ("index", "middle", "thumb")
    for k in (1, 2, 3)
]
USED = BODY + FINGERS


def write_bvh(
    path: Path,
    body: Body,
    poses: list[Pose],
    rest: Pose,
    rng: np.random.Generator,
    scale: float = 1.0,
    turn: FloatArray | None = None,
) -> None:
    """A BVH file of what the body does, by way of SciPy: another rest pose, bones with axes of
    their own (a channel order each), scaled, and turned as a whole."""
    turn = np.eye(3) if turn is None else turn

    def world(pose: Pose) -> tuple[FloatArray, FloatArray]:
        local = Rotation.from_rotvec(pose.full_pose).as_matrix()
        R, at = np.zeros((55, 3, 3)), np.zeros((55, 3))
        for j, p in enumerate(PARENTS):
            R[j] = local[j] if p < 0 else R[p] @ local[j]
            at[j] = (
                body.J_template[j] + pose.transl
                if p < 0
                else at[p] + R[p] @ (body.J_template[j] - body.J_template[p])
            )
        return turn @ R, scale * at @ turn.T

    R_rest, at_rest = world(rest)
    orders = {j: "".join(rng.permutation(list("XYZ"))) for j in USED}
    kids = {j: [k for k in USED if PARENTS[k] == j] for j in USED}
    lines, sequence = ["HIERARCHY"], []

    def joint(j: int, depth: int) -> None:
        offset = at_rest[j] - (at_rest[PARENTS[j]] if depth else 0)
        order = " ".join(f"{a}rotation" for a in orders[j])
        place = "" if depth else "Zposition Xposition Yposition "
        lines.extend(
            [
                f"{'JOINT' if depth else 'ROOT'} {MIXAMO[JOINT_NAMES[j]]}",
                "{",
                f"OFFSET {offset[0]:.6f} {offset[1]:.6f} {offset[2]:.6f}",
                f"CHANNELS {3 if depth else 6} {place}{order}",
            ]
        )
        sequence.append(j)
        for k in kids[j]:
            joint(k, depth + 1)
        if not kids[j]:
            lines.extend(["End Site", "{", "OFFSET 0 0 1", "}"])
        lines.append("}")

    joint(0, 0)
    lines.extend(["MOTION", f"Frames: {len(poses)}", "Frame Time: 0.0333333"])
    for pose in poses:
        R, at = world(pose)
        own = R @ np.swapaxes(R_rest, 1, 2)  # BVH bones have the world's axes at rest
        values: list[float] = []
        for j in sequence:
            if j == 0:
                values += [at[0, 2], at[0, 0], at[0, 1]]
            local = own[j] if j == 0 else own[PARENTS[j]].T @ own[j]
            values += Rotation.from_matrix(local).as_euler(orders[j], degrees=True).tolist()
        lines.append(" ".join(f"{v:.6f}" for v in values))
    path.write_text("\n".join(lines), encoding="utf-8")
