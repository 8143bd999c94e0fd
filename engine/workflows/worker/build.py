"""Portrait to avatar file, for Blender.

Request::

    {"task": "build", "portrait": "me.jpg", "output": "folder", "preview": true, "body": null,
     "name": "me", "scene": "scene.npz", "confirm": "never",
     "others": [{"path": "behind.jpg", "direction": "back"}],
     "options": {"max_gaussians": 262144, "person": null, "fov": null,
                 "refine": "fast", "network": "default"}}

Only ``portrait`` and ``output`` are needed; ``name`` is that of the avatar file and of a thumbnail
beside it (avatar.safetensors without one if null); ``options`` are fields of ``BuildOptions``,
``others`` more photos of the same person (``ExtraView``; the direction may be left out). With
``scene`` the avatar is also made ready for Blender's scene, in that file. ``confirm`` is ``never``,
``doubt`` or ``always`` (or true): when the fit is shown before it is used, see :mod:`..fit_check`.
Result::

    {"avatar": "…/avatar.safetensors", "report": "…/report.json", "preview": "…/preview.png",
     "scene": "…/scene.npz", "warnings": []}
"""

from __future__ import annotations

import tempfile
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.options import options_from_json
from ...core.progress import estimate_seconds
from ...core.types import LikenessError

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "portrait": ...,
    "output": ...,
    "name": None,
    "preview": True,
    "body": None,
    "others": [],
    "options": {},
    "scene": None,
    "confirm": "never",
}


def stage_seconds(request: dict[str, Any]) -> dict[str, float]:
    """Stage -> rough seconds, for the progress bar."""
    options = request["options"]
    return estimate_seconds(
        options.get("refine", "fast"),
        network=options.get("network") != "none",
        photos=1 + len(request["others"]),
        look=request["confirm"] in ("always", True),
        preview=bool(request["preview"]),
        scene=bool(request["scene"]),
        polish=options.get("polish", "off") != "off",
    )


def load() -> None:
    """Import and open what every build needs, before there is a request.

    Raises:
        LikenessError: a file is missing.
    """
    from ...core.kernels import load_kernels
    from ...gaussians.relight import albedo as albedo
    from ...pipeline.build import open_defaults
    from ...render import cpu as cpu
    from ...scene import files as files
    from ...visual import sheet as sheet
    from .. import build_files as build_files
    from .. import fit_check as fit_check

    open_defaults()
    load_kernels()


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Build the avatar and write it to the folder; see the module.

    Raises:
        LikenessError: the request is wrong, or the photo cannot be used.
    """
    from ...core.threads import start_thread
    from ...formats.avatar import load_avatar
    from ...pipeline.options import BuildOptions
    from ...pipeline.track import ExtraView
    from ...scene.files import make_scene_avatar, save_scene_avatar
    from ..build_files import build_to_folder
    from ..fit_check import make_fit_check

    options = options_from_json(BuildOptions, request["options"])
    try:
        others = [ExtraView(**{**o, "path": Path(o["path"])}) for o in request["others"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise LikenessError(f"The request's other photos are wrong: {error}.") from error
    way = "always" if request["confirm"] is True else str(request["confirm"] or "never")
    near = Path(request["scene"]).parent if request["scene"] else None
    drawn: list[Future[None]] = []
    with tempfile.TemporaryDirectory(prefix="likeness-fit-", dir=near) as folder:
        check = make_fit_check(
            channel.ask,
            way,
            options.person,
            Path(folder),
            channel.send,
            lambda work: drawn.append(start_thread(work)),
        )
        try:
            files = build_to_folder(
                Path(request["portrait"]),
                Path(request["output"]),
                options,
                preview=bool(request["preview"]),
                body_path=Path(request["body"]) if request["body"] else None,
                progress=channel.progress,
                others=others,
                check=check,
                name=request["name"],
            )
        finally:
            wait(drawn)  # they write to the folder, and send messages
        for one in drawn:
            one.result()
    if request["scene"]:
        channel.progress("ready", 0.0, "making it ready for the scene")
        save_scene_avatar(
            make_scene_avatar(load_avatar(files.avatar), Path(request["portrait"])),
            Path(request["scene"]),
        )
    return {
        "avatar": str(files.avatar),
        "report": str(files.report_file),
        "preview": str(files.preview) if files.preview else None,
        "scene": request["scene"],
        "warnings": files.report["warnings"],
    }
