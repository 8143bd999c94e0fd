"""The geometry node group that carries the splats along with the body.

For every splat (a face of the splat mesh) it reads the three vertices of its body triangle from
the deformed body, builds the triangle's frame as ``engine/gaussians/binding.py`` defines it, and
places the splat's three corners:

    origin = a + v (b - a) + w (c - a)
    n      = normalize((1 - v - w) n_a + v n_b + w n_c), e1 = (b - a) made perpendicular to n
    sigma  = clamp(sqrt(area / area at rest), 0.5, 2)
    corner = origin + sigma R (offset + x axis_u + y axis_v),  (x, y) in sigma units

where axis_u and axis_v are first softened: see ``softening`` in ``engine/scene/fit.py``.

In renders each splat is then turned flat to the active camera: its corners slide along their
view rays to the depth of its mean. In the picture it covers the same pixels, but now a ray meets
the splats in the order of their means, which is the engine's order and every splat renderer's.
If they stay tilted, neighbours intersect, and Cycles draws pupils grey (24 dB instead of 32 against
the engine's picture of a 258,000-splat avatar).

EEVEE blends faces in the order in which they are stored, so for renders they are also sorted, back
to front for the active camera. In the viewport the view is not known to a node group; there the
splats get the mesh's second material, which is dithered and needs no order.

It uses stock nodes only: no Python runs when the armature moves, so it works in renders, in linked
files and without the extension.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

import bpy

from ...engine.core.attributes import NAMES
from ...engine.scene.mesh import ATTRIBUTES, KEPT, LIT, SPANS
from .. import keys
from .grade_nodes import add_grade_inputs, grade_steps
from .kept_groups import append_group, keep_group
from .light_nodes import add_light_inputs, choose_material, is_lit, light_steps, normal_steps
from .material import BLENDED_SLOT, COLOR_ATTRIBUTE, CORNER_ATTRIBUTE, DITHERED_SLOT
from .node_builder import NodeBuilder
from .steps import run_to_end

GROUP_NAME = "Likeness Splats"
GROUP_VERSION = 8

SIGMA_RANGE = (0.5, 2.0)
"""As in engine/gaussians/binding.py; a test compares them."""

GROWTH_POWER = 0.55
"""As in engine/gaussians/lod.py, which loads numba; a test compares them."""

_MIN_DETAIL = 0.01
"""Lower end of the sliders; with fewer splats people are not recognisable."""

FAST_INPUT = "Fast Splats"
"""The switch that leaves drawing in the viewport to ``addon/viewport``."""

HAS_ATTRIBUTES = "Has Attributes"
"""The hidden switch of avatars with attributes; without it their sliders cost nothing."""

_NODES_PER_SLICE = 4
"""Each takes some milliseconds, because all nodes before it are updated."""

_MAX_SLIDE = 0.5
"""Largest slide of a corner along its ray to face the camera, as a fraction of its distance."""


def splat_group() -> Any:
    """The node group, shared by all avatars of the file; created on first use."""
    return run_to_end(splat_group_steps())


def splat_group_steps() -> Generator[None, None, Any]:
    """:func:`splat_group` in slices; the generator returns the group."""
    group = keys.find_own(bpy.data.node_groups, keys.VERSION, GROUP_VERSION)
    group = group or append_group(GROUP_NAME, keys.VERSION, GROUP_VERSION)
    if group is None:
        group = yield from _group_steps(GROUP_NAME, keys.VERSION, GROUP_VERSION, _build)
        if group.name == GROUP_NAME:  # an older one of the file may have it
            keep_group(group)
    return group


def shared_group(name: str, key: str, version: int, fill: Callable[[Any], None]) -> Any:
    """The file's node group whose property ``key`` is ``version``; created on first use.

    It gets that property only when ``fill`` has built it: a half-built one is removed.
    """

    def fill_at_once(tree: Any) -> Iterator[None]:
        fill(tree)
        yield

    found = keys.find_own(bpy.data.node_groups, key, version)
    return found or run_to_end(_group_steps(name, key, version, fill_at_once))


def _group_steps(
    name: str, key: str, version: int, fill: Callable[[Any], Iterator[None]]
) -> Generator[None, None, Any]:
    """A new node group, filled in slices."""
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.is_modifier = True
    try:
        yield from fill(tree)
    except BaseException:
        bpy.data.node_groups.remove(tree)
        raise
    tree[key] = version
    return tree


def _interface(tree: Any) -> None:
    def socket(name: str, kind: str, description: str, in_out: str = "INPUT") -> Any:
        return tree.interface.new_socket(
            name, description=description, in_out=in_out, socket_type=kind
        )

    socket("Geometry", "NodeSocketGeometry", "The splats, moved", "OUTPUT")
    socket("Geometry", "NodeSocketGeometry", "The splat mesh")
    socket("Body", "NodeSocketObject", "The body whose triangles carry the splats")
    details = {
        "Viewport Detail": "Fraction of the splats drawn in the viewport: the most important ones, "
        "enlarged to fill the gaps",
        "Render Detail": "Fraction of the splats rendered: the most important ones, enlarged to "
        "fill the gaps",
    }
    for name, description in details.items():
        detail = socket(name, "NodeSocketFloat", description)
        detail.subtype = "FACTOR"
        detail.default_value, detail.min_value, detail.max_value = 1.0, _MIN_DETAIL, 1.0
    softness = socket(
        "Softness", "NodeSocketFloat", "1 matches the photo at its resolution; lower is sharper"
    )
    softness.subtype = "FACTOR"
    softness.default_value, softness.min_value, softness.max_value = 1.0, 0.0, 1.0
    switches = {
        "Sorted Viewport": (
            False,
            "Blend splats smoothly in the viewport, too: slower, and correct only from the active "
            "camera. Otherwise they are dithered, which is correct from every view",
        ),
        "Face Camera": (
            True,
            "In renders, turn splats to face the active camera, so that overlaps are exact",
        ),
        FAST_INPUT: (
            False,
            "Let the extension Likeness draw the splats in the viewport on the GPU. Without the "
            "extension they are then visible in renders only",
        ),
    }
    for name, (default, description) in switches.items():
        socket(name, "NodeSocketBool", description).default_value = default

    add_light_inputs(tree)
    add_grade_inputs(tree)
    panel = tree.interface.new_panel("Attributes", default_closed=True)
    for name in NAMES:
        slider = socket(slider_name(name), "NodeSocketFloat", "0 without it, 1 with it")
        slider.subtype = "FACTOR"
        slider.default_value, slider.min_value, slider.max_value = 1.0, 0.0, 1.0
        tree.interface.move_to_parent(slider, panel, len(panel.interface_items))
    has = socket(HAS_ATTRIBUTES, "NodeSocketBool", "Whether the splats have attributes")
    has.default_value, has.hide_in_modifier = False, True


def slider_name(attribute: str) -> str:
    """The displayed name of an attribute's slider."""
    return attribute.title()


