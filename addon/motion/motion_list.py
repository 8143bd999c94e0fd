"""The motions of an avatar: which it has, switch, mix, trim, delete."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...engine.core.types import LikenessError
from .. import keys
from ..rig.control_names import COG, FACE, ROOT
from ..rig.swing_bones import rest_swing_bones
from .actions import (
    CONSTANT,
    LINEAR,
    check_local,
    find_channelbag,
    find_current_channelbag,
    set_keys,
)

_FACE_WORDS = (FACE, "jaw", "eye")
_LOWER_WORDS = (ROOT, COG, "pelvis", "hip", "knee", "ankle", "foot")
"""Words in the names of bones and controls of these parts."""

_OVER, _AFTER = "Over", "After"

PARTS = ("ALL", "UPPER", "FACE")
"""What of a motion is laid over another: everything, all above the hips, the face."""


def remember_motion(armature: Any, action: Any) -> None:
    """Add an action to the avatar's motions, which keeps it in the file."""
    known = armature.get(keys.MOTIONS) or {}
    if action not in known.values():
        kept = [a for a in known.values() if a is not None] + [action]
        armature[keys.MOTIONS] = {str(k): a for k, a in enumerate(kept)}


def list_motions(armature: Any) -> list[Any]:
    """The avatar's actions by name: remembered, in use, or imported by an earlier version."""
    found = [a for a in (armature.get(keys.MOTIONS) or {}).values() if a is not None]
    data = armature.animation_data
    if data is not None:
        found += [data.action, *(s.action for track in data.nla_tracks for s in track.strips)]
    for action in bpy.data.actions:
        if keys.MOTION in action and armature.name in [s.name_display for s in action.slots]:
            found.append(action)
    # By full names: one that is linked may have the name of one in this file.
    named = {str(a.name_full): a for a in found if a is not None}
    return [named[name] for name in sorted(named)]


def check_motion(armature: Any) -> None:
    """Check that keys can be added to the avatar's current motion, if it has one.

    Raises:
        LikenessError: The motion is linked from another file.
    """
    data = armature.animation_data
    if data is not None and data.action is not None:
        check_local(data.action)


def get_motion(armature: Any, name: str) -> Any:
    """The avatar's action of that name, which for a linked one may include its file.

    Raises:
        LikenessError: It has none.
    """
    motions = list_motions(armature)
    for key in ("name_full", "name"):
        for action in motions:
            if getattr(action, key) == name:
                return action
    raise LikenessError(f"'{armature.name}' has no motion '{name}'.", "Choose one from the list.")


def is_mixed(armature: Any) -> bool:
    """Whether strips of the NLA move the avatar, not one action."""
    data = armature.animation_data
    return (
        data is not None
        and data.action is None
        and any(t.strips and not t.mute for t in data.nla_tracks)
    )


def use_motion(armature: Any, action: Any | None, scene: Any) -> None:
    """Let one motion move the avatar, or the strips of the NLA if ``action`` is None.

    The scene's frame range follows if it was that of a motion.
    """
    from ..rig.controls import release_controls

    data = armature.animation_data_create()
    if data.action is not None:
        remember_motion(armature, data.action)
    for track in data.nla_tracks:
        track.mute = action is not None
    data.action = action
    rest_swing_bones(armature)
    strips = [strip for track in data.nla_tracks for strip in track.strips]
    if action is not None:
        remember_motion(armature, action)
        data.action_slot = _slot(action)
        if keys.MOTION in action:
            release_controls(armature)
        _follow_range(scene, *action.frame_range)
    elif strips:
        _follow_range(scene, min(s.frame_start for s in strips), max(s.frame_end for s in strips))
    scene.frame_set(scene.frame_start)


def mix_motion(
    armature: Any, action: Any, scene: Any, after: bool, frames: int, influence: float, part: str
) -> None:
    """Add a motion to what moves the avatar, as strips of the NLA.

    Args:
        armature: of the avatar, which has a motion.
        action: to add.
        scene: of Blender.
        after: follow what there is, faded in; otherwise run with it from its first frame.
        frames: length of the fade.
        influence: 0..1, of a motion that runs with the others.
        part: of ``PARTS``, of a motion that runs with the others.

    Raises:
        LikenessError: Nothing moves the avatar yet.
    """
    data = armature.animation_data
    if data is None or (data.action is None and not is_mixed(armature)):
        raise LikenessError(
            "No motion is in use to mix this one with.", "Choose a motion from the list."
        )
    if data.action is not None:
        base = data.action
        remember_motion(armature, base)
        known = list(armature[keys.MOTIONS].values())
        for track in data.nla_tracks[:]:
            if all(strip.action in known for strip in track.strips):  # of an earlier mix
                data.nla_tracks.remove(track)
            else:
                track.mute = True
        data.action = None
        _add_strip(data, base, base.name, base.frame_range[0])
    strips = [strip for track in data.nla_tracks for strip in track.strips if not track.mute]
    first, last = min(s.frame_start for s in strips), max(s.frame_end for s in strips)
    remember_motion(armature, action)
    if after:
        strip = _add_strip(data, action, f"{_AFTER} {action.name}", last - frames)
    else:
        used = action if part == "ALL" else _copy_part(action, part)
        remember_motion(armature, used)
        strip = _add_strip(data, used, f"{_OVER} {action.name}", first)
        if influence < 1.0:
            strip.use_animated_influence = True
            # Blender reads it from the curve that the line above has made
            strip.fcurves.find("influence").keyframe_points.insert(strip.frame_start, influence)
    if influence == 1.0 or after:
        strip.use_auto_blend = False
        strip.blend_in = float(min(frames, strip.frame_end - strip.frame_start))
    _follow_range(scene, first, max(last, strip.frame_end))
    scene.frame_set(scene.frame_current)


