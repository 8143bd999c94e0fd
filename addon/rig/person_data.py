"""Data of the person that a rig stores: sizes of shapes, the photo's pose, the body's vertices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.body.extension import NAPE
from ...engine.core.types import NUM_JOINTS, Avatar, LikenessError, Pose
from .. import keys
from ..scene.axes import points_to_blender
from ..scene.origin import template_origin
from .bone_shapes import add_shapes

_PIECES = ("skirt", NAPE)


def fit_rig(avatar: Avatar, armature: Any, body_object: Any) -> None:
    """Add the bones' shapes, and store the photo's pose."""
    body = avatar.body
    own = count_own_vertices(avatar)
    points = points_to_blender(body.v_template[:own].astype(np.float64)) + template_origin(armature)
    add_shapes(armature, points, body.weights[:own])
    body_object.data[keys.OWN_VERTICES] = own
    armature[keys.PHOTO_POSE] = np.concatenate(
        [np.ravel(a) for a in (avatar.pose.full_pose, avatar.pose.transl, avatar.pose.expression)]
    ).tolist()


def count_own_vertices(avatar: Avatar) -> int:
    """Number of vertices before those of pieces that the lift added."""
    body = avatar.body
    parts = [k for k, name in enumerate(body.part_names) if name in _PIECES]
    worn = np.unique(body.f[np.isin(body.face_part, parts)])
    return int(worn.min()) if len(worn) else len(body.v_template)


def read_photo_pose(armature: Any) -> Pose:
    """The photo's pose and expression.

    Raises:
        LikenessError: An older version made the scene, without the photo's pose.
    """
    kept = armature.get(keys.PHOTO_POSE)
    if kept is None:
        raise LikenessError(
            f"'{armature.name}' does not hold the photo's pose.",
            "It was made by an older version. Import the avatar again.",
        )
    values = np.array(kept, np.float64)
    cut = 3 * NUM_JOINTS
    return Pose(values[:cut].reshape(-1, 3), values[cut : cut + 3], values[cut + 3 :])
