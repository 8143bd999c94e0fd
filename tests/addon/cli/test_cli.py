"""The command line from outside: bad input is one clear line, exit code 2, nothing written."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.core.progress import StageTimer
from likeness.engine.core.types import LikenessError
from likeness.engine.core.version import VERSION
from likeness.engine.gaussians.lift.lift_photo import MIN_GAUSSIANS
from likeness.engine.pipeline import build as pipeline
from likeness.engine.pipeline.build import LiftedPortrait
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.workflows import build_files
from likeness.engine.workflows.pose_choice import parse_expression
from PIL import Image


def noise(width: int = 256, height: int = 256) -> bytes:
    """A PNG without a person in it."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The error line on stderr, the only one that starts with the program's name."""
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("likeness: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.jpg", b"this is not a picture"),
        ("cut.png", noise()[:5000]),
        ("empty.jpg", b""),
        ("dot.png", noise(1, 1)),
        ("nobody.png", noise()),
    ],
)
def test_bad_photo(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = tmp_path / name, tmp_path / "out"
    photo.write_bytes(content)
    assert main(["build", str(photo), "-o", str(out)]) == 2
    line = one_error(capsys)
    assert name in line
    assert len(line.split(". ")) >= 2, "a remedy follows"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_missing_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(tmp_path / "no.jpg"), "-o", str(tmp_path / "out")]) == 2
    assert "no.jpg" in one_error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_output_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "taken"
    photo.write_bytes(noise())
    out.write_text("mine")
    assert main(["build", str(photo), "-o", str(out)]) == 2
    assert "taken" in one_error(capsys)
    assert out.read_text() == "mine"


def test_every_bad_photo_of_several_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for photo in photos:
        photo.write_bytes(b"")
    out = tmp_path / "out"
    assert main(["build", *map(str, photos), "-o", str(out)]) == 2
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("likeness: ")]
    assert ["a.jpg" in lines[0], "b.jpg" in lines[1]] == [True, True]
    assert not out.exists()


