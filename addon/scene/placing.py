"""Where a new avatar stands: at the 3D cursor, or beside what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mathutils import Vector

from ...engine.core.types import FloatArray
from .. import keys

_FLESH = 0.15
"""Metres around the bones."""

_ROOM = 3.0
"""Metres; what is wider is a floor or a room, in which one stands."""


def stand_free(armature: Any, camera: Any | None, context: Any) -> None:
    """Move a person from the world's origin to the 3D cursor, and out of other avatars and bodies.

    If the user has not placed the cursor, also out of a mesh like the default scene's cube.

    Args:
        armature: of the avatar or body, in its pose.
        camera: of its photo, which moves along, or None.
        context: of Blender.
    """
    context.view_layer.update()
    taken = [
        _reach(other)
        for other in context.scene.objects
        if other.type == "ARMATURE"
        and other != armature
        and {keys.PART, keys.ORIGIN} & {*other.keys()}
    ]
    cursor = context.scene.cursor.location
    if not cursor.length:
        taken += _hiding(armature, context)
    _move(armature, camera, Vector(cursor), taken)


def stand_beside(armature: Any, camera: Any | None, others: Sequence[Any]) -> None:
    """Move an avatar along x out of others, given as armatures; see :func:`stand_free`."""
    _move(armature, camera, Vector(), [_reach(other) for other in others])


def _move(armature: Any, camera: Any | None, by: Vector, taken: Sequence[FloatArray]) -> None:
    """Move an avatar and its camera by a vector, and then along x until it overlaps no box [2, 2]
    (lowest and highest x and y)."""
    own = _reach(armature) + np.array(by[:2])
    right = 0.0
    while True:
        moved = own + np.array([right, 0.0])
        hit = [b for b in taken if (b[0] < moved[1]).all() and (moved[0] < b[1]).all()]
        if not hit:
            break
        right = max(float(box[1, 0]) for box in hit) - float(own[0, 0]) + 1e-3
    for obj in (armature, camera):
        if obj is not None:
            obj.location += by + Vector((right, 0.0, 0.0))


def _reach(armature: Any) -> FloatArray:
    """[2, 2] lowest and highest x and y of a posed person in the world."""
    bones = [b for b in armature.pose.bones if b.bone.use_deform]
    ends = [armature.matrix_world @ end for b in bones for end in (b.head, b.tail)]
    points = np.array(ends, np.float64)[:, :2]
    return np.stack([points.min(0) - _FLESH, points.max(0) + _FLESH])


def _hiding(armature: Any, context: Any) -> list[FloatArray]:
    """Boxes of visible meshes that enclose the person's middle."""
    root = next(b for b in armature.pose.bones if b.bone.use_deform)
    middle = np.array(armature.matrix_world @ root.head)
    boxes = []
    for obj in context.visible_objects:
        if obj.type != "MESH" or obj.parent == armature:
            continue
        corners = np.array([obj.matrix_world @ Vector(corner) for corner in obj.bound_box])
        low, high = corners.min(0), corners.max(0)
        if (low < middle).all() and (middle < high).all() and (high - low)[:2].max() < _ROOM:
            boxes.append(np.stack([low[:2], high[:2]]))
    return boxes
