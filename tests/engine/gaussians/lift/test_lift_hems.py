"""Bands that go round with a garment's end, and where that end is behind."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import FloatArray
from likeness.engine.gaussians.lift.colors.colors_texels import Texels
from likeness.engine.gaussians.lift.colors.hems import S, find_hems
from likeness.engine.gaussians.lift.garments.labels_hidden import S as HIDDEN
from likeness.engine.gaussians.lift.garments.labels_hidden import (
    close_coat_behind,
    cover_ears,
    extend_one_piece,
    level_ends,
)
from likeness.engine.gaussians.lift.surface.labels import (
    HAIR,
    LABELS,
    LOWER,
    NONE,
    SHOES,
    SKIN,
    UPPER,
)
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, TORSO

RED, NAVY, BROWN, WHITE = np.array(
    [[0.75, 0.15, 0.15], [0.1, 0.1, 0.25], [0.55, 0.3, 0.1], [0.95, 0.95, 0.95]]
)
PIXEL = 0.004  # metres
WAIST, SIZE = 60, (120, 100)


def photo(colors: FloatArray, label: FloatArray, group: int = TORSO, behind: object = None):  # type: ignore[no-untyped-def]
    """The parts of a photo's view that hems are read from: a flat person fills the picture."""
    camera = photo_camera(500.0, SIZE[1], SIZE[0])
    depth = PIXEL * float(camera.K[0, 0])
    sheet = SimpleNamespace(
        visible=np.ones(SIZE, bool), mask=np.ones(SIZE, bool), front=np.full(SIZE, depth)
    )
    regions = SimpleNamespace(label=label, group=np.full(SIZE, group), mask=np.ones(SIZE, bool))
    hidden = np.zeros(SIZE, bool) if behind is None else behind
    noise = np.random.default_rng(0).normal(0.0, 0.01, (*SIZE, 3))
    return SimpleNamespace(
        camera=camera,
        regions=regions,
        sheets=(sheet,),
        borders=SimpleNamespace(behind=hidden),
        alpha=np.ones(SIZE),
        fine=np.clip(colors + noise, 0.0, 1.0),
    )


def dressed(belt: FloatArray | None = None, jagged: int = 0):  # type: ignore[no-untyped-def]
    """A red shirt over navy trousers, with a belt of 2.4 cm on the shirt's last rows."""
    row = np.arange(SIZE[0])[:, None] + 0 * np.arange(SIZE[1])
    colors = np.where((row < WAIST)[..., None], RED, NAVY)
    if belt is not None:
        colors[WAIST - 6 : WAIST] = belt
    edge = WAIST + jagged * (np.arange(SIZE[1]) % 20 < 10)
    return colors, np.where(row < edge, UPPER, LOWER)


def test_a_belt_is_found_where_most_of_the_waist_shows_it() -> None:
    (hem,) = find_hems(photo(*dressed(BROWN)))
    assert (hem.end.label, hem.end.other) == (UPPER, LOWER)
    assert hem.first == pytest.approx(0.0, abs=2 * S.step)
    assert hem.last == pytest.approx(0.024, abs=2 * S.step)
    painted = hem.paint(np.array([0.012]), RED[None])
    np.testing.assert_allclose(painted[0], BROWN, atol=0.04)


def test_a_band_stays_on_its_own_garment() -> None:
    (hem,) = find_hems(photo(*dressed(BROWN)))
    both = np.stack([NAVY, 0.8 * RED])  # another jacket's back, and the shirt's in the shade
    painted = hem.paint(np.full(2, 0.012), both)
    np.testing.assert_array_equal(painted[0], NAVY)
    np.testing.assert_allclose(painted[1], 0.8 * BROWN, atol=0.06)


def test_a_belt_is_found_where_labels_are_off_by_two_pixels() -> None:
    (hem,) = find_hems(photo(*dressed(BROWN, jagged=2)))
    np.testing.assert_allclose(hem.paint(np.array([0.012]), RED[None])[0], BROWN, atol=0.08)


def test_a_garment_that_just_ends_has_no_band() -> None:
    assert find_hems(photo(*dressed())) == []


def test_shade_below_a_jacket_and_a_buckle_in_the_middle_are_no_bands() -> None:
    assert find_hems(photo(*dressed(0.6 * RED))) == []
    colors, label = dressed()
    colors[WAIST - 6 : WAIST, 40:60] = WHITE
    assert find_hems(photo(colors, label)) == []


def test_what_hides_a_waist_does_not_end_it() -> None:
    colors, label = dressed(BROWN)
    assert find_hems(photo(colors, label, behind=label == LOWER)) == []


