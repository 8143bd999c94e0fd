"""Brows, noses, mouths and age lines."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.types import JOINT_INDEX, PARTS, Avatar, FloatArray, LikenessError
from likeness.engine.formats.avatar import avatar_to_bytes
from likeness.engine.gaussians.binding import place_gaussians
from likeness.engine.wardrobe.brows import find_brow_color
from likeness.engine.wardrobe.edit import add_item, remove_attribute, set_attribute
from likeness.engine.wardrobe.items import ITEMS, ItemRequest
from likeness.engine.wardrobe.tint import tint_part
from likeness.engine.workflows.edit_avatar import edit_avatar, parse_item

from tests.soaked import if_asked

from .conftest import SKIN

TELLING = [
    ("brows", "none"),
    ("brows", "natural"),
    ("nose", "wide"),
    ("mouth", "full"),
    ("wrinkles", "forehead"),
]
"""Of each category; brows both go and come."""
FACIAL = [(name, item) for name in ("brows", "nose", "mouth", "wrinkles") for item in ITEMS[name]]
OTHERS = [one for one in FACIAL if one not in TELLING]
BROWN = (0.25, 0.17, 0.13)

Wear = Callable[[str, str], Avatar]


@pytest.fixture(scope="module")
def browed(person: Avatar) -> Avatar:
    """The person with brown brows."""
    body, bound = person.body, person.gaussians
    eye = body.J_template[JOINT_INDEX["left_eye_smplhf"]]
    at = body.v_template[body.f[bound.triangle]].mean(1) * [1.0, 1.0, 1.0]
    at[:, 0] = np.abs(at[:, 0])
    brow = (np.abs(at[:, :2] - eye[:2] - [0.0, 0.020]) < [0.02, 0.006]).all(1) & (at[:, 2] > eye[2])
    brow &= bound.part == PARTS.index("face")
    assert brow.sum() > 10
    colors = np.where(brow[:, None], np.float32(BROWN), bound.colors)
    return replace(person, gaussians=replace(bound, colors=colors))


@pytest.fixture(scope="module")
def wear(browed: Avatar) -> Wear:
    """The person with an item of a category; each is put on once."""
    return functools.cache(lambda category, item: add_item(browed, ItemRequest(category, item)))


def added(worn: Avatar) -> FloatArray:
    """[K, 3] where the splats of the last attribute are at rest, metres."""
    own = worn.attributes[-1].factors(0.0) == 0.0
    placed = place_gaussians(worn.gaussians.take(own), worn.body.v_template, worn.body)
    return np.asarray(placed.means, np.float64)


@pytest.mark.parametrize(("category", "item"), [*TELLING, *if_asked(*OTHERS)])
def test_only_the_face_changes_and_at_zero_nothing_does(
    browed: Avatar, wear: Wear, category: str, item: str
) -> None:
    worn = wear(category, item)
    off = apply_attributes(set_attribute(worn, category, 0.0))
    for same in (off, remove_attribute(worn, category)):
        same = replace(same, provenance=browed.provenance)
        assert avatar_to_bytes(same) == avatar_to_bytes(browed)
    (edit,) = worn.provenance["edits"]
    assert (edit["add"], edit["item"]) == (category, item)
    stays = worn.attributes[-1].factors(0.0) * worn.attributes[-1].factors(1.0) > 0.0
    gone = (worn.attributes[-1].factors(0.0) > 0.0) & ~stays
    eyes = browed.body.J_template[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]]
    body = browed.body
    at = body.v_template[body.f[worn.gaussians.triangle[~stays]]].mean(1)
    assert np.abs(at[:, 0]).max() < 0.075
    assert (np.abs(at[:, 1] - eyes[:, 1].mean()) < 0.10).all()
    assert (at[:, 2] > eyes[:, 2].min() - 0.04).all()
    kept = worn.gaussians.take(worn.attributes[-1].factors(0.0) > 0.0)
    for name in ("offset", "colors", "scales", "quats", "opacities", "bary", "triangle"):
        assert np.array_equal(getattr(kept, name), getattr(browed.gaussians, name))
    assert gone.any() == (category != "wrinkles")


@pytest.mark.parametrize("hair_above", [False, True])
def test_brows_come_off(browed: Avatar, hair_above: bool) -> None:
    """Where hair hung centimetres above, the edge of brows stayed as a line."""
    bound = browed.gaussians
    body = browed.body
    at = body.v_template[body.f[bound.triangle]].mean(1)
    eye = body.J_template[JOINT_INDEX["left_eye_smplhf"]]
    brow = np.abs(bound.colors - np.float32(BROWN)).max(1) < 1e-3
    colors = np.array(bound.colors)
    colors[brow & (at[:, 1] > eye[1] + 0.021)] *= 2.0  # its edge is fainter
    part = np.array(bound.part)
    if hair_above:
        part[(part == PARTS.index("face")) & (at[:, 1] > eye[1] + 0.04)] = PARTS.index("hair")
    browed = replace(browed, gaussians=replace(bound, colors=colors, part=part))
    bald = apply_attributes(add_item(browed, ItemRequest("brows", "none"))).gaussians
    face = bald.colors[bald.part == PARTS.index("face")]
    assert np.abs(face - np.float32(SKIN)).max() < 0.03


def test_brows_have_their_shape_their_thickness_and_the_photos_colour(
    browed: Avatar, wear: Wear
) -> None:
    def hairs(item: str, thickness: float = 0.5) -> tuple[FloatArray, FloatArray]:
        request = ItemRequest("brows", item, thickness=thickness)
        worn = wear("brows", item) if thickness == 0.5 else add_item(browed, request)
        own = worn.attributes[-1].factors(0.0) == 0.0
        dark = worn.gaussians.colors[own].mean(1) < 0.4
        return added(worn)[dark], worn.gaussians.colors[own][dark]

    def ends(points: FloatArray) -> tuple[float, float, float]:
        """Heights at the inner end, at two thirds and at the outer end."""
        x = np.abs(points[:, 0])
        low, high = np.quantile(x, [0.02, 0.98])
        at = (x - low) / (high - low)
        return tuple(
            float(np.median(points[np.abs(at - place) < 0.1, 1])) for place in (0.1, 0.6, 0.95)
        )

    plain, colors = hairs("natural")
    np.testing.assert_allclose(np.median(colors, axis=0), BROWN, atol=0.04)
    assert (plain[:, 0] > 0).mean() == pytest.approx(0.5, abs=0.05)
    spread = {}
    for item in ("thin", "natural", "bushy"):
        points = hairs(item)[0]
        middle = points[np.abs(np.abs(points[:, 0]) - 0.03) < 0.005]
        spread[item] = float(np.ptp(np.quantile(middle[:, 1], [0.05, 0.95])))
    assert spread["thin"] < 0.8 * spread["natural"] < 0.8 * spread["bushy"]
    assert len(hairs("natural", 1.0)[0]) > 1.2 * len(plain) > 1.2 * len(hairs("natural", 0.0)[0])
    inner, arch, outer = ends(plain)
    assert ends(hairs("arched")[0])[1] - ends(hairs("arched")[0])[0] > arch - inner + 0.002
    angled = ends(hairs("angled")[0])
    assert angled[2] - angled[0] > outer - inner + 0.004
    straight = ends(hairs("straight")[0])
    assert abs(straight[1] - 0.5 * (straight[0] + straight[2])) < 0.6 * abs(
        arch - 0.5 * (inner + outer)
    )


def test_brows_come_hair_by_hair_and_keep_a_tint_apart(browed: Avatar, wear: Wear) -> None:
    worn = wear("brows", "bushy")
    counts = [
        len(apply_attributes(set_attribute(worn, "brows", value)).gaussians)
        for value in (0.0, 0.2, 0.5, 0.8, 1.0)
    ]
    assert counts[0] == len(browed.gaussians)
    assert counts[1] < counts[2] < counts[3]
    replaced = add_item(tint_part(browed, "brows", (0.6, 0.2, 0.1)), ItemRequest("brows", "thin"))
    assert [one.item for one in replaced.attributes] == ["thin"]
    with pytest.raises(LikenessError, match="Add it in this color: brows=thin,color=#99331a"):
        tint_part(replaced, "brows", (0.6, 0.2, 0.1))


def test_brows_on_tinted_skin_come_off_in_its_tone(browed: Avatar) -> None:
    dark = (0.35, 0.22, 0.16)
    tinted = edit_avatar(browed, tints=["skin=#593829"], add=["brows=none"])
    face = apply_attributes(tinted).gaussians
    colors = face.colors[face.part == PARTS.index("face")]
    lips = np.array(tinted.body.part_names)[tinted.body.face_part][face.triangle] == "lips"
    colors = face.colors[(face.part == PARTS.index("face")) & ~lips]
    assert np.abs(colors - np.float32(dark)).max() < 0.06


@pytest.mark.parametrize(
    ("item", "share"), [("wide", 1.22), ("narrow", 0.78), ("large", 1.16), ("small", 0.84)]
)
def test_the_wings_of_the_nose_move_by_the_share(
    browed: Avatar, wear: Wear, item: str, share: float
) -> None:
    body = browed.body
    marks = body.landmarks
    wings = [129, 358]
    corners = body.v_template[body.f[marks.face_triangle[wings]]]
    wide = float(np.ptp((corners * marks.face_bary[wings][..., None]).sum(1)[:, 0]))
    worn = wear("nose", item)
    own = worn.attributes[-1].factors(0.0) == 0.0
    after = added(worn)
    before = body.v_template[body.f[worn.gaussians.triangle[own]]].mean(1)
    near = np.abs(np.abs(before[:, 0]) - 0.4 * wide) < 0.004
    near &= np.abs(before[:, 1] - corners[..., 1].mean()) < 0.006
    assert near.sum() > 3
    growth = np.median(np.abs(after[near, 0]) / np.abs(before[near, 0]))
    assert growth == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize(("item", "sign"), [("full", 1.0), ("thin", -1.0)])
def test_lips_get_higher_or_lower(browed: Avatar, wear: Wear, item: str, sign: float) -> None:
    body = browed.body
    names = np.array(body.part_names)[body.face_part]
    worn = wear("mouth", item)
    own = worn.attributes[-1].factors(0.0) == 0.0
    triangle = worn.gaussians.triangle[own]
    before, after = body.v_template[body.f[triangle]].mean(1), added(worn)
    lips = (names[triangle] == "lips") & (np.abs(before[:, 0]) < 0.012)
    tall = [np.ptp(np.quantile(points[lips, 1], [0.05, 0.95])) for points in (before, after)]
    assert sign * (tall[1] / tall[0] - 1.0) > 0.2


def test_age_lines_lie_in_their_regions_and_spare_a_beard(browed: Avatar, wear: Wear) -> None:
    eye = float(browed.body.J_template[JOINT_INDEX["left_eye_smplhf"], 1])
    forehead = added(wear("wrinkles", "forehead"))
    mouth = added(wear("wrinkles", "mouth"))
    assert (forehead[:, 1] > eye + 0.005).all()
    assert (mouth[:, 1] < eye - 0.015).all()
    fine, deep = (wear("wrinkles", item) for item in ("fine", "deep"))

    def darkest(worn: Avatar) -> float:
        own = worn.attributes[-1].factors(0.0) == 0.0
        return float(np.quantile(worn.gaussians.colors[own].mean(1), 0.02))

    assert darkest(deep) < darkest(fine) - 0.02 < np.mean(SKIN)
    bound = browed.gaussians
    at = browed.body.v_template[browed.body.f[bound.triangle]].mean(1)
    chin = (bound.part == PARTS.index("face")) & (at[:, 1] < eye - 0.03)
    part = np.where(chin, PARTS.index("beard"), bound.part).astype(np.uint8)
    bearded = replace(browed, gaussians=replace(bound, part=part))
    low = added(add_item(bearded, ItemRequest("wrinkles", "deep")))[:, 1] < eye - 0.045
    assert low.sum() < 0.05 * (mouth[:, 1] < eye - 0.045).sum()


def test_all_of_them_together_come_off_one_by_one(browed: Avatar) -> None:
    asked = ["brows=angled", "wrinkles=deep", "nose=wide", "mouth=full"]
    worn = edit_avatar(browed, asked, tints=["skin=#a06040"])
    assert [one.name for one in worn.attributes] == ["skin", *(a.split("=")[0] for a in asked)]
    for name in ("nose", "skin", "brows", "mouth", "wrinkles"):
        worn = remove_attribute(worn, name)
    same = replace(worn, provenance=browed.provenance)
    assert avatar_to_bytes(same) == avatar_to_bytes(browed)


def test_what_is_asked_wrongly_is_named(person: Avatar) -> None:
    assert parse_item("brows=bushy,thickness=0.9")[0].thickness == 0.9
    with pytest.raises(LikenessError, match=r"thickness 2 is out of range"):
        parse_item("brows=thin,thickness=2")
    with pytest.raises(LikenessError, match=r"nose keeps the colors of the face"):
        parse_item("nose=wide,color=#ff0000")
    with pytest.raises(LikenessError, match=r"no mouth 'beak'"):
        parse_item("mouth=beak")
    bare = replace(person, body=replace(person.body, landmarks=None))
    with pytest.raises(LikenessError, match="lacks the places of brows"):
        add_item(bare, ItemRequest("wrinkles", "deep"))


def test_faint_brows_are_of_darker_hairs(person: Avatar, browed: Avatar) -> None:
    """Skin between the hairs made opaque, golden brows."""
    brow = np.abs(browed.gaussians.colors - np.float32(BROWN)).max(1) < 1e-3
    half = 0.5 * (np.array(BROWN) + SKIN)
    colors = np.where(brow[:, None], np.float32(half), browed.gaussians.colors)
    faint = replace(browed, gaussians=replace(browed.gaussians, colors=colors))
    found = find_brow_color(faint)
    assert (found < half - 0.03).all()
    assert (found > np.array(BROWN) - 0.03).all()
    np.testing.assert_allclose(find_brow_color(browed), BROWN, atol=0.04)
