"""Garments of a synthetic asset library, bound by hand-written files to a small body."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, LikenessError, Pose
from likeness.engine.wardrobe.asset_files import load_garment, load_texture
from likeness.engine.wardrobe.dress import (
    DressBody,
    garment_vertices,
    hidden_faces,
    load_dress_body,
    pose_body,
)
from likeness.engine.wardrobe.library import open_library
from PIL import Image

OBJ = """# a card
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
f 1/1 2/2 3/3 4/4
"""


@pytest.fixture
def dress() -> DressBody:
    """A body of boxes whose base mesh numbers its vertices backwards, without helpers."""
    body = make_synthetic_body()
    count = len(body.v_template)
    return DressBody(
        body=body,
        row=np.arange(count)[::-1].copy(),
        helper_template=np.zeros((0, 3)),
        helper_shapedirs=np.zeros((0, 3, body.num_betas)),
        weights=body.weights,
        turn=np.tile(np.eye(3), (count, 1, 1)),
    )


def write(folder: Path, lines: list[str], obj: str = OBJ) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.obj").write_text(obj)
    Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(folder / "card.png")
    (folder / "card.mhmat").write_text("name card\ndiffuseTexture card.png\n")
    path = folder / "card.mhclo"
    path.write_text(
        "\n".join(["# a card", "basemesh hm08", "obj_file card.obj", "material card.mhmat", *lines])
    )
    return path


def base(dress: DressBody, row: int) -> int:
    """The base vertex that is the body's vertex ``row``."""
    return len(dress.row) - 1 - row


def test_vertices_hang_on_the_base_mesh(tmp_path: Path, dress: DressBody) -> None:
    v = dress.body.v_template
    a, b, c = (base(dress, k) for k in (10, 20, 30))
    span = abs(float(v[0, 0] - v[40, 0]))
    assert span > 0.01
    path = write(
        tmp_path,
        [
            f"x_scale {base(dress, 0)} {base(dress, 40)} 2.0",
            "verts 0",
            f"{a}",
            f"{a} {b} {c} 0.5 0.3 0.2 0 0 0",
            f"{a} {b} {c} 1 0 0 3.0 0 0",
            f"{b} {b} {b} 1 0 0 0 0 1.0",
        ],
    )
    garment = load_garment(path)
    posed = pose_body(dress, np.zeros(dress.body.num_betas), Pose.rest(52))
    points = garment_vertices(garment, posed)
    np.testing.assert_allclose(points[0], v[10], atol=1e-6)
    np.testing.assert_allclose(points[1], 0.5 * v[10] + 0.3 * v[20] + 0.2 * v[30], atol=1e-6)
    # 3 units of which 2 are the reference distance; without a scale a unit is a decimetre.
    np.testing.assert_allclose(points[2], v[10] + [1.5 * span, 0, 0], atol=1e-6)
    np.testing.assert_allclose(points[3], v[20] + [0, 0, 0.1], atol=1e-6)


def test_offsets_turn_with_the_limb(tmp_path: Path, dress: DressBody) -> None:
    wrist = JOINT_INDEX["left_wrist"]
    row = int(np.flatnonzero(dress.body.weights[:, wrist] == 1.0)[0])
    path = write(tmp_path, ["verts 0", *[f"{base(dress, row)} 0 0 1 0 0 0 1.0 0"] * 4])
    turn = np.array([0.0, 0.0, -np.pi / 2])
    pose = Pose.rest(52).with_joints(left_wrist=turn)
    posed = pose_body(dress, np.zeros(dress.body.num_betas), pose)
    point = garment_vertices(load_garment(path), posed)[0]
    expected = posed.vertices[row] + axis_angle_to_matrix(turn) @ [0.0, 0.1, 0.0]
    np.testing.assert_allclose(point, expected, atol=1e-6)


