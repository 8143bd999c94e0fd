"""A round brush on the splats of one avatar, as seen in a view. Without a window: the view is given
by its matrices, so that scripts and tests can paint as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.core.types import PARTS, BoolArray, FloatArray, IntArray
from ...engine.scene.mesh import KEPT
from ..scene.avatar_objects import AvatarObjects
from ..scene.part_selection import require_part
from ..scene.read_back import read_attribute
from ..scene.splat_edits import SplatEdits
from ..scene.splat_places import SplatPlaces

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
        matrix = self.window @ self.view
        clip = points @ matrix[[0, 1, 3], :3].T + matrix[[0, 1, 3], 3]
        w = np.where(clip[:, 2] > 1e-9, clip[:, 2], np.nan)
        pixels = clip[:, :2] / w[:, None]
        pixels *= [0.5 * self.width, 0.5 * self.height]
        pixels += [0.5 * self.width, 0.5 * self.height]
        return pixels, -(points @ self.view[2, :3] + self.view[2, 3])

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
    pixels: FloatArray,
    depths: FloatArray,
    sizes: FloatArray,
    solid: BoolArray,
    view: BrushView,
    center: tuple[float, float],
    radius: float,
    depth: float = DEPTH,
) -> tuple[IntArray, FloatArray, float]:
    """Find the points under a brush that nothing hides.

    Args:
        pixels: [N, 2] of the points, as :meth:`BrushView.project` gives them.
        depths: [N] metres.
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
    with np.errstate(invalid="ignore"):
        across = pixels - center
        away = np.sqrt(np.einsum("nc,nc->n", across, across))
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

    Attributes:
        touched: how many splats the stroke has reached, some of them more than once.
    """

    def __init__(
        self, objects: AvatarObjects, context: Any, view: BrushView, part: str | None = None
    ) -> None:
        """Begin a stroke.

        Args:
            objects: of the avatar.
            context: of Blender.
            view: in which the brush is seen.
            part: of the person, the only one that is reached; None: all.

        Raises:
            LikenessError: The avatar is linked, in Edit Mode, cannot be read or does not show the
                part.
        """
        self._edits = SplatEdits(objects)
        self._before = self._edits.retouch.copy()
        self._view = view
        self._places = SplatPlaces.read(objects, context)
        self._pixels, self._depths = view.project(self._places.points)
        self._solid = self._edits.opacities > _SOLID
        self._reached: BoolArray | None = None
        if part is not None:
            require_part(objects.splats, part)
            shown = read_attribute(objects.splats.data, KEPT.part)
            self._reached = np.asarray(shown == PARTS.index(part))
        self._grabbed: tuple[IntArray, FloatArray, float] | None = None
        self._start = np.zeros(2)
        self._unwritten: list[IntArray] = []
        self.touched = 0

    def take_back(self) -> None:
        """Undo the whole stroke."""
        self._edits.retouch[:] = self._before
        self._edits.write()

    def dab(
        self,
        action: str,
        center: tuple[float, float],
        radius: float,
        strength: float = 1.0,
        color: FloatArray | None = None,
        depth: float = DEPTH,
        write: bool = True,
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
            write: store it in the mesh; False: the next dab that writes does, for speed.
        """
        if action == "MOVE":
            self._drag(center, radius, strength, depth)
            return
        rows, falloff, _ = self._find(center, radius, depth)
        if len(rows):
            share = strength * falloff
            if action == "ERASE":
                self._edits.erase(rows, share)
                self._solid = self._edits.opacities > _SOLID
            elif action == "RESTORE":
                self._edits.restore(rows, share)
            else:
                self._edits.tint(rows, np.asarray(color), share)
            self.touched += len(rows)
            self._unwritten.append(rows)
        if write and self._unwritten:
            self._edits.write(np.unique(np.concatenate(self._unwritten)))
            self._unwritten = []

    def _find(
        self, center: tuple[float, float], radius: float, depth: float
    ) -> tuple[IntArray, FloatArray, float]:
        """What the brush reaches; what was erased hides nothing, and other parts do."""
        rows, falloff, front = find_under_brush(
            *(self._pixels, self._depths, self._places.sizes, self._solid, self._view),
            *(center, radius, depth),
        )
        if self._reached is not None:
            chosen = self._reached[rows]
            rows, falloff = rows[chosen], falloff[chosen]
            front = float(np.median(self._depths[rows])) if len(rows) else 0.0
        return rows, falloff, front

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
        self._edits.move(rows, self._places.frame_moves(rows, falloff[:, None] * world))
        self._edits.write(rows)
