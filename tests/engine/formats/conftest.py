"""Gaussians at random, two of which are wholly clear and solid."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import Gaussians


@pytest.fixture
def gaussians() -> Gaussians:
    rng = np.random.default_rng(0)
    quats = rng.normal(size=(3000, 4))
    return Gaussians(
        (rng.normal(scale=0.3, size=(3000, 3)) - [0, 0, 2]).astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        rng.uniform(0.0005, 0.03, (3000, 3)).astype(np.float32),
        np.concatenate([[0, 1], rng.uniform(size=2998)]).astype(np.float32),
        rng.uniform(size=(3000, 3)).astype(np.float32),
    )
