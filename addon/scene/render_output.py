"""Where and on what ground the engine's pictures of a scene are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.color import linear_to_srgb
from ...engine.core.types import LikenessError

SUFFIXES = {"PNG": ".png", "EXR": ".exr", "MP4": ".mp4"}


def list_render_frames(scene: Any, animation: bool) -> list[int]:
    """The numbers of the frames to draw: the scene's range and step, or the present one."""
    if not animation:
        return [scene.frame_current]
    return list(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))


def picture_paths(scene: Any, frames: list[int], kind: str) -> list[Path]:
    """The files that Blender's own render of these frames would write, with our suffix.

    A video is one file, with the range in its name.

    Raises:
        LikenessError: the output path is relative, and the .blend was never saved.
    """
    render = scene.render
    if render.filepath.startswith("//") and not bpy.data.is_saved:
        raise LikenessError(
            f"The output path '{render.filepath}' counts from the .blend file, which has no "
            "place yet.",
            "Save the file first, or set another path in Output Properties.",
        )
    if kind == "MP4":
        given = Path(bpy.path.abspath(render.filepath))
        if given.suffix.lower() == SUFFIXES[kind]:
            return [given]
        span = f"{frames[0]:04d}-{frames[-1]:04d}{SUFFIXES[kind]}"
        name = "" if render.filepath.endswith(("/", "\\")) or not given.name else given.name
        return [(given.with_name(name + span) if name else given / span)]
    paths = []
    for frame in frames:
        path = Path(bpy.path.abspath(render.frame_path(frame=frame)))
        known = path.suffix.lower() in _PICTURE_SUFFIXES
        paths.append(
            path.with_suffix(SUFFIXES[kind])
            if known
            else path.with_name(path.name + SUFFIXES[kind])
        )
    return paths


_PICTURE_SUFFIXES = {
    ".png",
    ".exr",
    ".jpg",
    ".jpeg",
    ".jp2",
    ".tif",
    ".tiff",
    ".bmp",
    ".tga",
    ".rgb",
    ".dpx",
    ".cin",
    ".hdr",
    ".webp",
    ".mp4",
    ".mkv",
    ".avi",
    ".mov",
    ".webm",
    ".ogv",
}


def get_background_color(scene: Any) -> list[float] | None:
    """[3] sRGB of the plain background; None where the film is transparent.

    Raises:
        LikenessError: the world is more than one colour, which the engine does not draw.
    """
    if scene.render.film_transparent:
        return None
    world = scene.world
    if world is None:
        return [0.0, 0.0, 0.0]
    linear = np.array(world.color[:3])
    if world.node_tree is not None and getattr(world, "use_nodes", True):
        output = next((n for n in world.node_tree.nodes if n.type == "OUTPUT_WORLD"), None)
        links = output.inputs["Surface"].links if output else ()
        node = links[0].from_node if links else None
        if node is None:
            linear = np.zeros(3)
        elif node.type == "BACKGROUND" and not node.inputs["Color"].links:
            color, strength = node.inputs["Color"], node.inputs["Strength"]
            linear = np.array(color.default_value[:3]) * strength.default_value
        else:
            raise LikenessError(
                f"The world '{world.name}' is more than a plain colour, which Likeness cannot "
                "draw.",
                "Switch on Film > Transparent and lay the picture over the background later.",
            )
    return [float(c) for c in linear_to_srgb(np.clip(linear, 0.0, 1.0))]
