"""How far the photo's pixels are trusted: what grazes a surface, and what borders on another limb.

A pixel at the edge of a limb shows two things at once, and where the surface turns away one pixel
covers centimetres of it. From the photo's own side neither is seen; from any other side both are
stripes of the wrong colour. Such texels count as unseen, and such splats of the photo take their
colours from the completed texels beside them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import project
from ....core.color import rgb_to_lab
from ....core.distances import find_nearest
from ....core.rotations import quaternion_to_matrix
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, FloatArray, IntArray
from ....imaging.local_means import measure_contrast
from ...binding import place_gaussians
from ...squareness import cosine_to_camera
from ..grids.pixel_grids import dilate
from ..shape.depth_sheets import S as DEPTH_SHEETS
from ..shape.depth_sheets import composite_sheets
from ..surface.labels import HAIR, HAT, LABELS, LOWER, OBJECT, SKIN, UPPER
from ..surface.limbs import ARMS, HANDS, HEAD, hand_triangles
from ..surface.surfels import CORE, PHOTO, SHELL
from .photo_view import PhotoView


@dataclass(frozen=True)
class TrustSettings:
    """Pixels and texels that are not trusted."""

    cloth: tuple[float, float] = (0.12, 0.36)
    """Cosines to the camera between which completed colours pass into the photo's."""

    hair: tuple[float, float] = (0.10, 0.40)  # the same of hair and hats
    skin: tuple[float, float] = (0.10, 0.35)  # the same of skin
    face: tuple[float, float] = (0.15, 0.40)  # the same of the head's skin
    head_radius: float = 1.0  # inter-ocular distances, of its curve at the outline
    rim: float = 1.0  # inter-ocular distances inside the outline that the background shines through
    pale: tuple[float, float] = (8.0, 24.0)
    """L*a*b* distances from the usual colour, shadows left out, between which a rim's pixel turns
    from hair into background or backlight that shines through."""

    pale_shift: tuple[float, float] = (0.04, 0.12)
    """What such pixels add to the cosines above."""

    pale_hair: tuple[float, float] = (0.15, 0.30)  # the same of hair

    reach: float = 0.02  # metres from a splat to the texels that it takes its colour from
    hair_reach: float = 0.15  # the same of hair, which hangs loose
    neighbours: int = 4  # of them
    strange: float = 12.0  # L*a*b* units nearer to the other limb's colour than to its own
    beside: float = 0.3  # inter-ocular distances from a border in which its own surface is sought
    gap: float = 0.75  # of its own lightness below which it is the dark gap between both
    stain: float = 20.0  # least L*a*b* units off a hand's usual skin of a pale stain
    paler: float = 15.0  # least of them that it is lighter
    edge: float = 14.0  # least median contrast along a stain's rim, L*a*b* units
    lighter: float = 6.0  # least L* over the hand's of a stain that may be sunlight
    light_edge: float = 25.0  # least median contrast in lightness along the rim of such a one
    window: int = 5  # pixels along each side of the square in which contrast is measured
    colder: float = 0.5  # share of its hue, in its shade, below which a hand's colour is not skin
    cuff: float = 0.04  # metres beyond the wrist up to which that may be a cuff
    sure: float = 0.75  # the same, below which a pale one is background, and others surely skin
    darkest: float = 0.35  # least shade in which that is asked
    bare: float = 0.5  # share of a hand's texels that are skin if it wears no glove
    few: int = 30  # splats that show a hand's or an arm's skin
    stands: tuple[float, float] = (0.008, 0.016)
    """Metres off an arm beyond which splats of another hue, and dark ones, are not its skin: the
    fit may miss an arm by the first."""

    cheek: tuple[float, float] = (0.03, 0.03)
    """Most metres above the mouth, and least metres beside its middle, of skin without dark
    features."""

    speck: float = 0.7  # most brightness of a speck over that around it
    around: int = 64  # neighbours compared, among every eighth texel


