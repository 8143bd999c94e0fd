"""Dense guidance by other programs' meshes: where they are seen, and what they do to a fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import matrix_to_axis_angle
from likeness.engine.core.types import JOINT_INDEX, LikenessError
from likeness.engine.tracking.dense_guides import guide_term
from likeness.engine.tracking.estimators import DenseGuide, load_estimate
from likeness.engine.tracking.fit_state import FitState, PosedJoints, Unknowns
from likeness.engine.tracking.solver import Bounds, minimize

from .estimates import BODY, HEIGHT, WIDTH, angle, rotation, save

CAMERA = photo_camera(700.0, WIDTH, HEIGHT)
NONE = np.zeros(0, np.int64)
ARM = ("left_shoulder", "left_elbow", "left_wrist")


def person(body, **turns):
    full_pose = np.zeros((55, 3))
    for name, turn in turns.items():
        full_pose[JOINT_INDEX[name]] = turn
    rest = FitState.rest(body)
    return replace(rest, transl=np.array([0.0, -0.4, -2.0]), full_pose=full_pose)


def seen(body, state, faces):
    """Another topology: the middles of some faces, and where they are seen."""
    vertices, _ = body.vertices(state.pose, state.betas)
    places = vertices[body.f[faces]].mean(1).astype(np.float64)
    return places, project(places, CAMERA)[0]


def solve(body, state, term, names, held=True):
    joints = np.array(sorted(JOINT_INDEX[name] for name in names))
    n = len(state.vector)
    bounds = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
    if held:
        bounds.lower[:3] = bounds.upper[:3] = state.transl
    unknowns = Unknowns(joints, NONE, NONE, body.num_betas)
    return minimize(body, state, [term], unknowns, bounds, 20, 1e-6).state


def test_a_stored_correspondence_is_exact(tmp_path):
    """A mesh file whose vertices' places on the body are known."""
    head = np.flatnonzero((BODY.weights[BODY.f].mean(1)[:, JOINT_INDEX["head"]]) > 0.9)
    truth = person(BODY, head=[0.1, 0.3, -0.05])
    _, pixels = seen(BODY, truth, head)
    path = save(
        tmp_path / "mesh.npz",
        mesh_pixels=2 * pixels,
        mesh_part=0,
        body_triangle=head,
        body_barycentric=np.full((len(head), 3), 1 / 3),
        img_size=[2 * WIDTH, 2 * HEIGHT],
    )
    told = load_estimate(path, CAMERA)
    assert not told.known.any()
    (guide,) = told.dense
    start = person(BODY, head=[0.0, 0.1, 0.1])
    found = solve(BODY, start, guide_term(BODY, start, guide, CAMERA), ["head"])
    turn = PosedJoints(BODY, found).R[15], PosedJoints(BODY, truth).R[15]
    assert angle(*turn) < 1.0
    foreign = replace(guide, triangle=guide.triangle + len(BODY.f))
    with pytest.raises(LikenessError, match="triangle"):
        guide_term(BODY, start, foreign, CAMERA)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mesh_part": 7}, "mesh_part"),
        ({"body_triangle": np.array([0.5, 1.0])}, "body_triangle"),
        ({"body_barycentric": np.ones((5, 3))}, "length"),
        ({"mesh_pixels": np.full((2, 2), np.nan)}, "mesh_pixels"),
    ],
)
def test_damaged_meshes_are_named(tmp_path, wrong, said):
    whole = {
        "mesh_pixels": np.ones((2, 2)),
        "mesh_part": 0,
        "body_triangle": np.array([0, 1]),
        "body_barycentric": np.full((2, 3), 1 / 3),
    }
    path = save(tmp_path / "half.npz", **(whole | wrong))
    with pytest.raises(LikenessError, match=rf"half\.npz.*{said}|{said}.*half\.npz") as caught:
        load_estimate(path, CAMERA)
    assert caught.value.remedy


@pytest.mark.parametrize("yaw", [0.0, 1.2])
def test_a_head_of_another_topology(default_body, yaw):
    """Laid over the body and drawn to where the other program sees it, from 12 degrees away; the
    other program errs by 3 degrees in the head's turn."""
    rows = [
        k for k, n in enumerate(default_body.part_names) if n in ("face", "lips", "scalp", "ear")
    ]
    faces = np.flatnonzero(np.isin(default_body.face_part, rows))
    truth = person(default_body, pelvis=[0, yaw, 0], head=[0.1, 0.1, 0.05])
    places, pixels = seen(default_body, truth, faces)
    guide = DenseGuide("head", 1.1 * (places - places.mean(0)), pixels)
    start = person(default_body, pelvis=[0, yaw, 0], head=[0.22, -0.05, 0.13])
    start = replace(start, transl=start.transl + np.array([0.01, 0.01, 0.05]))
    found, head = start, JOINT_INDEX["head"]
    for _ in range(3):
        shown = found.with_joint(head, np.array([0.13, 0.06, 0.06]))
        term = guide_term(default_body, shown, guide, CAMERA)
        assert term.points.count > 150
        found = solve(default_body, found, term, ["neck", "head"], held=False)

    def away(state):
        return np.linalg.norm(seen(default_body, state, faces)[1] - pixels, axis=1).mean()

    assert away(found) < 0.4 * away(start)
    assert angle(*(PosedJoints(default_body, state).R[head] for state in (found, truth))) < 6.0


