"""Portrait -> avatar in the scene, as the operators use it: the worker's request, the import."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..engine.core.types import MAX_GAUSSIANS
from ..engine.scene.files import load_scene_steps
from ..engine.scene.static_splats import load_static_steps
from .preferences import avatar_folder, get_preferences
from .scene import bare_body, static_splat_object
from .scene.avatar_objects import AvatarObjects, build_scene_steps, run_to_end
from .scene.view3d import look_at_avatar, show_splats


@dataclass(frozen=True)
class PortraitRequest:
    """What the user asked for.

    Attributes:
        portrait: the photo. output: folder for the avatar and its report.
        person: which of several people, 1 the leftmost; None lets the engine choose.
        fov: field of view along the longer side in degrees; None when not known.
        refine: how long the splats are fitted to the photo: off, fast or full.
        network: what improves the lift: a folder, ``none``, or empty for what comes along.
        body: an SMPL-X file of the user's own; empty for the preferences' choice.
        others: more photos of the same person and what they show (back, side, ...).
        confirm: when the fit is shown before it is used: never, doubt or always.
    """

    portrait: Path
    output: Path
    max_gaussians: int = MAX_GAUSSIANS
    person: int | None = None
    fov: float | None = None
    refine: str = "fast"
    network: str = ""
    body: str = ""
    others: tuple[tuple[Path, str], ...] = ()
    confirm: str = "never"

    def for_worker(self, context: Any) -> dict[str, Any]:
        """The request of the task ``build``."""
        body = self.body or get_preferences(context).body_file
        names = ("max_gaussians", "person", "fov", "refine", "network")
        options = {name: getattr(self, name) for name in names}
        return {
            "task": "build",
            "portrait": str(self.portrait),
            "output": str(self.output),
            "preview": False,
            "scene": str(scratch_file("scene.npz")),
            "confirm": self.confirm,
            "body": bpy.path.abspath(body) if body else None,
            "others": [{"path": str(path), "direction": shown} for path, shown in self.others],
            "options": {name: value for name, value in options.items() if value is not None},
        }


def open_request(avatar: Path, photo: Path | None = None) -> dict[str, Any]:
    """The request of the task ``prepare``: an avatar's file made ready for the scene."""
    return {
        "task": "prepare",
        "avatar": str(avatar),
        "photo": None if photo is None else str(photo),
        "output": str(scratch_file("scene.npz")),
    }


def splats_request(path: Path, up: str) -> dict[str, Any]:
    """The request of the task ``splats``: a file of Gaussians made ready for the scene."""
    output = str(scratch_file("splats.npz"))
    return {"task": "splats", "path": str(path), "up": up, "output": output}


def import_splats_steps(context: Any, scene: Path, name: str) -> Generator[None, None, Any]:
    """Bring splats that a worker made ready into the scene, in slices.

    Args:
        scene: the file that the worker made, which is removed.
    """
    try:
        splats = yield from load_static_steps(scene)
    finally:
        _remove_scratch(scene)
    obj = yield from static_splat_object.add_static_splats_steps(splats, name, context)
    if get_preferences(context).show_splats:
        show_splats(context)
    return obj


def add_body(context: Any, seed: int | None) -> Any:
    """Add the body of the preferences, or the default one, with a random shape for a ``seed``.

    Raises:
        LikenessError: its file cannot be read.
    """
    from ..engine.body import load_body  # late, so that enabling the extension stays fast
    from ..engine.files.weights import asset_path

    chosen = get_preferences(context).body_file
    body = load_body(Path(bpy.path.abspath(chosen)) if chosen else asset_path("body"))
    betas = np.zeros(body.num_betas) if seed is None else bare_body.random_betas(body, seed)
    return run_to_end(bare_body.add_body_steps(body, betas, "Likeness Body", context))


def _remove_scratch(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.parent.rmdir()


def scratch_file(name: str) -> Path:
    """A file that nobody else uses, in the folder that Blender removes when it ends."""
    folder = tempfile.mkdtemp(prefix="likeness-", dir=bpy.app.tempdir or None)
    return Path(folder) / name


def output_folder(context: Any, portrait: Path) -> Path:
    """A folder of its own for the avatars of one photo, wherever the photo lies."""
    digest = hashlib.sha256(str(portrait.absolute()).encode()).hexdigest()[:8]
    return avatar_folder(context) / f"{portrait.stem}-{digest}"


def import_avatar_steps(
    context: Any, scene: Path, avatar: Path, name: str
) -> Generator[None, None, AvatarObjects]:
    """Bring what a worker made ready into the scene, in slices, and let the views show it.

    Args:
        scene: the file that the worker made, which is removed. avatar: the avatar's own file.
    """
    try:
        ready = yield from load_scene_steps(scene)
    finally:
        _remove_scratch(scene)
    objects = yield from build_scene_steps(ready, name, context, avatar)
    if get_preferences(context).show_splats:
        show_splats(context)
        look_at_avatar(objects, ready.avatar, context)
    return objects