def trim_motion(armature: Any, first: int, last: int, scene: Any) -> None:
    """Remove the current motion's keys outside a range of frames, and key its ends.

    Raises:
        LikenessError: The avatar has no current motion, or the range is empty.
    """
    bag = find_current_channelbag(armature)
    if last <= first:
        raise LikenessError(
            f"The last frame, {last}, must come after the first, {first}.", "Choose a later end."
        )
    for curve in bag.fcurves:
        _trim_curve(curve, first, last)
    action = armature.animation_data.action
    action.frame_start, action.frame_end = float(first), float(last)
    _follow_range(scene, first, last)


def delete_motion(armature: Any, action: Any, scene: Any) -> None:
    """Remove a motion from the file, with its strips."""
    data = armature.animation_data
    if data is not None:
        for track in data.nla_tracks[:]:
            for strip in track.strips[:]:
                if strip.action == action:
                    track.strips.remove(strip)
            if not track.strips:
                data.nla_tracks.remove(track)
    bpy.data.actions.remove(action)
    scene.frame_set(scene.frame_current)


def own_motions(armature: Any, copies: dict[Any, Any]) -> None:
    """Let a copied armature have copies of its motions.

    Args:
        armature: the copy.
        copies: action -> its copy; more are added.
    """
    known = armature.get(keys.MOTIONS)
    if known:
        found = [action for action in known.values() if action is not None]
        for action in found:
            copies.setdefault(action, None)
            copies[action] = copies[action] or action.copy()
        armature[keys.MOTIONS] = {str(k): copies[action] for k, action in enumerate(found)}


def _slot(action: Any) -> Any:
    return next(slot for slot in action.slots if slot.target_id_type in ("OBJECT", "UNSPECIFIED"))


def _add_strip(data: Any, action: Any, name: str, start: float) -> Any:
    track = data.nla_tracks.new()
    track.name = name
    strip = track.strips.new(name, round(start), action)
    strip.action_slot = _slot(action)
    # held backwards it would hide the strips below
    strip.extrapolation = "HOLD_FORWARD" if len(data.nla_tracks) > 1 else "HOLD"
    return strip


def _copy_part(action: Any, part: str) -> Any:
    """A copy of an action with the curves of a part of the body."""
    copy = action.copy()
    copy.name = f"{action.name} {part.lower()}"
    bag = find_channelbag(copy, _slot(copy))
    assert bag is not None
    for curve in bag.fcurves[:]:
        if not _is_of_part(curve.data_path.split('"')[1], part):
            bag.fcurves.remove(curve)
    return copy


def _is_of_part(bone: str, part: str) -> bool:
    words = _FACE_WORDS if part == "FACE" else _LOWER_WORDS
    return any(word in bone for word in words) == (part == "FACE")


def _trim_curve(curve: Any, first: int, last: int) -> None:
    points = curve.keyframe_points
    ends = [curve.evaluate(first), curve.evaluate(last)]
    kinds, co = np.empty(len(points), np.int32), np.empty(2 * len(points), np.float32)
    points.foreach_get("interpolation", kinds)
    points.foreach_get("co", co)
    frames, values = co[::2], co[1::2]
    if np.isin(kinds, (CONSTANT, LINEAR)).all():
        inside = (frames > first) & (frames < last)
        before = np.flatnonzero(frames <= first)
        start = kinds[before[-1]] if len(before) else LINEAR
        set_keys(
            curve,
            np.concatenate([[first], frames[inside], [last]]),
            np.concatenate([ends[:1], values[inside], ends[1:]]),
            np.concatenate([[start], kinds[inside], [LINEAR]]).astype(np.int32),
        )
        return
    for frame, value in zip((first, last), ends):
        points.insert(frame, value)
    for k in reversed(range(len(points))):  # removal moves those that follow
        if not first <= points[k].co.x <= last:
            points.remove(points[k], fast=True)
    curve.update()


def _follow_range(scene: Any, first: float, last: float) -> None:
    """Set the scene's frame range if it was that of a motion, or the default."""
    now = (scene.frame_start, scene.frame_end)
    if now in ((1, 250), tuple(scene.get(keys.MOTION_RANGE, ()))):
        scene.frame_start, scene.frame_end = max(0, round(first)), round(last)
        scene[keys.MOTION_RANGE] = [scene.frame_start, scene.frame_end]
