"""Our skinning against the smplx package, and what single joint rotations do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.body_file import body_from_arrays, load_body
from likeness.engine.body.model import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, PARENTS, LikenessError, Pose

V, F, BETAS, EXPRESSIONS = 40, 30, 300, 100


def random_model(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random numbers in the schema of SMPL-X's own npz files."""
    weights = rng.dirichlet(np.full(NUM_JOINTS, 0.1), V)
    regressor = rng.dirichlet(np.full(V, 0.1), NUM_JOINTS)
    parents = np.array([2**32 - 1, *PARENTS[1:]], np.int64)  # as SMPL-X stores the root's
    return {
        "v_template": rng.normal(size=(V, 3)),
        "f": rng.integers(0, V, (F, 3)).astype(np.uint32),
        "weights": weights,
        "shapedirs": 0.1 * rng.normal(size=(V, 3, BETAS + EXPRESSIONS)),
        "posedirs": 0.02 * rng.normal(size=(V, 3, 486)),
        "J_regressor": regressor,
        "kintree_table": np.stack([parents, np.arange(NUM_JOINTS)]),
    }


@pytest.fixture(scope="module")
def model() -> dict[str, np.ndarray]:
    return random_model(np.random.default_rng(1))


def test_agrees_with_smplx(model: dict[str, np.ndarray]) -> None:
    torch = pytest.importorskip("torch")
    lbs = pytest.importorskip("smplx.lbs")
    rng = np.random.default_rng(2)
    betas, full_pose = rng.normal(size=BETAS), rng.normal(size=(NUM_JOINTS, 3))
    transl = rng.normal(size=3)

    def tensor(a: np.ndarray) -> object:
        return torch.as_tensor(np.asarray(a, np.float32))

    vertices, joints = lbs.lbs(
        tensor(betas[None]),
        tensor(full_pose.reshape(1, -1)),
        tensor(model["v_template"])[None],
        tensor(model["shapedirs"][..., :BETAS]),
        tensor(model["posedirs"].reshape(V * 3, 486).T),
        tensor(model["J_regressor"]),
        torch.as_tensor([-1, *PARENTS[1:]]),
        tensor(model["weights"]),
    )
    body = body_from_arrays(model, "a random model")
    ours, our_joints = body.vertices(Pose(full_pose, transl, np.zeros(EXPRESSIONS)), betas)
    np.testing.assert_allclose(ours, vertices[0].numpy() + transl, atol=2e-5)
    np.testing.assert_allclose(our_joints, joints[0].numpy() + transl, atol=2e-5)


def test_expressions_are_columns_300_to_399(model: dict[str, np.ndarray]) -> None:
    body = body_from_arrays(model, "a random model")
    expression = np.zeros(EXPRESSIONS)
    expression[7] = 2.0
    moved, _ = body.vertices(Pose(np.zeros((NUM_JOINTS, 3)), np.zeros(3), expression))
    wanted = model["v_template"] + 2 * model["shapedirs"][..., BETAS + 7]
    np.testing.assert_allclose(moved, wanted, atol=1e-5)


