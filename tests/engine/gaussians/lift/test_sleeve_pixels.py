"""Whose the pixels beside a sleeve are."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray
from likeness.engine.gaussians.lift.grids.pixel_cuts import S as CUTS
from likeness.engine.gaussians.lift.grids.pixel_cuts import cut_along_edges
from likeness.engine.gaussians.lift.grids.pixel_grids import neighbour_links
from likeness.engine.gaussians.lift.pixels.sleeve_pixels import (
    Forearm,
    S,
    claim_bare_skin,
    claim_shaded_skin,
    find_upper_arm,
    release_other_cloth,
    settle_sleeve_pixels,
)
from likeness.engine.gaussians.lift.surface.labels import LOWER, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, RIGHT_ARM, TORSO, vertex_groups
from likeness.engine.poses import build_pose
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh
from scipy.ndimage import distance_transform_edt

SIDE = 80
METRE = 0.005  # of a pixel
LAB = np.full((SIDE, SIDE, 3), 50.0)
TOP, BOTTOM = 30, 40  # rows of the bare forearm


def _trunk(depth: float) -> dict[int, MeshBuffer]:
    flat = np.full((SIDE, SIDE), depth)
    face = np.zeros((SIDE, SIDE), np.int64)
    return {
        TORSO: MeshBuffer(face=face, bary=np.zeros((SIDE, SIDE, 3)), depth=flat, back_depth=flat)
    }


def _forearm() -> Forearm:
    """A bar from the picture's left side to its middle, in front of a trunk."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    drawn = (rows >= TOP) & (rows < BOTTOM) & (cols < 50)
    down = np.maximum(rows - (BOTTOM - 1), 0)
    up = np.maximum(TOP - rows, 0)
    aside = np.maximum(cols - 49, 0)
    away = np.hypot(np.maximum(down, up), aside)
    below = down / np.maximum(away, 1.0)
    return Forearm(LEFT_ARM, drawn, cols < 50, away * METRE, below, np.full(drawn.shape, 1.8))


