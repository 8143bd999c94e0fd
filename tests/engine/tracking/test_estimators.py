"""Adapters of other programs' outputs against bodies posed and projected by hand.

The truth is made here with explicit matrices in each program's own frame and camera: joints of
the synthetic body, moved by plain loops, projected by their camera. What comes out must put the
same joints at the same pixels with our camera.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from likeness.engine.core.cameras import focal_length, photo_camera
from likeness.engine.core.types import LikenessError, Observation, Portrait
from likeness.engine.tracking.estimators import FileEstimator, load_estimate

from .estimates import (
    HEIGHT,
    REST,
    UPPER,
    WIDTH,
    angle,
    by_their_camera,
    joints_by_hand,
    observed_at,
    osx_dump,
    our_pixels,
    random_pose,
    save,
    towards,
)

# OSX ----------------------------------------------------------------------------------------


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
