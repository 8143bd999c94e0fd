"""Clips: options that would have no effect are refused before a frame is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import Avatar, BoundGaussians, LikenessError, Pose
from likeness.engine.workflows.clip_files import render_clip
from likeness.engine.workflows.options import ClipOptions


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """A few splats on a body."""
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    n = 20
    splats = BoundGaussians(
        np.arange(n, dtype=np.int32),
        np.full((n, 3), 1 / 3, np.float32),
        np.zeros((n, 3), np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (n, 1)),
        np.full((n, 3), 0.02, np.float32),
        np.full(n, 0.9, np.float32),
        np.full((n, 3), 0.5, np.float32),
        np.zeros(n, np.uint8),
    )
    pose = Pose(np.zeros((55, 3)), np.array([0.0, 0.1, -3.0]), np.zeros(body.num_expression))
    return Avatar(body, splats, pose, photo_camera(60.0, 24, 32), "full")


def test_nothing_swings_without_a_motion(avatar: Avatar, tmp_path: Path) -> None:
    turntable = ClipOptions(turntable=True, seconds=0.1, width=16, background=np.ones(3))
    assert render_clip(avatar, tmp_path / "still", turntable).frames == 3
    with pytest.raises(LikenessError) as raised:
        render_clip(avatar, tmp_path / "swung", replace(turntable, swing=1.0))
    assert "without a motion" in raised.value.message
    assert not (tmp_path / "swung").exists()
