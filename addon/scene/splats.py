"""The splat mesh: one triangle per Gaussian, around its 3-sigma circle.

The mesh stores where each Gaussian lives on the body (see :mod:`.node_group`, which moves it) and
how it looks (see :mod:`.material`). A Gaussian's third axis, its normal, is not drawn: the
avatar's Gaussians are flat by construction.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...engine.body import Body
from ...engine.rotations import quaternion_to_matrix
from ...engine.types import Avatar, BoundGaussians, Camera, FloatArray, IntArray
from .. import compat
from .axes import points_to_engine
from .material import COLOR_ATTRIBUTE, CORNER_ATTRIBUTE, CUT_SIGMA, splat_materials
from .node_group import ATTRIBUTES, splat_group

MODIFIER_NAME = "Likeness Splats"

_ANGLES = np.radians([90.0, 210.0, 330.0])
CORNERS: FloatArray = (2 * CUT_SIGMA * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1)).astype(
    np.float32
)
"""[3, 2] in sigma units: the smallest triangle around the circle."""

_CORNERS_TO_AXES: FloatArray = np.linalg.pinv(CORNERS.astype(np.float64)).T
"""[3, 2]: corners relative to the mean, times this, are the splat's axes."""

_THINNEST_PIXELS = 0.5
"""A splat seen edge-on in the photo is widened as if it were not thinner than this, at most 1.5
times, lest it is too wide when it turns (48 dB against the engine's picture of a 258,000-splat
avatar; 55 dB at 0.05)."""


def srgb_to_linear(colors: FloatArray) -> FloatArray:
    """IEC 61966-2-1, 0..1, any shape: the inverse of Blender's Standard view."""
    c = np.clip(np.asarray(colors, np.float64), 0.0, 1.0)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


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


_TYPES = {1: ("FLOAT", "value"), 3: ("FLOAT_VECTOR", "vector")}


def create_splats(avatar: Avatar, name: str, body_object: Any, collection: Any) -> Any:
    """The splat object, with its modifier reading ``body_object``."""
    gaussians = avatar.gaussians.take(stored_order(avatar))
    mesh = _triangles(len(gaussians), name)
    for key, values in splat_attributes(gaussians, avatar.body).items():
        if np.issubdtype(values.dtype, np.integer):
            kind, field = "INT", "value"
        else:
            kind, field = _TYPES[1 if values.ndim == 1 else values.shape[1]]
        _store(mesh, key, kind, "FACE", field, values)
    rgba = np.concatenate(
        [srgb_to_linear(gaussians.colors), np.clip(gaussians.opacities, 0, 1)[:, None]], axis=1
    )
    _store(mesh, COLOR_ATTRIBUTE, "FLOAT_COLOR", "FACE", "color", rgba)
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


def fit_softness(splats: Any, camera: Camera) -> None:
    """Store by how much each splat must grow to look as the engine draws it in the photo.

    The engine widens every splat's picture by ``BLUR`` square pixels, for which Blender has no
    counterpart. With A [2, 2] the splat's axes on the photo in pixels, the engine draws the
    covariance A A^T + BLUR I. The symmetric M with A M M A^T equal to it is sqrt(I + BLUR
    (A^T A)^-1), and the splat keeps it in any other view, as if the photo had been taken of a
    slightly softer person (so do Mip-Splatting's 3D filters, Yu et al. 2024, section 5.1).

    Needs ``bake_positions`` in the photo's pose, before any softness.
    """
    from ...engine.render.common import BLUR  # late: the rasterisers around it load numba

    corners = np.empty(3 * len(splats.data.vertices), np.float32)
    splats.data.attributes["position"].data.foreach_get("vector", corners)
    where = points_to_engine(corners.reshape(-1, 3, 3).astype(np.float64))
    view = np.asarray(camera.viewmat, np.float64)[:3]
    where = where @ view[:, :3].T + view[:, 3]
    mean = where.mean(1)
    axes = np.einsum("nkc,ka->nca", where - mean[:, None], _CORNERS_TO_AXES)  # [N, 3, 2]
    z = np.maximum(mean[:, 2], 1e-3)
    slope = (mean[:, :2] / z[:, None])[:, :, None]
    focal = np.array([camera.K[0, 0], camera.K[1, 1]])[:, None]
    on_photo = focal / z[:, None, None] * (axes[:, :2] - slope * axes[:, 2:])  # [N, 2, 2] pixels
    _, thickness, right = np.linalg.svd(on_photo)
    grow = np.sqrt(1.0 + BLUR / np.maximum(thickness, _THINNEST_PIXELS) ** 2)
    M = np.einsum("nka,nk,nkb->nab", right, grow, right)
    values = np.stack([M[:, 0, 0] - 1.0, M[:, 0, 1], M[:, 1, 1] - 1.0], -1)
    _store(splats.data, ATTRIBUTES.soften, "FLOAT_VECTOR", "FACE", "vector", values)


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