def test_a_body_baked_in_another_pose_turns_offsets(tmp_path: Path, dress: DressBody) -> None:
    quarter = axis_angle_to_matrix(np.array([0.0, 0.0, np.pi / 2]))
    turned = DressBody(
        dress.body,
        dress.row,
        dress.helper_template,
        dress.helper_shapedirs,
        dress.weights,
        np.tile(quarter, (len(dress.turn), 1, 1)),
    )
    path = write(tmp_path, ["verts 0", *[f"{base(dress, 5)} 0 0 1 0 0 1.0 0 0"] * 4])
    posed = pose_body(turned, np.zeros(dress.body.num_betas), Pose.rest(52))
    point = garment_vertices(load_garment(path), posed)[0]
    np.testing.assert_allclose(point, dress.body.v_template[5] + [0, 0.1, 0], atol=1e-6)


def test_faces_texture_and_hidden_skin(tmp_path: Path, dress: DressBody) -> None:
    f = dress.body.f
    named = sorted({base(dress, int(v)) for v in f[7]})
    first, last = min(named), max(named)
    path = write(tmp_path, ["verts 0", *["1"] * 4, "delete_verts", f"{first} - {last}"])
    garment = load_garment(path)
    assert garment.f.tolist() == [[0, 1, 2], [0, 2, 3]]
    # v is up in the file and down here.
    assert garment.uv[0].tolist() == [[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    assert garment.texture is not None
    assert load_texture(garment.texture)[0, 0].tolist() == [255, 0, 0, 128]
    assert garment.deleted.tolist() == list(range(first, last + 1))
    hidden = hidden_faces([garment], dress)
    rows = {len(dress.row) - 1 - n for n in garment.deleted}
    expected = [set(t) <= rows for t in f.tolist()]
    assert hidden.tolist() == expected
    assert hidden[7]


def test_a_file_that_does_not_fit_its_mesh(tmp_path: Path) -> None:
    path = write(tmp_path, ["verts 0", "1", "2"])
    with pytest.raises(LikenessError, match=r"card\.mhclo"):
        load_garment(path)


def test_a_file_of_nonsense(tmp_path: Path) -> None:
    path = write(tmp_path, ["verts 0", "1 2 x 0.5 0.5 0 0 0 0", "1", "1", "1"])
    with pytest.raises(LikenessError, match=r"card\.mhclo"):
        load_garment(path)


def test_another_base_mesh(tmp_path: Path, dress: DressBody) -> None:
    path = write(tmp_path, ["verts 0", *["99999"] * 4])
    posed = pose_body(dress, np.zeros(dress.body.num_betas), Pose.rest(52))
    with pytest.raises(LikenessError, match="refers to vertices"):
        garment_vertices(load_garment(path), posed)


def test_a_folder_without_skins(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="skins"):
        open_library(tmp_path)


def test_a_library_is_listed_in_order(tmp_path: Path) -> None:
    (tmp_path / "skins" / "textures").mkdir(parents=True)
    for name in ("b_diffuse.png", "a_diffuse.png"):
        Image.new("RGB", (2, 2)).save(tmp_path / "skins" / "textures" / name)
    for kind in ("hair/long", "eyebrows/thin", "clothes/suit1"):
        write(tmp_path / kind, ["verts 0", *["1"] * 4])
    suit = tmp_path / "clothes" / "suit1"
    (suit / "card.mhclo").rename(suit / "plainsuit.mhclo")
    library = open_library(tmp_path)
    assert [p.name for p in library.skins] == ["a_diffuse.png", "b_diffuse.png"]
    assert [p.name for p in library.hair] == ["card.mhclo"]
    assert [p.name for p in library.outfits] == ["plainsuit.mhclo"]
    assert library.shoes == ()


def test_a_body_file_without_helpers(tmp_path: Path) -> None:
    from likeness.engine.body.body_file import save_body

    save_body(make_synthetic_body(), tmp_path / "body.npz")
    with pytest.raises(LikenessError, match="garments"):
        load_dress_body(tmp_path / "body.npz")
