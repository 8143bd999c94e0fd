"""Gaussians with a network's output applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import BoundGaussians, FloatArray, LikenessError


def apply_outputs(
    base: BoundGaussians, said: dict[str, FloatArray], folder: Path
) -> BoundGaussians:
    """Replace attributes of Gaussians by a network's output.

    Args:
        base: N Gaussians.
        said: The output by :data:`.runtime.ATTRIBUTES`: [N, 3], or [N, 4] for the quaternions,
            [N] for the opacities and [N, 3 + F] for colours with latent features, in the units of
            ``base``.
        folder: The network's, for messages.

    Returns:
        The Gaussians with float32 attributes.

    Raises:
        LikenessError: The output is not finite.
    """
    for name, values in said.items():
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise LikenessError(
                f"The network in '{folder}' gave {bad:,} values of '{name}' that are not finite.",
                "Train it again from an earlier checkpoint, or use another network.",
            )
    return with_attributes(base, said)


def with_attributes(base: BoundGaussians, values: dict[str, FloatArray]) -> BoundGaussians:
    """Replace attributes of Gaussians.

    Args:
        base: N Gaussians.
        values: By :data:`.runtime.ATTRIBUTES`: [N, ...]; channels of the colours beyond the third
            are latent features.

    Returns:
        The Gaussians with float32 attributes.
    """
    changes: dict[str, Any] = {name: v.astype(np.float32) for name, v in values.items()}
    colors = changes["colors"]
    if colors.shape[1] > 3:
        changes |= {"colors": colors[:, :3].copy(), "features": colors[:, 3:].copy()}
    return replace(base, **changes)
