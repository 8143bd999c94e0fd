"""``likeness track`` from outside: real pictures and videos, and input that is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.core.types import JOINT_INDEX, LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import save_avatar
from likeness.engine.imaging.resize import resize
from likeness.engine.imaging.video import VideoReader
from likeness.engine.imaging.video_writer import VideoWriter
from likeness.engine.motion.io import load_motion
from likeness.engine.pipeline.build import LiftedPortrait
from PIL import ExifTags, Image

EXPRESSIONS = 52


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("likeness: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module")
def assets() -> None:
    try:
        asset_path("body")
        asset_path("pose_landmark")
    except LikenessError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def small(sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory, assets: None) -> Path:
    """The sample portrait at 320 pixels, with what a camera writes of a 50 mm lens."""
    path = tmp_path_factory.mktemp("photo") / "me.jpg"
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 50
    Image.open(sample_portrait).convert("RGB").resize((320, 320)).save(path, quality=95, exif=exif)
    return path


@pytest.fixture(scope="module")
def tracked(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The motion of one frame that is tracked in it."""
    path = tmp_path_factory.mktemp("tracked") / "m.npz"
    assert main(["track", str(small), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def clip(sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory, assets: None) -> Path:
    """The sample portrait, coming a little nearer through five frames."""
    pytest.importorskip("av")
    path = tmp_path_factory.mktemp("video") / "me.mp4"
    rgb = np.asarray(Image.open(sample_portrait).convert("RGB"), np.float32) / 255
    with VideoWriter(path, 256, 256, 12.0) as writer:
        for index in range(5):
            edge = 5 * index
            part = rgb[edge : 512 - edge, edge : 512 - edge]
            writer.write(np.clip(resize(np.ascontiguousarray(part), 256, 256), 0, 1))
    return path


# Photos -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_photo(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, overlay = tmp_path / "m.npz", tmp_path / "o.png"
    assert main(["track", str(small), "-o", str(out), "--overlay", str(overlay), "-v"]) == 0
    text = capsys.readouterr().out
    report = json.loads(text[: text.rindex("}") + 1])
    assert report["framing"] == "half"
    assert report["lens"]["source"] == "file"
    # A square picture of a 50 mm lens on film: the diagonal spans 43.27 mm.
    expected = 2 * np.degrees(np.arctan(43.27 / np.sqrt(2) / 2 / 50))
    assert report["lens"]["fov"] == pytest.approx(expected, abs=0.05)
    assert 0 < report["face_error"] < 4
    line = text[text.rindex("}") + 1 :].strip()
    assert line.startswith(f"{out}: half body from the front")
    assert "lens from the file, 34 degrees" in line
    assert "legs" in line
    motion = load_motion(out, EXPRESSIONS)
    assert len(motion) == 1
    assert motion.expression.max() > 0.2, "she smiles"
    with Image.open(overlay) as image:
        assert (image.mode, image.size) == ("RGB", (320, 320))
    before = np.asarray(Image.open(small).convert("RGB"), float)
    changed = np.abs(np.asarray(Image.open(overlay), float) - before).max(-1) > 12
    assert changed[100:140, 120:160].mean() > 0.9, "the face is covered"
    assert not changed[:, 250:].any() or changed[:60, 250:].mean() < 0.01, "the rocket is not"
    assert {p.name for p in tmp_path.iterdir()} == {"m.npz", "o.png"}


@pytest.mark.slow
def test_the_users_lens_goes_first(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.npz"
    assert main(["track", str(small), "-o", str(out), "--fov", "60"]) == 0
    assert "lens as given, 60 degrees" in capsys.readouterr().out
    K = load_motion(out, EXPRESSIONS).camera.K
    assert 2 * np.degrees(np.arctan(160 / K[0, 0])) == pytest.approx(60)


@pytest.mark.slow
def test_a_person_that_is_not_there(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["track", str(small), "-o", str(tmp_path / "m.npz"), "--person", "3"]) == 2
    said = one_error(capsys)
    assert "no person " in said
    assert "it shows 1 person" in said
    assert "give 1." in said
    assert list(tmp_path.iterdir()) == []


# Videos -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_video(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, overlay = tmp_path / "m.npz", tmp_path / "o.mp4"
    assert main(["track", str(clip), "-o", str(out), "--overlay", str(overlay), "-v"]) == 0
    text = capsys.readouterr().out
    report = json.loads(text[: text.rindex("}") + 1])
    assert (report["kind"], report["frames"], report["tracked"]) == ("video", 5, 5)
    assert "5 frames at 12/s (5 tracked, 0 bridged, 0 lost)" in text
    motion = load_motion(out, EXPRESSIONS)
    assert motion.frame_rate == pytest.approx(12)
    away = np.linalg.norm(motion.transl, axis=1)
    assert away[0] > 1.02 * away[-1], "she comes nearer"
    assert len(list(VideoReader(overlay))) == 5
    assert {p.name for p in tmp_path.iterdir()} == {"m.npz", "o.mp4"}, "no checkpoint is left"


@pytest.mark.slow
def test_a_part_of_a_video(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.npz"
    options = ["--start", "0.25", "--max-frames", "2"]
    assert main(["track", str(clip), "-o", str(out), *options]) == 0
    assert len(load_motion(out, EXPRESSIONS)) == 2


@pytest.mark.slow
def test_a_truncated_video_keeps_what_was_tracked(
    sample_portrait: Path, tmp_path: Path, assets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av")
    rgb = np.asarray(Image.open(sample_portrait).convert("RGB").resize((256, 256)))
    path = tmp_path / "me.mkv"  # an MP4 that was cut off lacks its index and cannot be read
    noise = np.random.default_rng(0)
    with VideoWriter(path, 256, 256, 12.0) as writer:
        for _ in range(12):
            grain = noise.integers(0, 12, (256, 256, 1), dtype=np.uint8)
            writer.write(np.clip(rgb // 2 + grain, 0, 255).astype(np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    out = tmp_path / "m.npz"
    assert main(["track", str(path), "-o", str(out)]) == 0
    assert "cut off" in capsys.readouterr().err
    motion = load_motion(out, EXPRESSIONS)
    assert 2 <= len(motion) < 12
    assert any("me.mkv" in warning for warning in motion.warnings)


# Bad input ----------------------------------------------------------------------------------


def zero_frames(path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()


@pytest.mark.parametrize("name", ["text.mp4", "text.jpg", "empty.mov", "no_frames.mp4", "cut.png"])
def test_input_that_is_none(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("av")
    path = tmp_path / name
    if name.startswith("text"):
        path.write_text("this is neither")
    elif name.startswith("empty"):
        path.touch()
    elif name.startswith("cut"):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)).save(
            path
        )
        path.write_bytes(path.read_bytes()[:5000])
    else:
        zero_frames(path)
    assert main(["track", str(path), "-o", str(tmp_path / "new" / "m.npz")]) == 2
    line = one_error(capsys)
    assert name in line
    assert len(line.split(". ")) >= 2, "a remedy follows"
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["no.mp4", "no.jpg", "no"])
def test_missing_input(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", str(tmp_path / name), "-o", str(tmp_path / "m.npz")]) == 2
    assert f"{name}' does not exist" in one_error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "me.png"
    Image.new("RGB", (128, 128)).save(photo)
    (tmp_path / "taken").write_text("mine")
    assert main(["track", str(photo), "-o", str(tmp_path / "taken" / "m.npz")]) == 2
    assert "taken" in one_error(capsys)


def test_nobody_in_the_photo(
    assets: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "me.png"
    Image.new("RGB", (128, 128), (90, 140, 90)).save(photo)
    assert main(["track", str(photo), "-o", str(tmp_path / "new" / "m.npz")]) == 2
    assert "No person" in one_error(capsys)
    assert [p.name for p in tmp_path.iterdir()] == ["me.png"]


@pytest.mark.parametrize("options", [["--fov", "0"], ["--fov", "wide"], ["--max-frames", "0"], []])
def test_usage_errors(options: list[str], tmp_path: Path) -> None:
    target = ["-o", str(tmp_path / "m.npz")] if options else []
    assert main(["track", str(tmp_path / "me.png"), *target, *options]) == 2


# Afterwards ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_avatar_takes_a_frame_of_a_motion(
    tracked: Path, lifted_portrait: LiftedPortrait, tmp_path: Path
) -> None:
    """``render --pose motion.npz --frame N``, and nothing but an error where there is no frame."""
    avatar = tmp_path / "avatar.safetensors"
    save_avatar(lifted_portrait.avatar, avatar)
    with np.load(tracked) as file:
        arrays = {key: file[key] for key in file.files}
    frames = {
        k: np.repeat(arrays[k], 2, axis=0)
        for k in arrays
        if arrays[k].ndim == 2 and len(arrays[k]) == 1
    }
    shoulder = 3 * (JOINT_INDEX["left_shoulder"] - 1)
    frames["body_pose"][1, shoulder : shoulder + 3] = [0, 0, 0.6]
    np.savez(
        tmp_path / "two.npz",
        **{"jaw_from_expression": arrays["jaw_from_expression"]},
        **{k: v for k, v in frames.items() if k not in ("poses", "trans")},
    )
    pictures = []
    for frame in ("0", "1"):
        picture = tmp_path / f"{frame}.png"
        view = ["--pose", str(tmp_path / "two.npz"), "--frame", frame, "--width", "64"]
        assert main(["render", str(avatar), "-o", str(picture), *view]) == 0
        pictures.append(np.asarray(Image.open(picture), float))
    assert np.abs(pictures[0] - pictures[1]).mean() > 2
    view[3] = "2"
    assert main(["render", str(avatar), "-o", str(picture), *view]) == 2


@pytest.mark.slow
def test_another_programs_estimate(
    small: Path, tracked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nobody can see in the photo, the knees, comes from the file; what is seen, does not."""
    told, out = tmp_path / "told.npz", tmp_path / "out.npz"
    with np.load(tracked) as file:
        arrays = {key: file[key] for key in file.files if key not in ("poses", "trans")}
    knee = JOINT_INDEX["left_knee"]
    arrays["body_pose"][0, 3 * (knee - 1) : 3 * knee] = [1.2, 0, 0]
    arrays["joint_confidence"][0, knee] = 1.0
    np.savez(told, **arrays)
    assert main(["track", str(small), "-o", str(out), "--estimate", str(told)]) == 0
    before, after = load_motion(tracked, EXPRESSIONS), load_motion(out, EXPRESSIONS)
    assert after.full_pose[0, knee, 0] > before.full_pose[0, knee, 0] + 0.6
    assert after.face_error[0] == pytest.approx(before.face_error[0], abs=0.2)

    told.write_text("no estimate")
    capsys.readouterr()
    again = tmp_path / "again.npz"
    assert main(["track", str(small), "-o", str(again), "--estimate", str(told)]) == 2
    assert "told.npz" in one_error(capsys)
    assert not again.exists()
