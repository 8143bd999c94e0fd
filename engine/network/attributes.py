"""What a network says of each Gaussian, and Gaussians with it applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import BoundGaussians, FloatArray, LikenessError


def apply_outputs(
    base: BoundGaussians, said: dict[str, FloatArray], folder: Path
) -> BoundGaussians:
    """The Gaussians with what a network said of them, by :data:`ATTRIBUTES`.

    Raises:
        LikenessError: not all of it are numbers; ``folder`` is the network's.
    """
    for name, values in said.items():
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise LikenessError(
                f"The network in '{folder}' gave {bad:,} values of '{name}' that are no numbers.",
                "Train it again from an earlier checkpoint, or use another network.",
            )
    changes: dict[str, Any] = {name: values.astype(np.float32) for name, values in said.items()}
    return replace(base, **changes)
