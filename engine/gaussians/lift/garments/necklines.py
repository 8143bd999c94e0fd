"""The edge of a collar where the photo does not show it: round the neck, and below the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ...mesh_diffusion import mesh_edges
from ..pixels.regions import Regions
from ..pixels.sleeve_pixels import pixel_size
from ..surface.labels import SKIN, UPPER, NamesArray
from ..surface.limbs import HEAD, TORSO
from .labels_hidden import ends_clothed


@dataclass(frozen=True)
class NecklineSettings:
    """The edge of a collar behind and below the frame."""

    low: float = 0.38  # standard height above which it is looked for
    low_in_front: float = 0.28  # the same where the photo shows nothing of it, or ends above it
    sides: float = 80.0  # degrees from the spine round the neck's axis within which it counts
    span: float = 50.0  # the same up to which it must be found on both sides
    clear: float = 0.6  # share of skin and upper wear at it: hair does not lie over it
    few: int = 12  # edges of triangles that must cross it
    seen: float = 3.0  # weight of the part of it that the photo shows
    usual: float = 0.012  # metres from the curve; edges farther off count less
    uneven: float = 0.025  # median distance in metres beyond which no curve fits
    near: float = 0.05  # metres on either side over which labels change: triangles are coarse

    throat: float = 0.5  # inter-ocular distances beside the neck's axis within which it lies
    closed: float = 0.5  # share of upper wear there of a closed one
    least: float = 0.1  # inter-ocular distances of skin there, at least: it is open
    gap: float = 0.15  # inter-ocular distances of a strand or a chain that parts it
    rows: float = 0.5  # inter-ocular distances above the frame over which its edges are measured
    aslant: float = 0.3  # most columns per row by which its middle leans
    deepest: float = 0.09  # metres below the frame at which it has closed, at the latest
    blunt: float = 0.35  # least length below the frame, of its width
    sharp: float = 0.02  # metres on either side over which labels change there


S = register_settings("lift.necklines", NecklineSettings())


def even_neckline(
    shares: FloatArray, weight: FloatArray, rest: FloatArray, part: NamesArray, f: IntArray
) -> FloatArray:
    """Lay the edge between a collar and the neck on a smooth curve, mostly behind.

    The curve gives the height minus the distance from the neck's axis, which decreases all the way
    from the neck to the shoulders, as a few harmonics of the angle around that axis.

    Args:
        shares: [V, len(LABELS)] 0..1 of each label.
        weight: [V] 0..1 trust in what the photo shows, 0 where it shows nothing.
        rest: [V, 3] as of :func:`..surface.labels.standard_rest`.
        part: [V] name of each vertex's part.
        f: [F, 3] the body's triangles.

    Returns:
        [V, len(LABELS)] shares.
    """
    neck = part == "neck"
    if not neck.any():
        return shares
    to_axis = rest[:, [0, 2]] - [0.0, rest[neck, 2].mean()]
    around = np.degrees(np.arctan2(to_axis[:, 0], -to_axis[:, 1]))
    fall = rest[:, 1] - np.linalg.norm(to_axis, axis=1)
    both = shares[:, SKIN] + shares[:, UPPER]
    trunk = part == "torso"
    # A photo that shows nothing of the chest leaves the edge in front uneven, too.
    whole = not (weight[trunk & (rest[:, 1] > S.low_in_front)] > 0).any()
    low, sides = (S.low_in_front, 180.0) if whole else (S.low, S.sides)
    collar = (neck | (trunk & (rest[:, 1] > low))) & (np.abs(around) <= sides)
    level = shares[:, UPPER] - shares[:, SKIN]
    edges = mesh_edges(f)
    edges = edges[(collar & (both > S.clear))[edges].all(1) & (np.prod(level[edges], 1) < 0.0)]
    to = np.abs(level[edges])
    to = to[:, ::-1] / np.maximum(to.sum(1, keepdims=True), 1e-12)
    at, height = (np.sum(value[edges] * to, 1) for value in (around, fall))
    curve = _fit_curve(at, height, np.where((weight[edges] > 0).any(1), S.seen, 1.0))
    if curve is None:
        return shares
    above = fall - _harmonics(around) @ curve
    rows: BoolArray = collar & (weight <= 0) & (np.abs(above) < S.near)
    out = shares.copy()
    worn = 0.5 - 0.5 * above[rows] / S.near
    out[rows, UPPER], out[rows, SKIN] = both[rows] * worn, both[rows] * (1.0 - worn)
    return out


@dataclass(frozen=True)
class Neckline:
    """A neckline that the frame cuts, in pixels of a grid: two lines that meet below the frame.

    Attributes:
        middle: [2] column at the frame's lower edge, and columns per row downwards.
        width: at the frame.
        length: rows below the frame to where it has closed; 0 if it is closed in the photo.
        end: the frame's lower edge, a row.
        pixel: metres that a pixel spans there.
    """

    middle: FloatArray
    width: float
    length: float
    end: float
    pixel: float

    def measure_inside(self, xy: FloatArray) -> FloatArray:
        """Measure how far inside (positive) or outside of it places below the frame lie.

        Args:
            xy: [..., 2] pixels.

        Returns:
            [...] metres.
        """
        if self.length <= 0.0:
            return np.full(np.shape(xy)[:-1], -np.inf)
        down = np.asarray(xy)[..., 1] - self.end
        half = 0.5 * self.width * (1.0 - down / self.length)
        aside = np.abs(np.asarray(xy)[..., 0] - self.middle[0] - self.middle[1] * down)
        slant = self.length / np.hypot(self.length, 0.5 * self.width)
        return np.asarray((half - aside) * slant * self.pixel)


def find_neckline(
    regions: Regions,
    camera: Camera,
    xy: FloatArray,
    below: BoolArray,
    rest: FloatArray,
    part: NamesArray,
) -> Neckline | None:
    """Find the neckline that the frame's lower edge cuts, and continue its edges.

    Args:
        regions: of the photo.
        camera: of their grid.
        xy: [V, 2] pixels of the body's vertices.
        below: [V] those below the frame.
        rest: [V, 3] as of :func:`..surface.labels.standard_rest`.
        part: [V] name of each vertex's part.

    Returns:
        None where the frame does not end at a clothed chest, or does not show whether that is open.
    """
    height, width = regions.mask.shape
    chest = below & (part == "torso")
    drawn = (regions.body.face >= 0).any()
    if not (ends_clothed(regions) and chest.any() and (part == "neck").any() and drawn):
        return None
    if rest[chest, 1].max() < S.low_in_front:
        return None
    gap = max(1, round(S.gap * regions.unit))
    bare = regions.mask & (regions.label == SKIN) & np.isin(regions.group, (TORSO, HEAD))
    cloth = regions.mask & (regions.label == UPPER)
    bare |= ndimage.binary_closing(bare, np.ones((1, 2 * gap + 1))) & ~cloth
    axis = float(np.median(xy[part == "neck", 0]))
    throat = np.abs(np.arange(width) + 0.5 - axis) < S.throat * regions.unit
    runs, count = ndimage.label(bare[-1])
    inside = np.bincount(runs[throat], minlength=count + 1)
    inside[0] = 0
    pixel = pixel_size(regions.body, camera)
    if inside.max() < S.least * regions.unit:
        closed = Neckline(np.zeros(2), 0.0, 0.0, float(height), pixel)
        return closed if cloth[-1, throat].sum() > S.closed * throat.sum() else None
    edges = [np.nonzero(runs == inside.argmax())[0][[0, -1]]]
    for row in bare[::-1][1 : max(2, round(S.rows * regions.unit))]:
        runs, _ = ndimage.label(row)
        near = runs[edges[-1][0] : edges[-1][1] + 1]
        if not near.any():
            break
        edges.append(np.nonzero(runs == np.bincount(near[near > 0]).argmax())[0][[0, -1]])
    left, right = np.add(np.transpose(edges), [[0.0], [1.0]])
    # Lines through the last row's ends: nearer a throat's lowest point its edges curve.
    middle, wide = 0.5 * (left[0] + right[0]), right[0] - left[0]
    up = np.arange(len(left))
    square = max(float(up @ up), 1.0)
    opens = float(up @ (right - left - wide)) / square
    rise = float(up @ (0.5 * (left + right) - middle)) / square
    deepest = S.deepest / pixel
    length = float(np.clip(wide / max(opens, 1e-6), min(S.blunt * wide, deepest), deepest))
    lean = float(np.clip(-rise, -S.aslant, S.aslant))
    return Neckline(np.array([middle, lean]), float(wide), length, float(height), pixel)


def close_neckline(
    shares: FloatArray,
    neckline: Neckline,
    xy: FloatArray,
    below: BoolArray,
    rest: FloatArray,
    part: NamesArray,
) -> FloatArray:
    """Let skin below the frame reach down as far as the neckline's edges.

    Args:
        shares: [V, len(LABELS)] 0..1 of each label.
        neckline: of :func:`find_neckline`.
        xy: [V, 2] pixels of its grid.
        below: [V] vertices below the frame.
        rest: [V, 3] as of :func:`..surface.labels.standard_rest`.
        part: [V] name of each vertex's part.

    Returns:
        [V, len(LABELS)] shares.
    """
    neck = part == "neck"
    rows = below & (neck | (part == "torso")) & (rest[:, 2] > rest[neck, 2].mean())
    out = shares.copy()
    both = shares[rows, SKIN] + shares[rows, UPPER]
    bare = np.clip(0.5 + 0.5 * neckline.measure_inside(xy[rows]) / S.sharp, 0.0, 1.0)
    out[rows, SKIN], out[rows, UPPER] = both * bare, both * (1.0 - bare)
    return out


def _harmonics(around: FloatArray) -> FloatArray:
    """[N, 4] of angles [N] in degrees."""
    angle = np.radians(around)
    return np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle), np.cos(2 * angle)], -1)


def _fit_curve(around: FloatArray, height: FloatArray, weight: FloatArray) -> FloatArray | None:
    """Fit [4] harmonics to heights [N] at angles [N], robustly; None if too few or too uneven."""
    if len(around) < S.few or not around.min() < -S.span < S.span < around.max():
        return None
    basis, trust = _harmonics(around), weight
    for _ in range(8):
        root = np.sqrt(trust)
        curve = np.linalg.lstsq(basis * root[:, None], height * root, rcond=None)[0]
        off = np.abs(height - basis @ curve)
        trust = weight / (1.0 + (off / S.usual) ** 2)
    return curve if np.median(off) < S.uneven else None
