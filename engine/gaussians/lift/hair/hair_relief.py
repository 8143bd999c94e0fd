"""Relief of hair that the photo does not show.

Offsets of a smooth mesh make a helmet of any hair. How uneven hair is, its outline tells where it
stands before the background: how deep the notches between its locks are. Unseen hair gets locks as
deep.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import project
from ....core.distances import measure_depth
from ....core.rotations import quaternion_to_matrix
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, Camera, FloatArray
from ....imaging.resize import resize
from ...binding import bind_gaussians, place_gaussians
from ..pixels.regions import Regions
from ..shape.hair_field import random_field
from ..surface.labels import ramp
from ..surface.limbs import HEAD, vertex_groups

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView
    from ..splats.texels import TexelLayer


@dataclass(frozen=True)
class HairReliefSettings:
    """Relief of unseen hair."""

    notch: float = 0.012  # metres, half the width of the widest notch in an outline that counts
    finest: float = 0.001  # metres of a pixel that the outline is measured on, at least
    sectors: int = 24  # around the head, whose outlines are measured one by one
    least_outline: float = 0.05  # metres of outline before the background that tell enough
    most: float = 0.0045  # metres of notches that count at most: deeper ones are the haircut
    lock: float = 0.011  # metres over which hair stands off together
    raised: float = 1.2  # standard deviation of locks' heights, in notches' mean depths
    fade: tuple[float, float] = (0.012, 0.04)  # metres from hair that the photo shows
    smooth: float = 0.0007  # metres of notches up to which hair lies close to the head
    rim: float = 0.005  # metres from the photo's background that locks and strands keep


S = register_settings("lift.hair_relief", HairReliefSettings())


_OBLIQUE = 4.0 / np.pi * np.log(1.0 + np.sqrt(2.0))
"""Mean length of an outline for each of its pixels, over all directions."""


def measure_notches(
    alpha: FloatArray, regions: Regions, camera: Camera, body: Body, vertices: FloatArray
) -> float:
    """Measure how deep the notches between locks are in the hair's outline.

    Args:
        alpha: [h, w] of the photo at its own size.
        regions: of the photo.
        camera: of the regions' grid.
        body: the person's own.
        vertices: [V, 3] of it in the photo's pose, world space, metres.

    Returns:
        Their mean depth along the outline before the background, metres; 0 for hair that lies
        close to the head, or where the photo shows too little of that outline.
    """
    hair, size = regions.hair, regions.mask.shape
    if not hair.any():
        return 0.0
    rows, cols = np.nonzero(hair.any(1))[0], np.nonzero(hair.any(0))[0]
    _, depth = project(vertices[vertex_groups(body) == HEAD], camera)
    pixel = float(np.median(depth)) / camera.K[0, 0]
    margin = int(np.ceil(2.0 * S.notch / pixel))
    top, bottom = max(0, rows[0] - margin), min(size[0], rows[-1] + 1 + margin)
    left, right = max(0, cols[0] - margin), min(size[1], cols[-1] + 1 + margin)
    fine_y, fine_x = alpha.shape[0] / size[0], alpha.shape[1] / size[1]
    own = alpha[
        round(top * fine_y) : round(bottom * fine_y), round(left * fine_x) : round(right * fine_x)
    ]
    step = max(pixel / fine_x, S.finest)
    width = max(2, round((right - left) * pixel / step))
    height = max(2, round((bottom - top) * pixel / step))
    solid = resize(np.ascontiguousarray(own), width, height) > 0.5

    def enlarge(mask: BoolArray) -> BoolArray:  # of the grid, over the finer pixels
        row = top + (np.arange(height) * (bottom - top)) // height
        col = left + (np.arange(width) * (right - left)) // width
        return mask[np.ix_(row, col)]

    reach = S.notch / step
    other = regions.mask & ~hair
    counts = enlarge(ndimage.binary_dilation(hair, iterations=max(2, round(S.notch / pixel))))
    counts &= ~enlarge(ndimage.binary_dilation(other, iterations=2))
    away = measure_depth
    if solid.all() or not (away(solid) > reach).any():
        return 0.0
    # Half a pixel more than was taken away comes back, or round outlines would look uneven.
    closed = away(away(~solid) <= reach) > reach + 0.5
    opened = away(away(solid) <= reach) <= reach + 0.5
    outline = closed & ~ndimage.binary_erosion(closed, border_value=1) & counts
    if step * outline.sum() < S.least_outline:
        return 0.0
    # The median over directions: a forelock or a parting alone does not make hair loose.
    y, x = np.indices(solid.shape)
    middle_y, middle_x = (axis[solid].mean() for axis in (y, x))
    turn = np.arctan2(y - middle_y, x - middle_x)
    sector = np.minimum((turn / (2.0 * np.pi) + 0.5) * S.sectors, S.sectors - 1).astype(np.int64)
    long, area = (
        np.bincount(sector[pixels], minlength=S.sectors)
        for pixels in (outline, closed & ~opened & counts)
    )
    enough = long > 0.01 / step
    if not enough.any():
        return 0.0
    depth_there = step / _OBLIQUE * area[enough] / long[enough]
    notches = float(min(np.median(depth_there), S.most))
    return notches if notches > S.smooth else 0.0


def raise_locks(
    layer: TexelLayer, notches: float, view: PhotoView, vertices: FloatArray, body: Body
) -> TexelLayer:
    """Raise the locks of hair that the photo does not show.

    Args:
        layer: the person's texels.
        notches: metres, of :func:`measure_notches`.
        view: the photo: nothing may stand before its background.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        body: the person's own.

    Returns:
        The same texels in the same order.
    """
    texels, rows = layer.gaussians, layer.unseen_hair
    if notches == 0.0 or len(rows) == 0:
        return layer
    world = place_gaussians(texels.take(rows), vertices, body)
    points = np.asarray(world.means, np.float64)
    normals = quaternion_to_matrix(np.asarray(world.quats, np.float64))[..., 2]
    rest = rest_points(texels.take(rows), body)
    shown = place_gaussians(texels.take(layer.shown_hair), vertices, body)
    free = fade_from_shown(points, np.asarray(shown.means))
    height = S.raised * notches * free * np.clip(random_field(rest, S.lock, seed=1), -1.5, 1.5)
    raised = points + height[:, None] * normals
    raised = np.where(over_background(raised, view)[:, None], points, raised)
    moved = bind_gaussians(
        replace(world, means=raised.astype(np.float32)),
        texels.triangle[rows],
        texels.bary[rows],
        texels.layer[rows],
        vertices,
        body,
    )
    offset = np.array(texels.offset)
    offset[rows] = moved.offset
    return replace(layer, gaussians=replace(texels, offset=offset.astype(np.float32)))


def rest_points(texels: BoundGaussians, body: Body) -> FloatArray:
    """Return the places [N, 3] of texels on the bare body at rest, metres."""
    corner = np.asarray(body.v_template, np.float64)[body.f[texels.triangle]]
    return np.asarray(np.einsum("nk,nkd->nd", texels.bary, corner))


def fade_from_shown(points: FloatArray, shown: FloatArray) -> FloatArray:
    """Fade relief in, away from hair that the photo shows.

    Args:
        points: [N, 3] metres.
        shown: [M, 3] metres, on hair that the photo shows.

    Returns:
        [N] 0..1.
    """
    if len(shown) == 0:
        return np.ones(len(points))
    return ramp(cKDTree(shown).query(points)[0], *S.fade)


def over_background(points: FloatArray, view: PhotoView) -> BoolArray:
    """Find what stands before the photo's background, or so near that its splats do.

    Args:
        points: [N, 3] metres, the photo's pose, world space.
        view: the photo.

    Returns:
        [N] whether it does.
    """
    xy, z = project(points, view.camera)
    rim = 1 + 2 * round(S.rim * view.camera.K[0, 0] / np.median(z))
    alpha = ndimage.minimum_filter(view.alpha, rim)
    height, width = alpha.shape
    inside = (z > 0) & (xy >= 0).all(1) & (xy < [width, height]).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(np.int64).T
    return np.asarray(inside & (alpha[row, col] < 0.6))
