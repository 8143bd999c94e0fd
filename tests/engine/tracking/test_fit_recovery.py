"""The fit finds again what made its landmarks: a toy person seen by exact and by bad detectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.model import Body, Landmarks
from likeness.engine.body.synthetic import make_bare_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    PARENTS,
    FloatArray,
    LikenessError,
    Observation,
    Portrait,
    Pose,
)
from likeness.engine.tracking import fit_body
from likeness.engine.tracking.fit import gather_evidence
from likeness.engine.tracking.fit_state import FitState
from likeness.engine.tracking.fitter import Fitter
from likeness.engine.tracking.initial_pose import fit_rigid_pose
from likeness.engine.tracking.solver import total_cost

HEAD = JOINT_INDEX["head"]
POSE_JOINTS = [HEAD] * 11 + [
    JOINT_INDEX[f"{side}_{part}"]
    for part in (
        "shoulder",
        "elbow",
        "wrist",
        "wrist",
        "wrist",
        "wrist",
        "hip",
        "knee",
        "ankle",
        "ankle",
        "foot",
    )
    for side in ("left", "right")
]


def skeleton() -> FloatArray:
    """[55, 3] rest joints of a person of 1.7 m in a T-pose, pelvis at the origin."""
    J = np.zeros((NUM_JOINTS, 3))
    spine = {"spine1": 0.1, "spine2": 0.22, "spine3": 0.3, "neck": 0.5, "head": 0.6, "jaw": 0.61}
    for name, y in spine.items():
        J[JOINT_INDEX[name], 1] = y
    sides = {
        "hip": (0.09, -0.05, 0.0),
        "knee": (0.1, -0.45, 0.0),
        "ankle": (0.1, -0.85, -0.02),
        "foot": (0.1, -0.9, 0.1),
        "collar": (0.06, 0.42, 0.0),
        "shoulder": (0.18, 0.44, 0.0),
        "elbow": (0.46, 0.44, 0.0),
        "wrist": (0.71, 0.44, 0.0),
        "eye_smplhf": (0.031, 0.65, 0.08),
    }
    for k, finger in enumerate(("index", "middle", "pinky", "ring", "thumb")):
        for bone in (1, 2, 3):
            sides[f"{finger}{bone}"] = (0.77 + 0.03 * bone, 0.43, 0.04 - 0.02 * k)
    for name, (x, y, z) in sides.items():
        J[JOINT_INDEX[f"left_{name}"]] = x, y, z
        J[JOINT_INDEX[f"right_{name}"]] = -x, y, z
    return J


@pytest.fixture(scope="module")
def toy() -> Body:
    """Scattered triangles along the bones, a half-ellipsoid of a face with 478 landmarks."""
    rng = np.random.default_rng(3)
    J = skeleton()
    v, w = [], []
    for j, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        for t in rng.uniform(0, 1, 24):
            v.append(J[parent] + t * (J[j] - J[parent]) + rng.normal(0, 0.04, 3) * [1, 1, 0.9])
            w.append(np.eye(NUM_JOINTS)[parent])
    scattered = len(v) - len(v) % 3
    v, w = v[:scattered], w[:scattered]
    sphere = rng.normal(0, 1, (478, 3))
    sphere[:, 2] = np.abs(sphere[:, 2])
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    face = J[HEAD] + [0.0, 0.03, 0.0] + sphere * [0.07, 0.1, 0.09]
    face[:, 2] += 0.02 * np.exp(-((face[:, :2] - [0, 0.63]) ** 2).sum(1) / 4e-4)  # a nose
    for row, (x, eye) in {468: (-0.031, "right"), 473: (0.031, "left")}.items():
        face[row : row + 5] = [x, 0.65, 0.092] + rng.normal(0, 0.003, (5, 3)) * [1, 1, 0]
        w_eye = np.eye(NUM_JOINTS)[JOINT_INDEX[f"{eye}_eye_smplhf"]]
        face[row] = [x, 0.65, 0.092]
        for k in range(5):
            v += [face[row + k] + d for d in 1e-3 * np.eye(3)]
            w += [w_eye] * 3
    eye_triangles = np.arange(10) + scattered // 3
    first = len(v)
    for k in range(468):
        v += [face[k] + d for d in 1e-3 * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0.0]])]
        w += [np.eye(NUM_JOINTS)[HEAD]] * 3
    vertices = np.array(v)
    f = np.arange(len(v)).reshape(-1, 3)
    triangle = np.concatenate([first // 3 + np.arange(468), eye_triangles])
    # Shapes: taller, wider; a wider and a longer face. Expressions: an open mouth, a raised brow.
    head = (np.array(w).argmax(1) == HEAD)[:, None]
    local = vertices - J[HEAD]
    shapes = [
        0.03 * vertices * [0, 1, 0],
        0.04 * vertices * [1, 0, 1],
        0.06 * head * local * [1, 0, 0],
        0.06 * head * local * [0, 1, 0],
    ]
    moves = [0.03 * J * [0, 1, 0], 0.04 * J * [1, 0, 1], 0 * J, 0 * J]
    low = head * np.clip((0.61 - vertices[:, 1:2]) / 0.05, 0, 1)
    high = head * np.clip((vertices[:, 1:2] - 0.67) / 0.05, 0, 1)
    expressions = [low * [0, -0.03, -0.005], high * [0, 0.01, 0], 0 * vertices]
    offset = rng.normal(0, 0.01, (33, 3))
    hand = np.array(
        [20, 37, 38, 39, 39, 25, 26, 27, 27, 28, 29, 30, 30, 34, 35, 36, 36, 31, 32, 33, 33]
    )
    return make_bare_body(
        vertices,
        f,
        np.array(w),
        shapedirs=np.stack(shapes, -1),
        exprdirs=np.stack(expressions, -1),
        expression_names=("jawOpen", "browInnerUp", "tongueOut"),
        J_template=J,
        J_shapedirs=np.stack(moves, -1),
        num_body_betas=2,
        landmarks=Landmarks(
            triangle,
            np.full((478, 3), 1 / 3),
            np.ones(478),
            np.array(POSE_JOINTS),
            offset,
            hand,
            np.zeros((21, 3)),
        ),
    )


def see(
    body: Body,
    pose: Pose,
    betas: FloatArray,
    fov: float,
    rng: np.random.Generator,
    noise: float,
    outliers: float,
) -> tuple[Observation, Portrait]:
    """What perfect detectors would report, then noise [pixels] and a share of wild points."""
    width, height = 600, 800
    focal = 0.5 * height / np.tan(np.radians(fov) / 2)
    camera = photo_camera(focal, width, height)
    vertices, joints = body.vertices(pose, betas)
    _, _, R, _ = body.rest_and_transforms(pose, betas)
    marks = body.landmarks
    face = project(vertices[body.f[marks.face_triangle]].mean(1), camera)[0]
    points = joints[marks.pose_joint] + np.einsum(
        "nab,nb->na", R[marks.pose_joint], marks.pose_offset
    )
    pixels = project(points, camera)[0]
    visibility = np.ones(33)
    for rows in (face[:468], pixels[11:]):
        rows += rng.normal(0, noise, rows.shape)
    wild = rng.choice(468, int(outliers * 468), replace=False)
    face[wild] += rng.normal(0, 25 * max(noise, 0.1), (len(wild), 2))
    portrait = Portrait(np.zeros((height, width, 3), np.float32), None, Path("toy.png"))
    mask = np.ones((height, width), np.float32)
    return Observation(pixels, visibility, points - joints[0], mask, face, 1.0), portrait


def placed(body: Body, fov: float, **joints: list[float]) -> Pose:
    """A pose whose body fills the picture at this field of view."""
    full_pose = np.zeros((NUM_JOINTS, 3))
    full_pose[[16, 17], 2] = -1.1, 1.1
    for name, value in joints.items():
        full_pose[JOINT_INDEX[name]] = value
    distance = 1.1 / np.tan(np.radians(fov) / 2)
    return Pose(full_pose, np.array([0.02, 0.1, -distance]), np.array([0.6, 0.0, 0.0]))


def angle_between(A: FloatArray, B: FloatArray) -> float:
    return float(np.degrees(np.linalg.norm(matrix_to_axis_angle(A @ B.T))))


@pytest.mark.parametrize("fov", [20.0, 60.0])
@pytest.mark.parametrize(("noise", "outliers"), [(0.0, 0.0), (0.4, 0.2)])
def test_recovers_pose_and_expression(toy: Body, fov: float, noise: float, outliers: float) -> None:
    pose = placed(
        toy,
        fov,
        pelvis=[0.05, 0.4, 0.0],
        neck=[0.1, -0.1, 0.05],
        head=[0.1, -0.2, 0.1],
        left_elbow=[0, -1.0, 0],
        right_shoulder=[0.1, 0.5, 0.9],
        right_elbow=[0, 1.5, 0],
        left_knee=[0.4, 0, 0],
        left_hip=[-0.3, 0, 0],
    )
    betas = np.array([0.3, -0.3, 0.8, -0.7])
    rng = np.random.default_rng(11)
    observation, portrait = see(toy, pose, betas, fov, rng, noise, outliers)
    track = fit_body(observation, portrait, toy, fov=fov)
    assert track.framing == "full"
    _, _, R_true, _ = toy.rest_and_transforms(pose, betas)
    _, _, R_found, _ = toy.rest_and_transforms(track.pose, track.betas)
    assert angle_between(R_true[HEAD], R_found[HEAD]) < (2.0 if noise == 0 else 5.0)
    joints_true = toy.vertices(pose, betas)[1]
    joints_found = toy.vertices(track.pose, track.betas)[1]
    seen = [
        JOINT_INDEX[f"{s}_{p}"]
        for s in ("left", "right")
        for p in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    ]
    pixels = [project(j[seen], track.camera)[0] for j in (joints_true, joints_found)]
    assert np.linalg.norm(pixels[0] - pixels[1], axis=1).mean() < 4.0
    # One photo leaves size against distance open: compare limbs by direction.
    for a, b in (("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")):
        spans = [j[JOINT_INDEX[b]] - j[JOINT_INDEX[a]] for j in (joints_true, joints_found)]
        cosine = spans[0] @ spans[1] / np.linalg.norm(spans[0]) / np.linalg.norm(spans[1])
        assert np.degrees(np.arccos(min(cosine, 1.0))) < 15.0
    assert track.pose.expression[0] == pytest.approx(0.6, abs=0.25)
    assert track.pose.expression[2] == 0.0
    assert track.joint_confidence[JOINT_INDEX["left_elbow"]] == 1.0
    if outliers == 0:
        assert track.face_error < 2.0
        assert track.pose_error < 3.0


def test_unseen_arms_hang_and_legs_stand(toy: Body) -> None:
    pose = placed(toy, 30.0)
    rng = np.random.default_rng(2)
    observation, portrait = see(toy, pose, np.zeros(4), 30.0, rng, 0.0, 0.0)
    visibility = np.zeros(33)
    visibility[:13] = 1.0
    wild = observation.pose.copy()
    wild[13:] = rng.uniform(0, 600, (20, 2))  # what a detector dreams below the frame
    observation = Observation(
        wild, visibility, observation.pose_world, observation.person_mask, observation.face, 1.0
    )
    track = fit_body(observation, portrait, toy, fov=30.0)
    assert track.framing == "head"
    joints = toy.vertices(track.pose, track.betas)[1]
    for side in ("left", "right"):
        for upper, lower in (("shoulder", "wrist"), ("hip", "ankle")):
            span = joints[JOINT_INDEX[f"{side}_{lower}"]] - joints[JOINT_INDEX[f"{side}_{upper}"]]
            assert span[1] / np.linalg.norm(span) < -0.85
        assert track.joint_confidence[JOINT_INDEX[f"{side}_wrist"]] == 0.0


@pytest.mark.parametrize(
    ("seen", "knee", "ankle"),
    [(False, 0.4, 0.8), (True, 0.4, 0.8), (False, 0.1, 0.2), (False, 0.0, 0.43)],
)
def test_a_leg_below_the_frame_hangs_unless_it_is_lifted(
    toy: Body, seen: bool, knee: float, ankle: float
) -> None:
    """What pulls a thigh towards the camera, as wide trousers do, costs more than it gains.

    Of someone who sits, the shin alone is below the hip.
    """
    observation, _ = see(toy, placed(toy, 30.0), np.zeros(4), 30.0, np.random.default_rng(2), 0, 0)
    observation.pose_visibility[25:] = 1.0 * seen
    hips = observation.pose_world[[23, 24], 1]
    observation.pose_world[[25, 26], 1], observation.pose_world[[27, 28], 1] = (
        hips - knee,
        hips - ankle,
    )
    evidence, _ = gather_evidence(observation, None, photo_camera(1493.0, 600, 800), toy)
    standing = FitState(
        np.array([0.0, 0.1, -4.0]), np.zeros((NUM_JOINTS, 3)), np.zeros(4), np.zeros(3)
    )
    swung = standing
    for name in ("left_hip", "right_hip"):
        swung = swung.with_joint(JOINT_INDEX[name], np.array([-0.5, 0.0, 0.0]))
    terms = evidence.upright_terms()
    drawn = total_cost(toy, swung, terms) - total_cost(toy, standing, terms)
    assert evidence.framing == ("full" if seen else "half")
    hangs = knee > 0.3
    assert drawn > 1.0 if hangs else drawn == pytest.approx(0.0, abs=1e-6)


def test_without_a_face_the_body_is_fitted(toy: Body) -> None:
    pose = placed(toy, 40.0, left_elbow=[0, -1.2, 0])
    rng = np.random.default_rng(5)
    observation, portrait = see(toy, pose, np.zeros(4), 40.0, rng, 0.0, 0.0)
    observation = Observation(
        observation.pose,
        observation.pose_visibility,
        observation.pose_world,
        observation.person_mask,
    )
    track = fit_body(observation, portrait, toy, fov=40.0)
    assert track.face_error is None
    assert track.pose_error < 3.0


def test_scrambled_face_is_reported_as_failed(toy: Body) -> None:
    pose = placed(toy, 40.0)
    rng = np.random.default_rng(6)
    observation, portrait = see(toy, pose, np.zeros(4), 40.0, rng, 0.0, 0.0)
    # Scrambled by halves: the head can still be told, so the fit is what notices.
    observation.face[:468:2] = rng.permutation(observation.face[:468:2])
    track = fit_body(observation, portrait, toy, fov=40.0)
    assert track.face_error > 10.0
    assert any("failed" in warning for warning in track.warnings)
    assert np.isfinite(track.pose.full_pose).all()


def test_a_face_that_contradicts_the_body_is_left_out(toy: Body) -> None:
    pose = placed(toy, 40.0)
    rng = np.random.default_rng(6)
    observation, portrait = see(toy, pose, np.zeros(4), 40.0, rng, 0.0, 0.0)
    turned = Observation(
        observation.pose,
        observation.pose_visibility,
        observation.pose_world * [-1.0, 1.0, -1.0],  # the body has its back to the camera
        observation.person_mask,
        observation.face,
        face_score=0.6,
    )
    track = fit_body(turned, portrait, toy, fov=40.0)
    assert track.face_error is None
    assert any("contradict" in warning for warning in track.warnings)


@pytest.mark.parametrize("yaw", [-75.0, -30.0, 0.0, 45.0, 75.0])
def test_rigid_pose_from_turned_heads(toy: Body, yaw: float) -> None:
    model = toy.v_template[toy.f[toy.landmarks.face_triangle]].mean(1)
    rng = np.random.default_rng(4)
    camera = photo_camera(900.0, 600, 800)
    R = axis_angle_to_matrix(np.radians([12.0, yaw, 5.0]))
    t = np.array([0.1, -0.5, -1.0])
    pixels = project(model @ R.T + t, camera)[0]
    bad = rng.choice(len(pixels), 95, replace=False)
    pixels[bad] += rng.normal(0, 40, (95, 2))
    found = fit_rigid_pose(model, pixels, np.ones(len(model)), camera, 56.0)
    assert angle_between(found.R, R) < 0.5
    np.testing.assert_allclose(found.t, t, atol=5e-3)


def test_impossible_field_of_view(toy: Body) -> None:
    pose = placed(toy, 40.0)
    observation, portrait = see(toy, pose, np.zeros(4), 40.0, np.random.default_rng(0), 0, 0)
    with pytest.raises(LikenessError, match="field of view"):
        fit_body(observation, portrait, toy, fov=400.0)


def test_a_lost_face_is_looked_for_again(toy: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that ends far from the face is not the last word."""
    pose = placed(toy, 40.0)
    observation, portrait = see(toy, pose, np.zeros(4), 40.0, np.random.default_rng(7), 0.0, 0.0)
    refine, calls = Fitter.refine, []

    def astray(self: Fitter, state: FitState) -> FitState:
        calls.append(state)
        found = refine(self, state)
        return found if len(calls) > 1 else found.with_joint(0, np.array([0.0, 1.5, 0.0]))

    monkeypatch.setattr(Fitter, "refine", astray)
    track = fit_body(observation, portrait, toy, fov=40.0)
    assert track.face_error is not None
    assert track.face_error < 3.0


