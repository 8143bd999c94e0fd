"""The extension, built with Blender's own tool and installed into a fresh Blender."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.synthetic import synthetic_body
from likeness.engine.cameras import photo_camera
from likeness.engine.formats.avatar import save_avatar
from likeness.engine.types import Avatar, BoundGaussians, Pose
from likeness.engine.weights import asset_path
from PIL import Image

CHECKS = "extension_checks"
ROOT = Path(__file__).resolve().parents[2]


def load_extension_tasks() -> ModuleType:
    """``tasks.extension`` of the task runner, which lies beside the package, not in it."""
    spec = importlib.util.spec_from_file_location(
        "tasks", ROOT / "tasks" / "__init__.py", submodule_search_locations=[str(ROOT / "tasks")]
    )
    assert spec
    assert spec.loader
    if "tasks" not in sys.modules:
        sys.modules["tasks"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["tasks"])
    return importlib.import_module("tasks.extension")


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension without wheels: both environments have the packages already."""
    pytest.importorskip("bpy", reason="Blender's builder comes with bpy")
    build = load_extension_tasks()
    folder = tmp_path_factory.mktemp("extension")
    stage = folder / "likeness"
    stage.mkdir()
    build.stage_extension(stage, asset_path("body").parent)
    (stage / "blender_manifest.toml").write_bytes((ROOT / "blender_manifest.toml").read_bytes())
    tool = build.extension_tool(Path(sys.executable))
    made = folder / "likeness.zip"
    for command in (
        ["build", "--source-dir", stage, "--output-filepath", made],
        ["validate", "--valid-tags", tags_file(tool), made],
    ):
        done = subprocess.run(
            [sys.executable, tool, *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return made


def tags_file(tool: Path) -> Path:
    """The tags that Blender's extension platform knows."""
    scripts = next(p for p in tool.parents if p.name == "scripts")
    return scripts / "modules" / "_bpy_internal" / "extensions" / "tags.py"


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    body = synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    n = 200
    gaussians = BoundGaussians(
        triangle=np.arange(n, dtype=np.int32) % len(body.f),
        bary=np.full((n, 3), 1 / 3, np.float32),
        offset=np.zeros((n, 3), np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        scales=np.full((n, 3), (0.02, 0.02, 0.001), np.float32),
        opacities=np.full(n, 0.9, np.float32),
        colors=np.full((n, 3), 0.5, np.float32),
        layer=np.zeros(n, np.uint8),
    )
    pose = Pose.rest(body.num_expression)
    path = tmp_path_factory.mktemp("avatar") / "someone.safetensors"
    save_avatar(Avatar(body, gaussians, pose, photo_camera(100, 64, 80), "half"), path)
    return path


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "someone.png"
    Image.fromarray(np.full((80, 64, 3), 128, np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def installed(blender, extension: Path, avatar: Path, photo: Path) -> dict[str, Any]:
    return blender(CHECKS, "install", zip_path=str(extension), avatar=str(avatar), photo=str(photo))


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
    assert (samples, camera) == (4, "someone Camera")


def test_panels_show_what_there_is(installed: dict[str, Any]) -> None:
    assert list(installed["empty"]) == ["LIKENESS_PT_main"]
    assert (
        "operator likeness.import_portrait Portrait as Avatar"
        in (installed["empty"]["LIKENESS_PT_main"])
    )
    shown = installed["with_avatar"]
    names = synthetic_body().expression_names
    sliders = [line for line in shown["LIKENESS_PT_expression"] if line.startswith("prop value")]
    assert sorted(line.split()[-1] for line in sliders) == sorted(names)
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
def test_synth_and_convert_run_as_commands(blender, extension: Path, tmp_path: Path) -> None:
    done = blender(CHECKS, "commands", zip_path=str(extension), folder=str(tmp_path))
    code, said = done["synth"]
    assert code == 0, said
    assert "1 people, 2 views" in said
    assert done["shards"] == ["shard-000000.tar"]
    code, said = done["convert"]
    assert code == 2
    assert "No person was found in 'cube.glb'" in said
    assert not done["likeness"], "the package took a name that is not its own"
    assert done["enabled"] == 1
    assert done["warnings"] == {}


@pytest.mark.slow
def test_portrait_becomes_an_avatar_in_the_scene(
    blender_lts, extension: Path, sample_portrait: Path
) -> None:
    built = blender_lts(CHECKS, "build", zip_path=str(extension), photo=str(sample_portrait))
    assert built["result"] == "FINISHED"
    assert built["avatars"] == [sample_portrait.stem]
    assert 0 < built["splats"][0] <= 20_000
    assert built["warnings"] == {}
