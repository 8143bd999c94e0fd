"""Hair taken off, cut, and replaced: what lies below it, where it grows, and what lies on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.alignment import fit_rigid
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.cameras import intrinsics, look_at
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.settings import overridden_settings
from likeness.engine.core.types import (
    JOINT_INDEX,
    PARTS,
    Avatar,
    BoolArray,
    Camera,
    FloatArray,
    LikenessError,
)
from likeness.engine.formats.avatar import avatar_to_bytes
from likeness.engine.gaussians import place_gaussians, pose_avatar
from likeness.engine.render import render_camera
from likeness.engine.wardrobe.brow_hairs import find_brow_field
from likeness.engine.wardrobe.edit import add_item, set_attribute
from likeness.engine.wardrobe.hair_binding import build_surface
from likeness.engine.wardrobe.head_shape import head_shape
from likeness.engine.wardrobe.items import ItemRequest
from likeness.engine.wardrobe.refit import put_on, take_off
from likeness.engine.workflows.edit_avatar import edit_avatar
from scipy.spatial import cKDTree

from tests.library_hair import write_hair
from tests.soaked import if_asked

HAIR, HAIR_DEPTH, SKIN = (0.20, 0.13, 0.08), 0.02, (0.78, 0.60, 0.50)  # of the person
RED = (0.7, 0.1, 0.08)


def hair_of(avatar: Avatar) -> BoolArray:
    return np.asarray(avatar.gaussians.part == PARTS.index("hair"))


def at_rest(avatar: Avatar, rows: BoolArray) -> FloatArray:
    placed = place_gaussians(avatar.gaussians.take(rows), avatar.body.v_template, avatar.body)
    return np.asarray(placed.means, np.float64)


@pytest.fixture(scope="module")
def shaven(person: Avatar) -> Avatar:
    """The person without hair."""
    return add_item(person, ItemRequest("hair", "bald"))


def test_the_head_below_is_whole_and_has_the_persons_skin(shaven: Avatar) -> None:
    bald = apply_attributes(shaven)
    assert not hair_of(bald).any()
    rest = np.asarray(bald.body.v_template, np.float64)
    head = head_shape(rest, bald.body)
    placed = place_gaussians(bald.gaussians, bald.body.v_template, bald.body)
    lens = intrinsics(700.0, 120, 120)
    ys, xs = np.mgrid[:120, :120] - 59.5
    for yaw, pitch in ((0, 90), (150, 10), (180, 10), (-130, 30)):
        camera = Camera(look_at(head.centre, 1.5, yaw, pitch), lens, 120, 120)
        drawn = render_camera(placed, camera)
        inside = np.hypot(xs, ys + 20 * (pitch < 90)) < 700.0 * 0.045 / 1.5
        assert np.quantile(drawn.alpha[inside], 0.02) > 0.9, (yaw, pitch)
        lab = rgb_to_lab(np.clip(drawn.rgb[inside], 0.0, 1.0)) - rgb_to_lab(np.array(SKIN))
        assert np.linalg.norm(np.median(lab, axis=0)) < 12.0, (yaw, pitch)


def mark_skin(person: Avatar, part: str, low: float, high: float, half: float) -> BoolArray:
    """Skin of the face's front between two heights over the eyes, metres."""
    body, bound = person.body, person.gaussians
    eye = np.asarray(body.J_template)[JOINT_INDEX["left_eye_smplhf"]]
    at = body.v_template[body.f[bound.triangle]].mean(1) - eye
    face = (bound.part == PARTS.index("face")) & (at[:, 2] > -0.02)
    face &= np.array(body.part_names)[body.face_part][bound.triangle] == part
    return np.asarray(face & (at[:, 1] > low) & (at[:, 1] < high) & (np.abs(at[:, 0]) < half))


