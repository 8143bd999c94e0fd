"""Bare midriffs, necklines and legs between and below clothes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import BoolArray, FloatArray
from likeness.engine.gaussians.lift.garments.labels_hidden import (
    even_limbs_outside,
    lengthen_trousers,
    match_legs_below,
)
from likeness.engine.gaussians.lift.garments.labels_surface import vertex_parts
from likeness.engine.gaussians.lift.pixels.labels_cleanup import split_at_midriff
from likeness.engine.gaussians.lift.pixels.labels_pixels import SOLVED, _find_contradictions
from likeness.engine.gaussians.lift.skirts.skirt_wearer import attach_skirt
from likeness.engine.gaussians.lift.surface.labels import LABELS, LOWER, NONE, SKIN, UPPER, Places

from tests.soaked import if_asked

from .test_lift_skirt import photograph


@pytest.mark.parametrize("rows", [280, 60])
@pytest.mark.parametrize(("bare", "width"), [(0.0, 0.0), (0.05, 1.0), (0.05, 0.5)])
def test_lower_wear_begins_below_a_bare_midriff(rows: int, bare: float, width: float) -> None:
    """A top and a skirt of one colour are one dress, unless skin parts them all across.

    Of a small person, a row of pixels is 2.3 cm.
    """
    height = np.linspace(0.5, -0.9, rows)[:, None] * np.ones((1, 60))
    across = np.abs(np.linspace(-1.0, 1.0, 60)) < width
    places, _ = _front_of_trunk(height)
    label = np.where((height < 0.1) & (height > 0.1 - bare) & across, SKIN, UPPER)
    parted = split_at_midriff(label, places, height > -0.1)
    below = height < 0.1 - bare
    assert (parted[below] == (LOWER if bare and width == 1.0 else UPPER)).all()
    assert (parted[~below] == label[~below]).all()


def test_briefs_lie_low() -> None:
    """The trunk ends a hand's width below the bare belly."""
    height = np.linspace(0.5, -0.2, 200)[:, None] * np.ones((1, 60))
    places, inside = _front_of_trunk(height)
    label = np.where((height < 0.15) & (height > -0.06), SKIN, UPPER)
    label[height < -0.14] = SKIN
    parted = split_at_midriff(label, places, inside)
    briefs = (height < -0.06) & (height > -0.14)
    assert (parted[briefs] == LOWER).all()
    assert (parted[height > 0.15] == UPPER).all()


def test_hands_before_the_belly_bare_no_midriff() -> None:
    """Beside them the trunk shows a rim, which is called skin as they are."""
    height = np.linspace(0.5, -0.4, 200)[:, None] * np.ones((1, 60))
    places, _ = _front_of_trunk(height)
    belly = (height < 0.12) & (height > 0.06)
    label = np.where(belly, SKIN, UPPER)
    hands = belly & (np.arange(60) > 8)
    np.testing.assert_array_equal(split_at_midriff(label, places, ~hands), label)


@pytest.mark.parametrize(("seen", "parted"), [(0.03, False), (0.08, True)])
def test_a_wrist_between_arms_is_no_midriff(seen: float, parted: bool) -> None:
    """Where folded arms leave little of the trunk, a wrist spans all of it."""
    height = np.linspace(0.5, -0.4, 200)[:, None] * np.ones((1, 60))
    places, _ = _front_of_trunk(height)
    between = np.abs(places.rest[..., 0]) < seen
    label = np.where((height < 0.12) & (height > 0.06), SKIN, UPPER)
    below = split_at_midriff(label, places, between)[height < 0.06]
    assert (below == (LOWER if parted else UPPER)).all()


def _front_of_trunk(height: FloatArray) -> tuple[Places, BoolArray]:
    """Pixels at heights [H, W] over the pelvis, 0.3 m across; and all of them, as a mask."""
    across = np.broadcast_to(np.linspace(-0.15, 0.15, height.shape[1]), height.shape)
    rest = np.stack([across, height, np.zeros_like(height)], -1)
    inside, part = np.ones(height.shape, bool), np.zeros(height.shape, int)
    places = Places(rest, part, inside, 0 * height, 0 * height, rest, part - 1, 0 * height)
    return places, inside


@pytest.mark.parametrize("share", [0.002, 0.02])
def test_the_parser_bares_what_the_rules_dress(share: float) -> None:
    """Much surely bare skin among clothes counts; a brown belt does not."""
    count = 5000
    label = np.full(count, UPPER)
    likely = np.full((count, len(SOLVED)), 0.02)
    likely[:, SOLVED.index(UPPER)] = 0.92
    bare = np.arange(count) < share * count
    likely[np.ix_(bare, [SOLVED.index(SKIN), SOLVED.index(UPPER)])] = [0.92, 0.02]
    mask = np.ones((50, 100), bool)
    denied, allowed = _find_contradictions(label, likely, mask, np.zeros((50, 100, 3)))
    assert (SKIN in denied) == (share > 0.01)
    assert (allowed[:, SOLVED.index(SKIN)] == (bare & (SKIN in denied))).all()


