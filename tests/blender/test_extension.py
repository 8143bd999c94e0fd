"""The extension, built with Blender's own tool and installed into a fresh Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from likeness.engine.body.synthetic import make_synthetic_body

from tests.blender.versions import in_every_blender

CHECKS = "extension_checks"


@pytest.fixture(scope="module")
def installed(blender, extension: Path, avatar: Path, photo: Path) -> dict[str, Any]:
    return blender(CHECKS, "install", zip_path=str(extension), avatar=str(avatar), photo=str(photo))


@in_every_blender
def test_installs_and_enables_without_complaints(installed: dict[str, Any]) -> None:
    assert installed["installed"] == "FINISHED"
    assert installed["enabled"]
    assert installed["warnings"] == {}
    assert installed["warnings_after"] == {}
    assert "LIKENESS_FH_portrait" in installed["types"]
    assert installed["menu"] == 1


def test_enabling_loads_no_heavy_library(installed: dict[str, Any]) -> None:
    assert installed["engine_loaded"] == []


def test_disabling_leaves_nothing(installed: dict[str, Any]) -> None:
    assert installed["types_after"] == []
    assert installed["menu_after"] == 0
    assert installed["types_again"] == installed["types"]


def test_avatar_comes_in(installed: dict[str, Any]) -> None:
    assert installed["imported"] == "FINISHED"
    assert installed["active"] == "someone"
    assert installed["set_up"] == "FINISHED"
    engine, samples, camera = installed["scene"]
    assert engine.startswith("BLENDER_EEVEE")
    assert (samples, camera) == (4, "Camera someone")


def test_the_python_api_is_there_under_the_extensions_name(installed: dict[str, Any]) -> None:
    count, shape = installed["api"]
    assert shape == [count, 3]


def test_imports_name_bones_by_their_option_or_the_preference(installed: dict[str, Any]) -> None:
    assert installed["ends"] == [True, True, False]


def test_panels_show_what_there_is(installed: dict[str, Any]) -> None:
    assert "LIKENESS_PT_main" in installed["empty"]
    assert (
        "operator likeness.import_portrait Portrait as Avatar"
        in (installed["empty"]["LIKENESS_PT_main"])
    )
    shown = installed["with_avatar"]
    names = make_synthetic_body().expression_names
    lines = shown["LIKENESS_PT_expression"]
    sliders = [line.split('"')[1] for line in lines if line.startswith('prop ["')]
    assert sorted(sliders) == sorted(names)
    assert len(shown["LIKENESS_PT_display"]) >= 4


def test_bad_portrait_says_what_is_wrong(installed: dict[str, Any]) -> None:
    assert "nothing.jpg" in installed["bad_portrait"]
    idle, error, remedy = installed["said"]
    assert idle
    assert "nothing.jpg" in error
    assert remedy
    assert any("nothing.jpg" in line for line in installed["after_error"]["LIKENESS_PT_main"])
    assert "someone.png" in installed["bad_avatar"]


@pytest.mark.slow
def test_batch_and_convert_run_as_commands(blender, extension: Path, tmp_path: Path) -> None:
    chosen = ["batch", "convert"]
    done = blender(CHECKS, "commands", zip_path=str(extension), folder=str(tmp_path), names=chosen)
    if "batch" in done:
        code, said = done["batch"]
        assert code == 3, said
        assert "nobody: FAILED: No person was found" in said
        assert done["report"]
    code, said = done["convert"]
    assert code == 2
    assert "empty.glb" in said
    assert not done["likeness"], "the package took a name that is not its own"
    assert done["enabled"] == 1
    assert done["warnings"] == {}


@pytest.mark.soak
def test_synth_runs_as_a_command(blender_lts, extension: Path, tmp_path: Path) -> None:
    given = {"zip_path": str(extension), "folder": str(tmp_path), "names": ["synth"]}
    done = blender_lts(CHECKS, "commands", **given)
    code, said = done["synth"]
    assert code == 0, said
    assert "1 people, 2 views" in said
    assert done["shards"] == ["shard-000000.tar"]


@pytest.mark.slow
def test_portrait_becomes_an_avatar_in_the_scene(
    blender_lts, extension: Path, small_portrait: Path
) -> None:
    built = blender_lts(CHECKS, "build", zip_path=str(extension), photo=str(small_portrait))
    assert built["result"] == "FINISHED"
    assert built["avatars"] == [small_portrait.stem]
    assert 0 < built["splats"][0] <= 20_000
    assert built["warnings"] == {}
