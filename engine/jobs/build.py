"""Portrait to avatar file, for Blender.

Request::

    {"task": "build", "portrait": "me.jpg", "output": "folder", "preview": true, "body": null,
     "others": [{"path": "behind.jpg", "direction": "back"}],
     "options": {"max_gaussians": 262144, "person": null, "fov": null,
                 "refine": "fast", "network": "none"}}

Only ``portrait`` and ``output`` are needed; ``options`` are fields of ``BuildOptions``, ``others``
more photos of the same person (``OtherPhoto``; the direction may be left out). Result::

    {"avatar": "…/avatar.safetensors", "report": "…/report.json", "preview": "…/preview.png",
     "warnings": []}
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..types import LikenessError

if TYPE_CHECKING:
    from ..worker import Channel

DEFAULTS: dict[str, Any] = {
    "portrait": ..., "output": ..., "preview": True, "body": None, "others": [], "options": {},
}  # fmt: skip


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Build the avatar and write it to the folder; see the module."""
    from ..output import build_to_folder
    from ..pipeline import BuildOptions, OtherPhoto

    try:
        options = BuildOptions(**request["options"])
    except TypeError as error:
        raise LikenessError(f"The request's options are wrong: {error}.") from error
    try:
        others = [OtherPhoto(**{**o, "path": Path(o["path"])}) for o in request["others"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise LikenessError(f"The request's other photos are wrong: {error}.") from error
    files = build_to_folder(
        Path(request["portrait"]),
        Path(request["output"]),
        options,
        preview=bool(request["preview"]),
        body_path=Path(request["body"]) if request["body"] else None,
        progress=channel.progress,
        others=others,
    )
    return {
        "avatar": str(files.avatar),
        "report": str(files.report_file),
        "preview": str(files.preview) if files.preview else None,
        "warnings": files.report["warnings"],
    }
