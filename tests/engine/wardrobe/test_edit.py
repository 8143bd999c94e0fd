"""Things put on an avatar: what gives way, what stays, how they move, and their sliders."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.alignment import fit_rigid
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.cameras import intrinsics, look_at
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.settings import overridden_settings
from likeness.engine.core.types import (
    JOINT_INDEX,
    PARTS,
    Avatar,
    BoundGaussians,
    Camera,
    FloatArray,
    LikenessError,
)
from likeness.engine.formats.avatar import avatar_to_bytes, load_avatar, load_editable_avatar
from likeness.engine.gaussians import place_gaussians, pose_avatar
from likeness.engine.render import render_camera
from likeness.engine.wardrobe import attribute_splats
from likeness.engine.wardrobe.beards import find_hair_color, grow_beard
from likeness.engine.wardrobe.edit import add_item, remove_attribute, set_attribute
from likeness.engine.wardrobe.hair_binding import build_surface
from likeness.engine.wardrobe.items import ITEMS, ItemRequest
from likeness.engine.wardrobe.photo_edit import PhotoEdit, add_photo_edit
from likeness.engine.workflows.edit_avatar import edit_avatar_file, parse_item

from tests.soaked import if_asked

HAIR = (0.20, 0.13, 0.08)  # of the person
RED = (0.9, 0.05, 0.05)
EVERYTHING = [(category, items[-1]) for category, items in ITEMS.items()]
TELLING = ("hair", "glasses", "scarf", "brows")
"""Each is fitted in its own way."""


def rows(bound: BoundGaussians) -> set[bytes]:
    """Each Gaussian's bytes."""
    arrays = [
        np.ascontiguousarray(getattr(bound, f.name)).reshape(len(bound), -1) for f in fields(bound)
    ]
    data = np.concatenate([a.view(np.uint8).reshape(len(bound), -1) for a in arrays], 1)
    return {row.tobytes() for row in data}


def at_rest(avatar: Avatar, part: str) -> FloatArray:
    own = avatar.gaussians.take(avatar.gaussians.part == PARTS.index(part))
    return np.asarray(place_gaussians(own, avatar.body.v_template, avatar.body).means, np.float64)


@pytest.mark.parametrize(
    ("category", "item"),
    [
        *(one for one in EVERYTHING if one[0] in TELLING),
        *if_asked(*(one for one in EVERYTHING if one[0] not in TELLING)),
    ],
)
def test_what_is_not_edited_stays_to_the_last_bit(person: Avatar, category: str, item: str) -> None:
    worn = add_item(person, ItemRequest(category, item))
    before = rows(person.gaussians)
    own = worn.attributes[-1]
    added = own.factors(0.0) == 0.0
    stays = ~added & (own.factors(1.0) > 0.0)
    assert added.sum() > 500
    assert rows(worn.gaussians.take(stays)) <= before
    gone = len(person.gaussians) - stays.sum()
    share = {"hat": 0.2, "hair": 0.2, "headphones": 0.1, "nose": 0.05, "mouth": 0.05}
    assert gone < share.get(category, 0.01) * len(person.gaussians)
    off = apply_attributes(set_attribute(worn, category, 0.0))
    same = replace(off, provenance=person.provenance)
    assert avatar_to_bytes(same) == avatar_to_bytes(person)
    removed = remove_attribute(worn, category)
    assert avatar_to_bytes(replace(removed, provenance=person.provenance)) == avatar_to_bytes(
        person
    )
    assert removed.provenance["edits"][-1] == {"remove": category}


