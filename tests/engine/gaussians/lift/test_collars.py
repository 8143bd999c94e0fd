"""Cloth at the neck that stays with the chest."""

from __future__ import annotations

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, Pose
from likeness.engine.gaussians.lift.surface.limbs import vertex_groups
from likeness.engine.gaussians.lift.surface.surfels import S, TriangleBinding


def test_collars_stay_where_they_are_when_the_head_turns(default_body: Body) -> None:
    body = default_body
    vertices, _ = body.vertices(Pose.rest(body.num_expression))
    homes = TriangleBinding(body, vertices, vertex_groups(body)[body.f[:, 0]])
    middles = vertices[body.f].mean(1)
    rows = np.nonzero(homes.on_neck)[0]
    points, third = middles[rows] + [0.0, 0.0, 0.005], np.full((len(rows), 3), 1 / 3)
    triangle, bary = homes.bind_collar(points, rows, third)

    turned = np.zeros((NUM_JOINTS, 3))
    turned[[JOINT_INDEX["neck"], JOINT_INDEX["head"]], 1] = 0.5
    posed, _ = body.vertices(Pose(turned, np.zeros(3), np.zeros(body.num_expression)))

    def moved(faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
        at = [np.einsum("nk,nkd->nd", weights, v[body.f[faces]]) for v in (vertices, posed)]
        return np.linalg.norm(at[1] - at[0], axis=1)

    near = triangle != rows
    assert near.sum() > 50
    before, after = moved(rows, third)[near], moved(triangle, bary)[near]
    assert before.max() > 0.04  # as far as the skin of the neck
    assert after.max() < 0.02
    assert after.mean() < 0.5 * before.mean()
    # What is far above the chest, a raised hood say, stays with the head.
    chest = middles[~homes.on_neck & (body.weights[:, JOINT_INDEX["spine3"]][body.f].mean(1) > 0.5)]
    above = points[:, 1] > chest[:, 1].max() + S.collar
    assert above.any()
    assert not near[above].any()
    np.testing.assert_allclose(bary[above], third[above])