def test_a_beard_is_not_covered_with_skin(person: Avatar, shaven: Avatar) -> None:
    """Skin was completed over the lower part of a beard, in a stripe."""
    chin = mark_skin(person, "face", -0.15, -0.06, 0.06)
    assert chin.sum() > 30
    part = np.where(chin, PARTS.index("beard"), person.gaussians.part).astype(np.uint8)
    bearded = replace(person, gaussians=replace(person.gaussians, part=part))
    added = [
        set(one.gaussians.triangle[one.attributes[-1].factors(0.0) == 0.0])
        for one in (shaven, add_item(bearded, ItemRequest("hair", "bald")))
    ]
    own = set(person.gaussians.triangle[chin])
    assert len(added[1] & own) <= len(added[0] & own)


def test_completed_skin_goes_on_at_the_height_of_the_photos(person: Avatar, shaven: Avatar) -> None:
    """A face that stands off the body ended in a step, like a mask."""
    skin = np.isin(person.gaussians.part, [PARTS.index(name) for name in ("face", "skin")])
    offset = np.array(person.gaussians.offset)
    offset[skin, 2] = 0.006
    raised = replace(person, gaussians=replace(person.gaussians, offset=offset))
    heights = []
    for bald in (shaven, add_item(raised, ItemRequest("hair", "bald"))):
        added = bald.gaussians.take(bald.attributes[-1].factors(0.0) == 0.0)
        scalp = np.array(bald.body.part_names)[bald.body.face_part][added.triangle] == "scalp"
        at = bald.body.v_template[bald.body.f[added.triangle]].mean(1)
        beside = scalp & (cKDTree(at_rest(person, skin)).query(at)[0] < 0.008)
        beside &= at[:, 2] > bald.body.J_template[JOINT_INDEX["left_eye_smplhf"], 2] - 0.02
        assert beside.sum() > 20
        heights.append(float(np.median(added.offset[beside, 2])))
    assert heights[1] - heights[0] == pytest.approx(0.006, abs=0.002)


def test_the_shade_of_a_fringe_goes_with_it_and_brows_stay(person: Avatar) -> None:
    """A dotted line stayed on the forehead, and what hung beside a brow became part of it."""
    shade = mark_skin(person, "face", 0.045, 0.2, 0.1)
    at = person.body.v_template[person.body.f[person.gaussians.triangle]].mean(1)
    higher = at - [0.0, 0.004, 0.0]  # than the body has its brows
    brow = find_brow_field(person.body, person.body.v_template, higher, 0.3) > 0.5
    brow &= mark_skin(person, "face", 0.012, 0.04, 0.1)
    fringe = mark_skin(person, "face", 0.05, 0.2, 0.1)
    shade &= ~fringe
    assert min(shade.sum(), brow.sum(), fringe.sum()) > 3
    colors = np.array(person.gaussians.colors)
    colors[shade] *= 0.85
    colors[fringe | brow] = HAIR
    part = np.where(fringe, PARTS.index("hair"), person.gaussians.part).astype(np.uint8)
    fringed = replace(person, gaussians=replace(person.gaussians, part=part, colors=colors))
    with overridden_settings({"wardrobe.bare_head.few": 5}):  # a splat on each triangle
        left = rows_of(apply_attributes(add_item(fringed, ItemRequest("hair", "bald"))))
    assert not left & rows_of(fringed, shade | fringe)
    kept = rows_of(fringed, brow)
    assert len(kept & left) > 0.9 * len(kept)


def rows_of(avatar: Avatar, rows: BoolArray | slice = slice(None)) -> set[bytes]:
    own = avatar.gaussians.take(rows)
    return {row.tobytes() for row in np.column_stack([own.triangle, own.bary, own.colors])}


def test_a_shaved_head_has_the_hairs_shade_within_the_hairline(
    person: Avatar, shaven: Avatar
) -> None:
    bald, shaved = shaven, add_item(person, ItemRequest("hair", "shaved"))
    own = bald.attributes[-1].factors(0.0) == 0.0
    light = [rgb_to_lab(w.gaussians.colors[own].astype(float))[:, 0] for w in (bald, shaved)]
    scalp = bald.body.face_part == bald.body.part_names.index("scalp")
    on_scalp = scalp[bald.gaussians.triangle[own]]
    assert np.median(light[0][on_scalp] - light[1][on_scalp]) > 5.0
    assert np.abs(light[0] - light[1])[~on_scalp].max() < 1e-3