@pytest.mark.parametrize("item", ["sun-hat", *if_asked("cap", "beanie", "bucket", "fedora")])
def test_nothing_comes_through_a_hat(person: Avatar, item: str) -> None:
    """From above, all around and above the rim, the hat alone is seen."""
    worn = apply_attributes(add_item(person, ItemRequest("hat", item, RED, RED)))
    hat = at_rest(worn, "hat")
    middle = np.array([0.0, hat[:, 1].max() - 0.06, float(np.median(hat[:, 2]))])
    crown = hat[hat[:, 1] > middle[1]]
    own = worn.gaussians.part == PARTS.index("hat")
    colors = np.where(own[:, None], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).astype(np.float32)
    placed = place_gaussians(worn.gaussians, worn.body.v_template, worn.body)
    ys, xs = np.mgrid[:160, :160] - 79.5
    for yaw, pitch in ((0, 90), (0, 10), (90, 10), (180, 10), (-60, 30)):
        camera = Camera(look_at(middle, 1.5, yaw, pitch), intrinsics(900.0, 160, 160), 160, 160)
        drawn = render_camera(replace(placed, colors=colors), camera)
        above_rim = ys < 900.0 * (middle[1] - crown[:, 1].min()) / 1.5
        region = above_rim if pitch < 20 else np.hypot(xs, ys) < 900.0 * 0.05 / 1.5
        region = region & (drawn.alpha > 0.95)
        assert region.sum() > 1000
        assert drawn.rgb[..., 1][region].max() < 0.2, (yaw, pitch)


def test_a_hat_takes_the_photos_hat_off(person: Avatar) -> None:
    """The wide brim of the photo's hat stayed below a beanie."""
    bound = person.gaussians
    hair = np.nonzero(bound.part == PARTS.index("hair"))[0]
    brim = bound.take(hair[:60])
    brim = replace(
        brim,
        part=np.full(60, PARTS.index("hat"), np.uint8),
        offset=brim.offset + np.float32([0.0, 0.0, 0.08]),
    )
    hatted = replace(person, gaussians=BoundGaussians.concatenate([bound, brim]), lod_start=None)
    worn = apply_attributes(add_item(hatted, ItemRequest("hat", "beanie", RED)))
    assert not rows(worn.gaussians) & rows(brim)
    off = apply_attributes(set_attribute(add_item(hatted, ItemRequest("hat", "cap")), "hat", 0.0))
    assert rows(off.gaussians) == rows(hatted.gaussians)


def test_a_hat_has_the_heads_size_and_moves_with_it(person: Avatar) -> None:
    worn = apply_attributes(add_item(person, ItemRequest("hat", "beanie", RED)))
    hat = at_rest(worn, "hat")
    scalp = person.body.v_template[
        np.unique(person.body.f[person.body.face_part == person.body.part_names.index("scalp")])
    ]
    assert 1.0 < np.ptp(hat[:, 0]) / np.ptp(scalp[:, 0]) < 1.35
    assert 0.0 < hat[:, 1].max() - scalp[:, 1].max() < 0.07
    pose = person.pose.with_joints(head=[0.3, 0.5, -0.2], neck=[0.1, 0.2, 0.0], jaw=[0.3, 0, 0])
    expression = np.zeros_like(pose.expression)
    expression[person.body.expression_names.index("browInnerUp")] = 1.0
    own = worn.gaussians.part == PARTS.index("hat")
    shell = own & (worn.gaussians.colors[:, 0] > 0.3)  # not its shade, which lies on skin
    moved = pose_avatar(worn, replace(pose, expression=expression)).means[shell].astype(np.float64)
    placed = place_gaussians(worn.gaussians, worn.body.v_template, worn.body)
    start = placed.means[shell].astype(np.float64)
    R, t = fit_rigid(start, moved)
    assert np.linalg.norm(start @ R.T + t - moved, axis=1).max() < 0.001


def test_glasses_sit_before_the_eyes_and_replace_the_photos(person: Avatar) -> None:
    worn = add_item(person, ItemRequest("glasses", "rectangle", (0.02, 0.02, 0.02)))
    shown = apply_attributes(worn)
    old = rows(person.gaussians.take(person.gaussians.part == PARTS.index("glasses")))
    assert not rows(shown.gaussians) & old
    eyes = person.body.J_template[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]]
    frame = at_rest(shown, "glasses")
    for eye in eyes:
        near = frame[np.abs(frame[:, 0] - eye[0]) < 0.02]
        assert near[:, 2].min() > eye[2] - 0.01
        assert near[:, 1].min() < eye[1] < near[:, 1].max()


def test_the_photos_glasses_go_with_a_slider(person: Avatar) -> None:
    without = set_attribute(person, "glasses", 0.0)
    shown = apply_attributes(without)
    assert len(shown.gaussians) == len(person.gaussians) - 30
    assert not (shown.gaussians.part == PARTS.index("glasses")).any()
    again = apply_attributes(set_attribute(without, "glasses", 1.0))
    assert avatar_to_bytes(replace(again, provenance=person.provenance)) == avatar_to_bytes(person)


