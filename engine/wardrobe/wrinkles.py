"""Age lines: wrinkles and folds laid over the skin of a face, in its own tone and light.

Each line is a valley with a swell on both sides, as in the generator of synthetic people. Small
splats over it show the shade of its slopes and of its depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.attributes import constant_span
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import PARTS, Avatar, BoolArray, FloatArray, IntArray
from ..gaussians.lift.accessories.glasses import nearest_triangles
from ..gaussians.relight.photo_shade import find_light, light_all_around, turn_to_camera
from .attribute_splats import COMES, AddedSplats, find_own
from .bare_head import HeadSkin
from .creases import Crease, draw_creases
from .face_marks import find_landmarks
from .face_skin import FaceSkin
from .hair_binding import build_surface, normalize
from .items import ItemRequest
from .makeup import find_share
from .mesh_splats import make_discs, scatter_evenly


@dataclass(frozen=True)
class Wrinkles:
    """Which lines a face gets.

    Attributes:
        ageing: of the skin, 0 (none) to 1 (85 years in the sun).
        regions: of the face.
    """

    ageing: float
    regions: tuple[str, ...] = ("forehead", "eyes", "mouth")


ITEMS: dict[str, Wrinkles] = {
    "fine": Wrinkles(0.62),
    "deep": Wrinkles(1.0),
    "forehead": Wrinkles(0.85, ("forehead",)),
    "eyes": Wrinkles(0.85, ("eyes",)),
    "mouth": Wrinkles(0.85, ("mouth",)),
}


@dataclass(frozen=True)
class WrinkleSettings:
    """How lines look."""

    spacing: float = 0.0005  # metres between the splats of a line
    reach: float = 2.4  # widths beside a line that it changes
    sigma: float = 0.9  # standard deviation of a splat in steps of the spacing
    steep: float = 2.0  # times as steep as the fold: what lights a face is softer than a lamp
    deep: float = 380.0  # part of the light that a metre of depth takes
    least: float = 0.45  # light that is left in the deepest
    most: float = 1.22  # light on the brightest swell
    red: tuple[float, float, float] = (0.8, 1.05, 1.15)  # exponents: shade in skin is red
    seen: float = 0.09  # change of the light that a line shows fully
    opacity: float = 0.8
    lift: float = 0.0003  # metres over the photo's surface
    surface: float = 0.0008  # metres between the points that carry the lines


S = register_settings("wardrobe.wrinkles", WrinkleSettings())

_FACE = PARTS.index("face")


def fit_wrinkles(avatar: Avatar, request: ItemRequest) -> AddedSplats:
    """Make the splats of age lines.

    Args:
        avatar: with its attributes.
        request: of the category ``wrinkles``.

    Raises:
        LikenessError: the body has no landmarks, or the face no skin.
    """
    body: Body = avatar.body
    rest = np.asarray(body.v_template, np.float64)
    wanted = ITEMS[request.item]
    faces = np.nonzero(body.face_part == list(body.part_names).index("face"))[0]
    triangle, bary = scatter_evenly(rest[body.f[faces]], S.surface)
    surface = np.einsum("nk,nkd->nd", bary, rest[body.f[faces[triangle]]])
    rng = np.random.default_rng([request.seed, 71])
    creases = draw_creases(find_landmarks(body, rest), cKDTree(surface), wanted.ageing, rng)
    creases = [one for one in creases if one.region in wanted.regions]
    at, normals, slope, height = _sample_lines(creases, rest, body, faces)
    triangle, bary = nearest_triangles(at, faces, rest, body)
    corner = body.f[triangle]
    feet = np.einsum("nk,nkd->nd", bary, rest[corner])
    own = find_own(avatar)
    bare = own & (find_share(avatar, "brows") == 0.0) & ~HeadSkin(avatar, own).hair
    skin = FaceSkin(avatar, bare)
    shade = _shade(avatar, triangle, normals, slope, height)
    tone = skin.tone(feet)
    colors = tone * shade[:, None] ** np.array(S.red)
    opacity = S.opacity * np.clip(np.abs(shade - 1.0) / S.seen, 0.0, 1.0)
    points = feet + (np.maximum(skin.height(feet), 0.0) + S.lift)[:, None] * normals
    opacity *= skin.is_bare(points, feet)
    count = len(at)
    splats = make_discs(
        points,
        normals,
        np.full(count, max(S.sigma * S.spacing, 0.5 * skin.size)),
        np.clip(colors, 0.0, 1.0),
        opacity,
    )
    shown: BoolArray = opacity > 0.02
    kept = int(shown.sum())
    return AddedSplats(
        splats.take(shown),
        triangle[shown],
        bary[shown],
        constant_span(COMES, kept),
        np.zeros(len(avatar.gaussians), bool),
        np.ones(kept, bool),
        np.ones(kept),
        np.full(kept, _FACE),
        np.full(kept, -1),
    )


def _sample_lines(
    creases: list[Crease], rest: FloatArray, body: Body, faces: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Places on and beside lines, and the relief of all lines there.

    Returns:
        at: [N, 3] metres.
        normals: [N, 3] unit.
        slope: [N, 3] by how much the surface rises along each axis.
        height: [N] metres.
    """
    surface = build_surface(rest, body, "face", "eyelid")
    every = []
    for one in creases:
        line = _resample(one.line)
        along = normalize(np.gradient(line, axis=0))
        across = normalize(np.cross(surface.height(line)[1], along))
        count = int(np.ceil(S.reach * one.width / S.spacing))
        aside = np.arange(-count, count + 1) * S.spacing
        every.append((line[:, None] + aside[None, :, None] * across[:, None]).reshape(-1, 3))
    at = np.concatenate(every)
    # Where lines meet, their places would lie twice.
    cell = np.round(at / S.spacing).astype(np.int64)
    at = at[np.sort(np.unique(cell, axis=0, return_index=True)[1])]
    normals = _smooth_normals(at, rest, body, faces)
    slope, height = np.zeros_like(at), np.zeros(len(at))
    for one in creases:
        line = _resample(one.line)
        distance, near = cKDTree(line).query(at, distance_upper_bound=3.5 * one.width)
        rows = np.nonzero(np.isfinite(distance))[0]
        way = at[rows] - line[near[rows]]
        way -= (way * normals[rows]).sum(1, keepdims=True) * normals[rows]
        t = near[rows] / max(len(line) - 1, 1)
        fade = np.sqrt(np.clip(4.0 * t * (1.0 - t), 0.0, 1.0))  # ends run out
        q = (way**2).sum(1) / one.width**2
        bell = np.exp(-0.6 * q)
        height[rows] -= one.depth * fade * (1.0 - 0.55 * q) * bell
        rise = one.depth * fade * (0.55 + 0.6 * (1.0 - 0.55 * q)) * bell * 2.0 / one.width**2
        slope[rows] += rise[:, None] * way
    return at, normals, slope, height


