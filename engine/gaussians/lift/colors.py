"""Colours of everything the photo does not show.

    photo colour = albedo x light  ->  albedo carried over the surface  ->  x light at the normal
                 \\ fine texture  ->  mirrored at the seam, or laid along the fall of the hair  /

Every surface class (skin, hair, upper and lower wear, shoes) is completed by itself, so that
hems and hairlines stay crisp. Where the photo shows a texel squarely its colour stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ...body import Body
from ...cameras import project
from ...dual_uv.sampling import SurfaceSamples, bilinear
from ...imaging.color import rgb_to_lab
from ...types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from .colors_sources import goes_round, lit_hair
from .colors_texture import BLEND, hair_patch, mirror_columns, read_folded
from .colors_unroll import Unrolled, unroll
from .grids import dilate, erode, inset
from .labels import HAIR, HAT, LABELS, LOWER, SHOES, SKIN, UPPER
from .light import Light, fit_light
from .regions import ARMS, GROUPS, HEAD, LEFT_LEG, RIGHT_LEG, TORSO, vertex_groups

if TYPE_CHECKING:
    from .texels import PhotoView

# Of each class: how far (in edges, squared) seen colours are averaged before they are carried, and
# how strongly unseen ones drift to the class's own median.
_SMOOTH = {SKIN: 2.0, HAIR: 25.0, SHOES: 4.0}
_DRIFT = {SKIN: 0.004, HAIR: 0.05}
CLOTH_SMOOTH, CLOTH_DRIFT = 12.0, 0.01
MOST_HAIR, MOST_SKIN = 0.3, 0.04  # of fine texture, in colour units
LEAST = 40  # texels that tell the colour of a class on a limb
OTHER_STUFF = 12.0  # L*a*b* units between two stuffs
ACROSS = 0.02  # of the flow between them
CALM = 0.05  # metres over which texture averages to nothing
PLAIN, PRINTED = 0.02, 0.05  # deviation of cloth's hue from its surroundings: plain; a pattern
_HAIR_ROUND = 0.10  # metres: radius at which hair falls around the head
_EMPTY: FloatArray = np.zeros((0, 3))


@dataclass(frozen=True)
class _Texels:
    """What the steps below share; [N] each.

    Attributes:
        rest: [N, 3] on the body at rest. group: limb. xy: [N, 2] pixel in the photo's grid.
        shade: [N, 3] light at the normal. facing: cosine to the camera.
    """

    points: FloatArray
    normals: FloatArray
    label: IntArray
    known: BoolArray
    color: FloatArray
    corner: IntArray
    bary: FloatArray
    rest: FloatArray
    group: IntArray
    xy: FloatArray
    shade: FloatArray
    facing: FloatArray


def complete_texels(
    points: FloatArray,
    normals: FloatArray,
    label: IntArray,
    known: BoolArray,
    color: FloatArray,
    samples: SurfaceSamples,
    body: Body,
    view: PhotoView,
) -> FloatArray:
    """Give every texel a colour.

    Args:
        points, normals: [N, 3] on the dressed surface, world axes of the photo's camera.
        label: [N] one of ``labels.LABELS``.
        known: [N] the photo shows the texel squarely; color: [N, 3] what it shows there.
        samples: the texels. body: the person's own. view: the photo.

    Returns:
        [N, 3]; ``color`` where known.
    """
    corner = body.f[samples.triangle]
    rest = samples.points(body.v_template, body.f)
    group = vertex_groups(body)[corner[np.arange(len(corner)), samples.bary.argmax(1)]]
    ray = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    facing = -np.einsum("nd,nd->n", normals, ray)
    light = photo_light(normals, color, label, known, facing, view)
    xy, _ = project(points, view.camera)
    texels = _Texels(
        points, normals, label, known, color, corner, samples.bary, rest, group, xy,
        light.shade(normals), facing,
    )  # fmt: skip
    trust = _trust(texels, view)
    base = _base(texels, trust, body, view)
    detail = _texture(texels, trust, base, body, view)
    out = np.where(known[:, None], color, np.clip(base + detail, 0.0, 1.0))
    return out


def photo_light(
    normals: FloatArray,
    color: FloatArray,
    label: IntArray,
    known: BoolArray,
    facing: FloatArray,
    view: PhotoView,
) -> Light:
    """The light of the photo, from its skin first of all."""
    weight = np.where(known, np.clip(facing, 0.0, 1.0), 0.0)
    say = np.zeros(len(LABELS))
    say[[SKIN, HAIR, UPPER, LOWER, SHOES, HAT]] = 1.0, 0.1, 0.35, 0.35, 0.1, 0.1
    weight = weight * say[label]
    # Beards, lips and shadows are no light on skin.
    skin = label == SKIN
    odd = np.abs(np.log((color + 0.03) / (view.regions.skin_color + 0.03))).mean(1) > 0.5
    weight = np.where(skin & odd, 0.1 * weight, weight)
    total = weight[skin].sum()
    others = weight[~skin].sum()
    if others > total > 0:  # however much cloth there is, skin speaks loudest
        weight = np.where(skin, weight, weight * total / others)
    return fit_light(normals, color, np.where(known, label, -1), weight)


def _trust(t: _Texels, view: PhotoView) -> FloatArray:
    """[N] 0..1: how far a texel's seen colour may be carried to unseen ones."""
    trust = np.where(t.known, np.clip((t.facing - 0.25) / 0.3, 0.1, 1.0), 0.0)
    regions = view.regions
    row = np.clip(t.xy[:, 1].astype(int), 0, view.alpha.shape[0] - 1)
    col = np.clip(t.xy[:, 0].astype(int), 0, view.alpha.shape[1] - 1)
    albedo = t.color / t.shade
    for label in (UPPER, LOWER, SHOES, HAT):
        own = np.nonzero(t.known & (t.label == label))[0]
        if len(own) > 0:
            axis = np.where(np.isin(t.group[own], ARMS), 1.0, 1.0 - np.abs(t.normals[own, 1]))
            trust[own] *= goes_round(albedo[own], t.facing[own], axis, t.group[own])
    skin = t.known & (t.label == SKIN)
    # Beards, tattoos and deep shadows stay where they are.
    dark = np.log((albedo + 0.05) / (view.regions.skin_color + 0.05)).mean(1)
    trust[skin] *= np.clip((dark[skin] + 0.55) / 0.25, 0.02, 1.0)
    if regions.hair.any():
        near_skin = dilate(regions.skin, max(1, round(0.1 * regions.unit)))
        deep = inset(regions.mask) > 0.15 * regions.unit
        good = lit_hair(view.colors, view.alpha, regions.hair, near_skin, deep)
        hair = t.known & (t.label == HAIR)
        trust[hair] *= np.where(good[row[hair], col[hair]], 1.0, 0.02)
    return trust


