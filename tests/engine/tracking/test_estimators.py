"""Adapters of other programs' outputs against bodies posed and projected by hand.

The truth is made here with explicit matrices in each program's own frame and camera: joints of
the synthetic body, moved by plain loops, projected by their camera. What comes out must put the
same joints at the same pixels with our camera.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import focal_length, photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, PARENTS, LikenessError, Observation, Portrait
from likeness.engine.tracking.estimators import (
    FileEstimator,
    init_from_estimate,
    load_estimate,
    merge_estimates,
)
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from likeness.engine.tracking.joint_limits import clamp_pose
from scipy.spatial.transform import Rotation

WIDTH, HEIGHT = 640, 480
BODY = make_synthetic_body()
REST = BODY.J_template
UPPER = [9, 12, 13, 14, 15, 16, 17, 18, 19]


def rotation(rotvec):
    return Rotation.from_rotvec(np.asarray(rotvec)).as_matrix()


def angle(a, b):
    return np.degrees(Rotation.from_matrix(a.T @ b).magnitude())


def towards(ray):
    """The shortest turn from straight ahead (-z) to a ray, in the photo's space."""
    ray = np.asarray(ray) / np.linalg.norm(ray)
    axis = np.cross([0, 0, -1.0], ray)
    sine = np.linalg.norm(axis)
    return rotation(axis / max(sine, 1e-12) * np.arctan2(sine, -ray[2]))


def random_pose(seed=0, scale=0.35):
    """[55, 3] possible, with a root that faces the viewer in OpenCV's frame (y down)."""
    rng = np.random.default_rng(seed)
    pose = clamp_pose(rng.normal(scale=scale, size=(55, 3)))
    upright = Rotation.from_matrix(np.diag([1.0, -1, -1]))  # y up to y down, facing the camera
    pose[0] = (Rotation.from_rotvec([0.1, 0.5, -0.08]) * upright).as_rotvec()
    return pose


def joints_by_hand(pose, rest, root):
    """[55, 3] joints and [55, 3, 3] world rotations; the pelvis joint at ``root``."""
    R, p = np.zeros((55, 3, 3)), np.zeros((55, 3))
    for j, parent in enumerate(PARENTS):
        local = rotation(pose[j])
        if parent < 0:
            R[j], p[j] = local, root
        else:
            R[j] = R[parent] @ local
            p[j] = p[parent] + R[parent] @ (rest[j] - rest[parent])
    return R, p


def by_their_camera(points, focal, centre):
    return focal * points[:, :2] / points[:, 2:] + np.asarray(centre)


def our_pixels(estimate, camera):
    posed = PosedJoints(BODY, init_from_estimate(BODY, estimate, FitState.rest(BODY)))
    return project(posed.p, camera)[0], posed


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


# OSX ----------------------------------------------------------------------------------------


def osx_dump(tmp_path, pose, pelvis, bbox):
    return save(
        tmp_path / "osx.npz",
        smplx_root_pose=pose[None, 0],
        smplx_body_pose=pose[1:22].reshape(1, -1),
        smplx_lhand_pose=pose[25:40].reshape(1, -1),
        smplx_rhand_pose=pose[40:].reshape(1, -1),
        smplx_jaw_pose=pose[None, 22],
        smplx_shape=np.zeros((1, 10)),
        smplx_expr=np.zeros((1, 10)),
        cam_trans=(pelvis - REST[0])[None],
        bbox=np.array(bbox),
        pelvis=pelvis,
    )


@pytest.mark.parametrize("centre", [(320.0, 240.0), (180.0, 200.0), (520.0, 300.0)])
def test_osx(tmp_path, centre):
    pose = random_pose()
    pose[22:25] = 0
    size = np.array([210.0, 280.0])
    bbox = [*(np.array(centre) - size / 2), *size]
    focal = 5000 * size[0] / 192
    depth = focal / 140  # 140 pixels for a metre
    pelvis = np.array([0.05, 0.35, depth])
    R, p = joints_by_hand(pose, REST, pelvis)
    theirs = by_their_camera(p, focal, centre)
    camera = photo_camera(focal_length(40.0, WIDTH, HEIGHT), WIDTH, HEIGHT)
    estimate = load_estimate(osx_dump(tmp_path, pose, pelvis, bbox), camera)
    assert estimate.source == "OSX"
    assert not estimate.known[25:].any()  # no hands without the mean hand
    assert "mean hand" in " ".join(estimate.warnings)
    np.testing.assert_array_equal(estimate.full_pose[1:22], pose[1:22])
    ours, posed = our_pixels(estimate, camera)
    size_px = np.ptp(theirs[:22], axis=0).max()
    away = np.linalg.norm(ours[:22] - theirs[:22], axis=1)
    # A body 1.5 m deep seen from 6 m instead of 40 m: first-order differences of some per cent.
    assert away[UPPER].mean() < 0.04 * size_px
    # The whole body turns with the line of sight to the box's middle, and no more.
    beside = (np.array(centre) - [320, 240]) / camera.K[0, 0]
    expected = towards([beside[0], -beside[1], -1.0]) @ np.diag([1.0, -1, -1]) @ R
    for joint in range(22):
        assert angle(posed.R[joint], expected[joint]) < 1e-4


