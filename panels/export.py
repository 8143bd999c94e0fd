"""Export of the active avatar."""

from __future__ import annotations

from typing import Any

import bpy

from .base import AvatarPanel


class ExportPanel(AvatarPanel, bpy.types.Panel):  # type: ignore[misc]
    """The active avatar as files for other programs."""

    bl_idname = "LIKENESS_PT_export"
    bl_label = "Export"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        column = self.layout.column(align=True)
        # A panel's buttons call at once; the file browser is part of the call.
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("likeness.export_avatar", text="Avatar File", icon="USER")
        column.operator("likeness.export_splats", text="Splats (PLY, SPZ)", icon="POINTCLOUD_DATA")
        column.operator("likeness.export_scene", text="glTF or USD", icon="SCENE_DATA")
        column.operator("likeness.export_vrm", text="VRM (VTubing)", icon="OUTLINER_OB_ARMATURE")
        column.operator("likeness.export_rig", text="Rigged Mesh (FBX)", icon="ARMATURE_DATA")


CLASSES = (ExportPanel,)
