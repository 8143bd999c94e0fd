"""The person in the skirt: everything that the lift counts by vertex or triangle, extended."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray, Pose
from ....render.mesh import rasterize_mesh
from ..garments.labels_surface import vertex_parts
from ..grids.pixel_grids import dilate
from ..pixels.regions import Regions
from ..shape.depth_sheets import DepthSheet
from ..shape.dressed_mesh import DressedMesh
from ..surface.labels import LABELS, LOWER, SKIN
from ..surface.limbs import ARMS, vertex_groups
from .skirt import S as SKIRT
from .skirt import Skirt, tuck_under_skirt
from .skirt_skinning import COLUMNS, RINGS


@dataclass(frozen=True)
class SkirtWearerSettings:
    """Where a skirt meets its wearer."""

    trousers: float = 0.03  # metres that they stand off the legs beyond its hem, at most
    hem_shown: float = 0.8  # of the skirt's length from which on what legs wear below may be seen
    hem_reach: float = 0.10  # metres below the hem that are labelled from farther down
    hem_source: float = 0.07  # metres farther down that those labels are read from
    hem_pixels: int = 3  # of the regions' grid beside the mesh's hem that are searched
    hem_step: float = 0.03  # metres from which on a pixel lies on another surface


S = register_settings("lift.skirt_wearer", SkirtWearerSettings())


@dataclass(frozen=True)
class SkirtWearer:
    """Everything of the lift that counts vertices or triangles, with the skirt's after the body's.

    Attributes:
        bare: the person's body without the skirt.
        skirt: what is worn over it.
        points: [RINGS * COLUMNS, 3] the skirt in the photo's pose, world space, metres.
        body: the body with the skirt, of V vertices.
        vertices: [V, 3] in the photo's pose, world space, metres.
        groups: [V] limb of each vertex.
        regions: of the photo.
        shares: [V, L] 0..1 of the surface's labels.
        dressed: the worn surface with the skirt.
    """

    bare: Body
    skirt: Skirt
    points: FloatArray
    body: Body
    vertices: FloatArray
    groups: IntArray
    regions: Regions
    shares: FloatArray
    dressed: DressedMesh

    @property
    def covered(self) -> BoolArray:
        """[B] those of the B vertices of ``bare`` that the skirt hides, but for its hem's."""
        return np.asarray((self.skirt.depth > 0.0) & (self.skirt.depth < S.hem_shown))


def attach_skirt(
    skirt: Skirt, body: Body, pose: Pose, regions: Regions, shares: FloatArray, dressed: DressedMesh
) -> SkirtWearer:
    """Extend a person by the skirt.

    Args:
        skirt: what is worn.
        body: the person's own, without it.
        pose: of the photo.
        regions: of the photo.
        shares: [V, L] 0..1 of the surface's labels.
        dressed: the worn surface without the skirt.
    """
    longer = skirt.on(body)
    vertices, _ = longer.vertices(pose)
    count = len(body.v_template)
    points = np.asarray(vertices[count:], np.float64)
    dressed = tuck_under_skirt(dressed, vertices[:count], skirt.under)
    bare = _bare_below(skirt, body, shares)
    shares = np.where(bare[:, None], np.eye(len(LABELS))[SKIN], shares)
    dressed = replace(
        tuck_under_skirt(dressed, vertices[:count], skirt.beyond * ~bare, S.trousers),
        worn=dressed.worn * ~bare,
    )
    dressed = tuck_under_skirt(dressed, vertices[:count], 1.0 * bare, 0.0)
    cloth = np.eye(len(LABELS))[skirt.label]
    return SkirtWearer(
        bare=body,
        skirt=skirt,
        points=points,
        body=longer,
        vertices=vertices,
        groups=vertex_groups(longer),
        regions=replace(
            regions, hidden=np.concatenate([regions.hidden, np.zeros(len(skirt.piece.f), bool)])
        ),
        shares=np.concatenate(
            [_shares_below(skirt, shares, cloth, body), np.tile(cloth, (len(points), 1))]
        ),
        dressed=DressedMesh(
            np.concatenate([dressed.vertices, points]),
            np.concatenate([dressed.offset, np.zeros(len(points))]),
            np.concatenate([dressed.worn, np.ones(len(points))]),
            np.concatenate([dressed.f, skirt.piece.f + count]),
            np.concatenate([dressed.shod, np.zeros(len(points), bool)]),
        ),
    )


