"""A body, and an avatar that motions are brought to."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.motion.placing import TargetAvatar


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture(scope="module")
def target(body: Body) -> TargetAvatar:
    joints = np.asarray(body.J_template, np.float64)
    sole = float(body.v_template[:, 1].min())
    return TargetAvatar(joints, sole, joints[0], np.array([0.0, 0.0, 1.0]), sole)