def _build(tree: Any) -> Iterator[None]:
    _interface(tree)
    yield
    add = NodeBuilder(tree)
    group = add.node("NodeGroupInput").outputs
    captured, on_face = yield from move_steps(add, group, with_light=True)
    yield
    add.column()
    placed, mean = yield from corner_steps(add, captured, on_face)
    yield
    add.column()
    viewport = add.node("GeometryNodeIsViewport").outputs[0]
    rendering = add.boolean("NOT", viewport)
    camera = ActiveCamera.build(add)
    yield
    facing = yield from _facing_steps(add, placed, mean, camera)
    yield
    turns = add.boolean("AND", rendering, group["Face Camera"])
    result = add.switch(turns, placed, facing, "GEOMETRY")
    result = yield from _remove_steps(add, result, ATTRIBUTES)  # they need not be sorted
    yield
    add.column()
    lit = is_lit(add, group)
    dithered = choose_material(add, lit, result, DITHERED_SLOT)
    yield
    # The mean is at hand per face, and spares averaging its three corners.
    ordered = sort_splats(add, result, on_face[0], camera)
    blended = choose_material(add, lit, ordered, BLENDED_SLOT)
    yield
    sorts = add.boolean("OR", rendering, group["Sorted Viewport"])
    output = add.switch(sorts, dithered, blended, "GEOMETRY")
    yield
    output = yield from normal_steps(add, lit, output, rendering, camera.place)
    yield
    add.column()
    nothing = add.node("GeometryNodeMeshLine", {"Count": 0}).outputs["Mesh"]
    unseen = add.boolean("AND", viewport, group[FAST_INPUT])
    output = add.switch(unseen, output, nothing, "GEOMETRY")
    add.column()
    add.node("NodeGroupOutput", {"Geometry": output})
    add.arrange()