def texels(count: int = 4000) -> Texels:
    """A sleeve that ends at x = 0.6, all around, in red."""
    rng = np.random.default_rng(2)
    x, angle = rng.uniform(0.4, 0.7, count), rng.uniform(0.0, 2 * np.pi, count)
    rest = np.stack([x, 0.04 * np.cos(angle), 0.04 * np.sin(angle)], -1)
    nothing = np.zeros((count, 3))
    return Texels(
        points=rest,
        normals=nothing,
        label=np.where(x < 0.6, UPPER, SKIN),
        known=rest[:, 2] > 0,
        color=nothing,
        corner=np.zeros((count, 3), int),
        bary=nothing,
        rest=rest,
        group=np.full(count, LEFT_ARM),
        xy=nothing[:, :2],
        shade=nothing,
        facing=np.zeros(count),
        radius=np.full(count, 0.002),
    )


def test_a_striped_cuff_goes_round_at_its_distance_from_the_sleeves_end() -> None:
    colors, label = dressed()
    label = np.where(label == LOWER, SKIN, UPPER)
    colors[WAIST - 9 : WAIST - 5] = WHITE  # 2 to 3.6 cm from the end
    (hem,) = find_hems(photo(colors, label, LEFT_ARM))
    t = texels()
    rows, metres = hem.measure(t)
    np.testing.assert_allclose(metres, 0.6 - t.rest[rows, 0], atol=0.005)
    painted = np.tile(RED, (len(t.rest), 1))
    painted[rows] = hem.paint(metres, painted[rows])
    from_end = 0.6 - t.rest[:, 0]
    inside = np.abs(from_end - 0.028) < 0.003
    outside = (np.abs(from_end - 0.028) > 0.014) | (from_end < 0.0)
    np.testing.assert_allclose(painted[inside].mean(0), WHITE, atol=0.06)
    np.testing.assert_allclose(painted[outside], np.tile(RED, (outside.sum(), 1)), atol=0.06)


def arm(seen: bool = True):  # type: ignore[no-untyped-def]
    """Vertices of a left arm: the front shows a sleeve up to x = 0.5, the back is a guess."""
    rng = np.random.default_rng(3)
    rest = rng.uniform([0.2, 0.4, -0.05], [0.8, 0.5, 0.05], (600, 3))
    front = rest[:, 2] > 0
    label = np.where(front & seen, np.where(rest[:, 0] < 0.5, UPPER, SKIN), NONE)
    slanted = rest[:, 0] < 0.5 + rest[:, 2]  # half the arm's width too short behind
    shares = np.eye(len(LABELS))[np.where(slanted, UPPER, SKIN)]
    return rest, label, 1.0 * (label != NONE), shares, np.full(len(rest), "arm")


def test_a_sleeve_ends_behind_where_it_ends_in_front() -> None:
    rest, label, weight, shares, part = arm()
    out = level_ends(shares, label, weight, rest, part)
    hidden = weight == 0
    clear = np.abs(rest[:, 0] - 0.5) > 0.005
    worn = out[:, UPPER] > out[:, SKIN]
    np.testing.assert_array_equal(worn[hidden & clear], (rest[:, 0] < 0.5)[hidden & clear])
    np.testing.assert_array_equal(out[~hidden], shares[~hidden])
    np.testing.assert_allclose(out.sum(1), 1.0)
    # Linear across the end, so that a mesh coarser than a hem draws it straight.
    near = hidden & (np.abs(rest[:, 0] - 0.5) < 0.4 * HIDDEN.waist_band)
    slope = (out[near, UPPER] - 0.5) / (0.5 - rest[near, 0])
    np.testing.assert_allclose(np.median(slope), 1.0 / HIDDEN.waist_band, rtol=0.1)


def test_a_hand_before_the_arm_hides_most_of_a_sleeves_end() -> None:
    """A strip of skin beside the hand tells where it is; without it, the end may be anywhere."""
    rest, label, weight, shares, part = arm()
    past = (rest[:, 0] > 0.5) & (rest[:, 0] < 0.6) & (label == SKIN)
    strip = past & (rest[:, 0] < 0.515) & (rest[:, 2] > 0.03)
    assert 1 <= weight[strip].sum() < HIDDEN.few
    for hidden, shown in ((past & ~strip, True), (past, False)):
        trust = np.where(hidden, 0.0, weight)
        out = level_ends(shares, np.where(hidden, NONE, label), trust, rest, part)
        unseen = (trust == 0.0) & (np.abs(rest[:, 0] - 0.5) > 0.02)
        assert ((out[:, UPPER] > 0.5) == (rest[:, 0] < 0.5))[unseen].all() == shown