@pytest.mark.slow
def test_agrees_with_the_smplx_model_class(model: dict[str, np.ndarray], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    smplx = pytest.importorskip("smplx")
    rng = np.random.default_rng(3)
    enough = {**model, "v_template": rng.normal(size=(11000, 3))}
    enough["weights"] = rng.dirichlet(np.full(NUM_JOINTS, 0.1), 11000)
    enough["shapedirs"] = 0.1 * rng.normal(size=(11000, 3, 20)).repeat(20, axis=2)
    enough["posedirs"] = np.zeros((11000, 3, 486))
    enough["J_regressor"] = np.zeros((NUM_JOINTS, 11000))
    enough["J_regressor"][np.arange(NUM_JOINTS), rng.integers(0, 11000, NUM_JOINTS)] = 1.0
    for side in "lr":
        enough[f"hands_mean{side}"] = rng.normal(size=45)
        enough[f"hands_components{side}"] = np.eye(45)
    enough["lmk_faces_idx"] = np.zeros(51, np.int64)
    enough["lmk_bary_coords"] = np.full((51, 3), 1 / 3)
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(
        path,
        **{
            k: np.asarray(v, np.float32 if v.dtype == float else v.dtype) for k, v in enough.items()
        },
    )
    oracle = smplx.SMPLX(
        str(path),
        num_betas=10,
        use_pca=False,
        flat_hand_mean=True,
        ext="npz",
        use_face_contour=False,
    )
    full_pose = 0.5 * rng.normal(size=(NUM_JOINTS, 3))
    betas = rng.normal(size=10)
    p = torch.as_tensor(full_pose.reshape(1, -1).astype(np.float32))
    out = oracle(
        betas=torch.as_tensor(betas[None].astype(np.float32)),
        global_orient=p[:, :3],
        body_pose=p[:, 3:66],
        jaw_pose=p[:, 66:69],
        leye_pose=p[:, 69:72],
        reye_pose=p[:, 72:75],
        left_hand_pose=p[:, 75:120],
        right_hand_pose=p[:, 120:],
    )
    body = load_body(path)
    ours, joints = body.vertices(
        Pose(full_pose, np.zeros(3), np.zeros(EXPRESSIONS)), np.r_[betas, np.zeros(BETAS - 10)]
    )
    np.testing.assert_allclose(ours, out.vertices[0].detach().numpy(), atol=2e-5)
    np.testing.assert_allclose(joints, out.joints[0, :55].detach().numpy(), atol=2e-5)


SINGLE_JOINTS = [
    # joint, axis-angle, from, to, where the bone then points
    ("left_elbow", [0, -np.pi / 2, 0], "left_elbow", "left_wrist", [0, 0, 1]),
    ("right_elbow", [0, np.pi / 2, 0], "right_elbow", "right_wrist", [0, 0, 1]),
    ("left_shoulder", [0, 0, -np.pi / 2], "left_shoulder", "left_elbow", [0, -1, 0]),
    ("right_shoulder", [0, 0, np.pi / 2], "right_shoulder", "right_elbow", [0, -1, 0]),
    ("left_shoulder", [0, -np.pi / 2, 0], "left_elbow", "left_wrist", [0, 0, 1]),
    ("left_hip", [-np.pi / 2, 0, 0], "left_hip", "left_knee", [0, 0, 1]),
    ("left_knee", [np.pi / 2, 0, 0], "left_knee", "left_ankle", [0, 0, -1]),
    ("right_knee", [np.pi / 2, 0, 0], "right_knee", "right_ankle", [0, 0, -1]),
    ("left_wrist", [0, 0, np.pi / 2], "left_wrist", "left_middle1", [0, 1, 0]),
    ("left_middle1", [0, 0, -np.pi / 2], "left_middle1", "left_middle2", [0, -1, 0]),
    ("right_middle1", [0, 0, np.pi / 2], "right_middle1", "right_middle2", [0, -1, 0]),
    ("pelvis", [0, np.pi / 2, 0], "left_shoulder", "left_elbow", [0, 0, -1]),
    ("spine1", [np.pi / 2, 0, 0], "spine3", "neck", [0, 0, 1]),
    ("head", [0, np.pi / 2, 0], "right_eye_smplhf", "left_eye_smplhf", [0, 0, -1]),
]


@pytest.fixture(scope="module", params=["synthetic", "default"])
def any_body(request: pytest.FixtureRequest) -> Body:
    if request.param == "synthetic":
        return make_synthetic_body()
    return request.getfixturevalue("default_body")


@pytest.mark.parametrize(("joint", "axis_angle", "start", "end", "direction"), SINGLE_JOINTS)
def test_single_joint(
    any_body: Body, joint: str, axis_angle: list[float], start: str, end: str, direction: list[int]
) -> None:
    pose = Pose.rest(any_body.num_expression).with_joints(**{joint: axis_angle})
    _, joints = any_body.vertices(pose)
    bone = joints[JOINT_INDEX[end]] - joints[JOINT_INDEX[start]]
    cosine = bone @ np.array(direction) / np.linalg.norm(bone)
    # Bones of legs and spine are not quite upright at rest.
    upright = joint.split("_")[-1] in ("hip", "knee", "spine1", "pelvis", "middle1")
    assert cosine > (np.cos(np.radians(16)) if upright else 1 - 1e-3)


def test_hips_leave_the_torso_alone() -> None:
    body = make_synthetic_body()
    rest, _ = body.vertices(Pose.rest(body.num_expression))
    posed, _ = body.vertices(Pose.rest(body.num_expression).with_joints(left_hip=[-1, 0, 0]))
    moved = np.linalg.norm(posed - rest, axis=1) > 1e-6
    legs = body.weights[:, [1, 4, 7, 10]].sum(1) > 0
    np.testing.assert_array_equal(moved, legs & moved)
    assert moved.sum() > 20


def test_personalised_bakes_the_betas_in() -> None:
    body = make_synthetic_body()
    betas = np.array([1.0, -2.0, 0.5, 1.5])
    pose = Pose.rest(body.num_expression).with_joints(left_elbow=[0, -1, 0], head=[0.2, 0.3, 0])
    wanted = body.vertices(pose, betas)
    got = body.personalised(betas).vertices(pose)
    np.testing.assert_allclose(got[0], wanted[0], atol=1e-5)
    np.testing.assert_allclose(got[1], wanted[1], atol=1e-9)


def test_broken_files_are_named(tmp_path: Path, model: dict[str, np.ndarray]) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(b"not a zip file")
    with pytest.raises(LikenessError, match=r"broken\.npz"):
        load_body(path)
    np.savez(tmp_path / "poor.npz", v_template=model["v_template"])
    with pytest.raises(LikenessError, match="lacks f, shapedirs, weights"):
        load_body(tmp_path / "poor.npz")
    np.savez(tmp_path / "wild.npz", **{**model, "f": model["f"] + 100})
    with pytest.raises(LikenessError, match="faces"):
        load_body(tmp_path / "wild.npz")


def test_the_last_shape_is_kept_and_cannot_be_changed() -> None:
    body = make_synthetic_body()
    betas = np.random.default_rng(5).normal(size=body.num_betas)
    first, other = body.shaped(betas), body.shaped(-betas)
    np.testing.assert_allclose(other[0], body.v_template - body.shapedirs @ betas, atol=1e-6)
    np.testing.assert_allclose(other[1], body.J_template - body.J_shapedirs @ betas, atol=1e-12)
    assert body.shaped(-betas)[0] is other[0]
    np.testing.assert_array_equal(body.shaped(betas)[0], first[0])
    with pytest.raises(ValueError, match="read-only"):
        first[0][0] = 0.0


def test_the_weights_of_a_limb_are_summed_once_and_cannot_be_changed() -> None:
    body = make_synthetic_body()
    arm = [JOINT_INDEX[f"left_{name}"] for name in ("shoulder", "elbow")]
    found = body.sum_weights(arm)
    expected = [sum(row[joint] for joint in arm) for row in body.weights]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert 0.0 in found
    assert found.max() > 0.9
    assert body.sum_weights(np.array(arm)) is found
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1.0
    grown = replace(body, weights=np.roll(body.weights, 1, axis=1))
    assert not np.allclose(grown.sum_weights(arm), found)
