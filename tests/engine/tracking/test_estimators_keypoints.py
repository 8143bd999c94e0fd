"""Keypoints of other detectors: numbering, crops, peaks, and Sapiens2's own loading code."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import Hand, LikenessError, Observation, Portrait
from likeness.engine.tracking.estimators.keypoints import (
    GOLIATH_POSE,
    NetworkCrop,
    find_peaks,
    from_goliath,
    goliath_hand,
    merge_keypoints,
    person_box,
)

# The first 63 points by name, as their documentation lists them.
FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
NAMES = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
]
for side in ("right", "left"):
    NAMES += [f"{side}_{f}{k}" for f in FINGERS for k in ("4", "3", "2", "_third_joint")]
    NAMES.append(f"{side}_wrist")

OURS = {
    0: "nose",
    2: "left_eye",
    5: "right_eye",
    7: "left_ear",
    8: "right_ear",
    11: "left_shoulder",
    12: "right_shoulder",
    13: "left_elbow",
    14: "right_elbow",
    15: "left_wrist",
    16: "right_wrist",
    17: "left_pinky_finger_third_joint",
    18: "right_pinky_finger_third_joint",
    19: "left_forefinger_third_joint",
    20: "right_forefinger_third_joint",
    21: "left_thumb2",
    22: "right_thumb2",
    23: "left_hip",
    24: "right_hip",
    25: "left_knee",
    26: "right_knee",
    27: "left_ankle",
    28: "right_ankle",
    29: "left_heel",
    30: "right_heel",
    31: "left_big_toe",
    32: "right_big_toe",
}


def observed(**changes):
    mask = np.zeros((240, 320), np.float32)
    mask[40:200, 100:180] = 1
    fields = {
        "pose": np.full((33, 2), 5.0),
        "pose_visibility": np.full(33, 0.2),
        "pose_world": np.zeros((33, 3)),
        "person_mask": mask,
    } | changes
    return Observation(**fields)


def test_numbering_by_name():
    assert {ours: NAMES[theirs] for ours, theirs in GOLIATH_POSE.items()} == OURS
    for left in (True, False):
        side = "left" if left else "right"
        expected = [f"{side}_wrist"] + [
            f"{side}_{f}{k}" for f in FINGERS for k in ("_third_joint", "2", "3", "4")
        ]
        assert [NAMES[k] for k in goliath_hand(left)] == expected


def test_into_an_observation():
    rng = np.random.default_rng(0)
    points, trust = rng.uniform(0, 200, (308, 2)), np.full(308, 0.8)
    trust[[7, 62]] = 0.1  # left elbow and wrist are not sure
    trust[42:62] = 0.1
    found = from_goliath(points, trust, "made up")
    hands = tuple(Hand(left, np.zeros((21, 2)), np.ones((21, 3)), 0.9) for left in (True, False))
    before = observed(hands=hands)
    after = merge_keypoints(before, found)
    np.testing.assert_array_equal(after.pose[12], points[6])
    np.testing.assert_array_equal(after.pose[[13, 15, 1, 9]], 5.0)  # unsure, or not among theirs
    assert after.pose_visibility[12] == 0.8
    assert after.pose_visibility[13] == 0.2
    left, right = after.hands
    np.testing.assert_array_equal(left.landmarks, 0)
    np.testing.assert_array_equal(right.landmarks, points[list(goliath_hand(False))])
    np.testing.assert_array_equal(right.world, 1)
    np.testing.assert_array_equal(before.pose, 5.0)


def test_crop_holds_the_box_in_the_networks_shape():
    crop = NetworkCrop.around(np.array([100.0, 40, 180, 200]), 64, 48)
    np.testing.assert_allclose(crop.size, [150, 200])  # 1.25 x 160 high, 3 : 4
    np.testing.assert_allclose(crop.corner + crop.size / 2, [140, 120])
    grid = crop.grid()
    assert grid.shape == (64, 48, 2)
    # A map of another size over the same crop: its corners are the grid's.
    for place, cell in (((0, 0), grid[0, 0]), ((11, 15), grid[-1, -1]), ((11, 0), grid[0, -1])):
        np.testing.assert_allclose(crop.to_picture(np.array(place), 16, 12), cell)


def test_peaks_between_pixels_and_at_borders():
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.arange(48), np.arange(64))
    true = rng.uniform([6, 6], [41, 57], (30, 2))
    maps = 0.7 * np.exp(
        -((x - true[:, 0, None, None]) ** 2 + (y - true[:, 1, None, None]) ** 2) / 72
    )
    place, value = find_peaks(maps)
    np.testing.assert_allclose(place, true, atol=1e-6)
    np.testing.assert_allclose(value, 0.7, atol=0.01)
    place, value = find_peaks(np.stack([maps[0] * 0, np.eye(64)[:, :48]]))
    assert np.isfinite(place).all()
    assert value[0] == 0


def test_box_of_the_person():
    np.testing.assert_allclose(person_box(observed()), [100, 40, 180, 200])
    seen = np.zeros(33)
    seen[3] = 0.9
    pose = np.full((33, 2), 5.0)
    pose[3] = [300, 100]
    np.testing.assert_allclose(
        person_box(observed(pose=pose, pose_visibility=seen)), [100, 40, 300, 200]
    )
    assert person_box(observed(person_mask=np.zeros((240, 320), np.float32))) is None


def test_without_transformers_it_says_so(monkeypatch):
    sapiens = pytest.importorskip("likeness.engine.tracking.estimators.sapiens")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(LikenessError, match=r"transformers.*not installed.*pip install"):
        sapiens.load_model("somewhere")
    old = types.ModuleType("transformers")
    old.__version__ = "4.40.0"
    monkeypatch.setitem(sys.modules, "transformers", old)
    with pytest.raises(LikenessError, match=r"4\.40\.0 has no Sapiens2ForPose.*-U"):
        sapiens.load_model("somewhere")


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory) -> Path:
    """A Sapiens2 of random weights, saved by its own code."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    if not hasattr(transformers, "Sapiens2ForPoseEstimation"):
        pytest.skip("this transformers has no Sapiens2")
    torch.manual_seed(0)
    config = transformers.Sapiens2Config(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_attention_heads=2,
        image_size=[64, 48],
        patch_size=16,
        num_register_tokens=2,
        num_labels=308,
        flip_pairs=[[1, 2], [5, 6]],
        head_config={"upsample_out_channels": [16, 16], "conv_out_channels": [16]},
    )
    folder = tmp_path_factory.mktemp("sapiens")
    transformers.Sapiens2ForPoseEstimation(config).save_pretrained(folder)
    return folder


