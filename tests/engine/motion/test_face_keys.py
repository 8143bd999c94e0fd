"""FLAME's motion and expressions without names, on bodies of either kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body, save_body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import JOINT_INDEX, LikenessError
from likeness.engine.motion.face_keys import match_expression
from likeness.engine.motion.io import read_body_model
from likeness.engine.motion.motion_source import read_motion
from likeness.engine.motion.pose_file import load_pose

T = 7


@pytest.fixture(scope="module")
def flame() -> dict[str, np.ndarray]:
    """What VHAP writes into ``flame_param.npz``."""
    rng = np.random.default_rng(2)
    return {
        "translation": rng.normal(size=(T, 3)),
        "rotation": 0.1 * rng.normal(size=(T, 3)),
        "neck_pose": 0.1 * rng.normal(size=(T, 3)),
        "jaw_pose": np.abs(0.1 * rng.normal(size=(T, 3))),
        "eyes_pose": 0.1 * rng.normal(size=(T, 6)),
        "shape": rng.normal(size=300),
        "expr": rng.normal(size=(T, 100)),
        "static_offset": np.zeros((1, 5143, 3)),
    }


@pytest.fixture(scope="module")
def prepared() -> Body:
    """A body with ARKit's actions and 100 expressions of its own, each half of one action."""
    body = make_synthetic_body(4)
    names = tuple(f"expression_{k:02d}" for k in range(100))
    used = [k for k, n in enumerate(body.expression_names) if not n.startswith("eyeLook")]
    column = [used[k % len(used)] for k in range(100)]
    return replace(
        body,
        exprdirs=np.concatenate([body.exprdirs, 0.5 * body.exprdirs[:, :, column]], 2),
        expression_names=(*body.expression_names, *names),
    )


def test_flame_drives_head_jaw_eyes_and_expressions(
    flame: dict[str, np.ndarray], prepared: Body, tmp_path: Path
) -> None:
    np.savez(tmp_path / "flame_param.npz", **flame)
    source = read_motion(
        tmp_path / "flame_param.npz", prepared.num_expression, names=prepared.expression_names
    )
    pose = source.motion.full_pose
    for key, joint in (("rotation", "neck"), ("neck_pose", "head"), ("jaw_pose", "jaw")):
        np.testing.assert_allclose(pose[:, JOINT_INDEX[joint]], flame[key], atol=1e-6)
    np.testing.assert_allclose(
        pose[:, JOINT_INDEX["right_eye_smplhf"]], flame["eyes_pose"][:, 3:], atol=1e-6
    )
    assert source.face
    np.testing.assert_allclose(source.motion.expression[:, 52:], flame["expr"], atol=1e-6)
    assert not source.motion.expression[:, :52].any()
    known = {name for name, j in JOINT_INDEX.items() if source.known[j]}
    assert known == {"neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf"}
    assert not source.motion.transl.any()


def test_fewer_coefficients_are_the_first_ones(
    flame: dict[str, np.ndarray], prepared: Body, tmp_path: Path
) -> None:
    np.savez(tmp_path / "f.npz", **(flame | {"expr": flame["expr"][:, :50]}))
    pose = load_pose(tmp_path / "f.npz", prepared.num_expression, 3, prepared.expression_names)
    np.testing.assert_allclose(pose.expression[52:102], flame["expr"][3, :50], atol=1e-6)
    assert not pose.expression[102:].any()


def test_a_prepared_bodys_file_turns_them_into_actions(
    flame: dict[str, np.ndarray], prepared: Body, tmp_path: Path
) -> None:
    """The default body gets the action, half as strong, that an own expression is half of."""
    save_body(prepared, tmp_path / "mine.npz")
    model = read_body_model(tmp_path / "mine.npz")
    assert model.hands is None
    names = prepared.expression_names[:52]
    weights = np.zeros((T, 100))
    smile = names.index("mouthSmileLeft")
    used = [k for k, n in enumerate(names) if not n.startswith("eyeLook")]
    weights[:, used.index(smile)] = np.linspace(0, 1, T)
    np.savez(tmp_path / "f.npz", **(flame | {"expr": weights}))
    source = read_motion(tmp_path / "f.npz", 52, names=names, model=model.face)
    assert source.face
    np.testing.assert_allclose(
        source.motion.expression[:, smile], np.linspace(0, 0.5, T), atol=0.05
    )
    others = np.delete(source.motion.expression, smile, axis=1)
    assert np.abs(others).max() < 0.05
    with pytest.warns(UserWarning, match="expression of 100 weights"):
        assert not load_pose(tmp_path / "f.npz", 52, 0, names).expression.any()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("neck_pose", np.zeros((T, 9))),
        ("eyes_pose", np.zeros((T, 3))),
        ("jaw_pose", np.zeros((T - 2, 3))),
        ("rotation", np.array(["x"] * 3)),
        ("neck_pose", np.float64(1.0)),
    ],
)
def test_damaged_ones_are_named(
    flame: dict[str, np.ndarray], tmp_path: Path, key: str, value: np.ndarray
) -> None:
    np.savez(tmp_path / "bad.npz", **(flame | {key: value}))
    with pytest.raises(LikenessError, match=rf"{key}.*bad\.npz"):
        read_motion(tmp_path / "bad.npz", 52)


def test_frames_without_an_expression_stay_as_they_are(prepared: Body) -> None:
    """Motions of the body alone write [T, 0]."""
    arrays = {"poses": np.zeros((T, 165)), "expression": np.zeros((T, 0))}
    for names in (prepared.expression_names, make_synthetic_body(4).expression_names):
        assert match_expression(arrays, names) is arrays
