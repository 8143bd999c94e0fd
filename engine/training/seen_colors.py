"""The true colour of what a photo does not show, for each Gaussian there.

Pictures supervise a few views of a sample, and each Gaussian through all those before and behind
it. The colours that other views show at its place are known in advance, from all sides at once: so
colours are also supervised directly (ours; the paper has pictures only).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..body import Body
from ..core.cameras import camera_position, project
from ..core.sampling import bilinear
from ..core.types import BoundGaussians, FloatArray
from ..gaussians import place_gaussians
from ..imaging.matting import SOLID_ALPHA
from ..render import render_camera
from .samples import TargetView

SIZE, MARGIN = 160, 0.05  # pixels of the views; share around the person
NEAR = 0.02  # metres behind the surface that a Gaussian of it may lie
GRAZING = 0.2  # cosine below which a view does not count


def seen_colors(
    bound: BoundGaussians, body: Body, reference: TargetView, others: Sequence[TargetView]
) -> FloatArray:
    """Look up what views show where the reference shows nothing.

    Args:
        bound: N Gaussians on ``body.f``.
        body: The person's own.
        reference: The view that the network sees.
        others: Other views.

    Returns:
        [N, 4] float32: the mean colour, and its weight in 0..1, which is 0 where the reference
            shows the place, or no other view does.
    """
    sums = np.zeros((len(bound), 4))
    for view in others:
        weight, xy = _visible(bound, body, view)
        rgb = bilinear(view.rgba[..., :3].astype(np.float64), xy)
        sums += weight[:, None] * np.concatenate([rgb, np.ones((len(rgb), 1))], 1)
    out = np.zeros((len(bound), 4), np.float32)
    known = sums[:, 3] > 0.0
    out[known, :3] = sums[known, :3] / sums[known, 3:]
    hidden = 1.0 - _visible(bound, body, reference)[0]
    out[:, 3] = np.minimum(sums[:, 3], 1.0) * hidden
    return out


def _visible(bound: BoundGaussians, body: Body, view: TargetView) -> tuple[FloatArray, FloatArray]:
    """[N] how well a view shows each Gaussian, 0..1, and [N, 2] at which pixels."""
    gaussians = place_gaussians(bound, view.vertices, body)
    # Most shall be solid: without a lift they begin almost transparent.
    usual = max(float(np.median(gaussians.opacities)), 1e-6)
    opacities = np.minimum(gaussians.opacities * np.float32(SOLID_ALPHA / usual), 0.99)
    drawn = render_camera(replace(gaussians, opacities=opacities), view.camera)
    means = np.asarray(gaussians.means, np.float64)
    xy, depth = project(means, view.camera)
    height, width = drawn.alpha.shape
    inside = (depth > 0.0) & (xy >= 0.0).all(1) & (xy < [width, height]).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(int).T
    solid = (drawn.alpha > SOLID_ALPHA) & (view.rgba[..., 3] > SOLID_ALPHA)
    solid = ndimage.binary_erosion(solid)  # the border mixes with the background
    at_surface = inside & solid[row, col] & (depth < drawn.depth[row, col] + NEAR)
    corners = view.vertices.astype(np.float64)[body.f[bound.triangle]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    toward = camera_position(view.camera) - means
    length = np.linalg.norm(normal, axis=1) * np.linalg.norm(toward, axis=1)
    facing = np.einsum("nd,nd->n", normal, toward) / np.maximum(length, 1e-12)
    weight = np.clip((facing - GRAZING) / (1.0 - GRAZING), 0.0, 1.0)
    return np.where(at_surface, weight, 0.0), np.where(inside[:, None], xy, 0.0)