@pytest.mark.parametrize("item", ["curls", *if_asked("side-part", "long")])
def test_hair_grows_on_the_scalp_in_the_color_asked_for(person: Avatar, item: str) -> None:
    worn = apply_attributes(add_item(person, ItemRequest("hair", item, RED)))
    hair = hair_of(worn)
    assert 20_000 < hair.sum() < 60_000
    colors = rgb_to_lab(np.median(worn.gaussians.colors[hair].astype(float), axis=0))
    assert np.linalg.norm((colors - rgb_to_lab(np.array(RED)))[1:]) < 20.0
    points = at_rest(worn, hair)
    body = worn.body
    surface = build_surface(body.v_template, body, "scalp", "face", "ear", "neck", "torso")
    assert np.quantile(surface.height(points)[0], 0.02) > -0.008
    head = head_shape(body.v_template, body)
    face = (points[:, 2] > head.front - 0.02) & (np.abs(points[:, 0]) < 0.03)
    assert not (face & (points[:, 1] < head.brow - 0.02)).any()


def test_short_hair_moves_with_the_head_in_one_piece(person: Avatar) -> None:
    worn = apply_attributes(add_item(person, ItemRequest("hair", "crop")))
    hair = hair_of(worn)
    pose = person.pose.with_joints(head=[0.3, 0.5, -0.2], jaw=[0.3, 0, 0])
    moved = pose_avatar(worn, pose).means[hair].astype(np.float64)
    start = at_rest(worn, hair)
    high = start[:, 1] > head_shape(worn.body.v_template, worn.body).brow
    R, t = fit_rigid(start[high], moved[high])
    assert np.linalg.norm(start[high] @ R.T + t - moved[high], axis=1).max() < 0.002


def test_length_changes_where_long_hair_ends(person: Avatar) -> None:
    lows = []
    for length in (0.0, 1.0):
        worn = apply_attributes(add_item(person, ItemRequest("hair", "long", length=length)))
        lows.append(np.quantile(at_rest(worn, hair_of(worn))[:, 1], 0.01))
    assert lows[0] - lows[1] > 0.1


def test_the_photos_hair_is_cropped_and_keeps_its_colors(person: Avatar) -> None:
    cut = apply_attributes(add_item(person, ItemRequest("hair", "trimmed", length=0.1)))
    hair = hair_of(cut)
    assert 0 < hair.sum() <= hair_of(person).sum()
    np.testing.assert_allclose(
        cut.gaussians.colors[hair], np.tile(HAIR, (hair.sum(), 1)), atol=1e-3
    )
    surface = build_surface(cut.body.v_template, cut.body, "scalp", "face", "ear", "neck")
    height = surface.height(at_rest(cut, hair))[0]
    assert np.median(height) < 0.5 * HAIR_DEPTH


@pytest.mark.soak
def test_a_hat_lies_on_new_hair_whichever_came_first(person: Avatar) -> None:
    hat, hair = ItemRequest("hat", "beanie", RED), ItemRequest("hair", "curls")
    first = put_on(put_on(person, hat), hair)
    then = put_on(put_on(person, hair), hat)
    same = replace(first, provenance=then.provenance)
    assert avatar_to_bytes(same) == avatar_to_bytes(then)
    shown = apply_attributes(then)
    hats = at_rest(shown, shown.gaussians.part == PARTS.index("hat"))
    assert at_rest(shown, hair_of(shown))[:, 1].max() < hats[:, 1].max() - 0.05
    # Hair that the hat presses goes with the hair's slider.
    off = apply_attributes(set_attribute(then, "hair", 0.0))
    only = apply_attributes(put_on(person, hat))
    added = (off.gaussians.part == PARTS.index("hat")).sum()
    assert added <= 1.1 * (only.gaussians.part == PARTS.index("hat")).sum()
    again = take_off(first, "hair")
    assert avatar_to_bytes(replace(again, provenance=person.provenance)) == avatar_to_bytes(
        replace(put_on(person, hat), provenance=person.provenance)
    )


