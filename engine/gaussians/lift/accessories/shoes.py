"""Closed shoes: a last around each foot, fitted to the photo's pixels of the shoe.

The last is the hull of the foot with a higher toe box on a flat sole. Its length, width, height and
place are those whose picture agrees best with the pixels labelled as shoe: a tracker knows ankles
well and the tips of shoes hardly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import ConvexHull, cKDTree

from ....body import Body
from ....core.alignment import fit_rigid
from ....core.cameras import crop_camera
from ....core.geometry import vertex_normals
from ....core.rotations import axis_angle_to_matrix
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray
from ....render.mesh import rasterize_mesh
from ..colors.sandals import are_sandals
from ..garments.labels_surface import vertex_parts
from ..pixels.regions import Regions
from ..shape.dressed_mesh import DressedMesh
from ..surface.labels import SHOES, SKIN
from ..surface.limbs import LEFT_LEG, RIGHT_LEG


@dataclass(frozen=True)
class ShoeSettings:
    """Closed shoes."""

    closed: float = 0.85  # share of a foot that must be shoe: a sandal shows skin
    wall: float = 0.004  # metres that the leather is thick
    toe_box: float = 0.012  # metres that a shoe is higher than toes
    toes: float = 0.72  # share of the foot's length from which on it is
    longer: float = 0.010  # metres that a shoe is longer than the foot
    inset: float = 0.012  # metres from the foot's skin to the sheet in it that rays begin on
    gap: float = 0.015  # metres between toes, at most
    slice: int = 60  # vertices of a cross-section
    opposite: float = 0.4  # cosine of what looks at its neighbour
    outer: float = 0.4  # cosine of a vertex's normal to its ray from which on it lies on the shoe
    sole: float = 0.018  # metres that the sole is high
    rim: float = 0.005  # metres that it stands out beyond the foot
    collar: float = 0.03  # metres below the foot's top over which the shoe comes in to the ankle
    min_pixels: int = 25  # of a shoe, on the region grid, from which on it is fitted
    bends: float = 0.02  # of agreement that a unit of each measure off its usual value must bring
    rounds: int = 160  # pictures that the fit draws at most


S = register_settings("lift.shoes", ShoeSettings())

SPREAD = {
    "length": 0.08,  # logarithm of the factor, from the heel on
    "width": 0.06,  # the same, from the middle
    "height": 0.08,  # the same, from the sole
    "yaw": 0.12,  # radians about the ankle
    "pitch": 0.10,  # radians, the same
    "aside": 0.012,  # metres along x
    "up": 0.012,  # metres along y
}
"""Standard deviation of each of a shoe's measures from 0, the last as it is."""


@dataclass(frozen=True)
class Shoe:
    """The shoe of one foot.

    Attributes:
        rows: [N] vertices of the body's foot.
        last: [N, 3] metres, their places on the last at rest.
        weight: [N] 0..1 how far each is the shoe's: less at the ankle.
        foot: [N, 3] metres, of the foot at rest.
        posed: [N, 3] metres, of the foot in the photo's pose, world space.
        R: [3, 3] from rest to the photo's pose.
        measures: [7] in the order of ``SPREAD``.
    """

    rows: IntArray
    last: FloatArray
    weight: FloatArray
    foot: FloatArray
    posed: FloatArray
    R: FloatArray
    measures: FloatArray

    def vertices(self) -> FloatArray:
        """Compute the vertices [N, 3] in the photo's pose, metres, world space."""
        length, width, height, yaw, pitch, aside, up = self.measures
        low, high = self.foot.min(0), self.foot.max(0)
        origin = np.array([0.5 * (low[0] + high[0]), low[1], low[2]])
        scaled = (self.last - origin) * np.exp([width, height, length]) + origin
        ankle = np.array([origin[0], high[1], low[2] + 0.25 * (high[2] - low[2])])
        turn = axis_angle_to_matrix(np.array([[0.0, yaw, 0.0], [pitch, 0.0, 0.0]]))
        moved = (scaled - ankle) @ (turn[0] @ turn[1]).T + ankle + [aside, up, 0.0]
        step = self.weight[:, None] * (moved - self.foot)
        return np.asarray(self.posed + step @ self.R.T)


