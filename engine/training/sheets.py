"""Sample sheets of a training run: the input, the truth, and the network's result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..core.types import FloatArray

ERROR_GAIN = 4.0
_PAPER, _INK = 250, 60  # greys, 0..255
_GAP, _BETWEEN = 6, 24  # pixels between pictures, and between views
_CAPTION = 20  # pixels of height
_FONT = 13

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class ShownView:
    """One view of a sample; all pictures are before the same backdrop.

    Attributes:
        kind: Its caption.
        truth: [H, W, 3] in 0..1, the target.
        before: [H, W, 3] in 0..1, the lift, or the picture before the refiner.
        after: [H, W, 3] in 0..1, the network's result.
        before_note: Added to the caption of ``before``, such as "24.1 dB".
        after_note: Added to the network's caption.
        before_name: Caption of ``before``.
    """

    kind: str
    truth: FloatArray
    before: FloatArray
    after: FloatArray
    before_note: str = ""
    after_note: str = ""
    before_name: str = "lift"

    @property
    def tiles(self) -> list[tuple[str, FloatArray]]:
        """Captions and pictures [H, W, 3] in 0..1, from left to right."""
        error = np.clip(ERROR_GAIN * np.abs(self.after - self.truth), 0.0, 1.0)
        return [
            (f"{self.kind}: truth", self.truth),
            (f"{self.before_name} {self.before_note}".rstrip(), self.before),
            (f"network {self.after_note}".rstrip(), self.after),
            (f"error x{ERROR_GAIN:g}", error),
        ]


@dataclass(frozen=True)
class SheetRow:
    """One sample.

    Attributes:
        key: Its title.
        photo: [S, S, 3] the network's input.
        views: Its views.
    """

    key: str
    photo: FloatArray
    views: tuple[ShownView, ...]


def draw_sample_sheet(rows: Sequence[SheetRow], height: int = 256, most: int = 2900) -> FloatArray:
    """Draw samples one below the other.

    Each shows the photo, then for each view the truth, the lift, the network and the network's
    error.

    Args:
        rows: At least one sample.
        height: Height of every picture, in pixels.
        most: Width in pixels from which views wrap to another line.

    Returns:
        [H, W, 3] float32 in 0..1.

    Raises:
        ValueError: There are no samples.
    """
    if not rows:
        raise ValueError("a sheet shows at least one sample")
    bands = [_band(row, height, most) for row in rows]
    width = max(band.width for band in bands)
    whole = Image.new("RGB", (width, sum(band.height for band in bands)), (_PAPER,) * 3)
    y = 0
    for band in bands:
        whole.paste(band, (0, y))
        y += band.height
    return np.asarray(whole, dtype=np.float32) / 255


def _band(row: SheetRow, height: int, most: int) -> Image.Image:
    """A sample's key, below it the photo, and beside that the captioned views."""
    font = ImageFont.load_default(size=_FONT)
    photo = _line([("photo", row.photo)], height, font)
    lines: list[list[Image.Image]] = [[]]
    room = most - photo.width
    for view in row.views:
        group = _line(view.tiles, height, font)
        if lines[-1] and sum(g.width + _BETWEEN for g in lines[-1]) + group.width > room:
            lines.append([])
        lines[-1].append(group)
    widths = [sum(group.width + _BETWEEN for group in line) for line in lines]
    title = int(font.getlength(row.key)) + 2 * _GAP
    band = Image.new(
        "RGB",
        (max(photo.width + _BETWEEN + max(widths), title), _CAPTION + len(lines) * photo.height),
        (_PAPER,) * 3,
    )
    ImageDraw.Draw(band).text((_GAP, _GAP), row.key, fill=(_INK,) * 3, font=font)
    band.paste(photo, (0, _CAPTION))
    for k, line in enumerate(lines):
        x = photo.width + _BETWEEN
        for group in line:
            band.paste(group, (x, _CAPTION + k * photo.height))
            x += group.width + _BETWEEN
    return band


def _line(tiles: Sequence[tuple[str, FloatArray]], height: int, font: Font) -> Image.Image:
    """Pictures side by side, with captions below."""
    pictures = [_scaled(picture, height) for _, picture in tiles]
    width = _GAP + sum(picture.width + _GAP for picture in pictures)
    line = Image.new("RGB", (width, height + _CAPTION + 2 * _GAP), (_PAPER,) * 3)
    pen = ImageDraw.Draw(line)
    x = _GAP
    for (caption, _), picture in zip(tiles, pictures):
        line.paste(picture, (x, _GAP))
        shown = _fitting(caption, picture.width, font)
        pen.text((x, _GAP + height + 2), shown, fill=(_INK,) * 3, font=font)
        x += picture.width + _GAP
    return line


def _fitting(text: str, width: int, font: Font) -> str:
    """As much of a caption as fits below its picture."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text


def _scaled(picture: FloatArray, height: int) -> Image.Image:
    """Scaled to a height.

    Enlarged pictures keep their pixels, so that nothing looks smoother than it is.
    """
    image = Image.fromarray(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    width = max(1, round(image.width * height / image.height))
    larger = height > image.height
    how = Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS
    return image.resize((width, height), how)
