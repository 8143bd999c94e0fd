"""Clothes, glasses and jewellery of a MakeHuman library: fit, what gives way, and their kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.skinning import skin_vertices
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_INDEX, PARTS, Avatar, FloatArray, LikenessError
from likeness.engine.formats.avatar import avatar_to_bytes
from likeness.engine.gaussians import place_gaussians, pose_avatar
from likeness.engine.wardrobe.asset_kinds import find_category
from likeness.engine.wardrobe.edit import add_item, set_attribute
from likeness.engine.wardrobe.items import ItemRequest
from likeness.engine.workflows.edit_avatar import edit_avatar, parse_item
from scipy.spatial import cKDTree

from tests.library_clothes import write_asset, write_top, write_trousers

SKIN, SHIRT = (0.78, 0.60, 0.50), (0.3, 0.4, 0.6)


def added(worn: Avatar, part: str) -> Avatar:
    """Only the splats of the last attribute that show a part."""
    own = (worn.attributes[-1].factors(0.0) == 0.0) & (worn.gaussians.part == PARTS.index(part))
    return replace(worn, gaussians=worn.gaussians.take(own), lod_start=None, attributes=())


def at_rest(avatar: Avatar) -> FloatArray:
    body = avatar.body
    return np.asarray(place_gaussians(avatar.gaussians, body.v_template, body).means, np.float64)


def height(avatar: Avatar, points: FloatArray) -> FloatArray:
    """Metres above the body's nearest vertex, along its normal."""
    rest = np.asarray(avatar.body.v_template, np.float64)
    near = cKDTree(rest).query(points)[1]
    return ((points - rest[near]) * vertex_normals(rest, avatar.body.f)[near]).sum(1)


@pytest.fixture(scope="module")
def shirt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_top(tmp_path_factory.mktemp("clothes"))


@pytest.fixture(scope="module")
def dressed(person: Avatar, shirt: Path) -> Avatar:
    """The long sleeves of the person's shirt give way to short red ones."""
    return add_item(person, ItemRequest("upper", str(shirt)))


def test_a_top_replaces_the_photos(person: Avatar, dressed: Avatar) -> None:
    shown = apply_attributes(dressed).gaussians
    upper = shown.colors[shown.part == PARTS.index("upper")]
    assert (upper[:, 0] > upper[:, 2] + 0.1).all()  # no blue one is left
    off = apply_attributes(set_attribute(dressed, "upper", 0.0))
    assert avatar_to_bytes(replace(off, provenance=person.provenance)) == avatar_to_bytes(person)
    assert dressed.provenance["edits"][-1]["item"] == "shirt"


def test_a_top_lies_on_the_body_and_nothing_comes_through(dressed: Avatar) -> None:
    cloth = at_rest(added(dressed, "upper"))
    high = height(dressed, cloth)
    assert 0.009 < np.median(high) < 0.015
    shown = apply_attributes(dressed)
    skin = shown.gaussians.part == PARTS.index("skin")
    bare = at_rest(replace(shown, gaussians=shown.gaussians.take(skin), lod_start=None))
    chest = (np.abs(bare[:, 0]) < 0.12) & (bare[:, 1] < bare[:, 1].max() - 0.25)
    chest &= bare[:, 1] > np.median(cloth[:, 1])
    assert not chest.any()


def test_skin_that_the_old_sleeves_hid_is_completed(person: Avatar, dressed: Avatar) -> None:
    bare = added(dressed, "skin")
    points = at_rest(bare)
    assert np.abs(points[:, 0]).max() > 0.5  # down to the wrists
    assert np.abs(height(dressed, points)).max() < 0.011
    lab = rgb_to_lab(np.asarray(bare.gaussians.colors, np.float64))
    hue = np.median(lab[:, 1:], axis=0) - rgb_to_lab(np.array(SKIN))[1:]
    assert np.linalg.norm(hue) < 6.0
    wrist = person.body.J_template[JOINT_INDEX["left_wrist"], 0]
    elbow = person.body.J_template[JOINT_INDEX["left_elbow"], 0]
    forearm = np.linspace(elbow, wrist - 0.02, 12)
    gaps = np.abs(points[:, 0][:, None] - forearm).min(0)
    assert gaps.max() < 0.006