def test_the_skins_tint_takes_the_bald_head_along(person: Avatar) -> None:
    for steps in ((["hair=bald"], ["skin=#5a3a2a"]), ([], ["skin=#5a3a2a"])):
        worn = edit_avatar(person, add=steps[0], tints=steps[1])
        if not steps[0]:
            worn = edit_avatar(worn, add=["hair=bald"])
        shown = apply_attributes(worn)
        scalp = shown.body.face_part == shown.body.part_names.index("scalp")
        tone = np.median(shown.gaussians.colors[scalp[shown.gaussians.triangle]], axis=0)
        assert tone.mean() < 0.45


def test_new_hair_cannot_be_tinted_but_added_in_a_color(person: Avatar) -> None:
    worn = edit_avatar(person, add=["hair=crop"])
    with pytest.raises(LikenessError, match="was put on") as error:
        edit_avatar(worn, tints=["hair=#803010"])
    assert "hair=crop,color=#803010" in error.value.remedy


def test_a_length_out_of_range_is_an_error(person: Avatar) -> None:
    with pytest.raises(LikenessError, match="length"):
        edit_avatar(person, add=["hair=long,length=2"])


def test_hair_of_a_library_is_dyed_and_names_no_folder(person: Avatar, tmp_path: Path) -> None:
    path = write_hair(tmp_path)
    worn = apply_attributes(edit_avatar(person, add=[f"hair={path},color=#b0201a"]))
    hair = hair_of(worn)
    assert hair.sum() > 20_000
    color = rgb_to_lab(np.median(worn.gaussians.colors[hair].astype(float), axis=0))
    assert color[1] > 20.0
    surface = build_surface(worn.body.v_template, worn.body, "scalp")
    assert np.abs(surface.height(at_rest(worn, hair))[0]).max() < 0.02
    assert worn.provenance["edits"][-1]["item"] == "cap"
    assert str(tmp_path) not in str(worn.provenance)


def test_hair_of_a_library_without_a_picture_is_an_error(person: Avatar, tmp_path: Path) -> None:
    path = write_hair(tmp_path)
    (tmp_path / "cap.mhmat").write_text("name cap\n")
    with pytest.raises(LikenessError, match="has no picture"):
        edit_avatar(person, add=[f"hair={path}"])


def test_cut_hair_leaves_no_gaps_and_frees_the_ears(person: Avatar) -> None:
    """Where a face stands off the body, its skin came through short hair."""
    skin = np.isin(person.gaussians.part, [PARTS.index(name) for name in ("face", "skin")])
    offset = np.array(person.gaussians.offset)
    offset[skin, 2] = 0.007
    body = person.body
    name = np.array(body.part_names)[body.face_part][person.gaussians.triangle]
    over_ears = name == "ear"
    part = np.where(over_ears, PARTS.index("hair"), person.gaussians.part).astype(np.uint8)
    raised = replace(person, gaussians=replace(person.gaussians, offset=offset, part=part))
    cut = add_item(raised, ItemRequest("hair", "trimmed", length=0.1))
    added = cut.gaussians.take(cut.attributes[-1].factors(0.0) == 0.0)
    hair = added.part == PARTS.index("hair")
    place = np.array(body.part_names)[body.face_part][added.triangle]
    assert (hair & (place == "ear")).sum() < 0.4 * over_ears.sum()  # at its root, there may be
    means = np.asarray(place_gaussians(added, body.v_template, body).means, np.float64)
    surface = build_surface(np.asarray(body.v_template, np.float64), body, "scalp", "face")
    height = surface.height(means)[0]
    front = means[:, 2] > body.J_template[JOINT_INDEX["left_eye_smplhf"], 2] - 0.03
    below = ~hair & (place == "scalp") & front
    over = cKDTree(means[below]).query(means[hair & front])
    close = over[0] < 0.006
    assert close.sum() > 10
    assert (height[hair & front] > height[below][over[1]] - 0.0005)[close].mean() > 0.95
