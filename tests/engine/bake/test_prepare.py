"""A body prepared from a stand-in for SMPL-X: the file's own numbers and the default body's."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.bake.prepare import PreparedBody, prepare_body
from likeness.engine.bake.registration import eye_faces, part_faces
from likeness.engine.body import Body, load_body
from likeness.engine.body.atlas import rasterize_atlas, surface_points
from likeness.engine.body.expression_map import ExpressionMap, own_columns
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, PARENTS, LikenessError, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.motion.io import jaw_from_expression

from .stand_ins import StandIns

ROOT = Path(__file__).resolve().parents[3]
V = 10475


def silent(stage: str, fraction: float, message: str) -> None:
    """Progress of nobody's interest."""


@pytest.fixture(scope="module")
def prepared(licensed: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> PreparedBody:
    folder = tmp_path_factory.mktemp("bodies")
    found = prepare_body(licensed[0], folder / "mine.npz", True, silent)
    again = load_body(folder / "mine.npz")  # what --body reads
    np.testing.assert_array_equal(again.exprdirs, found.body.exprdirs)
    return replace(found, body=again)


def test_the_files_own_numbers_stay(prepared: PreparedBody, stand_ins: StandIns) -> None:
    body, file = prepared.body, stand_ins.smplx
    np.testing.assert_array_equal(body.v_template[:V], file["v_template"])
    np.testing.assert_array_equal(body.weights[:V], file["weights"])
    np.testing.assert_array_equal(body.f[: len(file["f"])], file["f"])
    np.testing.assert_array_equal(body.shapedirs[:V], file["shapedirs"][:, :, :300])
    np.testing.assert_array_equal(body.exprdirs[:V, :, 52:], file["shapedirs"][:, :, 300:])
    assert body.expression_names[:52] == ARKIT_EXPRESSIONS
    assert body.num_body_betas == 300


def test_vertices_agree_with_smplx(prepared: PreparedBody, stand_ins: StandIns) -> None:
    torch = pytest.importorskip("torch")
    lbs = pytest.importorskip("smplx.lbs")
    rng = np.random.default_rng(4)
    betas, own = rng.normal(size=300), rng.normal(size=100)
    full_pose, transl = 0.4 * rng.normal(size=(NUM_JOINTS, 3)), rng.normal(size=3)
    full_pose[JOINT_INDEX["jaw"]] = [0.3, 0.05, 0.0]
    file = stand_ins.smplx

    def tensor(a: np.ndarray) -> object:
        return torch.as_tensor(np.asarray(a, np.float64))

    vertices, _ = lbs.lbs(
        tensor(np.r_[betas, own][None]),
        tensor(full_pose.reshape(1, -1)),
        tensor(file["v_template"])[None],
        tensor(file["shapedirs"]),
        tensor(file["posedirs"].reshape(V * 3, 486).T),
        # smplx takes joints from the neutral face
        tensor(file["J_regressor"]),
        torch.as_tensor([-1, *PARENTS[1:]]),
        tensor(file["weights"]),
    )
    # lbs.lbs moves the joints with the expression too, as smplx's model class does
    body = prepared.body
    moved = np.einsum("jv,vce,e->jc", file["J_regressor"], file["shapedirs"][:, :, 300:], own)
    body = replace(body, J_template=body.J_template + moved)
    expression = np.zeros(body.num_expression)
    expression[own_columns(body)] = own
    ours, _ = body.vertices(Pose(full_pose, transl, expression), betas)
    np.testing.assert_allclose(ours[:V] - transl, vertices[0].numpy(), atol=1e-5)


def test_surfaces_and_landmarks_lie_where_they_belong(
    prepared: PreparedBody, stand_ins: StandIns, default_body: Body
) -> None:
    body, marks, theirs = prepared.body, prepared.body.landmarks, default_body.landmarks
    assert marks is not None
    assert theirs is not None
    truth = surface_points(stand_ins.truth, default_body.f, theirs.face_triangle, theirs.face_bary)
    there = surface_points(body.v_template, body.f, marks.face_triangle, marks.face_bary)
    error = np.linalg.norm(there - truth, axis=1)
    assert np.median(error) < 0.0015
    assert np.percentile(error, 95) < 0.005
    # Parts, by vertex; borders run through triangles, so a few differ.
    part = np.zeros(len(body.v_template), int)
    part[body.f] = body.face_part[:, None]
    names = np.array(default_body.part_names)
    wanted = names[default_body.face_part[stand_ins.source]]
    found = names[part[: len(wanted)]]
    for name, share in {"hand": 0.97, "face": 0.93, "lips": 0.8, "torso": 0.95, "ear": 0.8}.items():
        assert (found[wanted == name] == name).mean() > share, name
    for eye in (JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]):
        assert set(names[body.face_part[eye_faces(body, eye)]]) == {"eye", "eye_back"}


