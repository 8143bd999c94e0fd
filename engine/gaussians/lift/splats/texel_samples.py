"""Where texel splats lie: evenly over the body, finer on the head, coarser outside the frame."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.cameras import project
from ....core.geometry import vertex_normals
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ....dual_uv.sampling import SurfaceSamples, sample_surface
from ...squareness import cosine_to_camera
from ..pixels.regions import Regions
from ..surface.labels import LOWER, SHOES, SKIN, UPPER
from ..surface.limbs import ARMS, vertex_groups


@dataclass(frozen=True)
class TexelSampleSettings:
    """Where the budget of texels goes."""

    coarser_outside: float = 0.65  # times finer that texels are which the photo's frame cuts off
    coarser_legs: float = 0.7  # the same of legs, whose folds are few
    coarser_feet: float = 1.5  # the same of feet, whose shoes have a form
    coarser_below: float = 0.6  # the same below the photo's splats
    covered: float = 0.02  # metres that an arm stands in front of what it hides, at least
    finer_cloth: float = 1.8  # the same of clothes that the photo does not show: folds are fine
    finer_pattern: float = 2.2  # the same of clothes with a pattern
    coarser_limb: float = 0.8  # the same of bare limbs, which are smooth
    small_face: float = 30.0  # inter-ocular distance in pixels below which a face shows little
    finer_at_edges: float = 4.0  # times finer again where one label passes into another
    for_edges: float = 0.04  # most of all texels that this may add
    squarely: float = 0.6  # cosine to the camera from which on these are all that is seen
    beyond: float = 0.1  # of the frame's sides beyond them that still counts as inside


S = register_settings("lift.texel_samples", TexelSampleSettings())

PART_SPACING = {
    "foot": 0.9,
    "skirt": 0.75,
    "mouth": 0.7,
    "eye_socket": 0.5,
    "eye_back": 0.5,
    "hand": 0.5,
    "neck": 0.5,
    "scalp": 0.45,
    "tongue": 0.45,
    "ear": 0.4,
    "face": 0.25,
    "teeth": 0.3,
    "eye": 0.2,
    "lips": 0.2,
    "eyelid": 0.15,
}
"""Distance between texels over that of the trunk's and the limbs': hair and lids are fine, and what
lies inside the head must not stand out of it."""
LIMBS = ("arm", "leg")
CLOSED_PARTS = ("face", "ear", "neck", "scalp")
"""Parts whose splats leave no gaps: the mouth behind them is dark."""
EDGED = ("torso", "neck", *LIMBS, "hand", "foot")
"""Parts on which the edges of clothes are made finer."""
_STEP = np.sqrt(2.0)  # between levels of fineness: each is an atlas of its own


def texel_fineness(
    body: Body,
    vertices: FloatArray,
    shares: FloatArray,
    regions: Regions,
    camera: Camera,
    patterned: Collection[int] = (),
) -> FloatArray:
    """Return how many times finer than usual each triangle's texels [F] are, along a side.

    The atlas shows a face larger than a leg, which is undone here. Collars, hems and waists that
    the photo does not show are finer, or their edges would be as ragged as texels are large.

    Args:
        body: the person's own.
        vertices: [V, 3] dressed, in the photo's pose, world space, metres.
        shares: [V, L] 0..1 of :func:`..garments.labels_surface.label_surface`.
        regions: of the photo.
        camera: of the regions' grid.
        patterned: labels of clothes with a pattern, which coarse texels would blur.
    """
    xy, depth = project(vertices, camera)
    size = np.array([camera.width, camera.height])
    inside = (depth > 0) & (xy > -S.beyond * size).all(1) & (xy < (1.0 + S.beyond) * size).all(1)
    normals = vertex_normals(vertices, body.f)
    facing = cosine_to_camera(vertices, normals)
    col, row = np.clip(xy.astype(int), 0, size - 1).T
    shown = inside & regions.mask[row, col] & (facing > S.squarely)
    limb, of_pixel = vertex_groups(body), regions.group[row, col]
    covered = (limb != of_pixel) & np.isin(of_pixel, ARMS)
    covered &= regions.body.depth[row, col] < depth - S.covered
    of_vertex = np.where(shown & ~covered, S.coarser_below, 1.0)
    leg, foot = (
        np.isin(np.arange(len(vertices)), body.f[_is_part(body, (name,))])
        for name in ("leg", "foot")
    )
    outside = np.select([leg, foot], [S.coarser_legs, S.coarser_feet], S.coarser_outside)
    of_vertex = np.where(inside, of_vertex, outside)
    label = shares.argmax(1)[body.f]
    crisp = np.isin(label, [SKIN, UPPER, LOWER, SHOES]).all(1)  # strands end unevenly
    at_edge = (label != label[:, :1]).any(1) & crisp & _is_part(body, EDGED)
    at_edge &= ~shown[body.f].any(1)
    # Discs of the neck that reach over a collar's edge would blur it.
    beside = np.isin(body.f, body.f[at_edge & _is_part(body, ("torso", "neck"))]).any(1)
    at_edge |= beside & crisp & _is_part(body, ("neck",))
    of_face = of_vertex[body.f].max(1)
    unseen = (inside & ~shown)[body.f].any(1)
    of_face[unseen & np.isin(label, [UPPER, LOWER]).all(1)] = S.finer_cloth
    of_face[unseen & np.isin(label, list(patterned)).all(1)] = S.finer_pattern
    of_face[unseen & (label == SKIN).all(1) & _is_part(body, LIMBS)] = S.coarser_limb
    of_face[_is_part(body, ("face",))] *= np.clip(np.sqrt(regions.unit / S.small_face), 0.5, 1.0)
    fineness = of_face * _part_fineness(body)[body.face_part]
    texels = _atlas_areas(body) * fineness**2
    share = texels[at_edge].sum() / max(texels.sum(), 1e-12)
    finer = min(S.finer_at_edges, float(np.sqrt(1.0 + S.for_edges / max(share, 1e-12))))
    return np.asarray(np.where(at_edge, finer, 1.0) * fineness)


def _is_part(body: Body, names: tuple[str, ...]) -> BoolArray:
    """[F] whether each triangle is of one of the parts with these names."""
    return np.isin(np.array(body.part_names)[body.face_part], names)


def _atlas_areas(body: Body) -> FloatArray:
    """[F] twice the area of each triangle in the atlas."""
    a, b, c = (body.atlas_vt[body.atlas_ft[:, k]] for k in range(3))
    (x, y), (u, v) = (b - a).T, (c - a).T
    return np.asarray(np.abs(x * v - y * u))


def _part_fineness(body: Body) -> FloatArray:
    """[P] how many times finer than usual the atlas is to be sampled for each part, in steps."""
    a, b, c = (body.v_template[body.f[:, k]] for k in range(3))
    metres = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    atlas = _atlas_areas(body)
    count = len(body.part_names)
    of_part = np.bincount(body.face_part, metres, count), np.bincount(body.face_part, atlas, count)
    stretch = np.sqrt((of_part[0] + 1e-12) / (of_part[1] + 1e-12))
    wanted = np.array([PART_SPACING.get(name, 1.0) for name in body.part_names])
    finer = stretch / np.sqrt(metres.sum() / atlas.sum()) / wanted
    finer[of_part[1] < 1e-12] = 1.0  # parts without a place in the atlas have no texels
    return np.asarray(_STEP ** np.round(np.log(finer) / np.log(_STEP)))


def _find_rims(body: Body, fineness: FloatArray) -> FloatArray:
    """[F] the fineness at which another part of the head goes on over each triangle; 0: none does.

    The centres of coarse texels stop short of where they end, and the dark mouth shows in the gap.
    """
    head = _is_part(body, CLOSED_PARTS)
    rims = np.full(len(body.f), np.inf)
    for part in np.unique(body.face_part[head]):
        own = body.face_part == part
        at_vertex = np.full(len(body.v_template), np.inf)
        np.minimum.at(at_vertex, body.f[own], fineness[own][:, None])
        # The coarsest beside it: what is finer along edges of clothes need not go on.
        beside = at_vertex[body.f].min(1)
        goes_on = head & ~own & (beside > fineness)
        rims[goes_on] = np.minimum(rims[goes_on], beside[goes_on])
    return np.where(np.isfinite(rims), rims, 0.0)


def sample_texels(body: Body, budget: int, fineness: FloatArray) -> tuple[SurfaceSamples, IntArray]:
    """Sample the finest atlases with at most ``budget`` texels in all.

    Args:
        body: the person's own.
        budget: texels.
        fineness: [F] of each triangle's texels along a side, relative to each other.

    Returns:
        samples: the texels.
        side: [N] texels along a side of the atlas that each is from.
    """
    levels, rims = np.unique(fineness), _find_rims(body, fineness)
    coarse = sample_surface(body, 128)
    rim = rims[coarse.triangle]
    wanted = np.concatenate([fineness[coarse.triangle], rim[rim > 0.0]])
    share = np.bincount(np.searchsorted(levels, wanted), minlength=len(levels)) / 128**2
    usual = float(np.sqrt(budget / (share * levels**2).sum()))
    while True:
        parts = []
        for level in levels:
            size = max(8, int(usual * level))
            parts.append(sample_surface(body, size, faces=(fineness == level) | (rims == level)))
        count = sum(len(part.triangle) for part in parts)
        if count <= budget or usual * levels.max() <= 8:
            break
        usual = min(usual - 1.0, usual * float(np.sqrt(budget / count)))
    side = np.concatenate([np.full(len(part.triangle), part.size) for part in parts])
    triangle, bary, row, col = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("triangle", "bary", "row", "col")
    )
    return SurfaceSamples(triangle, bary, row, col, max(p.size for p in parts)), side
