"""Forearms that point at the camera: their sleeves show around the hands."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from likeness.engine.gaussians.lift.garments.labels_surface import S as SURFACE
from likeness.engine.gaussians.lift.garments.labels_surface import (
    SurfacePoints,
    _find_bare_forearms,
    find_seen_labels,
    surface_vertices,
)
from likeness.engine.gaussians.lift.grids.pixel_grids import dilate, distance_inside
from likeness.engine.gaussians.lift.grids.pixel_smoother import PixelSmoother
from likeness.engine.gaussians.lift.photo.hand_texels import (
    find_cloth_behind,
    move_hands_beside_cloth,
)
from likeness.engine.gaussians.lift.photo.photo_view import PhotoLookup
from likeness.engine.gaussians.lift.pixels.hand_pixels import Hand, measure_hands_beside
from likeness.engine.gaussians.lift.pixels.hand_pixels import S as HAND_PIXELS
from likeness.engine.gaussians.lift.pixels.hand_sleeves import label_hand_sleeves
from likeness.engine.gaussians.lift.pixels.labels_pixels import COLOUR_SCALE, PALER
from likeness.engine.gaussians.lift.pixels.skin_tone import measure_hue
from likeness.engine.gaussians.lift.shape.depth_sheets import _continue_cloth
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import HANDS, LEFT_ARM, TORSO, hand_triangles
from likeness.engine.poses import build_pose
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh

SHIRT, TONE = (0.12, 0.14, 0.22), (0.78, 0.56, 0.46)


class Speaker:
    """A picture: a face, a shirt, and a hand with a ring of sleeve around it, all called skin."""

    def __init__(self, ring: tuple[float, float, float] = SHIRT) -> None:
        rows, cols = np.mgrid[:60, :80]
        self.face: BoolArray = (rows < 20) & (cols < 20)
        away = np.hypot(rows - 40, cols - 55)
        self.hand: BoolArray = away < 12
        self.ring: BoolArray = (away >= 12) & (away < 16)
        rgb = np.empty((60, 80, 3))
        rgb[...] = SHIRT
        rgb[self.face | self.hand] = TONE
        rgb[self.ring] = ring
        rgb += np.random.default_rng(0).normal(0.0, 0.01, rgb.shape)
        self.lab: FloatArray = rgb_to_lab(rgb.clip(0.0, 1.0))
        self.label: IntArray = np.where(self.face | (away < 16), SKIN, UPPER)

    def labels(self, upper: float = 0.0) -> IntArray:
        """The new labels, with the parser's word about the ring."""
        mask = np.ones(self.label.shape, bool)
        skin = 1.0 * (self.label == SKIN)
        skin[self.ring] = 1.0 - upper
        part = np.select([self.face, self.label == SKIN], ["face", "hand"], "torso")
        return label_hand_sleeves(
            self.label,
            self.lab[mask] / COLOUR_SCALE,
            measure_hue(self.lab[mask]),
            skin[mask],
            1.0 - skin[mask],
            self.face[mask],
            part[mask],
            np.full(mask.sum(), 0.7),
            PALER[:3],
            mask,
            PixelSmoother(self.lab, mask),
        )


def test_the_shirts_colour_around_a_hand_is_its_sleeve() -> None:
    speaker = Speaker()
    found = speaker.labels()
    assert (found[speaker.ring] == UPPER).mean() > 0.9
    others = ~speaker.ring
    assert (found[others] == speaker.label[others]).mean() > 0.99


def test_the_shade_of_skin_stays_skin() -> None:
    speaker = Speaker(ring=(0.26, 0.17, 0.13))  # as dark as the shirt
    assert (speaker.labels() == speaker.label)[speaker.ring].mean() > 0.85


def test_a_hand_in_the_shirts_colour_is_a_glove() -> None:
    """More than half of the hand: rules of gloves decide."""
    speaker = Speaker()
    speaker.ring = (speaker.label == SKIN) & ~speaker.face
    speaker.ring[38:42, 53:57] = False
    speaker.lab[speaker.ring] = rgb_to_lab(np.array([SHIRT]))
    np.testing.assert_array_equal(speaker.labels(), speaker.label)


class Pointing:
    """A body whose left forearm points at the camera, drawn with and without its hand."""

    def __init__(self, body: Body) -> None:
        self.body = body
        pose = build_pose("tpose", body).with_joints(left_elbow=[0.0, -np.pi / 2, 0.0])
        pose = replace(pose, transl=np.array([-0.4, 0.0, -2.5]))
        self.vertices: FloatArray = body.vertices(pose)[0]
        self.camera = photo_camera(500.0, 200, 200)
        self.hand: BoolArray = hand_triangles(body, HANDS[0])
        names = np.array(body.part_names)[body.face_part]
        self.arm: BoolArray = np.isin(names, ["arm", "hand"]) & (
            body.v_template[body.f].mean(1)[:, 0] > 0.0
        )
        self.whole: MeshBuffer = self.draw(np.ones(len(body.f), bool))

    def draw(self, rows: BoolArray) -> MeshBuffer:
        return rasterize_mesh(self.vertices, self.body.f[rows], self.camera)


