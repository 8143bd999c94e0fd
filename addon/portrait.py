"""Requests to the worker for avatars and splats, and the import of its results."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..engine.pipeline.options import BuildOptions
from ..engine.scene.files import load_scene_steps
from ..engine.scene.static_splats import load_static_steps
from ..engine.workflows.build_files import find_avatar_file
from .preferences import avatar_folder, get_preferences
from .scene import bare_body, static_splat_object
from .scene.avatar_objects import AvatarObjects, build_scene_steps, subject_name
from .scene.steps import run_to_end
from .scene.view3d import look_at_avatar, show_splats
from .viewport import fast_splats


def build_request(
    context: Any,
    photo: Path,
    options: BuildOptions,
    others: Sequence[tuple[Path, str]] = (),
    body: str = "",
    confirm: str = "never",
) -> dict[str, Any]:
    """The request of the task ``build``.

    Args:
        context: of Blender.
        photo: of the person.
        options: of the build.
        others: more photos of the same person, each with its direction (``back``, ``side`` ...).
        body: the user's SMPL-X file; empty for the one in the preferences.
        confirm: when to show the fit: ``never``, ``doubt`` or ``always``.
    """
    body = body or get_preferences(context).body_file
    return {
        "task": "build",
        "portrait": str(photo),
        "output": str(output_folder(context, photo)),
        "name": photo.stem,
        "preview": False,
        "scene": str(scratch_file("scene.npz")),
        "confirm": confirm,
        "body": bpy.path.abspath(body) if body else None,
        "others": [{"path": str(path), "direction": direction} for path, direction in others],
        "options": asdict(options),
    }


def open_request(avatar: Path, photo: Path | None = None) -> dict[str, Any]:
    """The request of the task ``prepare``, which prepares an avatar file for the scene.

    Raises:
        LikenessError: ``avatar`` is a picture that is not beside its avatar.
    """
    return {
        "task": "prepare",
        "avatar": str(find_avatar_file(avatar)),
        "photo": None if photo is None else str(photo),
        "output": str(scratch_file("scene.npz")),
    }


def splats_request(path: Path, up: str) -> dict[str, Any]:
    """The request of the task ``splats``, which prepares a splat file for the scene."""
    output = str(scratch_file("splats.npz"))
    return {"task": "splats", "path": str(path), "up": up, "output": output}


def import_splats_steps(context: Any, scene: Path, name: str) -> Generator[None, None, Any]:
    """Add splats that the worker has prepared to the scene, in slices.

    Args:
        context: of Blender.
        scene: the worker's file, which is removed.
        name: of the object.

    Raises:
        LikenessError: The file cannot be read.
    """
    try:
        splats = yield from load_static_steps(scene)
    finally:
        _remove_scratch(scene)
    obj = yield from static_splat_object.add_static_splats_steps(splats, name, context)
    if get_preferences(context).show_splats:
        show_splats()
    return obj


def add_body(context: Any, seed: int | None) -> Any:
    """Add the body of the preferences, or the default one, to the scene.

    Args:
        context: of Blender.
        seed: of a random shape; None for the mean shape.

    Raises:
        LikenessError: The body's file cannot be read.
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


def scratch_folder() -> Path:
    """A new temporary folder, which Blender removes when it quits."""
    return Path(tempfile.mkdtemp(prefix="likeness-", dir=bpy.app.tempdir or None))


def scratch_file(name: str) -> Path:
    """Path of a new temporary file, which Blender removes when it quits."""
    return scratch_folder() / name


def output_folder(context: Any, portrait: Path) -> Path:
    """The folder for the avatar of a photo, unique for the photo's path."""
    digest = hashlib.sha256(str(portrait.absolute()).encode()).hexdigest()[:8]
    return avatar_folder(context) / f"{portrait.stem}-{digest}"


def import_avatar_steps(
    context: Any, scene: Path, avatar: Path, name: str = "", bone_ends: bool = False
) -> Generator[None, None, AvatarObjects]:
    """Add an avatar that the worker has prepared to the scene, in slices, and show it.

    Args:
        context: of Blender.
        scene: the worker's file, which is removed.
        avatar: the avatar file.
        name: of the objects; empty for the subject's.
        bone_ends: name bones ``hip.L`` instead of ``left_hip``.

    Raises:
        LikenessError: The worker's file cannot be read.
    """
    try:
        ready = yield from load_scene_steps(scene)
    finally:
        _remove_scratch(scene)
    name = name or subject_name(ready.avatar, avatar)
    shows = get_preferences(context).show_splats
    fast = shows and not fast_splats.find_fast_problem()
    show_steps = fast_splats.start_fast_steps if fast else None
    objects = yield from build_scene_steps(ready, name, context, avatar, bone_ends, show_steps)
    if shows:
        if not fast:
            show_splats()
        look_at_avatar(objects, ready.avatar, context)
    return objects
