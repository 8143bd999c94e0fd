"""A stretch of Blender's scene drawn by the engine's rasteriser.

Request::

    {"task": "draw", "folder": "frames", "pictures": ["shot_0001.exr"], "video": null,
     "background": null, "backend": null}

``folder`` is what Blender wrote (``engine/scene/frames.py``). ``pictures`` names one file a frame:
PNG (straight alpha) or EXR (linear, alpha multiplied in, and depth); or ``video`` names one file
for all of them. ``background`` is sRGB 0..1; without it
pictures are transparent, and a video is black there. ``backend`` is one of ``render.BACKENDS``,
the fastest one if null. Result::

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
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "folder": ...,
    "pictures": [],
    "video": None,
    "background": None,
    "backend": None,
}

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

    def drawn(t: int) -> RenderOutput:
        channel.progress("draw", t / len(scene), f"frame {scene.frames[t]}")
        return render_camera(scene.gaussians(t), scene.camera(t), None, backend)

    with make_parents(*files):
        if request["video"]:
            with VideoWriter(files[0], *scene.size, scene.frame_rate) as video:
                for t in range(len(scene)):
                    video.write(_opaque(drawn(t), np.zeros(3) if ground is None else ground))
        else:
            for t, path in enumerate(files):
                _write(path, drawn(t), ground)
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


def _opaque(picture: RenderOutput, ground: FloatArray) -> FloatArray:
    return picture.rgb + (1.0 - picture.alpha)[..., None] * ground


def _write(path: Path, picture: RenderOutput, ground: FloatArray | None) -> None:
    """One picture, with the ground behind it or transparent."""
    import numpy as np
    from PIL import Image

    from ...files.atomic import atomic_write
    from ...imaging.exr import write_exr_frame
    from ...imaging.video_writer import to_uint8

    rgb, alpha = picture.rgb, picture.alpha
    if ground is not None:
        rgb, alpha = _opaque(picture, ground), np.ones_like(alpha)
    if path.suffix.lower() == ".exr":
        write_exr_frame(path, rgb, alpha, picture.depth, covered=picture.alpha)
        return
    straight = np.clip(rgb / np.maximum(alpha, 1e-6)[..., None], 0.0, 1.0)
    with atomic_write(path) as scratch:
        pixels = to_uint8(np.concatenate([straight, alpha[..., None]], -1).astype(np.float32))
        Image.fromarray(pixels if ground is None else pixels[..., :3]).save(
            scratch, compress_level=4
        )
