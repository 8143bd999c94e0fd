"""Other colours of hair, skin, lips and clothes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.settings import overridden_settings
from likeness.engine.core.types import JOINT_INDEX, PARTS, Avatar, LikenessError
from likeness.engine.formats.avatar import avatar_to_bytes
from likeness.engine.wardrobe import attribute_splats
from likeness.engine.wardrobe.edit import add_item, remove_attribute, set_attribute
from likeness.engine.wardrobe.items import ItemRequest
from likeness.engine.wardrobe.tint import TINTED, tint_part
from likeness.engine.wardrobe.tint_materials import tint_cloth, tint_hair, tint_skin
from likeness.engine.workflows.edit_avatar import edit_avatar

from tests.soaked import if_asked

RED = (0.55, 0.15, 0.08)


@pytest.mark.parametrize("name", ["hair", "skin", "upper", "lips"])
def test_only_the_part_takes_the_colour(person: Avatar, name: str) -> None:
    worn = tint_part(person, name, RED)
    before, after = person.gaussians, apply_attributes(worn).gaussians
    assert len(after) == len(before)
    lips = np.array(person.body.part_names)[person.body.face_part][before.triangle] == "lips"
    face = before.part == PARTS.index("face")
    if name == "lips":
        own = face & lips
    elif name == "skin":
        own = (face & ~lips) | (before.part == PARTS.index("skin"))
    else:
        own = before.part == PARTS.index(name)
    red = np.abs(after.colors - np.float32(RED)).max(1) < 0.01
    if name == "skin":  # the lips follow it, but keep some of their colour
        rose = lips[np.argsort(before.triangle)][
            np.searchsorted(np.sort(before.triangle), after.triangle)
        ]
        assert not red[rose].any()
        assert np.abs(after.colors[rose] - np.float32(RED)).max() < 0.25
        own, red = own | (face & lips), red | rose
    assert red.sum() == own.sum()
    assert set(after.triangle[red]) == set(before.triangle[own])
    first, then = (np.column_stack([one.triangle, one.colors]) for one in (before, after))
    assert {row.tobytes() for row in then[~red]} == {row.tobytes() for row in first[~own]}


def test_at_zero_the_avatar_is_the_one_before(person: Avatar) -> None:
    worn = tint_part(person, "hair", RED)
    off = apply_attributes(set_attribute(worn, "hair", 0.0))
    for same in (off, remove_attribute(worn, "hair")):
        same = replace(same, provenance=person.provenance)
        assert avatar_to_bytes(same) == avatar_to_bytes(person)
    assert worn.provenance["edits"] == [{"tint": "hair", "color": "#8c2614", "value": 1.0}]


def test_a_second_tint_replaces_the_first_and_spares_what_is_put_on(person: Avatar) -> None:
    worn = add_item(person, ItemRequest("hat", "beanie", (0.1, 0.2, 0.8)))
    twice = tint_part(tint_part(worn, "hair", RED), "hair", (0.9, 0.8, 0.5))
    assert [one.name for one in twice.attributes] == ["hat", "hair"]
    hats = [
        one.gaussians.colors[one.gaussians.part == PARTS.index("hat")]
        for one in (apply_attributes(worn), apply_attributes(twice))
    ]
    assert np.array_equal(*(np.sort(colors, axis=0) for colors in hats))


@pytest.mark.parametrize("material", ["hair", "skin", "cloth"])
@pytest.mark.parametrize("target", [(0.1, 0.07, 0.05), (0.85, 0.7, 0.45)])
def test_the_median_takes_the_colour_and_light_stays(
    target: tuple[float, float, float], material: str
) -> None:
    rng = np.random.default_rng(3)
    light = rng.normal(0.3, 0.08, 2000).clip(0.05, 0.9)
    colors, points = light[:, None] * [1.0, 0.75, 0.55], rng.random((2000, 3))
    if material == "hair":
        new = tint_hair(colors, np.array(target), points)
    else:
        new = (tint_skin if material == "skin" else tint_cloth)(colors, np.array(target))
    assert np.linalg.norm(rgb_to_lab(np.median(new, axis=0)) - rgb_to_lab(np.array(target))) < 4.0
    assert new.min() >= 0.0
    assert new.max() <= 1.0
    order = np.corrcoef(rgb_to_lab(colors)[:, 0], rgb_to_lab(new)[:, 0])[0, 1]
    assert order > 0.9
    assert rgb_to_lab(new)[:, 0].std() > 1.5  # dark as the new colour may be


def test_a_highlight_stays_white_on_dark_skin_and_shadows_of_blond_hair_are_brown() -> None:
    skin = np.tile([0.8, 0.6, 0.5], (1000, 1))
    skin[:20] = [0.95, 0.9, 0.88]  # wet: it has the lamp's colour
    dark = np.array([0.3, 0.19, 0.14])
    new = rgb_to_lab(tint_skin(skin, dark))
    tone = rgb_to_lab(dark)
    np.testing.assert_allclose(np.median(new[20:], axis=0), tone, atol=1.0)
    wet = new[:20].mean(0)
    assert wet[0] > tone[0] + 8.0
    assert np.hypot(*wet[1:]) / wet[0] < 0.8 * np.hypot(*tone[1:]) / tone[0]
    blond, rng = np.array([0.8, 0.66, 0.42]), np.random.default_rng(1)
    black = np.clip(rng.normal(0.12, 0.05, (1000, 1)), 0.02, 0.4) * [1.0, 0.9, 0.85]
    hair = tint_hair(black, blond, rng.random((1000, 3)))
    order = np.argsort(hair.mean(1))
    low, high = hair[order[:100]].mean(0), hair[order[-100:]].mean(0)
    assert low[2] / low[0] < blond[2] / blond[0] < high[2] / high[0]


def test_prints_straps_and_shirts_keep_their_colours() -> None:
    """Black and white parts of an orange suit took the complement of orange: cyan."""
    rng = np.random.default_rng(5)
    light = rng.normal(0.8, 0.15, (3000, 1)).clip(0.2, 1.2)
    orange = np.clip(light * [0.85, 0.35, 0.15], 0, 1)
    others = np.array([[0.95, 0.94, 0.92], [0.03, 0.03, 0.04], [0.25, 0.15, 0.60]])
    for target in ((0.10, 0.17, 0.33), (0.85, 0.85, 0.85), (0.1, 0.6, 0.35)):
        new = tint_cloth(np.concatenate([orange, others]), np.array(target))
        np.testing.assert_allclose(new[-3:], others, atol=0.02)
        off = np.linalg.norm(rgb_to_lab(new[:-3]) - rgb_to_lab(orange), axis=1)
        assert np.quantile(off, 0.02) > 15.0  # all of the cloth, folds as well
    black = np.clip(rng.normal(0.10, 0.03, (3000, 1)).clip(0.02) * [0.9, 0.95, 1.2], 0, 1)
    new = tint_cloth(np.concatenate([black, [[0.93, 0.94, 0.96]]]), np.array([0.6, 0.2, 0.2]))
    np.testing.assert_allclose(new[-1], [0.93, 0.94, 0.96], atol=0.02)
    yellow = np.clip(rng.normal(0.9, 0.05, (3000, 1)) * [1.0, 0.85, 0.3], 0, 1)
    shine = np.array([[1.0, 0.98, 0.85]])
    new = tint_cloth(np.concatenate([yellow, shine]), np.array([0.1, 0.17, 0.33]))
    assert new[-1].mean() < 0.45


def test_the_rim_of_a_garment_changes_by_its_share(person: Avatar) -> None:
    """Splats of skin that had taken half of a white shirt's colour stayed as white specks."""
    body, bound = person.body, person.gaussians
    shirt, skin = np.float32([0.95, 0.95, 0.95]), np.float32([0.45, 0.28, 0.20])
    upper = bound.part == PARTS.index("upper")
    naked = (bound.part == PARTS.index("skin")) | (bound.part == PARTS.index("face"))
    colors = np.where(upper[:, None], shirt, np.where(naked[:, None], skin, bound.colors))
    on_shirt = np.isin(body.f, body.f[bound.triangle[upper]])[bound.triangle]
    rim = (bound.part == PARTS.index("skin")) & on_shirt.any(1)
    assert rim.sum() > 10
    colors[rim] = 0.5 * shirt + 0.5 * skin
    white = replace(person, gaussians=replace(bound, colors=colors.astype(np.float32)))
    dark = np.array([0.10, 0.12, 0.20])
    after = apply_attributes(tint_part(white, "upper", tuple(dark))).gaussians
    at = np.argsort(after.triangle)
    mixed = after.colors[at[np.searchsorted(after.triangle[at], bound.triangle[rim])]]
    close = np.abs(mixed - (0.5 * dark + 0.5 * skin)).max(1) < 0.12
    moved = np.abs(mixed - colors[rim]).max(1) > 0.02
    assert moved.mean() > 0.5  # the others have no bare skin near that tells
    assert close[moved].mean() > 0.9
    first, then = (
        {row.tobytes() for row in np.column_stack([one.triangle, one.colors])[~skip]}
        for one, skip in (
            (white.gaussians, upper | rim),
            (after, np.isin(after.triangle, bound.triangle[upper | rim])),
        )
    )
    assert then <= first


