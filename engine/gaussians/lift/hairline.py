"""The hairline where the photo does not show it: strands of uneven length over the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ...body import Body
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, FloatArray, IntArray
from .colors_base import Texels
from .labels import HAIR, SKIN


@dataclass(frozen=True)
class HairlineSettings:
    """The border of hair and skin."""

    reach: float = 0.014  # metres on either side of it over which hair thins out
    soft: float = 0.004  # metres over which a strand of usual brightness ends
    uneven: float = 0.006  # metres that strands are longer per deviation of their brightness


S = register_settings("lift.hairline", HairlineSettings())


@dataclass(frozen=True)
class Hairline:
    """Unseen texels [M] of a head and neck beside the border of hair and skin.

    Attributes:
        rows: [M] of all texels, ascending.
        inside: [M] metres from the border, negative on skin.
        other: [M] the row nearest to each on the other side of the border.
    """

    rows: IntArray
    inside: FloatArray
    other: IntArray

    def share(self, light: FloatArray) -> FloatArray:
        """Return how much of each texel is hair (0..1).

        Args:
            light: [M] how much brighter than usual its hair would be, any unit.
        """
        deviation = max(float(light.std()), 1e-6)
        longer = S.uneven * np.clip(light / deviation, -2.0, 2.0)
        return np.asarray(1.0 / (1.0 + np.exp(-(self.inside + longer) / S.soft)))


def find_hairline(t: Texels, body: Body) -> Hairline:
    """Find the texels beside the border of hair and skin that the photo does not show.

    Args:
        t: the texels.
        body: the person's own.
    """
    above = t.rest[:, 1] > body.J_template[JOINT_INDEX["neck"], 1]
    hair, skin = (np.nonzero(above & (t.label == kind))[0] for kind in (HAIR, SKIN))
    rows, inside, other = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0, np.int64)]
    for sign, every, across in ((1.0, hair, skin), (-1.0, skin, hair)):
        own = every[~t.known[every]]
        if len(own) == 0 or len(across) == 0:
            continue
        away, index = cKDTree(t.points[across]).query(t.points[own], distance_upper_bound=S.reach)
        near = np.isfinite(away)
        rows.append(own[near])
        inside.append(sign * away[near])
        other.append(across[index[near]])
    found = np.concatenate(rows)
    order = np.argsort(found)
    return Hairline(found[order], np.concatenate(inside)[order], np.concatenate(other)[order])