S = register_settings("lift.trust", TrustSettings())


def facing_ramp(
    facing: FloatArray, label: IntArray, on_head: BoolArray, pale: FloatArray | float = 0.0
) -> FloatArray:
    """Return how far the photo's colour counts [N] (0..1) on a surface that turns away.

    Args:
        facing: [N] cosine to the camera.
        label: [N] index into ``labels.LABELS``.
        on_head: [N] whether it lies on the head.
        pale: [N] or one, of :func:`find_pale_rim`.
    """
    bounds = np.array([S.cloth] * len(LABELS))
    bounds[[HAIR, HAT]], bounds[SKIN] = S.hair, S.skin
    low, high = np.where(((label == SKIN) & on_head)[:, None], S.face, bounds[label]).T
    shift = pale * np.where((label == HAIR)[:, None], S.pale_hair, S.pale_shift).T
    low, high = low + shift[0], high + shift[1]
    return np.asarray(np.clip((facing - low) / (high - low), 0.0, 1.0))


def bound_facing(inside: FloatArray) -> FloatArray:
    """Return how squarely a head's skin may face the camera at most, so near to its outline.

    A head is round: whatever the fit says, it turns away at its outline.

    Args:
        inside: [N] inter-ocular distances from the outline.

    Returns:
        [N] cosine to the camera.

    >>> bound_facing(np.array([0.0, 0.2, 5.0])).round(2).tolist()
    [0.0, 0.6, 1.0]
    """
    off = np.clip(inside / S.head_radius, 0.0, 1.0)
    return np.asarray(np.sqrt(off * (2.0 - off)))


def find_pale_rim(colors: FloatArray, usual: FloatArray, inside: FloatArray) -> FloatArray:
    """Return how surely [N] (0..1) a rim's colours are not only the surface's own.

    Loose hair lets the background shine through, and light from behind makes a rim pale. From the
    photo's side that is right; from any other it is a band of the wrong colour.

    Args:
        colors: [N, 3] 0..1, what the photo shows.
        usual: [N, 3] or [3] 0..1, the colours beside it.
        inside: [N] inter-ocular distances from the outline.
    """
    lab, own = rgb_to_lab(colors), rgb_to_lab(usual)
    shadow = np.minimum(1.0, lab[:, :1] / np.maximum(own[..., :1], 1e-3))
    away = lab - shadow * own  # the darker is shadow
    low, high = S.pale
    odd = np.clip((np.linalg.norm(away, axis=1) - low) / (high - low), 0.0, 1.0)
    return np.asarray(odd * np.clip(2.0 - 2.0 * inside / S.rim, 0.0, 1.0))


def find_other_cloth(label: IntArray, shown: IntArray) -> BoolArray:
    """Find texels of one garment where the photo shows another: a sleeve before a thigh.

    Args:
        label: [N] of the texels, index into ``labels.LABELS``.
        shown: [N] of the pixels that show them.

    >>> find_other_cloth(np.array([UPPER, LOWER, LOWER]), np.array([UPPER, UPPER, SKIN])).tolist()
    [False, True, False]
    """
    clothes = np.isin(label, (UPPER, LOWER)) & np.isin(shown, (UPPER, LOWER))
    return np.asarray(clothes & (label != shown))


