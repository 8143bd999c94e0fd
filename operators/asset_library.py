"""Avatars in the asset browser: marked, written to a library, and made posable again."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy

from ..addon.asset_catalogs import AVATAR_LIBRARY, AssetInfo
from ..addon.blender_command import background_command
from ..addon.compat import keeps_collection_pictures
from ..addon.folder_files import find_avatar_files, name_assets
from ..addon.pose_library import add_library
from ..addon.preferences import avatar_folder, get_preferences
from ..addon.scene.avatar_asset import (
    blend_name,
    find_instanced_avatar,
    make_posable,
    mark_as_asset,
    save_assets,
)
from ..addon.scene.avatar_objects import AvatarObjects, find_avatars, get_chosen_avatar
from ..addon.scene.view3d import show_splats
from ..addon.viewport import fast_splats
from ..engine.core.types import LikenessError
from .avatar_operator import AvatarOperator, format_count, poll_avatars
from .errors import report_errors
from .job_operator import JobOperator

_NO_PICTURES = "Blender 5.0 saves avatars without their pictures"


class _Credit:
    """Who made an asset; a mixin."""

    author: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Author",
        description="Author shown in the asset browser; the photo's, if it names one, when empty",
    )
    license: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="License", description="License shown in the asset browser, such as CC-BY-4.0"
    )

    def info(self, description: str = "") -> AssetInfo:
        """What the asset browser shows."""
        return AssetInfo(author=self.author, license=self.license, description=description)


class _Library(_Credit):
    """The folder of an asset library, and its entry in Blender's preferences; a mixin."""

    library: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Library",
        description="Folder of the asset library; it is added to Blender's preferences",
        subtype="DIR_PATH",
    )

    def suggest_library(self, context: Any) -> None:
        """Fill in the folder of last time, or one beside the built avatars."""
        if self.properties.is_property_set("library"):  # type: ignore[attr-defined]
            return
        known = context.preferences.filepaths.asset_libraries.get(AVATAR_LIBRARY)
        self.library = known.path if known else str(avatar_folder(context) / "library")

    def library_folder(self) -> Path:
        """The chosen folder.

        Raises:
            LikenessError: None is chosen, or it is below a file that is not saved yet.
        """
        folder = Path(bpy.path.abspath(self.library)) if self.library else None
        if folder is None or not folder.is_absolute():
            raise LikenessError("The library has no folder.", "Choose one.")
        return folder


class MarkAvatar(_Credit, AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Mark the active avatar as an asset. To use it in other files, save this one in a folder
    that the preferences list as an asset library"""

    bl_idname = "likeness.mark_avatar"
    bl_label = "Mark Avatar as Asset"

    description: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Description",
        description="Description shown in the asset browser; what the avatar is, when empty",
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        mark_as_asset(avatar, self.info(self.description))


class SaveAssets(_Library, bpy.types.Operator):  # type: ignore[misc]
    """Write avatars of the scene, as they are now, to an asset library: one file each, which other
    files can link or append from"""

    bl_idname = "likeness.save_assets"
    bl_label = "Save to Asset Library"
    bl_options = {"REGISTER"}  # noqa: RUF012

    every: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="All Avatars", description="Write every avatar of the scene, not just the active one"
    )
    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Files",
        description="Replace files of the same name, which stay otherwise: the new ones get a "
        "number",
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        return poll_avatars(cls, context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        self.suggest_library(context)
        return set(context.window_manager.invoke_props_dialog(self, width=360, confirm_text="Save"))

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in ("library", "author", "license", "every", "replace"):
            layout.prop(self, name)
        if not keeps_collection_pictures():
            layout.label(text=_NO_PICTURES, icon="INFO")

    @report_errors
    def execute(self, context: Any) -> set[str]:
        self.suggest_library(context)
        folder = self.library_folder()
        chosen = find_avatars(context.scene) if self.every else [get_chosen_avatar(context)]
        files = save_assets(chosen, folder, self.info(), self.replace)
        add_library(context, folder, AVATAR_LIBRARY)
        if not bpy.app.background:  # they are marked in this file, too
            bpy.ops.ed.undo_push(message=self.bl_label)
        self.report({"INFO"}, f"Saved {format_count(len(chosen), 'avatar', 'avatars')}")
        for avatar, file in zip(chosen, files, strict=True):
            if file.stem != blend_name(avatar):
                taken = f"{blend_name(avatar)}.blend"
                self.report({"INFO"}, f"'{taken}' exists: saved as '{file.name}'")
        if not keeps_collection_pictures():
            self.report({"WARNING"}, _NO_PICTURES)
        return {"FINISHED"}


class WriteLibrary(_Library, JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Write the avatars of a folder, such as a batch's results, to an asset library: one file each,
    made by a Blender in the background. Files that are newer than their avatars are kept"""

    bl_idname = "likeness.write_library"
    bl_label = "Write Asset Library"

    changes_scene = False

    directory: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatars",
        description="Folder with avatars, such as a batch's results; its subfolders count, too",
        subtype="DIR_PATH",
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for the folders."""
        if not self.properties.is_property_set("directory"):
            self.directory = context.window_manager.likeness.gallery_folder
        self.suggest_library(context)
        return set(
            context.window_manager.invoke_props_dialog(self, width=360, confirm_text="Write")
        )

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in ("directory", "library", "author", "license"):
            layout.prop(self, name)

    def request(self, context: Any) -> dict[str, Any]:
        self.suggest_library(context)
        if not self.directory:  # an empty path would be the folder that Blender was started in
            raise LikenessError("No folder of avatars is chosen.", "Choose one.")
        source = Path(bpy.path.abspath(self.directory))
        avatars = name_assets(find_avatar_files(source), source)
        return {
            "task": "library",
            "command": background_command(),
            "profile": str(self.scratch() / "profile"),
            "avatars": str(source),
            "output": str(self.library_folder()),
            "count": len(avatars),
            "author": self.author,
            "license": self.license,
        }

    def done(self, context: Any, result: dict[str, Any]) -> None:
        add_library(context, self.library_folder(), AVATAR_LIBRARY)
        total = result["written"] + result["current"]
        written = format_count(result["written"], "avatar", "avatars")
        self.report({"INFO"}, f"Wrote {written}; the library has {total}")


class MakePosable(bpy.types.Operator):  # type: ignore[misc]
    """Replace this instance by the avatar itself, with bones to pose. A linked avatar becomes a
    library override"""

    bl_idname = "likeness.make_posable"
    bl_label = "Make Posable"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return find_instanced_avatar(context.object) is not None

    @report_errors
    def execute(self, context: Any) -> set[str]:
        made = make_posable(context.object, context)
        if get_preferences(context).show_splats:
            if fast_splats.find_fast_problem():
                show_splats()
            else:
                fast_splats.set_fast(made.splats, True)
        return {"FINISHED"}


CLASSES = (MarkAvatar, SaveAssets, WriteLibrary, MakePosable)
