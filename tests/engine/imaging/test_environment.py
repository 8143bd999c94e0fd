"""Pictures of surroundings: Radiance files against a writer of our own, and what is refused."""

from __future__ import annotations

import tracemalloc
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


@pytest.mark.parametrize("parts", [1, 2])
def test_an_exr_file_too_small_for_what_it_announces_is_refused_undecoded(
    parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16384 x 8192 pixels of one colour in 50 kB are well-formed, and would take 1.6 GB."""
    exr = pytest.importorskip("OpenEXR")
    kinds = {"compression": exr.DWAB_COMPRESSION, "type": exr.scanlineimage}
    kinds["displayWindow"] = (np.array([0, 0], np.int32), np.array([2047, 1023], np.int32))
    nothing = np.zeros((1024, 2048, 3), np.float16)
    small = [exr.Part(dict(kinds), {"RGB": nothing[:8, :16]}, "small")] * (parts - 1)
    named = [*small, exr.Part(dict(kinds), {"RGB": nothing}, "large")]
    path = tmp_path / "bomb.exr"
    with exr.File(named) as file:
        file.write(str(path))
    assert path.stat().st_size < 4000
    assert read_environment(path).shape[0] == (1024 if parts == 1 else 8)  # small enough
    monkeypatch.setattr(environment, "_SMALL", 1 << 20)
    monkeypatch.setattr(exr.File, "channels", lambda self: pytest.fail("pixels were decoded"))
    with pytest.raises(LikenessError, match=r"bomb\.exr.*2048 x 1024") as raised:
        read_environment(path)
    assert "ZIP" in raised.value.remedy


def test_a_radiance_file_too_short_for_its_runs_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.hdr"
    path.write_bytes(HEADER + b"-Y 8192 +X 16384\n" + bytes((2, 2, 64, 0)) + bytes(5000))
    tracemalloc.start()
    try:
        with pytest.raises(LikenessError, match=r"bomb\.hdr.*16384 x 8192"):
            read_environment(path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name in ("room.png", "room.hdr", "room.exr"):  # a wrong suffix; files that do not exist
        with pytest.raises(LikenessError, match=name):
            read_environment(tmp_path / name)
