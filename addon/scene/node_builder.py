"""Building node trees from Python: nodes, links and a layout."""

from __future__ import annotations

from typing import Any

import bpy


class NodeBuilder:
    """Adds and links all nodes of a tree; :meth:`arrange` shows them in columns."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self._column, self._row = 0, 0
        self._places: list[int] = []

    def column(self) -> None:
        """Start the next column."""
        self._column, self._row = self._column + 1, 0

    def arrange(self) -> None:
        """Lay the nodes out in order of creation: at once, for each change updates the tree."""
        self.tree.nodes.foreach_set("location", self._places)

    def node(self, kind: str, inputs: dict[Any, Any] | None = None, **settings: Any) -> Any:
        """A node with its settings; inputs by name or index, as sockets or values."""
        made = self.tree.nodes.new(kind)
        self._places += [220 * self._column, -180 * self._row]
        self._row += 1
        for key, value in settings.items():
            setattr(made, key, value)
        for key, value in (inputs or {}).items():
            socket = made.inputs[key]
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = value
        return made

    def attribute(self, name: str, kind: str) -> Any:
        made = self.node("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind)
        return made.outputs["Attribute"]

    def sample(self, geometry: Any, value: Any, index: Any, domain: str) -> Any:
        """A vector of ``geometry``'s elements at the given indices."""
        made = self.node("GeometryNodeSampleIndex", data_type="FLOAT_VECTOR", domain=domain)
        self.tree.links.new(geometry, made.inputs["Geometry"])
        self.tree.links.new(value, made.inputs["Value"])
        self.tree.links.new(index, made.inputs["Index"])
        return made.outputs["Value"]

    def vector(self, operation: str, *inputs: Any) -> Any:
        made = self.node("ShaderNodeVectorMath", dict(enumerate(inputs)), operation=operation)
        return made.outputs["Value" if operation in ("LENGTH", "DOT_PRODUCT") else "Vector"]

    def scale(self, vector: Any, factor: Any) -> Any:
        made = self.node("ShaderNodeVectorMath", {0: vector, "Scale": factor}, operation="SCALE")
        return made.outputs["Vector"]

    def math(self, operation: str, *inputs: Any) -> Any:
        made = self.node("ShaderNodeMath", dict(enumerate(inputs)), operation=operation)
        return made.outputs["Value"]

    def compare(self, a: Any, b: Any) -> Any:
        """Whether ``a`` is greater than ``b``."""
        made = self.node("FunctionNodeCompare", {0: a, 1: b}, operation="GREATER_THAN")
        return made.outputs["Result"]

    def boolean(self, operation: str, *inputs: Any) -> Any:
        made = self.node("FunctionNodeBooleanMath", dict(enumerate(inputs)), operation=operation)
        return made.outputs[0]

    def rotate(self, vector: Any, rotation: Any) -> Any:
        made = self.node("FunctionNodeRotateVector", {"Vector": vector, "Rotation": rotation})
        return made.outputs["Vector"]

    def capture(self, geometry: Any, **fields: Any) -> tuple[Any, list[Any]]:
        """Evaluate vectors once per face, together, so that common parts are shared."""
        made = self.node("GeometryNodeCaptureAttribute", domain="FACE")
        for name in fields:
            made.capture_items.new("VECTOR", name)
        self.tree.links.new(geometry, made.inputs["Geometry"])
        for name, value in fields.items():
            self.tree.links.new(value, made.inputs[name])
        return made.outputs["Geometry"], [made.outputs[name] for name in fields]

    def store(self, geometry: Any, name: str, kind: str, value: Any) -> Any:
        """Store a value on every face."""
        made = self.node(
            "GeometryNodeStoreNamedAttribute",
            {"Geometry": geometry, "Name": name},
            data_type=kind,
            domain="FACE",
        )
        self.tree.links.new(value, next(s for s in made.inputs if s.name == "Value" and s.enabled))
        return made.outputs["Geometry"]

    def remove(self, geometry: Any, name: str) -> Any:
        made = self.node("GeometryNodeRemoveAttribute", {"Geometry": geometry, "Name": name})
        return made.outputs["Geometry"]

    def switch(self, condition: Any, no: Any, yes: Any, kind: str) -> Any:
        made = self.node(
            "GeometryNodeSwitch", {"Switch": condition, "False": no, "True": yes}, input_type=kind
        )
        return made.outputs["Output"]
