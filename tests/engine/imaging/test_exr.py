"""Our EXR files, read by OpenEXR's own library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.color import linear_to_srgb, srgb_to_linear
from likeness.engine.core.types import LikenessError
from likeness.engine.imaging.exr import DEPTH_CHANNEL, NO_DEPTH, write_exr, write_exr_frame

OpenEXR = pytest.importorskip("OpenEXR")


@pytest.mark.parametrize("size", [(1, 1), (16, 3), (37, 53)])
def test_channels_come_back_bit_for_bit(tmp_path: Path, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(size[0])
    channels = {
        "A": rng.normal(size=size).astype(np.float16),
        "layer.Z": rng.normal(size=size).astype(np.float32),
        "smooth.Z": np.add(*np.mgrid[: size[0], : size[1]]).astype(np.float32),
    }
    write_exr(tmp_path / "a.exr", channels)
    read = OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True).channels()
    assert set(read) == set(channels)
    for name, expected in channels.items():
        assert read[name].pixels.dtype == expected.dtype
        np.testing.assert_array_equal(read[name].pixels, expected)


def test_picture_is_linear_with_alpha_multiplied_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    alpha = rng.uniform(0.1, 1, (8, 9))
    alpha[0] = 0
    straight = rng.uniform(0, 1, (8, 9, 3))
    depth = rng.uniform(1, 4, (8, 9))
    write_exr_frame(tmp_path / "a.exr", straight * alpha[..., None], alpha, depth)
    file = OpenEXR.File(str(tmp_path / "a.exr"))
    rgba = file.channels()["RGBA"].pixels.astype(float)
    np.testing.assert_allclose(rgba[..., 3], alpha, atol=1e-3)
    expected = srgb_to_linear(straight) * alpha[..., None]
    np.testing.assert_allclose(rgba[..., :3], expected, atol=1e-3)
    read = file.channels()[DEPTH_CHANNEL].pixels
    np.testing.assert_allclose(read[1:], depth[1:], rtol=1e-6)
    assert (read[0] == np.float32(NO_DEPTH)).all()


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match=r"a\.exr"):
        write_exr(tmp_path / "none" / "a.exr", {"R": np.zeros((2, 2), np.float32)})


def test_curve_there_and_back() -> None:
    steps = np.linspace(0, 1, 50)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(steps)), steps, atol=1e-9)
