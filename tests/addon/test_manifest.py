"""The manifest: Blender passes over keys that it does not know, so a slip would go unseen."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))

REQUIRED = {
    "schema_version", "id", "version", "name", "tagline", "maintainer", "type",
    "blender_version_min", "license",
}  # fmt: skip
OPTIONAL = {
    "blender_version_max", "website", "copyright", "tags", "platforms", "wheels", "permissions",
    "build",
}  # fmt: skip


def test_keys_are_those_of_the_schema() -> None:
    assert set(MANIFEST) >= REQUIRED
    assert set(MANIFEST) <= REQUIRED | OPTIONAL
    assert MANIFEST["schema_version"] == "1.0.0"


def test_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert MANIFEST["version"] == project["version"]


def test_oldest_blender_is_the_lts() -> None:
    assert MANIFEST["blender_version_min"] == "4.5.0"


def test_texts_fit_blenders_rules() -> None:
    for text in (MANIFEST["tagline"], *MANIFEST["permissions"].values()):
        assert len(text) <= 64
        assert text[-1].isalnum()


def test_only_what_is_used_is_asked_for() -> None:
    assert set(MANIFEST["permissions"]) == {"files"}


def test_the_task_runner_fills_in_wheels_and_platforms() -> None:
    assert not {"wheels", "platforms"} & set(MANIFEST)
