"""Random backgrounds for synthetic pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..core.types import FloatArray


def random_background(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Sample a background: a wall, a gradient, or something out of focus.

    Args:
        height: In pixels.
        width: In pixels.
        rng: Of its colours and shapes.

    Returns:
        [H, W, 3] sRGB, about 0..1.
    """
    kind = rng.random()
    base = np.clip(rng.uniform(0.1, 0.9) + rng.normal(0, 0.1, 3), 0.03, 0.97)
    if kind < 0.3:
        cells = base + rng.normal(0, 0.02, (2, 2, 3))
    elif kind < 0.6:
        other = np.clip(base + rng.normal(0, 0.2, 3), 0.03, 0.97)
        cells = np.stack([np.tile(base, (2, 1)), np.tile(other, (2, 1))])
    else:
        n = int(rng.integers(3, 9))
        cells = base + rng.normal(0, 0.14, (n, n, 1)) + rng.normal(0, 0.05, (n, n, 3))
    planes = [
        np.asarray(
            Image.fromarray(np.clip(cells[..., c], 0, 1).astype(np.float32)).resize(
                (width, height), Image.Resampling.BICUBIC
            )
        )
        for c in range(3)
    ]
    return np.stack(planes, -1)