def find_specks(
    colors: FloatArray, points: FloatArray, rest: FloatArray, skin: BoolArray, body: Body
) -> BoolArray:
    """Find dark specks on cheeks: a collar, a lock of hair or the gap beside the jaw.

    A beard and the shaded side of a face are larger than the neighbourhood compared, and stay.

    Args:
        colors: [N, 3] 0..1, as the photo shows them.
        points: [N, 3] metres.
        rest: [N, 3] metres on the body at rest.
        skin: [N] seen skin of the head.
        body: the person's own.

    Returns:
        [N] texels of cheeks and jaws that are darker than those around them.
    """
    out = np.zeros(len(colors), bool)
    lips = body.face_part == body.part_names.index("lips") if "lips" in body.part_names else []
    if not np.any(lips):
        return out
    mouth = body.v_template[body.f[lips], 1].mean()
    above, aside = S.cheek
    rows = np.nonzero(skin & (rest[:, 1] < mouth + above) & (np.abs(rest[:, 0]) > aside))[0]
    some = rows[::8]
    if len(some) < S.around:
        return out
    light = colors.mean(1)
    _, near = cKDTree(points[some]).query(points[rows], k=S.around)
    out[rows] = light[rows] < S.speck * np.median(light[some][near], axis=1)
    return out


def repaint_photo(
    photo: BoundGaussians,
    texels: BoundGaussians,
    completed: BoolArray,
    label: IntArray,
    view: PhotoView,
    vertices: FloatArray,
    groups: IntArray,
    body: Body,
) -> BoundGaussians:
    """Give splats of the photo that are not trusted the colours of the texels beside them.

    Args:
        photo: splats of the photo's pixels; those of the layer ``core`` are the fringe of a head
            (``photo_edges.find_fringe``), and stay of that layer where they are painted.
        texels: the texel splats.
        completed: [M] texels whose colour is completed, not seen.
        label: [M] of each texel, index into ``labels.LABELS``.
        view: the photo.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        groups: [V] the limb of each vertex.
        body: the person's own.
    """
    if not completed.any() or len(photo) == 0:
        return replace(photo, layer=np.full(len(photo), PHOTO, np.uint8))
    world = place_gaussians(photo, vertices, body)
    means = np.asarray(world.means, np.float64)
    normal = quaternion_to_matrix(np.asarray(world.quats, np.float64))[:, :, 2]
    facing = np.abs(cosine_to_camera(means, normal))
    height, width = view.alpha.shape
    col, row = np.clip(project(means, view.camera)[0].astype(int), 0, [width - 1, height - 1]).T
    limb = groups[body.f[photo.triangle, 0]]
    fringe = photo.layer != PHOTO
    kind = np.where(fringe, SKIN, view.regions.label[row, col])
    on_head = limb == HEAD
    loose = (kind == HAIR) | ((kind == SKIN) & on_head)
    inside = view.inside[row, col]
    facing = np.where((kind == SKIN) & on_head, np.minimum(facing, bound_facing(inside)), facing)
    borders = view.borders
    # What was given to the other surface for its colour shows that one rightly.
    sheet, of_pixel = (
        np.where(np.isin(g, ARMS), g, 0) for g in (limb, view.regions.group[row, col])
    )
    doubt = borders.behind[row, col] & (kind != OBJECT) & (sheet == of_pixel)
    doubtful = (facing_ramp(facing, kind, on_head) < 1.0) | doubt
    doubtful |= fringe
    doubtful |= loose & (inside < S.rim) & (facing_ramp(facing, kind, on_head, 1.0) < 1.0)
    rows = np.nonzero(doubtful)[0]
    beside = _Completed.of(texels, completed, label, vertices, groups, body)
    fresh, usable = beside.colors(means[rows], limb[rows], kind[rows])
    first = np.asarray(photo.colors, np.float64)[rows]
    # The sun's gold is paler still, but what the photo is: completed hair has nothing of it.
    sunlit = (kind[rows] == HAIR) * view.backlight
    pale = loose[rows] * (1.0 - sunlit) * find_pale_rim(first, fresh, inside[rows])
    weight = facing_ramp(facing[rows], kind[rows], on_head[rows], pale)
    weight[fringe[rows]] = 0.0
    keep = np.where(usable, weight, 1.0)
    # What an outline's pixels print on the surface behind it is neither's colour.
    at = np.nonzero(doubt[rows])[0]
    own, found = beside.colors(means[rows[at]], limb[rows[at]])
    strands = kind[rows[at]] == HAIR  # over a shoulder, say, which has other colours
    hair = at[strands]
    own[strands], found[strands] = beside.colors(
        means[rows[hair]], limb[rows[hair]], kind[rows[hair]]
    )
    far_row, far_col = borders.nearer[row[rows[at]], col[rows[at]]].T
    shown, usual = rgb_to_lab(first[at]), rgb_to_lab(own)
    to_own = np.linalg.norm(shown - usual, axis=1)
    to_other = np.linalg.norm(shown - rgb_to_lab(view.colors[far_row, far_col]), axis=1)
    # A chin shades the neck, and hair is of all tones.
    of_face = (view.regions.label == SKIN) & (view.regions.group == HEAD)
    shaded = of_face[far_row, far_col] & (kind[rows[at]] == SKIN) & ~np.isin(limb[rows[at]], ARMS)
    dark = (shown[:, 0] < S.gap * usual[:, 0]) & ~(shaded | strands)
    strange = found & (dark | (to_own > S.strange + to_other))
    # Completed texels know nothing of a dark sleeve whose end lies behind a hand.
    strange[strange] = ~_continues_beside(
        shown[strange], row[rows[at]][strange], col[rows[at]][strange], view
    )
    fresh[at[strange]] = own[strange]
    keep[at[strange]] = 0.0
    # Wholly painted ones are the photo's no more: calibration would bring its colours back.
    painted = rows[(keep == 0.0) & doubt[rows]]
    layer = np.where(fringe, PHOTO, photo.layer)
    layer[rows[(keep == 0.0) & fringe[rows]]] = CORE
    layer[painted] = np.where(kind[painted] == SKIN, CORE, SHELL)
    colors = np.array(photo.colors, np.float64)
    colors[rows] = keep[:, None] * first + (1.0 - keep[:, None]) * fresh
    for joints in HANDS:
        hand = hand_triangles(body, joints)
        skin = label[hand[texels.triangle]] == SKIN
        if len(skin) and skin.mean() > S.bare:
            at = np.nonzero(_beyond_cuff(body, joints)[photo.triangle])[0]
            pixel = np.stack([row[at], col[at]], -1)
            stained, clean = clean_hand(means[at], colors[at], kind[at] == SKIN, pixel, view.colors)
            colors[at[stained]], layer[at[stained]] = clean, CORE
    strays = np.zeros(len(photo), bool)
    for arm in ARMS:
        at = np.nonzero((limb == arm) & (kind == SKIN))[0]
        strays[at] = find_strays(colors[at], np.linalg.norm(photo.offset[at], axis=1))
    return replace(photo, colors=colors.astype(photo.colors.dtype), layer=layer).take(~strays)


