"""The manifest in the tree; ``tests/test_build.py`` looks into finished zips."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import ModuleType

from tests.blender.inside import load

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))


def load_task(name: str) -> ModuleType:
    """A module of the task runner that needs no other."""
    return load(name, ROOT / "tasks" / f"{name}.py")


def test_keys_and_texts_fit_blenders_rules() -> None:
    assert load_task("extension_check").find_manifest_faults(MANIFEST) == []
    assert MANIFEST["schema_version"] == "1.0.0"


def test_a_slip_is_found() -> None:
    wrong = {**MANIFEST, "blender_version_mim": "4.5.0", "permissions": {"files": "Reads."}}
    said = load_task("extension_check").find_manifest_faults(wrong)
    assert len(said) == 2
    assert "blender_version_mim" in said[0]
    assert "'Reads.'" in said[1]


def test_oldest_blender_is_the_lts() -> None:
    assert MANIFEST["blender_version_min"] == "4.5.0"


def test_version_is_a_semantic_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST["version"])


def test_only_what_is_used_is_asked_for() -> None:
    """Photos and avatars are files; models are fetched when the user asks for them; Follow Face
    opens a camera."""
    assert set(MANIFEST["permissions"]) == {"files", "network", "camera"}


def test_the_task_runner_fills_in_wheels_and_platforms() -> None:
    assert not {"wheels", "platforms", "blender_version_max"} & set(MANIFEST)
