"""The EHM against its equation: FLAME's head, posed by the smplx package, on SMPL-X's body."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.bake.flame import (
    FLAME_JOINTS,
    OFFSET_JOINTS,
    Flame,
    load_flame,
    match_by_ids,
    rim_of_neck,
    with_flame_head,
)
from likeness.engine.bake.prepare import prepare_body, read_vertex_ids
from likeness.engine.body import Body, load_body
from likeness.engine.body.body_file import body_from_arrays
from likeness.engine.body.skinning import joint_transforms, pose_feature, skin_vertices
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, LikenessError, Pose

from .stand_ins import StandIns

JAW, LEFT_EYE, RIGHT_EYE = (
    JOINT_INDEX[name] for name in ("jaw", "left_eye_smplhf", "right_eye_smplhf")
)
TURNING = [JAW, LEFT_EYE, RIGHT_EYE]
V, SHAPES = 10475, 300


def silent(stage: str, fraction: float, message: str) -> None:
    """Progress of nobody's interest."""


@pytest.fixture(scope="module")
def smplx_body(stand_ins: StandIns) -> Body:
    return body_from_arrays(stand_ins.smplx, "SMPL-X")


@pytest.fixture(scope="module")
def flame(licensed: tuple[Path, ...]) -> Flame:
    return load_flame(licensed[1])


@pytest.fixture(scope="module")
def ehm(smplx_body: Body, flame: Flame, stand_ins: StandIns) -> Body:
    return with_flame_head(smplx_body, flame, match_by_ids(stand_ins.ids, V))


def betas_of(body: np.ndarray, offsets: np.ndarray, head: np.ndarray) -> np.ndarray:
    return np.concatenate([body, offsets, head])


def test_it_is_guavas_equation(
    ehm: Body, smplx_body: Body, flame: Flame, stand_ins: StandIns
) -> None:
    torch = pytest.importorskip("torch")
    lbs = pytest.importorskip("smplx.lbs")
    rng = np.random.default_rng(5)
    body_betas, head_betas = rng.normal(size=SHAPES), rng.normal(size=SHAPES)
    expression = rng.normal(size=100)
    pose = 0.4 * rng.normal(size=(NUM_JOINTS, 3))
    pose[JAW], pose[LEFT_EYE], pose[RIGHT_EYE] = [0.3, 0.05, 0], [0.1, 0.2, 0], [0.1, -0.1, 0]
    offsets = rng.normal(size=3 * len(OFFSET_JOINTS))
    ours, joints = ehm.vertices(
        Pose(pose, np.zeros(3), expression), betas_of(body_betas, offsets, head_betas)
    )

    # M_f, with root and neck at rest, by the smplx package.
    def tensor(a: np.ndarray) -> object:
        return torch.as_tensor(np.asarray(a, np.float64))

    file = {k: a.astype(np.float64) for k, a in stand_ins.flame.items() if a.dtype.kind == "f"}
    shapes = file["shapedirs"].copy()
    neutral = file["v_template"] + shapes[:, :, :SHAPES] @ head_betas
    head, flame_joints = lbs.lbs(
        tensor(np.zeros((1, 1))),
        tensor(np.r_[np.zeros((2, 3)), pose[TURNING]].reshape(1, -1)),
        # expressions move no joints: its regressor gets the neutral head
        tensor(neutral)[None],
        tensor(np.zeros((len(neutral), 3, 1))),
        tensor(file["posedirs"].reshape(-1, 36).T),
        tensor(file["J_regressor"]),
        torch.as_tensor([-1, 0, 1, 1, 1]),
        tensor(file["weights"]),
    )
    del flame_joints
    still = file["J_regressor"] @ neutral
    # The expression is added before the turn: with the blended turns of the same call.
    R, t, _ = joint_transforms(
        axis_angle_to_matrix(np.r_[np.zeros((2, 3)), pose[TURNING]]), still, (-1, 0, 1, 1, 1)
    )
    turn = np.einsum("vj,jab->vab", file["weights"], R)
    head = head[0].numpy() + np.einsum("vab,vb->va", turn, shapes[:, :, SHAPES:] @ expression)

    # U and e, then the body's own skinning with jaw and eyes at zero.
    v, J = (values.copy() for values in smplx_body.shaped(body_betas))
    e = J[[LEFT_EYE, RIGHT_EYE]].mean(0) - still[3:].mean(0)
    v[stand_ins.ids] = head + e
    J[list(OFFSET_JOINTS)] += 0.01 * offsets.reshape(-1, 3)
    calm = pose.copy()
    calm[TURNING] = 0
    v = v + smplx_body.posedirs @ pose_feature(calm)  # type: ignore[operator]
    weights = smplx_body.weights.astype(np.float64)
    weights[:, JOINT_INDEX["head"]] += weights[:, TURNING].sum(1)
    weights[:, TURNING] = 0
    R, t, _ = joint_transforms(axis_angle_to_matrix(calm), J, smplx_body.parents)
    wanted = skin_vertices(v, weights, R, t)
    error = np.linalg.norm(ours - wanted, axis=1)
    rim = stand_ins.ids[rim_of_neck(flame)]
    rest = smplx_body.v_template
    near_rim = np.linalg.norm(rest[:, None] - rest[rim][None], axis=2).min(1) < 0.06
    of_head = np.zeros(V, bool)
    of_head[stand_ins.ids] = True
    sure = ~near_rim & (weights[:, JOINT_INDEX["head"]] > 1 - 1e-6)
    sure |= ~of_head & (smplx_body.weights[:, TURNING].sum(1) == 0)
    assert sure.sum() > 8000
    assert error[sure].max() < 1e-5
    # Where the neck holds a part of the jaw's skin, one skinning stands for two.
    assert error[~near_rim & ~sure].max() < 0.001
    np.testing.assert_allclose(joints[0], J[0], atol=1e-5)


