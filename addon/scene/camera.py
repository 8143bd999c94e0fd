"""The photo's camera, with the photo behind the picture."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.types import Camera, FloatArray
from .axes import SENSOR_MM, BlenderCamera, camera_to_blender


def create_camera(camera: Camera, name: str, collection: Any) -> Any:
    """A camera object that sees as ``camera`` does, at its render size."""
    data = bpy.data.cameras.new(name)
    obj = bpy.data.objects.new(name, data)
    collection.objects.link(obj)
    set_camera(obj, camera)
    data.clip_start, data.clip_end = 0.01, 100.0
    data.display_size = 0.2
    return obj


def set_camera(obj: Any, camera: Camera) -> BlenderCamera:
    """Give a camera object the view of an engine camera."""
    blender = camera_to_blender(camera)
    obj.matrix_world = Matrix(blender.matrix_world.tolist())
    data = obj.data
    data.type = "PERSP"
    data.sensor_fit = blender.sensor_fit
    data.sensor_width = data.sensor_height = SENSOR_MM
    data.lens_unit = "MILLIMETERS"
    data.lens = blender.lens
    data.shift_x, data.shift_y = blender.shift_x, blender.shift_y
    return blender


def set_resolution(scene: Any, blender: BlenderCamera) -> None:
    """Render at the camera's size, so that the picture covers what the photo covers."""
    render = scene.render
    render.resolution_x, render.resolution_y = blender.resolution
    render.resolution_percentage = 100
    # Blender allows no aspect below 1, so the longer side of a pixel takes it.
    render.pixel_aspect_x = max(1.0, 1.0 / blender.pixel_aspect)
    render.pixel_aspect_y = max(1.0, blender.pixel_aspect)


def add_photo(obj: Any, rgb: FloatArray, name: str) -> Any:
    """Pack the photo [H, W, 3] sRGB 0..1 into the file and show it behind the camera's view."""
    height, width = rgb.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = rgb[::-1]  # Blender's first row is the bottom one
    image.pixels.foreach_set(rgba.ravel())
    image.file_format = "JPEG"
    image.pack()
    background = obj.data.background_images.new()
    background.image = image
    background.frame_method = "STRETCH"
    background.display_depth = "BACK"
    background.alpha = 1.0
    obj.data.show_background_images = True
    return image