def _bare_below(skirt: Skirt, body: Body, shares: FloatArray) -> BoolArray:
    """[V] legs and what trousers cover of feet that come out of a skirt where the photo has ended.

    What the photo shows of lower wear goes on below it, which would be trousers in the skirt's
    colour. A coat or a long shirt, which is upper wear, may have trousers below.
    """
    if not skirt.cut or skirt.label != LOWER:
        return np.zeros(len(body.v_template), bool)
    part = vertex_parts(body)
    legs = (skirt.depth > S.hem_shown) & (part == "leg")
    return np.asarray(legs | (part == "foot") & (shares.argmax(1) == LOWER))


def _shares_below(skirt: Skirt, shares: FloatArray, cloth: FloatArray, body: Body) -> FloatArray:
    """[V, L] labels below the skirt: cloth, so that a leg that comes through it shows no skin.

    At the hem it is what the legs wear farther down, since the photo's hem hides more of them than
    there is below it.
    """
    v = np.asarray(body.v_template, np.float64)
    rest = np.asarray(skirt.piece.vertices, np.float64).reshape(RINGS, COLUMNS, 3)
    length = float((rest[0] - rest[-1])[:, 1].mean())
    past = (skirt.depth - 1.0) * length
    out = np.array(shares)
    out[(skirt.depth > SKIRT.fully) & (skirt.depth < S.hem_shown)] = cloth
    source = np.nonzero((past > S.hem_reach) & (past < S.hem_reach + S.hem_source))[0]
    near = np.nonzero((skirt.depth >= S.hem_shown) & (past <= S.hem_reach))[0]
    if len(source) > 0 and len(near) > 0:
        drop = (past[near] - (S.hem_reach + 0.5 * S.hem_source))[:, None] * [0.0, 1.0, 0.0]
        out[near] = shares[source[cKDTree(v[source]).query(v[near] + drop)[1]]]
    return out


def settle_hem(
    sheets: tuple[DepthSheet, ...], wearer: SkirtWearer, camera: Camera
) -> tuple[DepthSheet, ...]:
    """Move the hem's pixels onto the skirt and the legs' behind it.

    The mesh ends within a pixel or two of the hem. What is left over on either side would hang
    below the skirt at the legs' depth, or stand as skin on it.

    Args:
        sheets: the trunk and the arms, on the grid of ``camera``.
        wearer: of the skirt.
        camera: of the region grid.
    """
    trunk, regions = sheets[0], wearer.regions
    own = ~np.isin(wearer.groups[wearer.dressed.f[:, 0]], ARMS)
    rows = np.nonzero(own)[0]
    buffer = rasterize_mesh(wearer.dressed.vertices, wearer.dressed.f[own], camera)
    on_skirt = (buffer.face >= 0) & (rows[buffer.face] >= len(wearer.bare.f))
    cloth = regions.label == wearer.skirt.label
    border = dilate(on_skirt, S.hem_pixels) & dilate(~on_skirt, S.hem_pixels) & trunk.visible
    front = np.array(trunk.front)
    moved = np.zeros(front.shape, bool)
    for wrong, source in (
        (border & cloth & ~on_skirt, on_skirt & cloth & trunk.visible),
        (border & ~cloth & on_skirt, ~on_skirt & ~cloth & trunk.visible),
    ):
        if wrong.any() and source.any():
            r, c, distance = find_nearest(source)
            depth = trunk.front[r, c]
            wrong = wrong & (np.abs(depth - front) > S.hem_step) & (distance < 4 * S.hem_pixels)
            front = np.where(wrong, depth, front)
            moved |= wrong
    return trunk.move_front(front, moved), *sheets[1:]
