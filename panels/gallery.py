"""The avatars of a folder, with their pictures, and crowds of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..addon.gallery import gallery_items
from ..addon.properties import get_session
from ..addon.scene.crowd import list_members
from .base import MAIN_PANEL, LikenessPanel


class GalleryPanel(LikenessPanel, bpy.types.Panel):  # type: ignore[misc]
    """A batch's results: one into the scene, or many as a crowd."""

    bl_idname = "LIKENESS_PT_gallery"
    bl_label = "Gallery"
    bl_parent_id = MAIN_PANEL
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        session, layout = get_session(context), self.layout
        layout.prop(session, "gallery_folder", text="", placeholder="Folder of Avatars")
        folder = session.gallery_folder
        if folder and gallery_items(Path(bpy.path.abspath(folder))):
            layout.template_icon_view(
                session, "gallery_avatar", show_labels=True, scale=7.0, scale_popup=5.0
            )
            layout.prop(session, "gallery_avatar", text="")
            row = layout.row()
            # A button calls at once, without asking for a file.
            row.operator_context = "INVOKE_DEFAULT"
            row.operator("likeness.import_avatar", icon="IMPORT").filepath = session.gallery_avatar
        elif folder:
            layout.label(text="No avatars in this folder", icon="INFO")
        column = layout.column(align=True)
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("likeness.add_crowd", icon="COMMUNITY")
        if list_members(context.scene):
            column.operator("likeness.crowd_detail", icon="MOD_DECIM")
        column.operator("likeness.write_library", icon="ASSET_MANAGER")


CLASSES = (GalleryPanel,)