def test_both_legs_below_the_frame_wear_the_same() -> None:
    """A shirt that hangs over one thigh does not go on below the frame."""
    part = np.array(["leg", "leg", "leg", "torso"])
    shares = np.zeros((4, len(LABELS)))
    shares[:, UPPER], shares[:, LOWER] = [0.9, 0.9, 0.2, 0.9], [0.1, 0.1, 0.8, 0.1]
    below = np.array([False, True, True, True])
    parted = match_legs_below(shares, below, part)
    assert list(parted.argmax(1)) == [UPPER, LOWER, LOWER, UPPER]
    np.testing.assert_allclose(parted.sum(1), 1.0)
    dress = np.tile(shares[0], (4, 1))
    np.testing.assert_array_equal(match_legs_below(dress, below, part), dress)


@pytest.mark.parametrize(("limb", "along"), [("leg", 1), ("arm", 0)])
def test_no_limb_outside_the_frame_is_bare_beside_a_clothed_one(
    average: Body, limb: str, along: int
) -> None:
    """What the photo shows of either stays; the surer of the two decides what is outside."""
    part, x = vertex_parts(average), average.v_template[:, 0]
    own = part == limb
    far = -average.v_template[:, 1] if along else np.abs(x)
    outside = own & (far > np.median(far[own]))
    shares = np.tile(np.eye(len(LABELS))[SKIN], (len(x), 1))
    clothed = own & (x > 0)
    shares[clothed, SKIN], shares[clothed, LOWER] = 0.3, 0.7
    out = even_limbs_outside(shares, outside, part, average)
    assert (out[outside].argmax(1) == SKIN).mean() > 0.9
    np.testing.assert_array_equal(out[~outside], shares[~outside])
    np.testing.assert_allclose(out.sum(1), 1.0)


@pytest.mark.parametrize(("gap", "last"), [(True, LOWER), (False, LOWER), (True, SKIN)])
def test_trousers_that_the_frame_cuts_reach_the_feet(gap: bool, last: int) -> None:
    """No background shows between the sides of a skirt, and shorts end within the frame."""
    rows, cols = np.mgrid[:60, :40]
    rest = np.stack([(19.5 - cols) / 100, -0.1 - rows / 150, 0.0 * cols], -1)
    none = np.zeros(cols.shape, int)
    places = Places(rest, none, none == 0, 0.0 * none, 0.0 * none, rest, none - 1, 0.0 * none)
    mask = ~(gap & (np.abs(cols - 19.5) < 3) & (rows > 20))
    label = np.where(mask, np.where(rows < 45, LOWER, last), NONE)
    regions = SimpleNamespace(mask=mask, label=label, places=places)
    part = np.array(["leg", "leg", "foot", "torso"])
    shares = np.tile(np.eye(len(LABELS))[SKIN], (4, 1))
    below = np.array([True, False, True, True])
    out = lengthen_trousers(shares, below, part, regions)  # type: ignore[arg-type]
    long = gap and last == LOWER
    assert list(out.argmax(1)) == [LOWER if long else SKIN, SKIN, SKIN, SKIN]


@pytest.mark.parametrize(
    ("label", "cut"), [(LOWER, True), (LOWER, False), *if_asked((UPPER, True))]
)
def test_legs_are_bare_below_a_skirt_that_the_frame_cuts(label: int, cut: bool) -> None:
    """What the photo shows of lower wear goes on below it, but legs do not wear a skirt."""
    scene = photograph()
    found = scene.found()
    assert found is not None
    skirt = replace(found, label=label, cut=cut)
    count = len(scene.vertices)
    dressed = replace(scene.dressed, offset=np.full(count, 0.02), worn=np.ones(count))
    trousers = np.eye(len(LABELS))[np.full(count, LOWER)]
    wearer = attach_skirt(skirt, scene.body, scene.pose, scene.regions, trousers, dressed)
    shin = (vertex_parts(scene.body) == "leg") & (skirt.depth > 1.2)
    assert shin.any()
    bare = label == LOWER and cut
    assert (wearer.shares[:count][shin].argmax(1) == (SKIN if bare else LOWER)).all()
    assert (wearer.dressed.worn[:count][shin] == (0.0 if bare else 1.0)).all()
    offset = wearer.dressed.offset[:count][shin]
    np.testing.assert_allclose(offset, 0.0 if bare else 0.02, atol=1e-9)
