"""HaMeR's output as an estimate of one or two hands (Pavlakos et al., CVPR 2024).

Its conventions, from its public code (``demo.py``, ``hamer/models/hamer.py``,
``hamer/datasets/vitdet_dataset.py``): OpenCV's frame; rotation matrices of MANO's right hand,
``global_orient`` of the whole hand and 15 joints in SMPL-X's order, from the flat hand as ours;
left hands are mirrored before the network sees them, so their rotations are those of a right
hand in a mirror; the crop's camera has its axis in the middle of the box. One hand's size in a
crop says little about its distance: only rotations are taken. The same arrays come from WiLoR.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...types import JOINT_INDEX, Camera
from .convert import MIRROR_X, TO_PHOTO, pixel_scale, sight_turn, vectors
from .dump import Dump
from .estimate import Estimate
from .smplx_rows import ALONE_TRUST, LEFT_HAND, RIGHT_HAND

KEYS = ("global_orient", "hand_pose", "right")


def from_hamer(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None = None, person: int = 0
) -> Estimate:
    """The estimate of the hands of one person.

    Args:
        dump: for N hands ``global_orient`` [N, 1, 3, 3], ``hand_pose`` [N, 15, 3, 3], ``right``
            [N] (1 or 0), and if there ``box_center`` [N, 2] and ``img_size`` [N, 2] in pixels,
            ``person`` [N] whose hand each is. Where a side comes twice, the last counts.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("HaMeR", KEYS)
    scale = pixel_scale(dump, camera, image_size)
    right = dump.rows("right", 1)[:, 0] > 0.5
    hands = np.arange(len(right))
    if "person" in dump:
        hands = hands[dump.rows("person", 1)[:, 0] == person]
    warnings: tuple[str, ...] = ()
    if "box_center" not in dump:
        warnings = (f"'{dump.path}' has no 'box_center': hands away from the photo's middle are "
                    "turned a little too far.",)  # fmt: skip
    estimate = Estimate.nothing("HaMeR")
    for hand in hands:
        whole = dump.row("global_orient", 9, hand).reshape(3, 3)
        fingers = dump.row("hand_pose", 135, hand).reshape(15, 3, 3)
        side, rows = ("right", RIGHT_HAND) if right[hand] else ("left", LEFT_HAND)
        if not right[hand]:
            whole, fingers = MIRROR_X @ whole @ MIRROR_X, MIRROR_X @ fingers @ MIRROR_X
        turn = np.eye(3)
        if not warnings:
            turn = sight_turn(scale * dump.row("box_center", 2, hand), camera)
        wrist = JOINT_INDEX[f"{side}_wrist"]
        estimate = estimate.with_rows(
            wrist, vectors(turn @ TO_PHOTO @ whole), ALONE_TRUST, in_world=True
        )
        estimate = estimate.with_rows(rows, vectors(fingers), ALONE_TRUST)
    return replace(estimate, warnings=warnings)
