"""Front and back of the person as depth maps, in three sheets: the trunk and each arm.

Where the dressed mesh is drawn, the sheets are its front and its back. Beside it (a skirt, a brim,
a wisp of hair) the silhouette is inflated: laplace(u) = -rhs in the picture gives sqrt(u), the
half thickness of a round body with that outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ....core.distances import find_nearest, measure_depth
from ....core.settings import register_settings
from ....core.threads import map_threads
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ....render.mesh import MeshBuffer, rasterize_mesh
from ..grids.pixel_grids import (
    connected_patches,
    dilate,
    drop_small_parts,
    neighbour_links,
    smooth_within,
    solve_poisson,
)
from ..pixels.regions import Regions
from ..surface.labels import LOWER, OBJECT, SKIN, UPPER
from ..surface.limbs import ARMS, HEAD
from .dressed_mesh import DressedMesh


@dataclass(frozen=True)
class SheetSettings:
    """Front and back as depth maps."""

    max_fold: float = 0.02  # metres; a larger step of depth is one limb in front of another
    max_rise: float = 0.25  # metres from the middle to the front or back
    unsupported_roundness: float = 0.7  # of sqrt(u) without any body: a strip's is 1.41 radii
    another: float = 0.06  # metres; a patch between limbs that far apart joins the nearer one
    lock: float = 0.35  # inter-ocular distances; smaller patches of hair over a face lie on it
    jump: float = 0.035  # metres of depth between neighbours that are two surfaces
    behind_jaw: tuple[float, float] = (0.003, 0.08)  # metres that a collar lies behind a jaw
    border: int = 2  # pixels beside such a jump that may show either
    holder: int = 3  # pixels around a held thing whose depth it takes
    thing: float = 0.012  # metres that it is thick
    nearest: float = 5.0  # percentile of the trunk's depths behind it that it lies before
    loose: float = 0.02  # metres off the dressed mesh from which on a part gets its own back
    thin: float = 0.002  # metres from a front to its back, at least
    rings: int = 6  # of triangles beyond its own that a limb's sheet may lie on


S = register_settings("lift.depth_sheets", SheetSettings())


@dataclass(frozen=True)
class DepthSheet:
    """A part with one front and one back, on the region grid.

    Attributes:
        group: 0 for the trunk (with head and legs), else the arm's index in GROUPS.
        visible: [H, W] pixels that show it.
        mask: [H, W] also where it goes on behind an arm.
        front: [H, W] metres along the view axis, on ``mask``.
        back: [H, W] the same of its far side.
        on_mesh: [H, W] 0..1: 1 where ``front`` is the dressed mesh's own surface, feathered.
        loose: [H, W] pixels too far beside the dressed mesh for it to be their back.
    """

    group: int
    visible: BoolArray
    mask: BoolArray
    front: FloatArray
    back: FloatArray
    on_mesh: FloatArray
    loose: BoolArray

    def move_front(self, front: FloatArray, moved: BoolArray) -> DepthSheet:
        """Return the sheet with another front, and with its back behind that.

        Args:
            front: [H, W] metres along the view axis.
            moved: [H, W] pixels that leave the surface of the dressed mesh.
        """
        back = np.where(self.mask, np.maximum(self.back, front + S.thin), 0.0)
        on_mesh = np.where(moved, 0.0, self.on_mesh)
        return replace(self, front=front, back=back, on_mesh=on_mesh)


def find_depth_sheets(
    regions: Regions,
    dressed: DressedMesh,
    groups: IntArray,
    camera: Camera,
    bare_hands: Sequence[BoolArray] = (),
    bare_face: BoolArray | None = None,
) -> tuple[DepthSheet, ...]:
    """Find the sheets that the photo shows, the trunk first.

    Args:
        regions: of the photo, on the grid of ``camera``.
        dressed: the worn surface in the photo's pose.
        groups: [V] the limb of each vertex.
        camera: of the region grid.
        bare_hands: [F] triangles of each hand without a glove: cloth beside it is a sleeve.
        bare_face: [F] triangles of a face without a scarf, its mouth and eyes as well: cloth beside
            it is a collar.
    """
    hands = np.any([np.zeros(len(dressed.f), bool), *bare_hands], axis=0)
    cloth = np.isin(regions.label, (UPPER, LOWER))
    face = np.zeros(len(dressed.f), bool) if bare_face is None else bare_face
    arms = np.isin(regions.group, ARMS) & regions.mask
    of_face = groups[dressed.f[:, 0]]
    whole = rasterize_mesh(dressed.vertices, dressed.f, camera)
    trunk = rasterize_mesh(dressed.vertices, dressed.f[~np.isin(of_face, ARMS)], camera)
    on_face = (whole.face >= 0) & face[whole.face]
    collar = dilate(on_face, 1) & (regions.label == UPPER)
    # Loose hair in front of a cheek or beyond it: the photo does not show the face there.
    clothed = dressed.worn[dressed.f].mean(1) >= 0.5
    loose_hair = regions.hair & (whole.face >= 0) & (~clothed & (of_face == HEAD))[whole.face]
    loose_hair = drop_small_parts(loose_hair, (S.lock * regions.unit) ** 2)

    def find_sheet(group: int) -> DepthSheet | None:
        visible = regions.mask & ((regions.group == group) if group else ~arms)
        if group and visible.sum() <= 8:
            return None
        own = of_face == group if group else ~np.isin(of_face, ARMS)
        buffer = rasterize_mesh(dressed.vertices, dressed.f[own], camera) if group else trunk
        # Bare skin of an arm does not lie on the shirt behind it.
        elsewhere = (regions.label == SKIN) & (clothed & ~own)[whole.face]
        buffer = _cross_seams(buffer, whole, visible & ~elsewhere, _grow(own, dressed.f))
        if group and (visible & cloth).any() and (hands & own).any():
            sleeve = rasterize_mesh(dressed.vertices, dressed.f[own & ~hands], camera)
            on_hand = (whole.face >= 0) & (hands & own)[whole.face]
            buffer = _continue_cloth(buffer, sleeve, on_hand, visible & cloth)
        if not group and (collar & visible).any():
            below = dressed.f[~np.isin(of_face, ARMS) & ~face]
            neck = rasterize_mesh(dressed.vertices, below, camera)
            near = neck.depth < whole.depth + S.behind_jaw[1]  # not the nape, seen from inside
            neck = replace(neck, face=np.where(near, neck.face, -1))
            buffer = _continue_cloth(buffer, neck, on_face, visible & collar, S.behind_jaw)
        return _sheet(group, visible, buffer, whole, trunk, loose_hair, regions, camera)

    return tuple(sheet for sheet in map_threads(find_sheet, (0, *ARMS)) if sheet is not None)


def _grow(own: BoolArray, f: IntArray) -> BoolArray:
    """[F] some triangles and the rings around them."""
    out = own
    for _ in range(S.rings):
        reached = np.zeros(int(f.max()) + 1, bool)
        reached[f[out]] = True
        out = reached[f].any(1)
    return out


def _cross_seams(
    buffer: MeshBuffer, whole: MeshBuffer, visible: BoolArray, near: BoolArray
) -> MeshBuffer:
    """Continue a limb's mesh where the photo shows the limb beyond the mesh's own seam.

    Inflated like what stands beside the mesh, or as deep as the limb's far side that shows through
    its open end, such pixels would stick out of a shoulder as spikes.

    Args:
        buffer: of the limb's own triangles.
        whole: of all triangles.
        visible: [H, W] pixels that show the limb.
        near: [F] triangles that its sheet may lie on.
    """
    own = (buffer.face >= 0) & (buffer.depth <= whole.depth)
    part = (whole.face >= 0) & near[whole.face]
    first, second, _ = neighbour_links(part)
    depth = whole.depth[part]
    smooth = np.abs(depth[first] - depth[second]) < S.max_fold
    links = np.ones(smooth.sum()), (first[smooth], second[smooth])
    _, patch = connected_components(coo_array(links, (len(depth), len(depth))), directed=False)
    beyond = np.zeros(own.shape, bool)
    beyond[part] = np.isin(patch, patch[own[part]])
    beyond &= visible & ~own
    return replace(
        buffer,
        face=np.where(beyond, whole.face, buffer.face),
        depth=np.where(beyond, whole.depth, buffer.depth),
        back_depth=np.where(beyond, whole.back_depth, buffer.back_depth),
    )


def _continue_cloth(
    buffer: MeshBuffer,
    limb: MeshBuffer,
    bare: BoolArray,
    cloth: BoolArray,
    behind: tuple[float, float] = (S.jump, np.inf),
) -> MeshBuffer:
    """Lay cloth that shows around a bare hand or jaw on the forearm or neck behind that.

    Args:
        buffer: of an arm, or of the trunk with head and legs.
        limb: of what the cloth is worn on, without what is bare.
        bare: [H, W] where that is drawn.
        cloth: [H, W] pixels that show the cloth.
        behind: least and most metres that the limb lies behind what is bare.
    """
    drawn = limb.face >= 0
    if not (bare.any() and drawn.any()):
        return buffer
    row, col, _ = find_nearest((buffer.face >= 0) | bare)
    to_row, to_col, _ = find_nearest(drawn)
    jump = limb.depth[to_row, to_col] - buffer.depth[row, col]
    at = cloth & bare[row, col] & (jump > behind[0]) & (jump < behind[1])
    to = to_row[at], to_col[at]
    out = replace(buffer, **{k: getattr(buffer, k).copy() for k in ("face", "depth", "back_depth")})
    out.face[at], out.depth[at] = limb.face[to], limb.depth[to]
    out.back_depth[at] = limb.back_depth[to]
    return out


def _middle(
    trusted: BoolArray, mask: BoolArray, buffer: MeshBuffer, fallback: MeshBuffer, focal: float
) -> FloatArray:
    """Mid depth of one sheet where the mesh has it, carried harmonically to the rest of it."""
    known = trusted & (buffer.face >= 0)
    source, depth = known, buffer
    if known.sum() <= 5:  # the fit put this limb elsewhere: stand on whatever body is near
        source, depth = fallback.face >= 0, fallback
    both = np.zeros(mask.shape)
    both[source] = (depth.depth[source] + depth.back_depth[source]) / 2
    missing = mask & ~known
    if missing.any():
        rows, cols, away = find_nearest(source)
        beside = both[rows, cols]
        carried = solve_poisson(missing, source & mask, both)
        # A patch that touches no known pixel has no boundary values; and a rim is as deep
        # as what it is the rim of: not in mid air between a hand and the elbow behind it.
        carried = np.where(carried > 0.2, carried, beside)
        off = np.abs(carried - beside)
        torn = (off > S.max_fold) & ((away * beside / focal < S.loose) | (off > S.another))
        both = np.where(missing, np.where(torn, beside, carried), both)
    smooth = smooth_within(np.where(mask, both, 0.0), mask, 3.0)
    smooth = np.where(np.abs(smooth - both) < S.max_fold, smooth, both)
    return np.asarray(np.where(known, both, smooth))


def _sheet(
    group: int,
    visible: BoolArray,
    buffer: MeshBuffer,
    whole: MeshBuffer,
    trunk: MeshBuffer,
    loose_hair: BoolArray,
    regions: Regions,
    camera: Camera,
) -> DepthSheet:
    drawn = buffer.face >= 0
    mask = visible
    if group == 0:  # the trunk goes on behind an arm wherever the body does
        arms = regions.mask & ~visible
        mask = visible | (arms & ndimage.binary_closing(drawn | visible, iterations=2))
    elsewhere = regions.mask & ~mask
    middle = _middle(mask & ~loose_hair, mask, buffer, whole, float(camera.K[0, 0]))
    pixel = middle / float(camera.K[0, 0])
    covered = drawn & mask & ~loose_hair
    ends = []
    for sign, depth in ((-1.0, buffer.depth), (1.0, buffer.back_depth)):
        over = np.where(covered, np.maximum(sign * (depth - middle), 0.0), 0.0)
        held = (over / np.maximum(pixel, 1e-9)) ** 2
        if covered.sum() > 5:
            u = solve_poisson(
                mask & ~covered,
                ~regions.mask | covered,
                np.where(covered, held, 0.0),
                3.0,
                elsewhere,
            )
            rise = np.where(covered, over, np.sqrt(np.maximum(u, 0.0)) * pixel)
        else:
            u = solve_poisson(mask, ~mask, None, 4.0)
            rise = S.unsupported_roundness * np.sqrt(np.maximum(u, 0.0)) * pixel
        surface = middle + sign * np.minimum(rise, S.max_rise)
        smooth = smooth_within(surface, mask, 1.0)
        beside = ~covered & (np.abs(smooth - surface) < S.max_fold)
        ends.append(np.where(beside, smooth, surface))
    front, back = ends
    weight = np.clip(measure_depth(covered) / 2.0, 0.0, 1.0)
    # Between the lips the body shows the mouth's depth or the teeth: keep the lips' own surface
    # there, so that the photo's teeth lie where they are seen.
    inner = regions.mouth & mask
    if group == 0 and inner.sum() > 12:
        across = solve_poisson(inner, mask & ~inner, front)
        front = np.where(inner, across + 0.002, front)
        weight = np.where(inner, 0.0, weight)
    # A held thing is a card that faces the camera, at the depth of what holds it, and before the
    # trunk that it hides.
    for thing in connected_patches(visible & (regions.label == OBJECT)):
        holder = visible & drawn & (regions.label != OBJECT)
        beside = holder & dilate(thing, S.holder)
        if beside.any() or holder.any():
            front[thing] = np.median(front[beside if beside.any() else holder])
            hides = thing & (trunk.face >= 0)
            if group and hides.any():
                nearest = float(np.percentile(trunk.depth[hides], S.nearest))
                front[thing] = np.minimum(front[thing], nearest - S.thing)
            back[thing] = front[thing] + S.thing
            weight[thing] = 0.0
    back = np.maximum(back, front + S.thin)
    front, back = np.where(mask, front, 0.0), np.where(mask, back, 0.0)
    return DepthSheet(group, visible, mask, front, back, weight, _loose(mask, covered, pixel))


def _loose(mask: BoolArray, covered: BoolArray, pixel: FloatArray) -> BoolArray:
    """The patches beside the mesh that reach farther from it than a seam does."""
    beside = mask & ~covered
    away = measure_depth(~covered) * pixel if covered.any() else np.inf
    labels, _ = ndimage.label(beside)
    far = np.unique(labels[beside & (away > S.loose)])
    patches = np.isin(labels, far[far > 0])
    return np.asarray(mask & dilate(patches, 2))


def composite_sheets(sheets: tuple[DepthSheet, ...], name: str) -> FloatArray:
    """Compose one map [H, W] of each pixel's visible sheet.

    Args:
        sheets: the trunk and the arms.
        name: ``front``, ``back`` or ``on_mesh``.
    """
    out = np.zeros(sheets[0].mask.shape)
    for sheet in sheets:
        out = np.where(sheet.visible, getattr(sheet, name), out)
    return out


@dataclass(frozen=True)
class LimbBorders:
    """Pixels [H, W] beside a jump of depth.

    Attributes:
        behind: on the farther surface: it may show the nearer one.
        before: on the nearer one, right beside that: it may show a little of both.
        nearer: [H, W, 2] row and column of the nearest pixel of that one.
        sure: [2, H, W, 2] row and column of the nearest pixels that surely show the nearer one,
            and the farther one.
    """

    behind: BoolArray
    before: BoolArray
    nearer: IntArray
    sure: IntArray


def find_limb_borders(sheets: tuple[DepthSheet, ...], mask: BoolArray) -> LimbBorders:
    """Find where one surface ends in front of another.

    Args:
        sheets: the trunk and the arms.
        mask: [H, W] pixels of the person.
    """
    front = composite_sheets(sheets, "front")
    size = 2 * S.border + 1
    least = ndimage.minimum_filter(np.where(mask, front, np.inf), size)
    most = ndimage.maximum_filter(np.where(mask, front, -np.inf), size)
    behind = mask & (front > least + S.jump)
    edge = mask & ~behind & (front < most - S.jump)
    before = edge & dilate(behind, 1)
    masks = edge, edge & ~before, behind & ~dilate(edge, 1)
    nearer, *sure = (np.stack(find_nearest(mask)[:2], -1) for mask in masks)
    return LimbBorders(behind, before, nearer, np.stack(sure))
