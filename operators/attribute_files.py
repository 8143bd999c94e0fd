"""Attributes that come from files: an edited portrait, and things of a MakeHuman library."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..addon.job_texts import JobTitle
from ..addon.library_pictures import find_library_picture
from ..addon.part_items import EDIT_ITEMS, LIBRARY_ITEMS
from ..addon.scene.avatar_asset import read_provenance
from ..addon.scene.avatar_objects import get_active_avatar
from ..addon.wardrobe_pictures import get_picture_icon
from ..engine.core.types import LikenessError
from .attributes import WearOperator
from .job_operator import picture_filter, thumbnails


class _FromFile(WearOperator, ImportHelper):  # type: ignore[misc]
    """Asks for a file; a mixin for operators."""

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def chosen_file(self) -> Path:
        """The file that the user chose."""
        return Path(bpy.path.abspath(self.filepath))

    def title(self) -> JobTitle:
        return JobTitle("Adding {name}", self.chosen_file().stem)


class AddFromLibrary(_FromFile, bpy.types.Operator):  # type: ignore[misc]
    """Put clothes, shoes, a hat, hair, glasses or jewellery of a MakeHuman library on the avatar,
    fitted to it. They replace those of the same kind, and the photo's in the same place"""

    bl_idname = "likeness.add_from_library"
    bl_label = "Add from Library File"

    filename_ext = ".mhclo"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="File of a MakeHuman library (.mhclo)",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter", description="File types to show", default="*.mhclo", options={"HIDDEN"}
    )
    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Kind", description="What the file is", items=LIBRARY_ITEMS
    )

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "kind")
        shown = getattr(context.space_data, "params", None)  # the file browser's
        if shown is None:
            return
        folder = shown.directory.decode("utf-8", "surrogateescape")
        picture, textured = find_library_picture(Path(folder) / shown.filename)
        if picture is not None:
            layout.template_icon(get_picture_icon(picture), scale=8.0)
        if picture is not None and textured:
            layout.label(text="Texture (no picture)", icon="INFO")

    def edit(self) -> dict[str, Any]:
        file = self.chosen_file()
        if file.suffix.lower() != ".mhclo":
            raise LikenessError(
                f"'{file}' is not of a MakeHuman library.", "Choose a file that ends in .mhclo."
            )
        return {"add": [str(file) if self.kind == "AUTO" else f"{self.kind}={file}"]}


class EditFromPhoto(_FromFile, bpy.types.Operator):  # type: ignore[misc]
    """Take what you changed in a copy of the portrait, in any program, over to the avatar, with a
    slider: hair, a hat, glasses, clothes, a print or make-up"""

    bl_idname = "likeness.edit_from_photo"
    bl_label = "Edit from Photo"

    filename_ext = ""
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="The changed copy of the portrait, in the same frame",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: picture_filter()  # type: ignore[valid-type]
    display_type: thumbnails()  # type: ignore[valid-type]
    portrait: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Portrait",
        description="The portrait from which the avatar was built. If empty, the file of its name "
        "beside the changed one",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    part: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Part", description="What you changed", items=EDIT_ITEMS
    )

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "portrait")
        layout.prop(self, "part")

    def wearer(self, context: Any) -> Any:
        avatar = get_active_avatar(context)
        self._source = str(read_provenance(avatar.armature).get("source", ""))
        return avatar

    def edit(self) -> dict[str, Any]:
        picture = self.chosen_file()
        given = Path(bpy.path.abspath(self.portrait)) if self.portrait else None
        portrait = given or picture.parent / Path(self._source).name
        if given is None and (not portrait.is_file() or portrait == picture):
            raise LikenessError(
                f"The portrait '{portrait.name}', from which the avatar was built, is not beside "
                f"'{picture}'.",
                "Choose it as Portrait in the file browser's options.",
            )
        part = None if self.part == "AUTO" else self.part
        return {"edited": {"picture": str(picture), "portrait": str(portrait), "part": part}}


CLASSES = (AddFromLibrary, EditFromPhoto)
