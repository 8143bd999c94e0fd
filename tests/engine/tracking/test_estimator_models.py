"""Networks that run in process: where they look, and what becomes of their outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import JOINT_INDEX, Hand, LikenessError, Portrait
from likeness.engine.pipeline.estimators import open_estimators
from likeness.engine.tracking.estimators import load_estimate
from likeness.engine.tracking.estimators.keypoint_file import WHOLE_BODY_POSE
from likeness.engine.tracking.estimators.model import ModelEstimator

from .estimates import HEIGHT, WIDTH, observed_at, rotation, save

onnx = pytest.importorskip("onnx")
helper = onnx.helper
CAMERA = photo_camera(700.0, WIDTH, HEIGHT)


def write_onnx(path, shape, nodes, outputs, inputs=("image",)):
    """A network of the given nodes on pictures of a shape."""
    FLOAT = onnx.TensorProto.FLOAT
    given = [helper.make_tensor_value_info(inputs[0], FLOAT, shape)]
    given += [helper.make_tensor_value_info(name, FLOAT, [1, 3, 3]) for name in inputs[1:]]
    named = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "g", given, named)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def constant(name, value):
    value = np.asarray(value, np.float32)
    tensor = helper.make_tensor(name, onnx.TensorProto.FLOAT, value.shape, value.ravel())
    return helper.make_node("Constant", [], [name], value=tensor)


def standing():
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[90:420, 240:400] = 1
    return observed_at(person_mask=mask)


def picture(bright=()):
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for x, y in bright:
        rgb[y - 2 : y + 3, x - 2 : x + 3] = 1.0
    return Portrait(rgb, None, None, None, (WIDTH, HEIGHT))


def profile(path, size, count=133):
    """SimCC outputs that are the picture's brightness along x and along y, for every keypoint."""
    nodes = []
    for name, axis in (("simcc_x", 2), ("simcc_y", 3)):
        nodes += [
            helper.make_node("ReduceMean", ["image"], [f"{name}m"], axes=[1, axis], keepdims=0),
            helper.make_node("Unsqueeze", [f"{name}m", "one"], [f"{name}u"]),
            helper.make_node("Tile", [f"{name}u", "repeats"], [name]),
        ]
    ints = onnx.TensorProto.INT64
    nodes[:0] = [
        helper.make_node("Constant", [], ["one"], value=helper.make_tensor("a", ints, [1], [1])),
        helper.make_node(
            "Constant", [], ["repeats"], value=helper.make_tensor("b", ints, [3], [1, count, 1])
        ),
    ]
    return write_onnx(path, [1, 3, *size], nodes, ["simcc_x", "simcc_y"])


def test_keypoints_are_found_where_they_are(tmp_path):
    path = profile(tmp_path / "rtmw.onnx", (384, 288))
    found = ModelEstimator(path).keypoints(picture([(300, 200)]), standing())
    seen = found.pose.any(1)
    assert seen.sum() == len(WHOLE_BODY_POSE)
    assert np.abs(found.pose[seen] - [300.5, 200.5]).max() < 1.5
    assert found.hands["left"][0].shape == (21, 2)
    assert ModelEstimator(path).estimate(picture(), standing(), CAMERA) is None


def test_keypoints_of_an_unknown_number_are_refused(tmp_path):
    path = profile(tmp_path / "coco.onnx", (384, 288), 17)
    with pytest.raises(LikenessError, match=r"coco\.onnx.*17") as caught:
        ModelEstimator(path).keypoints(picture(), standing())
    assert caught.value.remedy


def test_a_body_s_box_is_ours(tmp_path):
    """The same arrays as a file, with the box that the network looked at."""
    pose = np.random.default_rng(0).normal(scale=0.2, size=(22, 3))
    outputs = {
        "smplx_root_pose": [[3.0, 0.1, 0]],
        "smplx_body_pose": pose[1:].reshape(1, 63),
        "cam_trans": [[0.0, 0.0, 30.0]],
    }
    nodes = [constant(name, value) for name, value in outputs.items()]
    path = write_onnx(tmp_path / "osx.onnx", [1, 3, 512, 384], nodes, list(outputs))
    told = ModelEstimator(path).estimate(picture(), standing(), CAMERA)
    # 160 x 330 pixels about (320, 255), a quarter larger, in the input's proportion 3 : 4
    height = 1.25 * 330
    box = [320 - 0.375 * height, 255 - height / 2, 0.75 * height, height]
    file = save(tmp_path / "osx.npz", **outputs, bbox=box)
    expected = load_estimate(file, CAMERA)
    np.testing.assert_allclose(told.full_pose, expected.full_pose, atol=1e-6)
    assert told.source == "OSX"