def move_steps(
    add: NodeBuilder, group: Any, with_thickness: bool = False, with_light: bool = False
) -> Generator[None, None, tuple[Any, list[Any]]]:
    """The faces of the drawn splats, and their means and axes as fields on them, in slices.

    The axes u and v are softened, moved and enlarged. ``with_thickness`` adds the length of the
    third axis, as a vector of three equal components; ``with_light`` divides colours between the
    photo's light and the scene's.
    """
    body = add.node(
        "GeometryNodeObjectInfo", {"Object": group["Body"]}, transform_space="RELATIVE"
    ).outputs["Geometry"]
    splats = yield from grade_steps(add, group, group["Geometry"])
    yield
    kept = {KEPT.thickness} if with_thickness else set()
    useless = [name for name in (*KEPT, *(() if with_light else LIT)) if name not in kept]
    splats = yield from _remove_steps(add, splats, useless)
    yield
    geometry, growth = yield from _thin_out_steps(add, group, splats)
    yield
    geometry = yield from _attribute_steps(add, group, geometry)
    yield
    add.column()
    vertex_ids = [add.attribute(name, "INT") for name in ATTRIBUTES[:3]]
    position = add.node("GeometryNodeInputPosition").outputs[0]
    normal = add.node("GeometryNodeInputNormal").outputs[0]
    yield
    add.column()
    a, b, c = (add.sample(body, position, index, "POINT") for index in vertex_ids)
    yield
    add.column()
    normals = [add.sample(body, normal, index, "POINT") for index in vertex_ids]
    yield
    add.column()
    v, w = (add.attribute(name, "FLOAT") for name in (ATTRIBUTES.bary_b, ATTRIBUTES.bary_c))
    ab, ac = add.vector("SUBTRACT", b, a), add.vector("SUBTRACT", c, a)
    u = add.math("SUBTRACT", add.math("SUBTRACT", 1.0, v), w)
    yield
    add.column()
    origin = add.vector("MULTIPLY_ADD", ac, w, add.vector("MULTIPLY_ADD", ab, v, a))
    n = add.vector(
        "MULTIPLY_ADD",
        normals[0],
        u,
        add.vector("MULTIPLY_ADD", normals[1], v, add.vector("MULTIPLY", normals[2], w)),
    )
    yield
    add.column()
    frame = add.node(
        "FunctionNodeAxesToRotation",
        {"Primary Axis": n, "Secondary Axis": ab},
        primary_axis="Z",
        secondary_axis="X",
    ).outputs["Rotation"]
    yield
    area = add.vector("LENGTH", add.vector("CROSS_PRODUCT", ab, ac))
    ratio = add.math("MULTIPLY", area, add.attribute(ATTRIBUTES.inverse_rest_area, "FLOAT"))
    sigma = add.node(
        "ShaderNodeClamp",
        {"Value": add.math("SQRT", ratio), "Min": SIGMA_RANGE[0], "Max": SIGMA_RANGE[1]},
    ).outputs["Result"]
    yield
    add.column()
    offset, axis_u, axis_v = (
        add.attribute(name, "FLOAT_VECTOR")
        for name in (ATTRIBUTES.offset, ATTRIBUTES.axis_u, ATTRIBUTES.axis_v)
    )
    # Softness matters less for larger splats: sqrt(1 + blur / r^2) with the enlarged r.
    softness = add.math("DIVIDE", group["Softness"], add.math("MULTIPLY", growth, growth))
    yield
    axis_u, axis_v = _softened(add, axis_u, axis_v, softness)
    yield
    add.column()
    offset = add.scale(add.rotate(offset, frame), sigma)
    fields = {"mean": add.vector("ADD", origin, offset)}
    if with_thickness:
        thickness = add.attribute(KEPT.thickness, "FLOAT")
        fields["thickness"] = add.math("MULTIPLY", thickness, sigma)
    yield
    sigma = add.math("MULTIPLY", sigma, growth)
    fields["axis_u"] = add.scale(add.rotate(axis_u, frame), sigma)
    fields["axis_v"] = add.scale(add.rotate(axis_v, frame), sigma)
    yield
    if with_light:
        lit = is_lit(add, group)
        geometry = yield from light_steps(add, group, lit, geometry, frame)
        yield
    return add.capture(geometry, **fields)


