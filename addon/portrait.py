"""Portrait -> avatar in the scene, as the operators use it: request, running job, import."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..engine.formats.avatar import load_avatar
from ..engine.stages import whole_progress as whole_progress
from ..engine.types import MAX_GAUSSIANS
from .jobs import Job
from .paths import user_folder
from .preferences import avatar_folder, preferences
from .scene.build import AvatarObjects, build_scene


@dataclass(frozen=True)
class PortraitRequest:
    """What the user asked for.

    Attributes:
        portrait: the photo. output: folder for the avatar and its report.
        person: which of several people, 0 the largest; None lets the engine choose.
        fov: field of view along the longer side in degrees; None when not known.
        refine: how long the splats are fitted to the photo: off, fast or full.
        network: folder of the network that improves the lift; empty for none.
        others: more photos of the same person and what they show (back, side, ...).
    """

    portrait: Path
    output: Path
    max_gaussians: int = MAX_GAUSSIANS
    person: int | None = None
    fov: float | None = None
    refine: str = "fast"
    network: str = ""
    others: tuple[tuple[Path, str], ...] = ()

    def start(self, context: Any) -> Job:
        """Start the worker on it."""
        body = preferences(context).body_file
        names = ("max_gaussians", "person", "fov", "refine", "network")
        options = {name: getattr(self, name) for name in names}
        request = {
            "portrait": str(self.portrait),
            "output": str(self.output),
            "preview": False,
            "body": bpy.path.abspath(body) if body else None,
            "others": [{"path": str(path), "direction": shown} for path, shown in self.others],
            "options": {name: value for name, value in options.items() if value is not None},
        }
        # Compiled loops are kept where the extension may write.
        return Job(request, environment={"NUMBA_CACHE_DIR": str(user_folder("numba"))})


def output_folder(context: Any, portrait: Path) -> Path:
    """A folder of its own for the avatars of one photo, wherever the photo lies."""
    digest = hashlib.sha256(str(portrait.absolute()).encode()).hexdigest()[:8]
    return avatar_folder(context) / f"{portrait.stem}-{digest}"


def import_avatar(
    context: Any, avatar: Path, photo: Path | None = None, name: str | None = None
) -> AvatarObjects:
    """Load an avatar file into the scene, and let the 3D views show its splats."""
    objects = build_scene(
        load_avatar(avatar), name or (photo or avatar).stem, photo, context, avatar
    )
    if preferences(context).show_splats:
        show_splats(context)
    return objects


def show_splats(context: Any) -> None:
    """Switch the screen's solid 3D views to Material Preview; others are left as they are."""
    for area in context.screen.areas if context.screen else ():
        if area.type == "VIEW_3D" and area.spaces.active.shading.type == "SOLID":
            area.spaces.active.shading.type = "MATERIAL"
