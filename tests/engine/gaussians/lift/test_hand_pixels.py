"""Whose the pixels round hands are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import BoolArray, Camera, FloatArray, IntArray
from likeness.engine.gaussians.lift.pixels.hand_pixels import (
    Hand,
    find_bust,
    find_sleeved_arms,
    settle_hand_pixels,
)
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import (
    ARMS,
    GROUPS,
    HAND_JOINTS,
    HANDS,
    LEFT_ARM,
    RIGHT_ARM,
    TORSO,
    hand_triangles,
    vertex_groups,
)
from likeness.engine.gaussians.lift.surface.surfels import S as SURFELS
from likeness.engine.gaussians.lift.surface.surfels import TriangleBinding
from likeness.engine.poses import build_pose
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh
from scipy import ndimage


class Scene:
    """A body with long sleeves, arms hanging, whose limbs are drawn apart."""

    def __init__(self, body: Body) -> None:
        self.body = body
        pose = replace(build_pose("relaxed", body), transl=np.array([0.0, 0.1, -3.0]))
        self.vertices: FloatArray = body.vertices(pose)[0]
        self.camera: Camera = photo_camera(420.0, 240, 260)
        self.face_group = vertex_groups(body)[body.f[:, 0]]
        self.limb: tuple[MeshBuffer, ...] = tuple(
            rasterize_mesh(self.vertices, body.f[self.face_group == g], self.camera)
            for g in range(len(GROUPS))
        )
        whole = rasterize_mesh(self.vertices, body.f, self.camera)
        drawn = whole.face >= 0
        self.group: IntArray = np.where(drawn, self.face_group[whole.face], -1)
        self.part: IntArray = np.where(
            drawn, body.face_part[whole.face], body.part_names.index("torso")
        )
        self.label: IntArray = np.where(drawn, UPPER, 0)
        self.bust = find_bust(self.part, body)
        self.label[self.named("face", "scalp", "ear", "neck", "hand")] = SKIN
        self.hands = [
            Hand.of(
                arm,
                joints,
                self.limb[arm],
                body.f[self.face_group == arm],
                body,
                self.vertices,
                self.camera,
                np.ones_like(drawn),
            )
            for arm, joints in zip(ARMS, HANDS, strict=True)
        ]

    def named(self, *names: str) -> BoolArray:
        """[H, W] pixels of these parts."""
        index = [self.body.part_names.index(name) for name in names]
        return np.asarray(np.isin(self.part, index) & (self.group >= 0))

    def settle(self, group: IntArray, label: IntArray) -> IntArray:
        return settle_hand_pixels(group, label, self.bust, self.hands, self.limb)


@pytest.fixture(scope="module")
def scene(average: Body) -> Scene:
    return Scene(average)


def _beside_hand(scene: Scene, arm: int) -> BoolArray:
    """A spot of pixels a few centimetres off a hand, on the side of the body."""
    hand = scene.named("hand") & (scene.group == arm)
    rows, cols = np.nonzero(hand)
    toward = 1 if cols.mean() < hand.shape[1] / 2 else -1
    edge = cols.max() if toward > 0 else cols.min()
    out = np.zeros_like(hand)
    row = int(rows.mean())
    side = slice(edge + 2, edge + 6) if toward > 0 else slice(edge - 5, edge - 1)
    out[row - 2 : row + 2, side] = True
    return out & ~hand


def test_skin_beside_a_hand_is_the_hands(scene: Scene) -> None:
    """Fingers on a thigh that the fit did not reach."""
    spot = _beside_hand(scene, LEFT_ARM)
    group, label = scene.group.copy(), scene.label.copy()
    group[spot], label[spot] = TORSO, SKIN
    assert (scene.settle(group, label)[spot] == LEFT_ARM).all()
    label[spot] = UPPER
    assert (scene.settle(group, label)[spot] == TORSO).all()


def test_a_hand_at_the_chin_keeps_its_wrist(scene: Scene) -> None:
    """Skin of the trunk that touches the hand is the hand's, unless it touches the face too."""
    hand = scene.named("hand") & (scene.group == LEFT_ARM)
    wrist = ndimage.binary_dilation(_beside_hand(scene, LEFT_ARM), iterations=3) & ~hand
    group, label = scene.group.copy(), scene.label.copy()
    group[wrist], label[wrist] = TORSO, SKIN
    far = hand & ~ndimage.binary_dilation(wrist, iterations=3)
    for face, owner in ((far, LEFT_ARM), (hand & ~far, TORSO)):
        out = settle_hand_pixels(group, label, face, scene.hands, scene.limb)
        assert far.any()
        assert (out[wrist] == owner).all()


