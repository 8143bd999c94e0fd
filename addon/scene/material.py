"""The splats' materials: they emit the splat's colour with Gaussian falloff.

There are two, for EEVEE's kinds of transparency: blended is smooth but needs sorted splats,
dithered is slightly noisy but correct in any order. Each has a counterpart that the scene lights
(:mod:`.light_nodes`): it emits what is left of the photo's light, and adds a diffuse surface.

In Cycles each ray finds a lit splat solid or not there at all, with the opacity as the chance. The
mean is the same as of blended surfaces, and light is asked for once along a ray, not at every splat
that it crosses: pictures of 160 pixels took a quarter to a fifth of the time.
"""

from __future__ import annotations

from typing import Any

import bpy

from ...engine.scene.mesh import CUT_SIGMA
from .. import compat, keys

BLENDED_SLOT, DITHERED_SLOT = 0, 1
"""Slots of the materials on the splat mesh."""

LIT_SLOTS = 2
"""What is added to a slot for the counterpart that the scene lights."""

_NAMES = {
    ("BLENDED", False): "Likeness Splats",
    ("DITHERED", False): "Likeness Splats Viewport",
    ("BLENDED", True): "Likeness Lit Splats",
    ("DITHERED", True): "Likeness Lit Splats Viewport",
}
_VERSIONS = {False: 1, True: 2}
"""Whether the scene lights it -> version."""

COLOR_ATTRIBUTE = "splat_color"
"""FACE: linear RGB, with the opacity as alpha."""
LIT_STORED = "splat_lit"
"""FACE: linear RGB of the diffuse surface, stored by the node group."""
CORNER_ATTRIBUTE = "splat_corner"
"""POINT: position of the corner on the splat, in standard deviations."""


def splat_materials() -> list[Any]:
    """The materials of all splats of the file, in the order of their slots; created on first
    use."""
    return [_material(method, lit) for lit in (False, True) for method in ("BLENDED", "DITHERED")]


def _material(method: str, lit: bool) -> Any:
    for existing in bpy.data.materials:
        if (
            existing.get(keys.VERSION) == _VERSIONS[lit]
            and existing.surface_render_method == method
            and bool(existing.get(keys.LIT)) == lit
            and existing.library is None
        ):
            return existing
    material = bpy.data.materials.new(_NAMES[method, lit])
    material[keys.VERSION] = _VERSIONS[lit]
    if lit:
        material[keys.LIT] = True
    compat.enable_nodes(material)
    material.surface_render_method = method
    material.use_transparency_overlap = True  # splats show through one another
    material.use_backface_culling = False
    material.use_transparent_shadow = True
    material.cycles.emission_sampling = "NONE"
    tree = material.node_tree
    tree.nodes.clear()
    _build(tree, lit)
    return material


def _build(tree: Any, lit: bool) -> None:
    """mix(transparent, emission(colour), opacity * exp(-r^2 / 2) inside the cut).

    With ``lit``, a diffuse surface is added to the emission, and in Cycles the factor is 0 or 1.
    """

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
    surface = emission.outputs[0]
    if lit:
        albedo = node("ShaderNodeAttribute", -600, 500, attribute_type="GEOMETRY")
        albedo.attribute_name = LIT_STORED
        diffuse = node("ShaderNodeBsdfDiffuse", -400, 500)
        both = node("ShaderNodeAddShader", -200, 500)
        tree.links.new(albedo.outputs["Vector"], diffuse.inputs["Color"])
        tree.links.new(surface, both.inputs[0])
        tree.links.new(diffuse.outputs[0], both.inputs[1])
        surface = both.outputs[0]
    tree.links.new(surface, mix.inputs[2])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
    if not lit:
        return
    output.target = "EEVEE"
    place = node("ShaderNodeNewGeometry", -600, -420)
    chance = node("ShaderNodeTexWhiteNoise", -400, -420, noise_dimensions="3D")
    tree.links.new(place.outputs["Position"], chance.inputs["Vector"])
    solid = math("LESS_THAN", -200, -420, chance.outputs["Value"], alpha)
    either = node("ShaderNodeMixShader", 0, -200)
    output = node("ShaderNodeOutputMaterial", 200, -200, target="CYCLES")
    tree.links.new(solid, either.inputs[0])
    tree.links.new(transparent.outputs[0], either.inputs[1])
    tree.links.new(surface, either.inputs[2])
    tree.links.new(either.outputs[0], output.inputs["Surface"])