@pytest.fixture(scope="module")
def pointing(average: Body) -> Pointing:
    return Pointing(average)


def test_the_sleeve_lies_on_the_forearm_behind_the_hand(pointing: Pointing) -> None:
    arm, sleeve = pointing.draw(pointing.arm), pointing.draw(pointing.arm & ~pointing.hand)
    on_hand = (pointing.whole.face >= 0) & pointing.hand[pointing.whole.face]
    assert on_hand.sum() > 50
    rows, cols = np.nonzero(on_hand)
    cloth = np.zeros_like(on_hand)
    cloth[rows[::7], cols[::7]] = True
    found = _continue_cloth(arm, sleeve, on_hand, cloth)
    behind = found.depth[cloth] - arm.depth[cloth]
    assert np.median(behind) > 0.03
    np.testing.assert_array_equal(found.depth[~cloth], arm.depth[~cloth])
    drawn = cloth & (sleeve.face >= 0)
    np.testing.assert_allclose(found.depth[drawn], sleeve.depth[drawn])


def test_cloth_before_a_forearm_that_points_at_the_camera_is_its_sleeve(pointing: Pointing) -> None:
    own = pointing.body.f[pointing.arm]
    hand = Hand.of(
        LEFT_ARM,
        HANDS[0],
        pointing.draw(pointing.arm),
        own,
        pointing.body,
        pointing.vertices,
        pointing.camera,
        np.zeros_like(pointing.whole.face, bool),
    )
    beyond = hand.beyond > HAND_PIXELS.sleeve
    assert beyond.any()
    assert hand.forearm[beyond].mean() > 0.5
    held = pointing.body.weights[:, JOINT_INDEX["left_elbow"]] > 0.5
    xy, z = project(pointing.vertices[held], pointing.camera)
    rows, cols = np.mgrid[:200, :200] + 0.5
    away = np.hypot(cols[..., None] - xy[:, 0], rows[..., None] - xy[:, 1]).min(-1)
    reach = HAND_PIXELS.cuff * pointing.camera.K[0, 0] / np.median(z)
    sure = np.abs(away - reach) > 1.0
    np.testing.assert_array_equal(hand.forearm[sure], (away < reach)[sure])


def test_a_forearm_just_outside_the_frame_has_its_cuff_in_it(pointing: Pointing) -> None:
    own = pointing.body.f[pointing.arm]
    held = pointing.body.weights[:, JOINT_INDEX["left_elbow"]] > 0.5
    xy, z = project(pointing.vertices[held], pointing.camera)
    reach = HAND_PIXELS.cuff * pointing.camera.K[0, 0] / np.median(z)
    left, seen = int(xy[:, 0].min()), {}
    for width in (left - round(0.5 * reach), left - round(1.5 * reach)):
        camera = replace(pointing.camera, width=width)
        buffer = rasterize_mesh(pointing.vertices, own, camera)
        skin = np.zeros((camera.height, width), bool)
        hand = Hand.of(
            LEFT_ARM, HANDS[0], buffer, own, pointing.body, pointing.vertices, camera, skin
        )
        seen[width] = hand.forearm.any()
    assert list(seen.values()) == [True, False]


def test_skin_beside_a_hand_says_nothing_of_the_sleeve_far_behind_it(pointing: Pointing) -> None:
    """The fit missed the fingers, which show on the upper arm."""
    beside = measure_hands_beside(pointing.whole, pointing.hand, pointing.camera)
    assert np.isfinite(beside).any()
    assert np.isinf(beside).any()
    names = np.array(pointing.body.part_names)
    part = np.where(
        pointing.whole.face >= 0, names[pointing.body.face_part[pointing.whole.face]], ""
    )
    group = np.where(np.isin(part, ["arm", "hand"]), LEFT_ARM, TORSO)
    regions = SimpleNamespace(
        body=pointing.whole,
        group=group,
        label=np.full(part.shape, SKIN),
        mask=pointing.whole.face >= 0,
        hair=np.zeros(part.shape, bool),
        hidden=np.zeros(len(pointing.body.f), bool),
        beyond_cheek=np.zeros(part.shape),
        hands_beside=np.full(part.shape, np.inf),
    )
    points = surface_vertices(regions, pointing.body, pointing.vertices)
    weight = find_seen_labels(regions, pointing.camera, points)[1]
    regions.hands_beside = beside
    doubted = (find_seen_labels(regions, pointing.camera, points)[1] == 0.0) & (weight > 0.0)
    xy, depth = project(pointing.vertices, pointing.camera)
    col, row = xy[doubted].astype(int).T
    assert doubted.sum() > 5
    assert set(points.part[doubted]) <= {"arm", "torso"}
    assert (depth[doubted] > beside[row, col] + SURFACE.behind_hand).all()
    # Unless the sleeve ends on the upper arm: then it is the forearm's own.
    aside = np.abs(points.aside)
    ended = points.groups == LEFT_ARM
    xy, _ = project(pointing.vertices, pointing.camera)
    upper = ended & (points.part == "arm") & (aside < 0.4)
    cloth = np.zeros(part.shape, bool)
    cloth[tuple(xy[upper & (weight > 0.0)].astype(int).T[::-1])] = True
    regions.label = np.where(dilate(cloth, 2), UPPER, SKIN)
    label, again = find_seen_labels(regions, pointing.camera, points)
    forearm = doubted & ended & (aside > 0.45) & (label == SKIN)
    assert forearm.sum() > 5
    np.testing.assert_array_equal(again[forearm], weight[forearm])
    regions.label = np.full(part.shape, UPPER)
    worn = find_seen_labels(regions, pointing.camera, points)[1]
    np.testing.assert_array_equal(worn[~points.shoulder], weight[~points.shoulder])