def test_a_beard_grows_from_the_face_and_has_the_hairs_colour(person: Avatar) -> None:
    def beard(value: float) -> tuple[int, float, FloatArray]:
        shown = apply_attributes(add_item(person, ItemRequest("beard", "full"), value))
        own = shown.gaussians.take(shown.gaussians.part == PARTS.index("beard"))
        return len(own), float(np.abs(own.offset).max()), own.colors

    counts, lengths, colors = zip(*(beard(value) for value in (0.15, 0.5, 1.0)), strict=True)
    assert counts[0] < counts[1] < counts[2]
    assert lengths[0] < lengths[1] < lengths[2] < 0.03
    np.testing.assert_allclose(np.median(colors[2], axis=0), 0.17, atol=0.12)
    worn = add_item(person, ItemRequest("beard", "full"))
    points = at_rest(apply_attributes(worn), "beard")
    assert points[:, 1].max() < person.body.J_template[JOINT_INDEX["left_eye_smplhf"], 1]
    face = person.body.part_names.index("face")
    neck = person.body.part_names.index("neck")
    carriers = worn.gaussians.triangle[worn.gaussians.part == PARTS.index("beard")]
    assert np.isin(person.body.face_part[carriers], [face, neck]).all()


def at_beard(avatar: Avatar, item: str) -> FloatArray:
    return at_rest(add_item(avatar, ItemRequest("beard", item)), "beard")


def vertices_of(body: Body, name: str) -> FloatArray:
    return np.asarray(body.v_template[body.f[body.face_part == body.part_names.index(name)]])


def test_a_beard_ends_below_the_chin_and_before_the_ears(person: Avatar) -> None:
    points = at_beard(person, "stubble")
    face, ear = (vertices_of(person.body, name).reshape(-1, 3) for name in ("face", "ear"))
    assert points[:, 1].min() > face[:, 1].min() - 0.04
    assert points[:, 2].min() > ear[:, 2].mean() - 0.005


def test_a_moustache_follows_the_lip_and_tapers(person: Avatar) -> None:
    points = at_beard(person, "moustache")
    aside = np.abs(points[:, 0])
    middle, ends = points[aside < 0.006, 1], points[(aside > 0.021) & (aside < 0.027), 1]
    assert np.quantile(ends, 0.95) < np.quantile(middle, 0.95) - 0.004
    assert np.quantile(ends, 0.05) < np.quantile(middle, 0.05) - 0.002


def test_a_few_doubtful_labels_do_not_colour_a_beard(person: Avatar) -> None:
    bound = person.gaussians
    part, colors = np.array(bound.part), np.array(bound.colors)
    doubtful = np.nonzero(part == PARTS.index("face"))[0][:300]
    part[doubtful], colors[doubtful] = PARTS.index("beard"), (0.9, 0.8, 0.7)
    labelled = replace(person, gaussians=replace(bound, part=part, colors=colors))
    np.testing.assert_allclose(find_hair_color(labelled, "beard"), HAIR, atol=1e-6)


