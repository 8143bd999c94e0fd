"""Hair that the photo does not show, in patches of the hair that it shows.

Anchors stand a lock apart all over the unseen hair. Each has a patch of the photo's hair, turned
so that its strands lie along the hair's direction there (lapped textures, Praun et al. 2000).
Patches are longer than wide and pass into each other, at the contrast that they have themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..garments.labels_surface import vertex_parts
from ..grids.pixel_grids import SOLID, distance_inside, erode, smooth_widely, smooth_within
from ..shape.hair_field import (
    StrandImage,
    continued_directions,
    hair_directions,
    strand_image,
    wave,
)
from ..surface.labels import SKIN, ramp
from ..surface.limbs import HEAD
from .colors_texels import Texels

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView


@dataclass(frozen=True)
class HairPatchSettings:
    """Patches of hair."""

    odd: tuple[float, float] = (0.06, 0.5)
    """Distance of smoothed colours (0..1) from the usual one beyond which it is not hair: at least,
    and per unit of brightness."""

    floor: float = 0.02  # added to colours before their logarithm
    finest: float = 0.001  # metres that a pixel need not fall below
    radius: tuple[float, float] = (0.004, 0.035)
    """Least and greatest radius of a patch, metres: a pixel with less hair around it gets none."""

    beyond: float = 1.6  # radii of a place's hair that a patch is long: locks are slender
    squarest: float = 0.6  # share of the widest places' radius that a patch's place must have
    spacing: float = 0.5  # radii between anchors
    slender: tuple[float, float] = (0.4, 0.12)  # width over length of a patch of curls, of straight
    around: float = 0.02  # metres, standard deviation over which strands' directions are compared
    most_waves: float = 0.5  # radians, standard deviation of strands' directions
    lock: tuple[float, float] = (0.008, 0.02)
    """Metres over which strands wave together: of curls, and of straight hair."""

    straight: tuple[float, float] = (0.35, 0.6)
    """Median coherence of the directions at pixels: of curls, and of straight hair."""

    bent: tuple[float, float] = (1.3, 0.8)
    """Times the photo's deviation that strands are bent: of curls, finer than the directions are
    measured, and of straight hair, part of whose deviation is its cut."""

    level: tuple[float, float] = (0.025, 0.005)
    """Metres over which the patches' own brightness is taken out: of locks, and of cropped hair."""

    cropped: tuple[float, float] = (0.4, 0.8)  # share of bare ears: of none, and of cropped hair
    strand: float = 0.003  # metres, the first step by which texture is smeared along strands
    doublings: int = 4  # of that step, for straight hair
    contrast: float = 1.05  # of the photo's texture, of which splats lose some
    sheen: float = 0.3  # brightness, in its logarithm, that hair pointing at the light loses
    sheen_from: tuple[float, float, float] = (0.0, 0.8, -0.6)  # unit: from above and behind
    gap: float = 0.004  # metres of holes between strands that are hair all the same
    drawn_out: tuple[float, float] = (8.0, 4.0)
    """Times that straight strands, long and cropped ones, are drawn out: seen from the front they
    are shortened, and locks are longer than patches."""

    most: float = 1.6  # times the 80th percentile of its contrast that a patch's is held below
    hue: float = 0.05  # most of it, of the logarithm, in hue: skin shines through short hair
    usual: tuple[float, float] = (0.3, 98.5)  # percentiles of patches that smearing stays between
    neighbours: int = 4  # patches that a point may lie in
    sharpen: float = 0.4  # how many times the detail lost to splats is added


S = register_settings("lift.hair_patches", HairPatchSettings())


