"""What every rasteriser shares: its result and the numbers that gsplat (1.5) draws by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..core.types import FloatArray

NEAR = 0.01
"""Metres; a Gaussian whose centre is nearer is not drawn."""

BLUR = 0.3
"""Pixels squared, added to the diagonal of the 2D covariance: nothing falls between pixels."""

JACOBIAN_MARGIN = 0.3
"""The projection is linearised no farther outside the image than this part of tan(fov / 2)."""

ALPHA_MIN = 1.0 / 255.0
"""A contribution below this is left out; it is what ends a Gaussian (at 3.33 sigma when opaque)."""

ALPHA_MAX = 0.999

TRANSMITTANCE_MIN = 1e-4
"""A pixel is finished before the Gaussian that would bring its transmittance to this."""

DEPTH_EPSILON = 1e-10


class RasterJob(NamedTuple):
    """Cameras and background of one drawing, checked and of one form.

    Attributes:
        viewmats: [C, 4, 4] float64.
        Ks: [C, 3, 3] float64.
        width, height: Pixels.
        background: [C, channels].
    """

    viewmats: FloatArray
    Ks: FloatArray
    width: int
    height: int
    background: FloatArray


class RenderOutput(NamedTuple):
    """What cameras see of Gaussians; C is missing for a single camera.

    Attributes:
        rgb: [C, H, W, channels] colours times their weights, plus (1 - alpha) background.
        alpha: [C, H, W] 0..1.
        depth: [C, H, W] metres along the view axis: the mean of the Gaussians' depths by their
            weight; 0 where there is nothing.
    """

    rgb: FloatArray
    alpha: FloatArray
    depth: FloatArray


class Gradients(NamedTuple):
    """A loss's derivatives by what was drawn, float32, shapes as in ``Gaussians``.

    Attributes:
        means: [N, 3].
        quats: [N, 4], by the quaternion before it is made a unit.
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
"""``vjp(rgb=None, alpha=None, depth=None)``: from the loss's derivatives by each field of a
:class:`RenderOutput` (None: zero), of that field's shape, to those by what was drawn."""
