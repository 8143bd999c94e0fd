"""What shows between the strands of the photo's hair when it is seen from aside.

Splats of the photo's hair are not drawn out in depth, so from the side there are gaps between
them, and skin or background in those. Behind them lie coarser splats of the hair's smooth colour,
which reach on in depth until they meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.settings import register_settings
from ....core.types import BoundGaussians
from ..grids.pixel_grids import erode, smooth_within
from ..photo.photo_view import PhotoView
from ..shape.dressed_mesh import DressedMesh
from ..splats.photo_splats import front_layer
from ..surface.surfels import TriangleBinding


@dataclass(frozen=True)
class HairBackingSettings:
    """The backing of the photo's hair."""

    step: float = 0.0035  # metres between its splats, at least
    share: float = 0.03  # most of the budget of the photo's splats that it has
    inside: float = 0.004  # metres from the outline that it keeps: it would show beside loose hair
    solid: float = 0.9  # 0..1, alpha of its pixels
    blur: float = 0.006  # metres, standard deviation over which its colours are averaged
    sigma: float = 0.6  # steps, standard deviation of its splats


S = register_settings("lift.hair_backing", HairBackingSettings())


def back_hair(
    view: PhotoView, homes: TriangleBinding, dressed: DressedMesh, budget: int
) -> list[BoundGaussians]:
    """Lay a backing behind the photo's hair.

    Args:
        view: the photo.
        homes: bind the splats.
        dressed: the worn surface in the photo's pose.
        budget: of the photo's splats, of which the backing has a share.

    Returns:
        The layer of splats; none where the photo shows no hair that needs one.
    """
    camera, hair = view.camera, view.regions.hair & view.regions.mask
    visible = np.concatenate([sheet.front[sheet.visible & hair] for sheet in view.sheets])
    if not len(visible):
        return []
    pixel = float(np.median(visible)) / float(camera.K[0, 0])
    solid = erode(hair & (view.alpha > S.solid), max(1, round(S.inside / pixel)))
    step = max(1.0, S.step / pixel, np.sqrt(solid.sum() / max(S.share * budget, 1.0)))
    width, height = (max(2, round(side / step)) for side in (camera.width, camera.height))
    rows = ((np.arange(height) + 0.5) * camera.height / height).astype(np.int64)
    cols = ((np.arange(width) + 0.5) * camera.width / width).astype(np.int64)
    at = np.ix_(rows, cols)
    if not solid[at].any():
        return []
    colors = smooth_within(view.colors, hair, max(S.blur / pixel, 0.5))
    target = camera.resized(width, height)
    opaque = np.ones((height, width))
    return [
        front_layer(
            colors[at], opaque, target, solid[at], S.sigma, view, homes, dressed, backing=True
        )
    ]
