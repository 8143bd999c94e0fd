"""Sample sheets: every picture is there, in its order, at its size."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.training.sheets import SheetRow, ShownView, draw_sample_sheet


def plain(color: tuple[float, float, float], height: int = 32, width: int = 24) -> np.ndarray:
    return np.tile(np.array(color, np.float32), (height, width, 1))


RED, GREEN, BLUE, WHITE = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)


def view(kind: str = "back") -> ShownView:
    return ShownView(kind, plain((0.2, 0.2, 0.2)), plain(GREEN), plain((0.3, 0.2, 0.15)), "24.1 dB")


def order(picture: np.ndarray, colors: list[tuple[float, float, float]]) -> list[int]:
    """First column in which each colour fills a stretch of pixels; a middle line is looked at."""
    out = []
    for color in colors:
        hit = (np.abs(picture - color) < 2 / 255).all(-1)
        tall = hit.sum(0) >= 60
        assert tall.any(), f"{color} is not there"
        out.append(int(np.flatnonzero(tall)[0]))
    return out


def test_pictures_stand_in_their_order() -> None:
    """Photo, truth, lift, network, four times the error."""
    picture = draw_sample_sheet([SheetRow("someone", plain(BLUE, 50, 50), (view(),))], height=64)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1
    columns = order(picture, [BLUE, (0.2, 0.2, 0.2), GREEN, (0.3, 0.2, 0.15), (0.4, 0, 0.2)])
    assert columns == sorted(columns)
    assert len(set(columns)) == 5


def test_rows_stand_below_one_another_and_wide_ones_make_room() -> None:
    one = draw_sample_sheet([SheetRow("a", plain(BLUE), (view(),))], height=64)
    second = SheetRow("b", plain(RED), (view(), view("side")))
    both = draw_sample_sheet([SheetRow("a", plain(BLUE), (view(),)), second], height=64)
    assert both.shape[0] == 2 * one.shape[0]
    assert both.shape[1] > one.shape[1]
    where = [np.flatnonzero((np.abs(both - c) < 0.01).all(-1).any(1))[0] for c in (BLUE, RED)]
    assert where[0] + one.shape[0] == where[1]


def test_views_go_on_in_another_line() -> None:
    """The photo is 48 pixels wide, a view some 220."""
    row = SheetRow("a", plain(BLUE), (view(), view("side"), view("front")))
    long, folded = (
        draw_sample_sheet([row], height=64),
        draw_sample_sheet([row], height=64, most=600),
    )
    assert folded.shape[1] < 600 < long.shape[1]
    green = (np.abs(folded - GREEN) < 0.01).all(-1)
    assert green.sum() == (np.abs(long - GREEN) < 0.01).all(-1).sum() == 3 * 64 * 48
    tops = np.flatnonzero(np.diff(green.any(1).astype(int)) > 0)
    assert len(tops) == 2
    only = draw_sample_sheet([row], height=64, most=10)
    assert only.shape[1] < folded.shape[1], "one view in each line, however little room there is"


def test_enlarged_pictures_keep_their_pixels() -> None:
    tiny = np.zeros((2, 2, 3), np.float32)
    tiny[0, 0] = 1.0
    picture = draw_sample_sheet([SheetRow("x", tiny, ())], height=64)
    black = (picture < 0.01).all(-1)
    assert black.sum() == 3 * 32 * 32, "no grey where black and white meet"


def test_an_empty_sheet_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        draw_sample_sheet([])
