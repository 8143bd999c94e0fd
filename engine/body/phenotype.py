"""MakeHuman's phenotype: features such as age and weight, and memberships in their values.

Memberships are piecewise linear between anchors (MakeHuman's ``macro.json``; the age anchors are
those of the anny package, where 0 is a baby, 1/3 a child, 2/3 a young adult and 1 an old one).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..core.types import FloatArray

ANCHORS: dict[str, dict[str, float]] = {
    "gender": {"male": 0.0, "female": 1.0},
    "age": {"child": 1 / 3, "young": 2 / 3, "old": 1.0},
    "muscle": {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0},
    "weight": {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0},
    "height": {"minheight": 0.0, "maxheight": 1.0},
    "proportions": {"idealproportions": 0.0, "uncommonproportions": 1.0},
    "cupsize": {"mincup": 0.0, "averagecup": 0.5, "maxcup": 1.0},
    "firmness": {"minfirmness": 0.0, "averagefirmness": 0.5, "maxfirmness": 1.0},
}
RACES = ("african", "asian", "caucasian")


def phenotype_memberships(phenotype: Mapping[str, float]) -> dict[str, float]:
    """Return the membership in 0..1 of each phenotype value.

    Args:
        phenotype: Features in 0..1; missing ones are 0.5, races are equal.

    >>> m = phenotype_memberships({"gender": 1.0, "age": 5 / 6})
    >>> m["female"], m["male"], round(m["young"], 3), round(m["old"], 3), m["averageweight"]
    (1.0, 0.0, 0.5, 0.5, 1.0)
    """
    out: dict[str, float] = {}
    for feature, anchors in ANCHORS.items():
        positions = list(anchors.values())
        value = phenotype.get(feature, 0.5)
        for name, weight in zip(anchors, np.eye(len(positions))):
            out[name] = float(np.interp(value, positions, weight))
    races = np.array([phenotype.get(race, 1.0) for race in RACES])
    out |= {race: float(w) for race, w in zip(RACES, races / races.sum())}
    return out


def feature_products(phenotype: Mapping[str, float], features: Sequence[str]) -> FloatArray:
    """Return the products of the memberships that each feature names.

    Args:
        phenotype: Features in 0..1; missing ones are 0.5, races are equal.
        features: K texts of space-separated phenotype values; an empty one gives 1.

    Returns:
        [K] in 0..1.

    >>> feature_products({"gender": 1.0, "age": 5 / 6}, ["", "female old", "male old"]).round(3)
    array([1. , 0.5, 0. ])
    """
    member = phenotype_memberships(phenotype)
    return np.array([float(math.prod(member[v] for v in name.split())) for name in features])