def test_osx_in_the_same_camera_is_exact(tmp_path):
    """A box in the photo's middle and OSX's own focal length: only axes are converted."""
    pose = random_pose(1)
    focal = 5000 * 300 / 192
    pelvis = np.array([0.1, 0.3, 40.0])
    _, p = joints_by_hand(pose, REST, pelvis)
    camera = photo_camera(focal, WIDTH, HEIGHT)
    path = osx_dump(tmp_path, pose, pelvis, [170, 40, 300, 400])
    mean = tmp_path / "model.npz"
    curls = np.random.default_rng(3).normal(scale=0.2, size=(2, 45))
    regressor = np.zeros((55, 4))
    regressor[0] = [0.5, 0.5, 0, 0]
    save(
        mean,
        hands_meanl=curls[0],
        hands_meanr=curls[1],
        J_regressor=regressor,
        v_template=np.ones((4, 3)),
        shapedirs=np.zeros((4, 3, 12)),
    )
    estimate = load_estimate(path, camera, kind="osx", smplx=mean)
    np.testing.assert_allclose(estimate.full_pose[25:40], pose[25:40] + curls[0].reshape(15, 3))
    np.testing.assert_allclose(estimate.full_pose[40:], pose[40:] + curls[1].reshape(15, 3))
    ours, posed = our_pixels(estimate, camera)
    theirs = by_their_camera(p, focal, (320, 240))
    np.testing.assert_allclose(ours[:22], theirs[:22], atol=1e-6)
    np.testing.assert_allclose(posed.p[:22], p[:22] * [1, -1, -1], atol=1e-9)


def test_osx_pelvis_from_the_users_model(tmp_path):
    pose = random_pose(2)
    pelvis = np.array([0.0, 0.2, 30.0])
    shape = np.random.default_rng(4).normal(size=(1, 10))
    v = np.random.default_rng(5).normal(size=(6, 3))
    dirs = np.random.default_rng(6).normal(size=(6, 3, 12))
    regressor = np.zeros((55, 6))
    regressor[0] = np.random.default_rng(7).dirichlet(np.ones(6))
    model = save(
        tmp_path / "m.npz",
        hands_meanl=np.zeros(45),
        hands_meanr=np.zeros(45),
        J_regressor=regressor,
        v_template=v,
        shapedirs=dirs,
    )
    rest = regressor[0] @ (v + dirs[:, :, :10] @ shape[0])
    path = save(
        tmp_path / "o.npz",
        smplx_root_pose=pose[0],
        smplx_body_pose=pose[1:22],
        cam_trans=pelvis - rest,
        smplx_shape=shape,
        bbox=[170.0, 40, 300, 400],
    )
    camera = photo_camera(5000 * 300 / 192, WIDTH, HEIGHT)
    without = load_estimate(path, camera)
    assert without.position is None
    assert any("pelvis" in text for text in without.warnings)
    np.testing.assert_allclose(
        load_estimate(path, camera, smplx=model).position, pelvis * [1, -1, -1], atol=1e-9
    )


# Multi-HMR ----------------------------------------------------------------------------------


def multi_hmr_people(poses, heads, square, fov, to_photo):
    """Their layer by hand: root about the pelvis, then hung up by the head joint."""
    people, joints = [], []
    for pose, head in zip(poses, heads):
        _, p = joints_by_hand(pose, REST, np.zeros(3))
        p = p - p[15] + head
        joints.append(p)
        rows = np.concatenate([pose[:22], pose[25:55], pose[22:23]])
        people.append({"rotvec": rows, "transl": head, "transl_pelvis": p[:1], "scores": 0.9})
    focal = square / (2 * np.tan(np.radians(fov) / 2))
    pixels = [to_photo(by_their_camera(p, focal, (square / 2, square / 2))) for p in joints]
    K = np.array([[focal, 0, square / 2], [0, focal, square / 2], [0, 0, 1]])
    return people, pixels, K


def from_letterbox(pixels):
    """896 x 896 with the 640 x 480 photo scaled by 1.4 in its middle."""
    return (pixels - [0, (896 - 672) / 2]) / 1.4


