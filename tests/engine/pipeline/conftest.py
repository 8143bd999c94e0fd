"""Stand-in stages of a build, and the files that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.body_file import save_body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import BoundGaussians, Matte, Observation, Pose, Track
from likeness.engine.gaussians.lift.lift_photo import LiftResult
from likeness.engine.pipeline import build as pipeline
from likeness.engine.pipeline import track as tracked
from PIL import Image


@pytest.fixture
def photo_file(tmp_path: Path) -> Path:
    path = tmp_path / "me.png"
    Image.fromarray(np.full((128, 96, 3), 128, np.uint8)).save(path)
    return path


@pytest.fixture
def body_file(tmp_path: Path) -> Path:
    path = tmp_path / "body.npz"
    save_body(make_synthetic_body(), path)
    return path


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Stages that pass on what is here; ``track`` is what the fit finds."""
    body = make_synthetic_body()
    result: dict[str, Any] = {
        "track": Track(
            np.zeros(body.num_betas),
            Pose.rest(body.num_expression),
            photo_camera(120.0, 96, 128),
            "half",
            np.ones(55),
            2.0,
            3.0,
            ("from the fit",),
        ),
        "lifted": [],
    }
    observation = Observation(
        pose=np.zeros((33, 2)),
        pose_visibility=np.ones(33),
        pose_world=np.zeros((33, 3)),
        person_mask=np.ones((128, 96), np.float32),
        warnings=("from the detectors",),
    )

    def lift(
        matte: Matte, seen: Any, track: Track, person: Any, options: Any, *more: Any, **named: Any
    ) -> LiftResult:
        result["lifted"].append((track, person, options))
        return LiftResult(one_gaussian(), person)

    monkeypatch.setattr(tracked, "Detectors", lambda folder: None)
    monkeypatch.setattr(tracked, "asset_path", lambda name: tmp_path / name)
    monkeypatch.setattr(tracked, "observe", lambda photo, detectors, person: observation)
    monkeypatch.setattr(
        tracked, "make_matte", lambda photo, seen: Matte(np.ones((128, 96)), photo.rgb)
    )
    monkeypatch.setattr(tracked, "fit_body", lambda *seen, **options: result["track"])
    monkeypatch.setattr(pipeline, "lift_photo", lift)
    return result


def one_gaussian() -> BoundGaussians:
    one = np.ones(1, np.float32)
    return BoundGaussians(
        np.zeros(1, np.int32),
        np.full((1, 3), 1 / 3, np.float32),
        np.zeros((1, 3), np.float32),
        np.array([[1, 0, 0, 0]], np.float32),
        np.full((1, 3), 0.01, np.float32),
        one,
        np.full((1, 3), 0.5, np.float32),
        np.zeros(1, np.uint8),
    )