def test_left_hands_are_shown_in_a_mirror(tmp_path):
    turn = rotation([0.2, -0.3, 0.4])
    mean = helper.make_node("ReduceMean", ["image"], ["all"], axes=[0, 1, 2], keepdims=0)
    half = helper.make_node("Slice", ["all", "z", "m", "z"], ["half"])  # the left half's profile
    ints = onnx.TensorProto.INT64
    nodes = [
        helper.make_node("Constant", [], ["z"], value=helper.make_tensor("z0", ints, [1], [0])),
        helper.make_node("Constant", [], ["m"], value=helper.make_tensor("m0", ints, [1], [128])),
        mean,
        half,
        helper.make_node("ReduceMean", ["half"], ["side"], axes=[0], keepdims=1),
        constant("global_orient", turn[None, None]),
        constant("hand_pose", np.tile(np.eye(3), (1, 15, 1, 1))),
    ]
    path = write_onnx(
        tmp_path / "h.onnx", [1, 3, 256, 256], nodes, ["global_orient", "hand_pose", "side"]
    )
    points = np.array([[300.0, 220], [340, 260]]).repeat(11, 0)[:21]
    hands = tuple(Hand(left, points, np.zeros((21, 3)), 1.0) for left in (True, False))
    told = ModelEstimator(path).estimate(picture(), observed_at(hands=hands), CAMERA)
    left, right = (told.full_pose[JOINT_INDEX[f"{s}_wrist"]] for s in ("left", "right"))
    mirror = np.diag([-1.0, 1, 1])
    flip = np.diag([1.0, -1, -1])
    np.testing.assert_allclose(
        flip @ rotation(left), mirror @ flip @ rotation(right) @ mirror, atol=1e-5
    )
    seen = observed_at()
    assert ModelEstimator(path).estimate(picture(), seen, CAMERA) is None  # no hand to look at


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("a.onnx", b"no network", "cannot be read"), ("b.pt", b"no network", "cannot be read")],
)
def test_damaged_models(tmp_path, name, content, said):
    if name.endswith("pt"):
        pytest.importorskip("torch")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LikenessError, match=said) as caught:
        ModelEstimator(path).estimate(picture(), standing(), CAMERA)
    assert name in str(caught.value)
    assert caught.value.remedy


def test_foreign_and_broken_outputs_are_named(tmp_path):
    other = write_onnx(
        tmp_path / "x.onnx", [1, 3, 8, 8], [constant("a", [1]), constant("b", [1])], ["a", "b"]
    )
    with pytest.raises(LikenessError, match=r"x\.onnx.*a, b"):
        ModelEstimator(other).estimate(picture(), standing(), CAMERA)
    outputs = {"smplx_root_pose": [[np.nan] * 3], "smplx_body_pose": np.zeros((1, 63))}
    nodes = [constant(name, value) for name, value in outputs.items()]
    half = write_onnx(tmp_path / "half.onnx", [1, 3, 64, 48], nodes, list(outputs))
    with pytest.raises(LikenessError, match=r"half\.onnx.*cam_trans"):
        ModelEstimator(half).estimate(picture(), standing(), CAMERA)


def test_torchscript_heads(tmp_path):
    torch = pytest.importorskip("torch")

    class Head(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            jaw = image.mean().reshape(1, 1) * torch.tensor([[1.0, 0.0, 0.0]])
            return {"pose_params": torch.zeros(1, 3), "jaw_params": jaw}

    path = tmp_path / "smirk.pt"
    torch.jit.script(Head()).save(str(path), _extra_files={"likeness_kind": "smirk"})
    face = np.zeros((478, 2))
    face[:] = [320, 240]
    face[[234, 454, 152, 105]] = [[280, 240], [360, 240], [320, 290], [320, 210]]
    portrait = picture()
    portrait.rgb[180:320, 260:380] = 0.25  # the face's box, 1.4 times: 112 pixels about (320, 250)
    seen = observed_at(face=face)
    told = ModelEstimator(path).estimate(portrait, seen, CAMERA)
    assert told.source == "SMIRK"
    assert told.full_pose[JOINT_INDEX["jaw"], 0] == pytest.approx(0.25, abs=1e-3)
    assert ModelEstimator(path).estimate(portrait, replace(seen, face=None), CAMERA) is None
    bad = tmp_path / "bad.pt"
    torch.jit.script(Head()).save(str(bad), _extra_files={"likeness_kind": "mhr"})
    with pytest.raises(LikenessError, match="'mhr'"):
        ModelEstimator(bad).estimate(portrait, seen, CAMERA)


def test_models_and_files_by_their_suffix():
    opened = open_estimators(["{name}.npz", "osx.onnx", "s.pt2"], None, None, Path("anna.jpg"))
    kinds = [type(one).__name__ for one in opened.poses]
    assert kinds == ["FileEstimator", "ModelEstimator", "ModelEstimator"]
    assert opened.poses[1].of_frame(7) is opened.poses[1]
