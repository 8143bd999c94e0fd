"""Hair beyond the far cheek of a turned head: it hangs behind that cheek, and doesn't cover it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.alignment import fit_rigid
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray
from ..surface.labels import ramp


@dataclass(frozen=True)
class FarCheekSettings:
    """What lies beyond a far cheek."""

    turned: tuple[float, float] = (15.0, 25.0)
    """Degrees that the head is turned between which its hair is taken to hang behind the cheek.

    From the first on, a face has a far side."""

    profile: tuple[float, float] = (75.0, 60.0)
    """Degrees between which that fades in, from a profile on: there, a fringe lies beyond."""

    grazing: float = 0.4  # cosine to the camera below which the fitted cheek itself may show hair


S = register_settings("lift.far_cheek", FarCheekSettings())


def measure_yaw(vertices: FloatArray, head: BoolArray, body: Body) -> float:
    """Return the degrees that the head is turned to the picture's right.

    Args:
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        head: [V] those of the head.
        body: the person's own.
    """
    turn, _ = fit_rigid(body.v_template[head], vertices[head])
    return float(np.degrees(np.arctan2(turn[0, 2], turn[2, 2])))


def find_far_side(face: BoolArray, yaw: float) -> BoolArray:
    """Find the side of the picture that a turned face looks to.

    Args:
        face: [H, W] inside the face's oval.
        yaw: of :func:`measure_yaw`.

    Returns:
        [H, W] pixels beyond the middle of the face; none of a face that is hardly turned.
    """
    if not face.any() or abs(yaw) < S.turned[0]:
        return np.zeros_like(face)
    cols = np.broadcast_to(np.arange(face.shape[1]), face.shape)
    return np.asarray((cols - cols[face].mean()) * yaw > 0.0)


def find_beyond_cheek(
    face: BoolArray, hair: BoolArray, facing: FloatArray, yaw: float
) -> FloatArray:
    """Find hair beyond the far outline of a turned face.

    Args:
        face: [H, W] pixels that show the head's skin, where the body is drawn.
        hair: [H, W] pixels of hair.
        facing: [H, W] cosine of the head to the camera, 0 beside the drawn body and 1 on the
            rest of it.
        yaw: of :func:`measure_yaw`.

    Returns:
        [H, W] 0..1 how far such hair hangs behind the cheek.
    """
    share = float(ramp(np.abs(yaw), *S.turned) * ramp(np.abs(yaw), *S.profile))
    if share == 0.0 or not face.any():
        return np.zeros(face.shape)
    # A face that looks to the picture's right hides its own left side.
    cols = np.arange(face.shape[1]) * np.sign(yaw)
    outline = np.where(face, cols, -np.inf).max(1)
    outline = np.where(np.isfinite(outline), outline, np.median(outline[np.isfinite(outline)]))
    return np.asarray(share * (hair & (facing < S.grazing) & (cols > outline[:, None])))
