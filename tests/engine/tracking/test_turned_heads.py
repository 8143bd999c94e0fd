"""Heads that look to the side: what the mask's profile adds to landmarks that err."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.atlas import surface_points
from likeness.engine.body.model import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    Camera,
    FloatArray,
    Observation,
    Portrait,
    Pose,
)
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh
from likeness.engine.tracking import fit_body, silhouette
from likeness.engine.tracking.detectors import DetectedPerson, FaceBox, Roi
from likeness.engine.tracking.fit import gather_evidence
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from likeness.engine.tracking.fitter import Fitter
from likeness.engine.tracking.landmark_trust import (
    HEAD_POINTS,
    SHOULDERS,
    face_turn,
    yaw_disagreement,
)
from likeness.engine.tracking.measure import fit_failed
from likeness.engine.tracking.profile_face import (
    estimate_profile_yaw,
    find_box,
    flip_front_back,
    follow_box,
)
from likeness.engine.tracking.silhouette import SilhouetteEdges

from tests.soaked import if_asked

HEAD = JOINT_INDEX["head"]
SIZE, FOV = 512, 35.0
TOO_FAR = 20.0  # degrees by which the body's landmarks turn a head without a face too far


def camera() -> Camera:
    return photo_camera(0.5 * SIZE / np.tan(np.radians(FOV) / 2), SIZE, SIZE)


def turned_pose(body: Body, yaw: float, jaw_open: float = 0.0) -> Pose:
    """A person at ease whose body and head are turned by ``yaw`` degrees, the head in the frame."""
    full_pose = np.zeros((NUM_JOINTS, 3))
    full_pose[0, 1] = np.radians(yaw)
    full_pose[[16, 17], 2] = -1.1, 1.1
    head = body.vertices(Pose(full_pose, np.zeros(3), np.zeros(body.num_expression)))[1][HEAD]
    transl = np.array([-head[0], -head[1] - 0.02, -0.75 - head[2]])
    expression = np.zeros(body.num_expression)
    expression[body.expression_index["jawOpen"]] = jaw_open
    return Pose(full_pose, transl, expression)


def photograph(body: Body, yaw: float, jaw_open: float = 0.0) -> Observation:
    """What detectors report of a head at ``yaw``: face landmarks where the network puts them."""
    pose = turned_pose(body, yaw, jaw_open)
    vertices, joints = body.vertices(pose)
    _, _, R, _ = body.rest_and_transforms(pose)
    marks = body.landmarks
    assert marks is not None
    still = body.v_template + body.exprdirs @ pose.expression
    rest = surface_points(still, body.f, marks.face_triangle, marks.face_bary)
    place = joints[HEAD] - R[HEAD] @ body.J_template[HEAD]
    shift, _ = face_turn(body, np.arange(len(rest)), R[HEAD], place)
    face = project((rest + shift) @ R[HEAD].T + place, camera())[0]
    points = joints[marks.pose_joint] + np.einsum(
        "nab,nb->na", R[marks.pose_joint], marks.pose_offset
    )
    pixels = project(points, camera())[0]
    inside = ((pixels > 0) & (pixels < SIZE)).all(1)
    mask = (rasterize_mesh(vertices, body.f, camera()).face >= 0).astype(np.float32)
    return Observation(pixels, inside.astype(np.float64), points - joints[0], mask, face, 1.0)


def portrait() -> Portrait:
    return Portrait(np.zeros((SIZE, SIZE, 3), np.float32), None, Path("side.png"))


def head_error(body: Body, pose: Pose, yaw: float) -> float:
    found = body.rest_and_transforms(pose)[2][HEAD]
    true = body.rest_and_transforms(turned_pose(body, yaw))[2][HEAD]
    return float(np.degrees(np.linalg.norm(matrix_to_axis_angle(found @ true.T))))


@pytest.mark.parametrize("yaw", [60.0, *if_asked(-64.0)])
def test_the_turn_and_what_it_does_to_landmarks_are_found_together(
    default_body: Body, yaw: float
) -> None:
    track = fit_body(photograph(default_body, yaw), portrait(), default_body, fov=FOV)
    assert head_error(default_body, track.pose, yaw) < 3.5
    assert not [w for w in track.warnings if "failed" in w]


@pytest.mark.parametrize("size", [0.92, *if_asked(1.08)])
@pytest.mark.parametrize("yaw", [45.0, -60.0])
def test_a_turned_face_of_any_size_opens_its_mouth(
    default_body: Body, yaw: float, size: float
) -> None:
    """Men who shout to the side had closed mouths, and were refused for them."""
    seen = photograph(default_body, yaw, jaw_open=0.5)
    assert seen.face is not None
    middle = seen.face.mean(0)
    track = fit_body(
        replace(seen, face=middle + size * (seen.face - middle)), portrait(), default_body, fov=FOV
    )
    assert not track.face_lost
    assert head_error(default_body, track.pose, yaw) < 5.0
    assert track.pose.expression[default_body.expression_index["jawOpen"]] > 0.3


@pytest.mark.parametrize("yaw", [62.0, *if_asked(-65.0)])
def test_without_a_face_the_profile_holds_the_head(default_body: Body, yaw: float) -> None:
    seen = photograph(default_body, yaw)
    turn = axis_angle_to_matrix(np.array([0.0, np.copysign(np.radians(TOO_FAR), yaw), 0.0]))
    world: FloatArray = np.array(seen.pose_world)
    middle = world[HEAD_POINTS].mean(0)
    world[HEAD_POINTS] = (world[HEAD_POINTS] - middle) @ turn.T + middle
    faceless = replace(seen, pose_world=world, face=None, face_score=0.0)
    track = fit_body(faceless, portrait(), default_body, fov=FOV)
    assert head_error(default_body, track.pose, yaw) < 5.5


def face_box(seen: Observation, score: float = 0.8) -> FaceBox:
    """The face detector's box and points of a head whose landmarks are true."""
    eyes, nose, mouth = seen.pose[[5, 2]], seen.pose[[0]], seen.pose[[9, 10]].mean(0)[None]
    points = np.concatenate([eyes, nose, mouth, seen.pose[[8, 7]]])
    middle, size = points.mean(0), 2.1 * np.linalg.norm(eyes.mean(0) - mouth[0])
    return FaceBox(np.concatenate([middle - size / 2, middle + size / 2]), points, score)


