"""What holds hair beside the neck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.extension import NAPE
from likeness.engine.core.types import JOINT_INDEX, FloatArray, Gaussians, Pose
from likeness.engine.gaussians.binding import bind_gaussians, place_gaussians
from likeness.engine.gaussians.lift.surface.nape import Nape, add_nape

COLUMN = np.linspace(-0.15, 0.25, 200)
"""Heights over the neck's joint, metres: from the chest to above the ears."""


@pytest.fixture(scope="module")
def body(average: Body) -> Body:
    return add_nape(average)


def _strand(body: Body) -> FloatArray:
    """A straight strand that hangs beside the neck, in front of the shoulder, at rest."""
    neck = body.J_template[JOINT_INDEX["neck"]]
    return np.asarray(neck + np.column_stack([0 * COLUMN + 0.09, COLUMN, 0 * COLUMN + 0.06]))


def _moved(body: Body, points: FloatArray, pose: Pose) -> FloatArray:
    """Where the points go in a pose, bound to what holds hair; the nearest skin's else."""
    rest = body.v_template
    skin = np.nonzero(body.face_part != body.part_names.index(NAPE))[0]
    middles = rest[body.f[skin]].mean(1)
    nearest = skin[((points[:, None] - middles) ** 2).sum(-1).argmin(1)]
    thirds = np.full((len(points), 3), 1 / 3)
    triangle, bary = Nape(body, rest).bind_hair(points, nearest, thirds)
    n = len(points)
    world = Gaussians(
        points, np.tile([1.0, 0, 0, 0], (n, 1)), np.full((n, 3), 1e-3), np.ones(n), np.ones((n, 3))
    )
    bound = bind_gaussians(world, triangle, bary, np.zeros(n, np.uint8), rest, body)
    return np.asarray(place_gaussians(bound, body.vertices(pose)[0], body).means, np.float64)


def _rigid(body: Body, points: FloatArray, pose: Pose, joint: str) -> FloatArray:
    _, _, R, t = body.rest_and_transforms(pose)
    k = JOINT_INDEX[joint]
    return np.asarray(points @ R[k].T + t[k])


def test_a_body_gets_its_rope_once(average: Body, body: Body) -> None:
    assert add_nape(body) is body
    assert len(body.f) > len(average.f)
    np.testing.assert_array_equal(body.f[: len(average.f)], average.f)
    np.testing.assert_allclose(body.weights.sum(1), 1.0, atol=1e-5)
    # It lies within the neck, where nothing shows it.
    rope = body.v_template[len(average.v_template) :]
    neck = average.v_template[
        np.unique(average.f[average.face_part == average.part_names.index("neck")])
    ]
    assert np.abs(rope[:, 0]).max() < 0.5 * np.abs(neck[:, 0]).max()


@pytest.mark.parametrize(
    "turn", [[0.0, 0.52, 0.0], [0.0, -0.52, 0.0], [0.45, 0.0, 0.0], [-0.4, 0.0, 0.0]]
)
def test_a_strand_stays_in_one_piece_when_the_head_turns(body: Body, turn: list[float]) -> None:
    points = _strand(body)
    pose = Pose.rest(body.num_expression).with_joints(neck=turn, head=turn)
    moved = _moved(body, points, pose)
    step = np.linalg.norm(np.diff(moved, axis=0), axis=1)
    assert step.max() < 0.012  # 2 mm apart at rest
    # Its top goes with the head, and its end stays with the back.
    np.testing.assert_allclose(moved[-40:], _rigid(body, points, pose, "head")[-40:], atol=2e-3)
    np.testing.assert_allclose(moved[:20], points[:20], atol=5e-3)


def test_hair_does_not_go_with_the_jaw(body: Body) -> None:
    """Neither with its joint nor with its expression."""
    points = _strand(body)
    rest = Pose.rest(body.num_expression)
    for pose in (
        rest.with_joints(jaw=[0.4, 0.0, 0.0]),
        replace(rest, expression=body.expression(jawOpen=1.0)),
    ):
        beside = points[COLUMN > -0.03]
        np.testing.assert_allclose(_moved(body, beside, pose), beside, atol=1e-4)
