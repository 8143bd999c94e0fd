"""What an optimiser may spoil outside the photo's view: rims, speckles, other views.

All pictures are drawn without background: ``light`` [H, W, 3] is colour times alpha. Over any
background b the picture is light + (1 - alpha) b, so a rim that is too bright is too bright by the
same amount on black, on green and on white: the background cancels out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, median_filter

from ...engine.core.cameras import orbit
from ...engine.core.types import BoolArray, Camera, FloatArray, Gaussians
from ...engine.imaging.resize import fit_size
from ...engine.render import render_camera
from ...engine.visual.metrics import psnr

SIDE = 512
"""Pixels of the longer side of the renders that are compared."""

YAWS = (-180, -90, -40, 0, 40, 90)
"""Degrees of the cameras about the avatar; 0 is the photo's."""

RIM = 3.0  # pixels to either side of the outline
FOG = 8.0  # pixels outside the outline: farther than the rim there should be nothing
_REACH = 10.0  # pixels; a strand of hair without an inside as near is not judged
_PLAIN = 0.1  # of white: a visible excess

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


class RimMetrics(NamedTuple):
    """The edge of a silhouette, in per cent.

    Attributes:
        pale: by how much of white the rim is brighter than the nearest inside, where it is.
        share: of the rim's pixels that are brighter by a tenth of white or more.
        fog: mean alpha 3 to 8 pixels outside the outline.
        holes: mean of 1 - alpha 3 or more pixels inside it, where a green background shows
            through.
    """

    pale: float
    share: float
    fog: float
    holes: float


def measure_rim(light: FloatArray, alpha: FloatArray) -> RimMetrics:
    """How the outline (alpha 0.5) of a drawing looks compared with its inside.

    The rim is the band of ``RIM`` pixels to either side. The colour that belongs there is that
    of the nearest place farther inside, lightly smoothed; drawn with the pixel's own alpha it
    would be as bright as alpha times that. Any excess is pale. Light along an edge is in many
    photos, so compare with the lift's figure or the photo's own.

    Args:
        light: [H, W, 3] colours times alpha, 0..1.
        alpha: [H, W] 0..1. The outline ends at the border.
    """
    solid = np.asarray(alpha) > 0.5
    inside = _distance(solid)
    outside = _distance(~solid)
    core = inside > RIM
    if not core.any() or solid.all():
        return RimMetrics(0.0, 0.0, 0.0, 0.0)
    weight = gaussian_filter(core.astype(np.float64), 1.5)
    straight = light / np.maximum(alpha, 1e-3)[..., None] * core[..., None]
    smooth = np.stack([gaussian_filter(straight[..., k], 1.5) for k in range(3)], -1)
    smooth /= np.maximum(weight, 1e-6)[..., None]
    away, nearest = distance_transform_edt(~core, return_indices=True)
    belongs = smooth[nearest[0], nearest[1]]
    band = ((solid & (inside <= RIM)) | (~solid & (outside <= RIM))) & (away <= _REACH)
    excess = ((light - alpha[..., None] * belongs) @ _LUMINANCE)[band]
    near = ~solid & (outside > RIM) & (outside <= FOG)
    return RimMetrics(
        100 * _mean(np.maximum(excess, 0)),
        100 * _mean(excess > _PLAIN),
        100 * _mean(alpha[near]),
        100 * _mean(1 - alpha[core]),
    )


def measure_speckle(light: FloatArray, alpha: FloatArray) -> float:
    """Energy of single pixels that stick out: mean square of the difference to the 3 x 3 median.

    Edges and slopes pass a median, lone spots do not. In units of (a hundredth of white)², over
    the inside of what is drawn; fine cloth has some, so compare with the lift's figure.

    Args:
        light: [H, W, 3] colours times alpha, 0..1.
        alpha: [H, W] 0..1.
    """
    core = _distance(np.asarray(alpha) > 0.5) > RIM
    lone = light - median_filter(light, size=(3, 3, 1), mode="nearest")
    return 1e4 * _mean((lone**2).mean(-1)[core])


def view_psnr(
    light: FloatArray, alpha: FloatArray, other_light: FloatArray, other_alpha: FloatArray
) -> float:
    """PSNR in dB between two drawings on grey, where either of them is solid.

    Args:
        light: [H, W, 3] colours times alpha of the one, 0..1.
        alpha: [H, W] of the one, 0..1.
        other_light: [H, W, 3] of the other.
        other_alpha: [H, W] of the other.
    """
    either = (alpha > 0.5) | (other_alpha > 0.5)
    grey, other_grey = (
        light_ + 0.5 * (1 - alpha_)[..., None]
        for light_, alpha_ in ((light, alpha), (other_light, other_alpha))
    )
    return psnr(grey, other_grey, either)


class RenderedView(NamedTuple):
    """One drawing without background.

    Attributes:
        light: [H, W, 3] colours times alpha, 0..1.
        alpha: [H, W] 0..1.
    """

    light: FloatArray
    alpha: FloatArray


def render_turned(
    gaussians: Gaussians, camera: Camera, centre: FloatArray, yaws: tuple[int, ...] = YAWS
) -> dict[int, RenderedView]:
    """Drawings by cameras swung about a point, ``SIDE`` pixels along the longer side.

    Args:
        gaussians: in world space.
        camera: the photo's.
        centre: [3] metres, world space.
        yaws: degrees.
    """
    small = camera.resized(*fit_size(camera.width, camera.height, SIDE))
    views = {}
    for yaw in yaws:
        drawn = render_camera(gaussians, orbit(small, centre, yaw) if yaw else small)
        views[yaw] = RenderedView(np.clip(drawn.rgb, 0, 1), drawn.alpha)
    return views


def _distance(mask: BoolArray) -> FloatArray:
    """[H, W] pixels from each place of a mask to the nearest outside it, 0 outside the mask.

    The picture's border does not count as an edge. The outline runs between pixels, half a pixel
    nearer.
    """
    if mask.all():
        return np.full(mask.shape, np.inf)
    distance: FloatArray = distance_transform_edt(mask)
    return np.maximum(distance - 0.5, 0.0)


def _mean(values: FloatArray | BoolArray) -> float:
    return float(np.mean(values, dtype=np.float64)) if values.size else 0.0
