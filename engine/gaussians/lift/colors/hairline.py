"""Unseen borders of hair: strands of uneven length over skin and clothes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, FloatArray, IntArray
from ..photo.photo_light import S as LIGHT
from ..surface.labels import HAIR, LOWER, SKIN, UPPER
from .colors_texels import Texels
from .hair_patches import draw_hair

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView


@dataclass(frozen=True)
class HairlineSettings:
    """The border of hair and skin or clothes."""

    reach: float = 0.014  # metres on either side of it over which hair thins out
    cloth: float = 2.0  # factor on ``reach`` and ``uneven`` over clothes, where tips hang loose
    soft: float = 0.004  # metres over which a strand of usual brightness ends
    uneven: float = 0.006  # metres that strands are longer per deviation of their brightness


S = register_settings("lift.hairline", HairlineSettings())


@dataclass(frozen=True)
class Hairline:
    """Unseen texels [M] beside the border of hair and skin on the head, or of hair and clothes.

    Attributes:
        rows: [M] of all texels, ascending.
        inside: [M] metres from the border, negative beyond the hair.
        other: [M] the row nearest to each on the other side of the border.
        loose: [M] how much more uneven the strands are than over skin, a factor.
    """

    rows: IntArray
    inside: FloatArray
    other: IntArray
    loose: FloatArray

    def share(self, light: FloatArray) -> FloatArray:
        """Return how much of each texel is hair (0..1).

        Args:
            light: [M] how much brighter than usual its hair would be, any unit.
        """
        deviation = max(float(light.std()), 1e-6)
        longer = S.uneven * self.loose * np.clip(light / deviation, -2.0, 2.0)
        return np.asarray(1.0 / (1.0 + np.exp(-(self.inside + longer) / S.soft)))


def find_hairline(t: Texels, body: Body) -> Hairline:
    """Find the texels beside the borders of hair that the photo does not show.

    Args:
        t: the texels.
        body: the person's own.
    """
    above = t.rest[:, 1] > body.J_template[JOINT_INDEX["neck"], 1]
    hair = t.label == HAIR
    skin, worn = above & (t.label == SKIN), np.isin(t.label, (UPPER, LOWER))
    inside = np.full(len(hair), np.inf)
    other = np.zeros(len(hair), np.int64)
    loose = np.ones(len(hair))
    for ends, beyond, wider in ((above & hair, skin, 1.0), (hair, worn, S.cloth)):
        for sign, own, across in ((1.0, ends, beyond), (-1.0, beyond, ends)):
            rows, there = np.nonzero(own & ~t.known)[0], np.nonzero(across)[0]
            if len(rows) == 0 or len(there) == 0:
                continue
            tree = cKDTree(t.points[there])
            away, index = tree.query(t.points[rows], distance_upper_bound=wider * S.reach)
            near = away < np.abs(inside[rows])
            rows, index = rows[near], index[near]
            inside[rows], other[rows], loose[rows] = sign * away[near], there[index], wider
    rows = np.nonzero(np.isfinite(inside))[0]
    return Hairline(rows, inside[rows], other[rows], loose[rows])


@dataclass(frozen=True)
class UnevenHair:
    """The texture of hair that ends unevenly.

    Attributes:
        rows: [M] of the texels that have it, with those beside the hairline.
        line: the hairline.
        ground: [N, 3] low-frequency colours of all texels, those of hair also beyond the line.
        strands: [M, 3] to add to these.
        way: [M, 3] unit tangents along them.
    """

    rows: IntArray
    line: Hairline
    ground: FloatArray
    strands: FloatArray
    way: FloatArray

    def add(self, out: FloatArray, base: FloatArray, t: Texels) -> FloatArray:
        """Add it to the texture of all texels; at the line it passes into what borders it.

        Args:
            out: [N, 3] texture, which is changed.
            base: [N, 3] what the texture is added to.
            t: the texels.

        Returns:
            [N, 3] unit tangents along the hair; zero where there is none.
        """
        way = np.zeros_like(out)
        if not len(self.rows):
            return way
        way[self.rows] = self.way
        rows, line = self.line.rows, self.line
        beside = (base + out)[np.where(line.inside < 0.0, rows, line.other)]
        own = t.label[self.rows] == HAIR
        out[self.rows[own]] = self.strands[own]
        if not len(rows):
            return way
        added, ground = self.strands[np.searchsorted(self.rows, rows)], self.ground[rows]
        share = line.share(added.mean(1) / (ground.mean(1) + LIGHT.floor))[:, None]
        out[rows] = share * (ground + added) + (1.0 - share) * beside - base[rows]
        return way


def draw_uneven_hair(t: Texels, base: FloatArray, body: Body, view: PhotoView) -> UnevenHair:
    """Draw the hair that the photo does not show, also on what it grows out over.

    Args:
        t: the texels.
        base: [N, 3] their low-frequency colours.
        body: the person's own.
        view: the photo.
    """
    line = find_hairline(t, body)
    rows = np.union1d(np.nonzero(t.label == HAIR)[0], line.rows)
    bare = line.inside < 0.0
    ground = base.copy()
    ground[line.rows[bare]] = base[line.other[bare]]
    strands, way = np.zeros((2, len(rows), 3))
    if len(rows):
        strands, way = draw_hair(t, rows, ground, body, view)
    return UnevenHair(rows, line, ground, strands, way)
