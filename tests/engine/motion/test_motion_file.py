"""Motion files: what goes in comes out, and what other programs find in them."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.body_file import load_body
from likeness.engine.body.model import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    PARENTS,
    LikenessError,
    Motion,
    Pose,
)
from likeness.engine.motion.io import (
    ROWS,
    body_digest,
    jaw_from_expression,
    load_motion,
    save_motion,
)
from likeness.engine.motion.pose_file import load_pose, save_pose

FRAMES, JAW = 4, JOINT_INDEX["jaw"]


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture
def motion(body: Body) -> Motion:
    rng = np.random.default_rng(2)
    return Motion(
        betas=rng.normal(size=body.num_betas),
        full_pose=0.6 * rng.normal(size=(FRAMES, 55, 3)),
        transl=rng.normal(size=(FRAMES, 3)),
        expression=rng.uniform(size=(FRAMES, body.num_expression)),
        joint_confidence=rng.uniform(size=(FRAMES, 55)),
        frame_state=np.array([0, 1, 2, 0], np.uint8),
        shot=np.array([0, 0, 1, 1], np.int32),
        camera=photo_camera(700.0, 640, 480),
        frame_rate=23.976,
        framing="half",
        view="side",
        face_error=np.array([1.0, np.nan, np.nan, 2.5]),
        pose_error=np.full(FRAMES, 3.0),
        warnings=("a warning", "and ünother"),
    )


def assert_same(a: Motion, b: Motion) -> None:
    for name in ("betas", "transl", "expression", "joint_confidence", "face_error", "pose_error"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(
        axis_angle_to_matrix(a.full_pose), axis_angle_to_matrix(b.full_pose), atol=1e-6
    )
    for name in ("frame_state", "shot"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    for name in ("K", "viewmat"):
        np.testing.assert_array_equal(getattr(a.camera, name), getattr(b.camera, name))
    for name in ("frame_rate", "framing", "view", "warnings"):
        assert getattr(a, name) == getattr(b, name)
    assert (a.camera.width, a.camera.height) == (b.camera.width, b.camera.height)


def test_round_trip(motion: Motion, body: Body, tmp_path: Path) -> None:
    save_motion(motion, tmp_path / "m.npz", body, {"source": "me.mp4"})
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]
    assert_same(load_motion(tmp_path / "m.npz", body.num_expression), motion)
    quiet = replace(motion, warnings=())
    save_motion(quiet, tmp_path / "m.npz", body)
    assert load_motion(tmp_path / "m.npz", body.num_expression).warnings == ()


def test_the_keys_are_those_of_the_issue_and_nothing_is_pickled(
    motion: Motion, body: Body, tmp_path: Path
) -> None:
    save_motion(motion, tmp_path / "m.npz", body, {"source": "me.mp4"})
    with np.load(tmp_path / "m.npz", allow_pickle=False) as file:
        shapes = {key: file[key].shape for key in file.files}
        assert str(file["gender"]) == "neutral"
        assert int(file["mocap_frame_rate"]) == 23
        assert tuple(file["joint_names"]) == JOINT_NAMES
        assert tuple(file["expression_names"]) == body.expression_names
        assert str(file["source"]) == "me.mp4"
        assert tuple(file["frame_states"][file["frame_state"]]) == (
            "tracked",
            "bridged",
            "lost",
            "tracked",
        )
    T, E = FRAMES, body.num_expression
    wanted = {
        "betas": (body.num_betas,),
        "global_orient": (T, 3),
        "body_pose": (T, 63),
        "left_hand_pose": (T, 45),
        "right_hand_pose": (T, 45),
        "jaw_pose": (T, 3),
        "leye_pose": (T, 3),
        "reye_pose": (T, 3),
        "expression": (T, E),
        "transl": (T, 3),
        "mocap_frame_rate": (),
        "joint_confidence": (T, 55),
        "camera_K": (3, 3),
        "camera_viewmat": (4, 4),
        "camera_size": (2,),
        "poses": (T, 165),
        "trans": (T, 3),
    }
    assert wanted == {key: shapes[key] for key in wanted}


def test_the_document_names_every_key(motion: Motion, body: Body, tmp_path: Path) -> None:
    save_motion(motion, tmp_path / "m.npz", body, {"source": "a", "generator": "b", "lens": "c"})
    text = (Path(__file__).resolve().parents[3] / "docs" / "MOTION.md").read_text("utf-8")
    with np.load(tmp_path / "m.npz") as file:
        assert [key for key in file.files if f"`{key}`" not in text] == []


def test_amass_keys_hold_the_same_numbers(motion: Motion, body: Body, tmp_path: Path) -> None:
    """Blender's SMPL-X add-on reads poses, trans, betas, gender and mocap_frame_rate."""
    save_motion(motion, tmp_path / "m.npz", body)
    with np.load(tmp_path / "m.npz") as file:
        np.testing.assert_array_equal(np.concatenate([file[k] for k in ROWS], 1), file["poses"])
        np.testing.assert_array_equal(file["trans"], file["transl"])
        amass = {k: file[k] for k in ("poses", "trans", "betas", "mocap_frame_rate")}
    np.savez(tmp_path / "amass.npz", **amass)
    with pytest.warns(UserWarning, match="no camera"):
        again = load_motion(tmp_path / "amass.npz", body.num_expression)
    rest = [j for j in range(55) if j != JAW]
    np.testing.assert_allclose(
        axis_angle_to_matrix(again.full_pose[:, rest]),
        axis_angle_to_matrix(motion.full_pose[:, rest]),
        atol=1e-6,
    )
    assert again.frame_rate == 23.976
    assert not again.frame_state.any()
    assert (again.joint_confidence == 1).all()


