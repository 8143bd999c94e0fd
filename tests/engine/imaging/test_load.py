"""Reading portraits: orientation, colour modes, limits and broken files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.imaging.load import _jpeg_scans, load_portrait
from PIL import ExifTags, Image, ImageCms

WIDTH, HEIGHT = 96, 80


@pytest.fixture
def picture() -> Image.Image:
    """Red grows to the right, green downwards; a blue corner at the upper left."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, np.zeros_like(x)], -1).astype(np.uint8)
    rgb[:20, :20, 2] = 255
    return Image.fromarray(rgb)


def test_colours_are_kept(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    portrait = load_portrait(tmp_path / "a.png")
    np.testing.assert_allclose(portrait.rgb, np.asarray(picture) / 255, atol=1e-6)
    assert portrait.rgb.dtype == np.float32
    assert portrait.alpha is None
    assert portrait.focal_35mm is None
    assert portrait.original_size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(picture: Image.Image, tmp_path: Path, orientation: int) -> None:
    turns = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = picture
    for turn in turns[orientation]:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    portrait = load_portrait(tmp_path / "a.png")
    np.testing.assert_allclose(portrait.rgb, np.asarray(picture) / 255, atol=1e-6)


def test_focal_length_from_exif(picture: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 85
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert load_portrait(tmp_path / "a.jpg").focal_35mm == 85.0


@pytest.mark.parametrize(
    ("unit", "pixels_per_unit"), [(2, 6000 / 36 * 25.4), (3, 6000 / 36 * 10), (4, 6000 / 36)]
)
def test_focal_length_of_a_known_sensor(
    picture: Image.Image, tmp_path: Path, unit: int, pixels_per_unit: float
) -> None:
    """A 50 mm lens on a sensor of 36 x 24 mm is its own equivalent, on half of it twice that."""
    for size, expected in (((6000, 4000), 50.0), ((3000, 2000), 100.0)):
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.Exif).update(
            {
                ExifTags.Base.FocalLength: 50.0,
                ExifTags.Base.FocalPlaneXResolution: pixels_per_unit,
                ExifTags.Base.FocalPlaneYResolution: pixels_per_unit,
                ExifTags.Base.FocalPlaneResolutionUnit: unit,
                ExifTags.Base.ExifImageWidth: size[0],
                ExifTags.Base.ExifImageHeight: size[1],
            }
        )
        picture.save(tmp_path / "a.jpg", exif=exif)
        assert load_portrait(tmp_path / "a.jpg").focal_35mm == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    "tags",
    [
        {ExifTags.Base.FocalLength: 50.0},
        {ExifTags.Base.FocalLengthIn35mmFilm: 0},
        {ExifTags.Base.FocalLength: (0, 0), ExifTags.Base.FocalPlaneXResolution: (0, 0)},
        {ExifTags.Base.FocalLength: 50.0, ExifTags.Base.FocalPlaneXResolution: 1e-3},
        {ExifTags.Base.FocalLengthIn35mmFilm: "long"},
    ],
)
def test_a_focal_length_that_tells_nothing(
    picture: Image.Image, tmp_path: Path, tags: dict[int, object]
) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif).update(tags)
    try:
        picture.save(tmp_path / "a.png", exif=exif)
    except (ZeroDivisionError, ValueError, TypeError) as error:
        pytest.skip(f"Pillow does not write it: {error}")
    assert load_portrait(tmp_path / "a.png").focal_35mm is None


