"""A skirt drapes over its wearer's legs as pose correctives, and hangs in the photo as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.extension import unpose_points
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import FloatArray, Pose
from likeness.engine.gaussians.lift.skirts.skirt import Skirt
from likeness.engine.gaussians.lift.skirts.skirt_cloth import (
    STATIONS,
    Cloth,
    measure_limbs,
    push_out,
    settle,
    stand_off,
)
from likeness.engine.gaussians.lift.skirts.skirt_drape import DRIVERS, drape_features
from likeness.engine.gaussians.lift.skirts.skirt_skinning import COLUMNS, RINGS

from .test_lift_skirt import HEM, TOP, WAIST, Scene, photograph

SIT = {
    "left_hip": [-1.45, 0, 0.05],
    "right_hip": [-1.45, 0, -0.05],
    "left_knee": [1.45, 0, 0],
    "right_knee": [1.45, 0, 0],
}
KNEEL = {"left_hip": [-1.7, 0, 0.05], "left_knee": [1.6, 0, 0], "right_knee": [1.6, 0, 0]}
LUNGE = {"left_hip": [-1.1, 0, 0], "left_knee": [0.9, 0, 0], "right_hip": [0.5, 0, 0]}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return photograph(width=0.42)


@pytest.fixture(scope="module")
def skirt(scene: Scene) -> Skirt:
    found = scene.found()
    assert found is not None
    return found


def posed(
    scene: Scene, skirt: Skirt, drape: bool = True, **joints: list[float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The skirt [RINGS, COLUMNS, 3], the limbs' origins and axes, on somebody who stands there."""
    pose = Pose.rest(scene.body.num_expression).with_joints(**joints)
    if not drape:
        assert skirt.piece.posedirs is not None
        own = skirt.piece.posedirs @ drape_features(scene.pose)
        piece = replace(skirt.piece, vertices=skirt.piece.vertices + own, posedirs=None)
        skirt = replace(skirt, piece=piece)
    body = skirt.on(scene.body)
    vertices, _ = body.vertices(pose)
    _, _, R, t = body.rest_and_transforms(pose)
    limbs = measure_limbs(scene.body)
    origins = np.einsum("lab,lb->la", R[limbs.joint], limbs.origin) + t[limbs.joint]
    turns = np.einsum("lka,lba->lkb", limbs.axes, R[limbs.joint])
    return vertices[-RINGS * COLUMNS :].reshape(RINGS, COLUMNS, 3), origins, turns


