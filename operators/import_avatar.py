"""File > Import > Likeness Avatar: an avatar file into the scene."""
# No postponed annotations here: Blender reads properties from them.

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..addon import gallery, portrait
from ..addon.job_texts import JobTitle
from ..addon.preferences import avatar_folder
from .job_operator import JobOperator, show_all_layers, thumbnails
from .photo_options import BoneOptions


class ImportAvatar(JobOperator, BoneOptions, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Import an avatar file, chosen itself or by the picture beside it"""

    bl_idname = "likeness.import_avatar"
    bl_label = "Import Avatar"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    last_folder = None  # type: Path | None
    """Where the file browser opens; the avatar folder at first."""

    filename_ext = ".safetensors"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="Avatar file, or the picture beside it",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter",
        description="File types to show",
        default="*.safetensors;*.png",
        options={"HIDDEN"},
    )
    display_type: thumbnails()  # type: ignore[valid-type]
    photo: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Photo",
        description="Photo to show behind the camera's view; optional",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for a file, unless one was dropped."""
        if self.properties.is_property_set("filepath"):
            return self.begin(context)
        self.suggest_bones(context)
        self.filepath = f"{ImportAvatar.last_folder or avatar_folder(context)}{os.sep}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        chosen = gallery.find_chosen_file(context)
        icon = gallery.get_icon(chosen) if chosen is not None else 0
        if icon:
            layout.template_icon(icon, scale=10.0)
        layout.prop(self, "photo")
        layout.prop(self, "bone_ends")

    def title(self) -> JobTitle:
        return JobTitle("Opening {name}", Path(self.filepath).stem)

    def request(self, context: Any) -> dict[str, Any]:
        self.suggest_bones(context)
        photo = Path(bpy.path.abspath(self.photo)) if self.photo else None
        request = portrait.open_request(Path(bpy.path.abspath(self.filepath)), photo)
        self._avatar = Path(request["avatar"])
        ImportAvatar.last_folder = self._avatar.parent
        return request

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, Any]:
        yield from portrait.import_avatar_steps(
            context, Path(result["scene"]), self._avatar, bone_ends=self.bone_ends
        )
        show_all_layers(self, context)


class AvatarFileHandler(bpy.types.FileHandler):  # type: ignore[misc]
    """Avatar files dropped into a 3D view."""

    bl_idname = "LIKENESS_FH_avatar"
    bl_label = "Likeness Avatar"
    bl_import_operator = ImportAvatar.bl_idname
    bl_file_extensions = ".safetensors"

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def draw_import(layout: Any) -> None:
    layout.operator(ImportAvatar.bl_idname, text="Likeness Avatar (.safetensors)")


CLASSES = (ImportAvatar, AvatarFileHandler)
