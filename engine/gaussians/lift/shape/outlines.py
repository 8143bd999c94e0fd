"""Outlines: where the matte says that trunk and arms end, and where a mesh of them does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.distances import find_nearest, measure_depth
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....render.mesh import MeshBuffer
from ..pixels.regions import Regions
from ..surface.labels import OBJECT, UPPER
from ..surface.limbs import ARMS, LEFT_LEG, RIGHT_LEG, TORSO


@dataclass(frozen=True)
class OutlineSettings:
    """Where trunk and arms end."""

    agrees: float = 0.35  # least cosine between a vertex's way out and the way to the outline
    behind_arm: float = 0.2  # share of an arm's width that what it hides reaches behind it at most
    widest_arm: float = 2.2  # inter-ocular distances; a wider one is bent before the trunk
    cuff: float = 0.4  # inter-ocular distances beside a sleeve up to which cloth may be its cuff
    forearm: float = 0.42  # metres from the middle at rest beyond which a sleeve may have one


S = register_settings("lift.outlines", OutlineSettings())


@dataclass(frozen=True)
class SheetOutline:
    """Where the matte says that a sheet ends.

    Attributes:
        distance: [H, W] pixels inside (positive) or outside of the sheet's silhouette.
        way: [H, W, 2] unit direction (x, y) towards larger distance, inwards.
        counts: [H, W] whether the nearest outline is the sheet's own against the background.
        sheet: whose.
    """

    distance: FloatArray
    way: FloatArray
    counts: BoolArray
    sheet: int


def find_sheet_outline(
    regions: Regions, sheet: int, near_hidden: BoolArray | None
) -> SheetOutline | None:
    """Find where the matte says that a sheet ends.

    Args:
        regions: of the photo.
        sheet: an arm; 0 for all else.
        near_hidden: [H, W] pixels beside forearms that something outside the matte hides; None if
            there are none.

    Returns:
        None if the photo does not show it.
    """
    arms = np.isin(regions.group, ARMS) & regions.mask
    # The part of the trunk that an arm hides is not outside of it.
    mask = regions.mask if sheet == 0 else regions.mask & (regions.group == sheet)
    if mask.sum() < 9:
        return None
    pad = np.pad(mask, 1, mode="edge")
    ri, ci, inside = find_nearest(~pad)
    ro, co, outside = find_nearest(pad)
    distance = np.where(pad, inside - 0.5, 0.5 - outside)
    rows, cols = np.where(pad, ri, ro), np.where(pad, ci, co)
    # The mask's pixel at the nearest outline, and its limb. A held object must not widen a sleeve,
    # and one in front of a forearm must not narrow it.
    foreign = regions.label == OBJECT
    if near_hidden is not None:
        foreign |= arms & near_hidden
    if sheet == 0 and arms.any():
        # Beside a forearm the trunk's cloth may be the rest of a cuff, in the same cloth.
        row, col, away = find_nearest(arms)
        upper = regions.label == UPPER
        sleeve = upper & (np.abs(regions.places.rest[..., 0]) > S.forearm)
        foreign |= ~arms & upper & sleeve[row, col] & (away < S.cuff * regions.unit)
    own = np.where(foreign, -1, np.where(arms, regions.group, 0))
    nearest_r, nearest_c, _ = find_nearest(mask)
    owner = np.pad(own[nearest_r, nearest_c], 1, mode="edge")
    counts = owner[rows, cols] == sheet
    gy, gx = np.gradient(ndimage.gaussian_filter(distance, 1.0))
    way = np.stack([gx, gy], -1)
    way /= np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-9)
    cut = (slice(1, -1), slice(1, -1))
    return SheetOutline(distance[cut], way[cut], counts[cut], sheet)


def measure_excess(regions: Regions) -> FloatArray:
    """Measure how much too far behind an arm at its side a trunk would end.

    What hangs off a trunk does not reach through the arm beside it, which hides its outline.

    Args:
        regions: of the photo.

    Returns:
        [H, W] pixels sideways by which those of such an arm lie beyond that place; 0 elsewhere.
    """
    arms = np.isin(regions.group, ARMS) & regions.mask
    trunk = regions.mask & np.isin(regions.group, (TORSO, LEFT_LEG, RIGHT_LEG))
    out = np.zeros(arms.shape)
    widest = S.widest_arm * regions.unit
    change = np.diff(np.pad(arms, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = (np.argwhere(change == step) for step in (1, -1))
    for (row, first), (_, past) in zip(starts, ends, strict=True):
        before, after = first - 1, past
        if past - first > widest or before < 0 or after == arms.shape[1]:
            continue
        beside = trunk[row, before], trunk[row, after]
        border = (before, first) if beside[0] else (past - 1, after)
        differs = regions.label[row, border[0]] != regions.label[row, border[1]]
        if differs and sum(beside) == sum(regions.mask[row, [before, after]]) == 1:
            away = np.arange(past - first) + 0.5
            over = np.maximum(away - S.behind_arm * (past - first), 0.0)
            out[row, first:past] = over if beside[0] else over[::-1]
    return out


def measure_inside(buffer: MeshBuffer) -> FloatArray:
    """Measure how far inside (positive) or outside of what is drawn each pixel lies.

    Args:
        buffer: a mesh, drawn; where the picture's border cuts it, it goes on.

    Returns:
        [H, W] pixels, right near the drawn outline.
    """
    drawn = np.pad(buffer.face >= 0, 1, mode="edge")
    if drawn.all() or not drawn.any():
        return np.zeros(buffer.face.shape)
    margin = round(_edge_width(buffer.face.shape)) + 3
    rows, cols = np.nonzero(drawn.any(1))[0], np.nonzero(drawn.any(0))[0]
    window = (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(cols[0] - margin, 0), cols[-1] + margin + 1),
    )
    near = drawn[window]
    signed = measure_depth(near) - measure_depth(~near)
    out = np.full(drawn.shape, -float(sum(drawn.shape)))
    out[window] = signed - 0.5 * np.sign(signed)
    return out[1:-1, 1:-1]


def _edge_width(shape: tuple[int, ...]) -> float:
    """Pixels from the drawn outline up to which a vertex counts as lying on it."""
    return 3.0 + 0.02 * min(shape)


def measure_gaps(
    outline: SheetOutline,
    drawn: FloatArray,
    whole: MeshBuffer,
    xy: FloatArray,
    z: FloatArray,
    ahead: FloatArray,
    own: BoolArray,
) -> tuple[IntArray, FloatArray]:
    """Measure how far the drawn outline lies from the matte's.

    Args:
        outline: the matte's.
        drawn: [H, W] of :func:`measure_inside`.
        whole: all of the body, drawn.
        xy: [V, 2] pixels.
        z: [V] depth, metres.
        ahead: [V, 2] unit way out of each vertex in the picture.
        own: [V] which vertices to ask for.

    Returns:
        rows: [N] vertices whose gap is known.
        gap: [N] pixels along their way out.
    """
    rows = find_edge(drawn, xy, z, own)
    c, r = xy[rows].astype(np.int64).T
    read = bilinear(np.stack([outline.distance, drawn], -1), xy[rows])
    # What lies behind an arm or another limb is on no outline.
    front = z[rows] < whole.depth[r, c] + 0.08
    along = -np.einsum("nd,nd->n", outline.way[r, c], ahead[rows])
    ok = front & outline.counts[r, c] & (along > S.agrees)
    gap = (read[:, 0] - read[:, 1]) / np.maximum(along, S.agrees)
    return rows[ok], gap[ok]


def find_edge(drawn: FloatArray, xy: FloatArray, z: FloatArray, own: BoolArray) -> IntArray:
    """Find vertices at the drawn outline; one grazed by the view within it (a nose) is not.

    Args:
        drawn: [H, W] as :func:`measure_inside` has it.
        xy: [V, 2] pixels.
        z: [V] depth.
        own: [V] which vertices to ask for.

    Returns:
        [N] rows of them.
    """
    height, width = drawn.shape
    inside = (xy >= 0).all(1) & (xy[:, 0] < width) & (xy[:, 1] < height) & (z > 0)
    rows = np.nonzero(own & inside)[0]
    edge = bilinear(drawn[..., None], xy[rows])[:, 0]
    return np.asarray(rows[np.abs(edge) < _edge_width(drawn.shape)])