def _resample(line: FloatArray) -> FloatArray:
    """[K, 3] points of a line at even steps."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    places = np.linspace(0.0, along[-1], max(int(along[-1] / S.spacing), 2))
    return np.stack([np.interp(places, along, line[:, axis]) for axis in range(3)], 1)


def _smooth_normals(at: FloatArray, rest: FloatArray, body: Body, faces: IntArray) -> FloatArray:
    """[N, 3] unit normals of the face at places."""
    triangle, bary = nearest_triangles(at, faces, rest, body)
    corner = body.f[triangle]
    return normalize(np.einsum("nk,nkd->nd", bary, vertex_normals(rest, body.f)[corner]))


def _shade(
    avatar: Avatar, triangle: IntArray, normals: FloatArray, slope: FloatArray, height: FloatArray
) -> FloatArray:
    """[N] the photo's light on lines, as factors on that on smooth skin."""
    body: Body = avatar.body
    light = find_light(avatar)
    posed = body.vertices(avatar.pose)[0]
    turn = _turns(np.asarray(body.v_template, np.float64), posed, body.f[triangle])
    tilted = normalize(normals - S.steep * slope)
    before, after = (
        light_all_around(
            light, turn_to_camera(normalize(np.einsum("nab,nb->na", turn, n)), avatar)
        ).mean(-1)
        for n in (normals, tilted)
    )
    deep = np.exp(np.minimum(S.deep * height, 0.0))
    return np.asarray(np.clip(after / np.maximum(before, 0.05) * deep, S.least, S.most))


def _turns(rest: FloatArray, posed: FloatArray, corners: IntArray) -> FloatArray:
    """[N, 3, 3] rotations of triangles from rest to a pose."""

    def frames(vertices: FloatArray) -> FloatArray:
        a, b, c = (np.asarray(vertices, np.float64)[corners[:, k]] for k in range(3))
        first = normalize(b - a)
        normal = normalize(np.cross(b - a, c - a))
        return np.stack([first, np.cross(normal, first), normal], -1)

    return np.asarray(np.einsum("nab,ncb->nac", frames(posed), frames(rest)))
