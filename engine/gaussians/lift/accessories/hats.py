"""A hat with a brim, fitted to the photo's pixels as a surface around the head.

Crown and brim are one surface of revolution around the hat's own axis, over an ellipse that the
head fits in. Its pose and measures are those whose picture, behind the head and before it, agrees
best with the pixels labelled as hat. Without a brim that explains many of them there is none:
caps and beanies stay what the head's own shell shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from ....body import Body
from ....core.alignment import fit_rigid
from ....core.cameras import crop_camera
from ....core.rotations import axis_angle_to_matrix
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray
from ....render.mesh import rasterize_mesh
from ..garments.labels_surface import vertex_parts
from ..pixels.regions import Regions
from ..surface.labels import HAT


@dataclass(frozen=True)
class HatSettings:
    """A hat's brim."""

    min_pixels: int = 60  # of a hat, on the region grid
    hair: float = 0.010  # metres between the skull and a hat
    around: int = 40  # columns of the mesh that is fitted
    window: int = 90  # pixels along the longer side of the picture that it is fitted in
    min_agreement: float = 0.7  # of the drawn hat with the photo's: pixels shared over joined
    min_gain: float = 0.12  # of that, which the brim brings
    min_width: float = 0.025  # metres of a brim
    bends: float = 0.04  # of agreement that a unit of each parameter off its usual value must bring
    rounds: int = 200  # pictures that each refinement draws at most


S = register_settings("lift.hats", HatSettings())

USUAL = {
    "pitch": (0.1, 0.15),  # radians that it is worn backwards
    "roll": (0.0, 0.10),  # radians
    "rise": (0.035, 0.03),  # metres of the brim's ring above the skull's middle, along the axis
    "back": (0.0, 0.02),  # metres behind it
    "size": (1.0, 0.08),  # of the ring, over the head's
    "width": (0.07, 0.04),  # metres from the ring to the edge
    "droop": (0.0, 0.3),  # metres that the edge hangs lower, over the width
    "curl": (0.0, 0.3),  # the same that it rises at the sides and hangs in front and behind
    "crown": (0.10, 0.03),  # metres that the crown is high
}
"""Usual value and usual difference from it of each of a hat's measures."""

_STARTS = [(p, w) for p in (-0.2, 0.15, 0.5, 0.9, 1.2) for w in (0.05, 0.09)]


