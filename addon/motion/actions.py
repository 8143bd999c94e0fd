"""Poses -> an action on an avatar's armature, through slots and channelbags.

An action has one slot with the joints' quaternions, the root's location and the expressions. Keys
are written in bulk and in slices, because a long clip has a hundred thousand of them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.types import JOINT_INDEX, JOINT_NAMES, FloatArray, LikenessError
from .. import keys
from ..rig.bone_names import RigBones, bone_path
from ..rig.control_names import FACE, IK, LOOK
from ..rig.swing_bones import rest_swing_bones
from ..scene.axes import points_to_blender
from ..scene.body_object import expression_names
from .bone_pose import PELVIS, channel_poses, get_rest_axes, pose_channels

CONSTANT, LINEAR = 0, 1
"""Blender's numbers of interpolation modes."""


_ROWS = 200  # frames that one slice converts to quaternions
_SWITCHES = (f'["{IK}"]', f'["{LOOK}"]')
_FIRST_RANGE = (1, 250)  # of a new scene


@dataclass(frozen=True)
class ActionOptions:
    """Options of a new action.

    Attributes:
        start: frame of the first key.
        cyclic: repeat the action forever.
        nla: push the action down into a strip of the NLA.
        scene_range: set the scene's frame range to the action's: ``auto`` (if it is still the
            default, or an earlier motion's), ``always`` or ``never``.
        scene_rate: set the scene's frame rate to the motion's.
        others: what joints and expressions do that the motion does not know: ``ease`` (at ease,
            with a neutral face), ``rest`` (as at rest) or ``keep`` (as they are). Strips of the
            NLA, which are mixed, leave them alone.
    """

    start: int = 1
    cyclic: bool = False
    nla: bool = False
    scene_range: str = "auto"
    scene_rate: bool = False
    others: str = "ease"


def write_action(
    armature: Any, motion: Any, name: str, options: ActionOptions, scene: Any
) -> Generator[None, None, Any]:
    """Give an avatar's armature a new action, in slices of a few milliseconds.

    If the generator is closed early, nothing is left behind. The former action stays in the file.

    Args:
        armature: of the avatar.
        motion: ``engine.motion.prepare_motion.PreparedMotion``, at the scene's frame rate.
        name: of the action.
        options: of the action.
        scene: of Blender.

    Returns:
        The action, by the generator.
    """
    action = bpy.data.actions.new(name)
    try:
        yield from _fill(action, armature, motion, options)
        yield
        _give(armature, action, name, motion, options, scene)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    return action


def find_channelbag(action: Any, slot: Any) -> Any | None:
    """The channelbag with the f-curves of a slot, or None."""
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot)
            if bag is not None:
                return bag
    return None


def create_channelbag(action: Any, name: str) -> tuple[Any, Any]:
    """Add a slot for objects to a new action; returns (slot, channelbag)."""
    slot = action.slots.new(id_type="OBJECT", name=name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return slot, strip.channelbag(slot, ensure=True)


def _fill(
    action: Any, armature: Any, motion: Any, options: ActionOptions
) -> Generator[None, None, None]:
    _, bag = create_channelbag(action, armature.name)
    count = len(motion)
    frames = options.start + np.arange(count, dtype=np.float64)
    ends_shot = np.zeros(count, bool)  # the frame before a cut holds
    ends_shot[:-1] = motion.shot[1:] != motion.shot[:-1]
    kinds = np.where(ends_shot, CONSTANT, LINEAR).astype(np.int32)
    quats, location = np.empty((count, len(JOINT_NAMES), 4)), np.empty((count, 3))
    for first in range(0, count, _ROWS):
        rows = slice(first, first + _ROWS)
        poses, transl = motion.full_pose[rows], motion.transl[rows]
        quats[rows], location[rows] = pose_channels(poses, transl, armature)
        yield
    from ...engine.motion.placing import align_quat_signs

    quats = align_quat_signs(quats)
    for j, joint in enumerate(JOINT_NAMES):
        if motion.known[j]:
            write_curves(bag, _turning(armature, joint), joint, frames, quats[:, j], kinds)
            yield
    others = options.others != "keep" and not options.nla
    travels = bool(motion.known[JOINT_INDEX[PELVIS]]) or np.ptp(motion.transl, axis=0).max() > 0
    if travels or others:  # a motion of the face alone leaves the body where it is
        at = slice(None) if travels else slice(1)
        path = bone_path(armature, PELVIS, "location")
        write_curves(bag, path, PELVIS, frames[at], location[at], kinds[at])
    if others:
        still = _others_pose(options.others)
        resting, _ = pose_channels(still, np.zeros(3), armature)
        for j in np.flatnonzero(~np.asarray(motion.known, bool)):
            joint = JOINT_NAMES[j]
            path = _turning(armature, joint)
            write_curves(bag, path, joint, frames[:1], resting[[j]], kinds[:1])
        yield
    if motion.face or others:
        at = slice(None) if motion.face else slice(1)
        for k, expression in enumerate(expression_names(armature)):
            path = f'pose.bones["{FACE}"]["{bpy.utils.escape_identifier(expression)}"]'
            values = motion.expression[:, [k]] if motion.face else np.zeros((1, 1))
            write_curves(bag, path, FACE, frames[at], values, kinds[at], False)
            yield
    if options.cyclic:
        for curve in bag.fcurves:
            modifier = curve.modifiers.new("CYCLES")
            if curve.data_path.endswith(".location"):
                modifier.mode_before = modifier.mode_after = "REPEAT_OFFSET"
    action.use_frame_range = True
    action.frame_start, action.frame_end = float(frames[0]), float(frames[-1])
    action.use_cyclic = options.cyclic


def _turning(armature: Any, joint: str) -> str:
    return bone_path(armature, joint, "rotation_quaternion")


def _others_pose(how: str) -> FloatArray:
    """[55, 3] radians: at ease, or all joints at rest."""
    from ...engine.poses import find_pose

    out = np.zeros((len(JOINT_NAMES), 3))
    if how == "ease":
        for name, turn in find_pose("relaxed").joints.items():
            out[JOINT_INDEX[name]] = turn
    return out


def write_curves(
    bag: Any,
    path: str,
    group: str,
    frames: FloatArray,
    values: FloatArray,
    kinds: Any,
    array: bool = True,
) -> None:
    """Add f-curves of a property with keys at ``frames`` [T] and ``values`` [T, n]."""
    found = bag.groups.get(group) or bag.groups.new(group)
    for index in range(values.shape[1]):
        curve = bag.fcurves.new(path, index=index) if array else bag.fcurves.new(path)
        curve.group = found
        set_keys(curve, frames, values[:, index], kinds)


def set_keys(curve: Any, frames: FloatArray, values: FloatArray, kinds: Any) -> None:
    """Replace the keys of an f-curve."""
    points = curve.keyframe_points
    if len(points) != len(frames):
        points.clear()
        points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], 1).astype(np.float32).ravel())
    points.foreach_set("interpolation", kinds)
    curve.update()


