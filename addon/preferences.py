"""The extension's preferences; ``preferences_view.py`` draws them."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy

from .paths import ROOT_PACKAGE, user_folder


def bone_ends_property(**options: Any) -> Any:
    """How bones are named: a property of the preferences and of imports."""
    return bpy.props.BoolProperty(
        name=".L/.R Suffixes",
        description="Name the bones of new avatars hip.L, as Blender's own rigs do, instead of "
        "left_hip, as SMPL-X does. Both mirror, and both take motions",
        default=False,
        **options,
    )


class LikenessPreferences(bpy.types.AddonPreferences):  # type: ignore[misc]
    """Folders, the body file and the worker's Python environment."""

    bl_idname = ROOT_PACKAGE

    engine_python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Python Environment",
        description="Folder or Python executable of an environment with PyTorch, to build avatars "
        "on a GPU; empty for Blender's own Python",
        subtype="FILE_PATH",
    )
    models_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Models Folder",
        description="Folder of models that you have downloaded yourself, each in a folder of its "
        "name; optional",
        subtype="DIR_PATH",
    )
    avatar_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatars",
        description="Folder for built avatars; empty for the extension's own folder",
        subtype="DIR_PATH",
    )
    body_file: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Body File",
        description="Your SMPL-X model file (.npz); empty for the default body",
        subtype="FILE_PATH",
    )
    show_splats: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Show Splats After Import",
        description="Draw new avatars with Fast Splats; without a graphics card, switch solid 3D "
        "views to Material Preview",
        default=True,
    )
    bone_ends: bone_ends_property()  # type: ignore[valid-type]
    show_models: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Research Models",
        description="Show the models for training, measuring and generating, and their licences",
        options={"SKIP_SAVE"},
    )
    found: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Found",
        description="Results of the last checks of engine, models, caches and body file",
        options={"HIDDEN"},
    )


def get_preferences(context: Any) -> Any:
    """The extension's preferences, or their defaults if it is not enabled."""
    addon = context.preferences.addons.get(ROOT_PACKAGE)
    return addon.preferences if addon is not None else _Defaults


class _Defaults:
    engine_python = ""
    models_folder = ""
    avatar_folder = ""
    body_file = ""
    show_splats = True
    bone_ends = False
    found = ""


def avatar_folder(context: Any) -> Path:
    """The folder for built avatars."""
    chosen = get_preferences(context).avatar_folder
    return Path(bpy.path.abspath(chosen)) if chosen else user_folder("avatars")


CLASSES = (LikenessPreferences,)
