"""Secondary motion of hair and skirts, baked to keys on bones of their own."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ...engine.core.types import JOINT_NAMES, FloatArray, LikenessError
from ..rig.bone_names import RigBones, bone_path
from ..rig.swing_bones import COLLECTION, PREFIX, rest_swing_bones, swing_bone, swing_bones
from ..scene.avatar_objects import AvatarObjects
from ..scene.axes import TO_BLENDER, rotations_to_blender, rotations_to_engine
from ..scene.origin import template_origin
from ..scene.steps import in_thread
from ..scene.swing_body import add_swing, check_can_swing, remove_swing, take_swing_avatar
from .actions import LINEAR, create_channelbag, find_channelbag, write_curves
from .bone_pose import check_joints
from .motion_list import check_motion, is_mixed, list_motions, remember_motion
from .record import get_frame_rate, isolate_armature

if TYPE_CHECKING:
    from ...engine.gaussians.swing_rig import SwingRig
    from ...engine.motion.swing_options import SwingOptions

_FRAMES_PER_SLICE = 4
_STILL = 1e-6
"""Metres and parts of a unit quaternion; bones that move less get no keys."""


def has_swing(armature: Any) -> bool:
    """Whether an armature has bones that swing."""
    return bool(swing_bones(armature))


def bake_swing(
    objects: AvatarObjects, options: SwingOptions, context: Any
) -> Generator[None, None, int]:
    """Let hair and skirt swing over the scene's frame range, and key it; former keys go.

    It runs in slices, between which nothing may change.

    Args:
        objects: of the avatar.
        options: how it swings.
        context: of Blender.

    Returns:
        The number of keyed bones, by the generator.

    Raises:
        LikenessError: The avatar has neither long hair nor a skirt, the range has a single frame,
            or the avatar or its motion cannot be changed.
    """
    armature, scene = objects.armature, context.scene
    check_can_swing(objects)
    check_joints(armature)
    check_motion(armature)
    frames, cyclic = _frames(armature, scene)
    if len(frames) < 2:
        raise LikenessError(
            "The scene's range has a single frame.", "Set its start and end to those of the motion."
        )
    with _unevaluated(objects.splats):
        count = yield from _bake(objects, options, context, frames, cyclic)
    scene.frame_set(scene.frame_current)
    return count


@contextmanager
def _unevaluated(splats: Any) -> Iterator[None]:
    """Keep Blender from moving the splats between the slices."""
    hidden = splats.hide_viewport
    splats.hide_viewport = True
    try:
        yield
    finally:
        splats.hide_viewport = hidden


def _bake(
    objects: AvatarObjects, options: SwingOptions, context: Any, frames: range, cyclic: bool
) -> Generator[None, None, int]:
    armature = objects.armature
    read = take_swing_avatar(objects)
    yield

    def prepare() -> Any:
        from ...engine.gaussians.swing_rig import make_swing_rig
        from ...engine.scene.files import pack_avatar

        avatar = read()
        swung, rig, binding = make_swing_rig(avatar)
        return rig, binding, pack_avatar(swung) if len(binding.source) else b""

    rig, binding, kept = yield from in_thread(prepare)
    yield from clear_swing(objects, context)  # not before it is known that there will be new ones
    yield from add_swing(objects, rig, binding, kept, context)
    worlds, joints = yield from _record(armature, frames)

    def swing() -> FloatArray:
        return _channels(armature_rest, worlds, joints, rig, options, rate, cyclic)

    rate, armature_rest = get_frame_rate(context.scene), _Rest(armature, rig)
    basis = yield from in_thread(swing)
    return (yield from _write(armature, rig, np.array(frames, float), basis, cyclic))


def clear_swing(objects: AvatarObjects, context: Any) -> Generator[None, None, None]:
    """Remove the bones that swing, with their keys in every motion of the avatar, in slices."""
    armature = objects.armature
    if not has_swing(armature):
        return
    check_can_swing(objects)
    rest_swing_bones(armature)
    data = armature.animation_data
    for action in list_motions(armature):
        if action.library is not None:
            continue
        for slot in action.slots:
            bag = find_channelbag(action, slot)
            if bag is None:
                continue
            for curve in list(bag.fcurves):
                if curve.data_path.startswith(f'pose.bones["{PREFIX}'):
                    bag.fcurves.remove(curve)
            yield
    for track in [] if data is None else list(data.nla_tracks):
        if track.name == COLLECTION:
            actions = [strip.action for strip in track.strips]
            data.nla_tracks.remove(track)
            for action in actions:
                if action is not None and action.users - action.use_fake_user == 0:
                    bpy.data.actions.remove(action)
    yield from remove_swing(objects, context)


def _frames(armature: Any, scene: Any) -> tuple[range, bool]:
    """The frames to bake, and whether they repeat."""
    data = armature.animation_data
    action = data.action if data is not None else None
    if action is not None and action.use_frame_range and action.use_cyclic:
        first, last = (round(x) for x in action.frame_range)
        return range(first, last + 1), True
    return range(scene.frame_start, scene.frame_end + 1), False


def _record(armature: Any, frames: range) -> Generator[None, None, tuple[FloatArray, FloatArray]]:
    """[T, 4, 4] the object in the world, and [T, 55, 4, 4] its joints' bones."""
    worlds, joints = np.empty((len(frames), 4, 4)), np.empty((len(frames), 55, 4, 4))
    with isolate_armature(armature) as at:
        for k, frame in enumerate(frames):
            seen = at(frame)
            bones = RigBones(seen)
            worlds[k] = np.array(seen.matrix_world)
            joints[k] = [bones[name].matrix for name in JOINT_NAMES]
            if k % _FRAMES_PER_SLICE == 0:
                yield
    return worlds, joints


