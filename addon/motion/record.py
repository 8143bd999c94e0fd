"""Recording of armatures: their displayed bones, including constraints and IK, frame by frame.

The armature is evaluated in a temporary scene, so that splats and other objects are not evaluated
for each frame and the user's scene does not change. The generators run one frame per slice;
nothing may be undone between the slices.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.alignment import nearest_orthonormal
from ...engine.core.types import JOINT_NAMES, LikenessError
from .. import keys
from ..rig.bone_names import RigBones
from ..rig.control_names import FACE
from ..scene.avatar_objects import AvatarObjects
from ..scene.axes import points_to_engine, rotations_to_engine
from ..scene.body_object import expression_names, get_expression
from ..scene.origin import photo_origin, template_origin
from .bone_pose import check_joints

SCENE_NAME = "Likeness Recording"

Steps = Generator[float, None, None]


@contextmanager
def isolate_armature(armature: Any, scene: Any | None = None) -> Iterator[Callable[[float], Any]]:
    """A function from a frame to the armature, evaluated at it.

    Args:
        armature: object.
        scene: that contains only what is needed; a temporary one if None.
    """
    own = scene is None
    if own:
        scene = bpy.data.scenes.new(SCENE_NAME)
        scene.collection.objects.link(armature)
    assert scene is not None
    layer = scene.view_layers[0]

    def at(frame: float) -> Any:
        whole = int(np.floor(frame))
        scene.frame_set(whole, subframe=frame - whole)
        return armature.evaluated_get(layer.depsgraph)

    try:
        yield at
    finally:
        if own:
            bpy.data.scenes.remove(scene)


def get_frame_rate(scene: Any) -> float:
    """A scene's frame rate in frames per second."""
    return float(scene.render.fps / scene.render.fps_base)


def record_skeleton(
    armature: Any,
    frames: Sequence[int],
    frame_rate: float,
    path: Path,
    bones: Sequence[str],
    scene: Any | None = None,
) -> Steps:
    """Write the motion of an armature's bones in world space as a skeleton file.

    Args:
        armature: object.
        frames: numbers of the frames.
        frame_rate: frames per second.
        path: of the file.
        bones: names of the bones to record.
        scene: that contains only what is needed; a temporary one if None.
    """
    from ...engine.motion.prepare_motion import save_skeleton
    from ...engine.motion.skeleton import Skeleton, SkeletonMotion

    count = len(frames)
    posed = np.empty((count, len(bones), 4, 4))
    with isolate_armature(armature, scene) as at:
        for t, frame in enumerate(frames):
            seen = at(frame)
            world = np.array(seen.matrix_world)
            if t == 0:
                rest = world @ np.array([armature.data.bones[name].matrix_local for name in bones])
            posed[t] = world @ np.array([seen.pose.bones[name].matrix for name in bones])
            yield (t + 1) / count

    def axes(matrices: Any) -> Any:
        # Bones keep their own axes: only the world's axes change.
        return _to_engine_left(nearest_orthonormal(matrices[..., :3, :3]))

    skeleton = Skeleton(
        tuple(bones), (-1,) * len(bones), points_to_engine(rest[:, :3, 3]), axes(rest)
    )
    moved = SkeletonMotion(skeleton, axes(posed), points_to_engine(posed[..., :3, 3]), frame_rate)
    save_skeleton(moved, path)


def _to_engine_left(R: Any) -> Any:
    """Axes as columns, in Blender's world -> in the engine's."""
    return np.swapaxes(points_to_engine(np.swapaxes(R, -1, -2)), -1, -2)


def record_avatar(
    objects: AvatarObjects,
    frames: Sequence[int],
    frame_rate: float,
    path: Path,
    world: bool = False,
) -> Steps:
    """Write an avatar's motion as a recording (engine/motion/recording.py).

    Args:
        objects: of the avatar.
        frames: numbers of the frames; none for the current pose, keyed or not.
        frame_rate: frames per second.
        path: of the file.
        world: in world space instead of the photo's.

    Raises:
        LikenessError: A joint's bone is missing.
    """
    armature = objects.armature
    names = expression_names(armature)
    check_joints(armature)
    bones = RigBones(armature)
    rest = np.array([bones[name].bone.matrix_local for name in JOINT_NAMES])
    count = max(1, len(frames))
    posed, place = np.empty((count, 55, 4, 4)), np.empty((count, 4, 4))
    weights = np.zeros((count, len(names)))

    def keep(t: int, seen: Any) -> None:
        moved = RigBones(seen)
        posed[t] = [moved[name].matrix for name in JOINT_NAMES]
        place[t] = np.array(seen.matrix_world)
        values = get_expression(seen) if FACE in seen.pose.bones else get_expression(armature)
        weights[t] = [values[name] for name in names]

    if len(frames):
        with isolate_armature(armature) as at:
            for t, frame in enumerate(frames):
                keep(t, at(frame))
                yield (t + 1) / count
    else:
        keep(0, armature.evaluated_get(bpy.context.evaluated_depsgraph_get()))
        yield 1.0
    if world:
        posed = place[:, None] @ posed
    else:
        posed[..., :3, 3] -= photo_origin(armature)
    yield 1.0
    turns = posed[..., :3, :3] @ np.swapaxes(rest[:, :3, :3], -1, -2)
    arrays = {
        "turns": rotations_to_engine(turns),
        "pelvis_at": points_to_engine(posed[:, 0, :3, 3]),
        "joints": points_to_engine(rest[:, :3, 3] - template_origin(armature)),
        "expression": weights,
        "expression_names": np.array(names, dtype=np.str_),
        "frame_rate": np.array(frame_rate),
    }
    kept = objects.body.data.get(keys.PERSON)
    if kept is not None:
        arrays["person"] = np.frombuffer(bytes(kept), np.uint8)
    yield 1.0
    np.savez(path, **arrays)  # compression would be slow


