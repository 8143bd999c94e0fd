"""Hair that the frame cuts, and the locks in which it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project, unproject
from likeness.engine.core.rotations import quaternion_to_matrix
from likeness.engine.core.types import PARTS, BoundGaussians, Camera, FloatArray
from likeness.engine.gaussians.binding import bind_gaussians, place_gaussians
from likeness.engine.gaussians.lift.hair.hair_ends import S as ENDS
from likeness.engine.gaussians.lift.hair.hair_ends import continue_hair_below_frame
from likeness.engine.gaussians.lift.surface.labels import HAIR, UPPER
from likeness.engine.gaussians.lift.surface.surfels import PHOTO, surfels_from_tangents

SIDE = 100
DEPTH = 1.0


@dataclass(frozen=True)
class Curtain:
    """A sheet of hair from the frame's upper edge to its lower one, 10 cm broad.

    Attributes:
        camera: 1 mm for each pixel at the hair's depth.
        bound: the hair.
        body: what it is bound to.
        vertices: [V, 3] of the body.
    """

    camera: Camera
    bound: BoundGaussians
    body: Body
    vertices: FloatArray

    def locks(self, label: int = HAIR, wall: float = 2.0) -> BoundGaussians:
        """The locks below it, before a wall at a depth."""
        corners = unproject(
            np.array([[-900.0, -900.0], [900.0, -900.0], [0.0, 2000.0]]),
            np.full(3, wall),
            self.camera,
        )
        regions: Any = SimpleNamespace(label=np.full((SIDE, SIDE), label))
        dressed: Any = SimpleNamespace(vertices=corners, f=np.array([[0, 1, 2]]))
        return continue_hair_below_frame(
            [self.bound], regions, dressed, self.camera, self.vertices, self.body
        )

    def placed(self, locks: BoundGaussians) -> tuple[FloatArray, FloatArray]:
        """Pixels [N, 2] and depths [N] of the locks."""
        return project(
            np.asarray(place_gaussians(locks, self.vertices, self.body).means), self.camera
        )


def hang_curtain(slope: float = 0.0) -> Curtain:
    """The hair; from left to right it lies farther off by ``slope`` times its breadth."""
    body = make_synthetic_body().personalised(np.zeros(4))
    camera = photo_camera(SIDE * 10.0, SIDE, SIDE)
    row, col = (a.ravel() for a in np.mgrid[0:SIDE, 0:SIDE])
    xy = np.stack([col, row], 1) + 0.5
    points = unproject(xy, DEPTH + slope * 1e-3 * col, camera)
    right, down = np.array([1e-3, 0.0, 0.0]), np.array([0.0, -1e-3, 0.0])
    count = len(points)
    colors = np.stack([col / SIDE, np.full(count, 0.3), np.full(count, 0.2)], 1)
    world = surfels_from_tangents(
        points, np.tile(right, (count, 1)), np.tile(down, (count, 1)), 0.6, colors, np.ones(count)
    )
    triangle = (col * 7 // SIDE).astype(np.int64)
    bary = np.full((count, 3), 1.0 / 3.0)
    layer = np.full(count, PHOTO, np.uint8)
    bound = bind_gaussians(world, triangle, bary, layer, body.v_template, body)
    return Curtain(camera, bound, body, body.v_template)


@pytest.fixture(scope="module")
def curtain() -> Curtain:
    return hang_curtain()


def test_locks_hang_below_the_frame_only(curtain: Curtain) -> None:
    locks = curtain.locks()
    xy, depth = curtain.placed(locks)
    assert len(locks) > 500
    assert (locks.part == PARTS.index("hair")).all()
    assert xy[:, 1].min() > SIDE - 1e3 * ENDS.edge
    assert xy[:, 1].max() < SIDE + 1e3 * ENDS.length[1]
    assert (xy[:, 1] > SIDE + 30).any()
    np.testing.assert_allclose(depth, DEPTH, atol=1e-3)  # nothing is in the way
    np.testing.assert_array_equal(locks.bary, curtain.locks().bary)


def test_locks_have_the_colours_and_the_triangles_of_the_hair_above(curtain: Curtain) -> None:
    locks = curtain.locks()
    near = curtain.placed(locks)[0][:, 1] < SIDE + 5
    across = curtain.placed(locks)[0][near, 0]
    shown = locks.colors[near, 0]
    assert np.corrcoef(across, shown)[0, 1] > 0.95
    assert set(locks.triangle) == set(range(7))


def test_locks_end_one_by_one(curtain: Curtain) -> None:
    xy, _ = curtain.placed(curtain.locks())
    lowest = [xy[(xy[:, 0] // 10) == k, 1].max() for k in range(1, 9)]
    assert np.ptp(lowest) > 10.0  # a straight line before
    tips = xy[:, 1] > SIDE + 35
    columns = np.unique(xy[:, 0].astype(int))
    assert len(np.unique(xy[tips, 0].astype(int))) < 0.7 * len(columns)  # they taper


def test_locks_lie_on_what_is_in_their_way(curtain: Curtain) -> None:
    locks = curtain.locks(wall=DEPTH - 0.02)
    xy, depth = curtain.placed(locks)
    low = xy[:, 1] > SIDE + 25
    assert low.any()
    assert (depth[low] < DEPTH - 0.02 - 0.5 * ENDS.clear).all()


def test_nothing_else_goes_on_in_locks(curtain: Curtain) -> None:
    assert len(curtain.locks(label=UPPER)) == 0


def test_hair_that_ends_in_the_frame_does_not_go_on(curtain: Curtain) -> None:
    row = curtain.placed(curtain.bound)[0][:, 1]
    short = Curtain(
        curtain.camera, curtain.bound.take(row < SIDE - 10), curtain.body, curtain.vertices
    )
    assert len(short.locks()) == 0


def test_locks_of_hair_that_turns_away_are_no_comb() -> None:
    """Seen from the side, each strand reaches to the next one, which lies behind it."""
    slope = 2.0
    curtain = hang_curtain(slope)
    placed = place_gaussians(curtain.locks(), curtain.vertices, curtain.body)
    axes = quaternion_to_matrix(np.asarray(placed.quats, np.float64)) * placed.scales[:, None]
    deep = np.linalg.norm(axes[:, 2], axis=1)  # standard deviation along the view
    assert np.median(deep) > 0.3 * slope * ENDS.pitch
