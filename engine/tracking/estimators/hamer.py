"""HaMeR's output as an estimate of one or two hands (Pavlakos et al., CVPR 2024).

Its conventions, from its public code (``demo.py``, ``hamer/models/hamer.py``,
``hamer/datasets/vitdet_dataset.py``): OpenCV's frame; rotation matrices of MANO's right hand,
``global_orient`` of the whole hand and 15 joints in SMPL-X's order, from the flat hand as ours;
left hands are mirrored before the network sees them, so their rotations are those of a right
hand in a mirror; the crop's camera has its axis in the middle of the box. One hand's size in a
crop says little about its distance: only rotations are taken. The same arrays come from WiLoR.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, Camera, FloatArray, IntArray, Observation
from .convert import MIRROR_X, TO_PHOTO, pixel_scale, ray_rotation, to_axis_angles
from .dump import Dump
from .estimate import DenseGuide, PoseEstimate
from .smplx_rows import LEFT_HAND, RIGHT_HAND
from .smplx_rows import S as REGRESSOR


@dataclass(frozen=True)
class HamerSettings:
    """Whose hands HaMeR's are."""

    seen: float = 0.5  # visibility from which a wrist decides
    max_distance: float = 1.0  # box sizes from the wrist to the box's middle


S = register_settings("tracking.hamer", HamerSettings())


FOCAL, INPUT = 5000.0, 256.0
MESH_KEYS = ("pred_vertices", "pred_cam", "box_size")
KEYS = ("global_orient", "hand_pose", "right")
OF_HAND = {"global_orient": 9, "hand_pose": 135, "right": 1}
OF_BOX = {"box_center": 2, "box_size": 1, "person": 1}
WRISTS = {"left": 15, "right": 16}  # of the body landmarks


def from_hamer(
    dump: Dump,
    camera: Camera,
    image_size: tuple[int, int] | None = None,
    person: int | None = None,
    observation: Observation | None = None,
) -> PoseEstimate:
    """The estimate of the hands of one person.

    Args:
        dump: for N hands ``global_orient`` [N, 1, 3, 3], ``hand_pose`` [N, 15, 3, 3], ``right``
            [N] (1 or 0), and if present ``box_center`` [N, 2], ``box_size`` [N] and ``img_size``
            [N, 2] in pixels, ``person`` [N] whose hand each is, ``pred_vertices`` [N, 778, 3] and
            ``pred_cam`` [N, 3] as the network gives them.
        camera: the photo's.
        image_size: (width, height) of the picture that HaMeR saw; None for the camera's.
        person: takes the hands of that ``person`` only.
        observation: the person in the photo. Of several hands of a side, the one nearest to the
            seen wrist counts; hands whose boxes are far from it do not.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("HaMeR", KEYS)
    dump.check_counts(OF_HAND | OF_BOX)
    scale = pixel_scale(dump, camera, image_size)
    right = dump.rows("right", 1)[:, 0] > 0.5
    warnings: tuple[str, ...] = ()
    centres = None
    if "box_center" in dump:
        centres = scale * dump.rows("box_center", 2)
    else:
        warnings = (
            f"'{dump.path}' has no 'box_center': hands away from the photo's centre are "
            "turned slightly too far.",
        )
    estimate = PoseEstimate.nothing("HaMeR", "hamer")
    for side, rows in (("left", LEFT_HAND), ("right", RIGHT_HAND)):
        hands: IntArray = np.flatnonzero(right == (side == "right"))
        if person is not None and "person" in dump:
            hands = hands[dump.rows("person", 1)[hands, 0] == person]
        if observation is not None and centres is not None:
            sizes = scale * dump.rows("box_size", 1)[:, 0] if "box_size" in dump else None
            hands = _of_person(hands, centres, sizes, observation, side)
        if not len(hands):
            continue
        hand = int(hands[0])
        whole = dump.row("global_orient", 9, hand).reshape(3, 3)
        fingers = dump.row("hand_pose", 135, hand).reshape(15, 3, 3)
        if side == "left":
            whole, fingers = MIRROR_X @ whole @ MIRROR_X, MIRROR_X @ fingers @ MIRROR_X
        turn = np.eye(3) if centres is None else ray_rotation(centres[hand], camera)
        wrist = JOINT_INDEX[f"{side}_wrist"]
        estimate = estimate.with_rows(
            wrist, to_axis_angles(turn @ TO_PHOTO @ whole), REGRESSOR.alone_trust, in_world=True
        )
        estimate = estimate.with_rows(rows, to_axis_angles(fingers), REGRESSOR.alone_trust)
        if centres is not None and all(key in dump for key in MESH_KEYS):
            guide = _mesh(dump, hand, side, scale, turn)
            estimate = replace(estimate, dense=(*estimate.dense, guide))
    return replace(estimate, warnings=warnings)


def _mesh(dump: Dump, hand: int, side: str, scale: float, turn: FloatArray) -> DenseGuide:
    """Where a hand's vertices are seen: its crop's camera has a focal length of 5000 on 256."""
    vertices = dump.row("pred_vertices", 778 * 3, hand).reshape(778, 3)
    cam = dump.row("pred_cam", 3, hand)
    dump.positive("pred_cam", cam[0])
    size = scale * float(dump.row("box_size", 1, hand)[0])
    dump.positive("box_size", size)
    mirror = np.array([-1.0 if side == "left" else 1.0, 1.0, 1.0])
    shift = np.array([cam[1], cam[2], 2.0 * FOCAL / (INPUT * cam[0])])
    seen = (vertices + shift) * mirror
    dump.positive("pred_cam", float(seen[:, 2].min()))
    middle = scale * dump.row("box_center", 2, hand)
    pixels = middle + size / INPUT * FOCAL * seen[:, :2] / seen[:, 2:]
    return DenseGuide(f"{side}_hand", (vertices * mirror) @ (turn @ TO_PHOTO).T, pixels)


def _of_person(
    hands: IntArray,
    centres: FloatArray,
    sizes: FloatArray | None,
    observation: Observation,
    side: str,
) -> IntArray:
    """Those of ``hands`` that can be the observed person's, the likeliest first."""
    wrist = WRISTS[side]
    away = np.linalg.norm(centres[hands] - observation.pose[wrist], axis=1)
    if sizes is not None and observation.pose_visibility[wrist] > S.seen:
        near = away < S.max_distance * sizes[hands]
        hands, away = hands[near], away[near]
    return hands[np.argsort(away, kind="stable")]
