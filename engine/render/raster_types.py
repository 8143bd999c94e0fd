"""What all rasterisers share: types, and the constants of gsplat 1.5."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..core.types import FloatArray

NEAR = 0.01
"""Metres; a Gaussian whose centre is nearer is not drawn."""

BLUR = 0.3
"""Pixels squared, added to the diagonal of the 2D covariance: no splat falls between pixels."""

COMPENSATION = 0.4
"""Power of the determinants' ratio (before over after ``BLUR``) that a compensated opacity takes.
Mip-Splatting's is 0.5; but splats that tile a surface hide more together than blending knows, and
what lies behind would shine through. Measured: 0.4 is 2 dB nearer to 8 x 8 samples."""

JACOBIAN_MARGIN = 0.3
"""The projection is linearised at most this part of tan(fov / 2) outside the image."""

ALPHA_MIN = 1.0 / 255.0
"""Smaller contributions are skipped, which bounds a Gaussian (at 3.33 sigma if opaque)."""

ALPHA_MAX = 0.999

TRANSMITTANCE_MIN = 1e-4
"""A pixel is finished before the Gaussian that would reduce its transmittance to this."""

DEPTH_EPSILON = 1e-10


SAMPLES = 2
"""Per pixel, along each side: for pictures that people see, and what is compared with them."""

LARGE_SIDE = 4096
"""Pixels from which on a picture takes one sample: its pixels are finer than an avatar's splats,
and four times the memory would not be there."""


class RasterJob(NamedTuple):
    """Checked cameras and background of one drawing.

    Attributes:
        viewmats: [C, 4, 4] float64.
        Ks: [C, 3, 3] float64.
        width: Image width in pixels.
        height: Image height in pixels.
        background: [C, channels].
        compensated: Whether a Gaussian that ``BLUR`` widens gets that much more transparent, as in
            Mip-Splatting (Yu et al. 2024, section 4.2); see ``COMPENSATION``.
    """

    viewmats: FloatArray
    Ks: FloatArray
    width: int
    height: int
    background: FloatArray
    compensated: bool = False


class RenderOutput(NamedTuple):
    """Pictures of Gaussians by C cameras; a single camera has no C.

    Attributes:
        rgb: [C, H, W, channels] weighted colours plus (1 - alpha) background.
        alpha: [C, H, W] in 0..1.
        depth: [C, H, W] metres along the view axis: the weighted mean of the Gaussians' depths; 0
            in empty pixels.
    """

    rgb: FloatArray
    alpha: FloatArray
    depth: FloatArray


class Gradients(NamedTuple):
    """A loss's derivatives with respect to what was drawn, float32.

    Attributes:
        means: [N, 3].
        quats: [N, 4], with respect to the quaternion before normalisation.
        scales: [N, 3].
        opacities: [N].
        colors: [N, channels].
        background: [C, channels].
    """

    means: FloatArray
    quats: FloatArray
    scales: FloatArray
    opacities: FloatArray
    colors: FloatArray
    background: FloatArray


Vjp = Callable[..., Gradients]
"""``vjp(rgb=None, alpha=None, depth=None)``: maps the loss's derivatives with respect to the fields
of a :class:`RenderOutput` (None: zero) to those with respect to what was drawn."""