@dataclass(frozen=True)
class Hat:
    """A hat with a brim.

    Attributes:
        measures: [9] in the order of ``USUAL``.
        centre: [3] metres, the skull's middle at rest.
        ring: [2] metres, half width and half depth of the head with its hair.
        R: [3, 3] from the head at rest to the photo's pose.
        shift: [3] metres, the same.
    """

    measures: FloatArray
    centre: FloatArray
    ring: FloatArray
    R: FloatArray
    shift: FloatArray

    def measure(self, name: str) -> float:
        """Return one of the measures, by its name in ``USUAL``."""
        return float(self.measures[list(USUAL).index(name)])

    def points(self, angle: FloatArray, along: FloatArray) -> FloatArray:
        """Compute points [..., 3] of the surface at rest, metres.

        Args:
            angle: [...] radians around the axis; 0 in front, a quarter turn on the left.
            along: [...] -1..0 from the crown's middle to the ring, 0..1 from there to the edge.
        """
        _, _, _, back, size, width, _, _, crown = self.measures
        brim, top = np.clip(along, 0.0, 1.0), np.clip(-along, 0.0, 1.0)
        # The crown's side goes up, its top is flat and round at the edge.
        side = np.clip(top / 0.5, 0.0, 1.0)
        inner = np.where(top < 0.5, 1.0 - 0.12 * side**2, 0.88 * (1.0 - top) / 0.5)
        dome = np.where(top < 0.5, 0.88 * side, 0.88 + 0.12 * (1.0 - (inner / 0.88) ** 2))
        radius = size * self.ring * inner[..., None] + (width * brim)[..., None]
        y = self._height(angle, brim) + crown * dome
        local = np.stack(
            [radius[..., 0] * np.sin(angle), y, radius[..., 1] * np.cos(angle) - back], -1
        )
        return np.asarray(local @ self.turn().T + self.centre)

    def turn(self) -> FloatArray:
        """Return the rotation [3, 3] of the hat on the head at rest."""
        pitch, roll = self.measures[:2]
        out = axis_angle_to_matrix(np.array([[-pitch, 0.0, 0.0], [0.0, 0.0, roll]]))
        return np.asarray(out[1] @ out[0])

    def posed(self, points: FloatArray) -> FloatArray:
        """Move points [..., 3] at rest to the photo's pose."""
        return np.asarray(points @ self.R.T + self.shift)

    def above(self, points: FloatArray) -> FloatArray:
        """Compute how far points [N, 3] at rest lie above the brim and the ring's plane, metres."""
        local = (points - self.centre) @ self.turn()
        x, z = local[:, 0], local[:, 2] + self.measure("back")
        ring = self.measure("size") * self.ring
        angle = np.arctan2(x / ring[0], z / ring[1])
        foot = ring * np.stack([np.sin(angle), np.cos(angle)], -1)
        beyond = np.hypot(x, z) - np.linalg.norm(foot, axis=1)
        return np.asarray(local[:, 1] - self._height(angle, beyond / self.measure("width")))

    def _height(self, angle: FloatArray, brim: FloatArray) -> FloatArray:
        """Height [...] of the brim over the skull's middle along the axis, metres."""
        lift = -self.measure("curl") * np.cos(2.0 * angle) - self.measure("droop")
        out = np.clip(brim, 0.0, 1.0) ** 1.5 * lift
        return np.asarray(self.measure("rise") + self.measure("width") * out)

    def mesh(self, columns: int, rows: int) -> tuple[FloatArray, IntArray, BoolArray]:
        """Make its mesh in the photo's pose.

        Args:
            columns: around the axis.
            rows: of quads of the brim; the crown has as many.

        Returns:
            vertices: [V, 3] metres.
            f: [F, 3] triangles, counter-clockwise seen from above.
            brim: [F] those of the brim.
        """
        angle = np.linspace(0.0, 2.0 * np.pi, columns, endpoint=False)
        along = np.linspace(-1.0, 1.0, 2 * rows + 1)
        grid = self.points(*np.meshgrid(angle, along))
        at = np.arange(grid.size // 3).reshape(grid.shape[:2])
        a, b = at[:-1], at[1:]
        c, d = np.roll(b, -1, 1), np.roll(a, -1, 1)
        f = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 1)
        brim = np.repeat(along[:-1] > -1e-9, f.shape[1])
        return self.posed(grid.reshape(-1, 3)), f.reshape(-1, 3), brim


def fit_hat(regions: Regions, camera: Camera, body: Body, vertices: FloatArray) -> Hat | None:
    """Find a hat with a brim; None if the photo shows none.

    Args:
        regions: of the photo, on the grid of ``camera``.
        camera: of the region grid.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
    """
    if (regions.label == HAT).sum() < S.min_pixels:
        return None
    view = _View.of(regions, camera, body, vertices)
    rest = np.asarray(body.v_template, np.float64)
    scalp = vertex_parts(body) == "scalp"
    low, high = rest[scalp].min(0), rest[scalp].max(0)
    head = body.weights[:, JOINT_INDEX["head"]] > 0.98
    R, shift = fit_rigid(rest[head], vertices[head])
    ring = (high - low)[[0, 2]] / 2 + S.hair
    centre = (low + high) / 2
    usual, spread = np.array(list(USUAL.values())).T
    plain = Hat(usual, centre, ring, R, shift)

    def hat_of(steps: FloatArray) -> Hat:
        return replace(plain, measures=_within(usual + steps * spread))

    def best(with_brim: bool, starts: int) -> tuple[float, Hat]:
        def cost(steps: FloatArray) -> float:
            bend = float((steps**2).mean())
            return S.bends * bend - view.agreement(hat_of(steps), with_brim)

        first = []
        for pitch, width in _STARTS:
            steps = np.zeros(len(usual))
            steps[0], steps[5] = (pitch - usual[0]) / spread[0], (width - usual[5]) / spread[5]
            first.append((cost(steps), tuple(steps)))
        found = [_refined(cost, np.array(steps)) for _, steps in sorted(first)[:starts]]
        hat = hat_of(min(found, key=lambda pair: pair[0])[1])
        return view.agreement(hat, with_brim), hat

    agreement, hat = best(True, 3)
    if hat.measure("width") < S.min_width or agreement < S.min_agreement:
        return None
    # Would a crown alone, of any size and tilt, look the same?
    return hat if agreement - best(False, 1)[0] > S.min_gain else None


