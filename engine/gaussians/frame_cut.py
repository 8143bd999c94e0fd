"""Cuts through an avatar at rest, closed as a sculptor closes a bust.

What lies beside a cut is left to the caller. The edge gets a rim of fine splats, a small bevel and
a flat cap, which lies on one triangle, so that it stays flat in every pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..body import Body
from ..core.distances import find_nearest, measure_depth
from ..core.geometry import triangle_frames, vertex_normals
from ..core.settings import register_settings
from ..core.types import LAYERS, Avatar, BoolArray, BoundGaussians, FloatArray, IntArray
from ..poses import build_pose
from .binding import bind_gaussians, place_gaussians
from .lift.surface.surfels import surfels_on_plane
from .mesh_extraction import dressed_vertices


@dataclass(frozen=True)
class CutSettings:
    """The edge and the cap of a cut."""

    bevel: float = 0.008  # metres by which a cut's edge is rounded
    rim: float = 0.024  # metres of surface above the edge that are made anew, in fine splats
    step: float = 0.003  # metres between these
    radius: float = 0.75  # their standard deviation, in steps
    under: float = 0.0015  # metres that the rim lies below the splats that are there
    opacity: float = 0.95  # of rim and cap
    beside: int = 6  # splats that a place of the rim has its colour from
    blend: int = 400  # splats of the rim that the cap has its colours from
    blend_reach: float = 0.03  # metres within which they count alike
    coarser: int = 3  # times farther apart that the cap's splats are
    judges: int = 60  # places of a section that choose the triangle that carries its cap
    shade: float = 0.8  # colour of the cap over that of the rim around it
    solid: float = 0.5  # opacity of splats that give the rim its colours


S = register_settings("frame_cut", CutSettings())

JUDGED = ("relaxed", "arms_forward", "reach_up", "bow", "sit")
"""Poses in which a cap is to stay in its section."""


@dataclass(frozen=True)
class Section:
    """A plane across an axis of the body at rest.

    Attributes:
        among: [F] the triangles that it cuts.
        axis: across the plane: 0, 1 or 2.
        at: place of the plane on it, metres.
        up: 1 or -1: the direction on it that leads to what stays.
    """

    among: BoolArray
    axis: int
    at: float
    up: float


def close_sections(avatar: Avatar, sections: Sequence[Section]) -> BoundGaussians:
    """Make the rims, bevels and caps of sections.

    Args:
        avatar: before it is cut.
        sections: of its body at rest.
    """
    body: Body = avatar.body
    surface = dressed_vertices(avatar)
    normals = vertex_normals(surface, body.f)
    paint = _Paint.of(avatar)
    parts = []
    for cut in sections:
        rows = [
            _slice(surface, normals, body.f, cut, S.bevel + k * S.step)
            for k in range(round(S.rim / S.step) + 1)
        ]
        rim = _Points.concatenate(rows)
        if len(rim.triangle) == 0:
            continue
        colors = paint.colors(rim.points)
        below = replace(rim, points=rim.points - S.under * rim.normals)
        parts.append(_splats(below, colors, S.step, body))
        bevel = _bevel(rows[0], cut)
        cap, apart = _cap(rows[0], cut, avatar)
        closing = _Points.concatenate([bevel, cap])
        size = S.step * np.concatenate([np.ones(len(bevel.points)), apart])
        parts.append(_splats(closing, _shaded(closing.points, rim.points, colors), size, body))
    return BoundGaussians.concatenate(parts or [avatar.gaussians.take(slice(0))])


@dataclass(frozen=True)
class _Points:
    """Points of a section: [N, 3] places and unit normals, and [N] triangles, [N, 3] bary."""

    points: FloatArray
    normals: FloatArray
    triangle: IntArray
    bary: FloatArray

    def take(self, rows: IntArray) -> _Points:
        return _Points(*(getattr(self, one.name)[rows] for one in fields(self)))

    @staticmethod
    def concatenate(parts: Sequence[_Points]) -> _Points:
        names = [one.name for one in fields(_Points)]
        return _Points(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def _slice(
    surface: FloatArray, normals: FloatArray, f: IntArray, cut: Section, above: float
) -> _Points:
    """Points ``step`` apart where a plane ``above`` a section cuts its triangles."""
    axis, at = cut.axis, cut.at + cut.up * above
    side = surface[f, axis] > at
    rows = np.nonzero(cut.among & side.any(1) & ~side.all(1))[0]
    # The corner that lies alone on its side: the plane cuts both of its edges.
    lone = np.where(side[rows].sum(1) == 1, side[rows].argmax(1), (~side[rows]).argmax(1))
    ends = []
    for step in (1, 2):
        other = (lone + step) % 3
        a, b = (surface[f[rows, k], axis] for k in (lone, other))
        bary = np.zeros((len(rows), 3))
        share = (at - b) / np.where(a == b, 1.0, a - b)
        bary[np.arange(len(rows)), lone] = share
        bary[np.arange(len(rows)), other] = 1.0 - share
        ends.append(bary)
    corners = surface[f[rows]]
    first, last = (np.einsum("nk,nkd->nd", bary, corners) for bary in ends)
    # A short segment has a point as often as its length asks for.
    total = np.concatenate([[0.0], np.cumsum(np.linalg.norm(last - first, axis=1) / S.step)])
    count = np.diff(np.floor(total)).astype(int)
    row = np.repeat(np.arange(len(rows)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    t = ((nth + 0.5) / count[row])[:, None]
    bary = (1.0 - t) * ends[0][row] + t * ends[1][row]
    triangle = rows[row]
    points = np.einsum("nk,nkd->nd", bary, surface[f[triangle]])
    normal = np.einsum("nk,nkd->nd", bary, normals[f[triangle]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return _Points(points, normal, triangle, bary)


def _bevel(edge: _Points, cut: Section) -> _Points:
    """Points of the rounded edge below a section: a quarter of a circle around it."""
    out = np.array(edge.normals)
    out[:, cut.axis] = 0.0
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    down = np.zeros(3)
    down[cut.axis] = -cut.up
    rows = []
    for angle in np.linspace(0.0, np.pi / 2, round(np.pi / 2 * S.bevel / S.step) + 1)[1:]:
        normal = np.cos(angle) * out + np.sin(angle) * down
        rows.append(replace(edge, points=edge.points + S.bevel * (normal - out), normals=normal))
    return _Points.concatenate(rows)


def _cap(edge: _Points, cut: Section, avatar: Avatar) -> tuple[_Points, FloatArray]:
    """The flat cap within the bevel of a section, each connected piece of it on one triangle.

    Args:
        edge: the points of the section at the bevel's upper end.
        cut: the section.
        avatar: whose section it is.

    Returns:
        The cap's points, and [N] how many steps they are apart.
    """
    plane = [k for k in range(3) if k != cut.axis]
    flat = edge.points[:, plane]
    low = flat.min(0) - 6.0 * S.step
    drawn = np.zeros(np.ceil((flat.max(0) - low) / S.step).astype(int) + 6, bool)
    cell = tuple(((flat - low) / S.step).astype(int).T)
    drawn[cell] = True
    wide = ndimage.binary_fill_holes(ndimage.binary_dilation(drawn, iterations=3))
    inside = ndimage.binary_erosion(wide, iterations=3)
    inset = S.step * np.asarray(measure_depth(inside))
    pieces, count = ndimage.label(inside)
    rows, cols, _ = find_nearest(inside)
    whose = pieces[rows, cols]
    parts, apart = [edge.take(np.zeros(0, np.int64))], [np.zeros(0)]
    for k in range(1, count + 1):
        own = np.argwhere((pieces == k) & (inset >= S.bevel))
        near = inset[tuple(own.T)] < S.bevel + S.coarser * S.step
        chosen = near | (own % S.coarser == 0).all(1)
        own, near = own[chosen], near[chosen]
        around = edge.take(np.nonzero(whose[cell] == k)[0])
        if len(own) == 0 or len(around.points) == 0:
            continue
        points, normals = np.full((len(own), 3), cut.at), np.zeros((len(own), 3))
        points[:, plane] = low + (own + 0.5) * S.step
        normals[:, cut.axis] = -cut.up
        home = around.take(np.full(len(own), _steadiest(around, avatar)))
        parts.append(replace(home, points=points, normals=normals))
        apart.append(np.where(near, 1.0, S.coarser))
    return _Points.concatenate(parts), np.concatenate(apart)


def _steadiest(edge: _Points, avatar: Avatar) -> int:
    """Which point's triangle carries all of an edge best, as a rigid body, through some poses."""
    body: Body = avatar.body
    rest = triangle_frames(body.v_template, body.f, body.v_template, edge.triangle, edge.bary)
    some = np.linspace(0, len(edge.points) - 1, min(S.judges, len(edge.points))).astype(int)
    from_home = edge.points[some] - rest.origin[:, None]  # [home, place, 3]
    worst = np.zeros(len(edge.points))
    poses = [avatar.pose, *(build_pose(name, body, avatar.pose) for name in JUDGED)]
    for pose in poses:
        vertices, _ = body.vertices(pose)
        posed = triangle_frames(vertices, body.f, body.v_template, edge.triangle, edge.bary)
        turn = posed.sigma[:, None, None] * posed.R @ rest.R.transpose(0, 2, 1)
        carried = np.einsum("hab,hpb->hpa", turn, from_home) + posed.origin[:, None]
        off = (edge.points - rest.origin)[some]
        true = posed.origin[some] + np.einsum("pab,pb->pa", turn[some], off)
        worst = np.maximum(worst, np.linalg.norm(carried - true, axis=-1).mean(1))
    return int(worst.argmin())


