"""Where splats of a lid are bound, so that a blink carries them where they belong.

A splat keeps its place in its triangle's frame, so the triangle decides where it goes when the eye
closes or opens. The triangles of a lid and its lining move by anything from nothing to 9 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.cameras import project
from ....core.geometry import TriangleFrames, triangle_frames
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import FloatArray, IntArray
from .face_parts import EYE_RINGS, FittedFace, cast_rays, eye_triangles, spread_points
from .lid_colors import EyeOpening, find_eye_opening


@dataclass(frozen=True)
class LidPlaceSettings:
    """The photo's splats around an eye, and what a closed lid is bound to."""

    hover: float = 0.0004  # metres that the photo's splats around an eye stand in front of the fit
    edge: float = 0.06  # pupil distances above the eye over which the upper lid's rim stands out
    edge_hover: float = 0.0009  # metres more than ``hover`` at the upper rim
    low_hover: float = 0.0003  # the same at the lower one
    spacing: float = 0.00055  # metres between places
    moves: float = 0.0015  # metres that a blink moves them, at least
    places: int = 250  # that a closed lid may be bound to, at most
    rim_places: int = 600  # the same of the photo's lashes
    near: float = 0.003  # metres from where a closed lid's splat lies to where it is bound
    shallow: float = 0.0002  # metres that it may show in front of the photo while the eye is open
    folded: float = 0.0006  # metres that it should lie behind the photo then
    intrudes: float = 0.006  # pupil distances that it may hang into the open eye
    clear: float = 0.015  # pupil distances that it should stay off the open eye
    clear_pixels: float = 1.5  # the same, pixels of the photo more
    astray: float = 0.010  # pupil distances off its way while the eye is half closed
    brows: float = 0.0003  # metres that brows may move it: a lid's edge stays where it is
    thrown: float = 0.0005  # metres that raised brows and wide eyes may move the photo's lashes
    off_goal: float = 0.0003  # metres beside the place where the photo's lashes end
    grid: int = 64  # rays, along a side, that find the photo's depth around an eye


S = register_settings("lift.lid_places", LidPlaceSettings())


def photo_depth(face: FittedFace, side: str, xy: FloatArray) -> FloatArray | None:
    """Return the depth of the photo's splats around an eye: just in front of the skin.

    It never lies behind the eyeball. The upper lid's rim stands out, so that the closed lid lies
    folded behind it while the eye is open.

    Args:
        face: the fitted face.
        side: "left" or "right".
        xy: [N, 2] pixels of the photo.

    Returns:
        [N] metres, or None where the skin is out of sight.
    """
    skin = cast_rays(face, xy, face.faces("face", "eyelid"))
    if skin is None:
        return None
    line = find_eye_opening(face, side)
    above, below = line.above(xy), line.below(xy)
    u = line.place(xy)[:, 0]
    beside = np.maximum(line.upper[0, 0] - u, u - line.upper[-1, 0])
    fall = np.clip(1.0 - np.maximum(np.maximum(above, below), beside) / S.edge, 0.0, 1.0)
    share = np.clip(0.5 + 0.5 * (above - below) / np.maximum(np.abs(above + below), 1e-3), 0, 1)
    depth = skin.depth - S.hover
    depth -= fall * (share * S.edge_hover + (1.0 - share) * S.low_hover)
    ball = cast_rays(face, xy, eye_triangles(face, side))
    if ball is not None:
        depth = np.minimum(depth, np.where(ball.met, ball.depth - S.hover, np.inf))
    return depth


@dataclass(frozen=True)
class LidPlaces:
    """Places on a lid where splats can be bound.

    Attributes:
        triangle: [M] rows of ``body.f``.
        bary: [M, 3] on them.
        opened: their frames with the photo's eye.
        half: with a half closed one.
        shut: with a closed one.
    """

    triangle: IntArray
    bary: FloatArray
    opened: TriangleFrames
    half: TriangleFrames
    shut: TriangleFrames


def _carry(points: FloatArray, old: TriangleFrames, new: TriangleFrames) -> FloatArray:
    """Where points [N, 3] go when M frames that hold them move: [N, M, 3]."""
    turn = (new.sigma / old.sigma)[:, None, None] * np.einsum("mab,mcb->mac", new.R, old.R)
    moved = points[:, None] - old.origin
    return np.asarray(new.origin + np.einsum("mab,nmb->nma", turn, moved))


