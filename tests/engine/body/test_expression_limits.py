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


def place(body: Body, **weights: float) -> np.ndarray:
    """Vertices [V, 3] at rest, metres."""
    pose = Pose.rest(body.num_expression)
    return body.vertices(Pose(pose.full_pose, pose.transl, body.expression(**weights)))[0]


def test_the_tongue_comes_out_over_the_lower_lip(default_body: Body) -> None:
    part = np.array(default_body.part_names)[default_body.face_part]
    tongue = np.unique(default_body.f[part == "tongue"])
    at = default_body.landmarks.face_triangle[LOWER_LIP]
    for jaw in (0.0, 0.1, 0.8):
        posed = place(default_body, tongueOut=1.0, jawOpen=jaw)
        lip = default_body.landmarks.face_bary[LOWER_LIP] @ posed[default_body.f[at]]
        out = posed[tongue]
        out = out[(out[:, 2] > lip[2] - 0.002) & (np.abs(out[:, 0]) < 0.01)]
        assert len(out)  # it is out
        assert out[:, 1].max() > lip[1] + 0.001  # and its back lies over the lip
    raw = default_body.v_template + default_body.exprdirs @ default_body.expression(tongueOut=1.0)
    lip = default_body.landmarks.face_bary[LOWER_LIP] @ raw[default_body.f[at]]
    out = raw[tongue][raw[tongue][:, 2] > lip[2] - 0.002]
    assert out[np.abs(out[:, 0]) < 0.01, 1].max() < lip[1]  # through the lip without the limit


def test_a_funnel_parts_the_lower_lip_from_the_upper_teeth(default_body: Body) -> None:
    """Without an open jaw, teeth fill the round mouth to its lower edge."""
    part = np.array(default_body.part_names)[default_body.face_part]
    teeth = np.unique(default_body.f[part == "teeth"])
    drop = -default_body.exprdirs[teeth, 1, default_body.expression_index["jawOpen"]]
    upper = teeth[(drop < 0.001) & (np.abs(default_body.v_template[teeth, 0]) < 0.008)]
    lips = np.unique(default_body.f[part == "lips"])
    lips = lips[np.abs(default_body.v_template[lips, 0]) < 0.004]
    drop = -default_body.exprdirs[lips, 1, default_body.expression_index["jawOpen"]]
    lower = lips[drop > 0.01]

    def gap(vertices: np.ndarray) -> float:
        return float(vertices[upper, 1].min() - vertices[lower, 1].max())

    # The lift lowers the upper teeth by up to 4 mm, to where smiles show them.
    assert gap(place(default_body, mouthFunnel=1.0)) > 0.008
    raw = default_body.exprdirs @ default_body.expression(mouthFunnel=1.0)
    assert gap(default_body.v_template + raw) < 0.006


def test_closed_lids_stay_closed_whatever_else_moves_them(default_body: Body) -> None:
    part = np.array(default_body.part_names)[default_body.face_part]
    lids = np.unique(default_body.f[part == "eyelid"])
    left = lids[default_body.v_template[lids, 0] > 0.0]
    closed = place(default_body, eyeBlinkLeft=1.0)[left]
    for action in ("eyeLookDown", "eyeLookUp", "eyeSquint", "eyeWide"):
        index = default_body.expression_index[action + "Left"]
        assert np.abs(default_body.exprdirs[left][:, :, index]).max() > 0.002
        also = place(default_body, eyeBlinkLeft=1.0, **{action + "Left": 1.0})[left]
        np.testing.assert_allclose(also, closed, atol=1e-9)
        half = place(default_body, eyeBlinkLeft=0.5, **{action + "Left": 1.0})[left]
        whole = place(default_body, eyeBlinkLeft=0.5)[left]
        whole = whole + default_body.exprdirs[left][:, :, index]
        np.testing.assert_allclose(half, whole, atol=1e-7)  # half closed eyes still look down
        other = place(default_body, eyeBlinkRight=1.0, **{action + "Left": 1.0})[left]
        assert np.abs(other - place(default_body, eyeBlinkRight=1.0)[left]).max() > 0.002
    # The edge of a lid that looks down only ever goes on closing.
    way = -default_body.exprdirs[left, 1, default_body.expression_index["eyeBlinkLeft"]]
    edge = left[way > 0.7 * way.max()]
    steps = np.linspace(0.0, 1.0, 21)
    heights = [
        place(default_body, eyeBlinkLeft=b, eyeLookDownLeft=1.0)[edge, 1].mean() for b in steps
    ]
    assert np.diff(heights).max() < 0.0


def test_torch_and_files_limit_as_the_engine_does(default_body: Body) -> None:
    rng = np.random.default_rng(4)
    index = default_body.expression_index
    weights = rng.uniform(0.0, 1.0, (3, default_body.num_expression))
    weights[:, index["mouthClose"]] = [0.9, 0.9, 0.2]
    weights[:, index["jawOpen"]] = [-0.3, 0.4, 0.6]
    weights[:, index["tongueOut"]] = [0.0, 0.2, 0.9]
    weights[:, index["mouthFunnel"]] = [0.8, 0.0, 1.0]
    weights[:, index["eyeBlinkLeft"]] = [-0.2, 0.8, 1.3]
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
