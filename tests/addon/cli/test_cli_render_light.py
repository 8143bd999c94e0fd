"""``likeness render --light``: surroundings that light the person."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.imaging.environment import read_environment
from likeness.engine.imaging.exr import write_exr
from PIL import Image

SMALL = ["--width", "64", "--height", "64"]


def hdr_of_one_side(path: Path) -> Path:
    """A Radiance file whose +x half is bright."""
    rgbe = np.tile(np.uint8([128, 128, 128, 122]), (16, 32, 1))
    rgbe[:, 8:24, 3] = 129
    head = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 16 +X 32\n"
    path.write_bytes(head + rgbe.tobytes())
    return path


def test_surroundings_light_the_person(avatar: str, tmp_path: Path) -> None:
    light = str(hdr_of_one_side(tmp_path / "side.hdr"))
    shown = {}
    for name, options in {
        "left": [],
        "right": ["--light-turn", "180"],
        "none": ["--relight", "0"],
        "dark": ["--light-exposure", "-8"],
    }.items():
        out = tmp_path / f"{name}.png"
        asked = ["render", avatar, "--light", light, *options, "-o", str(out), *SMALL]
        assert main([*asked, "--background", "black"]) == 0
        shown[name] = np.asarray(Image.open(out), float).sum(2)
    plain = tmp_path / "plain.png"
    assert main(["render", avatar, "-o", str(plain), *SMALL, "--background", "black"]) == 0
    np.testing.assert_array_equal(shown["none"], np.asarray(Image.open(plain), float).sum(2))
    half = shown["left"].shape[1] // 2
    gain = {k: v[:, half:].sum() / v[:, :half].sum() for k, v in shown.items()}
    assert gain["left"] > 1.1 * gain["none"] > 1.1 * 1.1 * gain["right"]
    assert shown["dark"].mean() < 0.3 * shown["left"].mean()
    clip = tmp_path / "spin"
    spin = ["render", avatar, "--turntable", "--seconds", "0.1", "--fps", "20", *SMALL]
    assert main([*spin, "--light", light, "-o", str(clip)]) == 0
    assert len(list(clip.iterdir())) == 2


def test_an_exr_file_lights_as_the_same_numbers_in_an_hdr_file_do(
    avatar: str, tmp_path: Path
) -> None:
    pytest.importorskip("OpenEXR")
    light = read_environment(hdr_of_one_side(tmp_path / "side.hdr"))
    channels = {name: light[..., k].astype(np.float32) for k, name in enumerate("RGB")}
    write_exr(tmp_path / "side.exr", channels)
    shown = []
    for name in ("side.hdr", "side.exr"):
        out = tmp_path / f"{name}.png"
        asked = ["render", avatar, "--light", str(tmp_path / name), "-o", str(out), *SMALL]
        assert main(asked) == 0
        shown.append(np.asarray(Image.open(out)))
    np.testing.assert_array_equal(*shown)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--light", "no.hdr"], r"no\.hdr"),
        (["--light-turn", "30"], "--light-turn goes with --light"),
        (["--relight", "0.5"], "--relight goes with --light"),
        (["--light", "side.hdr", "--polish"], "cannot be finished"),
    ],
)
def test_light_that_cannot_be_used(
    options: list[str],
    what: str,
    avatar: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    hdr_of_one_side(tmp_path / "side.hdr")
    assert main(["render", avatar, *options, "-o", "me.png", *SMALL]) == 2
    assert re.search(what, capsys.readouterr().err)
    assert not (tmp_path / "me.png").exists()
