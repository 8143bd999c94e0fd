"""The body mesh: skinned as the engine skins it, with the expressions as shape keys.

It is never rendered; the splats' node group reads it where the armature has put it.
"""

from __future__ import annotations

import warnings
from typing import Any

import bpy
import numpy as np

from ...engine.body import Body
from ...engine.types import JOINT_NAMES, FloatArray
from .axes import points_to_blender

WEIGHT_FLOOR = 1e-7
"""Weights below this are left out; the rest is normalised by the Armature modifier."""

_SMPLX_RANGE = 5.0  # SMPL-X's unnamed expression axes are in standard deviations


def create_body(body: Body, name: str, armature: Any, collection: Any) -> Any:
    """The body object: vertex groups, Armature modifier, shape keys, all at rest and neutral."""
    if body.posedirs is not None:
        warnings.warn(
            "The body has pose correctives; the Blender body is skinned without them.",
            stacklevel=2,
        )
    mesh = bpy.data.meshes.new(name)
    rest = points_to_blender(body.v_template)
    mesh.from_pydata(rest, [], body.f, shade_flat=False)
    obj = bpy.data.objects.new(name, mesh)
    collection.objects.link(obj)
    obj.parent = armature
    _add_uv(mesh, body)
    _add_weights(obj, body.weights)
    _add_expressions(obj, body, rest)
    modifier = obj.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    modifier.use_deform_preserve_volume = False
    modifier.use_bone_envelopes = False
    _hide(obj)
    return obj


def set_expression(body_object: Any, names: tuple[str, ...], values: FloatArray) -> None:
    """Set the shape keys to ``values`` [E], widening the sliders where they would clamp."""
    keys = body_object.data.shape_keys
    for name, value in zip(names, np.asarray(values, np.float64)):
        key = keys.key_blocks[name]
        key.slider_min = min(key.slider_min, float(np.floor(2 * value) / 2))
        key.slider_max = max(key.slider_max, float(np.ceil(2 * value) / 2))
        key.value = float(value)


def get_expression(body_object: Any) -> dict[str, float]:
    """Shape key name -> value, without the basis."""
    keys = body_object.data.shape_keys
    return {} if keys is None else {k.name: k.value for k in keys.key_blocks[1:]}


def _add_uv(mesh: Any, body: Body) -> None:
    if not len(body.vt):
        return
    layer = mesh.uv_layers.new(name="UVMap")
    layer.uv.foreach_set("vector", body.vt[body.ft].astype(np.float32).ravel())


def _add_weights(obj: Any, weights: FloatArray) -> None:
    for joint, name in enumerate(JOINT_NAMES):
        group = obj.vertex_groups.new(name=name)
        column = weights[:, joint]
        for vertex in np.flatnonzero(column > WEIGHT_FLOOR):
            group.add([int(vertex)], float(column[vertex]), "REPLACE")


def _add_expressions(obj: Any, body: Body, rest: FloatArray) -> None:
    if not body.num_expression:
        return
    obj.shape_key_add(name="Basis", from_mix=False)
    moves = points_to_blender(np.moveaxis(body.exprdirs, 2, 0))  # [E, V, 3]
    for name, move in zip(body.expression_names, moves):
        key = obj.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", np.ascontiguousarray(rest + move, np.float32).ravel())
        if name.startswith("expression_"):
            key.slider_min, key.slider_max = -_SMPLX_RANGE, _SMPLX_RANGE


def _hide(obj: Any) -> None:
    """Out of every picture, but still evaluated for the splats."""
    obj.hide_render = True  # EEVEE would draw it in spite of visible_camera = False
    obj.display_type = "WIRE"  # what one sees who unhides it
    obj.hide_set(True)