def test_a_large_garment_leaves_room_for_other_things(
    person: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tinted suit took all of it, and not even a nose could be changed any more."""
    upper = int((person.gaussians.part == PARTS.index("upper")).sum())
    monkeypatch.setattr(attribute_splats, "MAX_ADDED", upper)
    with overridden_settings({"wardrobe.room.reserve": upper // 4}):
        worn = tint_part(person, "upper", RED)
    assert attribute_splats.count_room(worn) >= upper // 4
    before, after = person.gaussians, apply_attributes(worn).gaussians
    size = [
        float((one.scales[one.part == PARTS.index("upper"), :2] ** 2).sum())
        for one in (before, after)
    ]
    assert size[1] > 0.9 * size[0]  # fewer, and larger
    assert [one.name for one in add_item(worn, ItemRequest("nose", "wide")).attributes] == [
        "upper",
        "nose",
    ]


@pytest.mark.parametrize("name", ["eyeshadow", "blush"])
def test_makeup_lies_where_it_belongs(person: Avatar, name: str) -> None:
    worn = tint_part(person, name, (0.5, 0.1, 0.4))
    own = worn.attributes[-1].factors(0.0) == 0.0
    body = worn.body
    at = body.v_template[body.f[worn.gaussians.triangle[own]]].mean(1)
    eyes = body.J_template[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]]
    away = np.linalg.norm(at[:, None, :2] - eyes[None, :, :2], axis=-1).min(1)
    assert away.max() < 0.09
    height = at[:, 1] - eyes[:, 1].mean()
    assert (height > -0.01).all() if name == "eyeshadow" else np.median(height) < -0.015
    assert {"left": (at[:, 0] > 0).any(), "right": (at[:, 0] < 0).any()} == {
        "left": True,
        "right": True,
    }


def test_brows_are_what_is_darker_than_the_skin_above_the_eyes(person: Avatar) -> None:
    body, bound = person.body, person.gaussians
    eye = body.J_template[JOINT_INDEX["left_eye_smplhf"]]
    at = body.v_template[body.f[bound.triangle]].mean(1)
    brow = (np.abs(at[:, :2] - eye[:2] - [0.0, 0.024]) < [0.02, 0.006]).all(1) & (at[:, 2] > eye[2])
    brow &= bound.part == PARTS.index("face")
    assert brow.sum() > 5
    colors = np.where(brow[:, None], np.float32([0.25, 0.17, 0.13]), bound.colors)
    worn = tint_part(replace(person, gaussians=replace(bound, colors=colors)), "brows", RED)
    own = worn.attributes[-1].factors(0.0) == 0.0
    found, wanted = set(worn.gaussians.triangle[own]), set(bound.triangle[brow])
    assert found <= wanted
    assert len(found) > 0.9 * len(wanted)


@pytest.mark.parametrize("item", ["cap_hair", *if_asked("edited portrait", "learned 0")])
def test_a_tint_does_not_replace_what_is_no_tint(person: Avatar, item: str) -> None:
    """Hair of a library, and an edited portrait's, went without a word."""
    worn = add_item(person, ItemRequest("hair", "buzz"))
    other = replace(worn, attributes=(replace(worn.attributes[0], item=item),))
    with pytest.raises(LikenessError, match=f"was put on: '{item}'") as error:
        tint_part(other, "hair", RED)
    assert error.value.remedy == "Remove the hair first, and tint the photo's."


def test_what_cannot_be_tinted_is_named(person: Avatar) -> None:
    with pytest.raises(LikenessError, match="'eyes' cannot be tinted"):
        tint_part(person, "eyes", RED)
    with pytest.raises(LikenessError, match="no shoes to tint"):
        tint_part(person, "shoes", RED)
    with pytest.raises(LikenessError, match="out of range"):
        edit_avatar(person, tints=["hair=#ff0000,value=2"])
    assert all(name in TINTED for name in ("hair", "skin", "lips"))
