"""Feet in closed shoes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import FloatArray
from likeness.engine.gaussians.lift.labels_surface import vertex_parts
from likeness.engine.gaussians.lift.shoe_shape import S, shape_shoes
from likeness.engine.poses import build_pose
from scipy.spatial import ConvexHull, Delaunay


def _at_rest(body: Body) -> tuple[FloatArray, FloatArray]:
    rest = np.asarray(body.v_template, np.float64)
    return rest, shape_shoes(body, rest, np.ones(len(rest), bool))


def test_a_shoe_has_a_flat_sole_and_no_toes(average: Body) -> None:
    rest, shod = _at_rest(average)
    foot = vertex_parts(average) == "foot"
    np.testing.assert_array_equal(shod[~foot], rest[~foot])
    moved = np.linalg.norm(shod - rest, axis=1)[foot]
    assert moved.mean() > 0.002
    assert moved.max() < 0.03
    below = foot & (vertex_normals(rest, average.f)[:, 1] < S.downward)
    assert np.ptp(shod[below, 1]) < 1e-6
    left = foot & (rest[:, 0] > 0)
    toes = left & (rest[:, 2] > average.J_template[10, 2] + 0.005) & ~below
    # The gaps between the toes are filled: the cap is as large as its own hull.
    cap = shod[toes]
    inside = Delaunay(cap[ConvexHull(cap).vertices] * 0.9 + 0.1 * cap.mean(0)).find_simplex(cap)
    before = rest[toes]
    hollow = Delaunay(before[ConvexHull(before).vertices] * 0.9 + 0.1 * before.mean(0))
    assert (inside >= 0).mean() < 0.5 * (hollow.find_simplex(before) >= 0).mean()


def test_shoes_turn_with_the_feet(average: Body) -> None:
    rest, shod = _at_rest(average)
    foot = vertex_parts(average) == "foot"
    pose = replace(build_pose("tpose", average), transl=np.array([0.2, 0.4, -3.0]))
    pose.full_pose[0] = [0.3, 0.9, -0.2]
    vertices = average.vertices(pose)[0]
    turned = shape_shoes(average, vertices, np.ones(len(rest), bool))
    moved = np.linalg.norm(turned - vertices, axis=1)[foot]
    np.testing.assert_allclose(moved, np.linalg.norm(shod - rest, axis=1)[foot], atol=2e-3)


def test_bare_feet_and_sandals_stay(average: Body) -> None:
    rest = np.asarray(average.v_template, np.float64)
    foot = np.nonzero(vertex_parts(average) == "foot")[0]
    straps = np.zeros(len(rest), bool)
    straps[foot[::3]] = True
    for shoe in (np.zeros(len(rest), bool), straps):
        np.testing.assert_array_equal(shape_shoes(average, rest, shoe), rest)
