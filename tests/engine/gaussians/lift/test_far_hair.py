"""Hair beyond the far cheek of a turned head."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.gaussians.lift.garments.labels_surface import (
    find_seen_labels,
    surface_vertices,
)
from likeness.engine.gaussians.lift.hair.far_hair import S, settle_far_hair
from likeness.engine.gaussians.lift.pixels.far_cheek import (
    find_beyond_cheek,
    find_far_side,
    measure_yaw,
)
from likeness.engine.gaussians.lift.shape.depth_sheets import DepthSheet
from likeness.engine.gaussians.lift.surface.labels import HAIR, LABELS, NONE, SKIN
from likeness.engine.gaussians.lift.surface.limbs import HEAD, TORSO, vertex_groups
from likeness.engine.render.mesh import rasterize_mesh

SIDE, NEAR = 120, 1.9


@pytest.fixture(scope="module")
def settle(average: Body) -> Any:
    """Returns the sheet of a head turned by some degrees before and after, and its scene."""
    body = average
    groups = vertex_groups(body)
    head = groups == HEAD
    middle = body.v_template[head].mean(0)
    rest = np.asarray(body.v_template, np.float64) - middle
    shares = np.zeros((len(rest), len(LABELS)))
    hairy = head & (rest[:, 2] < 0.0)  # the back of the head
    shares[np.arange(len(rest)), np.where(hairy, HAIR, SKIN)] = 1.0

    def settled(degrees: float, removed: bool = False) -> SimpleNamespace:
        turn = axis_angle_to_matrix(np.array([0.0, np.radians(degrees), 0.0]))
        vertices = rest @ turn.T - [0.0, 0.0, 2.0]
        camera = photo_camera(600.0, SIDE, SIDE)
        drawn = rasterize_mesh(vertices, body.f, camera)
        on_head = (drawn.face >= 0) & head[body.f[:, 0]][drawn.face]
        everywhere = np.ones((SIDE, SIDE), bool)
        regions: Any = SimpleNamespace(
            body=drawn,
            face=on_head,
            label=np.where(on_head, SKIN, HAIR),
            group=np.where(on_head | (drawn.face < 0), HEAD, TORSO),
            beyond_cheek=find_beyond_cheek(
                on_head, ~on_head, 1.0 * (drawn.face >= 0), measure_yaw(vertices, head, body)
            ),
        )
        if removed:
            regions.label = np.full((SIDE, SIDE), NONE)
        front = np.where(drawn.face >= 0, drawn.depth, NEAR)
        trunk = DepthSheet(
            0, everywhere, everywhere, front, front + 0.1, np.ones_like(front), ~everywhere
        )
        dressed: Any = SimpleNamespace(vertices=vertices, f=body.f)
        after = settle_far_hair((trunk,), regions, vertices, groups, shares, dressed, body, camera)[
            0
        ]
        rows = np.broadcast_to((on_head.sum(1) > 10)[:, None], on_head.shape)
        from_left = np.logical_or.accumulate(on_head, 1)
        from_right = np.logical_or.accumulate(on_head[:, ::-1], 1)[:, ::-1]
        return SimpleNamespace(
            regions=regions,
            camera=camera,
            vertices=vertices,
            trunk=trunk,
            after=after,
            beside=[rows & (drawn.face < 0) & ~reached for reached in (from_left, from_right)],
            depth=project(vertices[hairy], camera)[1],
        )

    return settled


@pytest.mark.parametrize("degrees", [40.0, -40.0])
def test_it_goes_back_to_where_it_grows(settle: Any, degrees: float) -> None:
    scene = settle(degrees)
    moved = scene.after.front - scene.trunk.front
    near, far = scene.beside if degrees > 0 else scene.beside[::-1]
    assert (moved[far] > 0.02).all()
    assert (moved[near] == 0.0).all()
    assert scene.after.front[far].min() > scene.depth.min()
    assert moved.max() <= S.most + 1e-9
    assert (scene.after.back > scene.after.front).all()
    np.testing.assert_array_equal(scene.after.on_mesh == 0.0, moved > 0.0)


@pytest.mark.parametrize("degrees", [-50.0, 0.0, 30.0])
def test_the_turn_of_a_head_is_measured(average: Body, degrees: float) -> None:
    turn = axis_angle_to_matrix(np.array([0.0, np.radians(degrees), 0.0]))
    head = vertex_groups(average) == HEAD
    yaw = measure_yaw(average.v_template @ turn.T, head, average)
    assert yaw == pytest.approx(degrees, abs=1e-3)


def test_a_face_looks_to_its_far_side() -> None:
    face = np.zeros((20, 40), bool)
    face[5:15, 10:20] = True
    for yaw, columns in ((30.0, range(15, 40)), (-30.0, range(15)), (5.0, range(0))):
        far = find_far_side(face, yaw)
        assert far.all(0).nonzero()[0].tolist() == list(columns)
    assert not find_far_side(np.zeros_like(face), 30.0).any()


def test_it_hangs_behind_the_far_cheek_alone_and_the_more_the_head_is_turned(settle: Any) -> None:
    far = settle(40.0)
    near, beyond = far.beside
    assert (far.regions.beyond_cheek[beyond] == 1.0).all()
    assert (far.regions.beyond_cheek[near] == 0.0).all()
    assert (far.regions.beyond_cheek[far.regions.label == SKIN] == 0.0).all()
    a_little = settle(20.0)
    assert a_little.regions.beyond_cheek.max() == pytest.approx(0.5, abs=0.05)


def test_it_says_nothing_of_the_cheek_before_it(average: Body, settle: Any) -> None:
    """Hair at the near side covers the cheek behind it, whichever way that faces."""
    scene = settle(40.0)
    regions = scene.regions
    everywhere = np.ones((SIDE, SIDE), bool)
    regions.hair = (regions.label == HAIR) | (np.arange(SIDE) < 50)
    regions.mask, regions.hidden = everywhere, np.zeros(len(average.f), bool)
    regions.hands_beside = np.full((SIDE, SIDE), np.inf)
    points = surface_vertices(regions, average, scene.vertices)
    cheek = points.part == "face"
    # The fitted face ends at the outline: of a face that is too wide, vertices lie beyond it.
    wide = replace(points, points=points.points * [1.15, 1.0, 1.0])
    label, weight = find_seen_labels(regions, scene.camera, wide)
    xy, _ = project(wide.points, scene.camera)
    col, row = np.clip(xy.astype(int), 0, SIDE - 1).T
    on_hair = cheek & regions.hair[row, col]
    far = on_hair & (regions.beyond_cheek[row, col] == 1.0)
    fringe = far & (xy[:, 1] < xy[points.part == "eyelid", 1].min())
    far &= ~fringe
    near = on_hair & (regions.beyond_cheek[row, col] == 0.0)
    assert far.sum() > 10
    assert near.sum() > 10
    assert (weight[far] == 0.0).all()
    assert (weight[near] == 1.0).all()
    assert fringe.any()
    assert (weight[fringe] == 1.0).all(), "a fringe lies on the forehead"
    assert (label[near] == HAIR).all()


def test_a_head_that_was_removed_has_no_hair_to_move(settle: Any) -> None:
    scene = settle(40.0, removed=True)
    assert scene.after is scene.trunk


@pytest.mark.parametrize("degrees", [5.0, 90.0, 180.0])
def test_beside_a_face_from_the_front_in_profile_or_from_behind_it_stays(
    settle: Any, degrees: float
) -> None:
    scene = settle(degrees)
    assert scene.after is scene.trunk
