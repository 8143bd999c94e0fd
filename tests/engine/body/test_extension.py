"""A body with a piece of its own added: all that was true of the body stays true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.benchmarks.figures.random_scenes import cover_body
from likeness.engine.body import Body, load_body, save_body
from likeness.engine.body.atlas import rasterize_atlas
from likeness.engine.body.body_file import find_fault
from likeness.engine.body.extension import BodyPiece, extend_body, piece_triangles, unpose_points
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import NUM_JOINTS, Pose
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.gaussians.lod import order_by_importance
from likeness.engine.gaussians.posing import pose_avatar


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body(1).personalised(np.zeros(4))


@pytest.fixture(scope="module")
def piece() -> BodyPiece:
    """A square sheet behind the body, held by random joints."""
    rng = np.random.default_rng(5)
    weights = rng.uniform(size=(4, NUM_JOINTS))
    return BodyPiece(
        "skirt",
        np.array([[0, 0, -0.3], [0.4, 0, -0.3], [0, -0.4, -0.3], [0.4, -0.4, -0.3]]),
        np.array([[0, 1, 2], [1, 3, 2]]),
        weights / weights.sum(1, keepdims=True),
        np.array([[0.82, 0.1], [0.98, 0.1], [0.82, 0.3], [0.98, 0.3]]),
        np.array([[0, 1, 2], [1, 3, 2]]),
        0.8,
    )


@pytest.fixture(scope="module")
def draping(piece: BodyPiece) -> BodyPiece:
    """The same with pose correctives of hips and knees, as dense in numbers as a file's."""
    dirs = np.random.default_rng(6).normal(0, 0.02, (4, 3, 36))
    dirs = dirs.astype(np.float16).astype(np.float32)
    return replace(piece, posedirs=dirs, pose_joints=(1, 2, 4, 5))


def random_pose(body: Body, seed: int = 2) -> Pose:
    rng = np.random.default_rng(seed)
    return Pose(
        rng.normal(0, 0.5, (NUM_JOINTS, 3)),
        rng.normal(0, 1, 3),
        rng.uniform(0, 1, body.num_expression),
    )


@pytest.mark.parametrize("correctives", [False, True])
def test_the_bodys_own_vertices_move_as_before(
    body: Body, piece: BodyPiece, correctives: bool
) -> None:
    if correctives:
        dirs = np.random.default_rng(0).normal(0, 0.01, (len(body.v_template), 3, 486))
        body = replace(body, posedirs=dirs.astype(np.float32))
    longer, pose = extend_body(body, piece), random_pose(body)
    (ours, joints), (plain, plain_joints) = longer.vertices(pose), body.vertices(pose)
    np.testing.assert_allclose(ours[:-4], plain, atol=1e-6)
    np.testing.assert_array_equal(joints, plain_joints)
    _, _, R, t = body.rest_and_transforms(pose)
    for k in range(4):  # linear blend skinning, written out
        expected = sum(
            piece.weights[k, j] * (R[j] @ piece.vertices[k] + t[j]) for j in range(NUM_JOINTS)
        )
        np.testing.assert_allclose(ours[len(plain) + k], expected, atol=1e-5)


def test_every_array_is_as_long_as_the_others(body: Body, piece: BodyPiece) -> None:
    longer = extend_body(body, piece)
    V, F = len(body.v_template) + 4, len(body.f) + 2
    assert longer.v_template.shape == (V, 3)
    assert longer.weights.shape == (V, NUM_JOINTS)
    assert longer.shapedirs.shape[0] == longer.exprdirs.shape[0] == V
    for per_triangle in (longer.f, longer.ft, longer.atlas_ft, longer.face_part):
        assert len(per_triangle) == F
    np.testing.assert_array_equal(longer.f[:-2], body.f)
    assert longer.f[-2:].min() == len(body.v_template)
    assert longer.f.max() == V - 1
    assert piece_triangles(longer, "skirt").nonzero()[0].tolist() == [F - 2, F - 1]
    assert not piece_triangles(body, "skirt").any()
    assert longer.landmarks is body.landmarks
    twice = extend_body(longer, piece)
    assert twice.part_names.count("skirt") == 1


def test_charts_do_not_overlap(body: Body, piece: BodyPiece) -> None:
    longer = extend_body(body, piece)
    triangle, _, count = rasterize_atlas(longer.atlas_vt, longer.atlas_ft, 512)
    own = triangle >= len(body.f)
    assert own.any()
    assert count[own].max() == 1
    rows, cols = np.nonzero((triangle >= 0) & ~own)
    assert max(rows.max(), cols.max()) < 0.8 * 512
    # In the source's own atlas the piece lies in the next tile.
    assert longer.vt[longer.ft[-2:]][..., 0].min() > 1.0
    np.testing.assert_array_equal(longer.vt[: len(body.vt)], body.vt)


