"""Gaussian PLY: the numbers in the file are the ones other programs expect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import LikenessError
from likeness.engine.formats.ply import read_ply, write_ply
from likeness.engine.render import render_camera
from likeness.engine.visual.metrics import psnr


def test_round_trip_renders_equal(gaussians, tmp_path: Path):
    write_ply(gaussians, tmp_path / "a.ply")
    again = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(again.means, gaussians.means)
    camera = photo_camera(150.0, 96, 96)
    a, b = (render_camera(g, camera) for g in (gaussians, again))
    assert psnr(a.rgb, b.rgb) > 60
    assert psnr(a.alpha, b.alpha) > 60
    assert list(tmp_path.iterdir()) == [tmp_path / "a.ply"]


def test_the_file_holds_log_scales_logits_and_f_dc(gaussians, tmp_path: Path):
    """The header and records read by hand, not by the library that wrote them."""
    write_ply(gaussians, tmp_path / "a.ply")
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    lines = header.decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "element vertex 3000" in lines
    names = [line.split()[2] for line in lines if line.startswith("property float")]
    table = np.frombuffer(body, "<f4").reshape(3000, len(names))
    column = {name: table[:, i] for i, name in enumerate(names)}
    k = 17
    assert [column[n][k] for n in "xyz"] == pytest.approx(gaussians.means[k])
    scale = [np.exp(column[f"scale_{i}"][k]) for i in range(3)]
    assert scale == pytest.approx(gaussians.scales[k], rel=1e-5)
    assert [column[f"rot_{i}"][k] for i in range(4)] == pytest.approx(gaussians.quats[k])
    opacity = 1 / (1 + np.exp(-column["opacity"][k]))
    assert opacity == pytest.approx(gaussians.opacities[k], rel=1e-5)
    color = [0.5 + column[f"f_dc_{i}"][k] / (2 * np.sqrt(np.pi)) for i in range(3)]
    assert color == pytest.approx(gaussians.colors[k], rel=1e-5)


@pytest.mark.parametrize("content", [b"", b"ply\nformat ascii 1.0\nend_header\n", b"\xff" * 300])
def test_other_files_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "mesh.ply"
    path.write_bytes(content)
    with pytest.raises(LikenessError, match=r"mesh\.ply"):
        read_ply(path)


def test_missing_file_and_folder(gaussians, tmp_path: Path):
    with pytest.raises(LikenessError, match=r"none\.ply"):
        read_ply(tmp_path / "none.ply")
    with pytest.raises(LikenessError, match="Cannot write"):
        write_ply(gaussians, tmp_path / "nowhere" / "a.ply")