def _continues_beside(
    shown: FloatArray, row: IntArray, col: IntArray, view: PhotoView
) -> BoolArray:
    """[N] whether pixels have the colour that their surface has off the border.

    Args:
        shown: [N, 3] L*a*b* of each.
        row: [N] of each.
        col: [N] of each.
        view: the photo.
    """
    regions = view.regions
    reach, behind = max(S.beside * regions.unit, 3.0), view.borders.behind
    own = np.argwhere(dilate(behind, math.ceil(reach)) & regions.mask & ~behind)
    if not (len(own) and len(row)):
        return np.zeros(len(row), bool)
    # Other limbs, other labels and what lies beyond a jump of depth are out of reach.
    depth = composite_sheets(view.sheets, "front") * reach / DEPTH_SHEETS.jump
    apart = np.dstack([1e3 * regions.group, 1e3 * regions.label, depth])
    tree = cKDTree(np.concatenate([own, apart[tuple(own.T)]], axis=1))
    asked = np.column_stack([row, col, apart[row, col]])
    away, nearest = tree.query(asked, distance_upper_bound=reach)
    usual = rgb_to_lab(view.colors[tuple(own[np.minimum(nearest, len(own) - 1)].T)])
    return np.asarray((away < reach) & (np.linalg.norm(shown - usual, axis=1) < S.strange))


