"""Keyframes that the rig inserts when auto keying is on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .bone_names import RigBones, bone_path
from .control_names import EYES_TARGET, HEAD_TARGET, IK, LIMBS, LOOK, PARENT, STRETCH, ik_control


def is_auto_keying(context: Any) -> bool:
    """Whether auto keying is on."""
    return bool(context.scene.tool_settings.use_keyframe_insert_auto)


def key_bones(armature: Any, names: Iterable[str], frame: float) -> None:
    """Key the rotation of bones, and the location of bones without a parent."""
    for name in names:
        bone = RigBones(armature).get(name)
        if bone is None:
            continue  # an older rig
        path = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
        bone.keyframe_insert(
            path.get(bone.rotation_mode, "rotation_euler"), frame=frame, group=name
        )
        if bone.parent is None or not bone.bone.use_deform:
            bone.keyframe_insert("location", frame=frame, group=name)


def key_properties(armature: Any, name: str, props: Iterable[str], frame: float) -> None:
    """Key custom properties of a bone."""
    for prop in props:
        RigBones(armature)[name].keyframe_insert(f'["{prop}"]', frame=frame, group=name)


def read_switches(armature: Any) -> dict[tuple[str, str], float]:
    """Bone and property of every switch, and of every limb's stretch -> its value."""
    bones = RigBones(armature)
    controls = (*map(ik_control, LIMBS), HEAD_TARGET, EYES_TARGET)
    every = ((name, prop) for name in controls for prop in (IK, LOOK, PARENT, STRETCH))
    return {(name, prop): bones[name][prop] for name, prop in every if prop in bones[name]}


def key_switches(armature: Any, before: dict[tuple[str, str], float], frame: float) -> None:
    """Key the switches that differ from ``before``.

    Switches get constant interpolation; how far a limb stretches changes gradually, as the pose
    does. The first key would also apply to earlier frames, so the former value is keyed on the
    frame before.
    """
    for (name, prop), value in read_switches(armature).items():
        if value == before[name, prop]:
            continue
        bone, path = RigBones(armature)[name], bone_path(armature, name, f'["{prop}"]')
        if find_fcurve(armature, path) is None:
            bone[prop] = before[name, prop]
            key_properties(armature, name, (prop,), frame - 1)
            bone[prop] = value
        key_properties(armature, name, (prop,), frame)
        if prop == STRETCH:
            continue
        curve = find_fcurve(armature, path)
        points = () if curve is None else curve.keyframe_points
        until_now = [p for p in points if p.co.x <= frame]
        for point in until_now[-2:]:  # keys are in order of time
            point.interpolation = "CONSTANT"


def find_fcurve(owner: Any, path: str, index: int = 0) -> Any | None:
    """The f-curve of a property in the owner's current action, or None."""
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
