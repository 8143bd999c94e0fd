"""What Blender's splat mesh holds: one triangle per Gaussian, around its 3-sigma circle.

The mesh stores where each Gaussian lies on the body (``addon/scene/node_group.py`` moves it) and
how it looks. Everything is computed here, outside Blender, because it takes seconds.

A Gaussian's third axis, its normal, is not drawn: the avatar's Gaussians are flat by construction.
Light to import: Blender's panels need the names.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.attributes import NAMES
from ..core.types import Avatar, BoundGaussians, FloatArray, IntArray
from .mesh_edits import DARK, SOURCES, Look, edit_look, join_edits, split_edits

if TYPE_CHECKING:
    from ..gaussians.relight.albedo import Reflectance


class SplatAttributes(NamedTuple):
    """Names of the splat mesh's FACE attributes that the node group reads."""

    vertex_a: str = "splat_vertex_a"
    vertex_b: str = "splat_vertex_b"
    vertex_c: str = "splat_vertex_c"
    bary_b: str = "splat_bary_b"
    bary_c: str = "splat_bary_c"
    offset: str = "splat_offset"
    axis_u: str = "splat_axis_u"
    axis_v: str = "splat_axis_v"
    inverse_rest_area: str = "splat_inverse_rest_area"
    soften: str = "splat_soften"
    rank: str = "splat_rank"
    lod_start: str = "splat_lod_start"


class KeptAttributes(NamedTuple):
    """Names of FACE attributes that are not drawn, but needed to restore the avatar."""

    rgb: str = "splat_rgb"
    thickness: str = "splat_thickness"
    layer: str = "splat_layer"
    part: str = "splat_part"


class LitAttributes(NamedTuple):
    """Names of the FACE attributes by which a scene lights the splats."""

    normal: str = "splat_normal"
    albedo: str = "splat_albedo"


ATTRIBUTES = SplatAttributes()
KEPT = KeptAttributes()
LIT = LitAttributes()

SPANS = {name: f"splat_span_{name}" for name in NAMES}
"""Attribute of the avatar -> name of the FACE attribute with its spans (core/attributes.py)."""

CUT_SIGMA = 3.0
"""Standard deviations at which splats end: there a Gaussian has fallen to 1.1 %."""

_ANGLES = np.radians([90.0, 210.0, 330.0])
CORNERS: FloatArray = (2 * CUT_SIGMA * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1)).astype(
    np.float32
)
"""[3, 2] in sigma units: the smallest triangle around the circle."""


@dataclass(frozen=True)
class SplatMesh:
    """N splats as Blender stores them.

    Attributes:
        faces: [N, ...] by the names of :data:`ATTRIBUTES`, :data:`LIT` and :data:`KEPT`; float32,
            int32, or
            uint8 (``rgb`` [N, 4] sRGB, ``layer`` and ``part`` [N]); [N, 2] float32 by those of
            :data:`SPANS` for the avatar's attributes; those of :mod:`.mesh_edits` if it has edits.
        colors: [N, 4] float32 linear RGB and opacity.
        corners: [3 N, 3] float32 in the photo's pose, engine axes and origin.
    """

    faces: dict[str, FloatArray | IntArray]
    colors: FloatArray
    corners: FloatArray

    def __len__(self) -> int:
        return len(self.colors)


def stored_order(avatar: Avatar) -> IntArray:
    """Return the order [N] in which the mesh holds the Gaussians: back to front in the photo.

    Without sorting EEVEE's picture is then nearly right from the front, and sorting for another
    camera is much faster than from a random order.
    """
    vertices, _ = avatar.body.vertices(avatar.pose)
    g = avatar.gaussians
    corners = vertices[avatar.body.f[g.triangle]]  # [N, 3, 3]
    where = np.einsum("nk,nkc->nc", g.bary, corners)
    depth = where @ avatar.camera.viewmat[2, :3]
    return np.argsort(-depth, kind="stable")


