"""Cloth hangs: what stands out holds it off the hollow below, on the trunk and on legs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

from ....body import Body
from ....core.geometry import vertex_normals
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, FloatArray
from ..surface.labels import ramp


@dataclass(frozen=True)
class DrapeSettings:
    """How cloth falls from the chest, the belly, the shoulder blades and the seat."""

    sectors: int = 72  # around the trunk
    ring: float = 0.01  # metres of height of one row
    slope: float = 0.3  # metres that it falls back towards the body per metre of height
    most: float = 0.025  # metres off the body
    loose_slope: float = 0.08  # the same of loose cloth
    loose_most: float = 0.06  # the same
    loose: tuple[float, float] = (0.003, 0.018)
    """Metres that cloth stands off the waist's sides between which it comes to hang loosely."""

    waist: tuple[str, str] = ("spine1", "spine3")  # joints between whose heights that is
    few: int = 6  # vertices of its outline that tell
    unknown: float = 0.6  # how loosely cloth hangs (0..1) whose waist the photo does not show
    facing: tuple[float, float] = (0.4, 0.8)
    """How much of a rest normal, seen from above, must point forwards or backwards for cloth to
    fall so, faded in: the photo's outline shows a front view's sides."""

    below: tuple[float, float] = (0.02, 0.08)
    """Metres below the shoulder joints between which it begins."""

    leg_sectors: int = 24  # around a leg
    leg_ring: float = 0.02  # metres of height of one row
    leg_slope: float = 0.06  # metres that a trouser leg narrows per metre of height
    leg_most: float = 0.028  # metres off the leg
    leg_begins: float = 0.15  # metres below the hip joint


S = register_settings("lift.drape", DrapeSettings())


def hang_cloth(body: Body, trunk: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Measure how far cloth that hangs down the trunk stands off it, as a jersey and as a jacket.

    Seen around the trunk's axis in the rest pose, the cloth's radius at a height is that of the
    widest part above it, less their distance times a slope, which loose cloth has less of.

    Args:
        body: the person's own.
        trunk: [V] its vertices without limbs and head.

    Returns:
        jersey: [V] metres, 0 beyond the trunk.
        jacket: [V] the same of loose cloth.
    """
    jersey, jacket = np.zeros((2, len(body.v_template)))
    rest = np.asarray(body.v_template, np.float64)
    if trunk.sum() < 3:
        return jersey, jacket
    own = rest[trunk]
    axis = np.median(own[:, 2])
    radius = np.hypot(own[:, 0], own[:, 2] - axis)
    turn = np.arctan2(own[:, 0], own[:, 2] - axis) / (2.0 * np.pi) % 1.0 * S.sectors
    top = own[:, 1].max()
    row = (top - own[:, 1]) / S.ring
    around = np.concatenate([np.stack([turn + k * S.sectors, row], -1) for k in (-1, 0, 1)])
    heights, sectors = np.mgrid[: int(row.max()) + 1, : S.sectors] + 0.5
    grid = LinearNDInterpolator(around, np.tile(radius, 3))(sectors, heights)
    nearest = NearestNDInterpolator(around, np.tile(radius, 3))(sectors, heights)
    grid = np.where(np.isnan(grid), nearest, grid)
    names = ("left_shoulder", "right_shoulder")
    shoulders = body.J_template[[JOINT_INDEX[name] for name in names], 1].mean()
    begun = ramp(shoulders - (top - S.ring * heights), *S.below)
    normals = vertex_normals(rest, body.f)[trunk]
    level = np.maximum(np.hypot(normals[:, 0], normals[:, 2]), 1e-9)
    facing = ramp(np.abs(normals[:, 2]) / level, *S.facing)
    for off, slope, most in ((jersey, S.slope, S.most), (jacket, S.loose_slope, S.loose_most)):
        # The widest above, less what the cloth has fallen back since: a running maximum.
        fall = slope * S.ring * heights
        hung = np.maximum.accumulate(np.where(begun > 0.0, grid, 0.0) + fall, axis=0) - fall
        hollow = np.clip(hung - grid, 0.0, most) * begun
        wrapped = np.concatenate([hollow[:, -1:], hollow, hollow[:, :1]], 1)
        read = bilinear(wrapped[..., None], np.stack([turn + 1.0, row], -1))[:, 0]
        off[trunk] = read * facing
    return jersey, jacket


def hang_trousers(body: Body, leg: BoolArray) -> FloatArray:
    """Measure how far a straight trouser leg stands off the leg in it.

    Args:
        body: the person's own.
        leg: [V] vertices of one leg, without the foot.

    Returns:
        [V] metres, 0 beyond the leg.
    """
    off = np.zeros(len(body.v_template))
    rest = np.asarray(body.v_template, np.float64)
    if leg.sum() < 3:
        return off
    side = "left" if np.median(rest[leg, 0]) > 0.0 else "right"
    hip, ankle = (body.J_template[JOINT_INDEX[f"{side}_{name}"]] for name in ("hip", "ankle"))
    rows = np.nonzero(leg & (rest[:, 1] < hip[1] - S.leg_begins))[0]
    if len(rows) < 3:
        return off
    own = rest[rows]
    share = (hip[1] - own[:, 1]) / (hip[1] - ankle[1])
    axis = hip[[0, 2]] + share[:, None] * (ankle - hip)[[0, 2]]
    x, z = (own[:, [0, 2]] - axis).T
    radius = np.hypot(x, z)
    row = ((own[:, 1].max() - own[:, 1]) / S.leg_ring).astype(int)
    sector = (np.arctan2(x, z) / (2.0 * np.pi) % 1.0 * S.leg_sectors).astype(int)
    widest = np.zeros((row.max() + 1, S.leg_sectors))
    np.maximum.at(widest, (row, sector), radius)
    widest = ndimage.maximum_filter1d(widest, 3, axis=1, mode="wrap")
    fall = S.leg_slope * S.leg_ring * np.arange(len(widest))[:, None]
    hung = np.maximum.accumulate(widest + fall, axis=0) - fall
    hung = ndimage.gaussian_filter(hung, 1.0, mode=("nearest", "wrap"))
    off[rows] = np.clip(hung[row, sector] - radius, 0.0, S.leg_most)
    return off


def measure_looseness(body: Body, standoff: FloatArray, measured: BoolArray) -> float:
    """Measure how loosely cloth hangs, by how far it stands off the waist's sides.

    Args:
        body: the person's own.
        standoff: [V] metres off the body.
        measured: [V] where the photo's outline says so, on the trunk.

    Returns:
        0..1; ``unknown`` where the photo does not show the waist's outline.
    """
    low, high = (body.J_template[JOINT_INDEX[name], 1] for name in S.waist)
    height = body.v_template[:, 1]
    beside = measured & (height > low) & (height < high)
    if beside.sum() < S.few:
        return S.unknown
    return float(ramp(np.median(standoff[beside]), *S.loose))
