"""Portraits changed by text: the real model code with tiny models, and what of it is kept."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.generative.models import Placement
from likeness.engine.generative.text_edit import edit_portrait, keep_edit
from likeness.engine.generative.view_editing import EditOptions
from PIL import Image

CPU = Placement("cpu", "float32", allow_download=False)
ONCE = EditOptions(steps=1, guidance=1.0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    smooth = np.add.outer(np.arange(120), np.arange(90))[..., None] / 210 * [180, 140, 110]
    path = tmp_path / "anna.png"
    Image.fromarray((smooth + rng.normal(40, 3, (120, 90, 3))).clip(0, 255).astype(np.uint8)).save(
        path
    )
    return path


def test_only_the_edit_is_taken_from_a_picture_drawn_again(photo: Path) -> None:
    before = np.asarray(Image.open(photo))
    made = np.clip(before + np.random.default_rng(3).normal(2, 4, before.shape), 0, 255)
    made[40:60, 20:50] = [200, 160, 40]
    kept = keep_edit(before, made.astype(np.uint8))
    assert kept is not None
    assert np.abs(kept[44:56, 24:46].astype(int) - [200, 160, 40]).max() <= 2
    assert np.array_equal(kept[:30], before[:30])
    assert np.array_equal(kept[70:], before[70:])
    assert keep_edit(before, np.clip(before + 2.0, 0, 255).astype(np.uint8)) is None


@pytest.mark.skipif(find_spec("diffusers") is None, reason="needs diffusers")
@pytest.mark.usefixtures("small_edits")
def test_a_model_edits_a_portrait(photo: Path, tmp_path: Path, tiny: SimpleNamespace) -> None:
    source = str(tiny.editing_pipeline(tmp_path / "model"))
    out = tmp_path / "edited.png"
    about = edit_portrait(photo, out, " gold glasses ", source, CPU, ONCE, seed=4)
    assert about == {"text": "gold glasses", "model": "model", "seed": 4}
    with Image.open(out) as edited, Image.open(photo) as before:
        assert edited.size == before.size
        assert edited.tobytes() != before.tobytes()  # a random model changes everything


def test_what_is_missing_is_said_before_anything_is_loaded(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "edited.png"
    with pytest.raises(LikenessError, match="cannot start") as error:
        edit_portrait(photo, out, "a hat", str(tmp_path / "nothing"), CPU, ONCE)
    assert "nothing" in error.value.message
    with pytest.raises(LikenessError, match="empty"):
        edit_portrait(photo, out, "  ", str(tmp_path), CPU, ONCE)
    assert not out.exists()
