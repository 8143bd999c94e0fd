"""Holes and stray splats on a body of boxes: coats that are whole, torn, or hang far off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.benchmarks.figures.every_side import (
    LOOSE,
    NEAR,
    POSES,
    VIEW_ANGLES,
    ViewAngle,
    detect_loose_parts,
    measure_coverage,
    off_body_pct,
    surface_distance,
)
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, Avatar, BoundGaussians, Matte, Pose
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.synth.random_poses import posture
from likeness.engine.visual.view_cameras import focus_camera
from scipy.ndimage import binary_dilation

CAMERA = photo_camera(900.0, 320, 400)
LOOKED = (ViewAngle("full", 0.0, 0.0), ViewAngle("full", 150.0, 20.0), ViewAngle("head", 60.0, 0.0))
TWO_POSES = {name: POSES[name] for name in ("as in the photo", "stepping")}


def coat(body, off: float = 0.0, opacity: float = 0.99, spacing: float = 0.012) -> BoundGaussians:
    """Splats all over the body, ``off`` metres above its skin."""
    rng = np.random.default_rng(1)
    corners = np.asarray(body.v_template, np.float64)[body.f]
    area = 0.5 * np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    triangle = np.repeat(np.arange(len(body.f)), np.ceil(4 * area / spacing**2).astype(int) + 2)
    n = len(triangle)
    return BoundGaussians(
        triangle.astype(np.int32),
        rng.dirichlet(np.ones(3), n).astype(np.float32),
        np.tile([0.0, 0.0, off], (n, 1)).astype(np.float32),
        np.tile([1.0, 0, 0, 0], (n, 1)).astype(np.float32),
        np.tile([spacing, spacing, 1e-4], (n, 1)).astype(np.float32),
        np.full(n, opacity, np.float32),
        np.full((n, 3), 0.5, np.float32),
        np.zeros(n, np.uint8),
    )


@pytest.fixture(scope="module")
def dressed() -> Avatar:
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    full_pose = np.zeros((NUM_JOINTS, 3))
    pose = Pose(full_pose, np.array([0.0, 0.1, -4.0]), np.zeros(body.num_expression))
    arms = posture("A", "A", "together")
    return Avatar(body, coat(body), pose.with_joints(**arms), CAMERA, "full")


def matte_of(avatar: Avatar, grown: int = 0) -> Matte:
    vertices, _ = avatar.body.vertices(avatar.pose)
    person = rasterize_mesh(vertices, avatar.body.f, avatar.camera).face >= 0
    if grown:
        person = binary_dilation(person, iterations=grown)
    return Matte(person.astype(np.float32), np.full((*person.shape, 3), 0.5, np.float32))


def test_a_whole_coat_has_no_holes_and_no_strays(dressed: Avatar) -> None:
    found = measure_coverage(dressed, matte_of(dressed), LOOKED[1:], TWO_POSES)
    assert found.holes.keys() == TWO_POSES.keys()
    assert found.holes_pct < 0.05
    assert found.stray_pct == 0.0
    assert found.left_out == ()
    assert found.photo_stray == 0.0


def test_what_is_torn_out_is_a_hole_of_its_size(dressed: Avatar) -> None:
    """What only the trunk covers of the body's projection, counted with the z-buffer."""
    trunk = np.isin(
        dressed.body.f[:, 0],
        np.flatnonzero(
            dressed.body.weights[:, [JOINT_INDEX[f"spine{k}"] for k in (1, 2, 3)]].sum(1) > 0.5
        ),
    )
    fine = coat(dressed.body, spacing=0.006)
    torn = replace(dressed, gaussians=fine.take(~trunk[fine.triangle]))
    pose = dressed.pose
    camera = focus_camera(dressed, pose, "full", 0.0, 0.0, 288, 384)
    vertices, f = dressed.body.vertices(pose)[0], dressed.body.f
    whole, rest = (rasterize_mesh(vertices, g, camera).face >= 0 for g in (f, f[~trunk]))
    expected = 100.0 * (whole & ~rest).sum() / whole.sum()
    found = measure_coverage(
        torn, matte_of(dressed), LOOKED[:1], {"photo": POSES["as in the photo"]}
    )
    # A rim of the projection is not looked at, and neighbours' splats reach a little way in.
    assert found.holes_pct == pytest.approx(expected, rel=0.2)
    nothing = replace(dressed, gaussians=dressed.gaussians.take(slice(0, 0)))
    bare = measure_coverage(nothing, matte_of(dressed), LOOKED[:1], TWO_POSES)
    assert bare.holes_pct == 100.0
    assert bare.left_out == ("left hand", "right hand")


