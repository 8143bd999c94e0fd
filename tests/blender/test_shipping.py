"""What the extension leaves behind, says of itself and draws; and the zip in a bare Blender."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.files.weights import WEIGHTS
from PIL import Image

from tests.extension_zip import whole_zip

from .conftest import HERE, blender_python

CHECKS = "shipping_checks"


@pytest.fixture(scope="module")
def rounds(blender, extension: Path) -> dict[str, Any]:
    return blender(CHECKS, "leaves_nothing", zip_path=str(extension))


def test_enabling_loads_nothing_heavy(rounds: dict[str, Any]) -> None:
    assert rounds["installed"] == "FINISHED"
    assert rounds["heavy"] == []


def test_no_rule_of_blenders_is_broken_by_enabling_nor_by_a_job(rounds: dict[str, Any]) -> None:
    assert rounds["job"] == "FINISHED"
    assert rounds["found"]["missing"] == []
    assert rounds["warnings"] == {}
    assert rounds["after_job"] == {}


@pytest.mark.slow
def test_the_computer_is_examined_and_a_report_written(blender_lts, extension: Path) -> None:
    found = blender_lts(CHECKS, "examines", zip_path=str(extension))
    assert found["done"] == "FINISHED"
    assert found["failed"] == []
    assert found["report"]["can_build"]
    assert str(Path.home()) not in json.dumps(found["report"])
    assert found["lines"][0] == ["CHECKMARK", "This computer can build portraits"]


def test_disabling_leaves_nothing_and_enabling_brings_all_back(rounds: dict[str, Any]) -> None:
    assert len(rounds["there"]) > 20
    for gone, again in rounds["rounds"]:
        assert gone == []
        assert again == rounds["there"]


def test_everything_has_a_label_and_a_tooltip(blender_lts, extension: Path) -> None:
    found = blender_lts(CHECKS, "tooltips", zip_path=str(extension))
    assert found["faults"] == []
    assert found["unknown"] == [], "Run 'python build.py messages'."
    assert found["counted"]["operators"] > 10
    assert found["counted"]["properties"] > 20


def test_panels_draw_in_every_state(blender, extension: Path, avatar: Path, photo: Path) -> None:
    found = blender(CHECKS, "panels", zip_path=str(extension), avatar=str(avatar), photo=str(photo))
    assert found["wrong"] == []
    states = found["states"]
    assert "LIKENESS_PT_main" in states["empty"]
    assert len(states["avatars 1"]) > len(states["empty"])
    assert len(states["something else"]) < len(states["avatars 1"])
    assert found["words"] > 100
    live = " ".join(found["live"])
    assert all(text in live for text in ("Record", "Neutral", "Stop"))
    assert "%" not in live, "a face that is followed is not done by any percentage"
    german = found["german"]
    assert german["status"] == ["anna wird erstellt: 50%, noch 45\xa0s"]
    lines = ("label anna wird erstellt", "label Ansicht 3 von 9", "progress 50%, noch 45\xa0s")
    assert set(lines) <= set(german["LIKENESS_PT_main"])
    assert "progress Ansicht 3 von 9" in german["preferences"]
    assert len(found["sliders"]) >= 52
    assert all(found["sliders"].values()), "Blender translates the sliders' tooltips"
    assert any(text.startswith("Ausdruck jawOpen: ") for text in found["sliders"].values())


def test_preferences(blender_lts, extension: Path, tmp_path: Path) -> None:
    said = blender_lts(CHECKS, "preferences", zip_path=str(extension), folder=str(tmp_path))
    assert said["unchecked"] == ["Not checked yet"]
    assert said["own"][0] == "FINISHED"
    assert said["own"][1].endswith("Blender's own")
    assert any("GPU" in line or "CPU" in line for line in said["own"])
    assert "There is no Python at" in said["nowhere"][0]
    assert said["nowhere"][1:] == ["Not checked yet"]
    assert "cannot be started" in said["no_program"]
    assert said["chosen"][0] == "FINISHED"
    assert said["chosen"][1].startswith("Python 3.")
    assert "own" not in said["chosen"][1]
    assert said["look"] == "FINISHED"
    assert said["body"][0] == "ERROR"
    assert "cannot be read" in said["body"][1]
    assert "Compiled loops: 5 MB" in said["cache"]
    assert set(said["models"]) <= {"there", "missing"}
    assert said["bundled"] == [True] * 4
    assert said["clear"][0] == "FINISHED"
    assert "Compiled loops: 0 kB" in said["clear"]
    assert said["left"] == []
    assert "nothing can be downloaded" in said["offline"]
    assert f"must be accepted first: {WEIGHTS['lpips-alexnet'].licence}" in said["unaccepted"]
    assert "HF_HUB_OFFLINE" not in said["variables"]


def bare_python(version: str, folder: Path) -> Path:
    """An interpreter that has that Blender's bpy and its requirements, and nothing else."""
    python = blender_python(version)
    if python is None or os.name == "nt":
        pytest.skip(f"No bpy {version} to borrow.")
    packages = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", packages], capture_output=True, text=True, check=True)
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in (
        "bpy",
        "numpy",
        "numpy.libs",
        "requests",
        "zstandard",
        "certifi",
        "idna",
        "urllib3",
        "charset_normalizer",
    ):
        (site / name).symlink_to(Path(found.stdout.strip()) / name)
    return folder / "bin" / "python"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["4.5", pytest.param("5.0", marks=pytest.mark.soak)])
def test_the_zip_brings_all_that_it_needs(
    version: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In a Blender without our packages: installed, enabled, and the worker looks at a photo."""
    photo, result = tmp_path / "nobody.png", tmp_path / "result.json"
    Image.fromarray(np.full((240, 320, 3), 128, np.uint8)).save(photo)
    python = bare_python(version, tmp_path / "bare")
    zipped = whole_zip(tmp_path_factory)
    arguments = json.dumps({"zip_path": str(zipped), "photo": str(photo)})
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    done = subprocess.run(
        [python, "-I", HERE / "inside.py", CHECKS, "bare", arguments, result],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.is_file(), (done.stdout + done.stderr)[-2000:]
    said = json.loads(result.read_text(encoding="utf-8"))
    assert said["before"] == ["http", "urllib.request"]
    assert said["installed"] == said["checked"] == "FINISHED"
    assert said["found"]["missing"] == []
    assert said["build"][0] == "failed"
    assert "No person was found" in said["build"][1], said["build"]
    assert said["warnings"] == {}