def find_strays(colors: FloatArray, off: FloatArray) -> BoolArray:
    """Find splats of an arm that show what lies behind it: a hem, a shadow, or background.

    In the photo's pose they lie in front of that; in any other they float beside the arm. A tattoo
    lies on the skin, and stays.

    Args:
        colors: [N, 3] 0..1, of splats of an arm that are labelled as skin.
        off: [N] metres that they stand off the body.
    """
    near = off < S.stands[0]
    if near.sum() < S.few:
        return np.zeros(len(colors), bool)
    lab = rgb_to_lab(colors)
    usual = np.median(lab[near], axis=0)
    dark = (lab[:, 0] < S.gap * usual[0]) & (off >= S.stands[1])
    return np.asarray(dark | (~near & _is_colder(lab, usual, S.colder)))


def clean_hand(
    means: FloatArray, colors: FloatArray, skin: BoolArray, pixel: IntArray, picture: FloatArray
) -> tuple[BoolArray, FloatArray]:
    """Clean a bare hand of the background that the photo shows between its fingers.

    A stain is of another hue than the hand, or much paler and less of its hue, and has an edge: a
    light one in lightness, since sunlight on skin fades out, others in colour.

    Args:
        means: [N, 3] metres, its splats.
        colors: [N, 3] 0..1.
        skin: [N] whether their pixels are labelled as skin.
        pixel: [N, 2] row and column of each.
        picture: [H, W, 3] 0..1 of the foreground.

    Returns:
        stained: [N] those to clean.
        clean: [their count, 3] the skin's colour beside them.
    """
    nothing = np.zeros(len(means), bool)
    if skin.sum() < S.few:
        return nothing, np.zeros((0, 3))
    lab = rgb_to_lab(colors)
    usual = np.median(lab[skin], axis=0)
    cold = _is_colder(lab, usual, S.sure)
    pale = (np.linalg.norm(lab - usual, axis=1) > S.stain) & (lab[:, 0] > usual[0] + S.paler)
    stained = skin & ((pale & cold) | _is_colder(lab, usual, S.colder))
    if not stained.any():
        return nothing, np.zeros((0, 3))
    # Splats may be coarser than the grid: pixels between them are the nearest one's.
    kinds = np.zeros(picture.shape[:2], np.uint8)
    lighter = stained & (lab[:, 0] > usual[0] + S.lighter)
    for kind, which in enumerate((skin, stained, lighter), start=1):
        kinds[tuple(pixel[which].T)] = kind
    row, col, away = find_nearest(kinds > 0)
    kinds = np.where(away <= S.window / 2, kinds[row, col], 0)
    spot, count = ndimage.label(kinds > 1, np.ones((3, 3)))
    # Only where it meets the hand's skin has a spot an edge to judge.
    rim = np.where(dilate(kinds == 1, 1), spot, 0)
    sharp, met = np.ones(count + 1, bool), np.unique(rim[rim > 0])
    if len(met):
        contrast = measure_contrast(rgb_to_lab(picture), S.window)
        light, color = contrast[..., 0], np.linalg.norm(contrast, axis=-1)
        in_light, in_color = (np.asarray(ndimage.median(by, rim, met)) for by in (light, color))
        maybe_sunlit = np.asarray(ndimage.mean(kinds == 3, spot, met)) > 0.5
        sharp[met] = np.where(maybe_sunlit, in_light > S.light_edge, in_color > S.edge)
    stained &= sharp[spot[tuple(pixel.T)]]
    clean = skin & ~stained & ~cold & (lab[:, 0] > S.gap * usual[0])
    if not stained.any() or clean.sum() < S.few:
        return nothing, np.zeros((0, 3))
    _, near = cKDTree(means[clean]).query(means[stained], k=S.neighbours)
    return stained, np.asarray(colors[clean][near].mean(1))


