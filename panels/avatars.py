"""The avatars of the scene."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.scene.avatar_asset import find_instanced_avatar
from ..addon.scene.avatar_objects import find_avatar, find_avatars
from ..addon.scene.orphans import Orphan, find_orphans
from ..addon.scene.wardrobe_assets import find_item
from ..addon.viewport.fast_splats import is_fast
from .base import MAIN_PANEL, LikenessPanel, draw_wrapped


class AvatarsPanel(LikenessPanel, bpy.types.Panel):  # type: ignore[misc]
    """Chooses the avatar that the other panels show; actions on the whole avatar."""

    bl_idname = "LIKENESS_PT_avatars"
    bl_label = "Avatars"
    bl_parent_id = MAIN_PANEL

    @classmethod
    def poll(cls, context: Any) -> bool:
        return bool(
            find_avatars(context.scene)
            or find_orphans(context.scene)
            or find_instanced_avatar(context.object)
        )

    def draw(self, context: Any) -> None:
        active, avatars = find_avatar(context.object), find_avatars(context.scene)
        column = self.layout.column(align=True)
        for avatar in avatars:
            name = avatar.armature.name
            column.operator(
                "likeness.select_avatar",
                text=name,
                icon="ARMATURE_DATA",
                depress=active is not None and active.armature == avatar.armature,
            ).name = name
        for orphan in find_orphans(context.scene):
            _draw_orphan(self.layout.box(), context, orphan)
        if find_instanced_avatar(context.object) is not None:
            box = self.layout.box()
            box.label(text="Instance of an avatar", icon="OUTLINER_OB_GROUP_INSTANCE")
            box.operator("likeness.make_posable", icon="ARMATURE_DATA")
        elif find_item(context.object):
            self.layout.operator("likeness.put_on", icon="MOD_CLOTH")
        elif active is None and avatars:
            self.layout.label(text="Select one to pose it", icon="INFO")
        if active is None:
            return
        row = self.layout.row(align=True)
        row.operator("likeness.duplicate_avatar", text="Duplicate", icon="DUPLICATE")
        row.operator("likeness.mark_avatar", text="As Asset", icon="ASSET_MANAGER")
        row.operator("likeness.delete_avatar", text="", icon="TRASH")
        self.layout.operator("likeness.save_assets", icon="ASSET_MANAGER")
        row = self.layout.row(align=True)
        on = is_fast(active.splats)
        row.operator("likeness.fast_splats", depress=on, icon="SHADING_RENDERED")
        row.operator("likeness.render_setup", text="Set Up Scene", icon="SCENE")


def _draw_orphan(box: Any, context: Any, orphan: Orphan) -> None:
    row = box.row()
    row.label(text=orphan.title, icon="ORPHAN_DATA", translate=False)
    row.operator("likeness.delete_orphan", text="", icon="TRASH").name = orphan.name
    if orphan.lacks_only_rig:
        box.operator("likeness.rebuild_rig", icon="ARMATURE_DATA").name = orphan.name
    else:
        draw_wrapped(box, context, "Parts of an avatar without the rest", "INFO")


CLASSES = (AvatarsPanel,)
