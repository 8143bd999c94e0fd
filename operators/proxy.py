"""A mesh of the avatar's surface to paint and sculpt, and back to the splats."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ..addon.scene.avatar_objects import (
    AvatarObjects,
    find_avatar,
    get_active_avatar,
    get_avatar_by_name,
)
from ..addon.scene.frame_recorder import record_frames
from ..addon.scene.surface_proxy import add_proxy, apply_proxy, find_proxy, remove_proxy
from ..engine.workflows.options import ExportOptions
from .avatar_operator import AvatarOperator, format_count
from .export import TEXTURE_SIZES
from .job_operator import JobOperator
from .sliced_operator import SlicedOperator


class AddProxy(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Add a mesh of the avatar's surface with its colors as a texture, for Texture Paint and Sculpt
    Mode"""

    bl_idname = "likeness.add_proxy"
    bl_label = "Add Proxy Mesh"

    texture: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Texture",
        description="Size of the texture in pixels",
        items=TEXTURE_SIZES,
        default="2048",
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if find_avatar(context.object) is None:
            cls.poll_message_set("Select part of an avatar first")
            return False
        return True

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        avatar = get_active_avatar(context)
        self._avatar = avatar.armature.name
        scratch = self.scratch()
        now = [context.scene.frame_current]
        yield from record_frames(context, [avatar], now, scratch, camera=False, graded=False)
        return {
            "task": "export",
            "folder": str(scratch),
            "out": str(scratch / "mesh.npz"),
            "options": asdict(ExportOptions(texture=int(self.texture))),
        }

    def done(self, context: Any, result: dict[str, Any]) -> None:
        add_proxy(get_avatar_by_name(self._avatar), Path(result["files"][0]), context)


class _WithProxy(AvatarOperator):
    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        return "" if find_proxy(avatar) is not None else "This avatar has no proxy mesh"


class ApplyProxy(SlicedOperator, _WithProxy, bpy.types.Operator):  # type: ignore[misc]
    """Carry what was painted and sculpted on the proxy mesh to the splats, which keep their
    detail"""

    bl_idname = "likeness.apply_proxy"
    bl_label = "Apply to Splats"

    def steps(self, context: Any) -> Generator[None, None, dict[str, Any]]:
        return (yield from apply_proxy(get_active_avatar(context), context))

    def describe(self, count: dict[str, Any]) -> str:
        painted = format_count(count["recolored"], "splat", "splats")
        return f"Painted {painted}; sculpted {count['sculpted_mm']:.1f} mm at most"


class RemoveProxy(_WithProxy, bpy.types.Operator):  # type: ignore[misc]
    """Remove the proxy mesh and its texture; what was applied stays"""

    bl_idname = "likeness.remove_proxy"
    bl_label = "Remove Proxy Mesh"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        remove_proxy(avatar)
        context.view_layer.objects.active = avatar.armature


CLASSES = (AddProxy, ApplyProxy, RemoveProxy)
