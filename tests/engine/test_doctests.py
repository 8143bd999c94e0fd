"""The examples in the engine's docstrings, in docs/CONVENTIONS.md and docs/MOTION.md."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import JOINT_INDEX, Motion
from likeness.engine.motion.io import save_motion

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "engine").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_docstrings(module):
    name = f"likeness.{module.removesuffix('.__init__')}"
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted
    assert not found.failed


def test_conventions():
    path = ROOT / "docs" / "CONVENTIONS.md"
    with np.printoptions():  # the file sets its own
        found = doctest.testfile(
            str(path), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
        )
    assert found.attempted > 20
    assert not found.failed


def test_motion_files(tmp_path, monkeypatch):
    """``clip.npz`` is a clip of three frames whose pelvis is 2.4 m before the camera."""
    body = make_synthetic_body()
    full_pose = np.zeros((3, 55, 3))
    full_pose[:, JOINT_INDEX["left_elbow"]] = [[0, -0.5, 0], [0, -0.7, 0], [0, -0.9, 0]]
    confidence = np.ones((3, 55))
    confidence[2, JOINT_INDEX["left_index1"] :] = 0.0
    betas = np.full(body.num_betas, 0.5)
    pelvis = np.array([0.0, -0.3, -2.4])
    motion = Motion(
        betas=betas,
        full_pose=full_pose,
        transl=np.tile(pelvis - body.shaped(betas)[1][0], (3, 1)),
        expression=np.tile(body.expression(jawOpen=0.4), (3, 1)),
        joint_confidence=confidence,
        frame_state=np.array([0, 0, 1], np.uint8),
        shot=np.zeros(3, np.int32),
        camera=photo_camera(800.0, 640, 480),
        frame_rate=25.0,
        framing="half",
        view="front",
        face_error=np.full(3, 1.2),
        pose_error=np.full(3, 3.0),
    )
    monkeypatch.chdir(tmp_path)
    save_motion(motion, tmp_path / "clip.npz", body)
    with np.printoptions():
        found = doctest.testfile(
            str(ROOT / "docs" / "MOTION.md"),
            module_relative=False,
            globs={"body": body},
            optionflags=doctest.NORMALIZE_WHITESPACE,
        )
    assert found.attempted > 10
    assert not found.failed