def picture() -> Portrait:
    rgb = np.random.default_rng(0).uniform(size=(240, 320, 3)).astype(np.float32)
    return Portrait(rgb, None, Path("x.png"))


def test_sapiens_from_a_folder(tiny_model):
    from likeness.engine.tracking.estimators.sapiens import SapiensKeypoints

    estimator = SapiensKeypoints(str(tiny_model), device="cpu")
    assert (estimator.height, estimator.width) == (64, 48)
    found = estimator.keypoints(picture(), observed())
    assert found.source == "Sapiens2"
    assert found.pose.shape == (33, 2)
    assert set(found.hands) == {"left", "right"}
    crop = NetworkCrop.around(np.array([100.0, 40, 180, 200]), 64, 48)
    for points in (found.pose[found.pose_confidence > 0], found.hands["left"][0]):
        assert (points > crop.corner - 20).all()
        assert (points < crop.corner + crop.size + 20).all()
    both = SapiensKeypoints(str(tiny_model), device="cpu", flip=True)
    assert both.keypoints(picture(), observed()).pose.shape == (33, 2)
    empty = observed(person_mask=np.zeros((240, 320), np.float32))
    assert estimator.keypoints(picture(), empty) is None


def test_sapiens_sees_the_crop(tiny_model):
    """What the network gets is the picture at the grid's places, by another way of sampling."""
    from likeness.engine.tracking.estimators.sapiens import DEVIATION, MEAN, SapiensKeypoints
    from scipy.ndimage import map_coordinates

    estimator = SapiensKeypoints(str(tiny_model), device="cpu")
    portrait = picture()
    crop = NetworkCrop.around(np.array([100.0, 60, 200, 180]), 64, 48)
    got = estimator._input(portrait.rgb, crop)[0].permute(1, 2, 0).numpy() * DEVIATION + MEAN
    x, y = np.moveaxis(crop.grid(), -1, 0)
    for channel in range(3):
        wanted = map_coordinates(portrait.rgb[..., channel], [y - 0.5, x - 0.5], order=1)
        np.testing.assert_allclose(got[..., channel], wanted, atol=1e-4)


def test_sapiens_finds_a_bright_spot_where_it_is(tiny_model, monkeypatch):
    """With heatmaps that show each point's place, pixels come back exactly."""
    import torch
    from likeness.engine.tracking.estimators.sapiens import SapiensKeypoints

    estimator = SapiensKeypoints(str(tiny_model), device="cpu")
    crop = NetworkCrop.around(np.array([100.0, 40, 180, 200]), 64, 48)
    true = np.random.default_rng(2).uniform([110, 60], [170, 190], (308, 2))
    at = (true - crop.corner) / crop.size * [47, 63]
    x, y = np.meshgrid(np.arange(48), np.arange(64))
    maps = np.exp(-((x - at[:, 0, None, None]) ** 2 + (y - at[:, 1, None, None]) ** 2) / 18)
    answer = types.SimpleNamespace(heatmaps=torch.as_tensor(maps[None], dtype=torch.float32))
    config = estimator.network.config
    estimator.network = lambda pixel_values: answer
    monkeypatch.setattr(estimator.network, "config", config, raising=False)
    found = estimator.keypoints(picture(), observed())
    for ours, theirs in GOLIATH_POSE.items():
        np.testing.assert_allclose(found.pose[ours], true[theirs], atol=0.02)


def test_sapiens_says_what_it_cannot_load(tmp_path, tiny_model):
    from likeness.engine.tracking.estimators.sapiens import load_model

    with pytest.raises(LikenessError, match=r"nowhere.*not on this computer.*config\.json"):
        load_model(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(LikenessError, match=r"empty.*cannot be loaded.*config\.json"):
        load_model(str(tmp_path / "empty"))


def test_sapiens_asks_nobody_without_consent(monkeypatch, tiny_model):
    from likeness.engine.tracking.estimators.sapiens import load_model

    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: pytest.fail("asked"))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *args: None)
    with pytest.raises(LikenessError, match="allow the download"):
        load_model("somebody/sapiens2")
    load_model(str(tiny_model))
