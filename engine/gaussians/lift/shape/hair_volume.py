"""Hair behind the neck: it falls straight down from the back of the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from ....body import Body
from ....core.alignment import fit_rigid
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, FloatArray
from ..surface.labels import ramp


@dataclass(frozen=True)
class HairVolumeSettings:
    """Hair over the hollow of the neck."""

    sectors: int = 36  # around the head
    nearby: float = 1.0  # sectors, standard deviation of the smoothing around the head
    ring: float = 0.01  # metres of height of one row of the outline
    filled: float = 0.6  # share of the hollow between the head and the hair's tips that is filled
    away: tuple[float, float] = (-0.3, -0.7)
    """Cosines to the camera, and to the face's direction, between which filling fades in: beside
    the photo's outline and the ears there is none."""

    frontal: tuple[float, float] = (0.3, 0.5)
    """Cosines of the head's turn between which filling fades in: a photo from behind shows it."""

    below: tuple[float, float] = (0.04, 0.0)
    """Metres above the middle of head and neck between which filling fades in, below the skull."""


S = register_settings("lift.hair_volume", HairVolumeSettings())


def fill_nape(
    offset: FloatArray,
    surface: FloatArray,
    out: FloatArray,
    facing: FloatArray,
    hair: BoolArray,
    body: Body,
) -> FloatArray:
    """Move hair outwards to where it hangs behind the neck.

    Args:
        offset: [V] metres that the worn surface stands off the body.
        surface: [V, 3] the body that it stands off, in the photo's pose, metres, world
            axes of the photo's camera.
        out: [V, 3] unit, the directions of the offsets.
        facing: [V] cosine to the camera.
        hair: [V] whether hair covers a vertex.
        body: the person's own.

    Returns:
        [V] offsets; unchanged without hair, and where the camera sees the surface.
    """
    rows = np.nonzero(hair)[0]
    if len(rows) < S.sectors:
        return offset
    head = body.sum_weights((JOINT_INDEX["neck"], JOINT_INDEX["head"])) > 0.5
    points = surface[rows] + out[rows] * offset[rows, None]
    from_axis = points - surface[head].mean(0)
    radius = np.hypot(from_axis[:, 0], from_axis[:, 2])
    turn = np.arctan2(from_axis[:, 0], from_axis[:, 2]) / (2.0 * np.pi) * S.sectors
    sector = np.mod(turn.astype(int), S.sectors)
    low = points[:, 1].min()
    level = ((points[:, 1] - low) / S.ring).astype(int)
    profile = np.zeros((S.sectors, level.max() + 1))
    np.maximum.at(profile, (sector, level), radius)
    falls = np.stack([_fall(own) for own in profile])
    falls = ndimage.gaussian_filter1d(falls, S.nearby, axis=0, mode="wrap")
    radial = from_axis * [1.0, 0.0, 1.0] / np.maximum(radius, 1e-6)[:, None]
    along = np.maximum(np.einsum("nd,nd->n", out[rows], radial), 0.5)
    hollow = np.maximum(falls[sector, level] - radius, 0.0) / along
    rest = body.v_template[rows] - body.v_template[head].mean(0)
    back = rest[:, 2] / np.maximum(np.hypot(rest[:, 0], rest[:, 2]), 1e-6)
    share = ramp(np.maximum(facing[rows], back), *S.away) * ramp(from_axis[:, 1], *S.below)
    share *= ramp(fit_rigid(body.v_template[head], surface[head])[0][2, 2], *S.frontal)
    filled = np.array(offset)
    filled[rows] += S.filled * share * hollow
    return filled


def _fall(profile: FloatArray) -> FloatArray:
    """[R] radii of a profile, from the lowest up, with its hollows filled up to its convex hull."""
    known = np.nonzero(profile)[0]
    if len(known) < 3 or np.ptp(profile[known]) < 1e-6:
        return profile
    # Two points on the axis close the outline; the hull's other corners lie on the hair.
    inner = np.array([[known[0], 0.0], [known[-1], 0.0]])
    outline = np.concatenate([np.stack([known, profile[known]], -1), inner])
    corner = ConvexHull(outline).vertices
    corner = np.sort(corner[corner < len(known)])
    return np.interp(np.arange(len(profile)), known[corner], profile[known[corner]])
