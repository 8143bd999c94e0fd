"""Which avatar file a picture stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.workflows.build_files import find_avatar_file


def test_a_picture_stands_for_the_avatar_beside_it(tmp_path: Path) -> None:
    anna, picture = tmp_path / "anna.safetensors", tmp_path / "anna.png"
    preview = tmp_path / "preview.png"
    assert find_avatar_file(anna) == anna
    with pytest.raises(LikenessError, match=r"preview\.png"):
        find_avatar_file(preview)
    anna.touch()
    assert find_avatar_file(picture) == anna
    assert find_avatar_file(preview) == anna
    (tmp_path / "bob.safetensors").touch()
    assert find_avatar_file(picture) == anna
    with pytest.raises(LikenessError, match="picture"):
        find_avatar_file(preview)