def test_hairs_of_a_beard_have_the_light_of_their_place(person: Avatar) -> None:
    """In warm light from one side and cold light from the other, no hair has the other's hue."""
    bound, body = person.gaussians, person.body
    corners = body.v_template[body.f[bound.triangle]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    light = np.exp(normals[:, :1] * [0.3, 0.0, -0.3])
    lit = replace(person, gaussians=replace(bound, colors=(0.5 * light).astype(np.float32)))
    worn = add_item(lit, ItemRequest("beard", "stubble", (0.3, 0.3, 0.3)))
    own = worn.gaussians.take(worn.gaussians.part == PARTS.index("beard"))
    hue = np.log(own.colors[:, 0] / own.colors[:, 2])
    _, place, count = np.unique(own.triangle, return_inverse=True, return_counts=True)
    spread = np.sqrt(np.mean((hue - (np.bincount(place, hue) / count)[place]) ** 2))
    assert np.ptp(hue) > 0.2
    assert spread < 0.01


def test_stripes_have_two_colours(person: Avatar) -> None:
    worn = add_item(person, ItemRequest("scarf", "stripes", (0.8, 0.8, 0.8)))
    own = worn.gaussians.colors[worn.gaussians.part == PARTS.index("scarf")].mean(1)
    assert np.quantile(own, 0.9) > 3 * np.quantile(own, 0.2)


def test_a_necklace_lies_on_skin_that_stands_off_the_body(person: Avatar) -> None:
    bound, body = person.gaussians, person.body
    offset = np.array(bound.offset)
    part = np.array(body.part_names)[body.face_part]
    own = np.isin(part, ["neck", "torso"])[bound.triangle]
    offset[own, 2] = 0.03
    label = np.where(own, PARTS.index("skin"), bound.part).astype(np.uint8)
    thick = replace(person, gaussians=replace(bound, offset=offset, part=label))
    surface = build_surface(body.v_template, body, "neck", "torso")
    worn = add_item(thick, ItemRequest("necklace", "pearls"))
    height, _ = surface.height(at_rest(worn, "necklace"))
    assert np.quantile(height, 0.05) > 0.02


def test_things_of_one_category_replace_each_other_and_others_stay(person: Avatar) -> None:
    both = add_item(add_item(person, ItemRequest("hat", "fedora")), ItemRequest("beard", "short"))
    again = add_item(both, ItemRequest("hat", "cap"))
    assert [(a.name, a.item) for a in again.attributes] == [("beard", "short"), ("hat", "cap")]
    alone = remove_attribute(again, "beard")
    single = add_item(person, ItemRequest("hat", "cap"))
    count = (alone.gaussians.part == PARTS.index("hat")).sum()
    assert count == (single.gaussians.part == PARTS.index("hat")).sum()
    assert [e.get("add", e.get("remove")) for e in again.provenance["edits"]] == [
        *("hat", "beard", "hat"),
        "hat",
    ]


def test_a_file_is_edited_and_names_no_folder(person: Avatar, person_file: Path) -> None:
    out = edit_avatar_file(
        person_file, person_file.parent / "new", ["hat=fedora,color=#332211,value=0.5"]
    )
    assert out.name == "avatar.safetensors"
    edited = load_editable_avatar(out)
    assert edited.provenance["edits"] == [
        {"add": "hat", "item": "fedora", "color": "#332211", "value": 0.5}
    ]
    edit_avatar_file(out, out, values={"hat": 0.0})
    assert rows(load_avatar(out).gaussians) == rows(load_avatar(person_file).gaussians)
    assert str(person_file.parent) not in str(load_avatar(out).provenance)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hat", "does not name an item"),
        ("hat=fedora,size=3", "does not name an item"),
        ("wig=bob", "no category 'wig'"),
        ("hat=tricorne", "no hat 'tricorne'"),
        ("hat=none.mhclo", "does not exist"),
        ("hat=fedora,color=red", "not a colour"),
        ("hat=fedora,value=much", "not a number"),
    ],
)
def test_wrong_items_are_named(text: str, message: str) -> None:
    with pytest.raises(LikenessError, match=message):
        parse_item(text)