@pytest.mark.parametrize(
    ("sleeve", "cuff", "bare"),
    [
        (0.352, 1.0, True),  # it ends above the elbow, and the forearm points at the camera
        (0.602, 0.62, False),  # of a long one, fingers that the fit missed lie before the cuff
        (0.562, 1.0, False),  # or on it
        (0.202, 1.0, False),  # a point of cloth on a bare arm
    ],
)
def test_skin_behind_a_hand_is_the_forearms_where_the_sleeve_has_ended(
    sleeve: float, cuff: float, bare: bool
) -> None:
    aside = np.linspace(0.2, 0.65, 91)
    part = np.full(len(aside), "arm")
    at = SurfacePoints(
        np.zeros((len(aside), 3)),
        np.zeros((len(aside), 3)),
        np.full(len(aside), LEFT_ARM),
        part,
        aside,
        np.zeros(len(aside), bool),
        np.zeros(len(aside), bool),
    )
    label = np.where((aside < sleeve) | (aside > cuff), UPPER, SKIN)
    found = _find_bare_forearms(label, np.ones(len(aside)), at)
    np.testing.assert_array_equal(found, (aside > sleeve) & bare)
    # Skin that the photo does not show says nothing.
    unseen = np.where(label == SKIN, 0.0, 1.0)
    assert not _find_bare_forearms(label, unseen, at).any()
    at.part[:] = "torso"
    assert not _find_bare_forearms(label, np.ones(len(aside)), at).any()


def test_hands_draw_in_beside_the_sleeve_that_shows_around_them() -> None:
    shape = (40, 40)
    rows, cols = np.mgrid[:40, :40]
    skin = np.hypot(rows - 20, cols - 20) < 8
    regions = SimpleNamespace(
        group=np.full(shape, LEFT_ARM),
        label=np.where(skin, SKIN, UPPER),
        hands_beside=np.where(cols < 32, 1.0, np.inf),
    )
    sheet = SimpleNamespace(
        mask=np.ones(shape, bool), visible=np.ones(shape, bool), front=np.where(skin, 1.0, 1.2)
    )
    camera = photo_camera(400.0, 40, 40)
    view = SimpleNamespace(regions=regions, sheets=(sheet,), camera=camera)
    behind = find_cloth_behind(view)
    np.testing.assert_array_equal(behind, ~skin & (cols < 32))
    sheet.front = np.full(shape, 1.01)  # a cuff over the hand
    assert not find_cloth_behind(view).any()
    regions.group = np.where(skin, LEFT_ARM, TORSO)  # a blouse, which the hand does not touch
    np.testing.assert_array_equal(find_cloth_behind(view), behind)

    pixels = np.array([[20.5, 20.5], [30.5, 20.5], [20.5, 9.5]])
    offset = (pixels - [camera.K[0, 2], camera.K[1, 2]]) / camera.K[0, 0]
    points = np.column_stack([offset[:, 0], -offset[:, 1], -np.ones(3)])
    assert project(points, camera)[0] == pytest.approx(pixels)
    person = np.ones(shape, bool)
    rooms = np.stack([distance_inside(p) for p in (person, person, person & ~behind)])
    col, row = pixels.astype(int).T
    at = PhotoLookup(row, col, np.ones(3), np.ones(3, bool), np.ones(3, bool))
    arms = np.full(3, LEFT_ARM)
    moved = move_hands_beside_cloth(
        points, np.full(3, 0.002), np.ones(3, bool), arms, at, rooms, view
    )
    to = project(moved, camera)[0]
    np.testing.assert_allclose(moved[0], points[0])  # it is inside
    away = np.linalg.norm(to - 20.5, axis=1)
    assert (away[1:] < 8.0).all()
    np.testing.assert_allclose(moved[:, 2], points[:, 2])
