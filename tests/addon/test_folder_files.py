"""Files of a folder: the names of avatars in a library."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.addon.folder_files import find_avatar_files, name_assets
from likeness.engine.core.types import LikenessError


def _files(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return find_avatar_files(folder)


def test_avatars_of_a_library_are_named_after_their_files_or_folders(tmp_path: Path) -> None:
    names = ("ann.safetensors", "bob/avatar.safetensors", "cast/eve/avatar.safetensors")
    titles = name_assets(_files(tmp_path, *names), tmp_path)
    assert sorted(titles.values()) == ["ann", "bob", "cast/eve"]


@pytest.mark.parametrize("file", ["x.safetensors", "X.safetensors", "x.SAFETENSORS"])
def test_two_avatars_never_share_a_file_of_a_library(tmp_path: Path, file: str) -> None:
    files = _files(tmp_path, file, "x/avatar.safetensors")
    assert len(files) == 2
    with pytest.raises(LikenessError) as raised:
        name_assets(files, tmp_path)
    assert all(str(path) in raised.value.message for path in files)
