"""Cloth and legs beyond the photo's frame: mirrored, of the same limb, and fading away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import BoundGaussians, FloatArray, Matte
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.shape.dressed_mesh import DressedMesh
from likeness.engine.gaussians.lift.splats.frame_continuation import S, continue_beyond_frame
from likeness.engine.gaussians.lift.surface.labels import LABELS, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_LEG, RIGHT_LEG, vertex_groups
from likeness.engine.gaussians.lift.surface.surfels import CORE
from likeness.engine.render.mesh import rasterize_mesh

CAMERA = photo_camera(600.0, 200, 150)
"""A pixel spans 2.5 mm at 1.5 metres."""


@pytest.fixture(scope="module")
def vertices(average: Body) -> FloatArray:
    """[V, 3] a chest that the frame's lower edge cuts."""
    place = np.array([0.0, -0.32, -1.5])
    return np.asarray(average.v_template + place, np.float64)


def make_strip(
    body: Body, vertices: FloatArray, label: Any = UPPER, worn: int = UPPER, budget: int = 50_000
) -> BoundGaussians:
    """The strip below a shirt whose rows are numbered by their red, columns by their green."""
    rows, cols = np.mgrid[:150, :200] + 0.5
    colors = np.stack([rows / 150, cols / 200, np.full(rows.shape, 0.5)], -1).astype(np.float32)
    matte = Matte(np.ones((150, 200), np.float32), colors)
    buffer = rasterize_mesh(vertices, body.f, CAMERA)
    groups = vertex_groups(body)
    regions: Any = SimpleNamespace(
        body=buffer,
        label=np.broadcast_to(label, (150, 200)),
        group=np.where(buffer.face >= 0, groups[body.f[buffer.face, 0]], -1),
    )
    count = len(vertices)
    dressed = DressedMesh(vertices, np.zeros(count), np.ones(count), body.f, np.zeros(count, bool))
    shares = np.tile(np.eye(len(LABELS))[worn], (count, 1))
    return continue_beyond_frame(
        matte, CAMERA, regions, dressed, shares, groups, body, vertices, budget
    )


def test_the_strip_mirrors_the_photo_below_its_edge(average: Body, vertices: FloatArray) -> None:
    strip = make_strip(average, vertices)
    world = place_gaussians(strip, vertices, average)
    xy, z = project(np.asarray(world.means, np.float64), CAMERA)
    assert len(strip) > 1000
    # All of it lies beyond the frame, on the body, and no farther than it fades.
    beyond = xy[:, 1] - 150
    assert beyond.min() > 0.0
    assert (beyond * z / 600.0).max() < S.length + 0.01
    below = (xy[:, 1] > 150) & (xy[:, 0] > 0) & (xy[:, 0] < 200)
    row, col = world.colors[below, 0] * 150, world.colors[below, 1] * 200
    np.testing.assert_allclose(row, 299 - xy[below, 1], atol=1.0)
    np.testing.assert_allclose(col, xy[below, 0], atol=1.0)
    near, far = (np.median(world.opacities[own]) for own in (beyond < 5, beyond > 25))
    assert near > 0.8
    assert far < 0.4


def test_it_ends_before_what_is_not_that_cloth(average: Body, vertices: FloatArray) -> None:
    collar = np.full((150, 200), UPPER)
    collar[:130] = SKIN  # twenty pixels above the edge
    strip = make_strip(average, vertices, collar)
    xy, z = project(np.asarray(place_gaussians(strip, vertices, average).means, float), CAMERA)
    assert len(strip) > 100
    assert ((xy[:, 1] - 150) * z / 600.0).max() < 20 * z.max() / 600.0 - S.another[0] + 0.006
    assert len(make_strip(average, vertices, SKIN)) == 0
    assert len(make_strip(average, vertices, worn=SKIN)) == 0


def test_bare_legs_go_on_and_bare_chests_do_not(average: Body, vertices: FloatArray) -> None:
    """A frame that ends at the thighs."""
    thighs = np.add(vertices, [0.0, 0.85, 0.0])
    strip = make_strip(average, thighs, SKIN, worn=SKIN)
    assert len(strip) > 1000
    assert (strip.layer == CORE).all()
    legs = np.isin(vertex_groups(average)[average.f[strip.triangle, 0]], (LEFT_LEG, RIGHT_LEG))
    assert legs.all()
    assert len(make_strip(average, vertices, SKIN, worn=SKIN)) == 0


def test_its_budget_is_kept(average: Body, vertices: FloatArray) -> None:
    whole = make_strip(average, vertices)
    few = make_strip(average, vertices, budget=len(whole) // 3)
    assert len(whole) // 6 < len(few) <= len(whole) // 3
    assert few.scales.max() > whole.scales.max()