def _photo(ends: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Limbs, labels and colours; the sleeve ends ``ends`` pixels below the arm, in a dark line.

    Left of the trunk, it ends there in front of the background.
    """
    arm = _forearm()
    group = np.where(arm.drawn, LEFT_ARM, TORSO)
    group[:, :24] = -1
    group[TOP : BOTTOM + ends, 4:24] = LEFT_ARM
    rng = np.random.default_rng(3)
    lab = np.array([50.0, 10.0, 10.0]) + rng.normal(0.0, 0.7, (SIDE, SIDE, 3))
    lab[BOTTOM + ends - 1 : BOTTOM + ends + 1, :50, 0] -= 25.0
    return group, np.full((SIDE, SIDE), UPPER), lab


@pytest.mark.parametrize("ends", [4, 8, 12])
def test_a_sleeve_ends_at_its_edge(ends: int) -> None:
    group, label, lab = _photo(ends)
    out = settle_sleeve_pixels(group, label, lab, [_forearm()], _trunk(2.0))
    hanging = (out == LEFT_ARM)[BOTTOM:, 26:45]
    assert np.abs(hanging.sum(0) - ends).max() <= 2
    above = (out == LEFT_ARM)[:TOP, 26:45].sum(0)
    assert above.max() <= np.ceil(S.usual[0] / METRE) + 1
    assert (out[group < 0] == -1).all()


def test_bare_arms_and_arms_behind_the_trunk_have_no_sleeve() -> None:
    group, label, lab = _photo(8)
    bare = np.where(_forearm().drawn, SKIN, label)
    assert np.array_equal(settle_sleeve_pixels(group, bare, lab, [_forearm()], _trunk(2.0)), group)
    behind = settle_sleeve_pixels(group, label, lab, [_forearm()], _trunk(1.5))
    assert np.array_equal(behind, group)
    assert np.array_equal(settle_sleeve_pixels(group, label, lab, [], _trunk(2.0)), group)


def test_cloth_beside_a_bare_arm_is_the_trunks() -> None:
    """A bare forearm's rim of cloth continues the trunk's; its watch touches no other cloth."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    drawn = (rows >= TOP) & (rows < BOTTOM) & (cols < 50)
    group = np.where(drawn, LEFT_ARM, np.where(rows >= BOTTOM, TORSO, -1))
    label = np.where(drawn, SKIN, UPPER)
    rim, watch = drawn & (rows >= BOTTOM - 2), drawn & (rows < TOP + 1) & (cols < 6)
    sleeve = drawn & (cols >= 30)
    label[rim | watch | sleeve] = UPPER
    released = release_other_cloth(group, label, LAB, (69.5 - cols) * METRE, {})
    np.testing.assert_array_equal(released != group, rim & ~sleeve)
    assert (released[rim & ~sleeve] == TORSO).all()


@pytest.mark.parametrize("width", [3, 14])
def test_a_sliver_of_cloth_is_the_trunks_where_the_other_arm_is_bare(width: int) -> None:
    """A short shirt's shaded side lies where the far arm would be, behind the trunk."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    left, right = cols < 14, cols >= SIDE - width
    group = np.where(left, LEFT_ARM, np.where(right, RIGHT_ARM, TORSO))
    along = np.where(cols < SIDE // 2, 1.0, -1.0) * (0.2 + rows * METRE)
    sleeve = rows < SIDE // 3
    label = np.where(left & ~sleeve, SKIN, UPPER)
    out = release_other_cloth(group, label, LAB, along, {})
    released = right & ~sleeve & (width < 5)
    # The ring that the sleeve's end crosses may be either.
    sure = np.abs(rows - SIDE // 3) > 0.02 / METRE
    np.testing.assert_array_equal((out != group)[sure], released[sure])


@pytest.mark.parametrize(
    ("beside", "released"),
    [(LOWER, True), (UPPER, False)],  # an arm fitted six columns too wide; a wide sleeve
)
def test_lower_wear_beside_an_arm_is_never_its_sleeve(beside: int, released: bool) -> None:
    rows, cols = np.mgrid[:SIDE, :SIDE]
    own = cols < 20
    label = np.where(cols < 14, UPPER, beside)
    group = np.where(own, LEFT_ARM, TORSO)
    out = release_other_cloth(group, label, LAB, 0.2 + rows * METRE, {})
    np.testing.assert_array_equal(out == TORSO, (cols >= 14) if released else ~own)
    trousers = np.full(label.shape, LOWER)  # of the same colour: all of it was called so
    out = release_other_cloth(group, trousers, LAB, 0.2 + rows * METRE, {})
    np.testing.assert_array_equal(out, group)


def test_skin_all_along_an_arm_says_that_cloth_beside_it_is_the_trunks() -> None:
    """Where the other arm is bare; sleeves end across arms."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    left, right = cols < 14, cols >= SIDE - 14
    group = np.where(left, LEFT_ARM, np.where(right, RIGHT_ARM, TORSO))
    label = np.where(left | (cols >= SIDE - 3), SKIN, UPPER)
    along = np.where(cols < SIDE // 2, 1.0, -1.0) * (0.2 + rows * METRE)
    out = release_other_cloth(group, label, LAB, along, {})
    np.testing.assert_array_equal(out == TORSO, ~left & (label == UPPER))


@pytest.mark.parametrize(
    ("hidden", "worn", "lighter"),
    [(True, UPPER, 12.0), (False, UPPER, 12.0), (False, UPPER, 4.0), (False, LOWER, 12.0)],
)
def test_no_sleeve_begins_again_beyond_bare_skin(hidden: bool, worn: int, lighter: float) -> None:
    """Hands behind the back: where the fit has the forearms, the photo shows the trunk's cloth.

    So it does where a hand holds the skirt, or is behind it. Upper wear that looks otherwise may be
    a glove's.
    """
    rows, cols = np.mgrid[:SIDE, :SIDE]
    own, bare = cols < 20, rows < SIDE // 2
    group = np.where(own, LEFT_ARM, TORSO)
    label = np.where(own & bare, SKIN, worn)
    handless = (LEFT_ARM,) if hidden else ()
    lab = LAB + np.where(own, lighter, 0.0)[..., None] * [1.0, 0.0, 0.0]
    out = release_other_cloth(group, label, lab, 0.2 + rows * METRE, {}, handless)
    sure = np.abs(rows - SIDE // 2) > 0.02 / METRE
    released = hidden or worn == LOWER or lighter < S.like
    np.testing.assert_array_equal((out == TORSO)[sure], (~own | (~bare & released))[sure])


@pytest.mark.parametrize("bare", [False, True])
def test_a_cuff_shows_around_the_hand_of_a_forearm_that_points_at_the_camera(bare: bool) -> None:
    """Unless skin before the wrist says that the sleeve has ended."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    own = cols < 20
    along = np.where(rows < 40, 0.2 + rows * METRE, 0.66 + (rows - 40) * METRE)  # no forearm shows
    hand = own & (rows >= 40) & (rows < 65)
    label = np.where(hand, SKIN, UPPER)
    if bare:  # three rings of it; two may be fingers that the fit missed
        label[own & (along > 0.32) & (along < 0.4)] = SKIN
    else:
        label[own & (along > 0.34) & (along < 0.38)] = SKIN
    cuff = own & (rows >= 65)
    group = np.where(own, LEFT_ARM, TORSO)
    out = release_other_cloth(group, label, LAB, along, {})
    assert (out[cuff] == TORSO).all()
    pointing = {LEFT_ARM: cuff & (rows < 75)}
    kept = release_other_cloth(group, label, LAB, along, pointing)
    stays = np.full(group.shape, not bare) & (rows < 75)
    np.testing.assert_array_equal(kept[cuff] == LEFT_ARM, stays[cuff])
    trousers = np.where(cuff, LOWER, label)
    out = release_other_cloth(group, trousers, LAB, along, pointing)
    assert (out[cuff] == TORSO).all()
    # Where the photo shows only the shoulder, there are too few rings to look for a wrist.
    out = release_other_cloth(group, label, LAB, 0.1 * along, pointing)
    assert out.shape == group.shape


def test_skin_before_the_fitted_trunk_is_the_arms_beside_clothes_only() -> None:
    """A trunk fitted five columns too wide; a neckline on the same picture stays the trunk's."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    skin_of_arm, neckline = cols < 14, (rows < 4) & (cols >= 14)
    label = np.where(skin_of_arm | neckline, SKIN, UPPER)
    group = np.where(cols < 9, LEFT_ARM, TORSO)
    forearm = {LEFT_ARM: np.zeros_like(skin_of_arm)}
    out = claim_bare_skin(group, label, {LEFT_ARM: cols < 20}, forearm)
    low = rows > 10  # above, the neckline is as near as the clothes
    np.testing.assert_array_equal((out == LEFT_ARM)[low], skin_of_arm[low])
    assert (out[neckline] == TORSO).all()
    # Skin that hangs together with no arm is the trunk's.
    apart = np.where(cols == 10, UPPER, label)
    out = claim_bare_skin(group, apart, {LEFT_ARM: cols < 20}, forearm)
    assert (out[:, 11:] == TORSO).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_skin_between_an_upper_arm_and_the_background_is_its_own(mirrored: bool) -> None:
    """A shoulder fitted four columns too wide; below the elbow it is a flank beside a hand."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    arm, outside = (cols >= 6) & (cols < 12), (cols >= 2) & (cols < 6)
    group = np.select([cols < 2, arm], [-1, LEFT_ARM], TORSO)
    label = np.where(cols < 12, SKIN, UPPER)
    upper = np.broadcast_to(rows < 40, group.shape)
    strap = outside & (rows >= 10) & (rows < 15)  # what hangs there is of the trunk
    label[strap] = UPPER
    flip = slice(None, None, -1 if mirrored else 1)
    out = claim_bare_skin(
        group[:, flip], label[:, flip], {LEFT_ARM: arm[:, flip]}, {LEFT_ARM: upper}
    )[:, flip]
    np.testing.assert_array_equal(out == LEFT_ARM, arm | (outside & upper & ~strap))
    # What goes on beyond the arm's surroundings, or to the frame, is a bare trunk.
    skin = np.where(cols < 12, SKIN, UPPER)
    to_frame = np.where(group < 0, TORSO, group)
    for seen, near in ((group, upper & (cols >= 4)), (to_frame, upper)):
        out = claim_bare_skin(seen, skin, {LEFT_ARM: arm}, {LEFT_ARM: near})
        np.testing.assert_array_equal(out == LEFT_ARM, arm)


def test_the_upper_arm_ends_at_the_elbow(average: Body) -> None:
    f = average.f[vertex_groups(average)[average.f[:, 0]] == LEFT_ARM]
    vertices = np.asarray(average.v_template) - [0.3, 0.35, 2.0]
    camera = photo_camera(400.0, 200, 200)
    buffer = rasterize_mesh(vertices, f, camera)
    found = find_upper_arm(buffer, f, average, camera)
    elbow = average.J_template[JOINT_INDEX["left_elbow"]] - [0.3, 0.35, 2.0]
    column = project(elbow[None], camera)[0][0, 0]
    cols = np.broadcast_to(np.arange(200), found.shape)
    drawn = buffer.face >= 0
    sure = drawn & (np.abs(cols - column) > 10)
    np.testing.assert_array_equal(found[sure], (cols < column)[sure])
    away = distance_transform_edt(~drawn) * 2.0 / 400.0
    beside = ~drawn & (cols < column - 30) & (cols > 5)
    close = np.abs(away - S.beside_upper_arm) > 0.01
    np.testing.assert_array_equal(
        found[beside & close], (away < S.beside_upper_arm)[beside & close]
    )


def test_a_flounce_over_a_bare_arm_is_the_trunks() -> None:
    """It covers the arm's inner side, where a sleeve goes round; the other arm is bare, too.

    Between two clothed arms, skin along one outline is a lit edge.
    """
    rows, cols = np.mgrid[:SIDE, :SIDE]
    left, right = (cols >= 4) & (cols < 20), (cols >= 60) & (cols < 76)
    background = (cols < 4) | (cols >= 76)
    group = np.select([background, left, right], [-1, LEFT_ARM, RIGHT_ARM], TORSO)
    along = 0.2 + rows * METRE
    flounce = left & (cols >= 10) & (along > 0.3) & (along < 0.4)
    for other in (SKIN, UPPER):
        label = np.select([flounce, left, right], [UPPER, SKIN, other], UPPER)
        if other == UPPER:  # nor does the rest of this arm show any skin
            label = np.where(left & ~((cols < 10) & (along > 0.3) & (along < 0.4)), UPPER, label)
        out = release_other_cloth(group, label, LAB, along, {})
        sure = flounce & (along > 0.32) & (along < 0.38)
        assert (out[sure] == (TORSO if other == SKIN else LEFT_ARM)).all()


def _bare_forearm(edge: tuple[float, float, float], cloth: tuple[float, float, float]) -> BoolArray:
    """[H, W] what becomes skin where a bare arm's lower four rows, ``edge``, are labelled cloth.

    Args:
        edge: L*a*b* of these rows.
        cloth: L*a*b* of the trunk's cloth behind the arm.
    """
    rows, cols = np.mgrid[:SIDE, :SIDE]
    drawn = (rows >= TOP) & (rows < BOTTOM)
    skin, seam = drawn & (rows < BOTTOM - 4), drawn & (rows >= BOTTOM - 4)
    group = np.where(drawn, LEFT_ARM, TORSO)
    label = np.where(skin, SKIN, UPPER)
    lab = np.where(skin[..., None], (72.0, 13.0, 17.0), np.where(seam[..., None], edge, cloth))
    depth = np.full((SIDE, SIDE), 1.8)
    face = np.where(drawn, 0, -1)
    arm = MeshBuffer(face=face, bary=np.zeros((SIDE, SIDE, 3)), depth=depth, back_depth=depth)
    focal = 1.8 / METRE
    K = np.array([[focal, 0.0, SIDE / 2], [0.0, focal, SIDE / 2], [0.0, 0.0, 1.0]])
    camera = Camera(np.eye(4), K, SIDE, SIDE)
    limb, label = claim_shaded_skin(group, label, lab, cols * METRE, {LEFT_ARM: arm}, camera)
    found = (label == SKIN) & ~skin
    assert (limb[found] == LEFT_ARM).all()
    np.testing.assert_array_equal(limb[~found], group[~found])
    assert not (found & ~seam).any()
    return np.asarray(found[seam])


def test_the_shaded_edge_of_an_arm_is_skin_in_front_of_beige_cloth() -> None:
    """A dark edge of its own hue is the arm's; one of the cloth's hue, black or pale is not."""
    beige = (74.0, 1.0, 12.0)
    assert _bare_forearm((50.0, 9.5, 13.0), beige).mean() > 0.95
    assert not _bare_forearm((50.0, 1.0, 9.0), beige).any()
    assert _bare_forearm((34.0, 11.0, 14.0), beige).mean() > 0.95  # its own light: more saturated
    assert not _bare_forearm((8.0, 1.0, 1.5), (9.0, 0.0, 0.0)).any()
    assert not _bare_forearm((92.0, 12.0, 17.0), (45.0, 60.0, 40.0)).any()


def test_the_border_is_the_cheapest_of_all() -> None:
    rng = np.random.default_rng(5)
    person = np.ones((4, 5), bool)
    may = np.zeros_like(person)
    may[1:3, 1:4] = True
    own = np.zeros_like(person)
    own[0] = True
    for _ in range(5):
        lab = rng.normal(0.0, 5.0, (4, 5, 3))
        beyond = rng.normal(0.0, 0.03, (4, 5))
        costs = {
            choice: _cost(np.array(choice).reshape(2, 3), may, own, person, lab, beyond)
            for choice in product((False, True), repeat=6)
        }
        won = cut_along_edges(may, own, person, lab, S.prior * beyond)
        found = costs[tuple(bool(x) for x in won[1:3, 1:4].ravel())]
        assert found == pytest.approx(min(costs.values()), abs=0.02)


def _cost(
    choice: BoolArray,
    may: BoolArray,
    own: BoolArray,
    person: BoolArray,
    lab: FloatArray,
    beyond: FloatArray,
) -> float:
    """The cost of one division, link by link."""
    arm = own.copy()
    arm[1:3, 1:4] = choice
    first, second, length = neighbour_links(person)
    colors, side, free = lab[person], arm[person], may[person]
    steps = [
        float(((colors[a] - colors[b]) ** 2).sum()) for a, b in zip(first, second, strict=True)
    ]
    usual = np.mean(
        [s for s, a, b in zip(steps, first, second, strict=True) if free[a] and free[b]]
    )
    total = float((S.prior * np.abs(beyond))[may & (arm != (beyond < 0))].sum())
    for step, a, b, far in zip(steps, first, second, length, strict=True):
        if side[a] != side[b]:
            total += CUTS.border * float(np.exp(-CUTS.sharp * step / usual)) / float(far)
    return total


def test_a_forearm_reaches_from_elbow_to_wrist(average: Body) -> None:
    pose = replace(build_pose("relaxed", average), transl=np.array([0.0, 0.1, -3.0]))
    vertices = average.vertices(pose)[0]
    camera = photo_camera(420.0, 240, 260)
    f = average.f[vertex_groups(average)[average.f[:, 0]] == LEFT_ARM]
    arm = Forearm.of(LEFT_ARM, 18, 20, rasterize_mesh(vertices, f, camera), f, average, camera)
    _, joints = average.vertices(pose)
    xy, _ = project(np.asarray(joints)[[16, 18, 20, 25]], camera)
    shoulder, elbow, wrist, finger = xy

    def near(point: FloatArray) -> bool:
        return bool(arm.near[int(point[1]), int(point[0])])

    assert near(0.4 * elbow + 0.6 * wrist)
    assert near(0.7 * elbow + 0.3 * wrist)
    assert not near(0.5 * shoulder + 0.5 * elbow)
    assert not near(finger)
    assert (arm.beyond[arm.drawn] == 0.0).all()


def test_neck_skin_beside_a_shoulder_does_not_bare_the_arm() -> None:
    """Its skin counts as the arm's beside a wide collar; the sleeve below stays a sleeve."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    group = np.where(cols < 20, LEFT_ARM, TORSO)
    along = 0.1 + rows * METRE
    label = np.where((cols < 20) & (along < 0.17), SKIN, UPPER)
    out = release_other_cloth(group, label, LAB, along, {})
    covered = along > 0.2
    np.testing.assert_array_equal(out[covered], group[covered])
