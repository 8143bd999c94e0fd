"""The process that writes a .blend is there before the avatar, and leaves with the build."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from likeness.addon.blend_file import BlendProcess, can_write_blend, write_blend
from likeness.engine.core.types import LikenessError

needs_bpy = pytest.mark.skipif(not can_write_blend(), reason="No bpy. Run 'python build.py test'.")


def test_it_ends_with_a_build_that_fails() -> None:
    process = BlendProcess()

    def fail() -> None:
        with process:
            process.start()
            process.start()  # once
            assert process._process is not None
            assert process._process.poll() is None
            raise LikenessError("No person.")

    with pytest.raises(LikenessError):
        fail()
    child = process._process
    assert child is not None
    assert child.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_nothing_to_start_is_nothing_to_end() -> None:
    with BlendProcess() as process:
        pass
    assert process._process is None


@needs_bpy
def test_started_ahead_it_writes_the_file(
    avatar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    with BlendProcess() as process:
        process.start()
        write_blend(Path(avatar), tmp_path / "a.blend", process=process)
        assert (tmp_path / "a.blend").stat().st_size > 10_000


@needs_bpy
@pytest.mark.parametrize("ahead", [False, True])
def test_what_went_wrong_is_said(
    tmp_path: Path, ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "bpy", raising=False)  # other tests may have loaded it here
    with BlendProcess() as process:
        if ahead:
            process.start()
        with pytest.raises(LikenessError, match="was not written: ") as caught:
            write_blend(
                tmp_path / "none.safetensors",
                tmp_path / "a.blend",
                process=process if ahead else None,
            )
    assert "none.safetensors" in caught.value.message