def _give(
    armature: Any, action: Any, name: str, motion: Any, options: ActionOptions, scene: Any
) -> None:
    """Assign the new action to the armature, and set up the timeline."""
    from ..rig.controls import release_controls

    data = armature.animation_data_create()
    if data.action is not None:
        data.action.use_fake_user = True  # keeps the former action when the file is saved
    action.use_fake_user = True
    slot = action.slots[0]
    bag = find_channelbag(action, slot)
    assert bag is not None
    paths = {curve.data_path for curve in bag.fcurves}
    if options.nla:
        data.action = None
        track = data.nla_tracks.new()
        track.name = name
        strip = track.strips.new(name, options.start, action)
        strip.action_slot = slot
        if options.cyclic:
            strip.repeat = 4.0
    else:
        data.action = action
        data.action_slot = slot
    for joint in JOINT_NAMES:
        if _turning(armature, joint) in paths:  # whatever mode the user has set
            RigBones(armature)[joint].rotation_mode = "QUATERNION"
    release_controls(armature)
    rest_swing_bones(armature)
    if options.scene_rate:
        set_rate(scene, float(motion.frame_rate))
    last = options.start + len(motion) - 1
    now = (scene.frame_start, scene.frame_end)
    new = now in (_FIRST_RANGE, tuple(scene.get(keys.MOTION_RANGE, ())))
    if last > options.start and (
        options.scene_range == "always" or (options.scene_range == "auto" and new)
    ):
        scene.frame_start = max(0, options.start)
        # the last frame of a loop equals the first
        scene.frame_end = last - options.cyclic
        scene[keys.MOTION_RANGE] = [scene.frame_start, scene.frame_end]
    scene.frame_set(options.start)


def set_rate(scene: Any, rate: float) -> None:
    """Set a scene's frame rate, including fractional ones such as 29.97."""
    whole = max(1, round(rate))
    scene.render.fps = whole
    scene.render.fps_base = whole / rate


def motion_name(path: Path) -> str:
    """Name of an action from a file."""
    return path.stem or "Motion"


def check_local(action: Any) -> None:
    """Check that an action's keys can be changed; reloading the file would undo it otherwise.

    Raises:
        LikenessError: The action is linked from another file.
    """
    if action.library is not None:
        raise LikenessError(
            f"The action '{action.name}' is linked from another file.",
            "Make it local (Object > Relations > Make Local).",
        )


def find_current_channelbag(armature: Any) -> Any:
    """The channelbag of the armature's current action, to change its keys.

    Raises:
        LikenessError: The armature has no action, an empty one, or one of another file.
    """
    data = armature.animation_data
    bag = None
    if data is not None and data.action is not None and data.action_slot is not None:
        bag = find_channelbag(data.action, data.action_slot)
    if bag is None or not len(bag.fcurves):
        raise LikenessError(f"'{armature.name}' has no animation.", "Import a motion first.")
    check_local(data.action)
    return bag


