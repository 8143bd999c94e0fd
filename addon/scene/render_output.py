"""Output paths and background of the engine's renders of a scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.color import linear_to_srgb
from ...engine.core.types import LikenessError

SUFFIXES = {"PNG": ".png", "EXR": ".exr", "MP4": ".mp4"}


def list_render_frames(scene: Any, animation: bool) -> list[int]:
    """Numbers of the frames to render: the scene's range and step, or the current frame."""
    if not animation:
        return [scene.frame_current]
    return list(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))


def picture_paths(scene: Any, frames: list[int], kind: str) -> list[Path]:
    """The paths of Blender's own renders of these frames, with the suffix of the format.

    A video is one file, with the frame range in its name.

    Args:
        scene: of Blender.
        frames: numbers of the frames.
        kind: one of ``SUFFIXES``.

    Raises:
        LikenessError: The output path is relative, and the .blend was never saved.
    """
    render = scene.render
    if render.filepath.startswith("//") and not bpy.data.is_saved:
        raise LikenessError(
            f"The output path '{render.filepath}' is relative to the .blend file, which was never "
            "saved.",
            "Save the file first, or set an absolute path in Output Properties.",
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


_PICTURE_SUFFIXES = set(
    ".png .exr .jpg .jpeg .jp2 .tif .tiff .bmp .tga .rgb .dpx .cin .hdr .webp .mp4 .mkv .avi .mov "
    ".webm .ogv".split()
)


def get_background_color(scene: Any) -> list[float] | None:
    """[3] sRGB of the plain background, 0..1; None if the film is transparent.

    Raises:
        LikenessError: The world is not a plain colour, which the engine cannot render.
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
                f"The world '{world.name}' is not a plain color, which Likeness cannot render.",
                "Enable Film > Transparent, and composite the render over the background.",
            )
    return [float(c) for c in linear_to_srgb(np.clip(linear, 0.0, 1.0))]