def test_the_atlas_is_the_default_bodys(prepared: PreparedBody, default_body: Body) -> None:
    body = prepared.body
    triangle, _, count = rasterize_atlas(body.atlas_vt, body.atlas_ft, 512)
    ours, _, _ = rasterize_atlas(default_body.atlas_vt, default_body.atlas_ft, 512)
    assert (count > 1).mean() < 0.001
    both = (triangle >= 0) & (ours >= 0)
    assert both.sum() > 0.97 * (ours >= 0).sum()
    same = body.face_part[triangle[both]] == default_body.face_part[ours[both]]
    assert same.mean() > 0.95
    # No triangle is turned over or lost.
    uv = body.atlas_vt[body.atlas_ft].astype(np.float64)
    e, g = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    area = e[:, 0] * g[:, 1] - e[:, 1] * g[:, 0]
    uv = default_body.atlas_vt[default_body.atlas_ft].astype(np.float64)
    e, g = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    sign = np.sign(np.median(e[:, 0] * g[:, 1] - e[:, 1] * g[:, 0]))
    assert (sign * area > 0).mean() > 0.985


def test_actions_move_the_face_as_the_default_bodys(
    prepared: PreparedBody, stand_ins: StandIns, default_body: Body
) -> None:
    body, n = prepared.body, len(stand_ins.source)
    flat = default_body.exprdirs.reshape(len(default_body.exprdirs), -1)
    wanted = surface_points(flat, default_body.f, stand_ins.source, stand_ins.bary).reshape(
        n, 3, -1
    )
    for name in ("eyeBlinkLeft", "mouthSmileRight", "browInnerUp", "mouthPucker"):
        k = body.expression_index[name]
        got = body.exprdirs[:n, :, k]
        left = np.linalg.norm(got - wanted[:, :, default_body.expression_index[name]])
        assert left < 0.4 * np.linalg.norm(wanted[:, :, default_body.expression_index[name]]), name
    inner = np.unique(body.f[part_faces(body, ("teeth", "tongue"))])
    assert inner.min() >= V
    lower = inner[body.weights[inner, JOINT_INDEX["jaw"]] > 0.5]
    assert len(lower) > 50
    opened = body.exprdirs[lower, 1, body.expression_index["jawOpen"]]
    assert np.median(opened) < -0.01


def test_the_jaws_actions_turn_the_joint(prepared: PreparedBody) -> None:
    body = prepared.body
    k = body.expression_index["jawOpen"]
    angle = jaw_from_expression(body)[k]
    assert 0.15 < angle[0] < 0.6
    rest = Pose.rest(body.num_expression)
    turned, _ = body.vertices(rest.with_joints(jaw=angle))
    opened = body.v_template + body.exprdirs[:, :, k]
    assert np.linalg.norm(turned - opened, axis=1).max() < 0.002


