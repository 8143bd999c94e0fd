"""Hair, brows and lashes on real heads, against independent geometry."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import JOINT_INDEX, FloatArray, LikenessError, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.synth import hair, hair_color
from likeness.engine.synth.hair import HairLook, hair_parts, random_hair
from likeness.engine.synth.person_parts import Traits, Wearer
from likeness.engine.wardrobe import hair_growth, hair_pigment
from likeness.engine.wardrobe.dress import DressBody, load_dress_body, pose_body
from likeness.engine.wardrobe.head_shape import head_shape
from likeness.engine.wardrobe.library import Library, open_library
from likeness.engine.wardrobe.mesh_parts import LABEL, MeshPart
from PIL import Image

from tests.soaked import every_other

WOMAN = Traits("female", 30.0, 3, (0.0, 0.0, 1.0))
MAN = Traits("male", 30.0, 3, (0.0, 0.0, 1.0))


@lru_cache(maxsize=1)
def dress() -> DressBody:
    return load_dress_body(asset_path("body"))


def wearer(
    traits: Traits = WOMAN, seed: int = 0, library: Library | None = None, pose: Pose | None = None
) -> Wearer:
    body = dress().body
    betas = 0.6 * np.random.default_rng(seed).normal(size=body.num_betas) * (seed > 0)
    pose = pose or Pose.rest(body.num_expression)
    posed = pose_body(dress(), betas, pose)
    return Wearer(dress(), posed, traits, betas, np.asarray(pose.expression), library, 256)


def look(style: str, **changes: object) -> HairLook:
    drawn = random_hair(np.random.default_rng(3), WOMAN, None)
    return replace(drawn, kind="strands", style=style, receding=0.0, **changes)  # type: ignore[arg-type]


def of_label(parts: list[MeshPart], name: str) -> list[MeshPart]:
    return [part for part in parts if (part.label == LABEL[name]).all() and len(part.f)]


def winding(points: FloatArray, vertices: FloatArray, f: np.ndarray) -> FloatArray:
    """How often a closed surface goes round each point: 1 inside, 0 outside (van Oosterom)."""
    out = np.zeros(len(points))
    for k, point in enumerate(points):
        a, b, c = (vertices[f[:, i]] - point for i in range(3))
        la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
        top = (a * np.cross(b, c)).sum(1)
        low = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        out[k] = np.arctan2(top, low).sum() / (2 * np.pi)
    return out


def test_a_look_is_json_and_the_same_again() -> None:
    for seed in range(12):
        traits = Traits(
            ("female", "male")[seed % 2], 20.0 + 5 * seed, 1 + seed % 10, (0.3, 0.3, 0.4)
        )
        one, two = (random_hair(np.random.default_rng(seed), traits, None) for _ in range(2))
        assert one == two
        assert json.loads(json.dumps(asdict(one)))["style"] == one.style
        assert all(0.0 <= c <= 1.0 for c in one.color)


def test_parts_are_deterministic_cards_with_labels() -> None:
    first, second = (hair_parts(wearer(seed=2), look("bob"), None) for _ in range(2))
    assert [p.label[0] for p in first] == [LABEL["hair"], LABEL["brow"], LABEL["brow"]]
    for one, two in zip(first, second):
        np.testing.assert_array_equal(one.vertices, two.vertices)
        np.testing.assert_array_equal(one.material.color, two.material.color)
        assert one.card
        assert one.material.kind == "hair"
        assert one.f.max() < len(one.vertices)
        assert one.uv.shape == (*one.f.shape, 2)
    assert first[0].bias > first[1].bias > 0.0


@pytest.mark.parametrize("style", every_other(hair_growth.STYLES))
def test_grown_hair_stays_out_of_the_body(style: str) -> None:
    body, person = dress().body, wearer(seed=1)
    head = head_shape(person.rest().rest[: len(body.v_template)], body)
    paths, width = hair_growth.grow_hair(hair_growth.STYLES[style], head, 0.02, 0.6, 0.0, 5)
    assert len(paths) == len(width) > 1000
    rng = np.random.default_rng(0)
    some = paths[rng.choice(len(paths), 40), rng.integers(2, paths.shape[1], 40)]
    inside = winding(some, person.rest().rest[: len(body.v_template)].astype(float), body.f) > 0.5
    assert inside.mean() <= 0.05
    # and hair is on the head's top and back, wherever it goes from there.
    assert paths[:, 0, 1].max() > head.brow + 0.06
    assert paths[:, 0, 2].min() < head.centre[2] - 0.06


def test_a_cut_ends_hair_higher() -> None:
    body, person = dress().body, wearer()
    head = head_shape(person.rest().rest[: len(body.v_template)], body)
    style = hair_growth.STYLES["long"]
    assert style.ends is not None
    low = []
    for length in (0.0, 1.0):
        paths, _ = hair_growth.grow_hair(style, head, 0.0, length, 0.0, 1)
        low.append(np.quantile(paths[:, -1, 1], 0.02))
    assert low[0] - low[1] > 0.08
    assert low[0] == pytest.approx(head.level(style.ends[1]), abs=0.03)


def test_a_hat_leaves_no_hair_above_its_rim() -> None:
    person = wearer()
    rim = 0.69
    bare = of_label(hair_parts(person, look("bob"), None), "hair")[0]
    under = of_label(hair_parts(person, look("bob"), rim), "hair")[0]
    assert bare.vertices[:, 1].max() > rim + 0.03
    assert under.vertices[:, 1].max() < rim + 0.015
    assert 0 < len(under.f) < len(bare.f)
    assert not of_label(hair_parts(person, look("bob"), -10.0), "hair")


def test_a_turned_head_takes_its_hair_along_and_leaves_the_ends_on_the_trunk() -> None:
    body = dress().body
    pose = Pose.rest(body.num_expression).with_joints(head=[0.0, 0.7, 0.0])
    still, turned = (
        of_label(hair_parts(wearer(pose=p), look("long", length=1.0), None), "hair")[0].vertices
        for p in (None, pose)
    )
    posed = wearer(pose=pose).posed
    top = still[:, 1] > still[:, 1].max() - 0.08
    expected = still[top] @ posed.R[15].T + posed.t[15]
    np.testing.assert_allclose(turned[top], expected, atol=1e-6)
    ends = still[:, 1] < 0.42
    assert ends.sum() > 50
    assert np.linalg.norm(turned[ends] - still[ends], axis=1).mean() < 0.02


def test_lashes_and_brows_follow_the_face() -> None:
    body = dress().body
    marks = body.landmarks
    assert marks is not None

    def drawn(**expression: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        pose = replace(Pose.rest(body.num_expression), expression=body.expression(**expression))
        person = wearer(pose=pose)
        brows, lashes = of_label(hair_parts(person, look("crop"), None), "brow")
        corners = person.posed.vertices[body.f[marks.face_triangle]]
        return brows.vertices, lashes.vertices, (corners * marks.face_bary[..., None]).sum(1)

    brows, lashes, points = drawn()
    _, shut, closed = drawn(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    lid = points[386, 1] - closed[386, 1]
    assert lid > 0.005
    upper = lashes[: 75 * 10]  # the left upper lid's come first
    fall = (upper - shut[: 75 * 10])[:, 1]
    assert np.median(fall) == pytest.approx(lid, rel=0.45)
    # They stay at the lid: the nearest lid landmark is as near as before.
    lids = [362, 398, 384, 385, 386, 387, 388, 466, 263]
    roots = shut[: 75 * 10].reshape(75, 10, 3)[:, 0]
    gap = np.linalg.norm(roots[:, None] - closed[lids][None], axis=-1).min(1)
    assert gap.max() < 0.006
    raised, _, _ = drawn(browInnerUp=1.0, browOuterUpLeft=1.0, browOuterUpRight=1.0)
    assert (raised - brows)[:, 1].mean() > 0.004


def test_colours_of_hair() -> None:
    black = hair_pigment.melanin_color(8.0, 0.2)
    blond = hair_pigment.melanin_color(0.4, 0.2)
    red = hair_pigment.melanin_color(0.8, 1.4)
    assert black.max() < 0.2
    assert blond.min() > 0.4
    assert red[0] - red[2] > 0.3
    rng = np.random.default_rng(0)
    young, old = (
        np.mean([hair_color.grey_share(rng, age) for _ in range(200)]) for age in (25, 75)
    )
    assert young < 0.05
    assert old > 0.8
    dyes = [hair_color.dyed_color(rng, WOMAN) for _ in range(3000)]
    loud = [c for c in dyes if c is not None and not np.all(np.diff(c) <= 0.02)]  # blue, pink
    assert 0 < len(loud) < 0.04 * len(dyes)
    dark = Traits("female", 30.0, 9, (1.0, 0.0, 0.0))
    shades = [hair_color.natural_color(rng, dark).mean() for _ in range(100)]
    assert max(shades) < 0.3


def test_a_bald_man_and_a_receding_one() -> None:
    man = replace(look("crop"), kind="bald")
    assert not of_label(hair_parts(wearer(MAN), man, None), "hair")
    body = dress().body
    head = head_shape(wearer(MAN).rest().rest[: len(body.v_template)], body)
    roots, _ = hair_growth.scalp_points(head, 2000, np.random.default_rng(0))
    shares = [(hair_growth.baldness(roots, head, r) > 0).mean() for r in (0.0, 0.3, 0.6, 0.95)]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert 0.25 < shares[-1] < 0.8


CARD = """v 0 0 0
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
def library(tmp_path: Path) -> Library:
    """Hair of one card: from the crown to the chest, striped, half see-through below."""
    (tmp_path / "skins" / "textures").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "skins" / "textures" / "a_diffuse.png")
    folder = tmp_path / "hair" / "long"
    folder.mkdir(parents=True)
    stripes = np.zeros((512, 512, 4), np.uint8)
    stripes[..., :3] = (60 + 40 * (np.arange(512) // 4 % 2))[None, :, None]
    stripes[:480, :, 3] = 255
    Image.fromarray(stripes).save(folder / "long.png")
    (folder / "long.obj").write_text(CARD)
    (folder / "long.mhmat").write_text("diffuseTexture long.png\n")
    row = dress().row
    body = dress().body
    crown = int(np.flatnonzero(row == int(body.v_template[:, 1].argmax()))[0])
    lines = [
        f"{crown} {crown} {crown} 1 0 0 {x} {y} -1.2"
        for x, y in ((-0.5, -3.5), (0.5, -3.5), (0.5, -0.5), (-0.5, -0.5))
    ]
    (folder / "long.mhclo").write_text(
        "\n".join(["obj_file long.obj", "material long.mhmat", "verts 0", *lines])
    )
    return open_library(tmp_path)


def test_a_librarys_hair_takes_the_colour_and_the_cut(library: Library) -> None:
    person = wearer(library=library)
    base = replace(
        look(""),
        kind="library",
        style="long",
        asset=0,
        brows=-1,
        lashes=-1,
        grey=0.0,
        streaks=0.0,
        volume=1.0,
        ruffle=0.002,
    )
    seen = {}
    for name, pigment in (("dark", (0.1, 0.07, 0.05)), ("red", (0.6, 0.2, 0.1))):
        part = hair_parts(person, replace(base, pigment=pigment, ends=pigment), None)[0]
        picture = part.material.color
        assert max(picture.shape[:2]) <= person.texture_size
        shown = picture[picture[..., 3] > 128][:, :3] / 255
        np.testing.assert_allclose(np.median(shown, axis=0), pigment, atol=0.12)
        assert shown.mean(1).std() > 0.004  # strands, not paint
        seen[name] = part
    long, short = (
        hair_parts(person, replace(base, length=length), None)[0].vertices[:, 1].min()
        for length in (1.0, 0.0)
    )
    assert short - long > 0.05


def test_a_librarys_hair_without_a_texture_is_named(library: Library) -> None:
    (library.hair[0].parent / "long.png").unlink()
    base = replace(look(""), kind="library", style="long", asset=0, brows=-1, lashes=-1)
    with pytest.raises(LikenessError, match=r"long\.mhclo"):
        hair_parts(wearer(library=library), base, None)


def test_styles_named_in_the_shares_exist() -> None:
    assert {*hair._SHORT, *hair._LONG} == set(hair_growth.STYLES)
    for names, sex in ((hair._SHORT, "male"), (hair._LONG, "female")):
        assert len(names) == len(hair._SHARES[sex])
        assert sum(hair._SHARES[sex]) == pytest.approx(1.0)


def test_a_librarys_brows_dont_frown(library: Library, tmp_path: Path) -> None:
    """Brows that fall steeply towards the nose, near the lids, come to lie as brows at ease do."""
    body, row = dress().body, dress().row
    folder = tmp_path / "eyebrows" / "angry"
    folder.mkdir(parents=True)
    Image.new("RGBA", (64, 64), (0, 0, 0, 255)).save(folder / "angry.png")
    cards = [CARD, CARD.replace("f 1/1 2/2 3/3 4/4\n", "f 5/1 6/2 7/3 8/4\n")]
    (folder / "angry.obj").write_text("".join(cards))
    (folder / "angry.mhmat").write_text("diffuseTexture angry.png\n")
    eye = body.J_template[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]]
    face = np.unique(body.f[body.face_part == body.part_names.index("face")])
    base = {int(v): k for k, v in enumerate(row)}
    lines = []
    for joint in eye:
        for x, y in ((-0.018, -0.006), (0.018, 0.006), (0.018, 0.010), (-0.018, -0.002)):
            side = np.sign(joint[0])
            wanted = joint[:2] + np.array([side * x, y + 0.010])
            near = face[np.linalg.norm(body.v_template[face, :2] - wanted, axis=1).argmin()]
            off = 10.0 * (wanted - body.v_template[near, :2])
            lines.append(f"{base[near]} {base[near]} {base[near]} 1 0 0 {off[0]} {off[1]} 0")
    (folder / "angry.mhclo").write_text(
        "\n".join(["obj_file angry.obj", "material angry.mhmat", "verts 0", *lines])
    )
    person = wearer(library=open_library(tmp_path))
    worn = replace(look("crop"), kind="bald", brows=0, lashes=-1)
    brows = of_label(hair_parts(person, worn, None), "brow")[0]
    assert len(brows.vertices) == 8
    for joint in eye:
        own = brows.vertices[np.sign(brows.vertices[:, 0]) == np.sign(joint[0])]
        outwards = np.abs(own[:, 0]) - abs(joint[0])
        slope, level = np.polyfit(outwards, own[:, 1] - joint[1], 1)
        assert -0.1 < slope < 0.12  # it was a third
        assert 0.013 < level < 0.025


def test_grown_hair_bends_without_corners() -> None:
    """No path turns sharply from one point to the next, curls of hanging hair included."""
    person = wearer()
    body = dress().body
    head = head_shape(person.rest().rest[: len(body.v_template)], body)
    for style, most in (("long", 50.0), ("wavy", 75.0), ("curls", 95.0)):
        paths, _ = hair_growth.grow_hair(hair_growth.STYLES[style], head, 0.0, 0.7, 0.0, 4)
        way = np.diff(paths, axis=1)
        way /= np.maximum(np.linalg.norm(way, axis=2, keepdims=True), 1e-9)
        turn = np.degrees(np.arccos(np.clip((way[:, 1:] * way[:, :-1]).sum(2), -1, 1)))
        assert np.percentile(turn, 95) < most, style
