"""The face of a person whose photo shows none: brows, irises and lips, as plain as they can be.

From behind, or beyond the frame, nothing is known of it but the skin's tone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.interpolation import smoothstep
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, FloatArray
from ..surface.labels import NamesArray
from .eye_splats import S as EYES


@dataclass(frozen=True)
class PlainFaceSettings:
    """A plain face; lengths are metres."""

    iris: tuple[float, float, float] = (0.27, 0.18, 0.12)  # sRGB of a brown one
    pupil: float = 0.45  # radius of an iris' pupil, of the iris'
    edge: float = 0.12  # of the iris' radius over which colours pass into each other
    lips: tuple[float, float, float] = (0.92, 0.78, 0.76)  # of the skin's colour
    brow: tuple[float, float, float] = (0.45, 0.40, 0.38)  # of the skin's colour
    brow_ends: tuple[float, float] = (-0.017, 0.027)  # beside the eye, towards the ear
    brow_height: float = 0.021  # above the eye
    brow_arch: float = 0.005  # that its middle lies higher
    brow_thickness: float = 0.0052  # at its inner end; the outer is a third of that


S = register_settings("lift.plain_face", PlainFaceSettings())


def paint_plain_face(
    color: FloatArray, rest: FloatArray, part: NamesArray, free: BoolArray, body: Body
) -> FloatArray:
    """Paint brows, irises and lips onto a face of one tone.

    Args:
        color: [N, 3] sRGB 0..1.
        rest: [N, 3] places on the body at rest, metres.
        part: [N] names of the body's parts.
        free: [N] what no photo shows.
        body: the person's own.

    Returns:
        [N, 3] colours.
    """
    out = np.array(color)
    out[free & (part == "lips")] *= S.lips
    for name, outwards in (("left_eye_smplhf", 1.0), ("right_eye_smplhf", -1.0)):
        away = rest - body.J_template[JOINT_INDEX[name]]
        ball = free & (part == "eye") & (np.sign(rest[:, 0]) == outwards)
        aside = np.linalg.norm(away[ball, :2], axis=1) / EYES.iris_radius
        aside[away[ball, 2] < 0.0] = np.inf
        white = smoothstep(aside, 1.0 - S.edge, 1.0 + S.edge)[:, None]
        iris = smoothstep(aside, S.pupil - S.edge, S.pupil + S.edge)[:, None] * np.array(S.iris)
        out[ball] = white * out[ball] + (1.0 - white) * iris
        inner, outer = S.brow_ends
        along = (outwards * away[:, 0] - inner) / (outer - inner)
        middle = S.brow_height + S.brow_arch * np.sin(np.pi * np.clip(along, 0.0, 1.0))
        half = 0.5 * S.brow_thickness * (1.0 - 0.67 * np.clip(along, 0.0, 1.0))
        brow = 1.0 - smoothstep(np.abs(away[:, 1] - middle) / half, 0.6, 1.4)
        brow *= smoothstep(along, -0.08, 0.08) * (1.0 - smoothstep(along, 0.92, 1.08))
        brow[~free | ~np.isin(part, ("face", "eyelid")) | (away[:, 2] < -0.01)] = 0.0
        out *= 1.0 - brow[:, None] * (1.0 - np.array(S.brow))
    return out
