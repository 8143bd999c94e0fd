"""A skirt that the person's mask lacks, before an even studio wall."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.landmark_names import ADJUSTABLE
from likeness.engine.core.types import FloatArray, Observation, Portrait
from likeness.engine.imaging.matting import make_matte
from likeness.engine.imaging.missed_cloth import find_missed_cloth
from scipy import ndimage

ROWS, COLS = np.mgrid[:400, :300]
FROM_MIDDLE = np.abs(COLS - 150)
TRUNK = (FROM_MIDDLE < 40) & (ROWS > 60) & (ROWS < 160)
LEGS = (np.abs(FROM_MIDDLE - 20 - 0.35 * (ROWS - 160)) < 18) & (ROWS >= 160) & (ROWS < 370)
PERSON = TRUNK | LEGS
SKIRT = (FROM_MIDDLE < 38 + 0.35 * (ROWS - 160)) & (ROWS >= 160) & (ROWS < 320)
GAP = SKIRT & ~PERSON
WALL = np.full((400, 300, 3), 0.93)
PLAID = np.where((ROWS // 5 + COLS // 5)[..., None] % 2, [0.55, 0.56, 0.62], [0.8, 0.8, 0.78])


def observe() -> Observation:
    pose = np.full((33, 2), 150.0)
    for name, y, out in (("hip", 155.0, 20.0), ("ankle", 365.0, 92.0)):
        for side, sign in (("left", 1.0), ("right", -1.0)):
            pose[ADJUSTABLE[f"{side}_{name}"]] = 150.0 + sign * out, y
    return Observation(pose, np.ones(33), np.zeros((33, 3)), PERSON.astype(np.float32))


def photo_of(between: FloatArray) -> FloatArray:
    rng = np.random.default_rng(0)
    dressed = np.where((PERSON & (ROWS < 320))[..., None], PLAID, WALL)
    dressed = np.where((LEGS & (ROWS >= 320))[..., None], [0.75, 0.55, 0.45], dressed)
    photo = np.where(GAP[..., None], between, dressed)
    return np.asarray(np.clip(photo + rng.normal(0, 0.004, photo.shape), 0, 1), np.float32)


@pytest.mark.parametrize("cloth", [PLAID, np.array([0.2, 0.3, 0.7])])
def test_a_skirt_between_legs_far_apart_is_the_persons(cloth: FloatArray) -> None:
    seen, photo = observe(), photo_of(cloth)
    found = find_missed_cloth(photo, seen.person_mask, seen)
    assert found is not None
    deep = ndimage.binary_erosion(GAP, iterations=4)
    assert found[deep].mean() > 0.97
    assert (found & ~ndimage.binary_dilation(GAP, iterations=4)).sum() == 0
    alpha = make_matte(Portrait(photo, None, Path("photo.png")), seen).alpha
    assert alpha[deep].mean() > 0.97
    assert alpha[(ROWS > 335) & (FROM_MIDDLE < 40)].max() < 0.1


def test_a_thing_between_legs_is_no_skirt() -> None:
    things = {
        "rod": np.abs(ROWS - 280) < 3,
        "pole": FROM_MIDDLE < 3,
        "ball": np.hypot(ROWS - 280, COLS - 150) < 25,
        "stool": (FROM_MIDDLE < 50) & (ROWS > 250) & (ROWS % 20 < 12),
        "hard shadow": np.abs(COLS - ROWS / 2 - 20) < 10,
        "floor": ROWS > 285,
    }
    seen = observe()
    for name, thing in things.items():
        photo = photo_of(np.where(thing[..., None], [0.3, 0.28, 0.25], WALL))
        assert find_missed_cloth(photo, seen.person_mask, seen) is None, name


@pytest.mark.parametrize("between", ["wall", "shadow", "busy wall", "hidden ankles", "narrow"])
def test_what_shows_between_trousers_is_not(between: str) -> None:
    seen = observe()
    soft = np.exp(-(((COLS - 150) / 60.0) ** 2) - ((ROWS - 300) / 80.0) ** 2)
    inside = {"wall": WALL, "shadow": WALL * (1.0 - 0.3 * soft[..., None])}.get(between, PLAID)
    photo = photo_of(inside)
    if between == "busy wall":
        busy = np.random.default_rng(1).random((40, 30, 3)).repeat(10, 0).repeat(10, 1)
        photo = np.where((PERSON | GAP)[..., None], photo, busy)
    if between == "hidden ankles":
        seen = replace(seen, pose_visibility=np.where(np.arange(33) > 26, 0.1, 1.0))
    mask = seen.person_mask
    if between == "narrow":  # light between trousers, with the edges of both
        mask = np.maximum(mask, GAP & (FROM_MIDDLE > 4))
    assert find_missed_cloth(photo, mask, seen) is None
