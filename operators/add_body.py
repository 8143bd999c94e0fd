"""Add > Armature > Likeness Body."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon import portrait
from .errors import report_errors


class AddBody(bpy.types.Operator):  # type: ignore[misc]
    """Add the body model of the avatars with its rig and expressions, without splats"""

    bl_idname = "likeness.add_body"
    bl_label = "Likeness Body"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    shape: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Shape",
        description="Shape of the body",
        items=(
            ("NEUTRAL", "Mean", "The average body"),
            ("RANDOM", "Random", "A random body, chosen by the seed"),
        ),
    )
    seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed", description="Seed of the random shape", default=0, min=0
    )

    def draw(self, context: Any) -> None:
        self.layout.use_property_split = True
        self.layout.prop(self, "shape")
        if self.shape == "RANDOM":
            self.layout.prop(self, "seed")

    @report_errors
    def execute(self, context: Any) -> set[str]:
        portrait.add_body(context, self.seed if self.shape == "RANDOM" else None)
        return {"FINISHED"}


def draw_add(layout: Any) -> None:
    layout.operator(AddBody.bl_idname, icon="OUTLINER_OB_ARMATURE")


CLASSES = (AddBody,)