def inside(scene: Scene, skirt: Skirt, drape: bool = True, **joints: list[float]) -> float:
    """How far, in metres, the legs reach through the lower half of the skirt."""
    grid, origins, turns = posed(scene, skirt, drape, **joints)
    limbs = measure_limbs(scene.body)
    lower = grid[RINGS // 2 :].reshape(-1, 3)
    off = stand_off(lower, origins, turns, limbs.length, limbs.radius)[:, :4]
    return float(max(-off.min(), 0.0))


def test_in_the_photos_pose_it_hangs_as_skinning_has_it() -> None:
    """Also of somebody who stands with one leg ahead and bent, where the correctives act."""
    scene = photograph(
        width=0.42, left_hip=[-0.35, 0, 0.08], left_knee=[0.3, 0, 0], right_hip=[0.15, 0, -0.08]
    )
    skirt = scene.found()
    assert skirt is not None
    vertices, joints = skirt.on(scene.body).vertices(scene.pose)
    points = vertices[-RINGS * COLUMNS :]
    assert skirt.piece.posedirs is not None
    own = skirt.piece.posedirs @ drape_features(scene.pose)
    assert np.abs(own).max() > 0.01
    # Skinned alone from where skinning alone would have it at rest, it is in the same place.
    rest = unpose_points(points, skirt.piece.weights, scene.pose, scene.body)
    np.testing.assert_allclose(skirt.piece.vertices, rest - own, atol=2e-5)
    # That place is the photographed cone's outline: at its sides, between waist and hem.
    x, y = (points - joints[0])[:, :2].reshape(RINGS, COLUMNS, 2).transpose(2, 0, 1)
    share = (WAIST - y.mean(1)) / (WAIST - HEM)
    inner = (share > 0.3) & (share < 0.95)
    wide = TOP + (0.42 - TOP) * share
    off = np.ptp(x, axis=1)[inner] / 2 - wide[inner]
    assert np.abs(off).max() < 0.03


@pytest.mark.parametrize("joints", [SIT, KNEEL, LUNGE], ids=["sit", "kneel", "lunge"])
def test_legs_stay_inside_where_skinning_alone_lets_them_through(
    scene: Scene, skirt: Skirt, joints: dict[str, list[float]]
) -> None:
    assert inside(scene, skirt, drape=False, **joints) > 0.06
    assert inside(scene, skirt, **joints) < 0.03


def test_beside_the_thighs_of_somebody_who_sits_it_hangs_down(scene: Scene, skirt: Skirt) -> None:
    """A board would stand out at the height of the thighs, as wide as when they stand."""
    plain, _, _ = posed(scene, skirt, drape=False, **SIT)
    grid, _, _ = posed(scene, skirt, **SIT)
    side = [COLUMNS // 4, 3 * COLUMNS // 4]
    thighs = scene.body.J_template[1, 1]
    assert (grid[-1, side, 1] < thighs - 0.1).all()
    assert (grid[-1, side, 1] < plain[-1, side, 1] - 0.02).all()
    assert np.ptp(grid[-1, :, 0]) < 0.9 * np.ptp(plain[-1, :, 0])


def test_it_keeps_its_cloth(scene: Scene, skirt: Skirt) -> None:
    """Threads grow and shrink less than by skinning alone, and none tears."""
    still, _, _ = posed(scene, skirt)
    for joints in (SIT, KNEEL, LUNGE):
        strains = []
        for drape in (True, False):
            grid, _, _ = posed(scene, skirt, drape, **joints)
            ratio = [
                np.linalg.norm(np.roll(grid, -1, axis) - grid, axis=-1)[: RINGS - 1]
                / np.linalg.norm(np.roll(still, -1, axis) - still, axis=-1)[: RINGS - 1]
                for axis in (0, 1)
            ]
            strains.append(np.quantile(np.concatenate(ratio), 0.98))
        assert strains[0] < max(1.8, 1.1 * strains[1])


def test_features_are_entries_of_rotations() -> None:
    pose = Pose.rest(0).with_joints(left_hip=[-1.0, 0.2, 0.1], right_knee=[0.8, 0.3, 0.0])
    found = drape_features(pose).reshape(len(DRIVERS), 3, 3)
    R = axis_angle_to_matrix(np.asarray(pose.full_pose))[list(DRIVERS)] - np.eye(3)
    np.testing.assert_allclose(found[:2], R[:2])
    np.testing.assert_allclose(found[2:, 1:, 1:], R[2:, 1:, 1:])
    assert not found[2:, 0].any()
    assert not found[2:, :, 0].any()


@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_points_leave_a_limb_straight_off_its_bone(tilt: float) -> None:
    c, s = np.cos(tilt), np.sin(tilt)
    turns = np.array([[[c, s, 0], [-s, c, 0], [0, 0, 1.0]]])
    origins, lengths = np.array([[0.1, 0.2, 0.0]]), np.array([0.4])
    radii = np.full((1, STATIONS, 8), 0.1)
    local = np.array([[0.2, 0.03, 0.04], [0.2, 0.3, 0.0], [0.9, 0.01, 0.0], [0.2, 0.0, 0.05]])
    points = origins[0] + local @ turns[0]
    off = stand_off(points, origins, turns, lengths, radii)[:, 0]
    np.testing.assert_allclose(off, [-0.05, 0.2, 1.0, -0.05], atol=1e-9)
    clear = np.full((4, 1), 0.02)
    moved = points.copy()
    push_out(moved, np.array([0, 0, 0, 1]), clear, origins, turns, lengths, radii)
    expected = local.copy()
    expected[0, 1:] *= 0.12 / 0.05
    np.testing.assert_allclose((moved - origins[0]) @ turns[0].T, expected, atol=1e-9)


def test_cloth_hangs_from_what_holds_it_without_growing() -> None:
    """A cone held at its top, without legs: its hem comes down, its threads stay as long."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    r, y = np.linspace(0.1, 0.5, 10)[:, None], np.linspace(0.0, -0.1, 10)[:, None]
    y = np.broadcast_to(y, (10, 24))
    grid = np.stack([r * np.cos(turn), y, r * np.sin(turn)], -1)
    held = np.zeros((10, 24), int)
    held[0] = 1
    cloth = Cloth.of(grid, held, 0.1, 0.0, 0.05)
    x = cloth.start.copy()
    no_limbs = np.zeros((0, 3)), np.zeros((0, 3, 3)), np.zeros(0), np.zeros((0, STATIONS, 8))
    clear = np.zeros((len(x), 0))
    settle(
        x, cloth.start, cloth.held, cloth.edges, cloth.lengths, cloth.stiffness, clear,
        *no_limbs, 0.001, 0.0, 1.0, 400,
    )  # fmt: skip
    np.testing.assert_array_equal(x[:24], cloth.start[:24])
    hem = x.reshape(10, 24, 3)[-1]
    assert hem[:, 1].max() < -0.3
    assert np.hypot(hem[:, 0], hem[:, 2]).mean() < 0.3
    lengths = np.linalg.norm(x[cloth.edges[:, 0]] - x[cloth.edges[:, 1]], axis=1)
    assert (lengths / cloth.lengths).max() < 1.15


def test_limbs_are_measured_on_the_mesh(scene: Scene) -> None:
    """A thigh that is an ellipse across: 9 cm ahead and behind, 6 cm aside."""
    begin, end = (np.asarray(scene.body.J_template[j], np.float64) for j in (1, 4))
    t, turn = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 2 * np.pi, 90, endpoint=False))
    v = begin + t[..., None] * (end - begin)
    v = v + np.stack([0.06 * np.sin(turn), 0 * turn, 0.09 * np.cos(turn)], -1)
    weights = np.zeros((v[..., 0].size, scene.body.weights.shape[1]))
    weights[:, 1] = 1.0
    limbs = measure_limbs(replace(scene.body, v_template=v.reshape(-1, 3), weights=weights))
    middle = 0.5 * (begin + end)
    aside = [[0.0, 0, 0.1], [0.0, 0, -0.1], [0.1, 0, 0], [-0.1, 0, 0], [0, 0, 0.05]]
    places = middle + np.array(aside)
    off = stand_off(places, limbs.origin, limbs.axes, limbs.length, limbs.radius)[:, 0]
    np.testing.assert_allclose(off, [0.01, 0.01, 0.04, 0.04, -0.04], atol=0.004)


def test_only_the_skirt_has_correctives(scene: Scene, skirt: Skirt) -> None:
    """Its pose correctives are the skirt's alone, of hips and knees."""
    body = skirt.on(scene.body)
    assert body.pose_joints == DRIVERS
    assert body.posedirs is not None
    assert not body.posedirs[: len(scene.body.v_template)].any()
