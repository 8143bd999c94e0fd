"""Export of poses for the worker, and of the rigged mesh by Blender's FBX exporter."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..engine.body.expression_limits import limit_expression
from ..engine.core.types import LikenessError, Pose
from . import keys
from .motion.record import get_frame_rate
from .scene.avatar_objects import AvatarObjects
from .scene.body_object import expression_names, get_expression
from .scene.dressed_body import copy_dressed_body
from .scene.read_back import read_placement

SCENE_NAME = "Likeness Export"
FBX_SETTINGS = {
    "BLENDER": {"mesh_smooth_type": "OFF"},
    "UNITY": {"mesh_smooth_type": "OFF", "apply_scale_options": "FBX_SCALE_ALL"},
    "UNREAL": {"mesh_smooth_type": "FACE"},
}
"""Program -> settings of Blender's exporter."""


def scene_frames(scene: Any) -> range:
    """The frames of the scene's range and step."""
    return range(scene.frame_start, scene.frame_end + 1, max(1, scene.frame_step))


def record_poses(
    context: Any, objects: AvatarObjects, frames: Sequence[int], path: Path
) -> Generator[float, None, None]:
    """Step through frames and write an avatar's poses for the worker's task ``export``.

    One frame per slice; yields the fraction done. The scene's current frame is restored.

    Args:
        context: of Blender.
        objects: of the avatar.
        frames: numbers of the frames.
        path: of the file.
    """
    scene = context.scene
    start, part = scene.frame_current, scene.frame_subframe
    names = expression_names(objects.armature)
    poses, places = [], []
    try:
        for t, frame in enumerate(frames):
            scene.frame_set(frame)
            depsgraph = context.evaluated_depsgraph_get()
            poses.append(objects.get_pose(names))
            places.append(read_placement(objects, depsgraph))
            yield (t + 1) / len(frames)
    finally:
        if scene.frame_current != start:
            scene.frame_set(start, subframe=part)
    _write_poses(path, poses, np.array(places), get_frame_rate(scene) / max(1, scene.frame_step))


def write_photo_pose(objects: AvatarObjects, path: Path) -> None:
    """Write the pose of the avatar's photo.

    Raises:
        LikenessError: An older version made the objects.
    """
    from ..engine.scene.files import unpack_avatar

    kept = objects.body.data.get(keys.PERSON)
    name = objects.armature.name
    if kept is None:
        raise LikenessError(
            f"'{name}' was made by an older version of Likeness.", "Import its avatar file again."
        )
    _write_poses(path, [unpack_avatar(bytes(kept), name).pose], np.eye(4)[None], 30.0)


def _write_poses(path: Path, poses: Sequence[Pose], places: Any, rate: float) -> None:
    np.savez(
        path,
        full_pose=np.array([pose.full_pose for pose in poses]),
        transl=np.array([pose.transl for pose in poses]),
        expression=np.array([pose.expression for pose in poses]),
        places=places,
        frame_rate=np.array(rate),
    )


def is_animated(obj: Any) -> bool:
    """Whether an action, a strip, a parent or another object may move an armature object."""
    data = obj.animation_data
    if data is not None and (data.action is not None or data.nla_tracks):
        return True
    if obj.parent is not None and is_animated(obj.parent):
        return True
    bones = obj.pose.bones if obj.pose is not None else ()
    return bool(obj.constraints) or any(
        getattr(constraint, "target", None) not in (None, obj)
        for bone in bones
        for constraint in bone.constraints
    )


def write_fbx(
    objects: AvatarObjects, baked: Path, out: Path, frames: Sequence[int], program: str = "BLENDER"
) -> None:
    """Write the avatar's armature and a copy of its body with the baked texture as FBX.

    Both are exported from a temporary scene, which is removed again. Blender's exporter blocks.

    Args:
        objects: of the avatar.
        baked: arrays that the worker wrote, beside a PNG of the same stem.
        out: the file to write.
        frames: numbers of the animated frames; none for the current pose.
        program: that the file suits, of ``FBX_SETTINGS``.

    Raises:
        LikenessError: The body was edited, or Blender cannot write the file.
    """
    scene = bpy.data.scenes.new(SCENE_NAME)
    made: list[Any] = []
    keeper = None
    try:
        _copy_times(bpy.context.scene, scene, frames)
        body = copy_dressed_body(objects, baked, "Mesh", made)
        scene.collection.objects.link(objects.armature)
        scene.collection.objects.link(body)
        keeper = _Expressions(scene, objects.armature, body)
        bpy.app.handlers.frame_change_post.append(keeper)
        keeper(scene)
        _export_fbx(scene, out, bool(frames), FBX_SETTINGS[program])
    finally:
        if keeper is not None:
            bpy.app.handlers.frame_change_post.remove(keeper)
        bpy.data.scenes.remove(scene)
        bpy.data.batch_remove(made)


class _Expressions:
    """Copies the armature's expressions to the copy's shape keys for Blender's exporter, because
    drivers are not evaluated in a scene without a window."""

    def __init__(self, scene: Any, armature: Any, body: Any) -> None:
        self._scene, self._armature = scene.name, armature.name
        self._body = body.name

    def __call__(self, scene: Any, *_: Any) -> None:
        shape_keys = bpy.data.objects[self._body].data.shape_keys
        if scene.name != self._scene or shape_keys is None:
            return
        layer = scene.view_layers[0]
        layer.update()
        values = get_expression(bpy.data.objects[self._armature].evaluated_get(layer.depsgraph))
        names = list(values)
        applied = limit_expression(np.array([values[name] for name in names]), names)
        for name, value in zip(names, applied):
            if name in shape_keys.key_blocks:
                shape_keys.key_blocks[name].value = value


def _copy_times(source: Any, scene: Any, frames: Sequence[int]) -> None:
    scene.render.fps, scene.render.fps_base = source.render.fps, source.render.fps_base
    scene.frame_start = frames[0] if frames else source.frame_current
    scene.frame_end = frames[-1] if frames else source.frame_current
    scene.frame_set(source.frame_current, subframe=source.frame_subframe)


def _export_fbx(scene: Any, out: Path, moving: bool, settings: dict[str, str]) -> None:
    from ..engine.files.atomic import atomic_write_files

    with atomic_write_files(out.absolute().parent) as scratch:
        target = scratch / out.name
        try:
            with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
                bpy.ops.export_scene.fbx(
                    filepath=str(target),
                    use_selection=False,
                    object_types={"ARMATURE", "MESH"},
                    use_armature_deform_only=True,
                    add_leaf_bones=False,
                    colors_type="SRGB",
                    path_mode="COPY",
                    embed_textures=True,
                    bake_anim=moving,
                    bake_anim_use_all_actions=False,
                    bake_anim_use_nla_strips=False,
                    bake_anim_force_startend_keying=True,
                    bake_anim_simplify_factor=0.0,
                    **settings,
                )
        except (RuntimeError, AttributeError) as error:
            raise LikenessError(
                f"Blender cannot write '{out}' ({str(error).strip()}).",
                "Enable Blender's FBX add-on, or export glTF.",
            ) from error
        if not target.is_file():
            raise LikenessError(f"Blender did not write '{out}'.", "Export glTF instead.")
