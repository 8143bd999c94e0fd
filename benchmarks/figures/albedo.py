"""Albedo of avatars against that of the synthetic people whose photos they were made from.

The truth is that of the body's atlas (engine/synth/atlas_truth.py). Photos leave open how bright
and of which colour their light was; ``exposed_de`` takes one factor for all of a person out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...engine.body import Body
from ...engine.core.color import rgb_to_lab
from ...engine.core.types import Avatar, BoolArray, FloatArray
from ...engine.dataset.atlas_people import ATLAS_SIZE, AtlasPerson
from ...engine.dual_uv.sampling import sample_surface
from ...engine.gaussians.relight.albedo import find_reflectance
from ...engine.gaussians.relight.surface_normals import find_surface_normals
from .hidden_labels import NONE, find_regions, texel_areas, texel_colors

_OFFSET = 0.02  # of 1, so that black has a ratio


class AlbedoScore(NamedTuple):
    """One person's figures: CIE Lab distances (1976), medians over the area in the frame.

    Attributes:
        albedo_de: of the albedo.
        seen_de: of the albedo where the photo shows the person.
        photo_de: of the avatar's colours as they are, in the photo's light.
        exposed_de: of the albedo, when it is first made as bright as the truth by one factor.
    """

    albedo_de: float
    seen_de: float
    photo_de: float
    exposed_de: float


def score_albedo(truth: AtlasPerson, avatar: Avatar, body: Body, framing: str) -> AlbedoScore:
    """Compare an avatar's albedo with the truth.

    Args:
        truth: over the atlas; its first view is the photo.
        avatar: lifted from the photo.
        body: the default one, whose atlas it is.
        framing: ``head``, ``half`` or ``full``.
    """
    samples = sample_surface(body, ATLAS_SIZE)
    at = samples.row, samples.col
    found = find_reflectance(avatar, find_surface_normals(avatar))
    g = avatar.gaussians
    ours, has = (v[at] for v in texel_colors(replace(g, colors=found.albedo), body))
    photo = texel_colors(g, body)[0][at]
    true = truth.albedo[at] / 255.0
    counted = has & (truth.label[at] != NONE)
    counted &= find_regions(samples, avatar.body, framing)["in frame"]
    seen = counted & (truth.facing[0][at] > 0)
    weight = texel_areas(samples, avatar.body)
    factor = np.exp(np.median(np.log((true[counted] + _OFFSET) / (ours[counted] + _OFFSET))))

    def distance(colors: FloatArray, rows: BoolArray) -> float:
        lab = rgb_to_lab(np.clip(colors[rows], 0.0, 1.0)) - rgb_to_lab(true[rows])
        return weighted_median(np.linalg.norm(lab, axis=1), weight[rows])

    return AlbedoScore(
        distance(ours, counted),
        distance(ours, seen),
        distance(photo, counted),
        distance(factor * ours, counted),
    )


def weighted_median(values: FloatArray, weight: FloatArray) -> float:
    """Return the value below which half of the weight lies; NaN of nothing.

    >>> weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 5.0]))
    2.0
    """
    if not len(values):
        return float("nan")
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(mass, 0.5 * mass[-1])])


def summarize_albedo(scores: Sequence[AlbedoScore]) -> dict[str, Any]:
    """Return medians over people, JSON-able; None without people."""
    names = AlbedoScore._fields
    if not scores:
        return dict.fromkeys(names)
    return {n: round(float(np.nanmedian([getattr(s, n) for s in scores])), 2) for n in names}
