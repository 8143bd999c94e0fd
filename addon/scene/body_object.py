"""The body mesh: skinned as in the engine, with the expressions as shape keys.

It is not rendered; the splats' node group reads its posed vertices. Expressions are custom
properties of the armature's bone ``face``, which drive the shape keys without Python, so that one
action of the armature holds pose and face.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import bpy
import numpy as np

from ...engine.body import Body
from ...engine.body.expression_limits import LID_FADE, PRESSED, find_limits
from ...engine.core.types import JOINT_NAMES, FloatArray, IntArray
from ..rig.control_names import FACE
from ..rig.correctives import add_correctives
from ..rig.drivers import add_property, drive
from .axes import points_to_blender
from .origin import template_origin
from .sculpt_key import SCULPT_KEY
from .steps import run_to_end

WEIGHT_FLOOR = 1e-7
"""Weights below this are dropped; the Armature modifier normalises the rest."""

_KEY_RANGE = 10.0
"""Blender's limit for shape keys; users see the range of the property."""

_JOINTS_PER_SLICE = 7
_KEYS_PER_SLICE = 13


def create_body(body: Body, name: str, armature: Any, collection: Any) -> Any:
    """Create the body object with vertex groups, Armature modifier and shape keys, at rest.

    The armature's bone ``face`` gets the expressions as properties.
    """
    return run_to_end(create_body_steps(body, name, armature, collection))


def create_body_steps(
    body: Body, name: str, armature: Any, collection: Any
) -> Generator[None, None, Any]:
    """:func:`create_body` in pieces of some milliseconds; returns the object at the end."""
    rest = (points_to_blender(body.v_template) + template_origin(armature)).astype(np.float32)
    mesh = _mesh(name, rest, body.f)
    obj = bpy.data.objects.new(name, mesh)
    collection.objects.link(obj)
    obj.parent = armature
    yield
    _add_uv(mesh, body)
    yield
    yield from _add_weights(obj, body.weights)
    yield from _add_expressions(obj, body, rest, armature)
    if body.posedirs is not None:
        yield from add_correctives(obj, body, rest, armature)
    modifier = obj.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    modifier.use_deform_preserve_volume = False
    modifier.use_bone_envelopes = False
    _hide(obj)
    return obj


def set_expression(armature: Any, names: tuple[str, ...], values: FloatArray) -> None:
    """Set the expressions ``names`` to ``values`` [E], extending the sliders if needed."""
    holder = _holder(armature)
    for name, value in zip(names, np.asarray(values, np.float64).tolist()):
        if isinstance(holder, dict):
            holder[name].value = value
            continue
        holder[name] = value  # a float again, whatever a script had left there
        sliders = holder.id_properties_ui(name)
        limits = sliders.as_dict()
        if not limits["soft_min"] <= value <= limits["soft_max"]:
            low, high = float(np.floor(2 * value) / 2), float(np.ceil(2 * value) / 2)
            sliders.update(
                soft_min=min(limits["soft_min"], low), soft_max=max(limits["soft_max"], high)
            )
    armature.update_tag()


def get_expression(armature: Any) -> dict[str, float]:
    """Expression -> value, in the body's order."""
    holder = _holder(armature)
    if isinstance(holder, dict):
        return {name: key.value for name, key in holder.items()}
    return {name: float(holder[name]) for name in expression_names(armature)}


def expression_names(armature: Any) -> tuple[str, ...]:
    """The names of the body's expressions, in its order."""
    holder = _holder(armature)
    if isinstance(holder, dict):
        return tuple(holder)
    # a script may have set 1 instead of 1.0; other types are not expressions
    names = holder.keys()
    return tuple(name for name in names if type(holder[name]) in (float, int))


def _holder(armature: Any) -> Any:
    """The pose bone with the expressions; in scenes of format 1 the shape keys by name."""
    bone = armature.pose.bones.get(FACE)
    if bone is not None:
        return bone
    for child in armature.children:
        if child.type == "MESH" and child.data.shape_keys is not None:
            blocks = child.data.shape_keys.key_blocks[1:]
            return {key.name: key for key in blocks if key.name != SCULPT_KEY}
    return {}


