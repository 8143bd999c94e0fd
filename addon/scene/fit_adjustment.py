"""A scene of its own in which the user corrects a fit: the body before the photo.

The body stands on its armature before the photo's camera, with a ball for each body landmark that
lies in the picture. Balls are dragged, or bones are turned; :func:`read_moved_landmarks` and
:func:`read_shown_pose` read what became of them. The scene, and all that is in it, is found again
by its mark, and :func:`leave_fit_scene` removes it whole; the user's own scene is not touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.cameras import project, unproject
from ...engine.core.landmark_names import ADJUSTABLE
from ...engine.core.types import Camera, FloatArray, Pose
from ...engine.workflows.fit_check import load_shown_fit
from .. import keys
from ..motion.bone_pose import apply_pose, read_bone_pose
from .armature import create_armature
from .axes import points_to_blender, points_to_engine
from .body_object import create_body, set_expression
from .camera import add_photo, create_camera, toggle_camera_view, use_photo_size
from .selection import enter_object_mode

_MOVED_PIXELS = 0.5
_BALL = 0.02  # of the person's distance: its radius
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


class _View:
    """How the 3D view looked before; nothing of Blender's data is kept."""

    settings: dict[str, Any] | None = None


def find_fit_scene() -> Any | None:
    """The scene of the fit that is being corrected, or None."""
    return next((scene for scene in bpy.data.scenes if keys.FIT in scene), None)


def enter_fit_scene(context: Any, fit: Path) -> Any:
    """Make the scene of the fit that the worker wrote, and show it in the window."""
    shown = load_shown_fit(fit)
    enter_object_mode(context)
    came_from = context.window.scene.name
    before = _known()
    scene = bpy.data.scenes.new("Likeness Fit")
    scene[keys.FIT] = came_from
    context.window.scene = scene
    try:
        _fill(scene, shown, context)
    except BaseException:
        leave_fit_scene(context)
        raise
    _mark_new(before)
    _show(context, scene)
    return scene


def _fill(scene: Any, shown: Any, context: Any) -> None:
    avatar, collection = shown.avatar, scene.collection
    armature = create_armature(avatar.body.J_template, "Fit", collection, context)
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
        # Between camera and person, so that no part of the body hides it.
        at = unproject(place, np.array(0.5 * depth), avatar.camera)
        ball = bpy.data.objects.new(name.replace("_", " ").title(), None)
        collection.objects.link(ball)
        ball.empty_display_type, ball.empty_display_size = "SPHERE", 0.5 * _BALL * depth
        ball.location = points_to_blender(at).tolist()
        ball.show_name = ball.show_in_front = True
        ball[keys.FIT_LANDMARK], ball[keys.FIT_PLACE] = name, [float(v) for v in place]
    context.view_layer.update()
    context.view_layer.objects.active = armature


def read_moved_landmarks(scene: Any) -> dict[str, list[float]]:
    """Name -> pixels [2] of the photo, of the landmarks that were dragged elsewhere."""
    camera = _camera(scene)
    out = {}
    for ball in scene.objects:
        if keys.FIT_LANDMARK in ball:
            where = points_to_engine(np.array(ball.matrix_world.translation, np.float64))
            pixels, _ = project(where, camera)
            if np.linalg.norm(pixels - np.array(ball[keys.FIT_PLACE])) > _MOVED_PIXELS:
                out[str(ball[keys.FIT_LANDMARK])] = [float(v) for v in pixels]
    return out


def read_shown_pose(scene: Any) -> Pose:
    """The pose in which the armature is seen, in the track's space."""
    armature = next(obj for obj in scene.objects if obj.type == "ARMATURE")
    none: FloatArray = np.zeros(0)
    return read_bone_pose(armature, none)


def leave_fit_scene(context: Any) -> None:
    """Remove the scene with all that is in it, and show the one that the user came from."""
    scene = find_fit_scene()
    if scene is None:
        _show_as_before()  # an undo has taken the scene away
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
    """What was made for the scene is known by its mark, whatever the user renames."""
    for name, known in before.items():
        for block in getattr(bpy.data, name):
            if block.name not in known and name != "shape_keys":
                block[keys.FIT] = ""


def _camera(scene: Any) -> Camera:
    numbers = [float(v) for v in scene[keys.FIT_CAMERA]]
    K = np.array(numbers[:9]).reshape(3, 3)
    return Camera(np.diag([1.0, -1.0, -1.0, 1.0]), K, int(numbers[9]), int(numbers[10]))


def _show(context: Any, scene: Any) -> None:
    """Let the 3D view look through the photo's camera, with the body translucent."""
    area = context.area
    if area is None or area.type != "VIEW_3D":
        return
    space = area.spaces.active
    view, shading = space.region_3d, space.shading
    _View.settings = {
        "screen": context.screen.name,
        "area": list(context.screen.areas).index(area),
        "perspective": view.view_perspective,
        "matrix": [list(row) for row in view.view_matrix],
        "local": space.use_local_camera,
        "shading": shading.type,
        "color": shading.color_type,
    }
    if not space.use_local_camera:
        view.view_perspective = "CAMERA"
    else:
        toggle_camera_view(scene, scene.camera, space)
    shading.type, shading.color_type = "SOLID", "OBJECT"


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
    if kept["perspective"] != "CAMERA":
        space.region_3d.view_matrix = kept["matrix"]
