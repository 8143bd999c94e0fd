"""Gaussian PLY files as 3D Gaussian splatting programs write them, through gsply.

The file stores ``scale_*`` as the natural logarithm of metres, ``opacity`` before the sigmoid,
``rot_*`` as w, x, y, z, and colours as the first spherical-harmonics coefficient:
``f_dc = (rgb - 0.5) / 0.28209``. Axes are the engine's.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import gsply
import numpy as np

from ..types import Gaussians, LikenessError
from .atomic import whole_file

SH_C0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi))."""

_LEAST_SCALE = 1e-9  # metres; zero has no logarithm
_LEAST_OPACITY = 1e-6  # neither 0 nor 1 has a logit


def write_ply(gaussians: Gaussians, path: Path) -> None:
    """Write RGB Gaussians to ``path``, whole or not at all.

    Raises:
        LikenessError: the folder cannot be written to.
    """
    if gaussians.colors.shape[1] != 3:
        raise ValueError(f"a PLY file holds RGB, not {gaussians.colors.shape[1]} channels")
    opacity = np.clip(
        np.asarray(gaussians.opacities, np.float64), _LEAST_OPACITY, 1 - _LEAST_OPACITY
    )
    with whole_file(path) as scratch:
        gsply.plywrite(
            scratch,
            np.ascontiguousarray(gaussians.means, np.float32),
            np.log(np.maximum(gaussians.scales, _LEAST_SCALE)).astype(np.float32),
            np.ascontiguousarray(gaussians.quats, np.float32),
            np.log(opacity / (1 - opacity)).astype(np.float32),
            ((np.asarray(gaussians.colors) - 0.5) / SH_C0).astype(np.float32),
        )


def read_ply(path: Path) -> Gaussians:
    """Read a Gaussian PLY file, also a compressed one.

    Colours that depend on the view are reduced to their mean, with a warning.

    Raises:
        LikenessError: no such file, or not Gaussians.
    """
    remedy = "Give a PLY file of 3D Gaussians."
    try:
        data = gsply.plyread(path)
        means, scales, quats, opacities, sh0, sh_rest = data.unpack()
    except (OSError, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise LikenessError(f"Cannot read '{path}' as Gaussians ({error}).", remedy) from error
    if sh_rest is not None and sh_rest.size:
        warnings.warn(
            f"'{path}' has colours that change with the view; their mean is used.", stacklevel=2
        )
    length = np.linalg.norm(quats, axis=1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gaussians = Gaussians(
            means=np.array(means, np.float32),
            quats=(quats / length).astype(np.float32),
            scales=np.exp(scales).astype(np.float32),
            opacities=(1 / (1 + np.exp(-opacities.astype(np.float64)))).astype(np.float32),
            colors=(sh0 * SH_C0 + 0.5).astype(np.float32),
        )
    for name in ("means", "quats", "scales", "opacities", "colors"):
        if not np.isfinite(getattr(gaussians, name)).all():
            raise LikenessError(f"'{path}' has {name} that are no numbers.", remedy)
    return gaussians