@pytest.mark.parametrize("yaw", [62.0, -70.0])
def test_a_profile_is_not_seen_from_behind(default_body: Body, yaw: float) -> None:
    """The body network took the front for the back; the face's box shows where it looks."""
    seen = replace(photograph(default_body, yaw), face=None, face_score=0.0)
    mistaken = flip_front_back(seen)
    assert (
        head_error(default_body, fit_body(mistaken, portrait(), default_body, fov=FOV).pose, yaw)
        > 30.0
    )
    box = face_box(seen)
    found = estimate_profile_yaw(box)
    assert found is not None
    assert np.degrees(found) == pytest.approx(yaw, abs=12.0)
    followed = follow_box(mistaken, box)
    assert (
        head_error(default_body, fit_body(followed, portrait(), default_body, fov=FOV).pose, yaw)
        < 12.0
    )


def test_what_is_no_profile(default_body: Body) -> None:
    assert estimate_profile_yaw(face_box(photograph(default_body, 20.0))) is None
    side = photograph(default_body, 70.0)
    assert estimate_profile_yaw(face_box(side, score=0.6)) is None
    box = face_box(side)
    rest = (side.pose_world, side.person_mask, 1.0, box.box, Roi((0.0, 0.0), 1.0))
    someone = DetectedPerson(side.pose, side.pose_visibility, *rest)
    assert find_box([box], someone) is box
    assert find_box([box], replace(someone, landmarks=side.pose + 300.0)) is None
    surer = face_box(photograph(default_body, 20.0), score=0.9)
    surer = replace(surer, keypoints=surer.keypoints + box.keypoints[2] - surer.keypoints[2])
    assert find_box([surer, box], someone) is box, "the one in profile says more"


def test_shoulders_beside_the_chin_are_not_believed(default_body: Body) -> None:
    """Of a body network that took a head for a whole person, far away."""
    seen = replace(photograph(default_body, 62.0), face=None, face_score=0.0)
    box = face_box(seen)
    kept = follow_box(seen, box).pose_visibility
    np.testing.assert_array_equal(kept, seen.pose_visibility)
    middle = seen.pose[HEAD_POINTS].mean(0)
    shrunk = replace(seen, pose=middle + 0.4 * (seen.pose - middle))
    followed = follow_box(shrunk, box)
    assert not followed.pose_visibility[SHOULDERS].any()
    np.testing.assert_allclose(followed.pose[HEAD_POINTS], seen.pose[HEAD_POINTS], atol=12.0)
    depths = [
        -float(default_body.vertices(track.pose, track.betas)[1][HEAD, 2])
        for track in (fit_body(o, portrait(), default_body, fov=FOV) for o in (shrunk, followed))
    ]
    assert depths[1] == pytest.approx(0.75, abs=0.12)
    assert abs(depths[1] - 0.75) < 0.7 * abs(depths[0] - 0.75)