def _is_colder(lab: FloatArray, usual: FloatArray, share: float) -> BoolArray:
    """[N] whether colours [N, 3] have less than a ``share`` of skin's own hue [3] (L*a*b*)."""
    shade = np.clip(lab[:, 0] / max(float(usual[0]), 1e-3), S.darkest, 1.0)
    hue = float(usual[1:] @ usual[1:])
    return np.asarray(lab[:, 1:] @ usual[1:] < share * shade * hue)


def _beyond_cuff(body: Body, joints: list[int]) -> BoolArray:
    """[F] the triangles of a hand that no shirt cuff reaches: cloth seen there is a stain."""
    wrist = body.J_template[joints[0]]
    along = wrist - body.J_template[body.parents[joints[0]]]
    past = (body.v_template[body.f].mean(1) - wrist) @ (along / np.linalg.norm(along))
    return np.asarray(hand_triangles(body, joints) & (past > S.cuff))


def find_hand_stains(
    colors: FloatArray, skin: BoolArray, triangle: IntArray, body: Body
) -> BoolArray:
    """Find texels of bare hands that show what lies between or beside their fingers.

    Args:
        colors: [N, 3] 0..1, as the photo shows them.
        skin: [N] seen skin.
        triangle: [N] rows of ``body.f``.
        body: the person's own.

    Returns:
        [N] texels whose colour is not the hand's.
    """
    out = np.zeros(len(colors), bool)
    for joints in HANDS:
        at = np.nonzero(skin & _beyond_cuff(body, joints)[triangle])[0]
        if len(at) >= S.few:
            lab = rgb_to_lab(colors[at])
            usual = np.median(lab, axis=0)
            out[at] = _is_colder(lab, usual, S.colder) | (lab[:, 0] < S.gap * usual[0])
    return out


@dataclass(frozen=True)
class _Completed:
    """The texels whose colour is completed.

    Attributes:
        tree: over their places, limbs apart.
        tree_of_kind: the same, labels apart too.
        rgb: [M, 3] their colours.
    """

    tree: cKDTree
    tree_of_kind: cKDTree
    rgb: FloatArray

    @staticmethod
    def of(
        texels: BoundGaussians,
        completed: BoolArray,
        label: IntArray,
        vertices: FloatArray,
        groups: IntArray,
        body: Body,
    ) -> _Completed:
        own = texels.take(completed)
        means = np.asarray(place_gaussians(own, vertices, body).means, np.float64)
        limb = groups[body.f[own.triangle, 0]]
        places = _apart(means, limb)
        kinds = _apart(means, limb, label[completed])
        return _Completed(cKDTree(places), cKDTree(kinds), np.asarray(own.colors, np.float64))

    def colors(
        self, means: FloatArray, limb: IntArray, kind: IntArray | None = None
    ) -> tuple[FloatArray, BoolArray]:
        """[N, 3] the colour beside each place on its limb (and of its label), [N] if any is."""
        tree = self.tree if kind is None else self.tree_of_kind
        reach = np.full(len(means), S.reach)
        if kind is not None:
            reach[kind == HAIR] = S.hair_reach
        distance, index = tree.query(
            _apart(means, limb, kind), k=S.neighbours, distance_upper_bound=S.hair_reach
        )
        share = np.where(distance < reach[:, None], 1.0 / (distance + 1e-4), 0.0)
        found = share.sum(1) > 0
        share /= np.maximum(share.sum(1, keepdims=True), 1e-9)
        out = np.einsum("nk,nkc->nc", share, self.rgb[np.minimum(index, len(self.rgb) - 1)])
        return out, found


def _apart(means: FloatArray, limb: IntArray, kind: IntArray | None = None) -> FloatArray:
    """[N, 5] places whose limbs, and labels, lie a metre apart."""
    other = np.zeros(len(means)) if kind is None else kind
    return np.column_stack([means, limb, other])
