"""Hairs of brows, grown between the brow landmarks of a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.interpolation import smoothstep
from ..core.types import FloatArray
from .face_marks import find_landmarks
from .hair_binding import build_surface, normalize

# Landmarks of the left side (the subject's), from the nose outwards.
BROW_LOW, BROW_HIGH = (285, 295, 282, 283, 276), (336, 296, 334, 293, 300)
_DROP = 0.004  # metres: the landmarks lie on the brow's upper half
_POINTS = 4  # of a hair
_INNER, _BESIDE = 0.010, 0.011  # metres beyond its ends that brows of photos reach,
_ABOVE, _BELOW = 0.014, 0.012  # and the same above and below
_SOFT = 0.003  # metres over which that ends
_BELOW_MIDDLE = 0.002  # metres below the landmarks' middle that hairs lie, with their rise
_HIGHEST = 0.005  # metres by which brows may lie off the landmarks


@dataclass(frozen=True)
class BrowShape:
    """How a brow differs from the usual one between its landmarks.

    Attributes:
        count: factor on the number of hairs.
        wide: factor on the brow's height from edge to edge.
        long: factor on the length of its hairs.
        straight: 0..1 how much of its own bow it loses.
        arch: metres by which it rises at two thirds of its length.
        inner: metres by which its end at the nose rises.
        outer: the same of its other end.
        soft: by how much denser its middle is than its edges; 0: alike.
    """

    count: float = 1.0
    wide: float = 1.0
    long: float = 1.0
    straight: float = 0.0
    arch: float = 0.0
    inner: float = 0.0
    outer: float = 0.0
    soft: float = 0.0


USUAL = BrowShape()


def interpolate_line(points: FloatArray, t: FloatArray) -> FloatArray:
    """Return points [K, 3] on a polyline.

    Args:
        points: [N, 3] of the polyline.
        t: [K] shares of the way along its rows.
    """
    place = np.linspace(0, 1, len(points))
    return np.stack([np.interp(t, place, points[:, axis]) for axis in range(3)], -1)


def grow_brow_hairs(
    body: Body,
    rest: FloatArray,
    thickness: float,
    seed: int,
    shape: BrowShape = USUAL,
    raised: float = 0.0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Grow the hairs of both brows on a face at rest.

    Args:
        body: with landmarks.
        rest: [V, 3] its vertices at rest, metres.
        thickness: 0..1, from plucked to bushy.
        seed: of the hairs.
        shape: of the brows.
        raised: metres by which both lie higher than the landmarks say.

    Returns:
        paths: [N, 4, 3] of the hairs from their roots, metres.
        outward: [N, 3] unit normals of the skin at the roots.
        edge: [N] how close each is to its brow's edge, 0 (in the middle) to 1.
    """
    rng = np.random.default_rng([seed, 21])
    skin = build_surface(rest, body, "face")
    count = int(shape.count * np.interp(thickness, [0, 1], [190, 380]))
    paths, edges = [], []
    for side in (1.0, -1.0):
        t = np.sort(rng.random(count))
        low = interpolate_line(find_landmarks(body, rest, BROW_LOW, side), t)
        high = interpolate_line(find_landmarks(body, rest, BROW_HIGH, side), t)
        body_share = np.interp(t, [0, 0.15, 0.6, 1], [1.1, 1.6, 1.3, 0.4])
        aside = rng.random(count) - 0.5
        aside *= np.abs(2.0 * aside) ** shape.soft
        across = 0.45 + aside * shape.wide * body_share * np.interp(thickness, [0, 1], [0.55, 1.0])
        edges.append(np.maximum(np.abs(2.0 * aside), np.abs(2.0 * t - 1.0) ** 4))
        rise = _bend(t, 0.5 * (low + high)[:, 1], shape) + raised - _DROP
        root = low + (high - low) * across[:, None] + rise[:, None] * [0.0, 1.0, 0.0]
        upward = np.interp(t, [0, 0.2, 0.5, 1], [1.0, 0.55, 0.12, -0.35])
        d = normalize(
            np.stack(
                [side * np.ones(count), upward + rng.normal(0, 0.15, count), np.zeros(count)], 1
            )
        )
        long = 0.0075 * np.interp(t, [0, 0.2, 1], [0.75, 1.0, 0.7]) * rng.uniform(0.8, 1.2, count)
        along = np.linspace(0, 1, _POINTS)[None, :, None]
        path = root[:, None] + along * (d * shape.long * long[:, None])[:, None]
        path = path + along**2 * [0.0, -0.0012, 0.0]
        lift = np.tile([0.0002, 0.0007, 0.0009, 0.0006], count)
        paths.append(skin.outside(path.reshape(-1, 3), lift).reshape(path.shape))
    every = np.concatenate(paths)
    return every, skin.height(every[:, 0])[1], np.concatenate(edges)


def find_brow_field(
    body: Body, rest: FloatArray, points: FloatArray, reach: float = 1.0, ends: float | None = None
) -> FloatArray:
    """Return how surely [N] a brow may lie at places of the front of a face, 0..1.

    Args:
        body: with landmarks.
        rest: [V, 3] its vertices at rest, metres.
        points: [N, 3] metres.
        reach: factor on how far around the landmarks one may.
        ends: the same beyond its two ends; ``reach`` if left out.
    """
    low, high = (find_landmarks(body, rest, rows) for rows in (BROW_LOW, BROW_HIGH))
    middle = 0.5 * (low + high)
    x = np.abs(points[:, 0])
    up = points[:, 1] - np.interp(x, middle[:, 0], middle[:, 1]) + _DROP
    ends = reach if ends is None else ends
    inner, outer = middle[0, 0] - ends * _INNER, middle[-1, 0] + ends * _BESIDE
    above, below = reach * _ABOVE, reach * _BELOW
    inside = smoothstep(x, inner, inner + _SOFT) * smoothstep(x, outer, outer - _SOFT)
    inside *= smoothstep(up, above, above - _SOFT) * smoothstep(up, -below, _SOFT - below)
    return np.asarray(inside)


def find_brow_raise(body: Body, rest: FloatArray, feet: FloatArray) -> float:
    """Return by how many metres a photo's brows lie higher than the landmarks say.

    Args:
        body: with landmarks.
        rest: [V, 3] its vertices at rest, metres.
        feet: [N, 3] places of the body that show brows, metres.
    """
    low, high = (find_landmarks(body, rest, rows) for rows in (BROW_LOW, BROW_HIGH))
    middle = 0.5 * (low + high)
    wanted = np.interp(np.abs(feet[:, 0]), middle[:, 0], middle[:, 1]) - _BELOW_MIDDLE
    return float(np.clip(np.median(feet[:, 1] - wanted), -_HIGHEST, _HIGHEST))


def _bend(t: FloatArray, height: FloatArray, shape: BrowShape) -> FloatArray:
    """[K] metres by which a shape's hairs at shares ``t`` of a brow of some heights [K] rise."""
    slope, level = np.polyfit(t - 0.5, height, 1)
    straight = level + 0.5 * slope * (t - 0.5)
    arch = np.exp(-0.5 * ((t - 0.62) / 0.22) ** 2)
    return np.asarray(
        shape.straight * (straight - height)
        + shape.arch * arch
        + shape.inner * np.clip(1.0 - t / 0.4, 0.0, 1.0)
        + shape.outer * np.clip((t - 0.55) / 0.45, 0.0, 1.0)
    )
