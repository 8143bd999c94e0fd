"""Pictures of the wardrobe's items."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.synth.wardrobe_thumbnails import draw_wardrobe
from likeness.engine.wardrobe.thumbnails import FOLDER, SIZE, list_thumbnails
from PIL import Image


def test_every_item_has_a_picture_and_no_other_lies_there() -> None:
    assert {path.stem for path in FOLDER.glob("*.webp")} == set(list_thumbnails())
    assert sum(path.stat().st_size for path in FOLDER.glob("*.webp")) < 200_000
    for path in FOLDER.glob("*.webp"):
        with Image.open(path) as image:
            assert image.size == (SIZE, SIZE)
            assert np.asarray(image.convert("L"), float).std() > 10.0, path.name


@pytest.mark.soak
def test_pictures_show_the_items_of_today(tmp_path: Path) -> None:
    """The stored pictures are what the task draws, up to their compression."""
    names = ["glasses-round", "headphones-over-ear", "hair-bob"]
    paths = list(draw_wardrobe(names, tmp_path))
    assert [path.stem for path in paths] == names
    for path in paths:
        with Image.open(path) as new, Image.open(FOLDER / path.name) as stored:
            one, other = (np.asarray(image.convert("RGB"), float) for image in (new, stored))
        assert np.abs(one - other).mean() < 2.0, path.name
