"""Avatars and motions prepared for a crowd in Blender.

Request::

    {"task": "crowd", "avatars": ["a/avatar.safetensors"], "motions": ["walk.bvh"],
     "output": "folder", "splats": 10000, "frame_rate": 24.0}

Without motions people stand in poses. Result::

    {"people": [{"avatar": "a/avatar.safetensors", "scene": "…/0/scene.npz",
                 "motions": [["walk", "…/0/motion_0.npz"]]}],
     "warnings": []}

An avatar or a motion that cannot be read is left out with a warning.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.types import LikenessError

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "avatars": ...,
    "output": ...,
    "motions": (),
    "splats": 10_000,
    "frame_rate": 24.0,
}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Simplify the avatars and retarget the motions; see the module.

    Raises:
        LikenessError: no avatar, or none of the motions, can be used.
    """
    from ...formats.avatar import load_avatar
    from ...motion.prepare_motion import MotionOptions, load_retargeted, save_prepared
    from ...scene.files import save_scene_avatar
    from ..crowd import crowd_target, make_crowd_person, save_standing_poses

    avatars, motions = request["avatars"], [Path(path) for path in request["motions"]]
    options = MotionOptions(frame_rate=request["frame_rate"], place="in_place", loop=True)
    said: dict[str, None] = {}
    people: list[dict[str, Any]] = []
    for number, path in enumerate(avatars):
        channel.progress("crowd", number / len(avatars), "preparing the people")
        folder = Path(request["output"]) / str(number)
        folder.mkdir(parents=True)
        try:
            with warnings.catch_warnings(record=True):
                warnings.simplefilter("always")
                person = make_crowd_person(load_avatar(Path(path)), request["splats"])
        except LikenessError as error:
            said[f"Left out: {error.message}"] = None
            continue
        save_scene_avatar(person, folder / "scene.npz")
        body, files = person.avatar.body, []
        target = crowd_target(body)
        for k, motion in enumerate(motions):
            prepared = folder / f"motion_{k}.npz"
            try:
                save_prepared(load_retargeted(motion, target, options), prepared)
            except LikenessError as error:
                said[f"Left out: {error.message}"] = None
                continue
            files.append((motion.stem, str(prepared)))
        if motions and not files:
            raise LikenessError("None of the motions can be used.", next(iter(said)))
        if not motions:
            files = [(file.stem, str(file)) for file in save_standing_poses(body, folder)]
        people.append({"avatar": path, "scene": str(folder / "scene.npz"), "motions": files})
    if not people:
        raise LikenessError("None of the avatars can be used.", next(iter(said), "Build some."))
    channel.progress("crowd", 1.0, "")
    return {"people": people, "warnings": list(said)}