def draw_hair(
    t: Texels, mine: IntArray, base: FloatArray, body: Body, view: PhotoView
) -> tuple[FloatArray, FloatArray]:
    """Give the hair that is not seen the texture and the waves of the hair that is.

    Args:
        t: the texels.
        mine: [M] rows of hair.
        base: [N, 3] low-frequency colours of all texels.
        body: the person's own.
        view: the photo.

    Returns:
        added: [M, 3] to add to the base; zero where the photo shows the hair, or shows next to
            none.
        way: [M, 3] unit tangents along the hair, from root to tip.
    """
    added = np.zeros((len(mine), 3))
    way = hair_directions(
        t.points[mine], t.normals[mine], t.rest[mine], t.group[mine] == HEAD, body
    )
    unseen = ~t.known[mine]
    if not unseen.any():
        return added, way
    photo = _crop_hair(np.median(base[mine], axis=0), float(np.median(-t.points[mine, 2])), view)
    if photo is None:
        return added, way
    strands = strand_image(np.log(photo.colors.mean(-1) + S.floor), photo.hair, photo.pixel)
    own, shown = mine[unseen], mine[~unseen]
    blur = float(np.median(t.radius[own]))
    ears = vertex_parts(body)[t.corner[:, 0]] == "ear"
    cropped = float(ramp((t.label[ears] == SKIN).mean(), *S.cropped)) if ears.any() else 0.0
    patches = cut_patches(photo.colors, photo.hair, strands, photo.pixel, blur, cropped)
    if patches is None:
        return added, way
    at = hair_anchors(t.points[own], S.spacing * patches.radius)
    put = own[at]
    straight = continued_directions(
        t.points[put],
        t.normals[put],
        way[unseen][at],
        t.points[shown],
        t.normals[shown],
        strands,
        photo.place(t.xy[shown]),
    )
    near = cKDTree(t.points[put]).query(t.points[own])[1]
    bent, lock = patches.bent, patches.lock
    along = wave(t.points[own], t.normals[own], straight[near], bent, lock)
    there = wave(t.points[put], t.normals[put], straight, bent, lock)
    drawn = lap_patches(t.points[own], t.points[put], t.normals[put], there, patches)
    drawn = S.contrast * carry_strands(
        drawn, t.points[own], along, round(patches.straight * S.doublings)
    )
    added[unseen] = (base[own] + S.floor) * (np.exp(drawn + sheen(along)) - 1.0)
    way[unseen] = along
    return added, way


def carry_strands(
    drawn: FloatArray, points: FloatArray, way: FloatArray, doublings: int
) -> FloatArray:
    """Smear texture along strands and restore its contrast.

    Args:
        drawn: [N, C] texture.
        points: [N, 3] metres.
        way: [N, 3] unit, along the strands.
        doublings: number of passes, each twice as far as the one before.
    """
    tree = cKDTree(points)
    out = drawn
    for k in range(doublings):
        step = S.strand * 2.0**k * way
        out = (out + out[tree.query(points + step)[1]] + out[tree.query(points - step)[1]]) / 3.0
    # Patches come from the middle of the hair, which may be darker than its usual colour.
    out = (out - out.mean(0)) * drawn.std(0) / np.maximum(out.std(0), 1e-9)
    # Where a few bright strands meet, no brighter one arises.
    return np.asarray(np.clip(out, *np.percentile(drawn, S.usual, axis=0)))


def sheen(way: FloatArray) -> FloatArray:
    """Shade strands: brightest where they lie across the light (Kajiya and Kay 1989).

    Args:
        way: [N, 3] unit, along the strands.

    Returns:
        [N, 1] logarithm of their light, 0 in the mean.
    """
    shine = np.sqrt(np.clip(1.0 - (way @ S.sheen_from) ** 2, 0.0, 1.0))
    return np.asarray(S.sheen * (shine - shine.mean()))[:, None]


@dataclass(frozen=True)
class _HairPhoto:
    """The part of the photo that shows hair.

    Attributes:
        colors: [h, w, 3] 0..1.
        hair: [h, w] pixels of hair: no hat, nor what shines through a fringe.
        pixel: metres that a pixel spans.
        corner: [2] x and y of its first pixel on the grid of labels.
        scale: its pixels per one of that grid.
    """

    colors: FloatArray
    hair: BoolArray
    pixel: float
    corner: FloatArray
    scale: float

    def place(self, xy: FloatArray) -> IntArray:
        """[N, 2] row and column of places on the grid of labels, the nearest inside."""
        last = np.array(self.hair.shape[::-1]) - 1
        return np.clip(((xy - self.corner) * self.scale).astype(int), 0, last)[:, ::-1]