def _median(values: FloatArray, weight: FloatArray) -> FloatArray:
    """[3] weighted median of each channel of values [N, 3]."""
    out = np.zeros(values.shape[1])
    for c in range(values.shape[1]):
        order = np.argsort(values[:, c])
        mass = np.cumsum(weight[order])
        out[c] = values[order[np.searchsorted(mass, 0.5 * mass[-1])], c]
    return out


def default_albedo(label: int, view: PhotoView) -> FloatArray:
    """[3] colour of a class that the photo does not show at all."""
    regions = view.regions
    if label == SKIN:
        return regions.skin_color
    worn = regions.mask & ~regions.skin & (regions.group != HEAD)
    upper = np.median(view.colors[worn], axis=0) if worn.any() else np.array([0.35, 0.36, 0.4])
    if label == HAIR:
        hair = regions.hair
        upper = np.median(view.colors[hair], axis=0) if hair.any() else 0.5 * upper
    if label not in (LOWER, SHOES):
        return upper
    # Trousers that nobody saw: a darker, greyer tone of the upper wear; shoes darker still.
    grey = upper.mean()
    tone: FloatArray = (0.45 if label == LOWER else 0.3) * (0.5 * upper + 0.5 * grey)
    return tone


def _base(t: _Texels, trust: FloatArray, body: Body, view: PhotoView) -> FloatArray:
    """[N, 3] low-frequency colour of every texel: smoothed albedo of its class, lit."""
    V = len(body.v_template)
    vertex_group = vertex_groups(body)
    albedo = np.clip(t.color / t.shade, 0.0, 1.5)
    out = np.zeros_like(t.color)
    edges = np.concatenate([body.f[:, [0, 1]], body.f[:, [1, 2]], body.f[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    density = np.bincount(t.corner.ravel(), t.bary.ravel(), V)
    for label in np.unique(t.label):
        own = np.nonzero(t.label == label)[0]
        vertices = np.unique(t.corner[own])
        index = np.full(V, -1)
        index[vertices] = np.arange(len(vertices))
        n = len(vertices)
        weight = t.bary[own] * trust[own, None]
        at = index[t.corner[own]]
        w = np.bincount(at.ravel(), weight.ravel(), n)
        total = np.stack(
            [np.bincount(at.ravel(), (weight * albedo[own, c, None]).ravel(), n)
             for c in range(3)], -1,
        )  # fmt: skip
        share = 1.0 / np.maximum(density[vertices], 1e-6)
        inner = edges[(index[edges] >= 0).all(1)]
        i, j = index[inner].T
        middle, kind = _middles(albedo, trust, own, t.group, int(label), view)
        limb = vertex_group[vertices]
        # A sleeve of another colour than the vest ends where the arm does.
        link = np.where(kind[limb[i]] == kind[limb[j]], 1.0, ACROSS)
        stiff = _SMOOTH.get(int(label), CLOTH_SMOOTH)
        A = sparse.coo_matrix((stiff * link, (i, j)), (n, n)).tocsr()
        A = A + A.T
        drift = stiff * _DRIFT.get(int(label), CLOTH_DRIFT)
        system = sparse.diags(np.asarray(A.sum(1)).ravel() + w * share + drift) - A
        solved = splu(system.tocsc()).solve(total * share[:, None] + drift * middle[limb])
        out[own] = np.einsum("nk,nkc->nc", t.bary[own], solved[at])
    return out * t.shade


def _middles(
    albedo: FloatArray,
    trust: FloatArray,
    own: IntArray,
    group: IntArray,
    label: int,
    view: PhotoView,
) -> tuple[FloatArray, IntArray]:
    """[limbs, 3] the usual colour of one class on each limb, and [limbs] which are of one stuff."""
    middle = np.zeros((len(GROUPS), 3))
    known = np.zeros(len(GROUPS), bool)
    for g in range(len(GROUPS)):
        rows = own[(group[own] == g) & (trust[own] > 0.3)]
        known[g] = len(rows) > LEAST
        if known[g]:
            middle[g] = _median(albedo[rows], trust[rows])
    rows = own[trust[own] > 0.3]
    whole = _median(albedo[rows], trust[rows]) if len(rows) > LEAST else default_albedo(label, view)
    middle[~known] = whole
    kind = np.arange(len(GROUPS))
    lab = rgb_to_lab(np.clip(middle, 0.0, 1.0))
    for g in range(len(GROUPS)):
        alike = np.linalg.norm((lab[:g] - lab[g]) * [0.5, 1.0, 1.0], axis=1) < OTHER_STUFF
        if alike.any():
            kind[g] = kind[int(alike.argmax())]
    return middle, kind


def _texture(
    t: _Texels, trust: FloatArray, base: FloatArray, body: Body, view: PhotoView
) -> FloatArray:
    """[N, 3] fine texture of the unseen texels."""
    out = np.zeros_like(base)
    vertex_group = vertex_groups(body)
    for group in (TORSO, *ARMS, LEFT_LEG, RIGHT_LEG):
        own = t.group == group
        if not own.any():
            continue
        unrolled = unroll(t.rest[own], body.v_template[vertex_group == group], body, group)
        rows = np.nonzero(own)[0]
        for label in np.unique(t.label[own]):
            mine = rows[t.label[rows] == label]
            if label != HAIR:
                out[mine] = _around(t, mine, rows, unrolled, trust, base, int(label), view)
    hair = np.nonzero(t.label == HAIR)[0]
    if len(hair) > 0:
        out[hair] = _hair(t, hair, base, body, view)
    skull = np.nonzero((t.label == SKIN) & (t.group == HEAD))[0]
    if len(skull) > 0:
        out[skull] = _mirrored(t, skull, trust, base)
    out[t.known] = 0.0
    return out


def _around(
    t: _Texels,
    mine: IntArray,
    rows: IntArray,
    unrolled: Unrolled,
    trust: FloatArray,
    base: FloatArray,
    label: int,
    view: PhotoView,
) -> FloatArray:
    """[len(mine), 3] texture of one class on one limb, mirrored at its seams."""
    out = np.zeros((len(mine), 3))
    place = np.searchsorted(rows, mine)
    height, arc = unrolled.height[place], unrolled.arc[place]
    girth = float(np.median(unrolled.girth[place]))
    shown = t.color[mine] - base[mine]
    source = (trust[mine] > 0.4) & t.known[mine]
    if source.sum() < 30 or source.all():
        return out
    stuff = _stuff(shown[source & (t.facing[mine] > 0.5)], label)
    source &= np.linalg.norm(shown, axis=1) < stuff.odd
    if source.sum() < 30:
        return out
    extent = max(float(np.ptp(height)), 0.02)
    cell = float(np.clip(1.2 * np.sqrt(extent * girth / len(mine)), 0.002, 0.02))
    n_rows, n_cols = max(2, int(np.ceil(extent / cell))), max(8, int(np.ceil(girth / cell)))
    r = np.clip(((height - height.min()) / cell).astype(int), 0, n_rows - 1)
    c = np.clip((arc * n_cols).astype(int), 0, n_cols - 1)
    flat = r * n_cols + c
    size = n_rows * n_cols
    step = girth / n_cols

    def grid(values: FloatArray, chosen: BoolArray | IntArray) -> FloatArray:
        total = np.bincount(flat[chosen], values, size).astype(float)
        return total.reshape(n_rows, n_cols)

    weight = grid(np.ones(int(source.sum())), source)
    every = grid(np.ones(len(mine)), np.ones(len(mine), bool))
    smooth = [ndimage.gaussian_filter(m, 1.5, mode=("nearest", "wrap")) for m in (weight, every)]
    known = smooth[0] > 0.6 * np.maximum(smooth[1], 1e-6)
    filled = weight > 0
    known &= ndimage.binary_dilation(filled, iterations=1)
    if known.sum() < 20:
        return out
    index = ndimage.distance_transform_edt(~filled, return_distances=False, return_indices=True)
    held = np.column_stack([t.xy[mine], base[mine]])[source]
    maps = np.stack([grid(v, source) / np.maximum(weight, 1e-9) for v in held.T], -1)[tuple(index)]
    left, right, left_d, right_d = mirror_columns(known, np.full(n_rows, step))
    # Rows without texture borrow the nearest that have some, to and fro.
    good = (left >= 0).any(1) | (right >= 0).any(1)
    if not good.any():
        return out
    near = ndimage.distance_transform_edt(~good, return_distances=False, return_indices=True)[0]
    todo = np.nonzero(~t.known[mine])[0]
    row, col = r[todo], c[todo]
    beyond = np.clip(2 * near[row] - row, 0, n_rows - 1)
    row = np.where(good[row], row, np.where(good[beyond], beyond, near[row]))
    parts = []
    for source_col in (left, right):
        at = source_col[row, col]
        ok = at >= 0
        read = _read(maps, row, np.maximum(at, 0.0))
        texture = bilinear(view.colors, read[:, :2]) - read[:, 2:]
        scale = np.clip(base[mine[todo]] / np.maximum(read[:, 2:], 0.03), 0.3, 1.6)
        parts.append((np.where(ok[:, None], texture * scale, 0.0), ok))
    dl, dr = left_d[row, col], right_d[row, col]
    share = np.clip(0.5 + (dr - dl) / (2 * BLEND), 0.0, 1.0)
    share = np.where(parts[0][1] & parts[1][1], share, parts[0][1].astype(float))
    mixed = share[:, None] * parts[0][0] + (1.0 - share[:, None]) * parts[1][0]
    mixed = stuff.subdue(mixed, base[mine[todo]])
    # At the seam the texture goes on as it is; farther on it only varies about the base colour.
    count = grid(np.ones(len(todo)), todo)
    blur = (CALM / step, CALM / step)
    low = np.stack(
        [ndimage.gaussian_filter(grid(mixed[:, k], todo), blur, mode=("nearest", "wrap"))
         for k in range(3)], -1,
    )  # fmt: skip
    count = ndimage.gaussian_filter(count, blur, mode=("nearest", "wrap"))
    low /= np.maximum(count, 1e-6)[..., None]
    far = np.clip(np.minimum(dl, dr) / (2 * CALM), 0.0, 1.0)[:, None]
    out[todo] = mixed - far * low[r[todo], c[todo]]
    return out


@dataclass(frozen=True)
class _Stuff:
    """How a material varies about its smoothed colour.

    Attributes:
        most: soft limit of texture. colourful: 0 plain, only lightness varies; 1 a print.
        odd: deviation from which on something is not the material.
    """

    most: float
    colourful: float
    odd: float

    def subdue(self, texture: FloatArray, base: FloatArray) -> FloatArray:
        """Texture [N, 3] kept within what this stuff shows."""
        tint = base / np.maximum(base.mean(1, keepdims=True), 0.02)
        plain = texture.mean(1, keepdims=True) * np.clip(tint, 0.3, 2.0)
        mixed = self.colourful * texture + (1.0 - self.colourful) * plain
        out: FloatArray = self.most * np.tanh(mixed / self.most)
        return out


def _stuff(shown: FloatArray, label: int) -> _Stuff:
    """Judge a material by its deviations [M, 3] from the base colour where it is seen well."""
    if label == SKIN or len(shown) < 30:
        return _Stuff(MOST_SKIN, 0.0, 3.0 * MOST_SKIN)
    grey = shown.mean(1, keepdims=True)
    hue = 1.48 * float(np.median(np.linalg.norm(shown - grey, axis=1))) / np.sqrt(3.0)
    light = 1.48 * float(np.median(np.abs(grey)))
    colourful = float(np.clip((hue - PLAIN) / (PRINTED - PLAIN), 0.0, 1.0))
    most = max((2.0 + 2.0 * colourful) * light, 4.0 * hue * colourful, 0.01)
    odd = 4.0 * np.sqrt(3.0) * max(np.hypot(hue, light), 0.01)
    return _Stuff(most, colourful, float(odd + 10.0 * max(colourful - 0.5, 0.0)))


def _read(maps: FloatArray, row: IntArray, col: FloatArray) -> FloatArray:
    """[N, C] from maps [R, C, C'] at whole rows and fractional, periodic columns.

    Between two columns whose pixels lie far apart (an arm before the trunk) nothing is mixed.
    """
    n = maps.shape[1]
    low = np.floor(col).astype(int)
    part = (col - low)[:, None]
    a, b = maps[row, low % n], maps[row, (low + 1) % n]
    apart = np.linalg.norm(a[:, :2] - b[:, :2], axis=1) > 6.0
    out: FloatArray = (1.0 - part) * a + part * b
    out[apart] = np.where(part < 0.5, a, b)[apart]
    return out


def _hair(t: _Texels, mine: IntArray, base: FloatArray, body: Body, view: PhotoView) -> FloatArray:
    """[len(mine), 3] strands for the hair that is not seen."""
    out = np.zeros((len(mine), 3))
    regions = view.regions
    solid = erode(regions.mask & (view.alpha > 0.95), 1)
    patch = hair_patch(view.colors, regions.hair & solid, 0.12 * regions.unit)
    todo = np.nonzero(~t.known[mine])[0]
    if patch is None or len(todo) == 0:
        return out
    texture, mean = patch
    depth = float(np.median(-t.points[mine, 2]))
    pixel = depth / float(view.camera.K[0, 0])
    head = body.J_template[JOINT_INDEX["head"]]
    centre = head + np.array([0.0, 0.06, 0.0])
    d = t.rest[mine[todo]] - centre
    # The crown lies behind the top; strands leave it all around, then fall.
    crown = np.array([0.0, np.cos(0.45), -np.sin(0.45)])
    front = np.array([0.0, np.sin(0.45), np.cos(0.45)])
    up, ahead, side = d @ crown, d @ front, d[:, 0]
    out_far = np.hypot(ahead, side)
    polar = np.arctan2(out_far, np.maximum(up, 0.0))
    fall = _HAIR_ROUND * polar + np.maximum(-up, 0.0)
    around = _HAIR_ROUND * np.arctan2(side, ahead) * 1.2
    # Hair is no comb: strands wander a little.
    around = around + 0.006 * np.sin(fall * 45.0 + 3.0 * np.sin(around * 20.0))
    read = read_folded(texture, fall / pixel, around / pixel)
    scale = np.clip(base[mine[todo]] / np.maximum(mean, 0.03), 0.4, 1.8)
    out[todo] = MOST_HAIR * np.tanh(read * scale / MOST_HAIR)
    return out


def _mirrored(t: _Texels, mine: IntArray, trust: FloatArray, base: FloatArray) -> FloatArray:
    """[len(mine), 3] what the other side of the head shows, over the base colour."""
    out = np.zeros((len(mine), 3))
    seen = mine[t.known[mine] & (trust[mine] > 0.3)]
    todo = np.nonzero(~t.known[mine])[0]
    if len(seen) < 30 or len(todo) == 0:
        return out
    distance, nearest = cKDTree(t.rest[seen]).query(t.rest[mine[todo]] * [-1.0, 1.0, 1.0])
    source = seen[nearest]
    texture = (t.color[source] - base[source]) * base[mine[todo]] / np.maximum(base[source], 0.05)
    close = np.clip(1.5 - distance / 0.004, 0.0, 1.0)[:, None]
    out[todo] = close * texture
    return out