def test_grey_and_sixteen_bit(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, WIDTH).astype(np.uint16), (HEIGHT, 1))
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    Image.fromarray((ramp // 257).astype(np.uint8)).save(tmp_path / "grey.png")
    for name, tolerance in (("deep.png", 1e-4), ("grey.png", 4e-3)):
        rgb = load_portrait(tmp_path / name).rgb
        assert rgb.shape == (HEIGHT, WIDTH, 3)
        np.testing.assert_allclose(rgb, np.repeat(ramp[..., None] / 65535, 3, 2), atol=tolerance)


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    rgb = load_portrait(tmp_path / "a.tif").rgb
    np.testing.assert_allclose(rgb[0, 0], [1, 0, 0], atol=0.02)


def test_alpha_is_kept_apart(picture: Image.Image, tmp_path: Path) -> None:
    opacity = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    cut = picture.copy()
    cut.putalpha(opacity)
    cut.save(tmp_path / "a.png")
    portrait = load_portrait(tmp_path / "a.png")
    assert portrait.alpha is not None
    np.testing.assert_allclose(portrait.alpha, np.asarray(opacity) / 255, atol=1e-6)
    shown = portrait.alpha > 0.02
    np.testing.assert_allclose(portrait.rgb[shown], np.asarray(picture)[shown] / 255, atol=1e-6)


@pytest.mark.parametrize("max_side", [2048, WIDTH // 2])
def test_what_is_left_where_a_picture_is_erased_is_not_seen(tmp_path: Path, max_side: int) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[:, :40] = 200, 40, 60, 255
    pixels[:, 40:] = 0, 255, 0, 0  # the old background, erased
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a.png")
    portrait = load_portrait(tmp_path / "a.png", max_side)
    assert portrait.alpha is not None
    shown = portrait.alpha > 0.02
    assert shown.any()
    assert not shown.all()
    person = np.array([200, 40, 60]) / 255
    np.testing.assert_allclose(portrait.rgb[shown], np.tile(person, (shown.sum(), 1)), atol=0.01)
    assert (portrait.rgb[~shown] == 0.5).all()


def test_opaque_alpha_is_none(picture: Image.Image, tmp_path: Path) -> None:
    cut = picture.copy()
    cut.putalpha(255)
    cut.save(tmp_path / "a.png")
    assert load_portrait(tmp_path / "a.png").alpha is None


def test_palette_with_transparency(tmp_path: Path) -> None:
    flat = Image.new("P", (WIDTH, HEIGHT), 0)
    flat.putpalette([10, 200, 30, 250, 0, 0])
    flat.paste(1, (0, 0, 40, HEIGHT))
    flat.save(tmp_path / "a.png", transparency=1)
    portrait = load_portrait(tmp_path / "a.png")
    assert portrait.alpha is not None
    assert portrait.alpha[5, 5] == 0
    assert portrait.alpha[5, 60] == 1
    np.testing.assert_allclose(portrait.rgb[5, 60], np.array([10, 200, 30]) / 255, atol=1e-6)


def test_srgb_profile_changes_nothing(picture: Image.Image, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / "a.png", icc_profile=profile)
    portrait = load_portrait(tmp_path / "a.png")
    np.testing.assert_allclose(portrait.rgb, np.asarray(picture) / 255, atol=1.5 / 255)


def test_broken_profile_warns(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png", icc_profile=b"no profile")
    with pytest.warns(UserWarning, match="profile"):
        portrait = load_portrait(tmp_path / "a.png")
    np.testing.assert_allclose(portrait.rgb, np.asarray(picture) / 255, atol=1e-6)


def test_large_pictures_are_reduced(tmp_path: Path) -> None:
    Image.new("RGB", (3000, 1500), (200, 100, 50)).save(tmp_path / "a.jpg")
    portrait = load_portrait(tmp_path / "a.jpg", max_side=512)
    assert portrait.rgb.shape == (256, 512, 3)
    assert portrait.original_size == (3000, 1500)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("#ff0000", "#0000ff")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(load_portrait(tmp_path / "a.gif").rgb[0, 0], [1, 0, 0], atol=0.02)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has hardly any pixels."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(b"\0" * 50))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello, this is text and no picture at all", "not a picture"),
        (_png_header(20_000, 10_000), "megapixels"),
        (_png_header(60_000, 60_000), "megapixels"),
        (_png_header(1, 1), "too small"),
        (_png_header(63, 500), "too small"),
        (_png_header(500, 500), "damaged"),
    ],
    ids=["zero", "text", "200 megapixels", "bomb", "one pixel", "narrow", "cut off"],
)
def test_bad_files_say_what_and_which(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "portrait.png"
    path.write_bytes(content)
    with pytest.raises(LikenessError, match=words) as caught:
        load_portrait(path)
    assert "portrait.png" in caught.value.message
    assert caught.value.remedy


def test_a_file_larger_than_any_picture_is_not_read(picture: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "big.jpg"
    picture.save(path)
    with path.open("rb+") as file:
        file.truncate(12 << 30)  # a hole: it takes no room
    with pytest.raises(LikenessError, match="12,884,901,888 bytes, more than any picture"):
        load_portrait(path)


def test_passes_of_a_jpeg_are_counted_across_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xda" + b"\0" * ((1 << 24) - 3) + b"\xff\xda" + b"\xff\xda")
    assert _jpeg_scans(path) == 3


def test_truncated_jpeg(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(LikenessError, match=r"cut\.jpg"):
        load_portrait(tmp_path / "cut.jpg")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="does not exist"):
        load_portrait(tmp_path / "none.jpg")
    with pytest.raises(LikenessError, match="folder"):
        load_portrait(tmp_path)


def test_author_and_copyright_from_exif(picture: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "credited.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = " Ann Example \0"
    exif[ExifTags.Base.Copyright] = "2026 Ann\0Her editor\n"
    picture.save(path, exif=exif)
    portrait = load_portrait(path)
    assert portrait.author == "Ann Example"
    assert portrait.copyright == "2026 Ann, Her editor"
    exif[ExifTags.Base.Artist] = "Jürgen Müller".encode()
    exif[ExifTags.Base.Copyright] = "Ann\nBob"
    picture.save(path, exif=exif)
    portrait = load_portrait(path)
    assert (portrait.author, portrait.copyright) == ("Jürgen Müller", "Ann Bob")
    exif[ExifTags.Base.Artist] = "Jürgen".encode("latin-1")
    picture.save(path, exif=exif)
    assert load_portrait(path).author == "Jürgen"
    exif[ExifTags.Base.Artist] = "x" * 1000
    picture.save(path, exif=exif)
    assert len(load_portrait(path).author) == 200
    picture.save(tmp_path / "plain.png")
    plain = load_portrait(tmp_path / "plain.png")
    assert (plain.author, plain.copyright) == ("", "")
