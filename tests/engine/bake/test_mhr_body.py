"""MHR's portable files, made from the default body: another skeleton, centimetres, an A-pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.bake.mhr_body import MHR_JOINTS, load_mhr_body
from likeness.engine.bake.prepare import prepare_body, without_inner_pieces
from likeness.engine.body import Body, load_body
from likeness.engine.core.rotations import axis_angle_to_quaternion, quaternion_to_matrix
from likeness.engine.core.types import JOINT_INDEX, PARENTS, LikenessError, Pose

Files = dict[str, dict[str, np.ndarray]]


def silent(stage: str, fraction: float, message: str) -> None:
    """Progress of nobody's interest."""


@pytest.fixture(scope="module")
def files(default_body: Body) -> Files:
    rng = np.random.default_rng(7)
    skin = without_inner_pieces(default_body)
    pose = Pose.rest(0).with_joints(left_shoulder=[0, 0, -0.7], right_shoulder=[0, 0, 0.7])
    v, joints = skin.vertices(pose, np.zeros(skin.num_betas))
    names = ["body_world", *MHR_JOINTS.values(), "l_lowarm_twist1_proc", "c_teeth"]
    ours = [JOINT_INDEX[name] for name in MHR_JOINTS]
    row = {joint: 1 + k for k, joint in enumerate(ours)}
    parents = [-1, *(row.get(PARENTS[j], 0) for j in ours), row[18], row[15]]
    place = np.vstack([np.zeros(3), joints[ours], joints[18], joints[22]])
    q = axis_angle_to_quaternion(rng.normal(size=(len(names), 3)))
    R = quaternion_to_matrix(q)
    inverse = np.column_stack(
        [-100 * np.einsum("jab,jb->ja", R, place), q[:, [1, 2, 3, 0]], np.ones(len(names))]
    )
    top = np.argsort(-skin.weights, axis=1)[:, :8]
    index = np.vectorize(row.get)(top)
    # Half of the left forearm's share goes to its helper.
    index[:, 7] = len(names) - 2
    weight = np.take_along_axis(skin.weights, top, 1)
    weight[:, 7] = 0
    for k in range(7):
        of_arm = top[:, k] == 18
        weight[of_arm, 7] += weight[of_arm, k] / 2
        weight[of_arm, k] /= 2
    shapes = np.zeros((117, len(v), 3))
    shapes[0] = 3.0 * skin.v_template  # the first of the body's
    shapes[25] = skin.weights[:, [15]]  # one of the head's
    shapes[45] = skin.weights[:, [15]] * [0, 0.3, 0]
    return {
        "rig": {
            "joint_names": np.array(names),
            "joint_parents": np.array(parents, np.int32),
            "inverse_bind_pose": inverse,
        },
        "lod1": {
            "base_shape": 100 * v,
            "shape_vectors": shapes.astype(np.float32),
            "faces": skin.f,
            "skin_indices": index.astype(np.int32),
            "skin_weights": weight.astype(np.float32),
        },
    }


def save(files: Files, folder: Path) -> Path:
    for name, arrays in files.items():
        np.savez(folder / f"{name}.npz", **arrays)
    return folder


def test_joints_weights_and_rest_pose_are_ours(
    files: Files, default_body: Body, tmp_path: Path
) -> None:
    body = load_mhr_body(save(files, tmp_path), default_body)
    skin = without_inner_pieces(default_body)
    np.testing.assert_allclose(body.J_template, default_body.J_template, atol=2e-3)
    away = np.linalg.norm(body.v_template - skin.v_template, axis=1)
    assert np.percentile(away, 99) < 0.01  # skinning there and back
    same = np.abs(body.weights - skin.weights).max(1) < 0.02
    assert same.mean() > 0.98
    assert body.num_body_betas == 26
    assert body.num_betas == 46
    # The 26th beta enlarges everything by a twentieth, joints as well.
    larger, joints = body.shaped(np.eye(46)[25])
    np.testing.assert_allclose(joints[15] - joints[0], 1.05 * body.J_template[15], atol=1e-3)
    assert np.ptp(larger[:, 1]) == pytest.approx(1.05 * np.ptp(body.v_template[:, 1]), rel=1e-4)
    assert np.ptp(body.shapedirs[:, 0, 26 + 5]) > 0.009  # the head's come last
    assert body.expression_names[0] == "expression_mhr_00"


@pytest.mark.slow
def test_it_is_prepared_like_smplx(files: Files, default_body: Body, tmp_path: Path) -> None:
    found = prepare_body(save(files, tmp_path), tmp_path / "mhr.npz", True, silent)
    body = load_body(tmp_path / "mhr.npz")
    assert found.skin_mm[0] < 1.0
    assert body.num_expression == 52 + 72
    assert body.landmarks is not None
    assert {"teeth", "tongue"} <= {body.part_names[k] for k in np.unique(body.face_part)}


@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        ("rig", "joint_names", np.array(["root"] * 58), "inverse_bind_pose|lacks c_head"),
        ("rig", "inverse_bind_pose", np.zeros((5, 8)), r"rig\.npz.*inverse_bind_pose"),
        ("rig", "joint_parents", np.full(58, 10**6), r"rig\.npz.*parents that do not exist"),
        ("rig", "inverse_bind_pose", np.zeros((58, 8)), r"rig\.npz.*without size"),
        ("lod1", "base_shape", np.array(3.0), r"lod1\.npz.*base_shape"),
        ("lod1", "faces", np.array(3), r"lod1\.npz.*faces"),
        ("lod1", "faces", np.zeros((0, 3), int), r"lod1\.npz.*faces"),
        ("lod1", "shape_vectors", np.zeros((45, 3, 3)), r"lod1\.npz.*shape_vectors"),
        ("lod1", "faces", np.array([[0, 1, 10**7]]), r"lod1\.npz.*do not exist"),
        ("lod1", "skin_weights", None, r"lod1\.npz.*lacks skin_weights"),
    ],
)
def test_damaged_files_are_named(
    files: Files,
    default_body: Body,
    tmp_path: Path,
    file: str,
    key: str,
    value: np.ndarray | None,
    message: str,
) -> None:
    bad = {name: dict(arrays) for name, arrays in files.items()}
    if value is None:
        del bad[file][key]
    else:
        bad[file][key] = value
    with pytest.raises(LikenessError, match=message):
        load_mhr_body(save(bad, tmp_path), default_body)
    with pytest.raises(LikenessError, match=r"rig\.npz"):
        load_mhr_body(tmp_path / "nowhere", default_body)