def test_eyes_meet_and_bodies_betas_carry_the_head(ehm: Body, smplx_body: Body) -> None:
    rng = np.random.default_rng(6)
    body_betas, head_betas = rng.normal(size=SHAPES), rng.normal(size=SHAPES)
    still = np.zeros(3 * len(OFFSET_JOINTS))
    v, J = ehm.shaped(betas_of(body_betas, still, head_betas))
    _, theirs = smplx_body.shaped(body_betas)
    eyes = [LEFT_EYE, RIGHT_EYE]
    np.testing.assert_allclose(J[eyes].mean(0), theirs[eyes].mean(0), atol=1e-6)
    others = [j for j in range(NUM_JOINTS) if j not in TURNING]
    np.testing.assert_allclose(J[others], theirs[others], atol=1e-6)
    for eye in eyes:  # the balls lie about their joints
        ball = v[ehm.weights[:, eye] > 0.99]
        middle = (ball.min(0) + ball.max(0)) / 2
        assert np.linalg.norm(middle - J[eye]) < 0.002


def test_skins_pass_into_each_other_at_the_neck(ehm: Body, smplx_body: Body) -> None:
    """No edge is torn: along the rim the EHM's edges are about as long as SMPL-X's."""
    edges = np.unique(np.sort(smplx_body.f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
    neck = (np.abs(smplx_body.v_template[edges, 1].mean(1) - 0.13) < 0.05) & (
        smplx_body.weights[edges[:, 0], JOINT_INDEX["neck"]] > 0.2
    )
    assert neck.sum() > 100
    new, old = (
        np.linalg.norm(v[edges[neck, 0]] - v[edges[neck, 1]], axis=1)
        for v in (ehm.v_template, smplx_body.v_template)
    )
    assert (new - old).max() < 0.02
    np.testing.assert_allclose(ehm.weights.sum(1), 1.0, atol=1e-5)


@pytest.mark.soak
def test_without_numbers_the_head_is_laid_onto_the_bodys(
    licensed: tuple[Path, ...], ehm: Body, tmp_path: Path
) -> None:
    found = prepare_body(licensed[0], tmp_path / "ehm.npz", True, silent, licensed[1])
    away = np.linalg.norm(found.body.v_template[:V] - ehm.v_template, axis=1)
    head = ehm.weights[:, JOINT_INDEX["head"]] > 0.5
    assert np.percentile(away[head], 50) < 0.006  # slid along the skin
    body = ehm.weights[:, [JOINT_INDEX[n] for n in ("neck", "head", *FLAME_JOINTS)]].sum(1) < 0.01
    assert body.sum() > 5000
    assert away[body].max() < 1e-6


@pytest.mark.slow
@pytest.mark.soak
def test_the_default_body_gets_flames_head(
    licensed: tuple[Path, ...], flame: Flame, default_body: Body, tmp_path: Path
) -> None:
    prepare_body(None, tmp_path / "free.npz", True, silent, licensed[1])
    body = load_body(tmp_path / "free.npz")
    assert body.num_betas == default_body.num_body_betas + 63 + SHAPES
    assert body.num_expression == 52 + 100
    assert body.landmarks is not None
    from scipy.spatial import cKDTree

    shift = body.J_template[[LEFT_EYE, RIGHT_EYE]].mean(0) - flame.J_template[3:].mean(0)
    head = body.v_template[body.weights[:, JOINT_INDEX["head"]] > 0.9]
    outer = head[head[:, 2] > body.J_template[JOINT_INDEX["head"], 2] + 0.06]
    distance, _ = cKDTree(flame.v_template + shift).query(outer)
    assert np.median(distance) < 0.003


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights", None, "lacks weights"),
        ("weights", np.zeros((5023, 55)), r"weights is .*5023, 55"),
        ("v_template", np.zeros((5023, 2)), "v_template is"),
        ("posedirs", np.zeros((5023, 3, 486)), "posedirs is"),
        ("shapedirs", np.full((5023, 3, 400), np.nan), "shapedirs has values"),
        ("f", np.array([[0, 1, 5023]]), "f points at"),
        ("J_regressor", np.array(["x"] * 5), "J_regressor is"),
    ],
)
def test_what_is_not_flame_is_named(
    stand_ins: StandIns, tmp_path: Path, key: str, value: np.ndarray | None, message: str
) -> None:
    file = {k: a for k, a in stand_ins.flame.items() if k != key}
    if value is not None:
        file[key] = value
    np.savez(tmp_path / "head.npz", **file)
    with pytest.raises(LikenessError, match=rf"head\.npz.*{message}"):
        load_flame(tmp_path / "head.npz")


@pytest.mark.parametrize(
    "ids", [np.arange(10), np.zeros(5023, int), np.arange(5023) + 9000, np.zeros(5023)]
)
def test_wrong_vertex_numbers_are_named(tmp_path: Path, ids: np.ndarray) -> None:
    np.save(tmp_path / "ids.npy", ids)
    with pytest.raises(LikenessError, match=r"ids\.npy"):
        read_vertex_ids(tmp_path / "ids.npy", 5023, V)
    (tmp_path / "ids.npy").write_bytes(b"\x93NUMPY half")
    with pytest.raises(LikenessError, match=r"ids\.npy"):
        read_vertex_ids(tmp_path / "ids.npy", 5023, V)


def test_twenty_columns_are_ten_and_ten(
    default_body: Body, flame: Flame, stand_ins: StandIns
) -> None:
    file = stand_ins.smplx
    short = replace(body_from_arrays(file | {"shapedirs": file["shapedirs"][:, :, :20]}, "x"))
    assert (short.num_betas, short.num_expression) == (10, 10)
    np.testing.assert_array_equal(short.exprdirs, file["shapedirs"][:, :, 10:20])