def costs(body: Body, true: float, tried: list[float]) -> list[float]:
    """Of the profile of a head tried at some turns in a photo of another turn."""
    evidence, _ = gather_evidence(photograph(body, true), None, camera(), body)
    edges = SilhouetteEdges.of(body)
    out = []
    for yaw in tried:
        pose = turned_pose(body, yaw)
        state = FitState(pose.transl, pose.full_pose, np.zeros(body.num_betas), pose.expression)
        terms = edges.profile_term(body.vertices(pose)[0], state, evidence)
        out.append(sum(term.add(PosedJoints(body, state), None) for term in terms))
    return out


def test_the_true_turn_fits_the_mask_best(default_body: Body) -> None:
    by_turn = costs(default_body, 65.0, [45.0, 55.0, 65.0, 80.0])
    assert min(by_turn) == by_turn[2]
    assert by_turn[2] < 0.3 * min(by_turn[0], by_turn[3])


def test_a_face_to_the_camera_has_no_profile(default_body: Body) -> None:
    assert costs(default_body, 10.0, [10.0]) == [0]


def test_a_head_whose_ears_eyes_and_mouth_disagree_is_doubted(default_body: Body) -> None:
    seen = photograph(default_body, 60.0)
    assert np.degrees(yaw_disagreement(seen)) < 8.0
    world: FloatArray = np.array(seen.pose_world)
    world[[9, 10]] = world[[10, 9]]  # a mouth that looks the other way
    doubtful = replace(seen, pose_world=world, face=None, face_score=0.0)
    assert np.degrees(yaw_disagreement(doubtful)) > 90.0
    pose = turned_pose(default_body, 60.0)
    state = FitState(pose.transl, pose.full_pose, np.zeros(default_body.num_betas), pose.expression)
    edges, vertices = SilhouetteEdges.of(default_body), default_body.vertices(pose)[0]
    for observation, count in ((replace(seen, face=None), 1), (doubtful, 0)):
        evidence, _ = gather_evidence(observation, None, camera(), default_body)
        assert len(edges.profile_term(vertices, state, evidence)) == count


def test_a_face_from_the_side_may_be_twice_as_far_off(default_body: Body) -> None:
    front, _ = gather_evidence(photograph(default_body, 5.0), None, camera(), default_body)
    side, _ = gather_evidence(photograph(default_body, 62.0), None, camera(), default_body)
    assert front.turned == 0.0
    assert side.turned == pytest.approx(1.0, abs=0.01)
    assert not fit_failed(9.0, front)
    assert fit_failed(11.0, front)
    assert side.iod is not None
    limit = 20.0 * side.face_scale / side.iod
    assert limit > 30.0
    assert not fit_failed(0.95 * limit, side)
    assert fit_failed(1.05 * limit, side)


def test_turning_the_head_leaves_the_body_in_its_depth(default_body: Body) -> None:
    """The head's landmarks and profile alone would draw the whole body away from its own."""
    seen = photograph(default_body, 65.0)
    evidence, head = gather_evidence(seen, None, camera(), default_body)
    fitter = Fitter(default_body, evidence, head)
    state = fitter.refine(fitter.find_pose())
    moved = replace(state, transl=state.transl + np.array([0.04, 0.0, -0.3]))
    turned = fitter.turn_head(moved, SilhouetteEdges.of(default_body))
    assert turned.transl[2] == moved.transl[2]


def test_a_profile_behind_a_limb_says_nothing(
    default_body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = silhouette.rasterize_mesh

    def draw_behind_a_limb(*arguments: Any) -> MeshBuffer:
        buffer = drawn(*arguments)
        return replace(buffer, face=np.zeros_like(buffer.face))

    monkeypatch.setattr(silhouette, "rasterize_mesh", draw_behind_a_limb)
    assert costs(default_body, 65.0, [65.0]) == [0]