def test_skin_far_from_hands_stays(scene: Scene) -> None:
    """A bare belly is the trunk's, and so is what the neck shows."""
    rows, cols = np.nonzero(scene.group == TORSO)
    group, label = scene.group.copy(), scene.label.copy()
    row, col = int(np.median(rows)) - 8, int(np.median(cols))
    label[row - 4 : row + 4, col - 4 : col + 4] = SKIN
    np.testing.assert_array_equal(scene.settle(group, label), group)


def test_the_other_arms_sleeve_gives_up_a_hand(scene: Scene) -> None:
    """Crossed arms: what is skin on the one sleeve belongs to the other arm's hand."""
    hand = scene.named("hand") & (scene.group == RIGHT_ARM)
    group = scene.group.copy()
    group[hand] = LEFT_ARM
    out = scene.settle(group, scene.label)
    assert (out[hand] == RIGHT_ARM).mean() > 0.95


def test_cloth_on_a_bare_hand_is_what_lies_behind(scene: Scene) -> None:
    hand = scene.named("hand") & (scene.group == LEFT_ARM)
    far = hand & (scene.hands[0].beyond > 0.08)
    label = scene.label.copy()
    label[far] = UPPER
    out = scene.settle(scene.group, label)
    assert far.sum() > 4
    assert not (out[far] == LEFT_ARM).any()
    assert (out[hand & ~far] == LEFT_ARM).all()
    label[hand] = UPPER  # a glove
    assert (scene.settle(scene.group, label)[hand] == LEFT_ARM).all()


def test_a_photo_that_shows_no_hand_changes_nothing(scene: Scene) -> None:
    out = settle_hand_pixels(scene.group, scene.label, scene.bust, [], scene.limb)
    np.testing.assert_array_equal(out, scene.group)


def test_a_hand_behind_the_camera_is_nowhere(scene: Scene) -> None:
    own = scene.body.f[scene.face_group == LEFT_ARM]
    behind = scene.vertices + np.array([0.0, 0.0, 6.0])
    empty = rasterize_mesh(behind, own, scene.camera)
    hand = Hand.of(
        LEFT_ARM, HANDS[0], empty, own, scene.body, behind, scene.camera, scene.label == SKIN
    )
    assert np.isinf(hand.distance).all()
    assert (hand.beyond == 0.0).all()


def test_a_cuff_over_a_bare_hand_turns_with_its_forearm(scene: Scene) -> None:
    body, arm = scene.body, ARMS[0]
    hand = {a: hand_triangles(body, joints) for a, joints in zip(ARMS, HANDS, strict=True)}
    whole = rasterize_mesh(scene.vertices, body.f, scene.camera)
    assert find_sleeved_arms(hand, scene.group, scene.label, whole) == ARMS
    gloved = np.where(scene.named("hand") & (scene.group == arm), UPPER, scene.label)
    assert find_sleeved_arms(hand, scene.group, gloved, whole) == ARMS[1:]

    points = scene.vertices[np.unique(body.f[hand[arm]])] + [0.0, 0.0, 0.02]
    group = np.full(len(points), arm)
    turned = body.weights[:, HAND_JOINTS].sum(1)[body.f].max(1)

    def held_by(
        sleeved: tuple[int, ...], label: int, hidden: BoolArray | None, handless: tuple[int, ...]
    ) -> FloatArray:
        homes = TriangleBinding(body, scene.vertices, scene.face_group, hidden, handless, sleeved)
        holders = homes.holders(group, np.full(len(points), label))
        return np.asarray(turned[homes.find(points, holders)[0]])

    assert held_by((), UPPER, None, ()).max() > 0.9
    assert held_by(ARMS, UPPER, None, ()).max() < SURFELS.sleeve
    assert held_by(ARMS, SKIN, None, ()).max() > 0.9
    # Skin that shows of a hand that the fit has elsewhere.
    assert held_by(ARMS, SKIN, hand[arm], (arm,)).max() < SURFELS.sleeve
