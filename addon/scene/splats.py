"""The splat mesh: one triangle per Gaussian, around its 3-sigma circle.

The mesh stores where each Gaussian lives on the body (see :mod:`.node_group`, which moves it) and
how it looks (see :mod:`.material`). A Gaussian's third axis, its normal, is not drawn: the
avatar's Gaussians are flat by construction.
"""

from __future__ import annotations

import warnings
from typing import Any

import bpy
import numpy as np

from ...engine.body import Body
from ...engine.imaging.color import srgb_to_linear
from ...engine.rotations import quaternion_to_matrix
from ...engine.types import Avatar, BoundGaussians, FloatArray, IntArray
from .. import compat
from .axes import points_to_engine
from .material import COLOR_ATTRIBUTE, CORNER_ATTRIBUTE, CUT_SIGMA, splat_materials
from .node_group import ATTRIBUTES, splat_group
from .photo_fit import colors_for_light, cover, project_splats, softening

MODIFIER_NAME = "Likeness Splats"

_ANGLES = np.radians([90.0, 210.0, 330.0])
CORNERS: FloatArray = (2 * CUT_SIGMA * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1)).astype(
    np.float32
)
"""[3, 2] in sigma units: the smallest triangle around the circle."""

_CORNERS_TO_AXES: FloatArray = np.linalg.pinv(CORNERS.astype(np.float64)).T
"""[3, 2]: corners relative to the mean, times this, are the splat's axes."""


def stored_order(avatar: Avatar) -> IntArray:
    """[N] the order in which the mesh holds the Gaussians: back to front in the photo.

    Without sorting EEVEE's picture is then nearly right from the front, and sorting for another
    camera is much faster than from a random order.
    """
    vertices, _ = avatar.body.vertices(avatar.pose)
    g = avatar.gaussians
    corners = vertices[avatar.body.f[g.triangle]]  # [N, 3, 3]
    where = np.einsum("nk,nkc->nc", g.bary, corners)
    depth = where @ avatar.camera.viewmat[2, :3]
    return np.argsort(-depth, kind="stable")


def splat_attributes(gaussians: BoundGaussians, body: Body) -> dict[str, FloatArray]:
    """What the node group reads, one row per Gaussian, by attribute name.

    The two axes of the splat are scaled by its standard deviations, in the triangle's frame.
    """
    corner_ids = body.f[gaussians.triangle]
    a, b, c = np.moveaxis(np.asarray(body.v_template, np.float64)[body.f], 1, 0)
    double_area = np.linalg.norm(np.cross(b - a, c - a), axis=-1)
    inverse = 1.0 / np.maximum(double_area, 1e-20)
    axes = quaternion_to_matrix(np.asarray(gaussians.quats, np.float64))
    scales = np.asarray(gaussians.scales, np.float64)
    return {
        ATTRIBUTES.vertex_a: corner_ids[:, 0],
        ATTRIBUTES.vertex_b: corner_ids[:, 1],
        ATTRIBUTES.vertex_c: corner_ids[:, 2],
        ATTRIBUTES.bary_b: gaussians.bary[:, 1],
        ATTRIBUTES.bary_c: gaussians.bary[:, 2],
        ATTRIBUTES.offset: gaussians.offset,
        ATTRIBUTES.axis_u: axes[:, :, 0] * scales[:, :1],
        ATTRIBUTES.axis_v: axes[:, :, 1] * scales[:, 1:2],
        ATTRIBUTES.inverse_rest_area: inverse[gaussians.triangle],
    }


def level_attributes(avatar: Avatar) -> dict[str, FloatArray | IntArray]:
    """Each Gaussian's place in the order of importance, and from which level on it grows.

    An avatar from before there was an order gets a shuffled one, as even as chance makes it.
    """
    count = len(avatar.gaussians)
    rank, start = np.arange(count), avatar.lod_start
    if start is None:
        warnings.warn(
            "this avatar's file is older than levels of detail: with less detail its splats thin "
            "out at random (build it again for the best ones)",
            stacklevel=2,
        )
        rank = np.random.default_rng(0).permutation(count)
        start = np.full(count, count, np.float32)
    return {ATTRIBUTES.rank: rank, ATTRIBUTES.lod_start: start}


_TYPES = {1: ("FLOAT", "value"), 3: ("FLOAT_VECTOR", "vector")}


