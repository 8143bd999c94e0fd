"""The body's skin where clothes that hid it are gone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.atlas import surface_points
from ..body.model import Body
from ..core import noise
from ..core.color import rgb_to_lab
from ..core.geometry import triangle_areas, vertex_normals
from ..core.settings import register_settings
from ..core.types import PARTS, Avatar, BoolArray, FloatArray, IntArray
from .attribute_splats import find_own, find_shown
from .avatar_wearer import place_at_rest
from .cloth_mesh import TriangleSurface
from .mesh_splats import make_discs, no_discs, scatter_evenly
from .skin_tone import BareSkin, SkinTone


@dataclass(frozen=True)
class BareBodySettings:
    """Skin that comes where clothes were."""

    most: int = 20_000  # splats of it
    finest: float = 0.0026  # metres between them, at least
    beside: float = 0.03  # metres on the body from clothes that go within which skin comes
    sigma: float = 1.05  # standard deviation of a splat in steps of the spacing
    covered: float = 0.9  # opacity of what stays above which no splat is added
    around: int = 12  # splats of what stays that tell that
    stands: float = 0.010  # metres by which the photo's skin may stand off the body,
    levels: float = 0.025  # and over which completed skin beside it comes down
    sunk: float = 0.6  # steps of the spacing that it lies deeper below cloth, so as not to show
    near: int = 24  # splats of it that tell how high it stands
    fades: float = 0.18  # metres over which it passes into the face's usual tone: along a limb
    other: float = 38.0  # Lab distance to that tone beyond which a colour is not skin
    worn: float = 0.008  # metres from clothes that were put on before within which none is added
    stray: float = 0.035  # metres beside clothes that go within which skin goes as well
    raised: float = 0.007  # if it stands off by more metres,
    unlike: float = 9.0  # or differs by more (Lab) from the skin around it,
    alike: int = 48  # splats of skin around it
    closer: float = 0.7  # most distance of stray hair's colour to the cloth's, over that to hair's
    blotches: float = 0.022  # unevenness of the skin over some millimetres
    opacity: float = 0.95


S = register_settings("wardrobe.bare_body", BareBodySettings())

BARE = ("torso", "neck", "arm", "hand", "leg", "foot")
"""The body's parts that clothes hide."""

_CLOTH = [PARTS.index(name) for name in ("upper", "lower", "skirt", "shoes")]
_SKIN, _FACE = PARTS.index("skin"), PARTS.index("face")


def complete_skin(
    avatar: Avatar,
    gone: BoolArray,
    hidden: BoolArray,
    around: tuple[FloatArray, IntArray],
    seed: int,
    room: int,
) -> BareSkin:
    """Make the skin that clothes hid.

    Args:
        avatar: with its attributes.
        gone: [N] clothes that go.
        hidden: [F] triangles of the body that lie under other clothes.
        around: vertices [M, 3] at rest and triangles [G, 3] of new clothes, which shade the skin.
        seed: of its unevenness.
        room: splats for which there is room.

    Raises:
        LikenessError: the avatar shows hardly any skin whose tone it could have.
    """
    body: Body = avatar.body
    bound = avatar.gaussians
    rest = np.asarray(body.v_template, np.float64)
    feet = surface_points(rest, body.f, bound.triangle, bound.bary)
    name = np.array(body.part_names)[body.face_part]
    faces = np.nonzero(np.isin(name, BARE) & ~hidden)[0]
    faces = faces[_was_hidden(rest[body.f[faces]].mean(1), feet[gone], name[bound.triangle[gone]])]
    if not len(faces):
        none = np.zeros(0, np.int64)
        return BareSkin(no_discs(), none, np.zeros((0, 3)), none)
    corners = rest[body.f[faces]]
    area = float(triangle_areas(rest, body.f[faces]).sum())
    spacing = max(S.finest, float(np.sqrt(area / max(min(S.most, room), 1))))
    pick, bary = scatter_evenly(corners, spacing)
    triangle = faces[pick]
    at = np.einsum("nk,nkd->nd", bary, corners[pick])
    stays = ~gone & find_own(avatar) & (bound.opacities > 0.3)
    bare = ~_is_shown(at, feet[stays], bound.scales[stays], bound.opacities[stays])
    worn = ~gone & find_shown(avatar) & ~find_own(avatar) & np.isin(bound.part, _CLOTH)
    if worn.any():  # what was put on before hides the skin as well
        bare &= cKDTree(feet[worn]).query(at)[0] > S.worn
    triangle, bary, at = triangle[bare], bary[bare], at[bare]
    normals = np.einsum("nk,nkd->nd", bary, vertex_normals(rest, body.f)[body.f[triangle]])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    skin = find_own(avatar) & ~gone & np.isin(bound.part, [_SKIN, _FACE])
    color = SkinTone(avatar, skin, S.fades, S.other).tone(triangle, bary, around)
    uneven = noise.fractal_noise(at, seed, 0.014, 3) + 0.7 * noise.fractal_noise(
        at, seed + 1, 0.005, 2
    )
    height = _find_height(avatar, skin, feet, at)
    beneath = TriangleSurface(*around).nearest(at, S.stands)[2] < S.stands
    height = np.where(beneath, np.minimum(height, 0.0) - S.sunk * spacing, height)
    splats = make_discs(
        at + height[:, None] * normals,
        normals,
        np.full(len(at), S.sigma * spacing),
        color * (1.0 + S.blotches * uneven)[:, None],
        np.full(len(at), S.opacity),
    )
    return BareSkin(splats, triangle, bary, np.full(len(triangle), _SKIN))


