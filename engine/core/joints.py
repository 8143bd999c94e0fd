"""The joints of SMPL-X: names, order and tree."""

from __future__ import annotations

JOINT_NAMES: tuple[str, ...] = (
    *"pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle".split(),
    *"spine3 left_foot right_foot neck left_collar right_collar head left_shoulder".split(),
    *"right_shoulder left_elbow right_elbow left_wrist right_wrist jaw".split(),
    *("left_eye_smplhf", "right_eye_smplhf"),
    *(
        f"{side}_{f}{k}"
        for side in ("left", "right")
        for f in "index middle pinky ring thumb".split()
        for k in (1, 2, 3)
    ),
)
"""The 55 joints of SMPL-X in its order."""

PARENTS: tuple[int, ...] = (
    *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15),
    *(
        parent
        for wrist, first in ((20, 25), (21, 40))
        for k in range(first, first + 15, 3)
        for parent in (wrist, k, k + 1)
    ),
)
"""Parent joint of each joint, -1 for the pelvis (SMPL-X's kinematic tree)."""

JOINT_INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINT_NAMES)}
NUM_JOINTS = len(JOINT_NAMES)
