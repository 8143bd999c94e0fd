"""``likeness render`` on the command line: what is refused, and what is left when it is stopped."""

# ruff: noqa: F811

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.workflows import clip_files

from .test_cli_render import SMALL, motion  # noqa: F401


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("likeness: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "a.mp4"], "--turntable"),
        (["-o", "a.avi", "--turntable"], ".webm"),
        (["-o", "a.png", "--turntable"], "frame_%04d.png"),
        (["-o", "a_%d_%d.png", "--turntable"], "frame_%04d.png"),
        (["-o", "a.mp4", "--turntable", "--background", "transparent"], "no alpha"),
        (["-o", "a.mp4", "--turntable", "--background", "no such"], "not a colour"),
        (["-o", "a.gif", "--turntable", "--fps", "60"], "GIF ends at 50"),
        (["-o", "a.mp4", "--turntable", "--pose", "no_such"], "no_such"),
        (["-o", "a.mp4", "--turntable", "--expression", "noSuch=1"], "noSuch"),
        (["-o", "a.jpg"], "transparent"),
        (["-o", "a.doc"], ".png"),
        (["-o", "a.mp4", "--motion", "none.npz"], "none.npz"),
        (["-o", "a.png", "--polish", "--refiner", "."], "not by both"),
    ],
)
def test_what_cannot_be(
    options: list[str],
    words: str,
    avatar: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    target = tmp_path / options[1]
    target.write_text("what was there before")
    assert main(["render", avatar, *options, *SMALL]) == 2
    assert words in one_error(capsys)
    assert target.read_text() == "what was there before"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--fps 25", "--fps goes with"),
        ("--every 2", "--every goes with"),
        ("--turns 2", "--turns goes with"),
        ("--camera motion", "--camera motion goes with"),
        ("--frame 2", "--frame goes with"),
        ("--pose wave --frame 2", "--frame goes with"),
        ("--turntable --start 1", "--start goes with"),
        ("--turntable --camera motion", "--camera motion goes with"),
        ("--turntable --camera follow", "--camera follow goes with"),
        ("--turntable --frame 2", "--frame goes with"),
        ("--motion M --pose wave", "--pose goes without"),
        ("--motion M --seconds 3", "--seconds goes with"),
        ("--motion M --turntable --seconds 3", "--seconds goes without"),
        ("--motion M --fps 25 --every 2", "--every goes without"),
        ("--motion M --camera input --yaw 30", "--yaw goes without"),
    ],
)
def test_options_that_would_do_nothing(
    options: str,
    words: str,
    avatar: str,
    motion: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clip = "--motion" in options or "--turntable" in options
    out = tmp_path / ("clip" if clip else "a.png")
    given = options.replace("M ", f"{motion} ").split()
    assert main(["render", avatar, "-o", str(out), *SMALL, *given]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "option",
    [
        "--fps 0",
        "--fps nan",
        "--seconds nan",
        "--turns inf",
        "--yaw nan",
        "--pitch nan",
        "--speed 0",
        "--end -1",
        "--start inf",
        "--end nan",
        "--width 0",
    ],
)
def test_numbers_that_are_none(
    option: str, avatar: str, motion: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, value = option.split()
    kind = ["--turntable"] if name in ("--seconds", "--turns") else ["--motion", motion]
    assert main(["render", avatar, "-o", str(tmp_path / "clip"), *kind, name, value]) == 2
    assert f"'{name}': {value}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_hardly_moves_on(
    avatar: str, motion: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["render", avatar, "--motion", motion, *SMALL, "--every", "1000000"]
    assert main([*command, "-o", str(tmp_path / "a.mp4")]) == 2
    assert "less than one in a minute" in one_error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_bad_motions(
    avatar: str, motion: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in {"text.npz": b"no motion", "empty.npz": b""}.items():
        (tmp_path / name).write_bytes(content)
    np.savez(tmp_path / "frames.npz", global_orient=np.zeros((0, 3)), body_pose=np.zeros((0, 63)))
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    np.savez(tmp_path / "nan.npz", poses=np.full((3, 165), np.nan))
    np.savez(tmp_path / "bare.npz", poses=np.zeros((3, 165)))
    before = {path.name for path in tmp_path.iterdir()}
    out = str(tmp_path / "clip.mp4")
    for name in ("text.npz", "empty.npz", "frames.npz", "other.npz", "nan.npz"):
        assert main(["render", avatar, "--motion", str(tmp_path / name), "-o", out]) == 2
        error = one_error(capsys)
        assert name in error
        assert "pickle" not in error
    own = ["render", avatar, "--motion", str(tmp_path / "bare.npz"), "--camera", "motion"]
    assert main([*own, "-o", out]) == 2
    assert "holds no camera" in one_error(capsys)
    assert main(["render", avatar, "--motion", motion, "--start", "9", "-o", out]) == 2
    assert "lasts 0.5 s" in one_error(capsys)
    assert (
        main(["render", avatar, "--motion", motion, "-o", str(tmp_path / "nan.npz" / "x.mp4")]) == 2
    )
    assert "nan.npz" in one_error(capsys)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_frames_of_an_older_longer_clip(
    avatar: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spin = ["render", avatar, "--turntable", "--fps", "10", *SMALL, "-o", str(tmp_path / "f")]
    assert main([*spin, "--seconds", "0.4"]) == 0
    assert main([*spin, "--seconds", "0.4"]) == 0, "the same frames may be written again"
    capsys.readouterr()
    assert main([*spin, "--seconds", "0.2"]) == 2
    assert "frame_0002.png" in one_error(capsys)
    assert len(list((tmp_path / "f").iterdir())) == 4


def within_numba() -> None:
    """What numba raises when Ctrl-C comes while its functions return."""
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise SystemError("returned a result with an exception set") from error
    except SystemError as error:
        raise SystemError("returned a result with an exception set") from error


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "frames", "numba.mp4"])
def test_cancelling_leaves_nothing(
    name: str, avatar: str, motion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = clip_files.render_frames

    def cancelled(*arguments: object) -> object:
        for number, frame in enumerate(draw(*arguments)):  # type: ignore[arg-type]
            if number == 3 and "numba" in name:
                within_numba()
            elif number == 3:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(clip_files, "render_frames", cancelled)
    out = tmp_path / "new" / name
    assert main(["render", avatar, "--motion", motion, "-o", str(out), *SMALL]) == 130
    assert list(tmp_path.iterdir()) == []


def test_without_ffmpeg_pictures_still_work(
    avatar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    spin = ["render", avatar, "--turntable", "--seconds", "0.1", *SMALL]
    assert main([*spin, "-o", str(tmp_path / "a.mp4")]) == 2
    assert "package 'av'" in one_error(capsys)
    assert main([*spin, "-o", str(tmp_path / "a")]) == 0
