"""Photo or video to a motion file, for Blender, and that motion for one avatar.

Request::

    {"task": "track", "media": "me.mp4", "output": "me.npz", "overlay": "me-overlay.mp4",
     "options": {"person": null, "fov": null, "start": 0.0, "end": null, "max_frames": null,
                 "resume": true},
     "prepared": "prepared.npz", "target": {...}, "motion": {"frame_rate": 24.0}}

Only ``media`` and ``output`` are needed. ``options`` are fields of ``track_files.TrackOptions``.
With ``write_prepared``, the motion is prepared for an avatar, as :mod:`.motion` does, with
``motion`` as its options. Result: ``{"motion_file": "…", "overlay": null, "report": {…},
"warnings": []}`` and the answer of :mod:`.motion`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.options import options_from_json
from .motion import parse_target, prepare_for

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "media": ...,
    "output": ...,
    "overlay": None,
    "body": None,
    "options": {},
    "prepared": None,
    "target": None,
    "motion": {},
}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Track, write and prepare the motion; see the module."""
    from ..options import TrackOptions
    from ..track_files import track_to_files

    options = options_from_json(TrackOptions, request["options"])
    target, wanted = parse_target(request)
    done = track_to_files(
        Path(request["media"]),
        Path(request["output"]),
        options,
        overlay=Path(request["overlay"]) if request["overlay"] else None,
        body_path=Path(request["body"]) if request["body"] else None,
        progress=channel.progress,
    )
    result: dict[str, Any] = {
        "motion_file": str(done.motion_file),
        "overlay": str(done.overlay) if done.overlay else None,
        "report": done.report,
        "warnings": list(done.motion.warnings),
    }
    if target is not None:
        ready = prepare_for(done.motion_file, target, wanted, Path(request["prepared"]))
        result |= {key: value for key, value in ready.items() if key != "warnings"}
    return result