def _shaded(points: FloatArray, rim: FloatArray, colors: FloatArray) -> FloatArray:
    """[N, 3] colours of places [N, 3] of a cap: the means of the rim's around it, in the shade."""
    few = np.linspace(0, len(rim) - 1, min(S.blend, len(rim))).astype(int)
    weight = 1.0 / (((points[:, None] - rim[few]) ** 2).sum(-1) + S.blend_reach**2)
    return np.asarray(S.shade * (weight / weight.sum(1, keepdims=True)) @ colors[few])


def _splats(
    at: _Points, colors: FloatArray, size: FloatArray | float, body: Body
) -> BoundGaussians:
    """Round splats at points, of colours [N, 3] and spacing [N] or one (metres)."""
    count = len(at.points)
    radius, opacity = np.broadcast_to(S.radius * size, count), np.full(count, S.opacity)
    world = surfels_on_plane(at.points, at.normals, radius, colors, opacity)
    layer = np.full(count, LAYERS.index("shell"), np.uint8)
    return bind_gaussians(world, at.triangle, at.bary, layer, body.v_template, body)


@dataclass(frozen=True)
class _Paint:
    """Colours [M, 3] of the splats around the end, and a tree over their places at rest."""

    tree: cKDTree
    rgb: FloatArray

    @staticmethod
    def of(avatar: Avatar) -> _Paint:
        placed = place_gaussians(avatar.gaussians, avatar.body.v_template, avatar.body)
        solid = placed.opacities > S.solid
        return _Paint(cKDTree(placed.means[solid]), np.asarray(placed.colors[solid], np.float64))

    def colors(self, points: FloatArray) -> FloatArray:
        """[N, 3] the mean colour beside each place [N, 3]."""
        away, near = self.tree.query(points, k=min(S.beside, len(self.rgb)))
        weight = (1.0 / (away + S.step)).reshape(len(points), -1)
        weight /= weight.sum(1, keepdims=True)
        return np.asarray(
            np.einsum("nk,nkc->nc", weight, self.rgb[near].reshape(len(points), -1, 3))
        )