def test_a_hand_moves_the_arm_only(default_body):
    hand = default_body.part_names.index("hand")
    middle = default_body.v_template[default_body.f].mean(1)[:, 0]
    faces = np.flatnonzero((default_body.face_part == hand) & (middle > 0))
    bent = {"left_shoulder": [0, 0, -1.0], "left_elbow": [0, -1.5, 0]}
    truth = person(default_body, **bent, left_wrist=[0.3, 0.2, 0.1])
    places, pixels = seen(default_body, truth, faces)
    guide = DenseGuide("left_hand", places - places.mean(0), pixels)
    bent["left_elbow"] = [0, -1.4, 0.1]
    start = person(default_body, **bent, left_wrist=[0.4, 0.1, 0.2])
    found, wrist = start, JOINT_INDEX["left_wrist"]
    wanted = PosedJoints(default_body, truth).R[wrist] @ rotation([0.05, -0.04, 0.03])  # as told
    for _ in range(3):
        elbow = PosedJoints(default_body, found).R[JOINT_INDEX["left_elbow"]]
        shown = found.with_joint(wrist, matrix_to_axis_angle(elbow.T @ wanted))
        found = solve(default_body, found, guide_term(default_body, shown, guide, CAMERA), ARM)

    def away(state):
        return np.linalg.norm(seen(default_body, state, faces)[1] - pixels, axis=1).mean()

    assert away(found) < 0.4 * away(start)


# Where the programs' meshes are seen ----------------------------------------------------------


def test_hamer_s_mesh(tmp_path):
    """Its crop's camera by hand; left hands lie in a mirror."""
    rng = np.random.default_rng(0)
    vertices = rng.normal(scale=0.05, size=(2, 778, 3))
    cam = np.array([[0.9, 0.02, -0.03], [0.8, 0.01, 0.02]])
    centre, size = np.array([[250.0, 200], [400, 260]]), np.array([120.0, 90])
    path = save(
        tmp_path / "h.npz",
        global_orient=np.tile(np.eye(3), (2, 1, 1, 1)),
        hand_pose=np.tile(np.eye(3), (2, 15, 1, 1)),
        right=[1.0, 0.0],
        box_center=centre,
        box_size=size,
        pred_vertices=vertices,
        pred_cam=cam,
    )
    guides = {guide.part: guide for guide in load_estimate(path, CAMERA).dense}
    for k, part in enumerate(("right_hand", "left_hand")):
        depth = vertices[k, :, 2] + 2 * 5000 / (256 * cam[k, 0])
        x = 5000 * (vertices[k, :, 0] + cam[k, 1]) / depth * size[k] / 256
        y = 5000 * (vertices[k, :, 1] + cam[k, 2]) / depth * size[k] / 256
        expected = centre[k] + np.stack([x if part == "right_hand" else -x, y], 1)
        np.testing.assert_allclose(guides[part].pixels, expected, atol=1e-9)
        assert np.corrcoef(guides[part].vertices[:, 1], -expected[:, 1])[0, 1] > 0.9


def test_flame_s_mesh(tmp_path):
    vertices = np.random.default_rng(1).normal(scale=0.08, size=(5023, 3))
    crop, cam = np.array([320.0, 240, 200]), np.array([8.0, 0.01, -0.02])
    path = save(
        tmp_path / "e.npz",
        globalpose=np.zeros(3),
        jawpose=np.zeros(3),
        cam=cam,
        crop=crop,
        verts=vertices,
    )
    (guide,) = load_estimate(path, CAMERA).dense
    flat = cam[0] * (vertices[:3931, :2] + cam[1:]) * [1, -1]
    np.testing.assert_allclose(guide.pixels, crop[:2] + 100 * flat, atol=1e-9)
    np.testing.assert_allclose(guide.vertices, vertices[:3931], atol=1e-9)  # the crop is central


def test_gagavatar_s_mesh(tmp_path):
    R = rotation([0.1, 0.5, 0.0])
    to_view = np.diag([-1.0, 1.0, -1.0])
    vertices = 5 * np.random.default_rng(2).normal(scale=0.05, size=(5023, 3))
    view = np.concatenate([(to_view @ R).T, [[0.0], [0.0], [25.0]]], axis=1)
    path = save(
        tmp_path / "g.npz",
        transform_matrix=view,
        posecode=np.zeros(6),
        crop=[320.0, 240, 180],
        vertices=vertices,
    )
    (guide,) = load_estimate(path, CAMERA).dense
    at = vertices[:3931] @ (to_view @ R).T + [0, 0, 25]
    expected = [320, 240] - 90 * 12 * at[:, :2] / at[:, 2:]
    np.testing.assert_allclose(guide.pixels, expected, atol=1e-6)
    turned = vertices[:3931] / 5 @ R.T
    np.testing.assert_allclose(guide.vertices, turned - turned.mean(0), atol=2e-4)  # eyes aside


def test_guides_go_with_their_joint():
    guide = DenseGuide("left_hand", np.zeros((3, 3)), np.zeros((3, 2)))
    from likeness.engine.tracking.estimators import PoseEstimate

    told = replace(PoseEstimate.nothing("x").with_rows(20, [0, 0, 0], 1.0), dense=(guide,))
    assert told.without([21]).dense == (guide,)
    assert told.without([20]).dense == ()