def _crop_hair(usual: FloatArray, depth: float, view: PhotoView) -> _HairPhoto | None:
    """The photo's hair, around the usual colour [3], at so many metres; None if it shows none."""
    regions = view.regions
    solid = erode(regions.mask & (view.alpha > SOLID), 1)
    odd = np.linalg.norm(smooth_within(view.colors, regions.hair, 2.0) - usual, axis=-1)
    alike = regions.hair & solid & (odd < S.odd[0] + S.odd[1] * float(usual.mean()))
    if not alike.any():
        return None
    ys, xs = np.nonzero(alike)
    top, bottom, left, right = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
    finer = view.fine.shape[1] / view.camera.width
    pixel = depth / float(view.camera.K[0, 0]) / finer
    # What splats cannot show costs time only.
    stride = max(1, int(S.finest / pixel))
    height, width = view.fine.shape[:2]  # whole pixels: not quite of the same aspect
    rows = np.arange(round(top * finer), min(round(bottom * finer), height), stride)
    cols = np.arange(round(left * finer), min(round(right * finer), width), stride)
    last = np.array(alike.shape) - 1
    of_row, of_col = (
        np.minimum(((at + 0.5) / finer).astype(int), n)
        for at, n in zip((rows, cols), last, strict=True)
    )
    return _HairPhoto(
        view.fine[np.ix_(rows, cols)],
        alike[np.ix_(of_row, of_col)],
        pixel * stride,
        np.array([left, top]),
        finer / stride,
    )


@dataclass(frozen=True)
class HairPatches:
    """What a photo has for patches.

    Attributes:
        texture: [H, W, 3] logarithm of the hair's colour over its surroundings'.
        places: [M, 2] row and column of pixels in the midst of hair.
        angle: [M] radians of the strands there, from x to y (down).
        stretch: [M] factor by which a patch is stretched along its strands.
        straight: 0 for curls to 1 for straight hair.
        waves: radians, standard deviation of the strands' directions about those around them.
        radius: metres of hair around each place.
        pixel: metres that a pixel spans.
    """

    texture: FloatArray
    places: IntArray
    angle: FloatArray
    stretch: FloatArray
    straight: float
    waves: float
    radius: float
    pixel: float

    @property
    def bent(self) -> float:
        """Radians, standard deviation of the turns of unseen strands."""
        return float(self.waves * np.interp(self.straight, (0.0, 1.0), S.bent))

    @property
    def lock(self) -> float:
        """Metres over which strands wave together."""
        return float(np.interp(self.straight, (0.0, 1.0), S.lock))


def cut_patches(
    colors: FloatArray,
    hair: BoolArray,
    strands: StrandImage,
    pixel: float,
    blur: float,
    cropped: float = 0.0,
) -> HairPatches | None:
    """Find the patches that a photo's hair has; None if there is too little of it.

    Args:
        colors: [H, W, 3] 0..1.
        hair: [H, W] pixels that show hair well.
        strands: directions in the same picture.
        pixel: metres that a pixel spans there.
        blur: metres, standard deviation of the splats that will show them.
        cropped: 0 for hair that hides the ears to 1 for cropped hair, which has no locks.
    """
    closed = ndimage.binary_closing(hair, iterations=max(1, round(0.5 * S.gap / pixel)))
    inside = distance_inside(closed) * pixel
    widest = float(inside.max(initial=0.0))
    if widest < S.radius[0]:
        return None
    radius = min(S.beyond * widest, S.radius[1])
    places = np.argwhere(inside >= S.squarest * min(widest, radius))
    log = np.log(colors + S.floor)
    straight, waves = _judge_strands(strands, hair, pixel)
    level, drawn_out = (
        float(np.interp(cropped * straight, (0.0, 1.0), of)) for of in (S.level, S.drawn_out)
    )
    texture = log - smooth_widely(log, hair, level / pixel)
    soft = smooth_within(texture, closed, max(blur / pixel, 0.5))
    texture += S.sharpen * (texture - soft)
    texture -= np.median(texture[closed], axis=0)
    light = texture.mean(2, keepdims=True)
    most = max(S.most * float(np.percentile(np.abs(light[closed]), 80.0)), 1e-3)
    texture = most * np.tanh(light / most) + S.hue * np.tanh((texture - light) / S.hue)
    index = find_nearest(closed)[:2]
    x, y = strands.along[tuple(places.T)].T
    stretch = 1.0 + drawn_out * straight * strands.coherence[tuple(places.T)] ** 2
    texture = texture[index]
    return HairPatches(texture, places, np.arctan2(y, x), stretch, straight, waves, radius, pixel)