def smooth_action(
    armature: Any, sigma: float, keep_feet: bool, target: dict[str, Any]
) -> Generator[None, None, int]:
    """Smooth an avatar's action with a symmetric filter; the generator returns the curves' number.

    Cuts (constant keys) and the keys of switches are kept. It runs in slices of some hundredths of
    a second, between which nothing may be undone. It must run to its end: the last slices write.

    Args:
        armature: of the avatar.
        sigma: standard deviation of the filter in frames.
        keep_feet: keep the standing foot in place by moving the root.
        target: of :func:`.record.describe_target`.

    Raises:
        LikenessError: The armature has no animation, or fewer than three frames of it.
    """
    from ...engine.motion.placing import align_quat_signs, gaussian_blur

    bag = find_current_channelbag(armature)
    first, last = armature.animation_data.action.frame_range
    frames = np.arange(round(first), round(last) + 1, dtype=np.float64)
    if len(frames) < 3:
        raise LikenessError("The action has fewer than three frames.", "Choose a longer one.")
    cuts = _cuts(bag, frames)
    kinds = np.where(np.isin(np.arange(len(frames)), cuts - 1), CONSTANT, LINEAR).astype(np.int32)
    groups: dict[str, dict[int, Any]] = {}
    for curve in bag.fcurves:
        if not curve.data_path.endswith(_SWITCHES):
            groups.setdefault(curve.data_path, {})[curve.array_index] = curve
    before, after = {}, {}
    for path, curves in groups.items():
        before[path] = _sampled(curves, frames)
        yield
    for path, values in before.items():
        turning = path.endswith("rotation_quaternion") and values.shape[1] == 4
        smooth = align_quat_signs(values) if turning else values
        parts = np.split(smooth, cuts)
        smooth = np.concatenate([gaussian_blur(part, sigma) for part in parts])
        if turning:
            smooth = smooth / np.linalg.norm(smooth, axis=1, keepdims=True)
        after[path] = smooth
        yield
    if keep_feet:
        yield from _hold_feet(armature, before, after, target, sigma, cuts)
    count = 0
    for path, curves in groups.items():
        for column, index in enumerate(sorted(curves)):
            set_keys(curves[index], frames, after[path][:, column], kinds)
            count += 1
        yield
    return count


def _cuts(bag: Any, frames: FloatArray) -> Any:
    """Rows of ``frames`` that start a new shot: the key before them is constant."""
    points = max((curve.keyframe_points for curve in bag.fcurves), key=len)
    kinds, co = np.empty(len(points), np.int32), np.empty(2 * len(points), np.float32)
    points.foreach_get("interpolation", kinds)
    points.foreach_get("co", co)
    if len(points) < len(frames):  # keyed by hand, without shots
        return np.zeros(0, np.int64)
    held = co[::2][kinds == CONSTANT] + 1 - frames[0]
    return np.array([row for row in np.round(held).astype(int) if 0 < row < len(frames)], np.int64)


def _sampled(curves: dict[int, Any], frames: FloatArray) -> FloatArray:
    """[T, n] values of a property's curves at each frame."""
    columns = []
    for index in sorted(curves):
        curve, points = curves[index], curves[index].keyframe_points
        co = np.empty(2 * len(points), np.float32)
        points.foreach_get("co", co)
        dense = len(points) == len(frames) and np.allclose(co[::2], frames)
        values = co[1::2] if dense else [curve.evaluate(frame) for frame in frames]
        columns.append(np.asarray(values, np.float64))
    return np.stack(columns, 1)


def _hold_feet(
    armature: Any,
    before: dict[str, FloatArray],
    after: dict[str, FloatArray],
    target: dict[str, Any],
    sigma: float,
    cuts: Any,
) -> Generator[None, None, None]:
    """Move the root so that the lower foot stays in place."""
    from ...engine.motion.placing import TargetAvatar, foot_lock_offsets, gaussian_blur

    path = bone_path(armature, PELVIS, "location")
    if path not in before or before[path].shape[1] != 3:
        return
    kept = TargetAvatar.of_json(target)
    count = len(before[path])
    shift = np.empty((count, 3))
    for first in range(0, count, _ROWS):
        rows = slice(first, first + _ROWS)
        pose_was, was_at = _poses(armature, {key: v[rows] for key, v in before.items()})
        yield
        pose_now, now_at = _poses(armature, {key: v[rows] for key, v in after.items()})
        yield
        shift[rows] = foot_lock_offsets(pose_was, was_at, pose_now, now_at, kept)
        yield
    shift = np.concatenate([gaussian_blur(part, 0.5 * sigma) for part in np.split(shift, cuts)])
    after[path] = after[path] + points_to_blender(shift) @ get_rest_axes(armature)[0]


def _poses(armature: Any, values: dict[str, FloatArray]) -> Any:
    """full_pose [T, 55, 3] in radians and transl [T, 3] in metres of curves."""
    location = values[bone_path(armature, PELVIS, "location")]
    quats = np.empty((len(location), len(JOINT_NAMES), 4))
    for j, joint in enumerate(JOINT_NAMES):
        curves = values.get(_turning(armature, joint))
        still = RigBones(armature)[joint].matrix_basis.to_quaternion()
        quats[:, j] = np.array(still) if curves is None or curves.shape[1] != 4 else curves
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    return channel_poses(quats, location, armature)
