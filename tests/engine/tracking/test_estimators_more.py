"""SAM 3D Body, PIXIE, GAGAvatar's tracker and keypoint files, against bodies posed by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, PARENTS, LikenessError, Portrait
from likeness.engine.motion.io import load_motion
from likeness.engine.tracking.estimators import FileEstimator, load_estimate
from likeness.engine.tracking.estimators.flame import FROM_PYTORCH3D

from .estimates import (
    HEIGHT,
    REST,
    WIDTH,
    angle,
    bend_mhr,
    by_their_camera,
    dump_mhr,
    joints_by_hand,
    observed_at,
    our_pixels,
    random_pose,
    rotation,
    save,
)

FLIP = np.diag([1.0, -1, -1])

# SAM 3D Body --------------------------------------------------------------------------------


def test_sam_3d_body_in_the_same_camera(tmp_path):
    pose = bend_mhr(0)
    R, p, arrays = dump_mhr(pose, np.array([0.2, 0.1, -3.0]), [0.1, 0.5, 2.9])
    path = save(tmp_path / "sam.npz", **arrays, focal_length=700.0, img_size=[WIDTH, HEIGHT])
    estimate = load_estimate(path, photo_camera(700.0, WIDTH, HEIGHT))
    assert estimate.source == "SAM 3D Body"
    assert not estimate.known[[JOINT_INDEX["jaw"], JOINT_INDEX["left_foot"]]].any()
    local = rotation(estimate.full_pose)
    got = np.zeros((55, 3, 3))
    for j, parent in enumerate(PARENTS):
        got[j] = local[j] if parent < 0 else got[parent] @ local[j]
    assert angle(got[0], R[0]) < 1e-4
    assert max(angle(got[JOINT_INDEX[n]], R[JOINT_INDEX[n]]) for n in ("spine3", "head")) < 3
    for side in ("left", "right"):
        for name, most in (("shoulder", 2), ("elbow", 2), ("wrist", 2), ("hip", 9), ("knee", 9)):
            j = JOINT_INDEX[f"{side}_{name}"]
            assert angle(got[j], R[j]) < most, (side, name)
    hips = p[[1, 2]].mean(0)
    _, posed = our_pixels(estimate, photo_camera(700.0, WIDTH, HEIGHT))
    assert np.linalg.norm(posed.p[[1, 2]].mean(0) - hips) < 1e-6


def test_sam_3d_body_chooses_the_observed_person(tmp_path):
    people = [dump_mhr(bend_mhr(k), np.array([k - 0.5, 0, -3.0]), [0, 0, 3.0])[2] for k in (0, 1)]
    stacked = {key: np.stack([one[key] for one in people]) for key in people[0]}
    boxes = np.array([[50.0, 100, 200, 400], [400, 100, 550, 400]])
    path = save(tmp_path / "sam.npz", **stacked, bbox=boxes, focal_length=[700.0, 700.0])
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[100:400, 400:550] = 1
    camera = photo_camera(700.0, WIDTH, HEIGHT)
    second = load_estimate(path, camera, observation=observed_at(person_mask=mask))
    np.testing.assert_allclose(second.full_pose, load_estimate(path, camera, person=2).full_pose)
    assert not np.allclose(second.full_pose, load_estimate(path, camera, person=1).full_pose)


def test_sam_3d_body_frames_are_a_motion(tmp_path):
    frames = [dump_mhr(bend_mhr(k), np.array([0.1 * k, 0, -3.0]), [0, 0, 3.0])[2] for k in range(4)]
    stacked = {key: np.stack([one[key] for one in frames]) for key in frames[0]}
    path = save(
        tmp_path / "walk.npz", **stacked, focal_length=700.0, img_size=[WIDTH, HEIGHT], fps=25.0
    )
    motion = load_motion(path, 0)
    assert (len(motion), motion.frame_rate, motion.camera.K[0, 0]) == (4, 25.0, 700.0)
    np.testing.assert_allclose(np.diff(motion.transl[:, 0]), 0.1, atol=1e-9)
    photo = load_estimate(path, photo_camera(700.0, WIDTH, HEIGHT), person=3)
    np.testing.assert_allclose(motion.full_pose[2, 1:22], photo.full_pose[1:22], atol=1e-6)
    video = FileEstimator(path).of_frame(2)
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    portrait = Portrait(rgb, None, path, None, (WIDTH, HEIGHT))
    told = video.estimate(portrait, observed_at(), photo_camera(700.0, WIDTH, HEIGHT))
    assert told.known[0]
    np.testing.assert_allclose(rotation(told.full_pose[0]), rotation([0.1, 0.5, -0.08]), atol=1e-3)


# PIXIE --------------------------------------------------------------------------------------


def test_pixie(tmp_path):
    pose = random_pose(3)
    _, p = joints_by_hand(pose, REST, np.zeros(3))
    crop, cam = np.array([200.0, 260.0, 300.0]), np.array([0.9, 0.1, -0.2])
    theirs = crop[:2] + 150 * cam[0] * (p[:, :2] + cam[1:])
    path = save(
        tmp_path / "pixie.npz",
        global_pose=rotation(pose[0])[None, None],
        body_pose=rotation(pose[1:22])[None],
        left_hand_pose=rotation(pose[25:40])[None],
        right_hand_pose=rotation(pose[40:])[None],
        right_hand_weight=0.0,
        body_cam=cam[None],
        joints=np.concatenate([p, np.zeros((90, 3))])[None],
        crop=crop,
    )
    camera = photo_camera(9000.0, WIDTH, HEIGHT)  # far away, as their camera
    estimate = load_estimate(path, camera)
    assert estimate.source == "PIXIE"
    np.testing.assert_allclose(rotation(estimate.full_pose[1:22]), rotation(pose[1:22]), atol=1e-9)
    np.testing.assert_allclose(rotation(estimate.full_pose[40:]), rotation(pose[40:]), atol=1e-9)
    assert (estimate.confidence[40:] == 0).all()
    assert (estimate.confidence[25:40] > 0).all()
    ours, _ = our_pixels(estimate, camera)
    assert np.abs(ours[:22] - theirs[:22]).max() < 4.0  # a turn of 0.8 degrees at the crop


# GAGAvatar's tracker ------------------------------------------------------------------------


def test_gagavatar(tmp_path):
    """Its camera by hand: row vectors, x left, y up, z forward, focal length 12 half crops."""
    R = rotation([0.2, -0.4, 0.1])  # in photo space: x right, y up, z towards the viewer
    to_view = np.diag([-1.0, 1.0, -1.0])
    shift = np.array([0.1, -0.05, 26.0])
    vertices = 5 * np.random.default_rng(0).normal(scale=0.05, size=(5023, 3))
    crop = np.array([260.0, 200.0, 180.0])
    seen = vertices @ (to_view @ R).T + shift
    pixels = crop[:2] + 90.0 * 12.0 * seen[:, :2] / seen[:, 2:] * [-1, -1]
    path = save(
        tmp_path / "optim.npz",
        transform_matrix=np.concatenate([(to_view @ R).T, shift[:, None]], axis=1),
        posecode=[0, 0, 0, 0.3, 0, 0],
        eyecode=[0.1, 0, 0, 0.1, 0, 0],
        crop=crop,
        vertices=vertices,
    )
    camera = photo_camera(1080.0, WIDTH, HEIGHT)
    estimate = load_estimate(path, camera)
    head = JOINT_INDEX["head"]
    assert estimate.in_world[head]
    assert estimate.full_pose[JOINT_INDEX["jaw"], 0] == 0.3
    assert angle(rotation(estimate.full_pose[head]), R) < 4.5  # the line of sight to the crop
    eyes = 0.5 * (pixels[3931:4477].mean(0) + pixels[4477:5023].mean(0))
    assert np.abs(project(estimate.position, camera)[0] - eyes).max() < 1.0
    middle = save(
        tmp_path / "m.npz",
        transform_matrix=[*np.load(path)["transform_matrix"]],
        posecode=np.zeros(6),
        crop=[WIDTH / 2, HEIGHT / 2, 180.0],
    )
    exact = load_estimate(middle, camera)
    assert angle(rotation(exact.full_pose[head]), R) < 1e-5
    assert np.linalg.det(FROM_PYTORCH3D) > 0


# Keypoints ----------------------------------------------------------------------------------


def portrait():
    return Portrait(
        np.zeros((HEIGHT, WIDTH, 3), np.float32), None, None, None, (2 * WIDTH, 2 * HEIGHT)
    )


def whole_body(seed):
    points = np.random.default_rng(seed).uniform(100, 400, size=(133, 2))
    return points, np.linspace(0.5, 1.0, 133)


def test_whole_body_keypoints_of_mmpose(tmp_path):
    """MMPose's json of two people, in the photo's own pixels (twice the tracker's)."""
    points, scores = whole_body(0)
    other = points * 0.2
    people = [
        {"keypoints": (2 * p).tolist(), "keypoint_scores": scores.tolist(), "bbox": [[0, 0, 1, 1]]}
        for p in (other, points)
    ]
    path = tmp_path / "k.json"
    path.write_text(json.dumps({"meta_info": {"name": "x"}, "instance_info": people}))
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[100:400, 100:400] = 1
    found = FileEstimator(path).keypoints(portrait(), observed_at(person_mask=mask))
    for ours, theirs in ((0, 0), (11, 5), (16, 10), (27, 15), (28, 16), (29, 19), (32, 20)):
        np.testing.assert_allclose(found.pose[ours], points[theirs])
    np.testing.assert_allclose(found.pose[15], points[9])
    np.testing.assert_allclose(found.hands["left"][0], points[91:112])
    np.testing.assert_allclose(found.hands["right"][0], points[112:])
    assert (
        FileEstimator(path).estimate(portrait(), observed_at(), photo_camera(9.0, 64, 48)) is None
    )


@pytest.mark.parametrize("count", [308, 70])
def test_goliath_keypoints(tmp_path, count):
    points = np.random.default_rng(1).uniform(0, 400, size=(count, 2))
    path = save(tmp_path / "k.npz", keypoints=np.concatenate([2 * points, np.ones((count, 1))], 1))
    found = FileEstimator(path).keypoints(portrait(), observed_at())
    np.testing.assert_allclose(found.pose[[0, 15, 16]], points[[0, 62, 41]])


# Damaged files ------------------------------------------------------------------------------


def damaged(name):
    _, _, sam = dump_mhr(bend_mhr(0), np.array([0, 0, -3.0]), [0, 0, 3.0])
    points, scores = whole_body(0)
    return {
        "sam cut": (sam | {"pred_joint_coords": np.zeros((70, 3))}, "pred_joint_coords"),
        "sam nan": (sam | {"pred_cam_t": np.full(3, np.nan)}, "pred_cam_t"),
        "sam half": ({k: sam[k] for k in ("pred_global_rots",)}, "pred_joint_coords"),
        "sam people": (sam | {"pred_cam_t": np.ones((2, 3))}, "pred_cam_t"),
        "sam behind": (sam | {"pred_cam_t": np.array([0, 0, -9.0])}, "pred_cam_t"),
        "pixie half": ({"global_pose": np.eye(3), "body_cam": np.ones(3)}, "body_pose"),
        "gagavatar": ({"transform_matrix": np.eye(4), "posecode": np.zeros(6)}, "transform_matrix"),
        "keypoints": ({"keypoints": points[:17], "scores": scores[:17]}, "17 keypoints"),
        "no scores": ({"keypoints": points}, "keypoint_scores"),
        "scores": ({"keypoints": points, "scores": scores[:100]}, "scores"),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "sam cut",
        "sam nan",
        "sam half",
        "sam people",
        "sam behind",
        "pixie half",
        "gagavatar",
        "keypoints",
        "no scores",
        "scores",
    ],
)
def test_damaged_files_are_named_with_key_and_remedy(tmp_path, name):
    arrays, key = damaged(name)
    path = save(tmp_path / "half.npz", **arrays)
    estimator, camera = FileEstimator(path), photo_camera(700.0, WIDTH, HEIGHT)
    is_points = "keypoints" in arrays
    ask = estimator.keypoints if is_points else estimator.estimate
    given = (portrait(), observed_at(), *([] if is_points else [camera]))
    with pytest.raises(LikenessError) as caught:
        ask(*given)
    assert "half.npz" in str(caught.value)
    assert key in str(caught.value)
    assert caught.value.remedy


def test_their_camera_helper_agrees():
    """The hand-made projection of the other tests and the engine's are the same."""
    p = np.array([[0.2, 0.1, 3.0]])
    np.testing.assert_allclose(
        by_their_camera(p, 700, (320, 240)), project(p @ FLIP, photo_camera(700, WIDTH, HEIGHT))[0]
    )
