"""Things of the wardrobe put on an avatar of Blender's scene, and taken off again; other colours.

Request::

    {"task": "wear", "folder": "frames", "poses": "poses.npz", "add": ["hat=fedora"],
     "remove": [], "tints": ["hair=#803010"], "output": "scene.npz",
     "edited": {"picture": "me_cap.png", "portrait": "me.png", "part": "hat"}}

``folder`` holds what ``addon/scene/frame_recorder.py`` wrote, ``poses`` the photo's pose, ``add``,
``remove`` and ``tints`` what :func:`.edit_avatar.edit_avatar` takes, ``edited`` (or null) a
portrait in which something was changed; its ``part`` may be null. Result::

    {"scene": "scene.npz", "warnings": []}
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.progress import estimate_seconds

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "folder": ...,
    "poses": ...,
    "add": [],
    "remove": [],
    "tints": [],
    "edited": None,
    "output": ...,
}


def stage_seconds(request: dict[str, Any]) -> dict[str, float]:
    """Stage -> rough seconds, for the progress bar."""
    own = {"start": 0.7, "wear": 3.0, "prepare": 2.5}
    if request["edited"] is None:
        return own
    return {**estimate_seconds("fast", preview=False, scene=False), **own}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Edit the avatar, and write its new splats; see the module."""
    from ...scene.files import make_scene_avatar, save_scene_avatar
    from ..edit_avatar import EditedPortrait, edit_avatar
    from .export import read_scene_avatar

    channel.progress("wear", 0.0, "fitting to the avatar")
    avatar = read_scene_avatar(Path(request["folder"]), request["poses"])
    photo = request["edited"]
    if photo is not None:
        photo = EditedPortrait(Path(photo["picture"]), Path(photo["portrait"]), photo["part"])
    edited = edit_avatar(
        avatar,
        request["add"],
        remove=request["remove"],
        edited=photo,
        progress=channel.progress,
        tints=request["tints"],
    )
    channel.progress("prepare", 0.0, "making it ready for Blender")
    save_scene_avatar(make_scene_avatar(edited), Path(request["output"]))
    channel.progress("prepare", 1.0, "")
    return {"scene": str(request["output"]), "warnings": []}
