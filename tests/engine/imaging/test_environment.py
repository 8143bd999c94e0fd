"""Pictures of surroundings: Radiance files against a writer of our own, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.imaging import environment
from likeness.engine.imaging.environment import load_environment, read_environment

HEADER = b"#?RADIANCE\n# made by a test\nFORMAT=32-bit_rle_rgbe\nEXPOSURE=1.0\n\n"


def to_rgbe(picture: np.ndarray) -> np.ndarray:
    """[H, W, 4] bytes, by the shared exponent of the largest channel."""
    fraction, exponent = np.frexp(picture.max(2))
    scale = np.where(picture.max(2) > 0, fraction * 256.0 / np.maximum(picture.max(2), 1e-30), 0)
    out = np.concatenate([picture * scale[..., None], (exponent + 128.0)[..., None]], 2)
    out[picture.max(2) == 0] = 0
    return out.astype(np.uint8)


def pack_row(row: np.ndarray) -> bytes:
    """One row with runs: equal bytes as runs, others literally."""
    out = bytes((2, 2, len(row) >> 8, len(row) & 255))
    for channel in row.T:
        at = 0
        while at < len(channel):
            end = at + 1
            while end < len(channel) and end - at < 127 and channel[end] == channel[at]:
                end += 1
            out += bytes((128 + end - at if end - at > 2 else 1, channel[at]))
            at = end if end - at > 2 else at + 1
    return out


@pytest.fixture
def room() -> np.ndarray:
    picture = np.random.default_rng(0).uniform(0.0, 4.0, (8, 16, 3))
    picture[2, 3:12] = [0.5, 8.0, 300.0]  # a lamp, and a run
    picture[5] = 0.0
    return picture


@pytest.mark.parametrize("packed", [False, True])
def test_radiance_files_are_read(room: np.ndarray, packed: bool, tmp_path: Path) -> None:
    rgbe = to_rgbe(room)
    body = b"".join(pack_row(row) for row in rgbe) if packed else rgbe.tobytes()
    path = tmp_path / "room.hdr"
    path.write_bytes(HEADER + b"-Y 8 +X 16\n" + body)
    found = load_environment(path)
    assert found.dtype == np.float32
    limit = room.max(2, keepdims=True) / 127  # eight bits of the brightest channel
    assert (np.abs(found - room) <= limit).all()
    assert not found[5].any()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        HEADER,
        HEADER + b"-Y 8 +X 16\n",
        HEADER + b"+Y 8 +X 16\n" + bytes(512),
        HEADER + b"-Y 999999 +X 999999\n" + bytes(512),
        HEADER + b"-Y 1 +X 16\n" + bytes((2, 2, 0, 16, 255, 1)) + bytes(80),
        HEADER + b"-Y 1 +X 16\n" + bytes((2, 2, 0, 16, 16, 1)),
    ],
)
def test_broken_radiance_files_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "room.hdr"
    path.write_bytes(content)
    with pytest.raises(LikenessError, match=r"room\.hdr"):
        read_environment(path)


def test_a_huge_radiance_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "room.hdr"
    with path.open("wb") as file:
        file.write(HEADER + b"-Y 8 +X 16\n")
        file.truncate(60 << 30)  # sparse: it takes no space
    with pytest.raises(LikenessError, match=r"room\.hdr.*the limit is"):
        read_environment(path)


def test_exr_headers_are_checked_before_pixels_are_decoded(
    room: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exr = pytest.importorskip("OpenEXR")
    kinds = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    for name, channels in (
        ("room.exr", {"RGB": room.astype(np.float32)}),
        ("depth.exr", {"Z": np.ones((8, 16), np.float32)}),
        ("layers.exr", {"RGB": room.astype(np.float32)}
         | {f"layer{k}": np.ones((8, 16), np.float32) for k in range(70)}),
    ):  # fmt: skip
        with exr.File(kinds, channels) as file:
            file.write(str(tmp_path / name))
    np.testing.assert_allclose(load_environment(tmp_path / "room.exr"), room, rtol=1e-6)
    with pytest.raises(LikenessError, match=r"depth\.exr.*channels R, G and B"):
        read_environment(tmp_path / "depth.exr")
    with monkeypatch.context() as patch:
        patch.setattr(environment, "_MAX_PIXELS", room.size // 3)
        load_environment(tmp_path / "room.exr")
        with pytest.raises(LikenessError, match=r"layers\.exr.*73 channels"):
            read_environment(tmp_path / "layers.exr")
    # A data window of 200,001 x 200,001 in the same file: no pixel is decoded.
    content = (tmp_path / "room.exr").read_bytes()
    window = np.array([0, 0, 15, 7], "<i4").tobytes()
    huge = np.array([0, 0, 200_000, 200_000], "<i4").tobytes()
    assert window in content
    (tmp_path / "huge.exr").write_bytes(content.replace(window, huge))
    monkeypatch.setattr(exr.File, "channels", lambda self: pytest.fail("pixels were decoded"))
    with pytest.raises(LikenessError, match=r"huge\.exr"):
        read_environment(tmp_path / "huge.exr")


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name in ("room.png", "room.hdr", "room.exr"):  # a wrong suffix; files that do not exist
        with pytest.raises(LikenessError, match=name):
            read_environment(tmp_path / name)