def test_an_end_that_the_photo_does_not_show_stays_as_it_was_guessed() -> None:
    rest, label, weight, shares, part = arm(seen=False)
    np.testing.assert_array_equal(level_ends(shares, label, weight, rest, part), shares)
    rest, label, weight, shares, part = arm()
    label = np.where(
        label == NONE, NONE, np.random.default_rng(4).choice([UPPER, SKIN], len(label))
    )
    np.testing.assert_array_equal(level_ends(shares, label, weight, rest, part), shares)


@pytest.mark.parametrize(("worn", "follows"), [(0, True), (30, False)])
def test_an_arm_that_hardly_shows_is_dressed_as_the_other_one(worn: int, follows: bool) -> None:
    """Its guess goes on as a long sleeve; some vertices that show one are believed."""
    rest, label, weight, shares, part = arm()
    mirrored = rest * [-1.0, 1.0, 1.0]
    guess = np.tile(np.eye(len(LABELS))[UPPER], (len(rest), 1))
    shown = np.full(len(rest), NONE)
    shown[np.argsort(-rest[:, 0])[:worn]] = UPPER  # near the hand
    out = level_ends(
        np.concatenate([shares, guess]),
        np.concatenate([label, shown]),
        np.concatenate([weight, 1.0 * (shown != NONE)]),
        np.concatenate([rest, mirrored]),
        np.concatenate([part, part]),
    )[len(rest) :]
    beyond = (rest[:, 0] > 0.52) & (rest[:, 0] < 0.68)
    assert (out[beyond & (shown == NONE), SKIN] > 0.5).all() == follows


def test_a_midriff_is_bare_behind_as_in_front() -> None:
    rng = np.random.default_rng(6)
    rest = rng.uniform([-0.2, -0.3, -0.1], [0.2, 0.3, 0.1], (2500, 3))
    front = rest[:, 2] > 0
    truth = np.select([rest[:, 1] > 0.08, rest[:, 1] > 0.03], [UPPER, SKIN], LOWER)
    label = np.where(front, truth, NONE)
    guess = np.where(rest[:, 1] > 0.05, UPPER, LOWER)  # no skin
    shares = np.eye(len(LABELS))[np.where(front, truth, guess)]
    out = level_ends(shares, label, 1.0 * front, rest, np.full(len(rest), "torso"))
    clear = (np.abs(rest[:, 1] - 0.08) > 0.01) & (np.abs(rest[:, 1] - 0.03) > 0.01)
    np.testing.assert_array_equal(out.argmax(1)[clear], truth[clear])
    np.testing.assert_allclose(out.sum(1), 1.0)


def test_wrists_before_the_flanks_bare_no_waist() -> None:
    """Folded hands hide the belly; what skin is taken for the trunk's beside them is theirs."""
    rng = np.random.default_rng(6)
    rest = rng.uniform([-0.2, -0.3, -0.1], [0.2, 0.3, 0.1], (2500, 3))
    x, y = np.abs(rest[:, 0]), rest[:, 1]
    between = (y > 0.03) & (y < 0.08)
    seen = (rest[:, 2] > 0) & (~between | (x > 0.1))
    worn = np.where(y > 0.055, UPPER, LOWER)
    label = np.where(seen, np.where(between, SKIN, worn), NONE)
    shares = np.eye(len(LABELS))[np.where(seen, label, worn)]
    out = level_ends(shares, label, 1.0 * seen, rest, np.full(len(rest), "torso"))
    assert out[~seen, SKIN].max() < 0.5


@pytest.mark.parametrize("bare", [True, False])
def test_legs_that_are_bare_in_front_are_so_behind(bare: bool) -> None:
    """Briefs do not reach them, so that no end of a trouser leg is found on them."""
    rng = np.random.default_rng(8)
    rest = rng.uniform([-0.2, -0.8, -0.1], [0.2, 0.1, 0.1], (5000, 3))
    front, y = rest[:, 2] > 0, rest[:, 1]
    part = np.where(y > -0.1, "torso", "leg")
    truth = np.where(y > -0.1, LOWER, SKIN)
    seen = front & ((y > -0.1) | bare)
    shares = np.eye(len(LABELS))[np.where(y > -0.4, LOWER, SKIN)]
    shares[seen] = np.eye(len(LABELS))[truth[seen]]
    out = level_ends(shares, np.where(seen, truth, NONE), 1.0 * seen, rest, part)
    thigh = (part == "leg") & ~front & (y < -0.14) & (y > -0.3)
    assert (out[thigh].argmax(1) == (SKIN if bare else LOWER)).all()


