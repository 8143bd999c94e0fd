"""What the user sets once."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy

from .paths import ROOT_PACKAGE, user_folder


class LikenessPreferences(bpy.types.AddonPreferences):  # type: ignore[misc]
    """Where things lie."""

    bl_idname = ROOT_PACKAGE

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

    def draw(self, context: Any) -> None:
        column = self.layout.column()
        column.use_property_split = True
        for name in ("avatar_folder", "body_file", "show_splats"):
            column.prop(self, name)


def preferences(context: Any) -> Any:
    """The extension's preferences (its defaults where it is used without being enabled)."""
    addon = context.preferences.addons.get(ROOT_PACKAGE)
    return addon.preferences if addon is not None else _Defaults


class _Defaults:
    avatar_folder = ""
    body_file = ""
    show_splats = True


def avatar_folder(context: Any) -> Path:
    """Where built avatars go."""
    chosen = preferences(context).avatar_folder
    return Path(bpy.path.abspath(chosen)) if chosen else user_folder("avatars")


CLASSES = (LikenessPreferences,)
