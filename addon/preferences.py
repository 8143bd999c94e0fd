"""What the user sets once. ``preferences_view.py`` draws it."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy

from .paths import ROOT_PACKAGE, user_folder


class LikenessPreferences(bpy.types.AddonPreferences):  # type: ignore[misc]
    """Where things lie, and what the worker runs in."""

    bl_idname = ROOT_PACKAGE

    engine_python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Python Environment",
        description="Folder of a Python environment with PyTorch, or its Python program, in which "
        "avatars are built, to use a GPU; empty for Blender's own Python",
        subtype="FILE_PATH",
    )
    models_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Models Folder",
        description="Folder with models that you have got yourself, each in a folder of its name; "
        "may be left empty",
        subtype="DIR_PATH",
    )
    avatar_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatars",
        description="Folder for the avatar files that are built; empty for the extension's own",
        subtype="DIR_PATH",
    )
    body_file: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Body File",
        description="An SMPL-X model file (.npz) of your own; empty for the default body",
        subtype="FILE_PATH",
    )
    show_splats: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Show Splats After Import",
        description="Switch solid 3D views to Material Preview, where splats look as they are",
        default=True,
    )
    show_models: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Models",
        description="Show the models that Likeness can use, with their licences",
        options={"SKIP_SAVE"},
    )
    found: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Found",
        description="What was found out about the engine, models, caches and the body file",
        options={"HIDDEN"},
    )


def get_preferences(context: Any) -> Any:
    """The extension's preferences (its defaults where it is used without being enabled)."""
    addon = context.preferences.addons.get(ROOT_PACKAGE)
    return addon.preferences if addon is not None else _Defaults


class _Defaults:
    engine_python = ""
    models_folder = ""
    avatar_folder = ""
    body_file = ""
    show_splats = True
    found = ""


def avatar_folder(context: Any) -> Path:
    """Where built avatars go."""
    chosen = get_preferences(context).avatar_folder
    return Path(bpy.path.abspath(chosen)) if chosen else user_folder("avatars")


CLASSES = (LikenessPreferences,)