def create_splats(avatar: Avatar, name: str, body_object: Any, collection: Any) -> Any:
    """The splat object, with its modifier reading ``body_object``."""
    order = stored_order(avatar)
    gaussians = avatar.gaussians.take(order)
    mesh = _triangles(len(gaussians), name)
    levels = {key: values[order] for key, values in level_attributes(avatar).items()}
    for key, values in (splat_attributes(gaussians, avatar.body) | levels).items():
        if np.issubdtype(values.dtype, np.integer):
            kind, field = "INT", "value"
        else:
            kind, field = _TYPES[1 if values.ndim == 1 else values.shape[1]]
        _store(mesh, key, kind, "FACE", field, values)
    _store_colors(mesh, srgb_to_linear(np.clip(gaussians.colors, 0.0, 1.0)), gaussians.opacities)
    _store(mesh, CORNER_ATTRIBUTE, "FLOAT2", "POINT", "vector",
           np.tile(CORNERS, (len(gaussians), 1)))  # fmt: skip
    for material in splat_materials():
        mesh.materials.append(material)
    obj = bpy.data.objects.new(name, mesh)
    collection.objects.link(obj)
    obj.parent = body_object.parent
    obj.visible_shadow = False
    modifier = obj.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = splat_group()
    set_input(modifier, "Body", body_object)
    return obj


def set_input(modifier: Any, name: str, value: Any) -> None:
    """Set an input of the splats' modifier by the name the user sees."""
    compat.set_modifier_input(modifier, input_identifier(modifier, name), value)
    modifier.id_data.update_tag()


def input_identifier(modifier: Any, name: str) -> str:
    """The key under which the modifier keeps the input ``name``."""
    for item in modifier.node_group.interface.items_tree:
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name == name:
            return str(item.identifier)
    raise KeyError(name)


def bake_positions(splats: Any, context: Any) -> None:
    """Store where the node group puts the splats now as the mesh's own vertices.

    So the mesh shows the person, not a heap at the origin, when the modifier is off.
    """
    depsgraph = context.evaluated_depsgraph_get()
    evaluated = splats.evaluated_get(depsgraph).data
    positions = np.empty(3 * len(splats.data.vertices), np.float32)
    evaluated.attributes["position"].data.foreach_get("vector", positions)
    splats.data.attributes["position"].data.foreach_set("vector", positions)
    splats.data.update()


def fit_to_photo(splats: Any, avatar: Avatar) -> None:
    """Store what makes the splats look in the photo's view as the engine draws them.

    See :mod:`.photo_fit`. Needs ``bake_positions`` in the photo's pose, before any softness.
    """
    from ...engine.render.common import BLUR  # late: the rasterisers around it load numba

    corners = np.empty(3 * len(splats.data.vertices), np.float32)
    splats.data.attributes["position"].data.foreach_get("vector", corners)
    where = points_to_engine(corners.reshape(-1, 3, 3).astype(np.float64))
    means = where.mean(1)
    axes = np.einsum("nkc,ka->nca", where - means[:, None], _CORNERS_TO_AXES)
    seen = project_splats(means, axes, avatar.camera)
    M = softening(seen.axes, BLUR)
    soften = np.stack([M[:, 0, 0] - 1.0, M[:, 0, 1], M[:, 1, 1] - 1.0], -1)
    _store(splats.data, ATTRIBUTES.soften, "FLOAT_VECTOR", "FACE", "vector", soften)
    gaussians = avatar.gaussians.take(stored_order(avatar))
    coverage = cover(
        seen._replace(axes=seen.axes @ M), gaussians.opacities,
        avatar.camera.width, avatar.camera.height, CUT_SIGMA,
    )  # fmt: skip
    _store_colors(splats.data, colors_for_light(gaussians.colors, coverage), gaussians.opacities)


def _store_colors(mesh: Any, linear: FloatArray, opacities: FloatArray) -> None:
    rgba = np.concatenate([linear, np.clip(opacities, 0, 1)[:, None]], axis=1)
    _store(mesh, COLOR_ATTRIBUTE, "FLOAT_COLOR", "FACE", "color", rgba)


def _triangles(count: int, name: str) -> Any:
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(3 * count)
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.loops.foreach_set("vertex_index", np.arange(3 * count, dtype=np.int32))
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    return mesh


def _store(mesh: Any, name: str, kind: str, domain: str, field: str, values: Any) -> None:
    dtype = np.int32 if kind == "INT" else np.float32
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, domain)
    attribute.data.foreach_set(field, np.ascontiguousarray(values, dtype).ravel())
