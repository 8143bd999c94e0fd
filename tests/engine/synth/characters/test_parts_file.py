"""Parts on disk: they come back as they were, and what is broken is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.synth.parts_file import load_parts, save_parts
from likeness.engine.wardrobe.mesh_parts import LABEL, Material, MeshPart


def part(name: str = "a", **material: object) -> MeshPart:
    rng = np.random.default_rng(1)
    color = rng.integers(0, 255, (4, 6, 4), np.uint8)
    return MeshPart(
        name,
        rng.normal(size=(5, 3)).astype(np.float32),
        np.array([[0, 1, 2], [2, 3, 4]]),
        rng.random((2, 3, 2)).astype(np.float32),
        np.full(2, LABEL["clothes"], np.uint8),
        Material("cloth", color, **material),
        card=True,
        bias=0.002,
    )


def rewrite(folder: Path, **changed: np.ndarray) -> None:
    with np.load(folder / "parts.npz") as file:
        arrays = dict(file)
    with (folder / "parts.npz").open("wb") as out:
        np.savez(out, **{**arrays, **changed})


def test_round_trip(tmp_path: Path) -> None:
    rough = np.arange(12, dtype=np.uint8).reshape(3, 4)
    bump = np.linspace(0, 1e-3, 12, dtype=np.float32).reshape(3, 4)
    saved = [part(roughness=rough, bump=bump), part("b", roughness=0.25, metallic=1.0)]
    save_parts(tmp_path, saved)
    assert len(list((tmp_path / "textures").iterdir())) == 1  # the same picture, once
    for was, now in zip(saved, load_parts(tmp_path), strict=True):
        assert (now.name, now.card, now.bias) == (was.name, was.card, was.bias)
        for name in ("vertices", "f", "uv", "label"):
            np.testing.assert_array_equal(getattr(now, name), getattr(was, name))
        for name in ("color", "roughness", "bump", "normal", "metallic", "kind"):
            np.testing.assert_array_equal(getattr(now.material, name), getattr(was.material, name))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"f_0": np.array([[0, 1, 5]] * 2)}, "not there"),
        ({"f_0": np.array([[0, 1, -1]] * 2)}, "not there"),
        ({"vertices_0": np.full((5, 3), np.nan, np.float32)}, "finite"),
        ({"vertices_0": np.zeros((5, 2), np.float32)}, "vertices_0"),
        ({"uv_0": np.zeros((3, 3, 2), np.float32)}, "2 triangles"),
        ({"label_0": np.full(2, 99, np.uint8)}, "labels"),
        ({"about": np.array(json.dumps([]))}, "no parts"),
        ({"about": np.array("{")}, "cannot be used"),
        ({"about": np.array([{"name": "a"}], dtype=object)}, "cannot be used"),
    ],
)
def test_broken_files(tmp_path: Path, changed: dict[str, np.ndarray], said: str) -> None:
    save_parts(tmp_path, [part()])
    rewrite(tmp_path, **changed)
    with pytest.raises(LikenessError, match=said) as error:
        load_parts(tmp_path)
    assert error.value.remedy


def test_missing_texture_and_file(tmp_path: Path) -> None:
    save_parts(tmp_path, [part()])
    (tmp_path / "textures" / "000.png").unlink()
    with pytest.raises(LikenessError, match="cannot be used"):
        load_parts(tmp_path)
    with pytest.raises(LikenessError, match="cannot be used"):
        load_parts(tmp_path / "nowhere")
