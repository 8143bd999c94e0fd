"""Which way hair lies: from the crown all around, then down; beside the photo's as shown there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.alignment import fit_rigid
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import smooth_within
from ..surface.labels import ramp


@dataclass(frozen=True)
class HairFieldSettings:
    """Directions of hair."""

    centre: float = 0.06  # metres from the head's joint up to the middle of the skull
    crown: float = 0.45  # radians that the crown lies behind the top
    hangs: tuple[float, float] = (0.02, -0.05)
    """Metres over the skull's middle between which hair that follows it starts to hang."""

    strand: float = 0.004  # metres over which the photo's directions are averaged
    coherent: float = 0.25  # 0..1: directions of the photo below that mean nothing
    reach: float = 0.03  # metres after which the photo's directions have faded to 1/e
    neighbours: int = 12  # seen texels that say the direction beside them
    terms: int = 48  # waves of the random field that bends them


S = register_settings("lift.hair_field", HairFieldSettings())


def hair_directions(
    points: FloatArray, normals: FloatArray, rest: FloatArray, on_head: BoolArray, body: Body
) -> FloatArray:
    """Return the way [N, 3] that hair lies on a surface, unit tangents from root to tip.

    Args:
        points: [N, 3] metres on the hair's surface, in any axes.
        normals: [N, 3] unit, in the same.
        rest: [N, 3] metres on the bare body at rest.
        on_head: [N] which of them belong to the head.
        body: the person's own.
    """
    own = on_head if on_head.sum() > 3 else np.ones(len(points), bool)
    turn, _ = fit_rigid(rest[own], points[own])
    skull = body.J_template[JOINT_INDEX["head"]] + np.array([0.0, S.centre, 0.0])
    out = (points - points[own].mean(0)) @ turn + rest[own].mean(0) - skull
    crown = np.array([0.0, np.cos(S.crown), -np.sin(S.crown)])
    unit = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    around = unit * (unit @ crown)[:, None] - crown  # along the meridian, away from the crown
    around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-9)
    hang = ramp(out[:, 1:2], *S.hangs)
    way = ((1.0 - hang) * around + hang * np.array([0.0, -1.0, 0.0])) @ turn.T
    return tangents(way, normals)


def tangents(way: FloatArray, normals: FloatArray) -> FloatArray:
    """Return the unit tangents [N, 3] nearest to directions; any where those are normals.

    Args:
        way: [N, 3] the directions.
        normals: [N, 3] unit.
    """
    flat = way - np.einsum("nd,nd->n", way, normals)[:, None] * normals
    size = np.linalg.norm(flat, axis=1, keepdims=True)
    spare = np.cross(normals, np.eye(3)[np.abs(normals).argmin(1)])
    flat = np.where(size > 1e-6, flat, spare)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True))


@dataclass(frozen=True)
class StrandImage:
    """Directions of the strands in a photo.

    Attributes:
        along: [H, W, 2] unit, x to the right and y down, of either sign.
        coherence: [H, W] 0..1, how much they agree around each pixel.
    """

    along: FloatArray
    coherence: FloatArray


def strand_image(light: FloatArray, hair: BoolArray, pixel: float) -> StrandImage:
    """Find the directions of the strands in a photo by its structure tensor.

    Args:
        light: [H, W] logarithm of its brightness.
        hair: [H, W] pixels of hair.
        pixel: metres that a pixel spans there.
    """
    sigma = max(1.0, S.strand / pixel)
    inside = ndimage.binary_erosion(hair)
    gy, gx = np.gradient(smooth_within(light, hair, 0.7))
    gy, gx = gy * inside, gx * inside
    xx, yy, xy = (ndimage.gaussian_filter(a, sigma) for a in (gx * gx, gy * gy, gx * gy))
    coherence = np.hypot(xx - yy, 2.0 * xy) / np.maximum(xx + yy, 1e-12)
    across = 0.5 * np.arctan2(2.0 * xy, xx - yy)
    return StrandImage(np.stack([-np.sin(across), np.cos(across)], -1), coherence)


def continued_directions(
    points: FloatArray,
    normals: FloatArray,
    way: FloatArray,
    seen: FloatArray,
    seen_normals: FloatArray,
    strands: StrandImage,
    pixel: IntArray,
) -> FloatArray:
    """Bend directions of hair towards those that the photo shows beside them.

    Args:
        points: [N, 3] metres, world axes of the photo's camera.
        normals: [N, 3] unit.
        way: [N, 3] unit tangents of :func:`hair_directions`.
        seen: [M, 3] metres: places whose hair the photo shows.
        seen_normals: [M, 3] unit.
        strands: of the photo.
        pixel: [M, 2] row and column that shows each seen place.

    Returns:
        [N, 3] unit tangents.
    """
    if len(seen) < S.neighbours:
        return way
    row, col = pixel.T
    flat = strands.along[row, col]
    # The tangent that is drawn along the strand: it lies in the plane of the strand and the ray.
    ray = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    shown = np.stack([flat[:, 0], -flat[:, 1], np.zeros(len(flat))], -1)
    depth = np.einsum("nd,nd->n", shown, seen_normals) / np.minimum(
        np.einsum("nd,nd->n", ray, seen_normals), -0.2
    )
    shown = tangents(shown - depth[:, None] * ray, seen_normals)
    sure = np.clip((strands.coherence[row, col] - S.coherent) / (1.0 - S.coherent), 0.0, 1.0)
    distance, index = cKDTree(seen).query(points, k=S.neighbours)
    weight = 2.0 * sure[index] * np.exp(-distance / S.reach) / S.neighbours
    near = shown[index]
    tensor = way[:, :, None] * way[:, None, :] + np.einsum("nk,nki,nkj->nij", weight, near, near)
    main = np.linalg.eigh(tensor)[1][:, :, 2]
    main = main * np.where(np.einsum("nd,nd->n", main, way) < 0.0, -1.0, 1.0)[:, None]
    return tangents(main, normals)


def wave(
    points: FloatArray,
    normals: FloatArray,
    way: FloatArray,
    deviation: float,
    lock: float,
    seed: int = 0,
) -> FloatArray:
    """Bend directions of hair to waves of locks: a smooth random field of turns in the surface.

    Args:
        points: [N, 3] metres.
        normals: [N, 3] unit.
        way: [N, 3] along the strands.
        deviation: radians, standard deviation of the turns.
        lock: metres over which strands turn together.
        seed: of the field, which has no other state: equal points turn alike.

    Returns:
        [N, 3] unit tangents.
    """
    turn = deviation * random_field(points, lock, seed)
    flat = tangents(way, normals)
    bent = np.cos(turn)[:, None] * flat + np.sin(turn)[:, None] * np.cross(normals, flat)
    return np.asarray(bent)


def random_field(points: FloatArray, scale: float, seed: int) -> FloatArray:
    """Evaluate a smooth random field with a Gaussian correlation, mean 0 and deviation 1.

    Args:
        points: [N, 3] metres.
        scale: metres over which it changes.
        seed: of the field, which has no other state: equal points have equal values.

    Returns:
        [N].
    """
    rng = np.random.default_rng(seed)
    frequency = rng.normal(size=(S.terms, 3)) / scale
    phase = rng.uniform(0.0, 2.0 * np.pi, S.terms)
    return np.asarray(np.sqrt(2.0 / S.terms) * np.cos(points @ frequency.T + phase).sum(1))