def _mesh(name: str, points: FloatArray, f: Any) -> Any:
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(points))
    mesh.vertices.foreach_set("co", points.ravel())
    mesh.loops.add(f.size)
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(f, np.int32).ravel())
    mesh.polygons.add(len(f))
    mesh.polygons.foreach_set("loop_start", np.arange(0, f.size, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    return mesh


def _add_uv(mesh: Any, body: Body) -> None:
    if not len(body.vt):
        return
    layer = mesh.uv_layers.new(name="UVMap")
    layer.uv.foreach_set("vector", body.vt[body.ft].astype(np.float32).ravel())


def _add_weights(obj: Any, weights: FloatArray) -> Generator[None, None, None]:
    """Add one vertex group per joint."""
    for joint, name in enumerate(JOINT_NAMES):
        group = obj.vertex_groups.new(name=name)
        held = np.flatnonzero(weights[:, joint] > WEIGHT_FLOOR)
        fill_group(group, held, weights[held, joint])
        if joint % _JOINTS_PER_SLICE == 0:
            yield


def fill_group(group: Any, vertices: IntArray, weights: FloatArray) -> None:
    """Set the weights [n] of vertices in a group; those of equal weight in one call, for speed."""
    values, which = np.unique(weights, return_inverse=True)
    order = np.argsort(which, kind="stable")
    members = np.split(vertices[order], np.flatnonzero(np.diff(which[order])) + 1)
    for value, rows in zip(values.tolist(), members):
        group.add(rows.tolist(), value, "REPLACE")


def _add_expressions(
    obj: Any, body: Body, rest: FloatArray, armature: Any
) -> Generator[None, None, None]:
    if not body.num_expression:
        return
    obj.shape_key_add(name="Basis", from_mix=False)
    bone = armature.pose.bones[FACE]
    paths = [add_slider(bone, name) for name in body.expression_names]
    limits = _limit_drivers(body.expression_names, paths)
    for k, name in enumerate(body.expression_names):
        key = obj.shape_key_add(name=name, from_mix=False)
        at = rest + points_to_blender(body.exprdirs[:, :, k])
        key.points.foreach_set("co", np.ascontiguousarray(at, np.float32).ravel())
        key.slider_min, key.slider_max = -_KEY_RANGE, _KEY_RANGE
        expression, others = limits.get(k, ("", {}))
        drive(key, "value", armature, paths[k], expression, **others)
        if k % _KEYS_PER_SLICE == _KEYS_PER_SLICE - 1:
            yield
    yield


def _limit_drivers(
    names: Sequence[str], paths: Sequence[str]
) -> dict[int, tuple[str, dict[str, str]]]:
    """Return ``limit_expression`` as drivers: expressions and paths of their further properties.

    Args:
        names: [E] of the body's expressions.
        paths: [E] of their sliders.

    Returns:
        By column of the limited expression.
    """
    limits = find_limits(names)
    drivers = {}
    jaw, others = "jaw", {}
    if limits.jaw is not None and limits.openers:
        others = {f"opener{k}": paths[k] for k in limits.openers}
        least = ", ".join(f"{room} * opener{k}" for k, room in limits.openers.items())
        drivers[limits.jaw] = (f"max(value, {least})", others)
        jaw = f"max(jaw, {least})"
    if limits.lips is not None:
        lips, column = limits.lips
        most = f"min(value, max({jaw}, 0) + {PRESSED})"
        drivers[lips] = (most, {"jaw": paths[column], **others})
    for lid, blink in limits.lids:
        share = f"min(1, max(0, {LID_FADE} - {LID_FADE} * blink))"
        drivers[lid] = (f"value * {share}", {"blink": paths[blink]})
    return drivers


def add_slider(bone: Any, name: str) -> str:
    """Add an expression's property at 0 to the bone ``face``; returns its data path.

    ARKit's expressions are 0..1, SMPL-X's are standard deviations.
    """
    numbered = name.startswith("expression_")
    return add_property(
        bone,
        name,
        -_KEY_RANGE,
        _KEY_RANGE,
        (-5.0, 5.0) if numbered else (0.0, 1.0),
        f"Expression axis {name.rpartition('_')[2]}, in standard deviations"
        if numbered
        else f"Expression {name}: 0 is neutral, 1 the full expression",
    )


def _hide(obj: Any) -> None:
    """Hide the body from views and renders; it is still evaluated for the splats."""
    obj.hide_render = True  # EEVEE draws it even with visible_camera = False
    obj.display_type = "WIRE"  # display if it is unhidden
    obj.hide_set(True)
