"""Estimators of hands and of heads: HaMeR and FLAME."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, LikenessError
from likeness.engine.tracking.estimators import init_from_estimate, load_estimate, merge_estimates
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from scipy.spatial.transform import Rotation

from .estimates import (
    BODY,
    HEIGHT,
    REST,
    WIDTH,
    angle,
    joints_by_hand,
    observed_at,
    osx_dump,
    random_pose,
    rotation,
    save,
    towards,
)


def hand_seen_in_a_mirror(R, fingers):
    """What a network that knows right hands says about a left one in a flipped crop."""
    mirror = np.diag([-1.0, 1, 1])
    return mirror @ R @ mirror, mirror @ fingers @ mirror


def test_hamer(tmp_path):
    """Hands before the photo's middle, both sides; wrists must come out as they were posed."""
    pose = random_pose(5)
    R, _ = joints_by_hand(pose, REST, np.array([0, 0, 3.0]))
    wrists = {side: R[JOINT_INDEX[f"{side}_wrist"]] for side in ("left", "right")}
    fingers = {"left": rotation(pose[25:40]), "right": rotation(pose[40:55])}
    whole, curl = hand_seen_in_a_mirror(wrists["left"], fingers["left"])
    path = save(
        tmp_path / "h.npz",
        **{
            "pred_mano_params.global_orient": np.stack([whole, wrists["right"]])[:, None],
            "pred_mano_params.hand_pose": np.stack([curl, fingers["right"]]),
        },
        right=np.array([0.0, 1.0]),
        box_center=np.full((2, 2), [320.0, 240.0]),
        img_size=np.full((2, 2), [640.0, 480.0]),
    )
    camera = photo_camera(700, WIDTH, HEIGHT)
    estimate = load_estimate(path, camera)
    assert estimate.source == "HaMeR"
    assert estimate.known.sum() == 32
    assert estimate.in_world.sum() == 2
    np.testing.assert_allclose(rotation(estimate.full_pose[25:40]), fingers["left"], atol=1e-9)
    np.testing.assert_allclose(rotation(estimate.full_pose[40:55]), fingers["right"], atol=1e-9)
    for side in ("left", "right"):
        got = rotation(estimate.full_pose[JOINT_INDEX[f"{side}_wrist"]])
        np.testing.assert_allclose(got, np.diag([1.0, -1, -1]) @ wrists[side], atol=1e-9)


@pytest.mark.parametrize("key", ["right", "box_center", "box_size", "hand_pose"])
def test_hamer_s_arrays_are_of_the_same_hands(tmp_path, key):
    turn = np.eye(3)
    arrays = {
        "global_orient": np.tile(turn, (2, 1, 1, 1)),
        "hand_pose": np.tile(turn, (2, 15, 1, 1)),
        "right": np.array([0, 1]),
        "box_center": np.full((2, 2), 200.0),
        "box_size": np.full(2, 90.0),
    }
    arrays[key] = arrays[key][[0, 1, 0]]
    path = save(tmp_path / "cut.npz", **arrays)
    with pytest.raises(LikenessError, match=rf"cut\.npz.*differ in length.*'{key}': 3"):
        load_estimate(path, photo_camera(700, WIDTH, HEIGHT), observation=observed_at())


def test_hamer_turns_a_hand_with_its_line_of_sight(tmp_path):
    """A crop at the photo's edge, looked at head-on, is a hand seen along the ray."""
    camera = photo_camera(500, WIDTH, HEIGHT)
    R = rotation([0.4, -0.2, 0.9])
    path = save(
        tmp_path / "h.npz",
        global_orient=R[None, None],
        hand_pose=np.tile(np.eye(3), (1, 15, 1, 1)),
        right=np.ones(1),
        box_center=np.array([[620.0, 240.0]]),
        img_size=[[640.0, 480.0]],
    )
    got = rotation(load_estimate(path, camera).full_pose[JOINT_INDEX["right_wrist"]])
    # The ray to x = 620 leans to +x by atan(300 / 500): a turn about -y of the photo's space.
    expected = rotation([0, -np.arctan(300 / 500), 0]) @ np.diag([1.0, -1, -1]) @ R
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_hands_on_a_body(tmp_path):
    """HaMeR's hand on OSX's body: the wrist faces as HaMeR says, whatever the arm does."""
    pose = random_pose(6, scale=0.2)
    R, _ = joints_by_hand(pose, REST, np.array([0, 0, 3.0]))
    seen = R[21] @ rotation([0.3, 0.1, 0.2])
    hand = save(
        tmp_path / "h.npz",
        global_orient=seen[None, None],
        hand_pose=np.tile(np.eye(3), (1, 15, 1, 1)),
        right=np.ones(1),
        box_center=[[320.0, 240.0]],
    )
    body = osx_dump(tmp_path, pose, np.array([0, 0.3, 40.0]), [170, 40, 300, 400])
    camera = photo_camera(5000 * 300 / 192, WIDTH, HEIGHT)
    both = merge_estimates([load_estimate(body, camera), load_estimate(hand, camera)])
    assert both.source == "OSX + HaMeR"
    posed = PosedJoints(BODY, init_from_estimate(BODY, both, FitState.rest(BODY)))
    assert angle(posed.R[21], np.diag([1.0, -1, -1]) @ seen) < 0.5
    assert angle(posed.R[20], np.diag([1.0, -1, -1]) @ R[20]) < 1e-5  # the other arm is OSX's


