"""Texels that would stand before what the photo shows: hidden hands, and arms fitted beside it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project, unproject
from likeness.engine.core.types import JOINT_INDEX, FloatArray
from likeness.engine.gaussians.lift.grids.pixel_grids import distance_inside
from likeness.engine.gaussians.lift.photo.hand_texels import S as HAND_TEXELS
from likeness.engine.gaussians.lift.photo.hand_texels import (
    find_cuff,
    find_leaving_hands,
    move_hands_behind,
)
from likeness.engine.gaussians.lift.photo.limb_texels import (
    S,
    draw_in_before_arms,
    fit_beside_limbs,
    move_beside_limbs,
    sink_behind_arms,
)
from likeness.engine.gaussians.lift.photo.outline_texels import move_inside
from likeness.engine.gaussians.lift.photo.photo_view import PhotoLookup
from likeness.engine.gaussians.lift.splats.texel_colors import S as TEXEL_COLORS
from likeness.engine.gaussians.lift.splats.texels import S as TEXELS
from likeness.engine.gaussians.lift.splats.texels import _close_gaps
from likeness.engine.gaussians.lift.surface.limbs import (
    HANDS,
    HEAD,
    LEFT_ARM,
    TORSO,
    hand_triangles,
)
from likeness.engine.gaussians.lift.surface.surfels import pixel_centres

CAMERA = photo_camera(200.0, 40, 30)
"""A pixel spans half a centimetre at a metre."""


def view(arm: Any, front: float) -> Any:
    """A person who fills the picture; ``arm`` [30, 40] shows the left arm, at a metre."""
    depth = np.where(arm, 1.0, front)
    shows = [(0, ~arm), (LEFT_ARM, arm)]
    sheets = [SimpleNamespace(group=g, visible=v, mask=v, front=depth) for g, v in shows]
    group = np.where(arm, LEFT_ARM, TORSO)
    regions = SimpleNamespace(mask=np.ones((30, 40), bool), group=group)
    return SimpleNamespace(
        camera=CAMERA, alpha=np.ones((30, 40)), regions=regions, sheets=tuple(sheets)
    )


def test_an_arms_texels_before_the_trunk_go_to_the_arm_beside_it() -> None:
    arm = np.zeros((30, 40), bool)
    arm[:, 20:] = True
    points = unproject(pixel_centres(CAMERA).reshape(-1, 2), np.full(1200, 1.0), CAMERA)
    group = np.full(1200, LEFT_ARM)
    before = project(points, CAMERA)[0][:, 0]
    fixed = np.zeros(1200, bool)
    moved = move_beside_limbs(points, group, fixed, TEXELS.under_photo, view(arm, 1.2))
    after = project(moved, CAMERA)[0][:, 0]
    near = (before > 22 - 200 * S.max_shift) & (before < 20)
    assert near.any()
    assert (after[near] > 20).all()
    far = before < 20 - 200 * S.max_shift
    np.testing.assert_array_equal(moved[far], points[far])
    np.testing.assert_array_equal(moved[before > 22], points[before > 22])
    # Behind the trunk, or fixed, they stay.
    np.testing.assert_array_equal(
        move_beside_limbs(points, group, ~fixed, TEXELS.under_photo, view(arm, 1.2)), points
    )
    behind = move_beside_limbs(points, group, fixed, TEXELS.under_photo, view(arm, 0.9))
    np.testing.assert_array_equal(behind[before < 19], points[before < 19])


def test_a_trunks_texels_before_an_arm_beside_it_go_to_its_outline() -> None:
    arm = np.zeros((30, 40), bool)
    arm[:, 20:] = True
    pixels = pixel_centres(CAMERA).reshape(-1, 2) + np.array([0.3, -0.2])
    below, fixed = TEXELS.under_photo, np.zeros(1200, bool)
    points = unproject(pixels, np.full(1200, 0.97), CAMERA)

    def draw(group: int, front: float) -> tuple[FloatArray, FloatArray]:
        groups = np.full(1200, group)
        return project(draw_in_before_arms(points, groups, fixed, below, view(arm, front)), CAMERA)

    far = pixels[:, 0] > 20 + 200 * S.max_draw / 0.97  # of a trunk that is nearer than the arm
    drawn = (pixels[:, 0] > 20) & ~far
    assert far.any()
    xy, depth = draw(TORSO, 0.96)
    np.testing.assert_allclose(
        xy[drawn], np.column_stack([np.full(drawn.sum(), 19.8), pixels[drawn, 1]])
    )
    np.testing.assert_allclose(xy[~drawn], pixels[~drawn])
    np.testing.assert_allclose(depth, 0.97)
    # Not before what the photo shows of the trunk, nor far behind where they were.
    np.testing.assert_allclose(draw(TORSO, 0.99)[1][drawn], 0.99 + below)
    np.testing.assert_allclose(draw(TORSO, 0.97 + S.max_draw)[0], pixels)
    np.testing.assert_allclose(draw(HEAD, 0.96)[0], pixels)
    behind = unproject(pixels, np.full(1200, 1.1), CAMERA)
    same = draw_in_before_arms(behind, np.full(1200, TORSO), fixed, below, view(arm, 0.96))
    np.testing.assert_array_equal(same, behind)
    for across in (np.s_[10:20], np.s_[:, 14:24]):  # an arm before the trunk's middle
        arm = np.zeros((30, 40), bool)
        arm[across] = True
        same = draw_in_before_arms(points, np.full(1200, TORSO), fixed, below, view(arm, 0.96))
        np.testing.assert_array_equal(same, points)


def test_a_trunks_texels_before_an_arm_go_behind_it() -> None:
    arm = np.zeros((30, 40), bool)
    arm[:, 20:] = True
    pixels = pixel_centres(CAMERA).reshape(-1, 2)
    below, fixed = TEXELS.under_photo, np.zeros(1200, bool)
    over_arm = pixels[:, 0] > 20

    def sink(z: float, group: int) -> Any:
        points = unproject(pixels, np.full(1200, z), CAMERA)
        moved = sink_behind_arms(points, np.full(1200, group), fixed, below, view(arm, 1.0))
        xy, depth = project(moved, CAMERA)
        np.testing.assert_allclose(xy, pixels, atol=1e-9)
        np.testing.assert_array_equal(moved[~over_arm], points[~over_arm])
        return depth[over_arm]

    np.testing.assert_allclose(sink(0.97, TORSO), 1.0 + below)
    np.testing.assert_allclose(sink(0.97, HEAD), 0.97)
    np.testing.assert_allclose(sink(1.1, TORSO), 1.1)
    # Farther in front than any misfit: the arm is behind the back, say.
    np.testing.assert_allclose(sink(1.0 - S.max_sink, TORSO), 1.0 - S.max_sink)


def test_discs_of_an_arm_do_not_reach_over_the_trunk_behind_it() -> None:
    arm = np.zeros((30, 40), bool)
    arm[:, 20:] = True
    points = unproject(pixel_centres(CAMERA).reshape(-1, 2), np.full(1200, 1.0), CAMERA)
    group, radius = np.full(1200, LEFT_ARM), np.full(1200, 0.02)
    nothing = np.zeros(1200, bool)

    def fit(front: float) -> Any:
        scene = view(arm, front)
        scene.look_up = lambda points, _: SimpleNamespace(
            row=project(points, CAMERA)[0][:, 1].astype(int),
            col=project(points, CAMERA)[0][:, 0].astype(int),
            z=project(points, CAMERA)[1],
            inside=np.ones(len(points), bool),
        )
        return fit_beside_limbs(points, radius, group, nothing, TEXELS.under_photo, scene)

    x = project(points, CAMERA)[0][:, 0]
    reach = (x - 20.0) / 200.0  # metres to the border, a metre away
    beside = (x > 20) & (fit(1.2) < 1.0)
    assert beside.any()
    assert (
        fit(1.2)[beside] * radius[beside] <= np.maximum(reach, S.least_fit * radius)[beside]
    ).all()
    assert (fit(1.2)[reach > 0.03] == 1.0).all()
    assert (fit(0.9) == 1.0).all()  # what lies before the arm hides the disc


def test_long_texels_leave_no_gaps_where_there_is_room() -> None:
    long, wide = 0.0045, 0.0015
    u, v = np.meshgrid(np.arange(20) * long, np.arange(40) * wide, indexing="ij")
    points = np.stack([u.ravel(), v.ravel(), np.zeros(u.size)], -1)
    round_ = np.full(len(points), TEXEL_COLORS.spacing * TEXEL_COLORS.crisp * np.sqrt(long * wide))

    def cover(radius: FloatArray) -> float:
        """The least opacity between four texels in the middle."""
        away = np.linalg.norm(points - [9.5 * long, 19.5 * wide, 0.0], axis=1)
        return float(1.0 - np.prod(1.0 - TEXELS.opacity * np.exp(-0.5 * (away / radius) ** 2)))

    grown = _close_gaps(points, round_, np.full(len(points), np.inf))
    assert cover(grown) > 0.97
    assert cover(round_) < 0.92
    assert (grown <= TEXELS.most_closed * round_).all()
    np.testing.assert_array_equal(_close_gaps(points, round_, np.zeros(len(points))), round_)
    half = _close_gaps(points, round_, 1.2 * round_)
    np.testing.assert_allclose(half, 1.2 * round_)


def test_a_hidden_hand_is_pushed_back_as_a_whole() -> None:
    n = 100
    along = np.linspace(0.7, 0.9, n)
    xy = np.column_stack([np.linspace(2.0, 38.0, n), np.full(n, 15.5)])
    # The trunk's surface lies 5 mm behind half of the hand, and before the other half.
    z = np.where(np.arange(n) % 2, 1.0, 1.05)
    at = SimpleNamespace(
        row=xy[:, 1].astype(int),
        col=xy[:, 0].astype(int),
        z=z,
        inside=np.ones(n, bool),
        visible=np.arange(n) < 50,
    )
    hidden, group = np.ones(n, bool), np.full(n, LEFT_ARM)
    points = unproject(xy, z, CAMERA)
    nowhere = view(np.zeros((30, 40), bool), 1.005)
    args = np.ones(n, bool), group, along, np.zeros(n), np.ones(n), at, nowhere
    pushed, shows = move_hands_behind(points, hidden, *args)
    depth = project(pushed, CAMERA)[1]
    hand = along > along[0] + HAND_TEXELS.wrist
    assert not shows[hand].any()
    np.testing.assert_allclose(depth[hand] - z[hand], 0.009, atol=1e-6)
    assert depth[0] - z[0] < 1e-9
    assert (np.diff((depth - z)[::2]) >= -1e-9).all()
    # Of a seen hand only what lies where the photo shows another limb goes back.
    moved, shows = move_hands_behind(points, ~hidden, *args)
    np.testing.assert_array_equal(moved[:50], points[:50])
    depth = project(moved[50:], CAMERA)[1]
    np.testing.assert_allclose(depth, np.maximum(z[50:], 1.009), atol=1e-6)
    assert not shows.any()
    # Where it would show all the same it stays, or it would hang behind its fingers as crumbs.
    far = view(np.zeros((30, 40), bool), 1.1)
    stayed, _ = move_hands_behind(points, ~hidden, *args[:-1], far)
    np.testing.assert_array_equal(stayed, points)
    # What cannot be hidden is reported.
    deep = view(np.zeros((30, 40), bool), 1.3)
    assert move_hands_behind(points, hidden, *args[:-1], deep)[1][hand].all()


def test_what_cannot_be_hidden_of_a_wrist_becomes_a_cuff(average: Body) -> None:
    wrist = float(np.abs(average.J_template[JOINT_INDEX["left_wrist"], 0]))
    along = np.linspace(wrist - 0.02, wrist + 2 * HAND_TEXELS.wrist, 40)
    inside = np.arange(40) % 2 == 0
    at = SimpleNamespace(row=np.full(40, 15), col=np.arange(40), inside=inside)
    photo = view(np.zeros((30, 40), bool), 1.0)
    photo.regions.mask[:, 6:8] = False
    cuff = find_cuff(along, at, photo, average)
    near = inside & (along < wrist + 0.99 * HAND_TEXELS.wrist)
    near[6:8] = False
    assert cuff[near].all()
    assert not cuff[~inside].any()
    assert not cuff[6:8].any()
    assert not cuff[along > wrist + 1.01 * HAND_TEXELS.wrist].any()


def test_a_hand_below_the_frame_is_found_and_one_at_its_edge_is_not(average: Body) -> None:
    left, right = (np.nonzero(hand_triangles(average, joints))[0] for joints in HANDS)
    elsewhere = np.nonzero(average.face_part == average.part_names.index("torso"))[0]
    triangle = np.concatenate([left, right, elsewhere])
    inside = np.zeros(len(triangle), bool)
    inside[: len(left)][::5] = True
    inside[len(left) : len(left) + len(right)] = np.arange(len(right)) % 5 > 0
    found = find_leaving_hands(triangle, inside, average)
    np.testing.assert_array_equal(found, np.arange(len(triangle)) < len(left))


def test_discs_at_the_outline_move_in_where_there_is_room() -> None:
    y, x = np.mgrid[:30, :40] + 0.5
    person = (np.hypot(x - 13, y - 15) < 10) | ((x > 30) & (x < 33))  # a ball and a rod
    pixels = np.stack([x, y], -1)[person]
    points = unproject(pixels, np.ones(len(pixels)), CAMERA)
    row, col = (pixels[:, k].astype(np.int64) for k in (1, 0))
    at = PhotoLookup(row, col, np.ones(len(row)), np.ones(len(row), bool), np.ones(len(row), bool))
    reach = np.full(len(row), 0.015)  # three pixels
    moved = move_inside(points, reach, pixels[:, 1] > 8, at, distance_inside(person), CAMERA)
    after = project(moved, CAMERA)[0]
    np.testing.assert_allclose(moved[:, 2], points[:, 2])
    middle = np.array([13.0, 15.0])
    ball = (pixels[:, 0] < 30) & (pixels[:, 1] > 8)
    outward = np.hypot(*(after[ball] - middle).T)
    assert np.hypot(*(pixels[ball] - middle).T).max() > 9.0
    assert outward.max() < 10.0 - 3.0 + 1.0  # to a pixel
    deep = np.hypot(*(pixels - middle).T) < 6.0
    np.testing.assert_array_equal(moved[deep], points[deep])
    # A rod three pixels wide has no room for them, and fixed ones stay.
    assert (np.abs(after[pixels[:, 0] > 30, 0] - 31.5) <= 1.0).all()
    np.testing.assert_array_equal(moved[pixels[:, 1] < 8], points[pixels[:, 1] < 8])