def _remove_steps(
    add: NodeBuilder, geometry: Any, names: Iterable[str]
) -> Generator[None, None, Any]:
    """The geometry without some attributes, in slices."""
    add.column()
    for count, name in enumerate(names, 1):
        geometry = add.remove(geometry, name)
        if not count % _NODES_PER_SLICE:
            yield
    return geometry


def _thin_out_steps(
    add: NodeBuilder, group: Any, splats: Any
) -> Generator[None, None, tuple[Any, Any]]:
    """The most important splats, and the factor by which their axes grow to fill the gaps, in
    slices.

    As ``simplify_avatar`` of engine/gaussians/lod.py, with its ``growth``:
    max(1, lod_start / count) ^ GROWTH_POWER.
    """
    viewport = add.node("GeometryNodeIsViewport").outputs[0]
    detail = add.switch(viewport, group["Render Detail"], group["Viewport Detail"], "FLOAT")
    size = add.node("GeometryNodeAttributeDomainSize", {"Geometry": splats}, component="MESH")
    count = add.math("ROUND", add.math("MULTIPLY", detail, size.outputs["Face Count"]))
    count = add.math("MAXIMUM", count, 1.0)
    yield
    chosen = add.math("LESS_THAN", add.attribute(ATTRIBUTES.rank, "INT"), count)
    kept = add.node(
        "GeometryNodeSeparateGeometry", {"Geometry": splats, "Selection": chosen}, domain="FACE"
    ).outputs["Selection"]
    yield
    thin = add.math("LESS_THAN", detail, 1.0)
    start = add.attribute(ATTRIBUTES.lod_start, "FLOAT")
    area = add.math("MAXIMUM", add.math("DIVIDE", start, count), 1.0)
    growth = add.math("POWER", area, GROWTH_POWER)
    return add.switch(thin, splats, kept, "GEOMETRY"), growth


def _attribute_steps(add: NodeBuilder, group: Any, splats: Any) -> Generator[None, None, Any]:
    """The splats with the opacities that the sliders give them, in slices.

    As ``apply_attributes`` of engine/core/attributes.py, but what is at 0 stays, unseen: taking it
    out would copy all attributes of all splats.
    """
    factor: Any = None
    for name in NAMES:
        add.column()
        stored = add.node(
            "GeometryNodeInputNamedAttribute", {"Name": SPANS[name]}, data_type="FLOAT_VECTOR"
        ).outputs
        ends = add.node("ShaderNodeSeparateXYZ", {0: stored["Attribute"]}).outputs
        share = add.node(
            "ShaderNodeMapRange",
            {"Value": group[slider_name(name)], "From Min": ends["X"], "From Max": ends["Y"]},
        ).outputs["Result"]
        share = add.switch(stored["Exists"], 1.0, share, "FLOAT")
        factor = share if factor is None else add.math("MULTIPLY", factor, share)
        yield
    add.column()
    color = add.node(
        "FunctionNodeSeparateColor", {0: add.attribute(COLOR_ATTRIBUTE, "FLOAT_COLOR")}
    ).outputs
    faded = add.node(
        "FunctionNodeCombineColor",
        {
            **{name: color[name] for name in ("Red", "Green", "Blue")},
            "Alpha": add.math("MULTIPLY", color["Alpha"], factor),
        },
    ).outputs[0]
    yield
    out = add.store(splats, COLOR_ATTRIBUTE, "FLOAT_COLOR", faded)
    yield
    out = yield from _remove_steps(add, out, SPANS.values())
    yield
    return add.switch(group[HAS_ATTRIBUTES], splats, out, "GEOMETRY")