def describe_target(objects: AvatarObjects) -> dict[str, Any]:
    """The avatar in its current position, as ``engine.motion.placing.TargetAvatar`` in JSON."""
    from ...engine.motion.placing import TargetAvatar, floor_height
    from ...engine.motion.reenact import facing_direction
    from .bone_pose import read_bone_pose

    armature, mesh = objects.armature, objects.body.data
    bones, rest = RigBones(armature), template_origin(armature)
    joints = points_to_engine(np.array([bones[n].bone.head_local for n in JOINT_NAMES]) - rest)
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    sole = float(points_to_engine(points.reshape(-1, 3) - rest)[:, 1].min())
    pose = read_bone_pose(armature, np.zeros(0))
    target = TargetAvatar(
        joints,
        sole,
        joints[0] + pose.transl,
        facing_direction(pose),
        0.0,
        expression_names(armature),
    )
    floor = floor_height(pose.full_pose[None], pose.transl[None], target)
    return {**target.to_json(), "floor": floor}


def list_action_frames(armature: Any, scene: Any) -> range:
    """The frames of an armature's action, or of the scene if it has none."""
    data = armature.animation_data
    if data is not None and data.action is not None:
        first, last = (round(x) for x in data.action.frame_range)
        if last > first:
            return range(first, last + 1)
    return range(scene.frame_start, scene.frame_end + 1)


def record_fbx(path: Path, target: Path, bones: Path | None) -> Steps:
    """Write the motion in an FBX file as a skeleton file.

    The file is imported into a temporary scene and removed again. Blender's importer blocks.

    Args:
        path: of the FBX file.
        target: the file to write.
        bones: a bone map, or None to detect the bones.

    Raises:
        LikenessError: Blender cannot read the file, or it has no animated person.
    """
    from ...engine.motion.bone_maps import detect_bones, read_bone_map

    if not path.is_file():
        raise LikenessError(f"'{path}' does not exist.", "Choose an FBX file.")
    bone_map = read_bone_map(bones) if bones is not None else None
    scene = bpy.data.scenes.new(SCENE_NAME)
    before = set(_everything())
    try:
        _import_fbx(path, scene)
        yield 0.0
        armatures = [o for o in scene.objects if o.type == "ARMATURE"]
        if not armatures:
            raise LikenessError(f"'{path}' contains no armature.", "Export it with its skeleton.")
        armature = max(armatures, key=lambda o: len(o.data.bones))
        names = [bone.name for bone in armature.data.bones]
        found = detect_bones(names, bone_map)
        data = armature.animation_data
        if data is None or data.action is None:
            raise LikenessError(f"'{path}' contains no animation.", "Export it with animation.")
        used = [names[k] for k in found.bones.values()]
        frames = list_action_frames(armature, scene)
        rate = get_frame_rate(scene)  # the importer gives it the file's
        yield from record_skeleton(armature, frames, rate, target, used, scene)
    finally:
        bpy.data.scenes.remove(scene)
        made = [block for uid, block in _everything().items() if uid not in before]
        bpy.data.batch_remove(made)


def _import_fbx(path: Path, scene: Any) -> None:
    layer = scene.view_layers[0]
    try:
        with bpy.context.temp_override(scene=scene, view_layer=layer):
            bpy.ops.wm.fbx_import(filepath=str(path))
    except (RuntimeError, AttributeError) as error:
        raise LikenessError(
            f"Blender cannot read '{path}' ({str(error).strip()}).",
            "Export it again as binary FBX, version 7.1 or later.",
        ) from error


def _everything() -> dict[int, Any]:
    """Session number -> data block, of all kinds that importers make."""
    data = bpy.data
    kinds = (
        "objects armatures meshes actions materials images textures collections cameras lights "
        "curves node_groups"
    )
    return {block.session_uid: block for kind in kinds.split() for block in getattr(data, kind)}
