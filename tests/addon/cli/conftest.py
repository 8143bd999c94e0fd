"""Avatars of the command line's tests."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import Avatar, BoundGaussians, Pose
from likeness.engine.formats.avatar import save_avatar

from tests.engine.wardrobe.conftest import person, person_file

__all__ = ["avatar", "person", "person_file"]


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A figure of splats: its left half red, its right half blue, a yellow face."""
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    n = len(body.f)
    centre = body.v_template[body.f].mean(1)
    colours = np.where(centre[:, :1] > 0, [[0.9, 0.1, 0.1]], [[0.1, 0.1, 0.9]])
    colours[(centre[:, 1] > 0.55) & (centre[:, 2] > 0.05)] = [0.9, 0.9, 0.1]
    bound = BoundGaussians(
        np.arange(n, dtype=np.int32),
        np.full((n, 3), 1 / 3, np.float32),
        np.zeros((n, 3), np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (n, 1)),
        np.tile(np.float32([0.03, 0.03, 0.003]), (n, 1)),
        np.full(n, 0.95, np.float32),
        colours.astype(np.float32),
        np.zeros(n, np.uint8),
    )
    pose = Pose(np.zeros((55, 3)), np.array([0.0, 0.1, -3.0]), np.zeros(body.num_expression))
    person = Avatar(body, bound, pose, photo_camera(300.0, 120, 160), "full")
    path = tmp_path_factory.mktemp("avatar") / "me.safetensors"
    save_avatar(person, path)
    return str(path)
