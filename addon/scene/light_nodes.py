"""Nodes that light and grade the splats inside their node group.

At the sliders' defaults nothing of this is evaluated: every branch hangs on a switch.

Relighting, ``amount`` from 0 to 1: the splat's colour, the photo's, is emitted with 1 - amount, and
its albedo is lit by the scene with ``amount`` (material.py has the shader). Normals of the dressed
surface stand in the triangle's frame. They are laid on the mesh as its own normals: a normal that
is given to the shader loses all light from the side in Cycles, because the splat itself faces the
camera.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...engine.scene.mesh import LIT
from .material import COLOR_ATTRIBUTE, LIT_SLOTS, LIT_STORED
from .node_builder import NodeBuilder

RELIGHT = "Relight"
HAS_LIGHT = "Has Albedo"
"""The hidden switch of avatars whose splats have albedo and normals."""


def add_light_inputs(tree: Any) -> None:
    """Add the slider and its hidden switch to a group's interface."""
    slider = tree.interface.new_socket(
        RELIGHT,
        description="0 shows the photo's light, 1 the scene's lamps and world",
        in_out="INPUT",
        socket_type="NodeSocketFloat",
    )
    slider.subtype = "FACTOR"
    slider.default_value, slider.min_value, slider.max_value = 0.0, 0.0, 1.0
    has = tree.interface.new_socket(
        HAS_LIGHT,
        description="Whether the splats have albedo and normals",
        in_out="INPUT",
        socket_type="NodeSocketBool",
    )
    has.default_value, has.hide_in_modifier = False, True


def is_lit(add: NodeBuilder, group: Any) -> Any:
    """Socket: whether the scene lights the splats at all."""
    return add.boolean("AND", add.compare(group[RELIGHT], 0.0), group[HAS_LIGHT])


def light_steps(
    add: NodeBuilder, group: Any, lit: Any, splats: Any, frame: Any
) -> Generator[None, None, Any]:
    """The splats with colours divided between the photo's light and the scene's, in slices.

    Args:
        add: of the tree.
        group: the group's inputs.
        lit: of :func:`is_lit`.
        splats: socket of the splats.
        frame: socket of the rotation of each splat's triangle.
    """
    add.column()
    color = add.node(
        "FunctionNodeSeparateColor", {0: add.attribute(COLOR_ATTRIBUTE, "FLOAT_COLOR")}
    ).outputs
    yield
    left = add.math("SUBTRACT", 1.0, group[RELIGHT])
    channels = {name: add.math("MULTIPLY", color[name], left) for name in ("Red", "Green", "Blue")}
    emitted = add.node("FunctionNodeCombineColor", {**channels, "Alpha": color["Alpha"]})
    yield
    out = add.store(splats, COLOR_ATTRIBUTE, "FLOAT_COLOR", emitted.outputs[0])
    yield
    add.column()
    albedo = add.scale(add.attribute(LIT.albedo, "FLOAT_VECTOR"), group[RELIGHT])
    out = add.store(out, LIT_STORED, "FLOAT_VECTOR", albedo)
    yield
    normal = add.rotate(add.attribute(LIT.normal, "FLOAT_VECTOR"), frame)
    out = add.store(out, LIT.normal, "FLOAT_VECTOR", normal)
    out = add.remove(out, LIT.albedo)
    yield
    plain = splats
    for name in LIT:
        plain = add.remove(plain, name)
    return add.switch(lit, plain, out, "GEOMETRY")


def choose_material(add: NodeBuilder, lit: Any, geometry: Any, slot: int) -> Any:
    """The splats with the material of a slot, or with its counterpart that the scene lights."""
    index = add.switch(lit, slot, slot + LIT_SLOTS, "INT")
    made = add.node("GeometryNodeSetMaterialIndex", {"Geometry": geometry, "Material Index": index})
    return made.outputs["Geometry"]


def normal_steps(
    add: NodeBuilder, lit: Any, geometry: Any, rendering: Any, place: Any
) -> Generator[None, None, Any]:
    """The splats with the dressed surface's normals where the scene lights them, in slices.

    Args:
        add: of the tree.
        lit: of :func:`is_lit`.
        geometry: socket of the splats, where they are drawn.
        rendering: socket: whether this is a render, with a camera.
        place: socket of the camera's place.
    """
    add.column()
    position = add.node("GeometryNodeInputPosition").outputs[0]
    view = add.vector("NORMALIZE", add.vector("SUBTRACT", place, position))
    normal = add.attribute(LIT.normal, "FLOAT_VECTOR")
    yield
    # What leans away from the camera shows no front: it is lit as if it just turned to it.
    away = add.math("MINIMUM", add.vector("DOT_PRODUCT", normal, view), 0.0)
    turned = add.vector("SUBTRACT", normal, add.scale(view, add.math("MULTIPLY", away, 2.0)))
    normal = add.switch(rendering, normal, turned, "VECTOR")
    yield
    # Renderers flip the normals of faces that they see from behind.
    own = add.node("GeometryNodeInputNormal").outputs[0]
    behind = add.compare(0.0, add.vector("DOT_PRODUCT", own, normal))
    normal = add.switch(behind, normal, add.scale(normal, -1.0), "VECTOR")
    yield
    smooth = add.node("GeometryNodeSetShadeSmooth", {"Geometry": geometry}).outputs[0]
    made = add.node("GeometryNodeSetMeshNormal", mode="FREE", domain="POINT")
    add.tree.links.new(smooth, made.inputs[0])
    yield
    socket = next(s for s in made.inputs if s.name == "Custom Normal" and s.enabled)
    add.tree.links.new(normal, socket)
    return add.switch(lit, geometry, add.remove(made.outputs[0], LIT.normal), "GEOMETRY")