def test_half_transparent_is_half_a_hole(dressed: Avatar) -> None:
    """One layer of splats that hide each other: a body of alpha a has holes of 1 - a."""
    one = coat(dressed.body, opacity=0.02)
    thin = replace(dressed, gaussians=one)
    thick = replace(dressed, gaussians=replace(one, opacities=2 * one.opacities))
    views = LOOKED[:1], {"photo": POSES["as in the photo"]}
    first, second = (
        measure_coverage(a, matte_of(dressed), *views).holes_pct for a in (thin, thick)
    )
    # Twice the opacity squares what shines through, where this does not vary much.
    assert second / 100 == pytest.approx((first / 100) ** 2, rel=0.35)


def test_what_hangs_off_the_body_is_stray(dressed: Avatar) -> None:
    views = LOOKED[:1], {"photo": POSES["as in the photo"]}
    shares = {}
    for off in (NEAR - 0.01, NEAR + 0.02):
        around = replace(dressed, gaussians=coat(dressed.body, off=off))
        shares[off] = measure_coverage(around, matte_of(dressed), *views).stray_pct
    near, far = shares.values()
    assert near == 0.0
    assert far > 50.0  # all that is not beside a neighbouring part of the body


def test_loose_things_may_stand_off_farther(dressed: Avatar) -> None:
    """8 cm around the body in the photo itself: hair and a skirt, so 10 cm are no strays there."""
    pixels = round(0.08 * 900.0 / 4.0)
    wide = matte_of(dressed, grown=pixels)
    assert detect_loose_parts(dressed, matte_of(dressed)) == ()
    assert detect_loose_parts(dressed, wide) == ("hair", "cloth")
    assert off_body_pct(dressed, wide) > 0.3  # the arms carry neither
    head = np.isin(
        dressed.body.f[:, 0], np.flatnonzero(dressed.body.weights[:, JOINT_INDEX["head"]] > 0.5)
    )
    hair = coat(dressed.body, off=0.1)
    hair = hair.take(head[hair.triangle])
    avatar = replace(dressed, gaussians=hair)
    views = (ViewAngle("head", 0.0, 0.0),), {"photo": POSES["as in the photo"]}
    assert measure_coverage(avatar, wide, *views).stray_pct < 1.0
    assert measure_coverage(avatar, matte_of(dressed), *views).stray_pct > 50.0
    far = replace(avatar, gaussians=replace(hair, offset=hair.offset * (LOOSE + 0.02) / 0.1))
    assert measure_coverage(far, wide, *views).stray_pct > 50.0


def test_distance_to_a_mesh_is_that_to_its_triangles() -> None:
    rng = np.random.default_rng(0)
    vertices = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0]], dtype=float)
    f = np.array([[0, 1, 2], [1, 3, 2]])
    height = rng.uniform(0.03, 0.09, 200)
    points = np.column_stack([rng.uniform(0.0, 0.08, (200, 2)), height])
    found = surface_distance(points, vertices, f, 0.07)
    near = height < 0.065
    assert found[near] == pytest.approx(height[near], abs=0.0008)
    assert np.isinf(found[height > 0.0701]).all()


def test_looks_go_all_around_in_equal_steps() -> None:
    assert len(VIEW_ANGLES) == 24
    assert len(POSES) == 6
    for focus in ("full", "head"):
        yaws = sorted(look.yaw for look in VIEW_ANGLES if look.focus == focus)
        assert yaws == [30.0 * k for k in range(12)]
        assert len({look.pitch for look in VIEW_ANGLES if look.focus == focus}) == 2


def test_poses_do_what_they_are_called(dressed: Avatar) -> None:
    def joints(name: str) -> dict[str, np.ndarray]:
        places = dressed.body.vertices(POSES[name](dressed))[1]
        return {joint: places[row] for joint, row in JOINT_INDEX.items()}

    raised = joints("arms raised")
    assert min(raised[f"{side}_wrist"][1] for side in ("left", "right")) > raised["head"][1]
    a_pose = joints("A-pose")
    assert a_pose["left_wrist"][1] < a_pose["left_shoulder"][1] - 0.2
    assert a_pose["left_wrist"][0] > a_pose["left_shoulder"][0] + 0.2
    stepping = joints("stepping")
    assert abs(stepping["left_ankle"][2] - stepping["right_ankle"][2]) > 0.25
    sitting = joints("sitting")
    assert sitting["left_knee"][2] > sitting["left_hip"][2] + 0.25
    assert sitting["left_ankle"][1] < sitting["left_knee"][1] - 0.2
    body, pose = dressed.body, POSES["head turned"](dressed)
    head = body.rest_and_transforms(pose)[2][JOINT_INDEX["head"]]
    assert np.degrees(np.arctan2(head[0, 2], head[2, 2])) > 40.0
