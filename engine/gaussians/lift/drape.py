"""Cloth on the trunk hangs: what stands out holds it off the hollow below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

from ...body import Body
from ...core.geometry import vertex_normals
from ...core.sampling import bilinear
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, BoolArray, FloatArray
from .labels import ramp


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
    """How much of a rest normal must point forwards or backwards for cloth to fall so, faded in:
    the photo's outline shows a front view's sides."""

    below: tuple[float, float] = (0.02, 0.08)
    """Metres below the shoulder joints between which it begins."""


S = register_settings("lift.drape", DrapeSettings())


def hang_cloth(body: Body, trunk: BoolArray, loose: bool = False) -> FloatArray:
    """Measure how far cloth that hangs down the trunk stands off it.

    Seen around the trunk's axis in the rest pose, the cloth's radius at a height is that of the
    widest part above it less ``slope`` times their distance.

    Args:
        body: the person's own.
        trunk: [V] its vertices without limbs and head.
        loose: whether it hangs as a jacket does, not as a jersey.

    Returns:
        [V] metres, 0 beyond the trunk.
    """
    off = np.zeros(len(body.v_template))
    slope, most = (S.loose_slope, S.loose_most) if loose else (S.slope, S.most)
    rest = np.asarray(body.v_template, np.float64)
    if trunk.sum() < 3:
        return off
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
    # The widest above, less what the cloth has fallen back since: a running maximum.
    fall = slope * S.ring * heights
    names = ("left_shoulder", "right_shoulder")
    shoulders = body.J_template[[JOINT_INDEX[name] for name in names], 1].mean()
    begun = ramp(shoulders - (top - S.ring * heights), *S.below)
    hung = np.maximum.accumulate(np.where(begun > 0.0, grid, 0.0) + fall, axis=0) - fall
    hollow = np.clip(hung - grid, 0.0, most) * begun
    wrapped = np.concatenate([hollow[:, -1:], hollow, hollow[:, :1]], 1)
    normals = vertex_normals(rest, body.f)[trunk]
    read = bilinear(wrapped[..., None], np.stack([turn + 1.0, row], -1))[:, 0]
    off[trunk] = read * ramp(np.abs(normals[:, 2]), *S.facing)
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