def _within(measures: FloatArray) -> FloatArray:
    low = [-0.6, -0.35, -0.03, -0.05, 0.85, 0.0, -1.2, -1.2, 0.03]
    high = [1.45, 0.35, 0.12, 0.08, 1.3, 0.25, 1.2, 1.2, 0.18]
    return np.clip(measures, low, high)


def _refined(cost, start: FloatArray) -> tuple[float, FloatArray]:  # type: ignore[no-untyped-def]
    found = minimize(
        cost, start, method="Powell", options={"maxfev": S.rounds, "xtol": 0.05, "ftol": 1e-3}
    )
    return float(found.fun), found.x


@dataclass(frozen=True)
class _View:
    """The photo around the head.

    Attributes:
        camera: of the window.
        hat: [H, W] pixels labelled as hat.
        person: [H, W] pixels of the person.
        depth: [H, W] metres of the head without hair; inf beside it.
        hidden: [H, W] metres from which on other pixels of the person may hide the hat.
    """

    camera: Camera
    hat: BoolArray
    person: BoolArray
    depth: FloatArray
    hidden: FloatArray

    @staticmethod
    def of(regions: Regions, camera: Camera, body: Body, vertices: FloatArray) -> _View:
        shown = regions.label == HAT
        rows, cols = np.nonzero(shown | regions.face)
        pad = int(2 * regions.unit)
        box = (
            max(int(cols.min()) - pad, 0),
            max(int(rows.min()) - pad, 0),
            min(int(cols.max()) + pad, camera.width),
            min(int(rows.max()) + pad, camera.height),
        )
        window = (slice(box[1], box[3]), slice(box[0], box[2]))
        step = max(1, round(max(box[2] - box[0], box[3] - box[1]) / S.window))
        small = crop_camera(camera, box)
        small = small.resized((box[2] - box[0]) // step, (box[3] - box[1]) // step)

        def thinned(grid: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            part = grid[window][step // 2 :: step, step // 2 :: step]
            return part[: small.height, : small.width]

        head = body.weights[:, JOINT_INDEX["head"]] > 0.5
        buffer = rasterize_mesh(vertices, body.f[head[body.f].all(1)], small)
        met = buffer.face >= 0
        middle = float(np.median(buffer.depth[met])) if met.any() else np.inf
        hidden = np.where(met, buffer.depth, middle)
        return _View(small, thinned(shown), thinned(regions.mask), buffer.depth, hidden)

    def agreement(self, hat: Hat, with_brim: bool = True) -> float:
        """Compute intersection over union of the hat's picture and the photo's."""
        vertices, f, brim = hat.mesh(S.around, 4)
        buffer = rasterize_mesh(vertices, f if with_brim else f[~brim], self.camera)
        drawn = buffer.face >= 0
        # Hair stands off the skull: what lies behind the head may be hidden by it.
        seen = drawn & (buffer.depth < self.depth)
        excused = drawn & self.person & ~self.hat & (buffer.depth > self.hidden)
        both = (seen & self.hat).sum()
        either = ((seen & ~excused) | self.hat).sum()
        return float(both / max(either, 1))
