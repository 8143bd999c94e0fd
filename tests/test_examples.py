"""The scripts of examples/, on tiny inputs: portraits build people of boxes within a second."""

from __future__ import annotations

import csv
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

import likeness
import numpy as np
import pytest
from likeness.engine.imaging.load import load_portrait
from likeness.engine.imaging.resize import resize
from likeness.engine.imaging.video_writer import VideoWriter
from likeness.engine.motion.io import load_motion
from likeness.engine.pipeline import build as pipeline
from PIL import Image

from .recipe_stand_in import person, quick

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
Script = Callable[[Sequence[str]], None]


def script(name: str) -> Script:
    """The function ``main`` of an example."""
    main: Script = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]
    return main


@pytest.fixture
def quick_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "build_avatar", quick)


@pytest.fixture
def avatar(tmp_path: Path) -> Path:
    return likeness.save(person(), tmp_path / "avatar.safetensors")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Noise, which the stand-in takes for a portrait."""
    pixels = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    (tmp_path / "photos").mkdir()
    path = tmp_path / "photos" / "anna.png"
    Image.fromarray(pixels).save(path)
    return path


def test_the_folder_holds_these_scripts() -> None:
    found = {path.stem for path in EXAMPLES.glob("*.py")}
    tested = {"build_avatar", "pose_and_render", "batch", "motion_from_video", "train_small"}
    assert found == tested


@pytest.mark.usefixtures("quick_builds")
def test_build_avatar(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    script("build_avatar")([str(photo), "-o", str(out), "--no-preview"])
    assert len(likeness.load(out / "avatar.safetensors").gaussians) == 3000
    assert "3,000 splats" in capsys.readouterr().out


def test_pose_and_render(avatar: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["-o", str(out), "--size", "64", "--yaw", "0", "90"]
    script("pose_and_render")([str(avatar), *options])
    with Image.open(out / "+90.png") as picture:
        assert picture.size == (64, 64)
        assert np.asarray(picture.convert("L")).std() > 5
    assert (out / "pose.ply").stat().st_size > 3000


@pytest.mark.usefixtures("quick_builds")
def test_batch(photo: Path, tmp_path: Path) -> None:
    Image.new("RGB", (96, 96), "grey").save(photo.with_name("cat.jpg"))
    out = tmp_path / "out"
    script("batch")([str(photo.parent), "-o", str(out)])
    assert (out / "anna" / "avatar.safetensors").is_file()
    with (out / "failures.csv").open(newline="", encoding="utf-8") as file:
        (failed,) = csv.DictReader(file)
    assert failed["photo"].endswith("cat.jpg")
    assert failed["remedy"]


@pytest.mark.slow
def test_motion_from_video(avatar: Path, tmp_path: Path, sample_portrait: Path) -> None:
    still = resize(load_portrait(sample_portrait).rgb, 320, 320)
    with VideoWriter(tmp_path / "still.mp4", 320, 320, 25.0) as video:
        for _ in range(3):
            video.write(still)
    out = tmp_path / "out"
    options = ["-o", str(out), "--max-frames", "3", "--size", "96"]
    script("motion_from_video")([str(tmp_path / "still.mp4"), str(avatar), *options])
    body = likeness.load(avatar).body
    assert len(load_motion(out / "motion.npz", body.num_expression).transl) == 3
    assert (out / "overlay.mp4").stat().st_size > 1000
    assert (out / "clip.mp4").stat().st_size > 1000


@pytest.mark.soak
def test_train_small(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    options = ["--subjects", "1", "--steps", "1", "--size", "96", "--views", "3", "--no-onnx"]
    settings = {"batch": "1", "targets": "1", "render_size": "64", "workers": "0"}
    settings |= {"references_per_subject": "1", "network.max_gaussians": "5000"}
    settings |= {"decoder.residual": "off", "decoder.shape": "on"}  # without seconds of lifting
    for name, value in settings.items():
        options += ["--set", f"{name}={value}"]
    script("train_small")(["-o", str(tmp_path), *options])
    assert (tmp_path / "run" / "network" / "decoder.safetensors").is_file()
