"""The .blend: written whole, and alive without the extension."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.blender.versions import in_every_blender

SCENE = "scene_checks"


@in_every_blender
def test_blend_lives_without_the_extension(blender, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((192, 144, 3), 200, np.uint8)).save(photo)
    files = blender(SCENE, "write_blend", folder=str(tmp_path), photo=str(photo))["files"]
    assert files == ["person.blend", "person.safetensors", "photo.png"]
    opened = blender(SCENE, "open_blend", folder=str(tmp_path))
    assert opened["asset"]
    assert opened["mean"] < 1e-4
    assert opened["axes"] < 1e-3
    assert opened["rgb_db"] > 28
    assert opened["packed"]
    assert opened["photo_size"] == [144, 192]
    assert opened["avatar"] == str(tmp_path / "person.safetensors")
    assert json.loads(opened["provenance"]) == {"source": "made up"}
    assert opened["bones_read"] == pytest.approx(opened["transl"], abs=1e-5)
    assert opened["engine"] == "CYCLES"
    assert opened["view"] == "Standard"
    assert opened["handlers"] == 0
    assert opened["texts"] == 0
    assert opened["fast"]  # where the extension is, the GPU draws it
