"""The 55-bone SMPL-X armature; its rest pose is the T-pose in the person's shape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ...engine.core.types import JOINT_INDEX, JOINT_NAMES, PARENTS, FloatArray
from ..rig.bone_collections import arrange_bones
from ..rig.controls import bind_controls, control_bones
from ..rig.foot_roll import Boxes
from .axes import points_to_blender

_UP, _DOWN = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)  # Blender axes
_FRONT, _BACK = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0)

_TOWARDS = {
    "pelvis": "spine1",
    "spine1": "spine2",
    "spine2": "spine3",
    "spine3": "neck",
    "neck": "head",
    **{
        f"{s}_{a}": f"{s}_{b}"
        for s in ("left", "right")
        for a, b in (
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "foot"),
            ("collar", "shoulder"),
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "middle1"),
            *(
                (f"{f}{k}", f"{f}{k + 1}")
                for f in ("index", "middle", "pinky", "ring", "thumb")
                for k in (1, 2)
            ),
        )
    },
}
"""Joint -> the joint that its bone points at; the others have free ends."""

_FREE_END = {
    "head": (_UP, 0.18),
    "jaw": ((0.0, -0.87, -0.5), 0.08),
    "left_eye_smplhf": (_FRONT, 0.03),
    "right_eye_smplhf": (_FRONT, 0.03),
    "left_foot": (_FRONT, 0.06),
    "right_foot": (_FRONT, 0.06),
}
"""Joint -> direction and length in metres of its bone; fingertips continue their parent's bone."""

_MIN_LENGTH = 0.005
"""Metres; Blender deletes bones of zero length."""

_FACE = ("jaw", "left_eye_smplhf", "right_eye_smplhf")
_HAND = ("index", "middle", "pinky", "ring", "thumb")


def _roll_axis(name: str) -> tuple[float, float, float]:
    """Direction of the bone's z axis at rest: towards the inside of a bend.

    So the joint bends about x, and rotating about +x closes it: knees and elbows bend, fingers and
    hand close to the palm, back and head bow, the jaw opens, the foot points. Left and right agree.
    """
    if name.endswith(("hip", "knee")):
        return _BACK
    if "thumb" in name:  # its pad faces the palm, half back, half down
        return (0.0, 0.7, -0.7)
    if any(finger in name for finger in _HAND) or name.endswith(("wrist", "ankle", "foot")):
        return _DOWN
    return _DOWN if name in _FACE else _FRONT


def bone_tails(heads: FloatArray) -> FloatArray:
    """[55, 3] bone heads in Blender's axes -> their tails, at least ``_MIN_LENGTH`` away."""
    tails = np.empty_like(heads)
    for j, name in enumerate(JOINT_NAMES):
        parent = PARENTS[j]
        if name in _TOWARDS:
            along = heads[JOINT_INDEX[_TOWARDS[name]]] - heads[j]
        elif name in _FREE_END:
            direction, length = _FREE_END[name]
            along = np.array(direction) * length
        else:
            along = 0.8 * (heads[j] - heads[parent])
        length = float(np.linalg.norm(along))
        if length < _MIN_LENGTH:
            along = np.array(_UP) * 4 * _MIN_LENGTH
        tails[j] = heads[j] + along
    return tails


def create_armature(
    joints: FloatArray, name: str, collection: Any, context: Any, boxes: Boxes | None = None
) -> Any:
    """Create an armature object with one bone per joint and the controls, at rest.

    Args:
        joints: [55, 3] rest joints, engine axes, metres.
        name: of the object and its data.
        collection: linked to the context's scene; the new object goes into it.
        context: a Blender context in object mode.
        boxes: of the feet, in Blender's axes; typical ones if None.
    """
    heads = points_to_blender(np.asarray(joints, np.float64))
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    collection.objects.link(armature)
    with edit_armature(armature, context):
        for j, (head, tail) in enumerate(zip(heads, bone_tails(heads))):
            bone = data.edit_bones.new(JOINT_NAMES[j])
            bone.head, bone.tail = head.tolist(), tail.tolist()
            bone.align_roll(Vector(_roll_axis(JOINT_NAMES[j])))
            if PARENTS[j] >= 0:
                bone.parent = data.edit_bones[JOINT_NAMES[PARENTS[j]]]
        add_controls(data, heads, boxes or {}, np.zeros(3), heads[0])
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    bind_controls(armature)
    arrange_bones(armature)
    data.display_type = "STICK"
    armature.show_in_front = True
    return armature


@contextmanager
def edit_armature(armature: Any, context: Any) -> Iterator[None]:
    """Edit Mode of an armature, which becomes the active object; from and to Object Mode."""
    with context.temp_override(active_object=armature, object=armature):
        context.view_layer.objects.active = armature
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            yield
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")


def add_controls(
    data: Any, heads: FloatArray, boxes: Boxes, root: FloatArray, cog: FloatArray
) -> None:
    """In edit mode: add the controls to the joints' bones; see ``control_bones``. Those of an older
    rig get their new parents and keep their rest."""
    axes = {}
    for name in JOINT_NAMES:
        bone = data.edit_bones[name]
        axes[name] = np.array(bone.matrix)
        axes[name][3, 3] = bone.length
    for control in control_bones(axes, heads, boxes, root, cog):
        bone = data.edit_bones.get(control.name)
        if bone is None:
            bone = data.edit_bones.new(control.name)
            bone.head, bone.tail = control.head.tolist(), control.tail.tolist()
            bone.align_roll(Vector(control.z.tolist()))
            bone.use_deform = False
        if control.parent is not None:
            bone.parent = data.edit_bones[control.parent]
