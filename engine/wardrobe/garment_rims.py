"""The rims of garments: splats beside one that show it and its neighbour in one colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.color import rgb_to_lab
from ..core.settings import register_settings
from ..core.types import PARTS, Avatar, BoolArray, FloatArray, IntArray
from .avatar_wearer import place_at_rest


@dataclass(frozen=True)
class RimSettings:
    """Which splats are a mixture."""

    reach: float = 3.0  # sizes of a splat around a garment within which one may be,
    widest: float = 0.012  # metres, most
    around: int = 6  # splats of the garment beside one, whose colour it may have taken
    inner: int = 24  # splats of its own part beyond the rim that say what it would be without
    apart: float = 10.0  # Lab distance of the two colours, least: else nothing can be told
    aside: float = 14.0  # Lab distance from the line between them beyond which it is neither
    least: float = 0.12  # share of the garment below which a splat stays


S = register_settings("wardrobe.garment_rims", RimSettings())

_OTHERS = tuple(
    PARTS.index(name)
    for name in ("unknown", "skin", "face", "hair", "upper", "lower", "skirt", "shoes")
)


def find_rim(avatar: Avatar, garment: BoolArray) -> tuple[FloatArray, IntArray]:
    """Find how much of a garment's colour splats beside it have.

    A pixel at a border shows both sides, and its splat belongs to one of them.

    Args:
        avatar: with its attributes.
        garment: [N] its Gaussians.

    Returns:
        share: [N] 0..1, 0 on the garment and away from it.
        nearest: [N, K] the garment's Gaussians beside each that has a share; 0 elsewhere.
    """
    body: Body = avatar.body
    bound = avatar.gaussians
    share = np.zeros(len(bound))
    nearest = np.zeros((len(bound), S.around), np.int64)
    own = np.nonzero(garment)[0]
    others = np.nonzero(~garment & np.isin(bound.part, _OTHERS))[0]
    if len(own) < S.around or len(others) < S.inner:
        return share, nearest
    points = place_at_rest(bound, body)
    size = np.sort(np.asarray(bound.scales), axis=1)[:, 2]
    distance, near = cKDTree(points[own]).query(points[others], S.around)
    beside = distance[:, 0] < np.minimum(S.reach * size[others], S.widest)
    lab = rgb_to_lab(np.asarray(bound.colors, np.float64))
    for part in np.unique(bound.part[others[beside]]):
        rim = others[beside & (bound.part[others] == part)]
        deep = others[~beside & (bound.part[others] == part)]
        if len(deep) < S.inner:
            continue
        found = own[near[beside & (bound.part[others] == part)]]
        worn = lab[found].mean(1)
        inside = np.median(lab[deep[cKDTree(points[deep]).query(points[rim], S.inner)[1]]], axis=1)
        way, off = worn - inside, lab[rim] - inside
        long = np.linalg.norm(way, axis=1)
        t = np.clip((off * way).sum(1) / np.maximum(long, 1e-6) ** 2, 0.0, 1.0)
        aside = np.linalg.norm(off - t[:, None] * way, axis=1)
        mixed = (long > S.apart) & (aside < S.aside) & (t > S.least)
        share[rim[mixed]], nearest[rim[mixed]] = t[mixed], found[mixed]
    return share, nearest
