"""A temporary scene in which the user corrects a fit: the body in front of the photo.

It has the body on its armature before the photo's camera, and a handle for each body landmark in
the picture. The user drags handles or rotates bones; :func:`read_moved_landmarks` and
:func:`read_shown_pose` read the result. The scene and its data are marked with ``keys.FIT``, and
:func:`leave_fit_scene` removes them; the user's scene is not touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.cameras import project, unproject
from ...engine.core.landmark_names import ADJUSTABLE
from ...engine.core.types import JOINT_INDEX, Camera, FloatArray, Pose
from ...engine.workflows.fit_check import load_shown_fit
from .. import keys
from ..compat import hide_bone
from ..motion.bone_pose import apply_pose, read_bone_pose
from .armature import create_armature
from .axes import points_to_blender, points_to_engine
from .body_object import create_body, set_expression
from .camera import add_photo, create_camera, use_photo_size
from .selection import enter_object_mode

_MOVED_PIXELS = 0.5
_HANDLE_RADIUS = 0.02  # times the person's distance
_TINT = (0.25, 0.55, 1.0, 0.55)

_COLLECTIONS = (
    "objects",
    "armatures",
    "meshes",
    "cameras",
    "images",
    "collections",
    "actions",
    "shape_keys",
)


_PLACING = ("view_location", "view_rotation", "view_distance")


class _View:
    """State of the 3D view before, without references to Blender's data."""

    settings: dict[str, Any] | None = None


def find_fit_scene() -> Any | None:
    """The scene in which a fit is being corrected, or None."""
    return next((scene for scene in bpy.data.scenes if keys.FIT in scene), None)


def enter_fit_scene(context: Any, fit: Path) -> Any:
    """Create the scene for a fit and show it in the window.

    Args:
        context: with a window.
        fit: file that the worker wrote (``fit_check.save_shown_fit``).

    Raises:
        LikenessError: The file cannot be read.
    """
    shown = load_shown_fit(fit)
    enter_object_mode(context)
    came_from = context.window.scene.name
    before = _known()
    _remember_view(context)
    scene = bpy.data.scenes.new("Likeness Fit")
    scene[keys.FIT] = came_from
    context.window.scene = scene
    try:
        _fill(scene, shown, context)
    except BaseException:
        leave_fit_scene(context)
        raise
    _mark_new(before)
    _show(context)
    return scene


def _fill(scene: Any, shown: Any, context: Any) -> None:
    avatar, collection = shown.avatar, scene.collection
    armature = create_armature(avatar.body.J_template, "Fit", collection, context)
    for bone in armature.pose.bones:
        hide_bone(bone, bone.name not in JOINT_INDEX)
    body = create_body(avatar.body, "Fit Body", armature, collection)
    body.hide_set(False)
    body.hide_select = True
    body.display_type = "SOLID"
    body.color = _TINT
    apply_pose(avatar.pose, armature)
    set_expression(armature, avatar.body.expression_names, avatar.pose.expression)
    armature.lock_location = armature.lock_rotation = armature.lock_scale = (True,) * 3
    camera = create_camera(avatar.camera, "Fit Camera", armature, collection)
    camera.hide_select = True
    add_photo(camera, shown.photo, "Fit Photo")
    scene.camera = camera
    use_photo_size(scene, camera)
    scene[keys.FIT_CAMERA] = [
        *np.asarray(avatar.camera.K, float).ravel(),
        avatar.camera.width,
        avatar.camera.height,
    ]
    depth = -float(avatar.body.vertices(avatar.pose)[1][0][2])
    size = np.array([avatar.camera.width, avatar.camera.height])
    for name, row in ADJUSTABLE.items():
        place = shown.landmarks[row]
        if ((place < 0) | (place > size)).any():
            continue
        # Between camera and person, so that the body does not hide it.
        at = unproject(place, np.array(0.5 * depth), avatar.camera)
        handle = bpy.data.objects.new(name.replace("_", " ").title(), None)
        collection.objects.link(handle)
        handle.empty_display_type, handle.empty_display_size = (
            "SPHERE",
            0.5 * _HANDLE_RADIUS * depth,
        )
        handle.location = points_to_blender(at).tolist()
        handle.show_name = handle.show_in_front = True
        handle[keys.FIT_LANDMARK], handle[keys.FIT_PLACE] = name, [float(v) for v in place]
    context.view_layer.update()
    context.view_layer.objects.active = armature