def fit_shoes(
    regions: Regions,
    colors: FloatArray,
    camera: Camera,
    body: Body,
    vertices: FloatArray,
    shoe: FloatArray,
) -> list[Shoe]:
    """Fit a closed shoe to each foot that wears one.

    Args:
        regions: of the photo, on the grid of ``camera``.
        colors: [H, W, 3] sRGB 0..1, on the same grid.
        camera: of the region grid.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        shoe: [V] 0..1 how likely a shoe covers them.
    """
    if are_sandals(regions, colors):
        return []
    part = vertex_parts(body)
    rest = np.asarray(body.v_template, np.float64)
    normals = vertex_normals(rest, body.f)
    out = []
    for side, group in (("left", LEFT_LEG), ("right", RIGHT_LEG)):
        joints = [JOINT_INDEX[f"{side}_ankle"], JOINT_INDEX[f"{side}_foot"]]
        rows = np.nonzero((part == "foot") & (body.sum_weights(joints) > 0.5))[0]
        if not len(rows) or (shoe[rows] > 0.5).mean() < S.closed:
            continue
        foot, posed = rest[rows], np.asarray(vertices, np.float64)[rows]
        R, _ = fit_rigid(foot, posed)
        below = np.clip((foot[:, 1].max() - foot[:, 1]) / S.collar, 0.0, 1.0)
        covered = np.clip(2.0 * shoe[rows] - 0.5, 0.0, 1.0)
        last = make_last(foot, normals[rows])
        plain = Shoe(rows, last, np.minimum(below, covered), foot, posed, R, np.zeros(len(SPREAD)))
        view = _View.of(regions, camera, body, plain, group)
        out.append(plain if view is None else _fitted(plain, view))
    return out


def put_on_shoes(dressed: DressedMesh, shoes: list[Shoe], vertices: FloatArray) -> DressedMesh:
    """Give the worn surface the shape of the shoes.

    Args:
        dressed: the worn surface.
        shoes: of the feet.
        vertices: [V, 3] of the body in the photo's pose, metres.
    """
    worn, offset = dressed.vertices.copy(), dressed.offset.copy()
    shod = np.zeros(len(worn), bool)
    for shoe in shoes:
        own = shoe.vertices()
        share = shoe.weight[:, None]
        worn[shoe.rows] = share * own + (1.0 - share) * worn[shoe.rows]
        offset[shoe.rows] = np.linalg.norm(worn[shoe.rows] - vertices[shoe.rows], axis=1)
        shod[shoe.rows] = shoe.weight > 0.0
    return replace(dressed, vertices=worn, offset=offset, shod=shod)


def make_last(foot: FloatArray, normals: FloatArray) -> FloatArray:
    """Put a foot's vertices onto the shoe around it.

    Args:
        foot: [N, 3] metres at rest: y up, z forwards.
        normals: [N, 3] unit.

    Returns:
        [N, 3] metres: on the hull's surface, on their rays from the foot's spine.
    """
    low, high = np.percentile(foot, 1.0, axis=0), foot.max(0)
    length = high[2] - low[2]
    leather = foot + S.wall * normals
    front = np.clip(((foot[:, 2] - low[2]) / length - S.toes) / (1.0 - S.toes), 0.0, 1.0)
    box = leather + front[:, None] * [0.0, S.toe_box, S.longer]
    footprint = leather[:, [0, 2]]
    middle = 0.5 * (footprint.min(0) + footprint.max(0))
    outward = footprint - middle
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    rim = footprint + S.rim * outward
    rim[:, 1] += front * S.longer
    sole = [
        np.column_stack([rim[:, 0], np.full(len(rim), y), rim[:, 1]])
        for y in (low[1], low[1] + S.sole)
    ]
    below = foot[:, 1] < high[1] - 0.25 * S.collar  # the hull's lid lies above the shoe
    planes = ConvexHull(np.concatenate([leather[below], box[below], *sole])).equations
    planes = planes[planes[:, 1] < 0.98]  # without its lid
    closed, paired = _close_gaps(foot, normals)
    spine = _inner_sheet(closed, low[1])
    ray = closed - spine
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-9)
    along = ray @ planes[:, :3].T
    gap = -(spine @ planes[:, :3].T + planes[:, 3])
    reach = np.where(along > 1e-6, gap / np.maximum(along, 1e-6), np.inf).min(1)
    # What looks inwards, as the skin between toes, stays inside.
    outer = np.clip((ray * normals).sum(1) / S.outer, 0.0, 1.0)
    outer = np.maximum(outer, paired)[:, None]
    return np.asarray(closed + outer * (spine + reach[:, None] * ray - closed))


