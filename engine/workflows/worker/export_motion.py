"""Blender's recording of an avatar to a motion file that other programs read.

Request::

    {"task": "export_motion", "recording": "recording.npz", "output": "wave.npz", "up": "y"}

``up`` is ``y`` or ``z``, AMASS's. Result: ``{"motion_file": "…", "frames": 1, "warnings": []}``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.types import LikenessError

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {"recording": ..., "output": ..., "up": "y"}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Turn the axes and write the motion; see the module.

    Raises:
        LikenessError: the output's suffix or the axis is not allowed.
    """
    from ...motion.io import read_arrays, write_npz
    from ...motion.recording import export_recording

    output = Path(request["output"])
    if output.suffix.lower() != ".npz":
        raise LikenessError(f"'{output}' is not a motion file.", "Choose a name that ends in .npz.")
    if request["up"] not in ("y", "z"):
        raise LikenessError(f"There is no axis '{request['up']}'.", "Choose y or z.")
    recording = read_arrays(Path(request["recording"]))
    channel.progress("motion", 0.5, "writing the motion")
    arrays = export_recording(recording, request["up"])
    write_npz(arrays, output)
    return {"motion_file": str(output), "frames": len(arrays["transl"]), "warnings": []}
