"""Keys that the rig sets for the user, where Blender's auto-keying would."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def auto_keying(context: Any) -> bool:
    """Whether the user wants changes keyed."""
    return bool(context.scene.tool_settings.use_keyframe_insert_auto)


def key_bones(armature: Any, names: Iterable[str], frame: float) -> None:
    """Key rotation of bones, and location of those that are not held by a parent."""
    for name in names:
        bone = armature.pose.bones[name]
        path = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
        bone.keyframe_insert(
            path.get(bone.rotation_mode, "rotation_euler"), frame=frame, group=name
        )
        if bone.parent is None or not bone.bone.use_deform:
            bone.keyframe_insert("location", frame=frame, group=name)


def key_switch(armature: Any, name: str, prop: str, before: float, frame: float) -> None:
    """Key a switch at the frame; it jumps there, and holds what it was ``before``.

    The first key of a switch would also count for all frames before it. So it gets another one.
    """
    bone, path = armature.pose.bones[name], f'pose.bones["{name}"]["{prop}"]'
    if fcurve(armature, path) is None:
        now = bone[prop]
        bone[prop] = before
        bone.keyframe_insert(f'["{prop}"]', frame=frame - 1, group=name)
        bone[prop] = now
    bone.keyframe_insert(f'["{prop}"]', frame=frame, group=name)
    for point in fcurve(armature, path).keyframe_points:
        if frame - 1 <= point.co.x <= frame:
            point.interpolation = "CONSTANT"


def fcurve(owner: Any, path: str, index: int = 0) -> Any | None:
    """The animation curve of a property in the owner's present action, or None."""
    data = owner.animation_data
    if data is None or data.action is None or data.action_slot is None:
        return None
    for layer in data.action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(data.action_slot)
            found = bag.fcurves.find(path, index=index) if bag is not None else None
            if found is not None:
                return found
    return None