def test_hands_of_the_observed_person(tmp_path):
    """Two people's right hands; a third box is elsewhere."""
    turns = rotation(np.array([[0.1, 0, 0], [0.2, 0, 0], [0.3, 0, 0]]))
    path = save(
        tmp_path / "h.npz",
        global_orient=turns[:, None],
        hand_pose=np.tile(np.eye(3), (3, 15, 1, 1)),
        right=np.array([1.0, 1.0, 0.0]),
        box_center=np.array([[100.0, 200], [500, 220], [110, 190]]),
        box_size=np.full(3, 60.0),
    )
    camera = photo_camera(20000, WIDTH, HEIGHT)
    pose, seen = np.zeros((33, 2)), np.zeros(33)
    pose[16], seen[16] = [490, 210], 0.9  # right wrist
    pose[15], seen[15] = [420, 300], 0.9  # left wrist: none of the boxes is there
    estimate = load_estimate(path, camera, observation=observed_at(pose=pose, pose_visibility=seen))
    assert not estimate.known[JOINT_INDEX["left_wrist"]]
    got = rotation(estimate.full_pose[JOINT_INDEX["right_wrist"]])
    assert angle(got, np.diag([1.0, -1, -1]) @ turns[1]) < 1.5
    seen[15] = 0.1  # a wrist that is not seen cannot say no
    estimate = load_estimate(path, camera, observation=observed_at(pose=pose, pose_visibility=seen))
    assert estimate.known[JOINT_INDEX["left_wrist"]]


def flame_vertices(R, rng):
    """5023 points with eyeballs around (+-3.2, 3, 3) cm, turned about the origin, y up."""
    vertices = rng.normal(scale=0.06, size=(5023, 3))
    ball = rng.normal(scale=0.005, size=(546, 3))
    ball -= ball.mean(0)
    vertices[3931:4477] = ball + np.array([0.032, 0.03, 0.03])
    vertices[4477:] = ball + np.array([-0.032, 0.03, 0.03])
    return vertices @ R.T


@pytest.mark.parametrize("kind", ["emica", "smirk"])
@pytest.mark.parametrize("centre", [(320.0, 240.0), (470.0, 150.0)])
def test_flame_heads(tmp_path, kind, centre):
    rng = np.random.default_rng(0)
    R = rotation([0.2, -0.5, 0.1])
    vertices = flame_vertices(R, rng)
    scale, tx, ty, size = 8.0, 0.01, -0.02, 180.0
    cam, crop = np.array([scale, tx, ty]), np.array([*centre, size])
    rotvec, jaw = Rotation.from_matrix(R).as_rotvec(), np.array([0.25, 0.03, 0.0])
    if kind == "emica":
        path = tmp_path / "photo00"
        path.mkdir()
        codes = {"globalpose": rotvec, "jawpose": jaw, "cam": cam, "crop": crop, "verts": vertices}
        for name, array in (codes | {"shape": np.zeros(300), "exp": np.zeros(100)}).items():
            np.save(path / f"{name}.npy", array)
    else:
        path = save(
            tmp_path / "s.npz",
            pose_params=rotvec[None],
            jaw_params=jaw[None],
            cam=cam[None],
            crop=crop,
            vertices=vertices[None],
            eyelid_params=np.array([[0.7, 0.2]]),
            expression_params=np.zeros((1, 50)),
        )
    camera = photo_camera(900, WIDTH, HEIGHT)
    estimate = load_estimate(path, camera)
    assert estimate.source.lower() == kind
    assert set(np.flatnonzero(estimate.known)) == {JOINT_INDEX["head"], JOINT_INDEX["jaw"]}
    # Their picture of the eyes: -1..1 over the crop, y down.
    eyes = 0.5 * (vertices[3931:4477].mean(0) + vertices[4477:].mean(0))
    ndc = scale * np.array([eyes[0] + tx, -(eyes[1] + ty)])
    pixel = np.array(centre) + ndc * size / 2
    state = init_from_estimate(BODY, estimate, FitState.rest(BODY))
    posed = PosedJoints(BODY, state)
    ours, _ = project(posed.p[[23, 24]], camera)
    np.testing.assert_allclose(ours.mean(0), pixel, atol=0.5)
    spread = np.linalg.norm(np.diff(ours, axis=0))
    theirs = scale * size / 2 * np.linalg.norm((R @ (REST[23] - REST[24]))[:2])
    assert spread == pytest.approx(theirs, rel=0.06)
    beside = (np.array(centre) - [320, 240]) / 900
    assert angle(posed.R[15], towards([beside[0], -beside[1], -1.0]) @ R) < 1e-4
    # The neck takes its share: head and neck turn about one axis.
    assert np.linalg.norm(state.full_pose[12]) > 0.1
    assert not state.full_pose[22].any()  # the jaw joint stays
    if kind == "smirk":
        blink = BODY.expression_index
        assert state.expression[blink["eyeBlinkLeft"]] == pytest.approx(0.7)
        assert state.expression[blink["eyeBlinkRight"]] == pytest.approx(0.2)
