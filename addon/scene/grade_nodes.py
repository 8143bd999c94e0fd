"""Nodes that grade the splats by part: exposure, hue and saturation (engine/core/grading.py).

While all sliders stand at their defaults, none of it is evaluated.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...engine.core.grading import GRADED as GRADED
from ...engine.core.grading import Grade
from ...engine.core.types import PARTS
from ...engine.scene.mesh import KEPT, LIT
from .material import COLOR_ATTRIBUTE
from .node_builder import NodeBuilder

PANEL = "Grade"
CONTROLS = {
    "Exposure": ("Brightness in stops; each doubles it", -5.0, 5.0),
    "Hue": ("Turns of the color circle", -0.5, 0.5),
    "Saturation": ("0 is gray, 1 as it is", 0.0, 2.0),
}
"""Name of a slider after its part's -> what it does, and its range."""


def grade_name(part: str, control: str) -> str:
    """The displayed name of a slider.

    >>> grade_name("Hair", "Hue")
    'Hair Hue'
    """
    return f"{part} {control}"


def add_grade_inputs(tree: Any) -> None:
    """Add the sliders to a group's interface, in a closed panel."""
    panel = tree.interface.new_panel(PANEL, default_closed=True)
    for part in GRADED:
        for (control, (text, low, high)), value in zip(CONTROLS.items(), Grade(), strict=True):
            slider = tree.interface.new_socket(
                grade_name(part, control),
                description=text,
                in_out="INPUT",
                socket_type="NodeSocketFloat",
            )
            slider.default_value, slider.min_value, slider.max_value = value, low, high
            tree.interface.move_to_parent(slider, panel, len(panel.interface_items))


def grade_steps(add: NodeBuilder, group: Any, splats: Any) -> Generator[None, None, Any]:
    """The splats with graded colours and albedo, in slices.

    Args:
        add: of the tree.
        group: the group's inputs.
        splats: socket of the splats, with what they show.
    """
    add.column()
    part = add.attribute(KEPT.part, "INT")
    controls = []
    for control, value in zip(CONTROLS, Grade(), strict=True):
        controls.append(_of_part(add, group, part, control, value))
        yield
    exposure, hue, saturation = controls
    gain = add.math("POWER", 2.0, exposure)
    out = splats
    for name, kind in ((COLOR_ATTRIBUTE, "FLOAT_COLOR"), (LIT.albedo, "FLOAT_VECTOR")):
        add.column()
        value = add.attribute(name, kind)
        alpha: Any = 1.0
        if kind == "FLOAT_COLOR":
            alpha = add.node("FunctionNodeSeparateColor", {0: value}).outputs["Alpha"]
        hsv = add.node("FunctionNodeSeparateColor", {0: value}, mode="HSV").outputs
        yield
        turned = add.math("FRACT", add.math("ADD", hsv["Red"], hue))
        scaled = add.math("MULTIPLY", hsv["Green"], saturation)
        scaled = add.node("ShaderNodeClamp", {"Value": scaled}).outputs["Result"]
        bright = add.math("MULTIPLY", hsv["Blue"], gain)
        graded = add.node(
            "FunctionNodeCombineColor",
            {"Red": turned, "Green": scaled, "Blue": bright, "Alpha": alpha},
            mode="HSV",
        ).outputs[0]
        out = add.store(out, name, kind, graded)
        yield
    graded = yield from _graded_steps(add, group)
    return add.switch(graded, splats, out, "GEOMETRY")


def _of_part(add: NodeBuilder, group: Any, part: Any, control: str, default: float) -> Any:
    """The value of a control for each splat."""
    made = add.node("GeometryNodeIndexSwitch", {"Index": part}, data_type="FLOAT")
    while len(made.index_switch_items) < len(PARTS):
        made.index_switch_items.new()
    owner = {part: name for name, parts in GRADED.items() for part in parts}
    for k, name in enumerate(PARTS):
        socket = made.inputs[1 + k]
        if name in owner:
            add.tree.links.new(group[grade_name(owner[name], control)], socket)
        else:
            socket.default_value = default
    return made.outputs["Output"]


def _graded_steps(add: NodeBuilder, group: Any) -> Generator[None, None, Any]:
    """Socket: whether any slider is off its default, in slices."""
    add.column()
    total: Any = 0.0
    for name in GRADED:
        for control, default in zip(CONTROLS, Grade(), strict=True):
            off = add.math("SUBTRACT", group[grade_name(name, control)], default)
            total = add.math("ADD", total, add.math("ABSOLUTE", off))
        yield
    return add.compare(total, 0.0)