def _judge_strands(strands: StrandImage, hair: BoolArray, pixel: float) -> tuple[float, float]:
    """How straight hair is, and how much it waves: as in :class:`HairPatches`.

    Directions of curls differ from one pixel to the next, those of waves within a few centimetres.
    """
    x, y = np.moveaxis(strands.along, -1, 0)
    double = np.stack([x * x - y * y, 2.0 * x * y], -1)  # the same for both senses of a strand
    around = smooth_widely(double, strands.coherence * hair, S.around / pixel)
    agree = float(np.median(np.linalg.norm(around, axis=-1)[hair]))
    straight = ramp(np.median(strands.coherence[hair]), *S.straight)
    # Normally distributed angles of deviation s have doubled directions of mean exp(-2 s^2).
    return float(straight), min(np.sqrt(-0.5 * np.log(max(agree, 1e-6))), S.most_waves)


def hair_anchors(points: FloatArray, spacing: float) -> IntArray:
    """Choose rows of points [N, 3] that lie about ``spacing`` metres apart: one for each cube."""
    cell = np.floor(points / spacing)
    _, which = np.unique(cell, axis=0, return_inverse=True)
    away = np.linalg.norm(points / spacing - cell - 0.5, axis=1)
    order = np.lexsort((away, which.ravel()))
    return np.asarray(order[np.unique(which.ravel()[order], return_index=True)[1]])


def lap_patches(
    points: FloatArray,
    anchors: FloatArray,
    normals: FloatArray,
    way: FloatArray,
    patches: HairPatches,
    seed: int = 0,
) -> FloatArray:
    """Draw hair.

    Args:
        points: [N, 3] metres, where it is wanted.
        anchors: [K, 3] metres, where patches are put.
        normals: [K, 3] unit, of the surface there.
        way: [K, 3] unit tangents along the strands.
        patches: of the photo.
        seed: of the patches' choice.

    Returns:
        [N, 3] logarithm of the colour over the base.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(patches.places), size=len(anchors))
    flip = rng.choice([-1.0, 1.0], (2, len(anchors)))
    across = np.cross(normals, way)
    k = min(S.neighbours, len(anchors))
    _, near = cKDTree(anchors).query(points, k=[*range(1, k + 1)])
    off = points[:, None] - anchors[near]
    stretch = patches.stretch[chosen][near]
    u = np.einsum("nkd,nkd->nk", off, way[near]) / stretch
    v = np.einsum("nkd,nkd->nk", off, across[near])
    r = patches.radius
    curls, straight = S.slender
    slender = curls + (straight - curls) * patches.straight
    far = (u / r) ** 2 + (v / (slender * r)) ** 2
    # Sharp borders between patches, whose form is that of locks.
    weight = np.exp(-2.0 * (far - far.min(1, keepdims=True)))
    weight /= np.sqrt((weight**2).sum(1, keepdims=True))
    # What lies beyond a patch's own hair is that hair again, mirrored.
    u, v = (_folded(x, r) / patches.pixel * s[near] for x, s in zip((u, v), flip, strict=True))
    cos, sin = np.cos(patches.angle[chosen])[near], np.sin(patches.angle[chosen])[near]
    col = patches.places[chosen, 1][near] + u * cos - v * sin
    row = patches.places[chosen, 0][near] + u * sin + v * cos
    out = np.zeros((len(points), 3))
    for c in range(3):
        read = ndimage.map_coordinates(patches.texture[..., c], [row, col], order=1, mode="nearest")
        out[:, c] = (weight * read).sum(1)
    return out


def _folded(x: FloatArray, most: float) -> FloatArray:
    """Lengths beyond ``most`` (either way) mirrored back inside."""
    return np.asarray(most - np.abs(np.mod(x + most, 4.0 * most) - 2.0 * most))
