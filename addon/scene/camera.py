"""The photo's camera, with the photo behind the picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import PIL.Image
from mathutils import Matrix

from ...engine.types import Camera
from .axes import SENSOR_MM, camera_to_blender

RESOLUTION_KEY = "likeness_resolution"
"""Custom property of the camera object: width and height of the photo in pixels."""
ASPECT_KEY = "likeness_pixel_aspect"


def create_camera(camera: Camera, name: str, armature: Any, collection: Any) -> Any:
    """A camera object that sees the person as ``camera`` does, where the armature stands now."""
    data = bpy.data.cameras.new(name)
    obj = bpy.data.objects.new(name, data)
    collection.objects.link(obj)
    set_camera(obj, camera, armature)
    data.clip_start, data.clip_end = 0.01, 100.0
    data.display_size = 0.2
    return obj


def set_camera(obj: Any, camera: Camera, armature: Any) -> None:
    """Give a camera object the view of an engine camera on the armature's person."""
    blender = camera_to_blender(camera)
    obj.matrix_world = armature.matrix_basis @ Matrix(blender.matrix_world.tolist())
    data = obj.data
    data.type = "PERSP"
    data.sensor_fit = blender.sensor_fit
    data.sensor_width = data.sensor_height = SENSOR_MM
    data.lens_unit = "MILLIMETERS"
    data.lens = blender.lens
    data.shift_x, data.shift_y = blender.shift_x, blender.shift_y
    obj[RESOLUTION_KEY] = list(blender.resolution)
    obj[ASPECT_KEY] = blender.pixel_aspect


def use_photo_size(scene: Any, obj: Any) -> None:
    """Render at the size of the photo that this camera stands for, so that both coincide.

    A camera that stands for none leaves the scene as it is.
    """
    if RESOLUTION_KEY not in obj:
        return
    render, aspect = scene.render, float(obj[ASPECT_KEY])
    render.resolution_x, render.resolution_y = (int(n) for n in obj[RESOLUTION_KEY])
    render.resolution_percentage = 100
    # Blender allows no aspect below 1, so the longer side of a pixel takes it.
    render.pixel_aspect_x = max(1.0, 1.0 / aspect)
    render.pixel_aspect_y = max(1.0, aspect)


def add_photo(obj: Any, photo: Path, name: str) -> Any:
    """Pack the photo, upright and in sRGB, into the file and show it behind the camera's view.

    Raises:
        LikenessError: the photo cannot be read.
    """
    from ...engine.imaging.load import load_portrait  # late: it compiles loops

    rgb = load_portrait(photo).rgb
    height, width = rgb.shape[:2]
    encoded = io.BytesIO()
    picture = np.round(np.clip(rgb, 0.0, 1.0) * 255.0).astype(np.uint8)
    PIL.Image.fromarray(picture).save(encoded, "JPEG", quality=92)
    data = encoded.getvalue()
    image = bpy.data.images.new(name, width, height, alpha=False)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    background = obj.data.background_images.new()
    background.image = image
    background.frame_method = "STRETCH"
    background.display_depth = "BACK"
    background.alpha = 1.0
    obj.data.show_background_images = True
    return image
