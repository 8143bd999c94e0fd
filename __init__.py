"""Likeness: one portrait in, an animatable 3D Gaussian avatar out.

This folder is a Python package and a Blender extension at once. What is public is listed in
``__all__`` and loaded when it is first used, so that importing the package costs nothing::

    import likeness

    built = likeness.build("anna.jpg", likeness.BuildOptions(refine="full"), out="avatars/anna")
    likeness.render(built.avatar, likeness.pose(built.avatar, "wave"), out="anna.png")

docs/automation.md has recipes, docs/CONVENTIONS.md what the numbers mean. Names that are not in the
list may change with any version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine.core.types import JOINT_NAMES as JOINT_NAMES
    from .engine.core.types import Avatar as Avatar
    from .engine.core.types import Camera as Camera
    from .engine.core.types import Gaussians as Gaussians
    from .engine.core.types import LikenessError as LikenessError
    from .engine.core.types import Motion as Motion
    from .engine.core.types import Pose as Pose
    from .engine.pipeline.build import BuildResult as BuildResult
    from .engine.pipeline.options import BuildOptions as BuildOptions
    from .engine.workflows.api import build as build
    from .engine.workflows.api import camera as camera
    from .engine.workflows.api import edit as edit
    from .engine.workflows.api import export as export
    from .engine.workflows.api import load as load
    from .engine.workflows.api import pose as pose
    from .engine.workflows.api import render as render
    from .engine.workflows.api import save as save
    from .engine.workflows.api import simplify as simplify
    from .engine.workflows.api import splats as splats
    from .engine.workflows.clip_files import Clip as Clip
    from .engine.workflows.motion_api import clip as clip
    from .engine.workflows.motion_api import motion as motion
    from .engine.workflows.motion_api import speak as speak
    from .engine.workflows.motion_api import track as track
    from .engine.workflows.options import ClipOptions as ClipOptions
    from .engine.workflows.options import ExportOptions as ExportOptions
    from .engine.workflows.options import SpeakOptions as SpeakOptions
    from .engine.workflows.options import TrackOptions as TrackOptions
    from .engine.workflows.options import VrmOptions as VrmOptions
    from .engine.workflows.speak_files import SpeakFiles as SpeakFiles
    from .engine.workflows.track_files import TrackFiles as TrackFiles

    __version__: str

_PUBLIC = {
    "engine.workflows.api": "build camera edit export load pose render save simplify splats",
    "engine.workflows.motion_api": "clip motion speak track",
    "engine.workflows.clip_files": "Clip",
    "engine.workflows.options": "ClipOptions ExportOptions SpeakOptions TrackOptions VrmOptions",
    "engine.workflows.speak_files": "SpeakFiles",
    "engine.workflows.track_files": "TrackFiles",
    "engine.pipeline.build": "BuildResult",
    "engine.pipeline.options": "BuildOptions",
    "engine.core.types": "JOINT_NAMES Avatar Camera Gaussians LikenessError Motion Pose",
}
"""Module -> its public names."""

_HOMES = {name: home for home, names in _PUBLIC.items() for name in names.split()}

_DEPRECATED = {"level": "simplify"}
"""Old name -> new name; the old ones work with a DeprecationWarning until the next version."""

__all__ = [
    "JOINT_NAMES",
    "Avatar",
    "BuildOptions",
    "BuildResult",
    "Camera",
    "Clip",
    "ClipOptions",
    "ExportOptions",
    "Gaussians",
    "LikenessError",
    "Motion",
    "Pose",
    "SpeakFiles",
    "SpeakOptions",
    "TrackFiles",
    "TrackOptions",
    "VrmOptions",
    "build",
    "camera",
    "clip",
    "edit",
    "export",
    "load",
    "motion",
    "pose",
    "render",
    "save",
    "simplify",
    "speak",
    "splats",
    "track",
]


if not TYPE_CHECKING:  # type checkers would take it for every name there could be

    def __getattr__(name: str) -> Any:
        """Load a public name from its module (PEP 562); it is looked up once.

        Raises:
            AttributeError: the name is not public.
        """
        if name in _DEPRECATED:
            import warnings

            from .engine.workflows import api

            new = _DEPRECATED[name]
            warnings.warn(
                f"likeness.{name} is now likeness.{new}.", DeprecationWarning, stacklevel=2
            )
            return getattr(api, name)
        if name == "__version__":
            from .engine.core.version import VERSION as found
        elif name in _HOMES:
            import importlib

            found = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def register() -> None:
    """Called by Blender when the extension is enabled."""
    import bpy

    from . import operators, panels
    from .addon import (
        blender_command,
        preferences,
        preferences_view,
        properties,
        translations,
        warm_up,
    )

    preferences_view.attach()
    for cls in preferences.CLASSES:
        translations.set_context(cls)
        bpy.utils.register_class(cls)
    translations.register()
    properties.register()
    operators.register()
    panels.register()
    blender_command.register()
    warm_up.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    import bpy

    from . import operators, panels
    from .addon import blender_command, preferences, properties, translations, warm_up

    warm_up.unregister()
    blender_command.unregister()
    panels.unregister()
    operators.unregister()
    properties.unregister()
    translations.unregister()
    for cls in reversed(preferences.CLASSES):
        bpy.utils.unregister_class(cls)
