"""Strokes of Blender's paint operators without a pointer; docs/site/clips.py draws with them."""

from __future__ import annotations

from typing import Any

import bpy


def stroke_point(x: float, y: float) -> dict[str, Any]:
    """A point of a stroke, in pixels, at full pressure."""
    fields = bpy.types.OperatorStrokeElement.bl_rna.properties
    blank = {
        field.identifier: list(field.default_array)
        if getattr(field, "is_array", False)
        else field.default
        for field in fields
        if field.identifier != "rna_type"
    }
    return {**blank, "mouse": (x, y), "pressure": 1.0}
