"""Skin beside a body that the parser denies: a ball or a chair in the skin's own colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray
from ..grids.pixel_grids import connected_patches
from ..pixels.labels_parser import PARSED, ParserRuntime
from ..pixels.regions import Regions
from ..surface.labels import SKIN


@dataclass(frozen=True)
class DeniedSkinSettings:
    """When skin is taken for a thing."""

    beside: float = 0.03  # metres beside the fitted body: arms hardly stand so far off
    least: float = 0.5  # squared inter-ocular distances of it that are asked about
    denied: float = 0.5
    """Mean probability over such a patch that it shows nothing of the person.

    A ball has 0.80, a chair's arm 0.78, the skin of five badly fitted people 0.22 at most.
    """


S = register_settings("lift.denied_skin", DeniedSkinSettings())


def find_denied_skin(
    regions: Regions,
    photo: FloatArray,
    camera: Camera,
    body: Body,
    vertices: FloatArray,
    parser: ParserRuntime,
) -> list[BoolArray]:
    """Find things that the rules call skin, for their colour.

    The parser runs only where skin lies too far beside the body.

    Args:
        regions: the labelled pixels.
        photo: [.., .., 3] sRGB 0..1 foreground colours, at their own size.
        camera: of the regions' grid.
        body: the person's own.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        parser: that may deny it.

    Returns:
        [H, W] each of them.

    Raises:
        LikenessError: the parser's output is not finite.
    """
    off = regions.off_head & (regions.label == SKIN) & (regions.places.beside > S.beside)
    asked = [
        patch
        for patch in connected_patches(ndimage.binary_opening(off))
        if patch.sum() > S.least * regions.unit**2
    ]
    if not asked:
        return []
    parsed = parser.parse(photo, regions.mask, camera, body, vertices)
    nobody = parsed[..., PARSED.index("none")]
    numbers, _ = ndimage.label(regions.off_head & (nobody > S.denied))
    out = []
    for patch in asked:
        if nobody[patch].mean() > S.denied:
            own = np.unique(numbers[patch])
            out.append(patch | np.isin(numbers, own[own > 0]))
    return out
