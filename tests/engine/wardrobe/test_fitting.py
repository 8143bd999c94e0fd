"""Fitting things: even cover, occlusion, hair's thickness, and MakeHuman's garments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.cameras import intrinsics, look_at
from likeness.engine.core.types import PARTS, Avatar, BoundGaussians, Camera, LikenessError, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.gaussians import place_gaussians
from likeness.engine.render import render_camera
from likeness.engine.wardrobe import attribute_splats, edit
from likeness.engine.wardrobe.accessory_shapes import make_ball, plain_texture
from likeness.engine.wardrobe.asset_files import Garment
from likeness.engine.wardrobe.avatar_wearer import (
    fill_out,
    make_garment_body,
    make_wearer,
    measure_thickness,
)
from likeness.engine.wardrobe.dress import garment_rest, load_dress_body, pose_body
from likeness.engine.wardrobe.edit import add_item
from likeness.engine.wardrobe.fitting import press_hair, sink_hair
from likeness.engine.wardrobe.hair_binding import BodySurface
from likeness.engine.wardrobe.head_shape import head_shape
from likeness.engine.wardrobe.items import ItemRequest, make_item
from likeness.engine.wardrobe.mesh_parts import Material, MeshPart
from likeness.engine.wardrobe.mesh_splats import cover_mesh
from likeness.engine.wardrobe.occlusion import measure_openness
from scipy.spatial import cKDTree

from .conftest import HAIR, HAIR_DEPTH


def ball(alpha: float = 1.0) -> MeshPart:
    shape = make_ball(np.zeros(3), 0.1, 48)
    material = Material("plain", plain_texture(np.array([1.0, 0.0, 0.0]), alpha))
    return shape.part("ball", "other", shape.vertices, material)


def test_a_ball_is_covered_without_holes() -> None:
    splats, normals = cover_mesh(ball(), 0.003)
    radius = np.linalg.norm(splats.means, axis=1)
    assert np.abs(radius - 0.1).max() < 0.001
    assert (normals * splats.means).sum(1).min() > 0.099
    K = intrinsics(800.0, 160, 160)
    for yaw in (0.0, 50.0, 200.0):
        drawn = render_camera(splats, Camera(look_at(np.zeros(3), 1.0, yaw, 20.0), K, 160, 160))
        ys, xs = np.mgrid[:160, :160] - 79.5
        inside = np.hypot(xs, ys) < 72
        assert drawn.alpha[inside].min() > 0.95
        assert drawn.alpha[np.hypot(xs, ys) > 90].max() < 0.02


def test_glass_lets_through_what_its_alpha_says() -> None:
    splats, _ = cover_mesh(ball(0.3), 0.004)
    view = Camera(look_at(np.zeros(3), 1.0, 0.0, 0.0), intrinsics(800.0, 160, 160), 160, 160)
    drawn = render_camera(splats, view)
    twice = 1.0 - (1.0 - 0.3) ** 2  # front and back
    assert drawn.alpha[60:100, 60:100].mean() == pytest.approx(twice, abs=0.1)


def test_a_wall_hides_half_of_the_sky_from_the_ground_beside_it() -> None:
    wall = 0.8 * np.array([[0.0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]])
    f = np.array([[0, 1, 2], [0, 2, 3]])
    points = np.array([[0.01, 0.0, 0.0], [0.02, 0.0, 0.1]])
    up = np.tile([0.0, 1.0, 0.0], (2, 1))
    free = measure_openness(points, up, wall, np.zeros((0, 3), int))
    beside = measure_openness(points, up, wall, f)
    np.testing.assert_allclose(free, 1.0 + 0.35 * 2 / 3, atol=0.03)
    np.testing.assert_allclose(beside / free, 0.5, atol=0.06)


def test_hair_is_as_thick_as_it_is(person: Avatar) -> None:
    thick = measure_thickness(person, ("hair",), ("scalp",))
    scalp = np.unique(person.body.f[person.body.face_part == person.body.part_names.index("scalp")])
    assert np.median(thick[scalp]) == pytest.approx(HAIR_DEPTH, abs=0.004)
    assert not thick[np.setdiff1d(np.arange(len(thick)), scalp)].any()
    filled = fill_out(person.body, thick)
    moved = np.linalg.norm(filled - person.body.v_template, axis=1)
    np.testing.assert_allclose(moved, thick, atol=1e-6)


def test_hair_that_stands_out_below_a_rim_is_pressed_in(person: Avatar) -> None:
    """On a ball of a head, 10 cm wide, with hair at several heights above it."""
    turn = np.linspace(0, 2 * np.pi, 400)
    ring = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], 1)
    levels = np.linspace(-0.2, 0.05, 60)
    normals = np.tile(ring, (60, 1))
    points = 0.05 * normals + np.repeat(levels, 400)[:, None] * [0.0, 1.0, 0.0]
    skin = BodySurface(points, normals, cKDTree(points))
    height = np.array([0.005, 0.03, 0.03, 0.03, 0.03])
    y = np.array([-0.01, -0.01, -0.06, -0.13, 0.02])
    hair = np.stack([0.05 + height, y, 0 * y], 1)
    bound = person.gaussians.take(np.arange(5))
    bound = replace(bound, part=np.full(5, PARTS.index("hair"), np.uint8))
    rows, moved = press_hair(hair, bound, skin, 0.0, 0.0, 0.007)
    # Flat hair, hair far below and hair under the hat stay; what stands out keeps a little of it.
    assert rows.tolist() == [1]
    room = 0.007 + 0.45 * 0.01
    assert moved[0, 0] - 0.05 == pytest.approx(room + 0.05 * (0.03 - room), abs=1e-4)
    assert moved[0, 1] == pytest.approx(-0.01, abs=1e-9)
    close = sink_hair(hair, skin)
    np.testing.assert_allclose(close[:, 0], 0.054, atol=1e-4)


def test_garments_hang_on_a_person_as_on_the_shape_that_made_them(person: Avatar) -> None:
    """The shape is found again from the avatar's vertices, against the body's own pipeline."""
    dress = load_dress_body(asset_path("body"))
    betas = np.zeros(dress.body.num_betas)
    betas[:3] = [1.5, -1.0, 0.7]
    body = dress.body.personalised(betas)
    helpers = np.nonzero(dress.row >= len(body.v_template))[0]
    base = helpers[np.linspace(0, len(helpers) - 1, 60).astype(int)].reshape(20, 3)
    garment = Garment(
        name="band",
        f=np.array([[0, 1, 2]]),
        uv=np.zeros((1, 3, 2)),
        base=base,
        weight=np.full((20, 3), 1 / 3),
        offset=np.full((20, 3), 0.1),
        scale=(None, None, None),
        deleted=np.zeros(0, int),
        texture=None,
    )
    rest = Pose.rest(person.body.num_expression)
    wanted, _ = garment_rest(garment, pose_body(dress, betas, rest))
    found, _ = garment_rest(
        garment, make_garment_body(body, np.asarray(body.v_template, np.float64))
    )
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_garments_do_not_fit_another_body(person: Avatar) -> None:
    bent = np.array(person.body.v_template)
    bent[::7] += 0.02
    other = replace(person.body, v_template=bent)
    with pytest.raises(LikenessError, match="do not fit this avatar's body"):
        make_garment_body(other, np.asarray(bent, np.float64))


def test_thickness_is_that_of_the_outer_layer(person: Avatar) -> None:
    """A collar stands off a shirt: what is worn over both lies on the collar."""
    body = person.body
    part = np.array(body.part_names)[body.face_part]
    cloth = person.gaussians.take(np.isin(part, ["neck", "torso"]).nonzero()[0])

    def layer(height: float, copies: int) -> list[BoundGaussians]:
        offset = np.zeros((len(cloth), 3), np.float32)
        offset[:, 2] = height
        upper = np.full(len(cloth), PARTS.index("upper"), np.uint8)
        return [replace(cloth, offset=offset, part=upper)] * copies

    worn = BoundGaussians.concatenate([*layer(0.004, 24), *layer(0.03, 24)])
    dressed = replace(person, gaussians=worn)
    thickness = measure_thickness(dressed, ("upper",), ("neck", "torso"))
    neck = np.unique(body.f[part == "neck"])
    assert np.quantile(thickness[neck], 0.1) > 0.02
    assert thickness.max() < 0.032


@pytest.mark.parametrize(
    ("category", "item", "depth"), [("headphones", "over-ear", 0.09), ("hat", "hairband", 0.05)]
)
def test_what_lies_on_the_hair_presses_it(
    person: Avatar, category: str, item: str, depth: float
) -> None:
    """A hairband lay within the hair, and could not be seen."""
    offset = np.array(person.gaussians.offset)
    hair = person.gaussians.part == PARTS.index("hair")
    offset[hair, 2] = depth  # big hair
    thick = replace(person, gaussians=replace(person.gaussians, offset=offset))
    worn = apply_attributes(add_item(thick, ItemRequest(category, item)))
    placed = place_gaussians(worn.gaussians, worn.body.v_template, worn.body)
    points = np.asarray(placed.means, np.float64)
    centre = head_shape(worn.body.v_template, worn.body).centre
    away = points - centre
    radius = np.linalg.norm(away, axis=1)
    way = away / radius[:, None]
    own = worn.gaussians.part == PARTS.index(category)
    band = own & (points[:, 1] > centre[1] + 0.08) & (radius > np.quantile(radius[own], 0.5))
    left = worn.gaussians.part == PARTS.index("hair")
    angle, near = cKDTree(way[band]).query(way[left])
    over = (angle < 0.03) & (radius[left] > radius[band][near] + 0.01)
    assert band.sum() > 100
    assert (radius[band] > depth).all()
    assert not over.any()


def test_headphones_need_no_hair(person: Avatar) -> None:
    bare = replace(
        person, gaussians=person.gaussians.take(person.gaussians.part != PARTS.index("hair"))
    )
    worn = apply_attributes(add_item(bare, ItemRequest("headphones", "over-ear")))
    assert (worn.gaussians.part == PARTS.index("headphones")).any()
    with pytest.raises(LikenessError, match="no hair to cut"):
        add_item(bare, ItemRequest("hair", "trimmed"))


def test_a_head_without_skin_is_refused(person: Avatar) -> None:
    skin = np.isin(person.gaussians.part, [PARTS.index(name) for name in ("skin", "face")])
    clad = replace(person, gaussians=person.gaussians.take(~skin))
    with pytest.raises(LikenessError, match="too little skin"):
        add_item(clad, ItemRequest("hair", "bald"))


def test_a_caps_visor_ends_at_its_rim(person: Avatar) -> None:
    """It hung three centimetres below it at both ends, like a flap."""
    wearer = make_wearer(person.body, fill_out(person.body, np.zeros(len(person.body.v_template))))
    crown, visor = make_item(ItemRequest("hat", "cap"), wearer)
    ends = np.abs(visor.vertices[:, 0]) > 0.98 * np.abs(visor.vertices[:, 0]).max()
    rim = crown.vertices[np.abs(crown.vertices[:, 0]) > 0.9 * np.abs(crown.vertices[:, 0]).max()]
    assert visor.vertices[ends, 1].min() > rim[:, 1].min() - 0.006


def test_hair_is_not_wider_than_a_hat_at_its_rim(person: Avatar) -> None:
    """Big hair stood up beside a cap like the ears of a mouse."""
    offset = np.array(person.gaussians.offset)
    hair = person.gaussians.part == PARTS.index("hair")
    offset[hair, 2] = 0.06
    big = replace(person, gaussians=replace(person.gaussians, offset=offset))
    worn = apply_attributes(add_item(big, ItemRequest("hat", "beanie", (0.9, 0.1, 0.1))))
    placed = place_gaussians(worn.gaussians, worn.body.v_template, worn.body)
    points = np.asarray(placed.means, np.float64)
    red = worn.gaussians.colors[:, 0] > 3 * worn.gaussians.colors[:, 1]
    hat = points[red & (worn.gaussians.part == PARTS.index("hat"))]
    rim = np.quantile(hat[:, 1], 0.02)
    wide = np.abs(hat[np.abs(hat[:, 1] - rim) < 0.01, 0]).max()
    dark = np.abs(worn.gaussians.colors - HAIR).max(1) < 0.02
    near = dark & (points[:, 1] > rim - 0.01) & (points[:, 1] < rim + 0.01)
    assert near.sum() > 10
    assert np.abs(points[near, 0]).max() < wide + 0.016


def test_hair_is_not_pressed_into_nothing(person: Avatar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the headphones had room, and a single splat of hair, there was a bald patch."""
    offset = np.array(person.gaussians.offset)
    offset[person.gaussians.part == PARTS.index("hair"), 2] = 0.09
    thick = replace(person, gaussians=replace(person.gaussians, offset=offset))
    pressed: list[int] = []
    gives_way = edit._gives_way

    def count(*given):
        found = gives_way(*given)
        pressed.append(len(found[1]))
        return found

    monkeypatch.setattr(edit, "_gives_way", count)
    worn = add_item(thick, ItemRequest("headphones", "over-ear"))
    added = len(worn.gaussians) - len(thick.gaussians)
    assert pressed[0] > 8
    monkeypatch.setattr(attribute_splats, "MAX_ADDED", added - pressed[0] + 1)
    worn = add_item(thick, ItemRequest("headphones", "over-ear"))
    own = worn.gaussians.take(worn.attributes[0].factors(0.0) == 0.0)
    hair = thick.gaussians.colors[thick.gaussians.part == PARTS.index("hair")][0]
    pressed_hair = np.abs(own.colors - hair).max(1) < 0.01
    assert pressed_hair.sum() > 0.1 * pressed[0]  # all is coarser instead
    monkeypatch.setattr(attribute_splats, "MAX_ADDED", added // 8)
    with pytest.raises(LikenessError, match="are left"):
        add_item(thick, ItemRequest("headphones", "over-ear"))
