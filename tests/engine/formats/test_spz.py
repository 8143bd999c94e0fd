"""Gaussian SPZ: what Niantic's format says stands in the bytes, and pictures stay the same."""

from __future__ import annotations

import gzip
import struct
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import LikenessError
from likeness.engine.formats.ply import read_ply, write_ply
from likeness.engine.formats.spz import FRACTION_BITS, read_spz, write_spz
from likeness.engine.render import render_camera
from likeness.engine.visual.metrics import psnr


def test_pictures_stay_the_same(gaussians, tmp_path: Path) -> None:
    write_spz(gaussians, tmp_path / "a.spz")
    again = read_spz(tmp_path / "a.spz")
    np.testing.assert_allclose(again.means, gaussians.means, atol=2.0**-FRACTION_BITS)
    np.testing.assert_allclose(again.scales, gaussians.scales, rtol=0.033)
    np.testing.assert_allclose(again.colors, gaussians.colors, atol=0.004)
    np.testing.assert_allclose(again.opacities, gaussians.opacities, atol=0.0021)
    turned = np.abs((again.quats * gaussians.quats).sum(1))
    assert np.degrees(2 * np.arccos(np.minimum(turned, 1))).max() < 0.4
    camera = photo_camera(150.0, 96, 96)
    a, b = (render_camera(g, camera) for g in (gaussians, again))
    assert psnr(a.rgb, b.rgb) > 40
    assert psnr(a.alpha, b.alpha) > 40


def test_the_same_bytes_at_another_time(gaussians, tmp_path: Path, monkeypatch) -> None:
    """Small files and those large enough to be compressed in blocks."""
    for count in (100, 3000, 90_000):
        some = gaussians.take(np.arange(count) % len(gaussians.means))
        for name, now in (("a.spz", 1e9), ("b.spz", 1.7e9)):
            monkeypatch.setattr(time, "time", lambda now=now: now)
            write_spz(some, tmp_path / name)
        assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()
        assert len(read_spz(tmp_path / "a.spz").means) == count


def test_bytes_are_those_of_the_format(gaussians, tmp_path: Path) -> None:
    """The header and one splat read by hand: right, up, back are the engine's x, y, z."""
    write_spz(gaussians, tmp_path / "a.spz")
    raw = gzip.decompress((tmp_path / "a.spz").read_bytes())
    magic, version, count, degree, bits, flags, spare = struct.unpack_from("<4sIIBBBB", raw)
    assert (magic, version, count, degree, flags, spare) == (b"NGSP", 3, 3000, 0, 0, 0)
    assert len(raw) == 16 + 3000 * (9 + 1 + 3 + 3 + 4)
    k = 17
    place = [int.from_bytes(raw[16 + 9 * k + 3 * a :][:3], "little", signed=True) for a in range(3)]
    assert np.array(place) / 2**bits == pytest.approx(gaussians.means[k], abs=2.0**-bits)
    alpha = raw[16 + 9 * count + k]
    assert alpha / 255 == pytest.approx(gaussians.opacities[k], abs=0.002)
    color = np.frombuffer(raw, np.uint8, 3, 16 + 10 * count + 3 * k)
    f_dc = (color / 255 - 0.5) / 0.15
    assert 0.5 + 0.28209 * f_dc == pytest.approx(gaussians.colors[k], abs=0.004)
    scale = np.frombuffer(raw, np.uint8, 3, 16 + 13 * count + 3 * k)
    assert np.exp(scale / 16 - 10) == pytest.approx(gaussians.scales[k], rel=0.033)


def test_the_same_bytes_twice(gaussians, tmp_path: Path) -> None:
    for name in ("a.spz", "b.spz"):
        write_spz(gaussians, tmp_path / name)
    assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()


def test_places_too_far_away_are_refused(gaussians, tmp_path: Path) -> None:
    far = replace(gaussians, means=gaussians.means + np.array([0, 200, 0]))
    with pytest.raises(LikenessError, match="127 m"):
        write_spz(far, tmp_path / "a.spz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"ply\n", gzip.compress(b"NGSP" + bytes(30), mtime=0)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.spz").write_bytes(content)
    with pytest.raises(LikenessError, match=r"a\.spz"):
        read_spz(tmp_path / "a.spz")


@pytest.mark.parametrize(("up", "y", "z"), [("y", 1, 2), ("-y", -1, -2), ("z", -2, 1)])
def test_axes_of_ply_files(gaussians, tmp_path: Path, up: str, y: int, z: int) -> None:
    """Where the engine's axes 1 and 2 go, and that the file read back is drawn the same."""
    write_ply(gaussians, tmp_path / "a.ply", up)
    file = read_ply(tmp_path / "a.ply")
    for column, axis in ((1, y), (2, z)):
        expected = np.sign(axis) * gaussians.means[:, abs(axis)]
        np.testing.assert_allclose(file.means[:, column], expected, atol=1e-6)
    camera = photo_camera(150.0, 96, 96)
    pictures = (render_camera(g, camera) for g in (gaussians, read_ply(tmp_path / "a.ply", up)))
    assert psnr(*(picture.rgb for picture in pictures)) > 60