def _close_gaps(foot: FloatArray, normals: FloatArray) -> tuple[FloatArray, BoolArray]:
    """[N, 3] a foot's vertices with the gaps between its toes closed, and [N] those beside one."""
    near = cKDTree(foot).query(foot, min(40, len(foot)))[1][:, 1:]
    across = foot[near] - foot[:, None]
    away = np.linalg.norm(across, axis=-1)
    ahead = np.einsum("nkd,nd->nk", across, normals) > S.opposite * away
    facing = np.einsum("nkd,nd->nk", normals[near], normals) < -S.opposite
    match = ahead & facing & (away < S.gap)
    first = match.argmax(1)
    paired = match.any(1)
    rows = np.arange(len(foot))
    middle = foot + 0.5 * across[rows, first]
    return np.where(paired[:, None], middle, foot), paired


def _inner_sheet(foot: FloatArray, floor: float) -> FloatArray:
    """[N, 3] the point nearest to each of a foot's vertices on a flat sheet inside it.

    From a line, the rays to the toes' tops would meet their sides first.
    """
    z = foot[:, 2]
    at = np.linspace(z.min(), z.max(), 24)
    slices = [foot[np.argsort(np.abs(z - middle))[: S.slice], 0] for middle in at]
    left, right = np.array([[own.min(), own.max()] for own in slices]).T
    inset = np.minimum(S.inset, 0.5 * (right - left))
    z = np.clip(z, at[0] + S.inset, at[-1] - S.inset)
    x = np.clip(foot[:, 0], np.interp(z, at, left + inset), np.interp(z, at, right - inset))
    return np.column_stack([x, np.full(len(foot), floor + S.inset), z])


def _own_triangles(body: Body, rows: IntArray) -> IntArray:
    """[F, 3] the triangles between vertices ``rows``, as indices into these."""
    index = np.full(len(body.v_template), -1)
    index[rows] = np.arange(len(rows))
    f = index[body.f]
    return np.asarray(f[(f >= 0).all(1)])


def _fitted(plain: Shoe, view: _View) -> Shoe:
    spread = np.array(list(SPREAD.values()))

    def shoe_of(steps: FloatArray) -> Shoe:
        return replace(plain, measures=np.clip(steps, -2.5, 2.5) * spread)

    def cost(steps: FloatArray) -> float:
        bend = float((steps**2).mean())
        return S.bends * bend - view.agreement(shoe_of(steps).vertices())

    found = minimize(
        cost,
        np.zeros(len(spread)),
        method="Powell",
        options={"maxfev": S.rounds, "xtol": 0.05, "ftol": 1e-3},
    )
    return shoe_of(found.x)


@dataclass(frozen=True)
class _View:
    """The photo around a foot.

    Attributes:
        camera: of the window.
        f: [F, 3] triangles of the foot, rows of its own vertices.
        shoe: [H, W] pixels of the shoe.
        open: [H, W] pixels that would show the shoe if it were there.
    """

    camera: Camera
    f: IntArray
    shoe: BoolArray
    open: BoolArray

    @staticmethod
    def of(regions: Regions, camera: Camera, body: Body, shoe: Shoe, group: int) -> _View | None:
        shown = (regions.label == SHOES) & (regions.group == group)
        if shown.sum() < S.min_pixels:
            return None
        rows, cols = np.nonzero(shown)
        pad = max(3, round(0.4 * max(np.ptp(rows), np.ptp(cols))))
        box = (
            max(int(cols.min()) - pad, 0),
            max(int(rows.min()) - pad, 0),
            min(int(cols.max()) + pad + 1, camera.width),
            min(int(rows.max()) + pad + 1, camera.height),
        )
        window = (slice(box[1], box[3]), slice(box[0], box[2]))
        bare = (regions.label == SKIN) & (regions.group == group)
        return _View(
            crop_camera(camera, box),
            _own_triangles(body, shoe.rows),
            shown[window],
            (~regions.mask | shown | bare)[window],
        )

    def agreement(self, vertices: FloatArray) -> float:
        """Compute intersection over union with what the photo shows of the shoe."""
        drawn = rasterize_mesh(vertices, self.f, self.camera).face >= 0
        both = (drawn & self.shoe).sum()
        either = ((drawn & self.open) | self.shoe).sum()
        return float(both / max(either, 1))
