"""A face followed in real time, for Blender: in a video, or before a camera.

Request::

    {"task": "live_face", "source": "me.mp4", "mirror": false}
    {"task": "live_face", "source": "camera:0", "mirror": true}

While it runs, a line for each picture that was followed (weights in the order of ARKit's names in
``body.names``, axis-angles in radians)::

    {"type": "face", "seconds": 1.25, "weights": [...], "head": [...], "left_eye": [...],
     "right_eye": [...], "calibrating": false}

``{"answer": "neutral"}`` on stdin takes the neutral face anew, ``{"answer": "stop"}`` ends it, as
does the video's end. Result: ``{"frames": 300, "seconds": 10.0, "rate": 24.5, "warnings": []}``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {"source": ..., "mirror": False, "body": None}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Follow the face; see the module."""
    import numpy as np

    from ...body import load_body
    from ...files.weights import asset_path
    from ...tracking.detectors import Detectors
    from ...tracking.live_face import FaceFollower
    from ...tracking.live_source import open_live_source

    channel.progress("open", 0.0, "opening the video or camera")
    body = load_body(request["body"] or asset_path("body"))
    follower = FaceFollower(body, Detectors(asset_path("pose_landmark").parent))
    pictures = open_live_source(str(request["source"]))
    frames, begin, seconds = 0, time.monotonic(), 0.0
    channel.progress("follow", 0.0, "following the face")
    for picture in pictures:
        command = channel.take_answer()
        if command.get("answer") == "stop":
            break
        if command.get("answer") == "neutral":
            follower.solver.calibrate()
        rgb = np.ascontiguousarray(picture.rgb[:, ::-1]) if request["mirror"] else picture.rgb
        face = follower.follow(rgb)
        frames, seconds = frames + 1, picture.seconds
        if face is not None:
            channel.send(
                "face",
                seconds=round(picture.seconds, 4),
                weights=np.round(face.weights, 4).tolist(),
                head=np.round(face.head, 4).tolist(),
                left_eye=np.round(face.left_eye, 4).tolist(),
                right_eye=np.round(face.right_eye, 4).tolist(),
                calibrating=face.calibrating,
            )
    spent = max(time.monotonic() - begin, 1e-6)
    return {
        "frames": frames,
        "seconds": round(seconds, 3),
        "rate": round(frames / spent, 2),
        "warnings": [] if frames else ["No picture could be read."],
    }
