"""Reading asset libraries as users have them: nested, with variants, with broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.wardrobe.asset_files import (
    list_materials,
    load_garment,
    load_material,
    load_picture,
)
from likeness.engine.wardrobe.library import open_library
from PIL import Image

OBJ = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"
CLO = "basemesh hm08\nobj_file a.obj\nmaterial a.mhmat\nverts 0\n1\n2\n3\n4\n"


def asset(folder: Path, clo: str = CLO, obj: str | None = OBJ, mat: str | None = None) -> Path:
    folder.mkdir(parents=True)
    if obj is not None:
        (folder / "a.obj").write_text(obj)
    (folder / "a.mhmat").write_text(mat or "diffuseTexture a.png\n")
    Image.new("RGB", (8, 4), (9, 99, 199)).save(folder / "a.png")
    path = folder / f"{folder.name}.mhclo"
    path.write_text(clo)
    return path


BROKEN = {
    "no mesh": (CLO, None, None),
    "indices beyond the mesh": (CLO, OBJ + "f 1/1 2/2 9/3\n", None),
    "corners without texture": (CLO, OBJ.replace("4/4", "4//4"), None),
    "no texture coordinates": (CLO, "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n", None),
    "not finite": (CLO, OBJ.replace("v 1 1 0", "v nan 1 0"), None),
    "not finite binding": (CLO.replace("\n4\n", "\n1 2 3 0.5 0.5 0 nan 0 0\n"), OBJ, None),
    "other count": (CLO + "5\n", OBJ, None),
    "another base mesh": (CLO.replace("\n4\n", "\n20000\n"), OBJ, None),
    "scale of nothing": ("x_scale 1 2 0.0\n" + CLO, OBJ, None),
    "empty": ("", OBJ, None),
    "no picture": (CLO, OBJ, "diffuseTexture gone.png\n"),
    "words for numbers": (CLO, OBJ, "diffuseTexture a.png\nshininess much\n"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_asset_is_left_out_by_name(tmp_path: Path, kind: str) -> None:
    clo, obj, mat = BROKEN[kind]
    bad = asset(tmp_path / "clothes" / "bad suit", clo, obj, mat)
    good = asset(tmp_path / "clothes" / "good suit")
    told: list[tuple[Path, str]] = []
    library = open_library(tmp_path, lambda path, why: told.append((path, why)))
    assert library.outfits == (good,)
    assert [path for path, _ in told] == [bad]
    assert "bad suit" in told[0][1]


def test_a_cut_off_picture_is_left_out_by_name(tmp_path: Path) -> None:
    bad = asset(tmp_path / "hair" / "bad")
    asset(tmp_path / "hair" / "good")
    data = (bad.parent / "a.png").read_bytes()
    (bad.parent / "a.png").write_bytes(data[: len(data) // 2])
    told: list[str] = []
    library = open_library(tmp_path, lambda path, why: told.append(why))
    assert [p.stem for p in library.hair] == ["good"]
    assert len(told) == 1
    assert "a.png" in told[0]


def test_nothing_usable(tmp_path: Path) -> None:
    asset(tmp_path / "hair" / "bad", obj=None)
    with pytest.raises(LikenessError, match="usable asset"):
        open_library(tmp_path, lambda path, why: None)


def test_numbers_that_count_back_and_polygons(tmp_path: Path) -> None:
    corners = "v 0 2 0\nvt 0 0\nf -5/-5 -4/-4 -3/-3 -2/-2 -1/-1\n"
    path = asset(tmp_path / "x", CLO + "5\n", OBJ.replace("f 1/1 2/2 3/3 4/4\n", corners))
    garment = load_garment(path)
    assert garment.f.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]
    assert garment.uv[2, 2].tolist() == [0.0, 1.0]


def test_kinds_of_clothes_at_any_depth(tmp_path: Path) -> None:
    names = ("my suit", "red shoes", "sun_hat", "fedora", "tunic", "eye_glasses")
    for name in names:
        asset(tmp_path / "clothes" / "somebody's pack" / name)
    library = open_library(tmp_path, lambda path, why: None)
    assert [p.stem for p in library.outfits] == ["my suit"]
    assert [p.stem for p in library.shoes] == ["red shoes"]
    assert sorted(p.stem for p in library.hats) == ["fedora", "sun_hat"]
    assert [p.stem for p in library.garments] == ["tunic"]


def test_materials_and_their_variants(tmp_path: Path) -> None:
    said = (
        "diffuseTexture a.png\nnormalmapTexture n.png\nnormalmapIntensity 0.5\n"
        "aomapTexture gone.png\ntransparent True\nshininess 0.3\ndiffuseColor 0.1 0.2 0.3\n"
    )
    path = asset(tmp_path / "hat", mat=said)
    Image.new("RGB", (2, 2)).save(path.parent / "n.png")
    (path.parent / "materials").mkdir()
    Image.new("RGB", (2, 2)).save(path.parent / "materials" / "b.png")
    (path.parent / "materials" / "grey.mhmat").write_text("diffuseTexture b.png\n")
    (path.parent / "materials" / "empty.mhmat").write_text("shininess 0.1\n")
    named, grey = list_materials(path)
    assert (named.name, grey.name) == ("a.mhmat", "grey.mhmat")
    material = load_material(named)
    assert material.normal == path.parent / "n.png"
    assert material.occlusion is None
    assert material.transparent
    assert material.shininess == 0.3
    assert material.color == (0.1, 0.2, 0.3)
    assert material.normal_intensity == 0.5


def test_skins_each_in_its_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "skins" / "somebody"
    folder.mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(folder / "pale.png")
    (folder / "somebody.mhmat").write_text("diffuseTexture pale.png\n")
    assert open_library(tmp_path).skins == (folder / "pale.png",)


def test_pictures_keep_their_size_up_to_a_limit(tmp_path: Path) -> None:
    Image.new("P", (300, 100), 3).save(tmp_path / "p.png")
    assert load_picture(tmp_path / "p.png").shape == (100, 300, 4)
    assert load_picture(tmp_path / "p.png", 150).shape == (50, 150, 4)
    assert not np.asarray(load_picture(tmp_path / "p.png")).flags.writeable


def test_a_picture_of_another_version_is_left_out_by_name(tmp_path: Path) -> None:
    """Two charts; in the good picture the painted pieces lie under them, in the other beside."""
    chart = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt {0} {1}\nvt {2} {1}\nvt {2} {3}\nvt {0} {3}\n"
    obj = chart.format(0.1, 0.1, 0.5, 0.5) + "f 1/1 2/2 3/3 4/4\n"
    for name, left in (("good suit", 0), ("bad suit", 40)):
        path = asset(tmp_path / "clothes" / name, obj=obj)
        picture = np.full((200, 200, 3), 255, np.uint8)
        noise = np.random.default_rng(0).integers(20, 90, (90, 90, 3))
        picture[95:185, 15 + left : 105 + left] = noise
        Image.fromarray(picture).save(path.parent / "a.png")
    told: list[str] = []
    library = open_library(tmp_path, lambda path, why: told.append(why))
    assert [p.stem for p in library.outfits] == ["good suit"]
    assert len(told) == 1
    assert "other texture coordinates" in told[0]
