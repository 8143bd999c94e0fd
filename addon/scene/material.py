"""The splats' materials: they emit the splat's colour with Gaussian falloff.

There are two, for EEVEE's kinds of transparency: blended is smooth but needs sorted splats,
dithered is slightly noisy but correct in any order.
"""

from __future__ import annotations

from typing import Any

import bpy

from ...engine.scene.mesh import CUT_SIGMA
from .. import compat, keys

DITHERED_SLOT = 1
"""Slot of the dithered material on the splat mesh; the blended one has slot 0."""

_NAMES = {"BLENDED": "Likeness Splats", "DITHERED": "Likeness Splats Viewport"}
_VERSION = 1
COLOR_ATTRIBUTE = "splat_color"
"""FACE: linear RGB, with the opacity as alpha."""
CORNER_ATTRIBUTE = "splat_corner"
"""POINT: position of the corner on the splat, in standard deviations."""


def splat_materials() -> list[Any]:
    """The materials of all splats of the file, in the order of their slots; created on first
    use."""
    return [_material("BLENDED"), _material("DITHERED")]


def _material(method: str) -> Any:
    for existing in bpy.data.materials:
        if (
            existing.get(keys.VERSION) == _VERSION
            and existing.surface_render_method == method
            and existing.library is None
        ):
            return existing
    material = bpy.data.materials.new(_NAMES[method])
    material[keys.VERSION] = _VERSION
    compat.enable_nodes(material)
    material.surface_render_method = method
    material.use_transparency_overlap = True  # splats show through one another
    material.use_backface_culling = False
    material.use_transparent_shadow = True
    material.cycles.emission_sampling = "NONE"
    tree = material.node_tree
    tree.nodes.clear()
    _build(tree)
    return material


def _build(tree: Any) -> None:
    """mix(transparent, emission(colour), opacity * exp(-r^2 / 2) inside the cut)."""

    def node(kind: str, x: int, y: int, **settings: Any) -> Any:
        made = tree.nodes.new(kind)
        made.location = (x, y)
        for key, value in settings.items():
            setattr(made, key, value)
        return made

    def math(operation: str, x: int, y: int, *inputs: Any) -> Any:
        made = node("ShaderNodeMath", x, y, operation=operation)
        for socket, value in zip(made.inputs, inputs):
            if isinstance(value, int | float):
                socket.default_value = value
            else:
                tree.links.new(value, socket)
        return made.outputs[0]

    color = node(
        "ShaderNodeAttribute", -800, 200, attribute_type="GEOMETRY", attribute_name=COLOR_ATTRIBUTE
    )
    corner = node(
        "ShaderNodeAttribute",
        -1200,
        -100,
        attribute_type="GEOMETRY",
        attribute_name=CORNER_ATTRIBUTE,
    )
    dot = node("ShaderNodeVectorMath", -1000, -100, operation="DOT_PRODUCT")
    tree.links.new(corner.outputs["Vector"], dot.inputs[0])
    tree.links.new(corner.outputs["Vector"], dot.inputs[1])
    radius2 = dot.outputs["Value"]
    falloff = math("EXPONENT", -600, -100, math("MULTIPLY", -800, -100, radius2, -0.5))
    inside = math("LESS_THAN", -600, -260, radius2, CUT_SIGMA**2)
    alpha = math(
        "MULTIPLY", -200, 0, math("MULTIPLY", -400, 0, falloff, inside), color.outputs["Alpha"]
    )
    emission = node("ShaderNodeEmission", -200, 200)
    transparent = node("ShaderNodeBsdfTransparent", -200, 320)
    mix = node("ShaderNodeMixShader", 0, 200)
    output = node("ShaderNodeOutputMaterial", 200, 200)
    tree.links.new(color.outputs["Color"], emission.inputs["Color"])
    tree.links.new(alpha, mix.inputs[0])
    tree.links.new(transparent.outputs[0], mix.inputs[1])
    tree.links.new(emission.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