def find_strays(avatar: Avatar, gone: BoolArray) -> BoolArray:
    """Find what [N] goes with clothes: skin and hair beside them with some of their colour.

    Skin that stands off as they do goes as well.

    Args:
        avatar: with its attributes.
        gone: [N] clothes that go.
    """
    body: Body = avatar.body
    bound = avatar.gaussians
    out = np.zeros(len(bound), bool)
    skin = find_own(avatar) & ~gone & np.isin(bound.part, [_SKIN, _FACE])
    on_body = np.isin(np.array(body.part_names)[body.face_part], BARE)
    rows = np.nonzero(skin & on_body[bound.triangle])[0]
    if len(rows) < S.alike or not gone.any():
        return out
    rest = np.asarray(body.v_template, np.float64)
    feet = surface_points(rest, body.f, bound.triangle, bound.bary)
    beside = cKDTree(feet[gone]).query(feet[rows], distance_upper_bound=S.stray)[0] < S.stray
    lab = rgb_to_lab(np.asarray(bound.colors[rows], np.float64))
    near = cKDTree(feet[rows]).query(feet[rows], S.alike)[1]
    other = np.linalg.norm(lab - np.median(lab[near], axis=1), axis=1) > S.unlike
    normals = vertex_normals(rest, body.f)[body.f[bound.triangle[rows]]].mean(1)
    apart = ((place_at_rest(bound.take(rows), body) - feet[rows]) * normals).sum(1)
    out[rows] = beside & (other | (np.abs(apart) > S.raised))
    return out | _find_stray_hair(avatar, gone)


def _find_stray_hair(avatar: Avatar, gone: BoolArray) -> BoolArray:
    """[N] hair between whose strands the photo shows the clothes below."""
    body, bound = avatar.body, avatar.gaussians
    out = np.zeros(len(bound), bool)
    hair = find_own(avatar) & ~gone & (bound.part == PARTS.index("hair"))
    if hair.sum() < S.alike or gone.sum() < S.alike:
        return out
    rows, cloth = np.nonzero(hair)[0], np.nonzero(gone)[0]
    points, around = (place_at_rest(bound.take(one), body) for one in (rows, cloth))
    lab, worn = (rgb_to_lab(np.asarray(bound.colors[one], np.float64)) for one in (rows, cloth))
    distance, near = cKDTree(around).query(points, S.alike)
    beside = np.median(worn[near], axis=1)
    own = np.linalg.norm(lab - np.median(lab, axis=0), axis=1)
    out[rows] = (distance[:, 0] < S.stray) & (np.linalg.norm(lab - beside, axis=1) < S.closer * own)
    return out


def _was_hidden(middles: FloatArray, feet: FloatArray, names: IntArray) -> BoolArray:
    """[K] triangles of the body under clothes, given the places [M] of the body that hold them."""
    if not len(feet):
        return np.zeros(len(middles), bool)
    near = cKDTree(feet).query(middles, distance_upper_bound=S.beside)[0] < S.beside
    hanging = feet[~np.isin(names, BARE)]  # a skirt is held by a piece of its own, around the legs
    if len(hanging):
        low, high = hanging.min(0), hanging.max(0)
        near |= ((middles >= low) & (middles <= high)).all(1)
    return np.asarray(near)


def _is_shown(
    at: FloatArray, feet: FloatArray, scales: FloatArray, opacities: FloatArray
) -> BoolArray:
    """[K] places of the body over which the photo's splats, with these feet, stay."""
    if not len(feet):
        return np.zeros(len(at), bool)
    distance, near = cKDTree(feet).query(at, min(S.around, len(feet)))
    distance, near = distance.reshape(len(at), -1), near.reshape(len(at), -1)
    sigma = np.sort(np.asarray(scales, np.float64), axis=1)[:, 1:].mean(1)[near]
    alpha = np.clip(opacities[near] * np.exp(-0.5 * (distance / sigma) ** 2), 0.0, 0.99)
    return np.asarray(1.0 - np.prod(1.0 - alpha, axis=1) > S.covered)


def _find_height(avatar: Avatar, skin: BoolArray, feet: FloatArray, at: FloatArray) -> FloatArray:
    """[K] metres that completed skin stands off, which follows the photo's beside it."""
    body, bound = avatar.body, avatar.gaussians
    rows = np.nonzero(skin & (bound.opacities > 0.5))[0]
    if len(rows) < S.near:
        return np.zeros(len(at))
    normals = vertex_normals(body.v_template, body.f)[body.f[bound.triangle[rows]]].mean(1)
    apart = place_at_rest(bound.take(rows), body) - feet[rows]
    height = (apart * normals).sum(1)
    distance, near = cKDTree(feet[rows]).query(at, S.near)
    lift = np.clip(np.median(height[near], axis=1), -S.stands, S.stands)
    return np.asarray(lift * np.exp(-((distance[:, 0] / S.levels) ** 2)))
