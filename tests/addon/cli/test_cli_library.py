"""likeness library on the command line: names that would be the same file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from likeness.addon.blend_file import can_write_blend
from likeness.addon.cli.main import main


@pytest.mark.skipif(not can_write_blend(), reason="No bpy. Run 'python build.py test'.")
def test_names_that_meet_are_refused_before_anything_is_written(
    avatar: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cast, out = tmp_path / "cast", tmp_path / "library"
    (cast / "x").mkdir(parents=True)
    for name in ("x.safetensors", "x/avatar.safetensors"):
        shutil.copy(avatar, cast / name)
    assert main(["library", str(cast), "-o", str(out)]) == 2
    assert "x.blend" in capsys.readouterr().err
    assert not out.exists()
