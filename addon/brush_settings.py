"""Settings of the brush that retouches splats: the panel keeps them, its operator takes them."""
# No postponed annotations here: Blender reads properties from them.

import bpy


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
    """How a brush works, whatever it does."""

    radius: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Radius",
        description="Radius of the brush in pixels",
        subtype="PIXEL",
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
