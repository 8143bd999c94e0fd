"""A round brush on the splats of one avatar, as seen in a view. Without a window: the view is given
by its matrices, so that scripts and tests can paint as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.core.types import BoolArray, FloatArray, IntArray
from ..scene.avatar_objects import AvatarObjects
from ..scene.axes import points_to_blender, points_to_engine
from ..scene.origin import photo_matrix
from ..scene.splat_cage import PlacedSplats
from ..scene.splat_edits import SplatEdits

DEPTH = 0.03
"""Metres behind the front of what is seen that the brush reaches: a lock of hair, a fold."""

_CELL = 6.0  # pixels; of a grid whose cells have a front each
_SPREAD = 4.0
"""Standard deviations of the splats that a cell is wide at least: seen from near, what lies behind
would show between their middles."""
_SOLID = 0.3
"""Splats of lower opacity hide nothing."""


@dataclass(frozen=True)
class BrushView:
    """A view of the scene.

    Attributes:
        view: [4, 4] world to camera, which looks along -z.
        window: [4, 4] camera to clip space.
        width: pixels.
        height: pixels.
    """

    view: FloatArray
    window: FloatArray
    width: int
    height: int

    def project(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return pixels [N, 2] from the lower left corner, and depths [N], metres; pixels behind
        the view are NaN.

        Args:
            points: [N, 3] metres, world.
        """
        seen = points @ self.view[:3, :3].T + self.view[:3, 3]
        clip = seen @ self.window[:, :3].T + self.window[:, 3]
        behind = clip[:, 3] <= 1e-9
        share = clip[:, :2] / np.where(behind, np.nan, clip[:, 3])[:, None]
        pixels = (0.5 + 0.5 * share) * [self.width, self.height]
        return pixels, -seen[:, 2]

    def metres(self, pixels: FloatArray, depth: float) -> FloatArray:
        """Return the move [3] in the world of a move [2] of pixels at a depth in metres."""
        seen = np.append(np.asarray(pixels) / self.scale(np.array([depth]))[0], 0.0)
        return np.asarray(self.view[:3, :3].T @ seen)

    def scale(self, depths: FloatArray) -> FloatArray:
        """Return pixels per metre [N, 2], to the right and up, at depths [N] in metres."""
        w = abs(self.window[3, 2]) * depths + self.window[3, 3]
        whole = np.array([self.window[0, 0] * self.width, self.window[1, 1] * self.height])
        return np.asarray(0.5 * whole / w[:, None])


def find_under_brush(
    points: FloatArray,
    sizes: FloatArray,
    solid: BoolArray,
    view: BrushView,
    center: tuple[float, float],
    radius: float,
    depth: float = DEPTH,
) -> tuple[IntArray, FloatArray, float]:
    """Find the points under a brush that nothing hides.

    Args:
        points: [N, 3] metres, world.
        sizes: [N] their standard deviations, metres.
        solid: [N] which of them hide what is behind them.
        view: of the brush.
        center: pixels from the lower left corner.
        radius: pixels.
        depth: metres behind the front that the brush reaches.

    Returns:
        rows: [M] of the points.
        falloff: [M] 1 in the middle to 0 at the rim.
        front: median depth of the points, metres; 0 if there are none.
    """
    pixels, depths = view.project(points)
    with np.errstate(invalid="ignore"):
        away = np.linalg.norm(pixels - center, axis=1)
        rows = np.flatnonzero(away < radius)
    hides = rows[solid[rows]]
    if np.isfinite(depth) and len(hides):
        wide = sizes[hides] * view.scale(depths[hides])[:, 1]
        cell = max(_CELL, _SPREAD * float(np.median(wide)))
        reach = radius + cell  # a front may lie beside a small brush
        with np.errstate(invalid="ignore"):
            hides = np.flatnonzero(solid & (away < reach))
        count = int(2 * reach / cell) + 1

        def find_cells(of: IntArray) -> IntArray:
            cells = ((pixels[of] - center + reach) / cell).astype(np.int64)
            return np.asarray(cells[:, 1] * count + cells[:, 0])

        front = np.full(count * count, np.inf)
        np.minimum.at(front, find_cells(hides), depths[hides])
        rows = rows[depths[rows] <= front[find_cells(rows)] + depth]
    falloff = (1.0 - (away[rows] / radius) ** 2) ** 2
    return rows, falloff, float(np.median(depths[rows])) if len(rows) else 0.0


class SplatBrush:
    """One stroke of the brush on an avatar.

    Raises:
        LikenessError: The avatar is linked, in Edit Mode, or cannot be read.
    """

    def __init__(self, objects: AvatarObjects, context: Any, view: BrushView) -> None:
        self.edits = SplatEdits(objects)
        self._view = view
        self._placed = PlacedSplats.read(objects, context)
        matrix = np.array(objects.armature.matrix_world @ photo_matrix(objects.armature))
        self._turn = matrix[:3, :3]
        self._points = points_to_blender(self._placed.means) @ self._turn.T + matrix[:3, 3]
        self._sizes = np.linalg.norm(self._placed.axes, axis=1).max(1) * np.cbrt(
            abs(np.linalg.det(self._turn))
        )
        self._solid = self.edits.opacities > _SOLID
        self._grabbed: tuple[IntArray, FloatArray, float] | None = None
        self._start = np.zeros(2)
        self.touched = 0

    def dab(
        self,
        action: str,
        center: tuple[float, float],
        radius: float,
        strength: float = 1.0,
        color: FloatArray | None = None,
        depth: float = DEPTH,
    ) -> None:
        """Press the brush at one point of the stroke.

        Args:
            action: ``ERASE``, ``RESTORE``, ``TINT`` or ``MOVE``, which drags what lay under the
                stroke's first point.
            center: pixels from the lower left corner of the view.
            radius: pixels.
            strength: 0 to 1.
            color: [3] sRGB of a tint.
            depth: metres behind the front that the brush reaches.
        """
        if action == "MOVE":
            self._drag(center, radius, strength, depth)
            return
        rows, falloff, _ = self._find(center, radius, depth)
        if not len(rows):
            return
        share = strength * falloff
        if action == "ERASE":
            self.edits.erase(rows, share)
            self._solid = self.edits.opacities > _SOLID
        elif action == "RESTORE":
            self.edits.restore(rows, share)
        else:
            self.edits.tint(rows, np.asarray(color), share)
        self.touched += len(rows)
        self.edits.write(rows)

    def _find(
        self, center: tuple[float, float], radius: float, depth: float
    ) -> tuple[IntArray, FloatArray, float]:
        """What the brush reaches; what was erased hides nothing."""
        return find_under_brush(
            self._points, self._sizes, self._solid, self._view, center, radius, depth
        )

    def _drag(
        self, center: tuple[float, float], radius: float, strength: float, depth: float
    ) -> None:
        if self._grabbed is None:
            rows, falloff, front = self._find(center, radius, depth)
            self._grabbed, self._start = (rows, falloff, front), np.array(center)
            self.touched = len(rows)
            return
        rows, falloff, front = self._grabbed
        if not len(rows):
            return
        world = strength * self._view.metres(np.array(center) - self._start, front)
        self._start = np.array(center)
        moves = falloff[:, None] * (world @ np.linalg.inv(self._turn).T)
        self.edits.move(rows, self._placed.frame_moves(rows, points_to_engine(moves)))
        self.edits.write(rows)