def make_splat_mesh(avatar: Avatar) -> SplatMesh:
    """Make the mesh of an avatar, so that Blender draws the photo's view as the engine does.

    Its splats are softened and their colours solved for that (:mod:`.fit`).
    """
    from ..core.color import srgb_to_linear
    from ..core.rotations import quaternion_to_matrix
    from ..core.threads import start_thread
    from ..gaussians.binding import place_gaussians  # late: numba
    from ..render.raster_types import BLUR
    from .fit import compute_coverage, project_splats, softening, solve_linear_colors

    # Before the thread: imports of scipy in two threads, one of them numba's, can deadlock.
    importlib.import_module("..gaussians.relight.albedo", __package__)
    surface = start_thread(_find_surface, avatar)
    order = stored_order(avatar)
    levels = _levels(avatar)
    gaussians = avatar.gaussians.take(order)
    faces = _bound(gaussians, avatar) | {name: values[order] for name, values in levels.items()}
    for attribute in avatar.attributes:
        faces[SPANS[attribute.name]] = attribute.span[order].astype(np.float32)
    vertices, _ = avatar.body.vertices(avatar.pose)
    posed = place_gaussians(gaussians, vertices, avatar.body)
    means = posed.means.astype(np.float64)
    axes = quaternion_to_matrix(posed.quats.astype(np.float64))[:, :, :2]
    axes = axes * posed.scales[:, None, :2]
    corners = means[:, None] + np.einsum("nak,ck->nca", axes, CORNERS.astype(np.float64))
    if len(gaussians):
        seen = project_splats(means, axes, avatar.camera)
        M = softening(seen.axes, BLUR)
        coverage = compute_coverage(
            seen._replace(axes=seen.axes @ M),
            gaussians.opacities,
            avatar.camera.width,
            avatar.camera.height,
            CUT_SIGMA,
        )
        linear = solve_linear_colors(gaussians.colors, coverage)
        soften = np.stack([M[:, 0, 0] - 1.0, M[:, 0, 1], M[:, 1, 1] - 1.0], -1)
    else:
        linear, soften = srgb_to_linear(gaussians.colors), np.zeros((0, 3))
    faces[ATTRIBUTES.soften] = soften.astype(np.float32)
    normals, found = surface.result()
    faces |= _lit(avatar, normals, found, order, linear)
    opacities = np.clip(gaussians.opacities, 0, 1)[:, None]
    colors = np.concatenate([linear, opacities], axis=1).astype(np.float32)
    if gaussians.retouch.shape[1]:
        colors = _add_edits(faces, colors, gaussians.retouch)
    return SplatMesh(faces, colors, corners.reshape(-1, 3).astype(np.float32))


def restore_gaussians(
    faces: dict[str, FloatArray | IntArray], opacities: FloatArray, f: IntArray
) -> BoundGaussians:
    """Restore the Gaussians that :func:`make_splat_mesh` stored, in the mesh's order.

    Colours come back in 256 steps. Faces that the user deleted are missing. Edits by hand are
    beside what they change.

    Args:
        faces: as :attr:`SplatMesh.faces`.
        opacities: [N] 0..1, before edits by hand.
        f: [F, 3] the body's triangles.

    Raises:
        ValueError: a splat's triangle is not one of the body's.
    """
    from ..core.rotations import matrix_to_quaternion

    triangle = find_triangles([faces[name] for name in ATTRIBUTES[:3]], f)
    u, v = (np.asarray(faces[name], np.float64) for name in (ATTRIBUTES.axis_u, ATTRIBUTES.axis_v))
    scale_u, scale_v = (np.maximum(np.linalg.norm(x, axis=1), 1e-12) for x in (u, v))
    R = np.empty((len(u), 3, 3))
    R[:, :, 0], R[:, :, 1] = u / scale_u[:, None], v / scale_v[:, None]
    R[:, :, 2] = np.cross(R[:, :, 0], R[:, :, 1])
    scales = np.stack([scale_u, scale_v, faces[KEPT.thickness]], -1)
    offset = faces.get(SOURCES.offset, faces[ATTRIBUTES.offset])
    bary_b, bary_c = faces[ATTRIBUTES.bary_b], faces[ATTRIBUTES.bary_c]
    return BoundGaussians(
        triangle=triangle.astype(np.int32),
        bary=np.stack([1.0 - bary_b - bary_c, bary_b, bary_c], -1).astype(np.float32),
        offset=np.asarray(offset, np.float32),
        quats=matrix_to_quaternion(R).astype(np.float32),
        scales=scales.astype(np.float32),
        opacities=np.asarray(opacities, np.float32),
        colors=(np.asarray(faces[KEPT.rgb])[:, :3] / 255.0).astype(np.float32),
        layer=np.asarray(faces[KEPT.layer], np.uint8),
        part=np.asarray(faces.get(KEPT.part, np.zeros(0)), np.uint8),  # not in older scenes
        retouch=join_edits(faces, len(u)),
    )


def find_triangles(corners: Sequence[FloatArray | IntArray], f: IntArray) -> IntArray:
    """Return the rows [N] of the body's triangles that splats lie on.

    Args:
        corners: three times [N], vertices of the triangles.
        f: [F, 3] the body's triangles.

    Raises:
        ValueError: a splat's triangle is not one of the body's.
    """
    a, b, c = (np.asarray(values, np.int64) for values in corners)
    base = int(f.max()) + 1
    keys = (f[:, 0].astype(np.int64) * base + f[:, 1]) * base + f[:, 2]
    by_key = np.argsort(keys)
    wanted = (a * base + b) * base + c
    at = np.minimum(np.searchsorted(keys[by_key], wanted), len(keys) - 1)
    triangle = by_key[at]
    if (keys[triangle] != wanted).any():
        raise ValueError("splats lie on triangles that the body does not have")
    return np.asarray(triangle)