# The jaw ------------------------------------------------------------------------------------


def hinged(body: Body, turn: list[float]) -> Body:
    """``body`` with a jawOpen that is exactly the velocity of a turn about the jaw joint."""
    exprdirs = np.zeros_like(body.exprdirs)
    arm = body.v_template - body.J_template[JAW]
    moved = np.cross(turn, arm) * (body.weights[:, [JAW]] > 0)
    exprdirs[:, :, body.expression_index["jawOpen"]] = moved
    return replace(body, exprdirs=exprdirs)


def test_the_jaws_share_is_the_turn_that_the_action_makes(body: Body) -> None:
    share = jaw_from_expression(hinged(body, [0.3, 0.0, 0.0]))
    np.testing.assert_allclose(share[body.expression_index["jawOpen"]], [0.3, 0, 0], atol=1e-6)
    assert np.count_nonzero(share) == 1
    nameless = replace(body, expression_names=tuple(f"e{i}" for i in range(body.num_expression)))
    assert not jaw_from_expression(nameless).any()


def test_other_readers_see_the_jaw_open_and_we_do_not_open_it_twice(
    body: Body, tmp_path: Path
) -> None:
    hinge = hinged(body, [0.3, 0.0, 0.0])
    pose = Pose.rest(body.num_expression)
    pose = replace(pose, expression=hinge.expression(jawOpen=0.5)).with_joints(jaw=[0.1, 0, 0])
    save_pose(pose, tmp_path / "p.npz", hinge)
    with np.load(tmp_path / "p.npz") as file:
        np.testing.assert_allclose(file["jaw_pose"], [[0.25, 0, 0]], atol=1e-6)
    again = load_pose(tmp_path / "p.npz", body.num_expression)
    np.testing.assert_allclose(again.full_pose[JAW], [0.1, 0, 0], atol=1e-6)
    with pytest.warns(UserWarning, match="jaw"):
        other = load_pose(tmp_path / "p.npz", 10)
    np.testing.assert_allclose(other.full_pose[JAW], [0.25, 0, 0], atol=1e-6)


# The body -----------------------------------------------------------------------------------


def test_the_digest_tells_bodies_apart(body: Body) -> None:
    assert body_digest(body) == body_digest(make_synthetic_body())
    assert body_digest(body) != body_digest(make_synthetic_body(seed=1))
    assert body_digest(body) != body_digest(body.personalised(np.zeros(body.num_betas)))


def test_transl_moves_the_pelvis_that_the_file_names(
    motion: Motion, body: Body, tmp_path: Path
) -> None:
    save_motion(motion, tmp_path / "m.npz", body)
    _, joints = body.vertices(motion.pose(1), motion.betas)
    with np.load(tmp_path / "m.npz") as file:
        np.testing.assert_allclose(file["pelvis"] + file["transl"][1], joints[0], atol=1e-6)


# One frame of it ----------------------------------------------------------------------------


def test_a_frame_as_a_pose(motion: Motion, body: Body, tmp_path: Path) -> None:
    save_motion(motion, tmp_path / "m.npz", body)
    pose = load_pose(tmp_path / "m.npz", body.num_expression, frame=2)
    np.testing.assert_allclose(
        axis_angle_to_matrix(pose.full_pose), axis_angle_to_matrix(motion.full_pose[2]), atol=1e-6
    )
    np.testing.assert_allclose(pose.transl, motion.transl[2], rtol=1e-6)
    with pytest.raises(LikenessError, match="no frame 4"):
        load_pose(tmp_path / "m.npz", body.num_expression, frame=4)


