"""Sample sheets of a training run: what it was given, what it should draw, and what it draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..types import FloatArray

ERROR_GAIN = 4.0
_PAPER, _INK = 250, 60  # greys, 0..255
_GAP, _BETWEEN = 6, 24  # pixels between pictures, and between views
_CAPTION = 20  # pixels of height
_FONT = 13


@dataclass(frozen=True)
class ShownView:
    """One view of a sample, all pictures [H, W, 3] 0..1 before the same backdrop.

    Attributes:
        kind: what stands over it. truth. before: the lift. after: the network.
        before_note, after_note: stand behind the captions, "24.1 dB" for example.
    """

    kind: str
    truth: FloatArray
    before: FloatArray
    after: FloatArray
    before_note: str = ""
    after_note: str = ""

    @property
    def tiles(self) -> list[tuple[str, FloatArray]]:
        """Captions and pictures, from left to right."""
        error = np.clip(ERROR_GAIN * np.abs(self.after - self.truth), 0.0, 1.0)
        return [
            (f"{self.kind}: truth", self.truth),
            (f"lift {self.before_note}".rstrip(), self.before),
            (f"network {self.after_note}".rstrip(), self.after),
            (f"error x{ERROR_GAIN:g}", error),
        ]


@dataclass(frozen=True)
class SheetRow:
    """One sample: its key, the photo [S, S, 3] that the network was given, and its views."""

    key: str
    photo: FloatArray
    views: tuple[ShownView, ...]


def sheet(rows: Sequence[SheetRow], height: int = 256) -> FloatArray:
    """Samples below one another: the photo, then for each view the truth, the lift, the network
    and the network's error.

    Args:
        height: pixels of every picture.

    Returns:
        [H, W, 3] float32 0..1.
    """
    if not rows:
        raise ValueError("a sheet shows at least one sample")
    bands = [_band(row, height) for row in rows]
    width = max(band.width for band in bands)
    whole = Image.new("RGB", (width, sum(band.height for band in bands)), (_PAPER,) * 3)
    y = 0
    for band in bands:
        whole.paste(band, (0, y))
        y += band.height
    return np.asarray(whole, dtype=np.float32) / 255


def _band(row: SheetRow, height: int) -> Image.Image:
    """A sample's pictures in a line, with captions under them and its key above."""
    groups = [[("photo", row.photo)], *(view.tiles for view in row.views)]
    pictures = [[(caption, _scaled(p, height)) for caption, p in group] for group in groups]
    width = _GAP + sum(
        sum(picture.width + _GAP for _, picture in group) + _BETWEEN for group in pictures
    )
    font = ImageFont.load_default(size=_FONT)
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    width = max(width - _BETWEEN, 2 * _GAP + int(pen.textlength(row.key, font)))
    band = Image.new("RGB", (width, height + 2 * _CAPTION + 2 * _GAP), (_PAPER,) * 3)
    pen = ImageDraw.Draw(band)
    pen.text((_GAP, _GAP), row.key, fill=(_INK,) * 3, font=font)
    x, y = _GAP, _GAP + _CAPTION
    for group in pictures:
        for caption, picture in group:
            band.paste(picture, (x, y))
            pen.text((x, y + height + 2), _fitting(caption, picture.width, pen, font),
                     fill=(_INK,) * 3, font=font)  # fmt: skip
            x += picture.width + _GAP
        x += _BETWEEN
    return band


def _fitting(
    text: str,
    width: int,
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> str:
    """As much of a caption as has room under its picture."""
    while text and pen.textlength(text, font) > width:
        text = text[:-1]
    return text


def _scaled(picture: FloatArray, height: int) -> Image.Image:
    """At a height; enlarged ones keep their pixels, so that nothing looks smoother than it is."""
    image = Image.fromarray(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    width = max(1, round(image.width * height / image.height))
    larger = height > image.height
    how = Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS
    return image.resize((width, height), how)