def test_a_waist_is_level_between_its_sides() -> None:
    rng = np.random.default_rng(5)
    rest = rng.uniform([-0.2, -0.3, -0.1], [0.2, 0.3, 0.1], (1500, 3))
    waist = 0.05 * rest[:, 0]  # a hip stands out
    front = rest[:, 2] > 0
    label = np.where(front, np.where(rest[:, 1] > waist, UPPER, LOWER), NONE)
    wavy = rest[:, 1] > waist + 0.04 * np.sin(40 * rest[:, 0])
    shares = np.eye(len(LABELS))[np.where(wavy, UPPER, LOWER)]
    out = level_ends(shares, label, 1.0 * front, rest, np.full(len(rest), "torso"))
    clear = ~front & (np.abs(rest[:, 1] - waist) > 0.012)
    worn = out[:, UPPER] > out[:, LOWER]
    np.testing.assert_array_equal(worn[clear], (rest[:, 1] > waist)[clear])


@pytest.mark.parametrize("hem", [-0.4, -0.9])
def test_what_is_of_one_piece_in_front_is_behind(hem: float) -> None:
    """A dress over bare legs, and a suit down to the shoes, behind which trousers were guessed."""
    rng = np.random.default_rng(7)
    rest = rng.uniform([-0.2, -0.95, -0.1], [0.2, 0.3, 0.1], (6000, 3))
    y, front = rest[:, 1], rest[:, 2] > 0
    part = np.select([y > -0.05, y > -0.9], ["torso", "leg"], "foot")
    truth = np.select([y > hem, y > -0.9], [UPPER, SKIN], SHOES)
    label = np.where(front, truth, NONE)
    guess = np.select([y > 0.05, y > -0.9], [UPPER, LOWER], SHOES)
    shares = np.eye(len(LABELS))[np.where(front, truth, guess)]
    shares[part == "foot", LOWER] = 0.4
    out = extend_one_piece(shares, label, 1.0 * front, rest, part)
    clear = np.abs(y - hem) > 0.01
    np.testing.assert_array_equal(out.argmax(1)[clear], truth[clear])
    np.testing.assert_allclose(out.sum(1), shares.sum(1))
    # Trousers that show are worn.
    label[front & (y < -0.1) & (y > hem)] = LOWER
    np.testing.assert_array_equal(extend_one_piece(shares, label, 1.0 * front, rest, part), shares)


@pytest.mark.parametrize(
    ("hem", "open_", "hidden", "closed"),
    [
        (-0.5, True, False, True),
        (-0.5, True, True, True),
        (-0.25, True, False, False),
        (-0.5, False, False, False),
    ],
)
def test_an_open_coat_is_as_long_behind(
    hem: float, open_: bool, hidden: bool, closed: bool
) -> None:
    """On one side of the photo, jeans beside it; a shirt that hangs out is not changed."""
    rng = np.random.default_rng(7)
    rest = rng.uniform([-0.2, -0.95, -0.1], [0.2, 0.3, 0.1], (8000, 3))
    y, front = rest[:, 1], rest[:, 2] > 0
    part = np.select([y > -0.05, y > -0.9], ["torso", "leg"], "foot")
    coat = (y > 0.0) | (y > hem) & ((rest[:, 0] > 0.03) | (not open_))
    truth = np.select([coat, y > -0.9], [UPPER, LOWER], SHOES)
    label = np.where(front, truth, NONE)
    weight = 1.0 * front
    if hidden:  # a hand before it
        weight[(y < -0.2) & (y > -0.23)] = 0.0
    guess = np.select([y > 0.0, y > -0.9], [UPPER, LOWER], SHOES)
    shares = np.eye(len(LABELS))[np.where(front, truth, guess)]
    out = close_coat_behind(shares, label, weight, rest, part)
    behind = (rest[:, 2] < -0.03) & (y < -0.1) & (np.abs(y - hem) > 0.03)
    expected = np.where(closed & (y > hem), UPPER, guess)
    np.testing.assert_array_equal(out.argmax(1)[behind], expected[behind])
    others = weight > 0
    np.testing.assert_array_equal(out[others], shares[others])
    np.testing.assert_array_equal(out[part == "foot"], shares[part == "foot"])


@pytest.mark.parametrize(("covered", "all_of_it"), [(0.75, True), (0.4, False)])
def test_hair_covers_an_ear_whole_or_as_far_as_it_does(covered: float, all_of_it: bool) -> None:
    rng = np.random.default_rng(3)
    rest = rng.uniform([-0.1, 0.5, -0.1], [0.1, 0.7, 0.1], (400, 3))
    part = np.where(np.abs(rest[:, 0]) > 0.05, "ear", "face")
    left = (part == "ear") & (rest[:, 0] > 0)
    hair = left & (rng.random(400) < covered)
    shares = np.eye(len(LABELS))[np.where(hair, HAIR, SKIN)]
    out = cover_ears(shares, rest, part)
    np.testing.assert_array_equal(out[left].argmax(1) == HAIR, hair[left] | all_of_it)
    np.testing.assert_array_equal(out[~left], shares[~left])