def test_an_avatar_has_room_for_so_many_splats(
    person: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on counts, and what is replaced or belongs to the photo does not."""
    monkeypatch.setattr(attribute_splats, "MAX_ADDED", 30_000)
    bare = set_attribute(person, "glasses", 0.0)
    with overridden_settings({"wardrobe.room.reserve": 0}):
        worn = add_item(bare, ItemRequest("beard", "stubble"), 0.3)
        match = r"needs \d+ splats, but 2500 are left of the 30000"
        with pytest.raises(LikenessError, match=match):
            add_item(worn, ItemRequest("scarf", "plain"))
        again = add_item(worn, ItemRequest("beard", "short"))
    assert len(again.gaussians) == len(person.gaussians) + 27_000


def test_things_share_the_room(person: Avatar, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sun hat over a bob, or a full beard below long hair, was refused."""
    alone = add_item(person, ItemRequest("hat", "beanie"))
    needed = len(alone.gaussians) - len(person.gaussians)
    monkeypatch.setattr(attribute_splats, "MAX_ADDED", needed // 2)
    with overridden_settings({"wardrobe.room.reserve": 1000}):
        worn = add_item(person, ItemRequest("hat", "beanie"))
        twice = add_item(worn, ItemRequest("earrings", "stud"))
    assert attribute_splats.count_room(worn) == 1000
    assert [one.name for one in twice.attributes] == ["hat", "earrings"]
    area = [
        float((one.scales[one.part == PARTS.index("hat"), :2] ** 2).sum())
        for one in (alone.gaussians, worn.gaussians)
    ]
    assert area[1] == pytest.approx(area[0], rel=0.1)  # fewer, and larger
    off = replace(set_attribute(worn, "hat", 0.0), provenance=person.provenance)
    assert avatar_to_bytes(apply_attributes(off)) == avatar_to_bytes(person)


def test_an_edited_portrait_may_change_what_is_no_part_of_its_own(person: Avatar) -> None:
    """Brows and lips belong to the face; their name alone ended in a ValueError."""
    shape = (person.camera.height, person.camera.width)
    changed, seen = np.zeros(shape, bool), np.ones(shape, bool)
    changed[: shape[0] // 2] = True
    other = replace(person, gaussians=replace(person.gaussians, colors=person.gaussians.colors / 2))
    worn = add_photo_edit(person, PhotoEdit(other, changed, seen, seen, {"from": "b.png"}, "brows"))
    (edit,) = worn.attributes
    assert (edit.name, edit.part) == ("brows", "face")
    off = apply_attributes(set_attribute(worn, "brows", 0.0))
    assert avatar_to_bytes(replace(off, provenance=person.provenance)) == avatar_to_bytes(person)


def test_wrong_edits_are_named(person: Avatar) -> None:
    with pytest.raises(LikenessError, match="no attribute 'hat'"):
        set_attribute(person, "hat", 0.5)
    with pytest.raises(LikenessError, match="out of range"):
        add_item(person, ItemRequest("hat", "cap"), 1.5)
    bare = replace(person, gaussians=replace(person.gaussians, part=np.zeros(0, np.uint8)))
    with pytest.raises(LikenessError, match="does not say what its splats show"):
        add_item(bare, ItemRequest("hat", "cap"))


def test_dyed_hair_keeps_its_colour_and_a_lamps_green_goes(person: Avatar) -> None:
    """Added hair and beards are as green as the dye, but brown where only the light was green."""
    hair = person.gaussians.part == PARTS.index("hair")

    def found(color: tuple[float, float, float]) -> np.ndarray:
        colors = np.array(person.gaussians.colors)
        colors[hair] = color
        worn = replace(person, gaussians=replace(person.gaussians, colors=colors))
        return find_hair_color(worn, "hair")

    for dye in ((0.15, 0.45, 0.20), (0.10, 0.40, 0.45), (0.30, 0.35, 0.70)):
        np.testing.assert_allclose(found(dye), dye, atol=1e-5)
    r, g, b = found((0.20, 0.19, 0.12))
    assert r > g > b


def test_a_full_beard_is_short_before_the_ears(person: Avatar) -> None:
    """It ended in a wall of long hairs there."""
    body = person.body
    splats, triangle, _ = grow_beard(body, "full", np.array(HAIR), 0)
    at = body.v_template[body.f[triangle]].mean(1)
    part = np.array(body.part_names)[body.face_part]
    ear, lips = (body.v_template[np.unique(body.f[part == n])][:, 2] for n in ("ear", "lips"))
    long = np.asarray(splats.scales).max(1)
    hairs = long > np.asarray(splats.scales)[:, 1] * 2.0
    back = hairs & (at[:, 2] < np.quantile(ear, 0.9) + 0.01)
    chin = hairs & (at[:, 2] > lips.mean() - 0.02)
    assert min(back.sum(), chin.sum()) > 200
    assert np.median(long[back]) < 0.4 * np.median(long[chin])


def test_hair_in_a_lamps_light_makes_no_orange_beard(person: Avatar) -> None:
    bound = person.gaussians
    hair = bound.part == PARTS.index("hair")
    olive = np.where(hair[:, None], np.float32([0.33, 0.26, 0.08]), bound.colors)
    greenish = replace(person, gaussians=replace(bound, colors=olive))
    light, a, b = rgb_to_lab(find_hair_color(greenish, "beard"))
    assert b < 0.75 * light
    assert a > 0.3 * b
