"""Avatar file to a file that Blender reads in small steps.

Request::

    {"task": "prepare", "avatar": "avatar.safetensors", "photo": null, "output": "scene.npz"}

Result::

    {"scene": "scene.npz", "warnings": []}
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {"avatar": ..., "photo": None, "output": ...}


def stage_seconds(request: dict[str, Any]) -> dict[str, float]:
    """Stage -> rough seconds, for the progress bar."""
    return {"start": 0.7, "prepare": 2.5}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Read the avatar, compute its splat mesh, write it; see the module."""
    from ...formats.avatar import load_editable_avatar
    from ...scene.files import make_scene_avatar, save_scene_avatar

    channel.progress("prepare", 0.0, "reading the avatar")
    photo = Path(request["photo"]) if request["photo"] else None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        avatar = load_editable_avatar(Path(request["avatar"]))
        channel.progress("prepare", 0.1, "making it ready for Blender")
        scene = make_scene_avatar(avatar, photo)
    save_scene_avatar(scene, Path(request["output"]))
    channel.progress("prepare", 1.0, "")
    return {"scene": str(request["output"]), "warnings": [str(w.message) for w in said]}
