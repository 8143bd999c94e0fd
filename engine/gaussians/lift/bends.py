"""Hidden folds of bent elbows, wrists and knees, laid out for the stretched limb.

The worn surface is crumpled in the fold of a bent limb. When the limb is stretched, splats placed
there stand up like hair, with gaps between them. Those that the photo does not show are therefore
placed on the stretched limb, which is as thick there as beside the fold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body import Body
from ...core.cameras import project
from ...core.geometry import vertex_normals
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, BoolArray, BoundGaussians, FloatArray
from ..binding import bind_gaussians, place_gaussians
from .depth_sheets import composite_sheets
from .dressed_mesh import DressedMesh, vertex_area_ratio
from .mesh_diffusion import diffuse_values, mesh_laplacian
from .photo_view import PhotoView
from .surfels import surfels_on_plane


@dataclass(frozen=True)
class BendSettings:
    """Where a bend begins, and how splats lie in its fold."""

    least: float = 0.04  # least weight of both bones of a vertex in the bend
    folded: float = 0.85  # size of the triangles around a vertex over that at rest: less is a fold
    known: float = 10.0  # weight of the offsets beside a bend against their smoothness
    high: tuple[float, float] = (0.07, 0.04)
    """Most metres from a stretched limb to its cloth, beside and in the middle of a bend: splats
    farther out would fan when the limb bends."""

    middle: float = 0.35  # least weight of both bones in the middle of the bend
    wide: float = 0.35  # share by which splats are wider there: they part when the limb bends
    before: float = 0.004  # most metres that such a splat may lie before the photo's surface


S = register_settings("lift.bends", BendSettings())

_BENDS = [
    (JOINT_INDEX[f"{side}_{above}"], JOINT_INDEX[f"{side}_{bend}"])
    for above, bend in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"))
    for side in ("left", "right")
]


def bending(body: Body) -> FloatArray:
    """Return how far each vertex [V] lies in an elbow, wrist or knee: 0 outside, 1 in the middle.

    Args:
        body: the person's own.
    """
    share = np.max([np.minimum(body.weights[:, a], body.weights[:, b]) for a, b in _BENDS], axis=0)
    return np.asarray(np.where(share > S.least, np.minimum(share / S.middle, 1.0), 0.0))


def stretched_surface(dressed: DressedMesh, body: Body, vertices: FloatArray) -> FloatArray:
    """Return the worn surface [V, 3] of the body at rest (metres), smooth across its bends.

    Args:
        dressed: the worn surface in the photo's pose.
        body: the person's own.
        vertices: [V, 3] the body in that pose, world space, metres.
    """
    rest = np.asarray(body.v_template, np.float64)
    offset = dressed.offset / np.maximum(vertex_area_ratio(body, vertices), 0.5)
    bend = bending(body)
    weight = np.where(bend > 0.0, 0.0, S.known)
    laplacian = mesh_laplacian(body.f, len(rest))
    smooth = diffuse_values(laplacian, offset[:, None], weight, np.zeros(1), 1e-9)[:, 0]
    high = S.high[0] + bend * (S.high[1] - S.high[0])
    return rest + np.minimum(smooth, high)[:, None] * vertex_normals(rest, body.f)


def lay_out_bends(
    texels: BoundGaussians,
    unseen: BoolArray,
    radius: FloatArray,
    inset: FloatArray,
    surface: FloatArray,
    view: PhotoView,
    vertices: FloatArray,
    body: Body,
) -> BoundGaussians:
    """Lay the unseen texels of folds out on the stretched limb.

    Texels that would then cover what the photo shows stay where they are.

    Args:
        texels: N texel splats.
        unseen: [N] whether the photo does not show them.
        radius: [N] metres, standard deviations of their splats on ``surface``.
        inset: [N] metres that they lie below it.
        surface: [V, 3] the worn surface at rest, metres.
        view: the photo.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        body: the person's own.
    """
    folded = (vertex_area_ratio(body, vertices) < S.folded)[body.f].all(1)
    bend = np.where(folded, bending(body)[body.f].min(1), 0.0)[texels.triangle]
    rows = np.nonzero(unseen & (bend > 0.0))[0]
    if not len(rows):
        return texels
    old = texels.take(rows)
    corner, bary = body.f[old.triangle], np.asarray(old.bary, np.float64)
    normal = np.einsum("nk,nkd->nd", bary, vertex_normals(surface, body.f)[corner])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    points = np.einsum("nk,nkd->nd", bary, surface[corner]) - inset[rows][:, None] * normal
    wide = radius[rows] * (1.0 + S.wide * bend[rows])
    world = surfels_on_plane(points, normal, wide, old.colors, old.opacities)
    new = bind_gaussians(world, old.triangle, old.bary, old.layer, body.v_template, body)
    means = np.asarray(place_gaussians(new, vertices, body).means, np.float64)
    xy, depth = project(means, view.camera)
    height, width = view.alpha.shape
    inside = (depth > 0) & (xy >= 0).all(1) & (xy < [width, height]).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(int).T
    front = composite_sheets(view.sheets, "front")[row, col]
    person = view.regions.mask[row, col]
    fits = ~inside | (person & (depth > front - S.before))
    laid = new.take(fits)
    out = {name: np.array(getattr(texels, name)) for name in ("offset", "quats", "scales")}
    for name, values in out.items():
        values[rows[fits]] = getattr(laid, name)
    return replace(texels, **out)