def test_expressions_become_actions_and_back() -> None:
    """Own expressions that are mixtures of actions are found exactly, and so are the actions."""
    body = make_synthetic_body(3)
    rng = np.random.default_rng(0)
    used = [k for k, name in enumerate(body.expression_names) if not name.startswith("eyeLook")]
    mix = rng.uniform(0, 0.5, (len(used), len(used))) * (rng.random((len(used), len(used))) < 0.1)
    mix += np.eye(len(used))
    own = body.exprdirs[:, :, used] @ mix
    both = replace(
        body,
        exprdirs=np.concatenate([own, body.exprdirs], 2),
        expression_names=(
            *(f"expression_{k:02d}" for k in range(len(used))),
            *body.expression_names,
        ),
    )
    found = ExpressionMap.of(both)
    assert found is not None
    weights = rng.uniform(0, 0.3, (3, len(used)))
    actions = found.to_actions(weights)
    np.testing.assert_allclose(actions, np.clip(weights @ mix.T, 0, 1), atol=0.12)
    np.testing.assert_allclose(found.to_own(weights @ mix.T), weights, atol=0.12)
    assert ExpressionMap.of(body) is None


# Files that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"v_template": None}, "lacks v_template"),
        ({"J_regressor": None}, "lacks J_regressor"),
        ({"v_template": 1000.0}, "joints span"),
        ({"weights": "eyeless"}, "no eyeballs"),
        ({"lmk_faces_idx": 10**6}, "lmk_faces_idx"),
        ({"weights": "nan"}, "weights has values that are not finite"),
    ],
)
def test_unusable_files_are_named(
    stand_ins: StandIns, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    file = dict(stand_ins.smplx)
    for key, what in change.items():
        if what is None:
            del file[key]
        elif what == "eyeless":
            weights = file[key].copy()
            weights[:, 15] += weights[:, 23:25].sum(1)
            weights[:, 23:25] = 0
            file[key] = weights
        elif what == "nan":
            file[key] = np.full_like(file[key], np.nan)
        else:
            file[key] = file[key] * what
    path = tmp_path / "SMPLX_BAD.npz"
    np.savez(path, **file)
    with pytest.raises(LikenessError, match=message) as raised:
        prepare_body(path, tmp_path / "out.npz", True, silent)
    assert "SMPLX_BAD.npz" in str(raised.value)
    assert not (tmp_path / "out.npz").exists()


def test_what_makes_no_sense_is_refused(licensed: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="nothing to prepare"):
        prepare_body(None, tmp_path / "out.npz", True, silent)
    with pytest.raises(LikenessError, match=r"body\.npz' is prepared already"):
        prepare_body(asset_path("body"), tmp_path / "out.npz", True, silent)
    for source, flame in ((licensed[0], None), (None, licensed[1])):
        with pytest.raises(LikenessError, match="vertices in SMPL-X"):
            prepare_body(source, tmp_path / "out.npz", True, silent, flame, licensed[2])
    (tmp_path / "half.npz").write_bytes(licensed[1].read_bytes()[:9000])
    with pytest.raises(LikenessError, match=r"half\.npz"):
        prepare_body(None, tmp_path / "out.npz", True, silent, tmp_path / "half.npz")


def test_pickles_are_refused_and_the_page_converts_them(tmp_path: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    model = {"v_template": np.eye(3), "J_regressor": sparse.csc_matrix(np.eye(2)), "name": None}
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    with pytest.raises(LikenessError, match=r"model\.pkl is a pickle.*docs/bodies\.md"):
        prepare_body(path, tmp_path / "out.npz", True, silent)
    page = (ROOT / "docs" / "bodies.md").read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert program is not None
    (tmp_path / "convert.py").write_text(program[1])
    subprocess.run(
        [sys.executable, "convert.py", "model.pkl", "model.npz"], cwd=tmp_path, check=True
    )
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["J_regressor", "v_template"]
        np.testing.assert_array_equal(file["J_regressor"], np.eye(2))
