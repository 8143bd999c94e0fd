"""Render settings for splats, on the user's word only."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon.scene.build import find_avatar
from ..addon.scene.render import setup_render


class RenderSetup(bpy.types.Operator):  # type: ignore[misc]
    """Set up the scene so that splats render as they should: colours as in the photo,
    a transparent background, every layer of splats counted"""

    bl_idname = "likeness.render_setup"
    bl_label = "Set Up Render"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    engine: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Engine",
        items=[
            ("CYCLES", "Cycles", "Exact and free of noise"),
            ("EEVEE", "EEVEE", "Fast; splats are sorted for the scene's camera"),
        ],
    )
    samples: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Samples", description="More only smooth the edges", default=1, min=1, max=1024
    )
    use_photo_camera: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Photo's Camera",
        description="Look through the camera of the active avatar's photo, at its size",
        default=True,
    )

    def execute(self, context: Any) -> set[str]:
        avatar = find_avatar(context.object)
        camera = avatar.camera if avatar and self.use_photo_camera else None
        setup_render(context.scene, camera, self.engine, self.samples)
        return {"FINISHED"}


CLASSES = (RenderSetup,)
