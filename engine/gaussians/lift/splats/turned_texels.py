"""Texels that the photo shows edge-on take its colours, blurred.

Their own colours are completed ones, since a pixel covers centimetres of a surface that turns away.
Where those differ from the photo's, the splats of its pixels are seen as dots from the side.
Blurred, the photo makes no streaks, and what is left of the dots is as fine as its grain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.cameras import project
from ....core.color import rgb_to_lab
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import smooth_within
from ..photo.photo_view import PhotoView
from ..surface.labels import HAIR, HAT, LOWER, SKIN, UPPER, ramp
from ..surface.limbs import HEAD


@dataclass(frozen=True)
class TurnedTexelSettings:
    """What the photo shows edge-on."""

    blur: float = 0.06  # inter-ocular distances, standard deviation
    least_blur: float = 1.2  # pixels
    print_blur: float = 0.6  # pixels: the same of prints, which stay what they are
    rim: float = 1.5  # pixels inside the outline that show the background too
    facing: tuple[float, float] = (0.08, 0.22)  # cosines between which the photo's colours come
    shown: tuple[float, float] = (0.25, 0.5)  # share of such pixels around a place, likewise
    stronger: tuple[float, float] = (16.0, 8.0)
    """Units of a*b* by which the photo's chroma is higher, between which its colours come, but for
    prints: a coloured light or background is seen on the rim, and not from the side."""

    lighter: float = 0.06  # the most that they brighten a texel: light from behind is a rim's only


S = register_settings("lift.turned_texels", TurnedTexelSettings())


def show_turned(
    color: FloatArray,
    turned: BoolArray,
    facing: FloatArray,
    label: IntArray,
    on_head: BoolArray,
    points: FloatArray,
    view: PhotoView,
) -> FloatArray:
    """Blend the photo's blurred colours into texels that turn away from it.

    Each takes those of pixels of its own label only; on a head, skin and hair are one, as their
    border is seldom where the labels have it. Shoes and hair off the head stay as they are: they
    are repeated as patches, and strands let what is behind them shine through.

    Args:
        color: [N, 3] 0..1, completed.
        turned: [N] texels in sight whose colours are completed nonetheless.
        facing: [N] cosine to the camera.
        label: [N] index into ``labels.LABELS``.
        on_head: [N] whether each lies on the head.
        points: [N, 3] metres, world space.
        view: the photo.

    Returns:
        [N, 3] 0..1.
    """
    regions, out = view.regions, np.array(color)
    inside = regions.mask & (view.inside * regions.unit > S.rim)
    prints = (*view.prints.patterned, *view.prints.lettered)
    soft = max(S.blur * regions.unit, S.least_blur)
    of_head = on_head & np.isin(label, [SKIN, HAIR])
    shows_head = (regions.group == HEAD) & np.isin(regions.label, [SKIN, HAIR])
    kinds = [(of_head, shows_head, soft)]
    for kind in (SKIN, UPPER, LOWER, HAT):
        sigma = S.print_blur if kind in prints else soft
        kinds.append((~of_head & (label == kind), ~shows_head & (regions.label == kind), sigma))
    for own, shows, sigma in kinds:
        rows = np.nonzero(turned & own & (facing > S.facing[0]))[0]
        if len(rows) == 0:
            continue
        among = inside & shows
        share = ndimage.gaussian_filter(among.astype(float), sigma)
        blurred = np.dstack([smooth_within(view.colors, among, sigma), share])
        xy, _ = project(points[rows], view.camera)
        shown, share = np.split(bilinear(blurred, xy), [3], axis=1)
        step = shown - out[rows]
        weight = ramp(facing[rows], *S.facing) * ramp(share[:, 0], *S.shown)
        if sigma == soft:
            weight *= ramp(_chroma(shown) - _chroma(out[rows]), *S.stronger)
        step *= S.lighter / np.maximum(step.max(1, keepdims=True), S.lighter)  # of one hue
        out[rows] += weight[:, None] * step
    return out


def _chroma(colors: FloatArray) -> FloatArray:
    """[N] chroma of colours [N, 3] 0..1, units of a*b*."""
    return np.asarray(np.linalg.norm(rgb_to_lab(np.clip(colors, 0.0, 1.0))[:, 1:], axis=1))