def test_photos_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "x/me.jpg", "y/me.png", "-o", str(tmp_path / "out")]) == 2
    assert "same name" in one_error(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["build"],
        ["build", "a.jpg"],
        ["dance"],
        ["info"],
        ["build", "a.jpg", "-o", "out", "--refine", "well"],
        ["build", "a.jpg", "-o", "out", "--fov", "nan"],
        ["build", "a.jpg", "-o", "out", "--max-gaussians", str(MIN_GAUSSIANS - 1)],
        ["export", "me.safetensors", "-o", "me.ply", "--frame", "3"],
    ],
)
def test_usage_errors(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_views_reach_the_build_with_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[tuple[str, str]]] = []

    def build(photo: Path, folder: Path, *_: object, others: list, **__: object) -> None:
        asked.append([(other.path.name, other.direction) for other in others])
        raise LikenessError("enough")

    monkeypatch.setattr(build_files, "build_to_folder", build)
    odd = tmp_path / "a=b.jpg"
    odd.write_bytes(noise())
    given = ("Back=b.jpg", "side=x=y.jpg", "c.jpg", str(odd))
    views = [word for view in given for word in ("--view", view)]
    assert main(["build", "a.jpg", *views, "-o", str(tmp_path / "out")]) == 2
    assert asked == [[("b.jpg", "back"), ("x=y.jpg", "side"), ("c.jpg", "any"), ("a=b.jpg", "any")]]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a.jpg", "--view", "above=b.jpg"], "above"),
        (["a.jpg", "--view", "back="], "'back='"),
        (["a.jpg", "--view", "=b.jpg"], "'=b.jpg'"),
        (["a.jpg", "--view", ""], "--view ''"),
        (["a.jpg", "--view", "b.jpg", "--view", "back=b.jpg"], "'b.jpg' is given twice"),
        (["a.jpg", "--view", "back=a.jpg"], "'a.jpg' is given twice"),
        (["a.jpg", "--view", "back=b.jpg"], "'a.jpg' does not exist"),
        (["a.jpg", "b.jpg", "--view", "back=c.jpg"], "several photos"),
    ],
)
def test_views_that_cannot_be(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", *arguments, "-o", str(tmp_path / "out")]) == 2
    assert complaint in one_error(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("level", [None, "off", "fast", "full"])
def test_the_level_of_refining_reaches_the_build(
    level: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[BuildOptions] = []

    def build(photo: Path, folder: Path, options: BuildOptions, **others: object) -> None:
        asked.append(options)
        raise LikenessError("Far enough.")

    monkeypatch.setattr(build_files, "build_to_folder", build)
    arguments = ["build", str(tmp_path / "me.jpg"), "-o", str(tmp_path / "out")]
    assert main([*arguments, *([] if level is None else ["--refine", level])]) == 2
    assert asked == [BuildOptions(refine=level or "fast")]


def test_settings_reach_the_build_and_info_lists_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[BuildOptions] = []

    def build(photo: Path, folder: Path, options: BuildOptions, **others: object) -> None:
        given.append(options)
        raise LikenessError("Far enough.")

    monkeypatch.setattr(build_files, "build_to_folder", build)
    command = ["build", "me.jpg", "-o", str(tmp_path / "out"), "--set"]
    assert main([*command, "lift.a=1", "--set", "lift.b= 2,3", "--set", "lift.a=4"]) == 2
    assert given[0].settings == {"lift.a": "4", "lift.b": "2,3"}
    capsys.readouterr()
    for wrong in ("lift.a", "=1", "lift.a="):
        assert main([*command, wrong]) == 2
        assert wrong in one_error(capsys)
    assert main(["info", "--settings", "--json"]) == 0
    assert {"default", "meaning"} == set(next(iter(json.loads(capsys.readouterr().out).values())))
    assert main(["info"]) == 2


@pytest.mark.parametrize("command", ["info", "export", "render"])
@pytest.mark.parametrize("content", [None, b"", b"not an avatar"])
def test_bad_avatar(
    command: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    avatar = tmp_path / "avatar.safetensors"
    if content is not None:
        avatar.write_bytes(content)
    out = {"info": [], "export": ["-o", "x.ply"], "render": ["-o", "x.png"]}[command]
    out = [str(tmp_path / o) if o[0] != "-" else o for o in out]
    assert main([command, str(avatar), *out]) == 2
    assert "avatar.safetensors" in one_error(capsys)
    assert [p.name for p in tmp_path.iterdir()] == ([] if content is None else [avatar.name])


def test_a_folder_is_no_avatar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path)]) == 2
    assert "is a folder" in one_error(capsys)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"Likeness {VERSION}\n"


@pytest.mark.parametrize("text", ["jawOpen=nan", "jawOpen", "jawOpen=wide", "=1", "jawOpen=0.5,"])
def test_bad_expression(text: str) -> None:
    with pytest.raises(LikenessError, match="NAME=VALUE"):
        parse_expression(text)


def test_named_expressions_and_weights_go_together() -> None:
    smile = parse_expression("smile")
    assert smile["mouthSmileLeft"] > 0.4
    half = parse_expression("smile=0.5, jawOpen=0.3, mouthSmileLeft=0")
    assert half["mouthSmileRight"] == pytest.approx(0.5 * smile["mouthSmileRight"])
    assert half["jawOpen"] == 0.3
    assert half["mouthSmileLeft"] == 0
    with pytest.raises(LikenessError, match="viseme_aa"):
        parse_expression("grin")


def test_help_is_fast() -> None:
    """In processor time, which a busy machine does not stretch; and nothing heavy is loaded."""
    code = (
        "import sys, time; from likeness.addon.cli.main import main; code = main(['--help']); "
        "print(time.process_time(), *(m in sys.modules for m in ('numpy', 'numba', 'bpy'))); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    seconds, *heavy = done.stdout.splitlines()[-1].split()
    assert float(seconds) < 0.5
    assert heavy == ["False"] * 3


@pytest.mark.slow
def test_build_render_export_info(
    small_portrait: Path,
    lifted_portrait: LiftedPortrait,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real portrait the whole way; it was fitted and lifted before."""
    monkeypatch.setattr(pipeline, "_tracked", lambda *_: [lifted_portrait.tracked])
    monkeypatch.setattr(pipeline, "lift_photo", lambda *_, **__: lifted_portrait.lift)
    out = tmp_path / "out"
    options = ["--no-blend", "--refine", "off"]
    assert main(["build", str(small_portrait), "-o", str(out), *options]) == 0
    assert {p.name for p in out.iterdir()} == {"avatar.safetensors", "preview.png", "report.json"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["input_view"]["foreground_psnr"] > 15
    assert report["refine"] == {"level": "off", "backend": None}
    avatar = str(out / "avatar.safetensors")

    picture = tmp_path / "view.png"
    view = ["--yaw", "30", "--focus", "head", "--width", "96", "--height", "128"]
    assert main(["render", avatar, "-o", str(picture), *view]) == 0
    with Image.open(picture) as image:
        assert (image.mode, image.size) == ("RGBA", (96, 128))
        alpha = np.asarray(image)[..., 3]
    assert alpha[64, 48] > 250
    assert alpha[0, 0] == 0

    ply = tmp_path / "avatar.ply"
    assert main(["export", avatar, "-o", str(ply), "--expression", "jawOpen=0.5"]) == 0
    assert ply.read_bytes().startswith(b"ply\n")

    capsys.readouterr()
    small = tmp_path / "small.ply"
    assert main(["export", avatar, "-o", str(small), "--max-gaussians", "500"]) == 0
    assert b"element vertex 500\n" in small.read_bytes()[:400]
    assert capsys.readouterr().out.split() == [str(small)]
    assert main(["info", avatar, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert 0 < facts["gaussians"] <= 40_000
    assert facts["ordered"]
    assert sum(facts["layers"].values()) == facts["gaussians"]


def test_the_log_level_is_that_of_the_engines_log(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("likeness.engine.core.progress")
    for level, printed in (("warning", False), ("info", True)):
        assert main(["--log-level", level, "info", "--settings"]) == 0
        with StageTimer(None)("lift", "lifting"):
            pass
        assert ("lift took" in capsys.readouterr().err) is printed
    assert log.isEnabledFor(logging.INFO)
    assert main(["--log-level", "loud", "info", "--settings"]) == 2
