"""What holds refined Gaussians together: the paper's regularisers.

Supplement, equations 8 (offsets), 9 and 10 (scales), 12 (hands) and 13 (opacities).

They act on the numbers of ``parameters``. Two are read for a lift that is being refined, instead
of a network that begins with noise: distances count from the lift, not from zero, and patches of
opacity are only pulled up to the target, because the lift's are nearly solid already and thinner
ones would let the far side shine through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...body import Body
from ...core.types import JOINT_NAMES, LAYERS, BoolArray, BoundGaussians, FloatArray, IntArray
from .parameters import COLORS, COLUMNS, DEPTH, OFFSET, OPACITY, SCALES

OPACITY_TARGET = 0.8  # the paper's
MAX_RATIO = 3.0  # of a splat's two scales before equation 10 begins to pull
PATCHES = 64  # cells along each side of the atlas
GLOVE = 0.25  # a hand's patch farther than this from every colour of the face is not bare skin
HANDS = tuple(
    i
    for i, name in enumerate(JOINT_NAMES)
    if any(part in name for part in ("wrist", "index", "middle", "pinky", "ring", "thumb"))
)


@dataclass(frozen=True)
class RegulariserWeights:
    """Weights of the terms, against the mean squared difference of the pictures.

    Attributes:
        color: for leaving the lift's colours.
        opacity: for leaving its opacities.
        scale: for leaving its scales (equation 9).
        offset: for leaving its places along the surface (equation 8).
        depth: for leaving them off the surface. One view hardly shows depth, but neighbours that
            swap places in depth turn fine patterns into dots at any other size.
        isotropy: equation 10.
        patches: equation 13.
        hands: equation 12.
    """

    color: float = 0.03
    opacity: float = 0.002
    scale: float = 0.01
    offset: float = 0.01
    depth: float = 0.3
    isotropy: float = 0.02
    patches: float = 0.5
    hands: float = 2.0


class Regularisers:
    """The terms' gradients for one avatar.

    Args:
        bound: the lift's Gaussians.
        start: [N, 9] their numbers.
        free: [N] 0..1 how much of each the photo shows.
    """

    def __init__(
        self,
        bound: BoundGaussians,
        start: FloatArray,
        free: FloatArray,
        body: Body,
        weights: RegulariserWeights = RegulariserWeights(),
    ) -> None:
        self._start, self._weights = start, weights
        self._keep = np.empty(COLUMNS, np.float32)
        for columns, weight in (
            (COLORS, weights.color),
            (OPACITY, weights.opacity),
            (SCALES, weights.scale),
            (OFFSET, weights.offset),
        ):
            self._keep[columns] = weight
        self._keep[DEPTH] = weights.depth
        ratio = np.log(np.maximum(bound.scales[:, 0], 1e-9) / np.maximum(bound.scales[:, 1], 1e-9))
        self._ratio = ratio.astype(np.float32)
        self._most = np.maximum(np.abs(self._ratio), np.float32(np.log(MAX_RATIO)))
        self._patch, self._patch_size = _patches(bound, body)
        self.unseen_hands, self._hand_patch, self._wanted = self._find_hands(bound, free, body)

    def _find_hands(
        self, bound: BoundGaussians, free: FloatArray, body: Body
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Rows of bare hands' skin that the photo hardly shows, and the colours they should have.

        Equation 12; the face's own colours do not move.

        Returns:
            rows: [M] of the Gaussians.
            patch: [M] patch of each.
            color: [M, 3] of the patch of the face with the nearest colour.
        """
        nothing = np.zeros(0, np.int64)
        if body.landmarks is None:
            return nothing, nothing, np.zeros((0, 3))
        on_face = np.zeros(len(body.f), bool)
        on_face[body.landmarks.face_triangle] = True
        seen_face = on_face[bound.triangle] & (free > 0.5)
        faces = _means(self._patch[seen_face], bound.colors[seen_face], len(self._patch_size))
        skin = bound.layer == LAYERS.index("core")
        hand_vertex: BoolArray = body.sum_weights(HANDS) > 0.5
        rows = np.flatnonzero(skin & hand_vertex[body.f[bound.triangle, 0]])
        hands = _means(self._patch[rows], bound.colors[rows], len(self._patch_size))
        known = faces[~np.isnan(faces[:, 0])]
        if not len(known) or not len(rows):
            return nothing, nothing, np.zeros((0, 3))
        apart = np.linalg.norm(hands[:, None] - known[None], axis=2)
        bare = apart.min(1) < GLOVE  # not where a patch has no hand's splats: its mean is NaN
        rows = rows[(free[rows] < 0.5) & bare[self._patch[rows]]]
        return rows, self._patch[rows], known[apart.argmin(1)]

    def gradient(self, numbers: FloatArray, pixels: float) -> NDArray[np.float32]:
        """Return the derivatives [N, 9] of all terms.

        Args:
            numbers: [N, 9] in the columns of ``parameters``.
            pixels: of the person in the photo; the terms are means over them.
        """
        weights = self._weights
        out: NDArray[np.float32] = 2.0 * self._keep * (numbers - self._start)
        change = numbers[:, SCALES]
        ratio = self._ratio + change[:, 0] - change[:, 1]
        beyond = np.sign(ratio) * np.maximum(np.abs(ratio) - self._most, 0.0)
        out[:, SCALES.start] += 2.0 * weights.isotropy * beyond
        out[:, SCALES.start + 1] -= 2.0 * weights.isotropy * beyond
        opacity = 1.0 / (1.0 + np.exp(-numbers[:, OPACITY]))
        count = len(self._patch_size)
        mean = np.bincount(self._patch, opacity, count) / self._patch_size
        short = np.minimum(mean - OPACITY_TARGET, 0.0)
        slope = 2.0 * weights.patches * (short / self._patch_size)[self._patch]
        out[:, OPACITY] += slope * opacity * (1.0 - opacity)
        if len(self.unseen_hands):
            colors = numbers[self.unseen_hands, COLORS]
            means = _means(self._hand_patch, colors, count)
            off = (means - self._wanted)[self._hand_patch]
            out[self.unseen_hands, COLORS] += 2.0 * weights.hands * off
        return (out / np.float32(pixels)).astype(np.float32)


def _patches(bound: BoundGaussians, body: Body) -> tuple[IntArray, FloatArray]:
    """[N] the patch of the atlas and the layer that each splat lies in, and [P] their sizes."""
    corners = body.atlas_vt[body.atlas_ft[bound.triangle]]
    uv = np.einsum("nk,nkd->nd", bound.bary, corners)
    cell = np.clip((uv * PATCHES).astype(np.int64), 0, PATCHES - 1)
    index = (bound.layer.astype(np.int64) * PATCHES + cell[:, 1]) * PATCHES + cell[:, 0]
    _, patch = np.unique(index, return_inverse=True)
    return patch, np.bincount(patch).astype(np.float64)


def _means(patch: IntArray, colors: FloatArray, count: int) -> FloatArray:
    """[count, 3] mean colours of patches; NaN for those without a splat."""
    sizes = np.bincount(patch, minlength=count).astype(np.float64)
    sums = np.stack([np.bincount(patch, colors[:, k], count) for k in range(3)], 1)
    with np.errstate(invalid="ignore"):
        out: FloatArray = sums / np.where(sizes > 0, sizes, np.nan)[:, None]
    return out