def _add_edits(
    faces: dict[str, FloatArray | IntArray], colors: FloatArray, retouch: FloatArray
) -> FloatArray:
    """Draw a mesh with edits by hand: its faces are changed, its colours [N, 4] returned."""
    offset, albedo = (
        np.asarray(faces[name], np.float32) for name in (ATTRIBUTES.offset, LIT.albedo)
    )
    source = Look(colors, offset, albedo)
    shown = edit_look(source, faces[KEPT.rgb][:, :3] / 255.0, retouch)
    faces |= split_edits(retouch)
    faces |= {SOURCES.color: source.color, SOURCES.offset: source.offset}
    faces |= {ATTRIBUTES.offset: shown.offset}
    if source.albedo is not None and shown.albedo is not None:
        faces |= {SOURCES.albedo: source.albedo, LIT.albedo: shown.albedo}
    return shown.color


def _bound(gaussians: BoundGaussians, avatar: Avatar) -> dict[str, FloatArray | IntArray]:
    """What the node group reads and what is kept, one row per Gaussian, by attribute name.

    The two axes of a splat are scaled by its standard deviations, in the triangle's frame.
    """
    from ..core.rotations import quaternion_to_matrix

    body = avatar.body
    corner_ids = body.f[gaussians.triangle].astype(np.int32)
    a, b, c = np.moveaxis(np.asarray(body.v_template, np.float64)[body.f], 1, 0)
    double_area = np.linalg.norm(np.cross(b - a, c - a), axis=-1)
    inverse = 1.0 / np.maximum(double_area, 1e-20)
    axes = quaternion_to_matrix(np.asarray(gaussians.quats, np.float64))
    scales = np.asarray(gaussians.scales, np.float64)
    floats = {
        ATTRIBUTES.bary_b: gaussians.bary[:, 1],
        ATTRIBUTES.bary_c: gaussians.bary[:, 2],
        ATTRIBUTES.offset: gaussians.offset,
        ATTRIBUTES.axis_u: axes[:, :, 0] * scales[:, :1],
        ATTRIBUTES.axis_v: axes[:, :, 1] * scales[:, 1:2],
        ATTRIBUTES.inverse_rest_area: inverse[gaussians.triangle],
        KEPT.thickness: scales[:, 2],
    }
    rgb = np.full((len(gaussians), 4), 255, np.uint8)
    rgb[:, :3] = np.round(255 * np.clip(gaussians.colors, 0, 1))
    return {
        **{name: corner_ids[:, k] for k, name in enumerate(ATTRIBUTES[:3])},
        **{name: values.astype(np.float32) for name, values in floats.items()},
        KEPT.rgb: rgb,
        KEPT.layer: gaussians.layer.astype(np.uint8),
        KEPT.part: gaussians.part.astype(np.uint8),
    }


def _find_surface(avatar: Avatar) -> tuple[FloatArray, Reflectance]:
    """[N, 3] normals in the triangles' frames, and what the surface reflects by itself."""
    from ..gaussians.relight.albedo import find_reflectance
    from ..gaussians.relight.surface_normals import find_surface_normals

    normals = find_surface_normals(avatar)
    return normals, find_reflectance(avatar, normals)


def _lit(
    avatar: Avatar, normals: FloatArray, found: Reflectance, order: IntArray, linear: FloatArray
) -> dict[str, FloatArray | IntArray]:
    """Normals in the triangles' frames, and linear albedo with the small shadows of folds.

    Args:
        avatar: the avatar.
        normals: [N, 3] of its Gaussians.
        found: what they reflect.
        order: [N] of the mesh.
        linear: [N, 3] colours as Blender mixes them; albedo is changed by the same factors.
    """
    from ..core.color import srgb_to_linear

    albedo = srgb_to_linear(found.albedo[order].astype(np.float64)) * found.folds[order, None]
    before = srgb_to_linear(np.asarray(avatar.gaussians.colors[order], np.float64))
    albedo = np.clip(albedo * (linear + DARK) / (before + DARK), 0.0, 1.0)
    return {LIT.normal: normals[order], LIT.albedo: albedo.astype(np.float32)}


def _levels(avatar: Avatar) -> dict[str, FloatArray | IntArray]:
    """Each Gaussian's place in the order of importance, and from which level on it grows.

    An avatar whose file has no order gets a shuffled one.
    """
    count = len(avatar.gaussians)
    rank, start = np.arange(count), avatar.lod_start
    if start is None:
        warnings.warn(
            "This avatar's file is older than levels of detail: at lower detail its splats thin "
            "out at random. Build it again for better ones.",
            stacklevel=2,
        )
        rank = np.random.default_rng(0).permutation(count)
        start = np.full(count, count, np.float32)
    return {ATTRIBUTES.rank: rank.astype(np.int32), ATTRIBUTES.lod_start: start.astype(np.float32)}