@pytest.mark.parametrize("with_K", [True, False])
def test_multi_hmr(tmp_path, with_K):
    poses = [random_pose(1), random_pose(2)]
    for pose in poses:
        pose[22:25] = 0
    heads = [np.array([-0.5, -0.3, 3.5]), np.array([0.6, -0.2, 4.0])]
    people, pixels, K = multi_hmr_people(poses, heads, 896, 60, from_letterbox)
    arrays = {key: np.stack([person[key] for person in people]) for key in people[0]}
    path = save(tmp_path / "m.npz", **arrays, **({"K": K} if with_K else {}))
    camera = photo_camera(focal_length(60.0, WIDTH, HEIGHT), WIDTH, HEIGHT)
    for person in (0, 1):
        estimate = load_estimate(path, camera, person=person + 1)
        assert estimate.source == "Multi-HMR"
        assert estimate.known.sum() == 53
        np.testing.assert_array_equal(estimate.full_pose[1:22], poses[person][1:22])
        np.testing.assert_array_equal(estimate.full_pose[25:], poses[person][25:])
        ours, _ = our_pixels(estimate, camera)
        np.testing.assert_allclose(ours, pixels[person], atol=1e-6)  # the same camera: exact


def test_multi_hmr_in_another_field_of_view(tmp_path):
    pose = random_pose(3)
    people, pixels, K = multi_hmr_people(
        [pose], [np.array([0.3, -0.3, 4.0])], 896, 60, from_letterbox
    )
    path = save(tmp_path / "m.npz", **people[0], K=K)
    camera = photo_camera(focal_length(30.0, WIDTH, HEIGHT), WIDTH, HEIGHT)
    ours, _ = our_pixels(load_estimate(path, camera), camera)
    size = np.ptp(pixels[0][:22], axis=0).max()
    away = np.linalg.norm(ours[:22] - pixels[0][:22], axis=1)
    assert away.mean() < 0.06 * size
    assert away[UPPER].mean() < 0.05 * size


def test_multi_hmr_as_json(tmp_path):
    pose = random_pose(3)
    people, pixels, _ = multi_hmr_people(
        [pose, random_pose(4)], [np.array([0.3, -0.3, 4.0])] * 2, 896, 60, from_letterbox
    )
    listed = [{k: np.asarray(v).tolist() for k, v in person.items()} for person in people]
    path = tmp_path / "people.json"
    path.write_text(json.dumps(listed))
    camera = photo_camera(focal_length(60.0, WIDTH, HEIGHT), WIDTH, HEIGHT)
    ours, _ = our_pixels(load_estimate(path, camera), camera)
    np.testing.assert_allclose(ours[:22], pixels[0][:22], atol=1e-6)


def observed_at(**changes):
    """An observation of a person with their parts at given pixels."""
    fields = {
        "pose": np.zeros((33, 2)),
        "pose_visibility": np.zeros(33),
        "pose_world": np.zeros((33, 3)),
        "person_mask": np.zeros((HEIGHT, WIDTH), np.float32),
    } | changes
    return Observation(**fields)


# People ----------------------------------------------------------------------------------------


def test_the_observed_person_is_chosen(tmp_path):
    camera = photo_camera(focal_length(60.0, WIDTH, HEIGHT), WIDTH, HEIGHT)
    heads = np.array([[-1.0, -0.3, 4.0], [0.1, -0.2, 3.0], [1.1, 0.0, 4.0]])
    rotvec = np.random.default_rng(0).normal(scale=0.1, size=(3, 53, 3))
    path = save(tmp_path / "m.npz", rotvec=rotvec, transl=heads, transl_pelvis=heads * 1.1)
    pixels = from_letterbox(by_their_camera(heads, 448 / np.tan(np.pi / 6), (448, 448)))
    for k in range(3):
        pose = np.zeros((33, 2))
        pose[0] = pixels[k] + [5, -4]
        estimate = load_estimate(path, camera, observation=observed_at(pose=pose))
        np.testing.assert_array_equal(estimate.full_pose[1:22], rotvec[k, 1:22])
    first = load_estimate(path, camera)
    np.testing.assert_array_equal(first.full_pose[1:22], rotvec[0, 1:22])
    assert any("3 people" in text for text in first.warnings)
    assert not load_estimate(path, camera, person=3).warnings

    boxes = np.array([[20.0, 100, 100, 133], [300, 100, 150, 200]])
    body = np.random.default_rng(1).normal(scale=0.1, size=(2, 63))
    path = save(
        tmp_path / "o.npz",
        smplx_root_pose=np.zeros((2, 3)),
        smplx_body_pose=body,
        cam_trans=np.full((2, 3), 30.0),
        pelvis=np.full((2, 3), 30.0),
        bbox=boxes,
    )
    for k, (x, y, w, h) in enumerate(boxes.astype(int)):
        mask = np.zeros((HEIGHT, WIDTH), np.float32)
        mask[y : y + h, x : x + w] = 1
        estimate = load_estimate(path, camera, observation=observed_at(person_mask=mask))
        np.testing.assert_array_equal(estimate.full_pose[1:22].ravel(), body[k])


