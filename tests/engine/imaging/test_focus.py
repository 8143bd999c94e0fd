"""What is in focus beside a head, and blotches behind it that look like its hair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from likeness.engine.core.types import BoolArray, FloatArray, Observation, Portrait
from likeness.engine.imaging.focus import find_focus
from likeness.engine.imaging.matting import make_matte
from scipy import ndimage

SIZE = 240
Y, X = np.mgrid[:SIZE, :SIZE] + 0.5
HEAD = np.hypot(X - 120, Y - 90) < 45
HAIR = np.clip(1.0 - (np.hypot(X - 120, Y - 90) - 90) / 10, 0.0, 1.0) * (Y < 120)


def photograph(blur: float) -> tuple[FloatArray, BoolArray]:
    """[H, W, 3] a head of fine strands before a wall with blotches as dark; and the blotches."""
    rng = np.random.default_rng(5)
    spots = ndimage.gaussian_filter(rng.normal(size=(SIZE, SIZE)), 6.0)
    dark = spots > 0.6 * spots.std()
    wall = np.where(dark, 0.25, 0.7)[..., None] + np.zeros(3)
    wall = ndimage.gaussian_filter(wall, (blur, blur, 0.0)) if blur else wall
    wall = wall + (0.0 if blur else 1.0) * rng.normal(0.0, 0.05, (SIZE, SIZE, 1))
    strands = 0.25 + 0.12 * rng.normal(size=(SIZE, SIZE, 1)) + np.zeros(3)
    return np.clip(np.where(HEAD[..., None], strands, wall), 0.0, 1.0), dark & ~HEAD


def test_only_a_blurred_wall_is_out_of_focus() -> None:
    reach = np.full((SIZE, SIZE), 8.0)
    focus = find_focus(photograph(4.0)[0], HEAD, HAIR, reach)
    beyond = ndimage.distance_transform_edt(~HEAD)
    assert (focus[HEAD] == 1.0).all()
    assert focus[(beyond > 0) & (beyond <= 1)].mean() > 0.9
    assert focus[(beyond > 8) & (HAIR == 1.0)].mean() < 0.15
    assert (focus[HAIR == 0.0] == 1.0).all()
    assert (find_focus(photograph(0.0)[0], HEAD, HAIR, reach) == 1.0).all()


def test_blurred_blotches_behind_a_head_are_background() -> None:
    image, dark = photograph(4.0)
    body = (np.abs(X - 120) < 70) & (Y > 135)
    image[body & ~HEAD] = [0.7, 0.2, 0.2]
    pose = np.full((33, 2), 120.0)
    pose[:11] = [[120 + 30 * np.cos(k), 95 + 30 * np.sin(k)] for k in range(11)]
    mask = ndimage.gaussian_filter((HEAD | body).astype(np.float32), 8.0)
    seen = Observation(pose, np.zeros(33), np.zeros((33, 3)), mask)
    portrait = Portrait(image.astype(np.float32), None, Path("blotches.png"))
    alpha = make_matte(portrait, seen).alpha
    beyond = ndimage.distance_transform_edt(~(HEAD | body))
    near = (beyond > 4) & (beyond < 15) & (Y < 110)
    assert alpha[dark & near].mean() < 0.01  # 0.03 by colour alone
    assert alpha[HEAD & (ndimage.distance_transform_edt(HEAD) > 3)].mean() > 0.97