def _softened(add: NodeBuilder, axis_u: Any, axis_v: Any, softness: Any) -> tuple[Any, Any]:
    """Both axes times the symmetric matrix I + softness [[x, y], [y, z]]."""
    matrix = add.scale(add.attribute(ATTRIBUTES.soften, "FLOAT_VECTOR"), softness)
    parts = add.node("ShaderNodeSeparateXYZ", {0: matrix}).outputs
    soft_u = add.vector("MULTIPLY_ADD", axis_u, parts["X"], axis_u)
    soft_v = add.vector("MULTIPLY_ADD", axis_v, parts["Z"], axis_v)
    return (
        add.vector("MULTIPLY_ADD", axis_v, parts["Y"], soft_u),
        add.vector("MULTIPLY_ADD", axis_u, parts["Y"], soft_v),
    )


class ActiveCamera(NamedTuple):
    """The active camera in the splats' space: sockets of its place, its backward direction
    (against the view) and whether it is orthographic."""

    place: Any
    backward: Any
    orthographic: Any

    @staticmethod
    def build(add: NodeBuilder) -> ActiveCamera:
        camera = add.node("GeometryNodeInputActiveCamera").outputs[0]
        view = add.node(
            "GeometryNodeObjectInfo", {"Object": camera}, transform_space="RELATIVE"
        ).outputs
        info = add.node("GeometryNodeCameraInfo", {"Camera": camera}).outputs
        backward = add.rotate((0.0, 0.0, 1.0), view["Rotation"])
        return ActiveCamera(view["Location"], backward, info["Is Orthographic"])


def _facing_steps(
    add: NodeBuilder, geometry: Any, mean: Any, camera: ActiveCamera
) -> Generator[None, None, Any]:
    """Corners slid along their view rays to their splat's depth, in slices.

    A corner p with ray direction d goes to p + d ((mean - p) . back) / (d . back).
    """
    position = add.node("GeometryNodeInputPosition").outputs[0]
    ray = add.switch(
        camera.orthographic,
        add.vector("SUBTRACT", position, camera.place),
        camera.backward,
        "VECTOR",
    )
    yield
    behind = add.vector("DOT_PRODUCT", add.vector("SUBTRACT", mean, position), camera.backward)
    along = add.math("DIVIDE", behind, add.vector("DOT_PRODUCT", ray, camera.backward))
    # A splat near the lens could reach behind it, so it keeps its tilt there.
    along = add.node(
        "ShaderNodeClamp", {"Value": along, "Min": -_MAX_SLIDE, "Max": _MAX_SLIDE}
    ).outputs["Result"]
    moved = add.node(
        "GeometryNodeSetPosition", {"Geometry": geometry, "Offset": add.scale(ray, along)}
    )
    return moved.outputs["Geometry"]


def corner_steps(
    add: NodeBuilder, splats: Any, on_face: list[Any]
) -> Generator[None, None, tuple[Any, Any]]:
    """Place each splat's three corners around its mean, in slices.

    Args:
        add: builds the tree.
        splats: the mesh's geometry, a face for each splat.
        on_face: mean and two axes of each, captured on the faces.

    Returns:
        The geometry, and the mean at each corner.
    """
    # Corner k of the mesh belongs to face k // 3. Asking for that face directly is half the cost
    # of letting Blender average each point's faces (measured at 262,144 splats).
    face = add.node(
        "FunctionNodeIntegerMath",
        {0: add.node("GeometryNodeInputIndex").outputs[0], 1: 3},
        operation="DIVIDE",
    ).outputs[0]
    mean, axis_u, axis_v = (add.sample(splats, value, face, "FACE") for value in on_face)
    yield
    add.column()
    corner = add.node(
        "ShaderNodeSeparateXYZ", {0: add.attribute(CORNER_ATTRIBUTE, "FLOAT_VECTOR")}
    ).outputs
    place = add.vector(
        "MULTIPLY_ADD", axis_v, corner["Y"], add.vector("MULTIPLY_ADD", axis_u, corner["X"], mean)
    )
    add.column()
    moved = add.node("GeometryNodeSetPosition", {"Geometry": splats, "Position": place})
    return moved.outputs["Geometry"], mean


def sort_splats(add: NodeBuilder, geometry: Any, mean: Any, camera: ActiveCamera) -> Any:
    """Sort faces back to front along the active camera's view axis."""
    depth = add.vector("DOT_PRODUCT", mean, camera.backward)
    made = add.node(
        "GeometryNodeSortElements", {"Geometry": geometry, "Sort Weight": depth}, domain="FACE"
    )
    return made.outputs["Geometry"]