def test_a_top_moves_as_its_own_skinning_says(dressed: Avatar) -> None:
    """With raised arms the splats stay near where linear blend skinning takes the cloth."""
    cloth = added(dressed, "upper")
    body, points = cloth.body, at_rest(cloth)
    pose = cloth.pose.with_joints(left_shoulder=[0, 0, 0.9], right_shoulder=[0, 0, -0.9])
    moved = np.asarray(pose_avatar(cloth, pose).means, np.float64)
    _, _, R, t = body.rest_and_transforms(pose)
    near = cKDTree(body.v_template).query(points)[1]
    wanted = skin_vertices(points, body.weights[near], R, t)
    apart = np.linalg.norm(moved - wanted, axis=1)
    assert np.median(apart) < 0.003
    assert np.quantile(apart, 0.99) < 0.03


@pytest.mark.soak
def test_trousers_go_under_the_photos_top(person: Avatar, tmp_path: Path) -> None:
    path = write_trousers(tmp_path)
    worn = add_item(person, ItemRequest("lower", str(path), (0.1, 0.8, 0.1)))
    cloth = added(worn, "lower")
    assert len(cloth.gaussians) > 10_000
    assert (cloth.gaussians.colors[:, 1] > cloth.gaussians.colors[:, 0]).all()
    body = person.body
    part = np.array(body.part_names)[body.face_part]
    shown = apply_attributes(worn).gaussians
    legs = (part[shown.triangle] == "leg") & (np.abs(shown.colors - SKIN) < 1e-6).all(1)
    level = body.v_template[body.f[shown.triangle[legs]]].mean(1)[:, 1]
    ankle, hip = (body.J_template[JOINT_INDEX[f"left_{name}"], 1] for name in ("ankle", "hip"))
    assert legs.any()  # one can look in at the hems
    assert not ((level > ankle + 0.1) & (level < hip - 0.2)).any()
    upper = person.gaussians.part == PARTS.index("upper")
    assert (shown.part == PARTS.index("upper")).sum() >= upper.sum()  # with its shade


@pytest.mark.soak
def test_clothes_come_before_what_lies_on_them(person: Avatar, shirt: Path) -> None:
    worn = edit_avatar(person, add=["scarf=plain", f"upper={shirt},value=0.5"])
    assert [one.name for one in worn.attributes] == ["upper", "scarf"]
    assert worn.attributes[0].value == 0.5


def test_glasses_of_a_library_replace_the_photos(person: Avatar, tmp_path: Path) -> None:
    eyes = np.asarray(person.body.J_template, np.float64)[
        [JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]
    ]
    step = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 0.02
    points = np.concatenate([eye + step for eye in eyes])
    points[:, 2] += 0.03
    f = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    path = write_asset(tmp_path, "round", points, f, ("Glasses",))
    request, _ = parse_item(str(path))
    assert request.category == "glasses"
    worn = add_item(person, request)
    new = added(worn, "glasses")
    lens = at_rest(new)[new.gaussians.colors[:, 0] > 0.3]  # not their shade, which lies on skin
    assert len(lens) > 2000
    assert np.abs(lens[:, 2] - points[:, 2].mean()).max() < 0.001
    shown = apply_attributes(worn).gaussians
    assert (shown.part == PARTS.index("glasses")).sum() == len(new.gaussians)  # the old ones went


@pytest.mark.parametrize(
    ("name", "tags", "category"),
    [
        ("FemaleTShirt01", (), "upper"),
        ("long_dress", (), "outfit"),
        ("thing", ("Male", "Jeans"), "lower"),
        ("winter-coat", (), "coat"),
        ("thing", ("Necklace",), "necklace"),
        ("thing", (), "upper"),  # it lies on trunk and arms
        ("wristwatch", (), "bracelet"),
    ],
)
def test_a_file_says_what_it_is(
    tmp_path: Path, name: str, tags: tuple[str, ...], category: str
) -> None:
    path = write_top(tmp_path, name)
    text = path.read_text()
    path.write_text("".join(f"tag {tag}\n" for tag in tags) + text)
    assert find_category(path) == category


def test_what_lies_on_the_legs_is_trousers(tmp_path: Path) -> None:
    assert find_category(write_trousers(tmp_path, "thing")) == "lower"


def test_what_is_no_clothing_is_named(person: Avatar, tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="not something that the wardrobe can put on"):
        find_category(write_top(tmp_path, "eyebrow01"))
    jeans = write_trousers(tmp_path)
    with pytest.raises(LikenessError, match="nothing that is worn as upper"):
        add_item(person, ItemRequest("upper", str(jeans)))
    with pytest.raises(LikenessError, match="no upper 'shirt'"):
        parse_item("upper=shirt")
