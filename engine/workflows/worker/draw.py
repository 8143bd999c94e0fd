"""A stretch of Blender's scene drawn by the engine's rasteriser.

Request::

    {"task": "draw", "folder": "frames", "pictures": ["shot_0001.exr"], "video": null,
     "background": null, "polish": null, "backend": null}

``folder`` is what Blender wrote (``engine/scene/frames.py``). ``pictures`` names one file a frame:
PNG (straight alpha) or EXR (linear, alpha multiplied in, and depth); or ``video`` names one file
for all of them. ``background`` is sRGB 0..1; without it
pictures are transparent, and a video is black there. ``polish`` names a file for each avatar with
its pose in the photo (``write_photo_pose``); pictures are then polished, and EXR files have what
they were before as the pass ``Unpolished``. ``backend`` is one of ``render.BACKENDS``, the fastest
one if null. Result::

    {"files": ["shot_0001.exr"], "size": [1280, 720]}

Each picture is written atomically. Those drawn before a stop stay, as in Blender's own renders.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.types import LikenessError

if TYPE_CHECKING:
    from ...core.types import FloatArray
    from ...render import RenderOutput
    from ...scene.frames import SceneFrames
    from ...scene.polished_frames import FramePolisher
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "folder": ...,
    "pictures": [],
    "video": None,
    "background": None,
    "polish": None,
    "backend": None,
}
UNPOLISHED = "Unpolished"
"""Pass of polished EXR files."""

SUFFIXES = (".png", ".exr")


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Draw frame by frame; see the module."""
    import numpy as np

    from ...files.folders import make_parents
    from ...imaging.video_writer import VideoWriter
    from ...render import best_backend, render_camera
    from ...scene.frames import SceneFrames

    channel.progress("draw", 0.0, "reading the scene")
    scene = SceneFrames.load(Path(request["folder"]))
    files = [Path(p) for p in ([request["video"]] if request["video"] else request["pictures"])]
    _check(files, len(scene), bool(request["video"]))
    ground = None if request["background"] is None else np.asarray(request["background"], float)
    backend = request["backend"] or best_backend()
    polisher = None if request["polish"] is None else _polisher(scene, request["polish"])

    def drawn(t: int) -> tuple[RenderOutput, dict[str, FloatArray]]:
        channel.progress("draw", t / len(scene), f"frame {scene.frames[t]}")
        if polisher is None:
            return render_camera(scene.gaussians(t), scene.camera(t), None, backend), {}
        plain, change = polisher.draw(t, backend)
        return plain._replace(rgb=plain.rgb + change), {UNPOLISHED: plain.rgb}

    with make_parents(*files):
        if request["video"]:
            with VideoWriter(files[0], *scene.size, scene.frame_rate) as video:
                for t in range(len(scene)):
                    picture, _ = drawn(t)
                    below = np.zeros(3) if ground is None else ground
                    video.write(_opaque(picture.rgb, picture.alpha, below))
        else:
            for t, path in enumerate(files):
                _write(path, *drawn(t), ground)
    channel.progress("draw", 1.0, "")
    return {"files": [str(path) for path in files], "size": list(scene.size)}


def _check(files: list[Path], frames: int, video: bool) -> None:
    if video:
        return  # VideoWriter knows its formats
    if len(files) != frames:
        raise LikenessError(f"The request names {len(files)} pictures for {frames} frames.")
    for path in files:
        if path.suffix.lower() not in SUFFIXES:
            raise LikenessError(
                f"Pictures cannot be written as '{path.name}'.",
                f"Choose a name that ends in {' or '.join(SUFFIXES)}.",
            )


def _polisher(scene: SceneFrames, photos: list[str]) -> FramePolisher:
    from ...gaussians.polish.polish_network import load_polish
    from ...scene.polished_frames import FramePolisher
    from .export import read_poses

    return FramePolisher(scene, load_polish(), [read_poses(Path(p))[0][0] for p in photos])


def _opaque(rgb: FloatArray, alpha: FloatArray, ground: FloatArray) -> FloatArray:
    return rgb + (1.0 - alpha)[..., None] * ground


def _write(
    path: Path, picture: RenderOutput, passes: dict[str, FloatArray], ground: FloatArray | None
) -> None:
    """One picture, with the ground behind it or transparent."""
    import numpy as np
    from PIL import Image

    from ...files.atomic import atomic_write
    from ...imaging.exr import write_exr_frame
    from ...imaging.video_writer import to_uint8

    rgb, alpha = picture.rgb, picture.alpha
    if ground is not None:
        rgb = _opaque(rgb, alpha, ground)
        passes = {name: _opaque(colors, alpha, ground) for name, colors in passes.items()}
        alpha = np.ones_like(alpha)
    if path.suffix.lower() == ".exr":
        write_exr_frame(path, rgb, alpha, picture.depth, picture.alpha, passes)
        return
    straight = np.clip(rgb / np.maximum(alpha, 1e-6)[..., None], 0.0, 1.0)
    with atomic_write(path) as scratch:
        pixels = to_uint8(np.concatenate([straight, alpha[..., None]], -1).astype(np.float32))
        Image.fromarray(pixels if ground is None else pixels[..., :3]).save(
            scratch, compress_level=4
        )