def find_places(
    face: FittedFace, closed: FloatArray, side: str, most: int, *parts: str
) -> LidPlaces | None:
    """Find places all over what a blink moves.

    Args:
        face: the fitted face.
        closed: [V, 3] metres, the photo's pose with both eyes closed.
        side: "left" or "right".
        most: how many, at most.
        parts: the parts of the body that they may lie on.

    Returns:
        The places, or None if there are hardly any.
    """
    body = face.body
    way = np.linalg.norm(closed - face.vertices, axis=1)[body.f].mean(1)
    own = face.faces(*parts) & (face.left == (side == "left")) & (way > S.moves)
    rows = np.nonzero(own)[0]
    row, bary = spread_points(closed[body.f[rows]], S.spacing)
    if len(row) < 24:
        return None
    some = np.linspace(0, len(row) - 1, min(len(row), most)).astype(int)
    triangle, bary = rows[row[some]], bary[some]
    frames = [
        triangle_frames(vertices, body.f, body.v_template, triangle, bary)
        for vertices in (face.vertices, (face.vertices + closed) / 2, closed)
    ]
    return LidPlaces(triangle, bary, *frames)


def _astray(
    face: FittedFace, line: EyeOpening, half: FloatArray, start: FloatArray, end: FloatArray
) -> FloatArray:
    """[N, M] squares of how far points [N, M, 3] of a half closed lid are off their way.

    ``start`` and ``end`` [N, 2] are where they lie in the open and in the closed eye.
    """
    at = line.place(project(half.reshape(-1, 3), face.camera)[0]).reshape(*half.shape[:2], 2)
    return np.asarray(((at - (start + end)[:, None] / 2) ** 2).sum(-1) / S.astray**2)


def choose_hidden_places(
    face: FittedFace, side: str, line: EyeOpening, places: LidPlaces, points: FloatArray
) -> IntArray:
    """Find where to bind a closed lid, so that it comes down as one and is hidden by an open eye.

    Then it lies behind the photo's splats, and not in the eye's opening; of such places each splat
    takes a near one that brings it half the way down with a half closed lid.

    Args:
        face: the fitted face.
        side: "left" or "right".
        line: the eye's opening.
        places: on the lid.
        points: [N, 3] metres, on the closed lid.

    Returns:
        [N] indices into ``places``.
    """
    ring = face.points[list(EYE_RINGS[side])]
    low, high = ring.min(0) - 0.4 * face.unit, ring.max(0) + 0.4 * face.unit
    xs, ys = (np.linspace(a, b, S.grid) for a, b in zip(low, high, strict=True))
    grid = photo_depth(face, side, np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2))
    cost = ((points[:, None] - places.shut.origin) ** 2).sum(-1) / S.near**2
    if grid is None:
        return np.asarray(cost.argmin(1))
    end = line.place(project(points, face.camera)[0])
    gap = np.interp(end[:, 0], *line.lower.T) - np.interp(end[:, 0], *line.upper.T)
    start = end - np.stack([np.zeros(len(end)), np.maximum(gap, 0.0)], -1)
    cost += _astray(face, line, _carry(points, places.shut, places.half), start, end)
    opened = _carry(points, places.shut, places.opened).reshape(-1, 3)
    xy, depth = project(opened, face.camera)
    cell = (xy - low) / (high - low) * (S.grid - 1) + 0.5
    before = bilinear(grid.reshape(S.grid, S.grid, 1), cell)[:, 0]
    cost += (np.maximum(before + S.folded - depth, 0.0) / S.shallow).reshape(cost.shape) ** 2
    within = np.minimum(-line.above(xy), -line.below(xy)) + S.clear + S.clear_pixels / face.unit
    cost += (np.maximum(within, 0.0) / S.intrudes).reshape(cost.shape) ** 2
    return np.asarray(cost.argmin(1))


def choose_closing_places(
    face: FittedFace, line: EyeOpening, places: LidPlaces, points: FloatArray, goal: FloatArray
) -> IntArray:
    """Find where to bind what an open lid shows, so that a blink takes it to its goal.

    Args:
        face: the fitted face.
        line: the eye's opening.
        places: on the lid and its lining.
        points: [N, 3] metres, with the open eye.
        goal: [N, 3] metres, with the closed one.

    Returns:
        [N] indices into ``places``.
    """
    start, end = (line.place(project(p, face.camera)[0]) for p in (points, goal))
    ends = _carry(points, places.opened, places.shut)
    cost = ((ends - goal[:, None]) ** 2).sum(-1) / S.off_goal**2
    cost += _astray(face, line, _carry(points, places.opened, places.half), start, end)
    # A frame that turns would throw what hangs off it across the lid.
    for moved in (face.widened(), face.with_raised_brows()):
        frames = triangle_frames(
            moved, face.body.f, face.body.v_template, places.triangle, places.bary
        )
        thrown = _carry(points, places.opened, frames) - points[:, None]
        cost += (thrown**2).sum(-1) / S.thrown**2
    brows = np.linalg.norm(face.brow_motion()[face.body.f[places.triangle]], axis=2).max(1)
    cost += (brows / S.brows) ** 2
    return np.asarray(cost.argmin(1))