def read_moved_landmarks(scene: Any) -> dict[str, list[float]]:
    """Name -> pixel position [2] in the photo, of the landmarks that were moved."""
    camera = _camera(scene)
    out = {}
    for handle in scene.objects:
        if keys.FIT_LANDMARK in handle:
            where = points_to_engine(np.array(handle.matrix_world.translation, np.float64))
            pixels, _ = project(where, camera)
            if np.linalg.norm(pixels - np.array(handle[keys.FIT_PLACE])) > _MOVED_PIXELS:
                out[str(handle[keys.FIT_LANDMARK])] = [float(v) for v in pixels]
    return out


def read_shown_pose(scene: Any) -> Pose:
    """The armature's pose as displayed, in the track's space."""
    armature = next(obj for obj in scene.objects if obj.type == "ARMATURE")
    none: FloatArray = np.zeros(0)
    return read_bone_pose(armature, none)


def leave_fit_scene(context: Any) -> None:
    """Remove the scene with its data, and return to the user's scene."""
    scene = find_fit_scene()
    if scene is None:
        _show_as_before()  # an undo has removed the scene
        return
    if context.window is not None and context.window.scene == scene:
        enter_object_mode(context)
        home = bpy.data.scenes.get(scene[keys.FIT])
        others = (other for other in bpy.data.scenes if other != scene)
        context.window.scene = home or next(others)
    for obj in list(scene.collection.all_objects):
        bpy.data.objects.remove(obj)
    for name in _COLLECTIONS:
        data = getattr(bpy.data, name)
        for block in list(data):
            if block.get(keys.FIT) is not None and block.library is None and name != "shape_keys":
                data.remove(block)
    bpy.data.scenes.remove(scene)
    _show_as_before()


def _known() -> dict[str, set[str]]:
    return {name: {b.name for b in getattr(bpy.data, name)} for name in _COLLECTIONS}


def _mark_new(before: dict[str, set[str]]) -> None:
    """Mark the data made for the scene, so that it is found even if the user renames it."""
    for name, known in before.items():
        for block in getattr(bpy.data, name):
            if block.name not in known and name != "shape_keys":
                block[keys.FIT] = ""


def _camera(scene: Any) -> Camera:
    numbers = [float(v) for v in scene[keys.FIT_CAMERA]]
    K = np.array(numbers[:9]).reshape(3, 3)
    return Camera(np.diag([1.0, -1.0, -1.0, 1.0]), K, int(numbers[9]), int(numbers[10]))


def _remember_view(context: Any) -> None:
    """Keep the state of the 3D view; a change of the scene takes a camera of its own from it."""
    area = context.area
    _View.settings = None
    if area is None or area.type != "VIEW_3D":
        return
    space = area.spaces.active
    view, shading = space.region_3d, space.shading
    _View.settings = {
        "screen": context.screen.name,
        "area": list(context.screen.areas).index(area),
        "perspective": view.view_perspective,
        "placed": {name: _copied(getattr(view, name)) for name in _PLACING},
        "shading": shading.type,
        "color": shading.color_type,
        "local": space.camera.name if space.use_local_camera and space.camera else "",
    }


def _show(context: Any) -> None:
    """Show the photo's camera in the remembered 3D view, with the body translucent."""
    if _View.settings is None:
        return
    space = context.area.spaces.active
    space.use_local_camera = False
    space.region_3d.view_perspective = "CAMERA"
    space.shading.type, space.shading.color_type = "SOLID", "OBJECT"


def _show_as_before() -> None:
    kept, _View.settings = _View.settings, None
    screen = bpy.data.screens.get(kept["screen"]) if kept else None
    if kept is None or screen is None or kept["area"] >= len(screen.areas):
        return
    area = screen.areas[kept["area"]]
    if area.type != "VIEW_3D":
        return
    space = area.spaces.active
    space.shading.type, space.shading.color_type = kept["shading"], kept["color"]
    space.region_3d.view_perspective = kept["perspective"]
    for name, value in kept["placed"].items():
        setattr(space.region_3d, name, value)
    camera = bpy.data.objects.get(kept["local"]) if kept["local"] else None
    if camera is not None:
        space.use_local_camera = True
        space.camera = camera


def _copied(value: Any) -> Any:
    """A view's property that does not change with the view: a number, or a vector."""
    return value if isinstance(value, float) else value.copy()