def test_a_mouth_opens_at_the_jaws_joint_where_no_action_does(toy: Body) -> None:
    """The lower face hangs on the jaw, and the body's own expressions may weigh either way."""
    J = toy.J_template
    weights = np.array(toy.weights)
    low = np.clip((0.61 - toy.v_template[:, 1]) / 0.05, 0, 1) * (weights.argmax(1) == HEAD)
    weights[:, JOINT_INDEX["jaw"]] += low * weights[:, HEAD]
    weights[:, HEAD] -= low * weights[:, HEAD]
    J = J.copy()
    J[JOINT_INDEX["jaw"]] = [0.0, 0.62, -0.02]
    jawed = replace(
        toy,
        weights=weights,
        J_template=J,
        expression_names=("expression_00", "expression_01", "expression_02"),
    )
    pose = placed(jawed, 30.0, jaw=[0.3, 0.0, 0.0])
    pose = replace(pose, expression=np.array([0.0, -0.8, 0.0]))
    rng = np.random.default_rng(4)
    observation, portrait = see(jawed, pose, np.zeros(4), 30.0, rng, 0.0, 0.0)
    track = fit_body(observation, portrait, jawed, fov=30.0)
    jaw = track.pose.full_pose[JOINT_INDEX["jaw"]]
    assert jaw[0] == pytest.approx(0.3, abs=0.08)
    assert np.abs(jaw[1:]).max() < 0.03
    assert track.pose.expression[1] == pytest.approx(-0.8, abs=0.3)
    assert track.face_error < 2.0
