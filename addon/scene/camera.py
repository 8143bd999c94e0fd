"""The photo's camera, with the photo as its background image."""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Matrix

from ...engine.core.types import Camera
from .. import keys
from .axes import SENSOR_MM, BlenderCamera, camera_to_blender
from .origin import photo_matrix


def create_camera(camera: Camera, name: str, armature: Any, collection: Any) -> Any:
    """Create a camera object that sees the person, where the armature is now, as ``camera``
    does."""
    data = bpy.data.cameras.new(name)
    obj = bpy.data.objects.new(name, data)
    collection.objects.link(obj)
    set_camera(obj, camera, armature)
    data.clip_start, data.clip_end = 0.01, 100.0
    data.display_size = 0.01  # it stands before the face
    return obj


def set_camera(obj: Any, camera: Camera, armature: Any) -> None:
    """Give a camera object an engine camera's view of the armature's person."""
    blender = place_camera(obj, camera, armature.matrix_basis @ photo_matrix(armature))
    obj[keys.RESOLUTION] = list(blender.resolution)
    obj[keys.PIXEL_ASPECT] = blender.pixel_aspect


def place_camera(obj: Any, camera: Camera, origin: Matrix | None = None) -> BlenderCamera:
    """Give a camera object the position and lens of an engine camera.

    Args:
        obj: the camera object.
        camera: of the engine.
        origin: [4, 4] engine's space to Blender's world, in Blender's axes; identity if None.
    """
    blender = camera_to_blender(camera)
    matrix = Matrix(blender.matrix_world.tolist())
    obj.matrix_world = matrix if origin is None else origin @ matrix
    data = obj.data
    data.type = "PERSP"
    data.sensor_fit = blender.sensor_fit
    data.sensor_width = data.sensor_height = SENSOR_MM
    data.lens_unit = "MILLIMETERS"
    data.lens = blender.lens
    data.shift_x, data.shift_y = blender.shift_x, blender.shift_y
    return blender


def use_photo_size(scene: Any, obj: Any) -> None:
    """Set the scene's resolution to that of the camera's photo, if the camera has one."""
    if keys.RESOLUTION in obj:
        width, height = (int(n) for n in obj[keys.RESOLUTION])
        set_size(scene.render, width, height, float(obj[keys.PIXEL_ASPECT]))


def photo_size(obj: Any) -> tuple[int, int, float, float]:
    """Width and height in pixels of the camera's photo, and the pixel aspect x and y for it."""
    width, height = (int(n) for n in obj[keys.RESOLUTION])
    return width, height, *_pixel_aspect(float(obj[keys.PIXEL_ASPECT]))


def set_size(render: Any, width: int, height: int, aspect: float) -> None:
    """Set the resolution in pixels and the pixel aspect (fx / fy)."""
    render.resolution_x, render.resolution_y = width, height
    render.resolution_percentage = 100
    render.pixel_aspect_x, render.pixel_aspect_y = _pixel_aspect(aspect)


def _pixel_aspect(aspect: float) -> tuple[float, float]:
    """Pixel aspect x and y for fx / fy; Blender allows no value below 1."""
    return max(1.0, 1.0 / aspect), max(1.0, aspect)


def add_photo(obj: Any, jpeg: bytes, name: str) -> Any:
    """Pack the photo, the bytes of a JPEG file, and show it behind the camera's view."""
    width, height = (int(n) for n in obj[keys.RESOLUTION])
    image = bpy.data.images.new(name, width, height, alpha=False)
    image.pack(data=jpeg, data_len=len(jpeg))
    image.source = "FILE"
    background = obj.data.background_images.new()
    background.image = image
    background.display_depth = "BACK"
    background.alpha = 1.0
    obj.data.show_background_images = True
    _fit_photo(bpy.context.scene, obj)
    return image


def toggle_camera_view(scene: Any, obj: Any, space: Any) -> bool:
    """Look through the camera ``obj`` in a 3D view, or stop doing so.

    The scene keeps its camera, so that renders do not change.

    Returns:
        Whether the view looks through the camera now.
    """
    view = space.region_3d
    seen = space.camera if space.use_local_camera else scene.camera
    if view.view_perspective == "CAMERA" and seen == obj:
        view.view_perspective = "PERSP"
        if space.use_local_camera:
            space.use_local_camera = False
            space.camera = scene.camera
        return False
    if obj != scene.camera:
        space.use_local_camera = True
        space.camera = obj
    view.view_perspective = "CAMERA"
    _fit_photo(scene, obj)
    obj.hide_set(False)  # Blender draws no photo behind a hidden camera; old files have it hidden
    return True


def _fit_photo(scene: Any, obj: Any) -> None:
    """Let the photo show, in its own proportions, where the avatar stands in the camera's view.

    The camera's lens holds for one side of the picture, so the photo fills that side, whatever the
    scene's resolution is.
    """
    if keys.RESOLUTION not in obj:
        return
    wider = _photo_shape(scene, obj) > 1
    fits = wider == (obj.data.sensor_fit == "VERTICAL")
    for background in obj.data.background_images:
        background.frame_method = "FIT" if fits else "CROP"


def _photo_shape(scene: Any, obj: Any) -> float:
    """Aspect ratio of renders in units of the photo's; 1 where they agree."""
    width, height, aspect_x, aspect_y = photo_size(obj)
    render = scene.render
    shape = render.resolution_x * render.pixel_aspect_x * height * aspect_y
    return float(shape / (render.resolution_y * render.pixel_aspect_y * width * aspect_x))


def has_photo_shape(scene: Any, obj: Any) -> bool:
    """Whether renders have the aspect ratio of the camera's photo."""
    return keys.RESOLUTION not in obj or abs(_photo_shape(scene, obj) - 1) < 0.01


def shows_photo(obj: Any) -> bool:
    """Whether the camera shows the photo behind its view."""
    return bool(obj.data.show_background_images)


def show_photo(scene: Any, obj: Any, show: bool) -> None:
    """Show or hide the photo behind the camera's view."""
    obj.data.show_background_images = show
    if show:
        _fit_photo(scene, obj)
        obj.hide_set(False)