class _Rest:
    """The rest of the bones, read in Blender's thread."""

    def __init__(self, armature: Any, rig: SwingRig) -> None:
        bones, ends = RigBones(armature), rig.ends()
        self.joints = np.array([bones[name].bone.matrix_local for name in JOINT_NAMES])
        self.links = np.array(
            [
                armature.data.bones[swing_bone(ends[link][0], JOINT_NAMES[joint])].matrix_local
                for link, joint in zip(rig.link.tolist(), rig.joint.tolist())
            ]
        )
        self.place = template_origin(armature)


def _channels(
    rest: _Rest,
    worlds: FloatArray,
    joints: FloatArray,
    rig: SwingRig,
    options: SwingOptions,
    rate: float,
    cyclic: bool,
) -> FloatArray:
    """[T, K, 4, 4] each bone's own motion from its rest.

    A bone that is carried by ``P`` and has the rest ``M`` is shown at P M basis, and should be at
    W P M, ``W`` being its link's motion in the armature's space.
    """
    from ...engine.motion.swing import swing_links

    carried = joints @ np.linalg.inv(rest.joints)
    in_world = worlds[:, None] @ carried
    R = rotations_to_engine(in_world[..., :3, :3])
    t = (in_world[..., :3, :3] @ rest.place + in_world[..., :3, 3]) @ TO_BLENDER
    turn, move = swing_links(rig, R, t, rate, options, cyclic=cyclic)
    W = np.zeros((*turn.shape[:2], 4, 4))
    W[..., :3, :3], W[..., :3, 3] = rotations_to_blender(turn), move @ TO_BLENDER.T
    W[..., 3, 3] = 1.0
    W = (np.linalg.inv(worlds)[:, None] @ W @ worlds[:, None])[:, rig.link]
    carrier = carried[:, rig.joint] @ rest.links
    out: FloatArray = np.linalg.inv(carrier) @ W @ carrier
    return out


def _write(
    armature: Any, rig: SwingRig, frames: FloatArray, basis: FloatArray, cyclic: bool
) -> Generator[None, None, int]:
    from ...engine.core.alignment import nearest_orthonormal
    from ...engine.core.rotations import matrix_to_quaternion
    from ...engine.motion.placing import align_quat_signs

    quats = align_quat_signs(matrix_to_quaternion(nearest_orthonormal(basis[..., :3, :3])))
    places = basis[..., :3, 3]
    bag, ends = _channelbag(armature, frames), rig.ends()
    kinds = np.full(len(frames), LINEAR, np.int32)
    count = 0
    for k, (link, joint) in enumerate(zip(rig.link.tolist(), rig.joint.tolist())):
        still = np.abs(quats[:, k, 1:]).max() < _STILL and np.abs(places[:, k]).max() < _STILL
        if still:
            continue
        name = swing_bone(ends[link][0], JOINT_NAMES[joint])
        for prop, values in (("rotation_quaternion", quats[:, k]), ("location", places[:, k])):
            write_curves(bag, bone_path(armature, name, prop), COLLECTION, frames, values, kinds)
        count += 1
        yield
    if cyclic:
        for curve in bag.fcurves:
            if curve.data_path.startswith(f'pose.bones["{PREFIX}') and not curve.modifiers:
                curve.modifiers.new("CYCLES")
    return count


def _channelbag(armature: Any, frames: FloatArray) -> Any:
    """Where the keys go: beside those of the current motion, or into a strip over a mix."""
    data = armature.animation_data_create()
    if data.action is not None:
        bag = find_channelbag(data.action, data.action_slot) if data.action_slot else None
        if bag is not None:
            return bag
    action = bpy.data.actions.new(COLLECTION)
    slot, bag = create_channelbag(action, armature.name)
    if is_mixed(armature):
        action.use_fake_user = False
        track = data.nla_tracks.new()
        track.name = COLLECTION
        strip = track.strips.new(COLLECTION, round(frames[0]), action)
        strip.action_slot = slot
        strip.action_frame_start, strip.action_frame_end = float(frames[0]), float(frames[-1])
    else:
        data.action, data.action_slot = action, slot
        remember_motion(armature, action)
    return bag
