"""Settings of the brush that retouches splats: panel and tool show the session's, and the operator
takes them."""
# No postponed annotations here: Blender reads properties from them.

import bpy

from .part_items import PART_ITEMS

ERASE = ("ERASE", "Erase", "Make the splats fainter; fully erased ones are not exported")
RESTORE = ("RESTORE", "Restore", "Bring back how the splats were before all retouching")
TINT = ("TINT", "Tint", "Dye the splats in this color; light and dark stay apart")
_MOVE = ("MOVE", "Move", "Drag what lies under the brush")
WHOLE = "ALL"
"""Identifier of the part that is the whole avatar."""


class TintColor:
    """What is dyed takes this color."""

    color: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Color",
        description="Color of the tint",
        subtype="COLOR_GAMMA",
        size=3,
        min=0.0,
        max=1.0,
        default=(0.35, 0.1, 0.12),
    )


class BrushSettings(TintColor):
    """What a brush does, and how."""

    action: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Action", description="What the brush does", items=(ERASE, RESTORE, TINT, _MOVE)
    )
    radius: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Radius",
        description="Radius of the brush in pixels",
        subtype="PIXEL",
        precision=0,
        min=2.0,
        max=1000.0,
        default=40.0,
    )
    strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="How much each touch does in the middle of the brush",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=0.5,
    )
    through: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Through", description="Reach everything under the brush, also what is hidden behind"
    )
    part: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Part",
        description="Reach only the splats that show this part",
        items=((WHOLE, "All Parts", "Reach the whole avatar"), *PART_ITEMS),
    )