def test_unposed_is_the_way_back(body: Body, piece: BodyPiece) -> None:
    """Held by neighbours, as real pieces are: a blend of opposite turns has no way back."""
    weights = np.zeros((4, NUM_JOINTS))
    weights[:, [0, 1]] = [[0.5, 0.5], [0.2, 0.8], [1, 0], [0, 1]]
    pose = random_pose(body)
    posed = extend_body(body, replace(piece, weights=weights)).vertices(pose)[0][-4:]
    np.testing.assert_allclose(unpose_points(posed, weights, pose, body), piece.vertices, atol=1e-5)


def test_files_and_levels_of_detail(body: Body, piece: BodyPiece, tmp_path: Path) -> None:
    longer = extend_body(body, piece)
    save_body(longer, tmp_path / "body.npz")
    assert load_body(tmp_path / "body.npz").part_names == longer.part_names
    avatar = order_by_importance(cover_body(longer, 2000))
    assert (avatar.gaussians.triangle >= len(body.f)).any()
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    back = load_avatar(tmp_path / "avatar.safetensors")
    pose = random_pose(body)
    np.testing.assert_allclose(
        pose_avatar(back, pose).means, pose_avatar(avatar, pose).means, atol=2e-3
    )
    np.testing.assert_array_equal(back.body.f, longer.f)
    assert back.body.part_names == longer.part_names


@pytest.mark.parametrize("own", [False, True])
def test_a_pieces_correctives_join_the_bodys(
    body: Body, piece: BodyPiece, draping: BodyPiece, own: bool
) -> None:
    """As if all 54 joints had columns, which for others than the piece's are zero."""
    every = np.zeros((len(body.v_template), 3, 486), np.float32)
    if own:
        every[:] = np.random.default_rng(0).normal(0, 0.01, every.shape)
        body = replace(body, posedirs=every)
    longer, pose = extend_body(body, draping), random_pose(body)
    assert longer.pose_joints == (tuple(range(1, NUM_JOINTS)) if own else (1, 2, 4, 5))
    below = np.zeros((4, 3, 54, 9), np.float32)
    below[:, :, [0, 1, 3, 4]] = draping.posedirs.reshape(4, 3, 4, 9)
    whole = np.concatenate([every, below.reshape(4, 3, 486)])
    expected = replace(longer, posedirs=whole, pose_joints=tuple(range(1, NUM_JOINTS)))
    ours, _ = longer.vertices(pose)
    np.testing.assert_allclose(ours, expected.vertices(pose)[0], atol=1e-6)
    assert np.abs(ours - extend_body(body, piece).vertices(pose)[0])[-4:].max() > 0.01


def test_a_pieces_correctives_are_posed_alike_in_torch(body: Body, draping: BodyPiece) -> None:
    torch = pytest.importorskip("torch")
    from likeness.engine.body.skinning_torch import BodyTensors, body_vertices_torch

    longer, pose = extend_body(body, draping), random_pose(body)
    numbers = (pose.full_pose, pose.transl, pose.expression)
    given = (torch.tensor(np.asarray(part), dtype=torch.float64) for part in numbers)
    found, _ = body_vertices_torch(BodyTensors.of(longer, torch.float64), *given)
    np.testing.assert_allclose(found.numpy(), longer.vertices(pose)[0], atol=1e-6)


def test_files_keep_a_pieces_correctives(body: Body, draping: BodyPiece, tmp_path: Path) -> None:
    longer = extend_body(body, draping)
    avatar = cover_body(longer, 300)
    save_avatar(avatar, tmp_path / "a.safetensors")
    save_body(longer, tmp_path / "body.npz")
    for read in (load_avatar(tmp_path / "a.safetensors").body, load_body(tmp_path / "body.npz")):
        assert read.pose_joints == longer.pose_joints
        np.testing.assert_array_equal(read.posedirs, longer.posedirs)


def test_correctives_of_no_joints_are_refused(body: Body, draping: BodyPiece) -> None:
    longer = extend_body(body, draping)
    assert find_fault(longer) is None
    for joints in ((1, 2, 4, 55), (0, 1, 2, 4), (2, 1, 4, 5), (1, 2, 4)):
        assert find_fault(replace(longer, pose_joints=joints)) is not None