# Files --------------------------------------------------------------------------------------


def test_what_is_missing_is_named(tmp_path):
    camera = photo_camera(700, WIDTH, HEIGHT)
    path = save(tmp_path / "half.npz", smplx_root_pose=np.zeros(3), smplx_body_pose=np.zeros(63))
    with pytest.raises(LikenessError, match=r"half\.npz.*cam_trans, bbox.*ESTIMATORS"):
        load_estimate(path, camera)
    path = save(tmp_path / "other.npz", banana=np.zeros(3))
    with pytest.raises(LikenessError, match=r"other\.npz.*banana"):
        load_estimate(path, camera)
    with pytest.raises(LikenessError, match="transl_pelvis"):
        load_estimate(path, camera, kind="multi-hmr")
    with pytest.raises(LikenessError, match="magic"):
        load_estimate(path, camera, kind="magic")
    with pytest.raises(LikenessError, match="cannot be read"):
        load_estimate(tmp_path / "nowhere.npz", camera)
    (tmp_path / "text.json").write_text("{nonsense")
    with pytest.raises(LikenessError, match="cannot be read"):
        load_estimate(tmp_path / "text.json", camera)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LikenessError, match=r"\.npy"):
        load_estimate(tmp_path / "empty", camera)


def test_pickled_content_is_left_alone(tmp_path):
    path = tmp_path / "p.npz"
    np.savez(path, rotvec=np.array([{"a": 1}], dtype=object))
    with pytest.raises(LikenessError, match="not the output"):
        load_estimate(path, photo_camera(700, WIDTH, HEIGHT))
    np.save(tmp_path / "q.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(LikenessError, match="cannot be read"):
        load_estimate(tmp_path / "q.npy", photo_camera(700, WIDTH, HEIGHT))


def test_wrong_sizes_numbers_and_people_are_named(tmp_path):
    camera = photo_camera(700, WIDTH, HEIGHT)
    good = {"rotvec": np.zeros((2, 53, 3)), "transl_pelvis": np.ones((2, 3))}
    for key, value, said in (
        ("rotvec", np.zeros((52, 3)), "rotvec.*156 values"),
        ("transl_pelvis", np.full((2, 3), np.nan), "impossible values"),
        ("transl_pelvis", np.full((2, 3), 1e300), "impossible values"),
        ("transl_pelvis", -np.ones((2, 3)), "transl_pelvis.*not positive"),
    ):
        with pytest.raises(LikenessError, match=said):
            load_estimate(save(tmp_path / "x.npz", **{**good, key: value}), camera)
    with pytest.raises(LikenessError, match=r"person 6.*1 to 2"):
        load_estimate(save(tmp_path / "x.npz", **good), camera, person=6)


def test_pixels_of_the_original_photo_are_scaled(tmp_path):
    """The regressor saw the photo at full size; the track works on a smaller copy."""
    pose = random_pose(1)
    pelvis = np.array([0.1, 0.3, 40.0])
    path = osx_dump(tmp_path, pose, pelvis, [170, 40, 300, 400])
    big = photo_camera(900, WIDTH, HEIGHT)
    estimate = load_estimate(path, big)
    small = big.resized(WIDTH // 2, HEIGHT // 2)
    portrait = Portrait(
        np.zeros((HEIGHT // 2, WIDTH // 2, 3), np.float32),
        None,
        path,
        original_size=(WIDTH, HEIGHT),
    )
    observation = Observation(
        np.zeros((33, 2)),
        np.zeros(33),
        np.zeros((33, 3)),
        np.zeros((HEIGHT // 2, WIDTH // 2), np.float32),
    )
    halved = FileEstimator(path).estimate(portrait, observation, small)
    np.testing.assert_allclose(halved.full_pose, estimate.full_pose, atol=1e-12)
    np.testing.assert_allclose(halved.position, estimate.position)
    with pytest.raises(LikenessError, match="320 x 100"):
        load_estimate(path, small, image_size=(320, 100))


# HaMeR --------------------------------------------------------------------------------------


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


# FLAME --------------------------------------------------------------------------------------


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