def test_one_frame_of_one_array_stands_for_all(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", body_pose=np.ones((3, 63)), jaw_pose=[[0.2, 0, 0]])
    for frame in range(3):
        assert load_pose(tmp_path / "m.npz", 0, frame).full_pose[JAW, 0] == pytest.approx(0.2)


# Bad files ----------------------------------------------------------------------------------


def changed(motion: Motion, body: Body, path: Path, **arrays: object) -> Path:
    """The motion's file with some arrays replaced, or left out when None."""
    save_motion(motion, path, body)
    with np.load(path) as file:
        content = {key: file[key] for key in file.files} | arrays
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"transl": np.zeros((3, 3))}, "differ in length"),
        ({"body_pose": np.full((FRAMES, 63), np.inf)}, "not numbers"),
        ({"transl": np.full((FRAMES, 3), 1e7)}, "beyond 1,000,000"),
        ({"body_pose": np.zeros((FRAMES, 60))}, "240 values"),
        ({"body_pose": np.array(["x"] * 63)}, "body_pose"),
        ({"joint_confidence": np.zeros((FRAMES, 22))}, "joint_confidence"),
        ({"frame_state": np.full(FRAMES, 9)}, "frame_state"),
        ({"mocap_frame_rate": np.array(0.0)}, "frame rate"),
        ({"mocap_frame_rate": np.array("fast")}, "mocap_frame_rate"),
        ({"camera_K": None}, "camera"),
        ({"camera_size": np.zeros(3)}, "camera"),
        ({"camera_viewmat": np.full((4, 4), np.nan)}, "camera"),
        ({"camera_K": np.array("wide")}, "camera"),
        ({"jaw_from_expression": np.zeros((3, 3))}, "jaw_from_expression"),
        ({"shot": np.zeros(FRAMES + 1)}, "shot"),
        ({"betas": np.array(["tall"])}, "betas"),
        ({"poses": np.array([{}], dtype=object)}, "poses"),
    ],
)
def test_bad_arrays_are_named(
    motion: Motion, body: Body, tmp_path: Path, arrays: dict[str, object], message: str
) -> None:
    path = changed(motion, body, tmp_path / "m.npz", **arrays)
    with pytest.raises(LikenessError, match=message) as caught:
        load_motion(path, body.num_expression)
    assert "m.npz" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("cut", [0, 100, -200])
def test_a_file_that_was_cut_off(motion: Motion, body: Body, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "m.npz"
    save_motion(motion, path, body)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(LikenessError, match=r"m\.npz"):
        load_motion(path, body.num_expression)


def test_other_programs_pickled_extras_do_no_harm(
    motion: Motion, body: Body, tmp_path: Path
) -> None:
    path = changed(motion, body, tmp_path / "m.npz", extra=np.array([{"a": 1}], dtype=object))
    assert_same(load_motion(path, body.num_expression), motion)


def test_nothing_is_left_where_nothing_can_be_written(
    motion: Motion, body: Body, tmp_path: Path
) -> None:
    with pytest.raises(LikenessError, match=r"m\.npz"):
        save_motion(motion, tmp_path / "no" / "m.npz", body)
    assert list(tmp_path.iterdir()) == []


# Other programs -----------------------------------------------------------------------------


def licensed_like_model(path: Path, rng: np.random.Generator) -> None:
    """Random numbers in the schema of SMPL-X's own file, which is not free to ship."""
    count = 11000  # the package picks vertices by their numbers
    model = {
        "v_template": rng.normal(size=(count, 3)),
        "f": rng.integers(0, count, (30, 3)).astype(np.uint32),
        "weights": rng.dirichlet(np.full(55, 0.1), count),
        "shapedirs": np.zeros((count, 3, 400)),
        "posedirs": np.zeros((count, 3, 486)),
        "J_regressor": np.zeros((55, count)),
        "kintree_table": np.stack([np.array([2**32 - 1, *PARENTS[1:]]), np.arange(55)]),
        "lmk_faces_idx": np.zeros(51, np.int64),
        "lmk_bary_coords": np.full((51, 3), 1 / 3),
    }
    model["J_regressor"][np.arange(55), rng.integers(0, count, 55)] = 1.0
    for side in "lr":
        model[f"hands_mean{side}"] = rng.normal(size=45)
        model[f"hands_components{side}"] = np.eye(45)
    path.parent.mkdir(parents=True)
    np.savez(
        path,
        **{k: np.asarray(v, np.float32 if v.dtype == float else v.dtype) for k, v in model.items()},
    )


@pytest.mark.slow
def test_the_documents_lines_for_the_smplx_package(
    motion: Motion, body: Body, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    smplx = pytest.importorskip("smplx")
    model_file = tmp_path / "models" / "smplx" / "SMPLX_NEUTRAL.npz"
    licensed_like_model(model_file, np.random.default_rng(4))
    body = replace(body, J_template=body.J_template + np.array([0.1, -0.2, 0.3]))
    save_motion(motion, tmp_path / "m.npz", body)
    arrays = np.load(tmp_path / "m.npz")
    text = (Path(__file__).resolve().parents[3] / "docs" / "MOTION.md").read_text("utf-8")
    start = text.index("    model = smplx.create")
    lines = textwrap.dedent(text[start : text.index("\n\n", start)])
    names = {
        "torch": torch,
        "smplx": smplx,
        "folder": str(model_file.parents[1]),
        "motion": arrays,
        "T": FRAMES,
    }
    exec(lines, names)
    oracle = load_body(model_file)
    for frame in range(FRAMES):
        full_pose = arrays["poses"][frame].reshape(55, 3)
        transl = arrays["pelvis"] + arrays["transl"][frame] - oracle.J_template[0]
        ours, joints = oracle.vertices(Pose(full_pose, transl, np.zeros(100)))
        np.testing.assert_allclose(names["vertices"][frame].detach().numpy(), ours, atol=5e-5)
        np.testing.assert_allclose(joints[0], arrays["pelvis"] + arrays["transl"][frame], atol=1e-5)
