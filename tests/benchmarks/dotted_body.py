"""A body of boxes with flat splats of random colours all over it."""

from __future__ import annotations

import numpy as np
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import BoundGaussians


def make_dotted_body(n: int) -> tuple[Body, BoundGaussians]:
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    rng = np.random.default_rng(0)
    splats = BoundGaussians(
        rng.integers(0, len(body.f), n).astype(np.int32),
        rng.dirichlet(np.ones(3), n).astype(np.float32),
        np.zeros((n, 3), np.float32),
        np.tile([1.0, 0, 0, 0], (n, 1)).astype(np.float32),
        np.tile([0.02, 0.02, 1e-3], (n, 1)).astype(np.float32),
        np.full(n, 0.9, np.float32),
        rng.random((n, 3)).astype(np.float32),
        np.zeros(n, np.uint8),
    )
    return body, splats
