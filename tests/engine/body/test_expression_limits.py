"""Limits that expressions set one another."""

from __future__ import annotations

import numpy as np
import torch
from likeness.engine.body import Body
from likeness.engine.body.expression_limits import PRESSED, limit_expression
from likeness.engine.body.skinning_torch import BodyTensors, body_vertices_torch
from likeness.engine.core.types import Pose
from likeness.engine.formats.skinned_mesh import make_curves

UPPER_LIP, LOWER_LIP = 13, 14  # of FaceMesh, in the middle, inside


def gap(body: Body, **weights: float) -> float:
    """Metres between the lips; below zero they have passed through each other."""
    pose = Pose.rest(body.num_expression)
    vertices, _ = body.vertices(Pose(pose.full_pose, pose.transl, body.expression(**weights)))
    at = body.landmarks.face_triangle[[UPPER_LIP, LOWER_LIP]]
    points = np.einsum(
        "nk,nkd->nd", body.landmarks.face_bary[[UPPER_LIP, LOWER_LIP]], vertices[body.f[at]]
    )
    return float(points[0, 1] - points[1, 1])


def test_lips_close_an_open_mouth_and_do_not_pass_through_each_other(default_body: Body) -> None:
    rest = gap(default_body)
    assert abs(gap(default_body, mouthClose=1.0) - rest) < 0.003
    assert gap(default_body, jawOpen=1.0) > rest + 0.02
    assert abs(gap(default_body, jawOpen=1.0, mouthClose=1.0) - rest) < 0.006
    raw = default_body.exprdirs @ default_body.expression(mouthClose=1.0)
    assert np.abs(raw).max() > 0.02  # what the limit keeps from being applied
    one, half = (default_body.expression(mouthClose=w) for w in (1.0, 0.5 * PRESSED))
    names = default_body.expression_names
    np.testing.assert_array_equal(limit_expression(half, names), half)
    assert limit_expression(one, names).sum() == PRESSED
    unnamed = tuple(f"expression_{k}" for k in range(len(names)))
    np.testing.assert_array_equal(limit_expression(one, unnamed), one)


def test_torch_and_files_limit_as_the_engine_does(default_body: Body) -> None:
    rng = np.random.default_rng(4)
    index = default_body.expression_index
    weights = rng.uniform(0.0, 1.0, (3, default_body.num_expression))
    weights[:, index["mouthClose"]] = [0.9, 0.9, 0.2]
    weights[:, index["jawOpen"]] = [-0.3, 0.4, 0.6]
    tensors = BodyTensors.of(default_body, torch.float64)
    for w in weights:
        pose = Pose.rest(default_body.num_expression)
        pose = Pose(pose.full_pose, pose.transl, w)
        expected, _ = default_body.vertices(pose)
        full, transl, expression = (
            torch.tensor(a) for a in (pose.full_pose, pose.transl, pose.expression)
        )
        found, _ = body_vertices_torch(tensors, full, transl, expression)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
        curve = make_curves(default_body, pose).expression[0]
        np.testing.assert_array_equal(curve, limit_expression(w, default_body.expression_names))
