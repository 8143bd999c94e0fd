"""Shadows that one limb throws on another beside it, on itself, and fingers on a hand."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.core.types import BoolArray, FloatArray, IntArray
from likeness.engine.gaussians.lift.photo.contact_shadows import (
    ContactShadows,
    find_contact_shadows,
    measure_behind_arms,
)
from likeness.engine.gaussians.lift.photo.contact_shadows import S as SHADOWS
from likeness.engine.gaussians.lift.photo.photo_view import PhotoView
from likeness.engine.gaussians.lift.photo.photo_view import S as PHOTO_VIEW
from likeness.engine.gaussians.lift.shape.depth_sheets import DepthSheet, find_limb_borders
from likeness.engine.gaussians.lift.surface.labels import HAIR, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import HEAD, LEFT_ARM, TORSO
from likeness.engine.imaging.resize import resize

SIDE, ARM = 120, slice(50, 70)
SHIRT = np.array([0.75, 0.6, 0.2])


@dataclass(frozen=True)
class PlacesStub:
    from_head: FloatArray


@dataclass(frozen=True)
class BodyStub:
    face: IntArray


@dataclass(frozen=True)
class RegionsStub:
    """What the search reads of the regions."""

    mask: BoolArray
    group: IntArray
    label: IntArray
    unit: float
    places: PlacesStub
    body: BodyStub


def find(
    colors: FloatArray, arm_depth: float = 1.9, label: int = UPPER, hand: bool = False
) -> ContactShadows:
    """Shadows on a flat trunk at 2 m, behind an upright arm at ``arm_depth``, or a hand."""
    mask = np.ones((SIDE, SIDE), bool)
    arm = np.zeros_like(mask)
    arm[:, ARM] = True
    flat = np.ones(mask.shape)
    sheets = (
        DepthSheet(0, ~arm, mask, 2.0 * flat, 2.2 * flat, flat, ~mask),
        DepthSheet(LEFT_ARM, arm, arm, arm_depth * arm, (arm_depth + 0.1) * arm, flat, ~mask),
    )
    regions = RegionsStub(
        mask,
        np.where(arm, LEFT_ARM, TORSO),
        np.full(mask.shape, label),
        20.0,
        PlacesStub(np.ones(mask.shape)),
        BodyStub(np.zeros(mask.shape, int)),  # one triangle
    )
    borders = find_limb_borders(sheets, mask)
    hands = {LEFT_ARM: np.array([hand])}
    return find_contact_shadows(colors, regions, sheets, borders, hands)  # type: ignore[arg-type]


@pytest.fixture
def shirt() -> FloatArray:
    noise = np.random.default_rng(0).normal(0.0, 0.01, (SIDE, SIDE, 1))
    return np.clip(np.broadcast_to(SHIRT, (SIDE, SIDE, 3)) + noise, 0.0, 1.0)


def none_in(shadows: ContactShadows) -> bool:
    return bool((shadows.gain == 1.0).all() and (shadows.hidden == 0.0).all())


def test_what_is_darker_beside_a_limb_is_its_shadow(shirt: FloatArray) -> None:
    assert none_in(find(shirt))
    band = np.zeros((SIDE, SIDE), bool)
    band[30:90, 70:75] = True
    dark = shirt.copy()
    dark[band] *= 0.5
    shadows = find(dark)
    np.testing.assert_allclose(shadows.gain[32:88, 71:74], 2.0, atol=0.2)
    np.testing.assert_allclose(shadows.lighten(dark)[32:88, 71:74], shirt[32:88, 71:74], atol=0.08)
    row, col = np.nonzero(shadows.gain > 1.0)
    assert (col >= 70).all(), "nothing on the arm itself"
    assert (np.abs(row - 60) <= 34).all()


def test_a_deep_shadow_takes_the_usual_colour(shirt: FloatArray) -> None:
    dark = shirt.copy()
    dark[30:90, 70:75] *= 0.04
    lit = find(dark).lighten(dark)[35:85, 71:74]
    np.testing.assert_allclose(lit, np.broadcast_to(SHIRT, lit.shape), atol=0.05)


def test_the_saturated_shade_of_orange_cloth_does_not_turn_red() -> None:
    orange, shade = np.array([0.80, 0.42, 0.24]), np.array([0.32, 0.115, 0.065])
    colors = np.broadcast_to(orange, (SIDE, SIDE, 3)).copy()
    colors[40:80, 70:74] = shade
    lit = find(colors).lighten(colors)[45:75, 71:73].reshape(-1, 3)
    shares = lit / lit.sum(1, keepdims=True)
    np.testing.assert_allclose(shares, np.broadcast_to(orange / 1.46, shares.shape), atol=0.01)
    assert (lit.mean(1) > 1.5 * shade.mean()).all()


def test_dark_red_between_fingers_becomes_skin_in_a_light_shade() -> None:
    skin = np.array([0.85, 0.62, 0.52])
    hand = np.broadcast_to(skin, (SIDE, SIDE, 3)).copy()
    hand[20:60, 58:61] = [0.20, 0.07, 0.05]  # a crevice
    hand[70:100, 58:61] *= 0.75  # a crease
    shadows = find(hand, arm_depth=2.0, label=SKIN, hand=True)
    lit = shadows.lighten(hand)
    between = lit[25:55, 59]
    assert (between > 0.35 * skin).all()
    assert (between < 0.85 * skin).all()
    np.testing.assert_allclose(between[:, 0] / between[:, 1], skin[0] / skin[1], rtol=0.3)
    np.testing.assert_array_equal(lit[75:95], hand[75:95].astype(np.float32))
    assert none_in(find(hand, arm_depth=2.0, label=SKIN))  # a forearm has none
    hand[20:60, 58:61] = [0.05, 0.06, 0.09]  # black cloth
    assert none_in(find(hand, arm_depth=2.0, label=SKIN, hand=True))


def test_black_in_the_crook_of_an_arm_becomes_cloth_in_the_shade() -> None:
    """A forearm that points at the camera shades its own upper arm: a black hole once raised."""
    mask = np.ones((SIDE, SIDE), bool)
    depth = np.full(mask.shape, 2.0)
    depth[60:] = 1.7  # the forearm, in front
    flat = np.ones(mask.shape)
    sheets = (
        DepthSheet(0, ~mask, mask, 2.2 * flat, 2.4 * flat, flat, ~mask),
        DepthSheet(LEFT_ARM, mask, mask, depth, depth + 0.1, flat, ~mask),
    )
    colors = np.broadcast_to(SHIRT, (SIDE, SIDE, 3)).copy()
    near, far, other = (slice(r, r + 6) for r in (40, 5, 40))
    colors[near, 20:60] = colors[far, 20:60] = 0.05 * SHIRT
    colors[other, 80:100] = [0.02, 0.02, 0.3]  # a bracelet
    regions = RegionsStub(
        mask,
        np.full(mask.shape, LEFT_ARM),
        np.full(mask.shape, UPPER),
        20.0,
        PlacesStub(flat),
        BodyStub(np.zeros(mask.shape, int)),
    )
    hands = {LEFT_ARM: np.zeros(1, bool)}
    borders = find_limb_borders(sheets, mask)
    lit = find_contact_shadows(colors, regions, sheets, borders, hands).lighten(colors)
    assert (lit[42:44, 30:50] > 0.2 * SHIRT).all()
    assert (lit[42:44, 30:50] < 0.8 * SHIRT).all()  # still in the shade
    np.testing.assert_allclose(lit[6:10, 30:50], colors[6:10, 30:50], atol=1e-6)
    np.testing.assert_allclose(lit[42:44, 85:95], colors[42:44, 85:95], atol=1e-6)


def test_neither_far_nor_other_things_nor_what_stands_as_near(shirt: FloatArray) -> None:
    far = shirt.copy()
    far[30:90, 95:100] *= 0.5  # a fold
    assert none_in(find(far))
    phone = shirt.copy()
    phone[30:90, 70:75] = 0.3  # of another hue
    assert none_in(find(phone))
    shirt[30:90, 70:75] *= 0.5
    assert none_in(find(shirt, arm_depth=1.995))
    assert none_in(find(shirt, label=HAIR))


def test_the_rim_beside_an_arm_is_cloth_and_not_a_mixture(shirt: FloatArray) -> None:
    """Raised, the arm left a bright or skin-coloured line across the shirt."""
    skin = np.array([0.9, 0.7, 0.6])
    for mixture in (np.ones(3), skin):
        mixed = shirt.copy()
        mixed[:, ARM] = skin
        mixed[30:90, 70:72] = mixture
        lit = find(mixed).lighten(mixed)
        np.testing.assert_allclose(lit[32:88, 70:72], np.broadcast_to(SHIRT, (56, 2, 3)), atol=0.05)
        np.testing.assert_array_equal(lit[:, 74:], mixed[:, 74:].astype(np.float32))
        np.testing.assert_array_equal(lit[:, ARM], mixed[:, ARM].astype(np.float32))
        fine = mixed.repeat(4, 0).repeat(4, 1)
        seen = find(mixed).lighten(fine)
        np.testing.assert_array_equal(seen[:, 200:278], fine[:, 200:278].astype(np.float32))
        np.testing.assert_allclose(seen[128:352, 281:286].mean((0, 1)), SHIRT, atol=0.05)
    checked = np.broadcast_to(SHIRT, (SIDE, SIDE, 3)).copy()
    checked[np.indices((SIDE, SIDE)).sum(0) // 3 % 2 == 0] = [0.2, 0.2, 0.6]
    np.testing.assert_array_equal(find(checked).lighten(checked), checked.astype(np.float32))


def test_only_arms_in_front_count_and_without_borders_nothing_does() -> None:
    mask = np.ones((20, 30), bool)
    front = np.where(np.arange(30) < 10, 1.0, 2.0) * np.ones((20, 1))
    flat = np.ones(mask.shape)
    for group in (LEFT_ARM, HEAD):
        near = front < 1.5  # at the left
        sheets = (
            DepthSheet(0, ~near, mask, 2.0 * flat, 2.2 * flat, flat, ~mask),
            DepthSheet(group, near, near, 1.0 * flat, 1.1 * flat, flat, ~mask),
        )
        regions = SimpleNamespace(mask=mask, group=np.where(near, group, TORSO))
        borders = find_limb_borders(sheets, mask)
        away = measure_behind_arms(front, regions, borders)  # type: ignore[arg-type]
        assert np.isinf(away[:, :10]).all()
        if group == LEFT_ARM:
            np.testing.assert_array_equal(away[:, 10:], np.arange(1.0, 21.0) * np.ones((20, 1)))
            view = PhotoView(None, None, flat, regions, sheets, borders, None)  # type: ignore[arg-type]
            regions.unit = 5.0
            reach = PHOTO_VIEW.shaded * regions.unit
            xy = np.array([[9.5, 4.5], [10.5, 4.5], [8.5 + reach, 4.5], [29.5, 4.5], [-9.0, 40.0]])
            assert view.may_shade(xy).tolist() == [False, True, True, False, False]
        else:
            assert np.isinf(away).all()
    # Without a border, the last pixel does not stand for one.
    front = np.full(mask.shape, 2.0)
    borders = find_limb_borders((DepthSheet(0, mask, mask, front, front + 0.2, flat, ~mask),), mask)
    front[-1, -1] = 0.0
    regions = SimpleNamespace(mask=mask, group=np.full(mask.shape, LEFT_ARM))
    assert np.isinf(measure_behind_arms(front, regions, borders)).all()  # type: ignore[arg-type]


def test_a_finer_picture_is_lit_at_the_same_places() -> None:
    gain = np.ones((20, 30))
    gain[:, 20:] = 2.0
    shadows = ContactShadows(gain, np.full((20, 30, 3), 0.3), np.zeros((20, 30)))
    lit = shadows.lighten(np.full((40, 60, 3), 0.3))
    np.testing.assert_allclose(lit[:, :36], 0.3, atol=1e-6)
    np.testing.assert_allclose(lit[:, 44:], 0.6, atol=1e-6)


def test_shadows_in_a_part_of_the_picture_are_blended_at_their_border() -> None:
    gain, hidden = np.ones((20, 30)), np.zeros((20, 30))
    gain[8:12, 10:14], hidden[8:12, 10:14] = 1.5, 0.5
    usual = np.full((20, 30, 3), 0.9)
    colors = np.random.default_rng(0).uniform(0.0, 0.6, (50, 75, 3))
    lit = ContactShadows(gain, usual, hidden).lighten(colors)
    blended, share = (
        resize(v.astype(np.float32), 75, 50, "bilinear")[..., None] for v in (gain, hidden)
    )
    grey = np.clip(np.log(blended) / SHADOWS.usual_hue, 0.0, 1.0)  # the hue of 0.9
    lit_up = colors * blended
    lit_up = (1.0 - grey) * lit_up + grey * lit_up.mean(-1, keepdims=True)
    expected = (1.0 - share) * np.clip(lit_up, 0.0, 1.0) + share * 0.9
    np.testing.assert_allclose(lit, expected, atol=1e-5)
