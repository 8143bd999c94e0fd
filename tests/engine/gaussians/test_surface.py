"""The avatar as a textured mesh: where it lies, and the colours on it."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.atlas import rasterize_atlas, surface_points
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_INDEX, Avatar, BoundGaussians, LikenessError, Pose
from likeness.engine.gaussians.mesh_extraction import (
    INSIDE_PARTS,
    _closed_lids,
    close_ends,
    extract_mesh,
)
from likeness.engine.gaussians.mesh_extraction import S as MESH_EXTRACTION

_spec = importlib.util.spec_from_file_location(
    "exported", Path(__file__).parents[1] / "formats" / "exported.py"
)
exported = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exported)


@pytest.fixture(scope="module")
def avatar():
    return exported.painted_avatar(count=30000)


@pytest.fixture(scope="module")
def mesh(avatar):
    return extract_mesh(avatar, 256)


def test_carried_to_the_splats(avatar, mesh) -> None:
    """Most of the way: the edges of boxes, where the ways out differ, are cut by the smoothing."""
    rest = avatar.body.v_template
    out = ((mesh.body.v_template - rest) * vertex_normals(rest, avatar.body.f)).sum(1)
    assert 0.2 * exported.LIFT < np.median(out[out != 0]) < 1.1 * exported.LIFT
    assert np.abs(mesh.body.v_template - rest).max() < MESH_EXTRACTION.max_outward


def test_colors_are_those_of_the_splats(avatar, mesh) -> None:
    triangle, bary, _ = rasterize_atlas(mesh.uv, mesh.uv_f, 256)
    row, col = np.nonzero(triangle >= 0)
    points = surface_points(
        avatar.body.v_template, avatar.body.f, triangle[row, col], bary[row, col].astype(float)
    )
    off = np.abs(mesh.texture[row, col] - exported.paint(points)).max(1)
    assert np.median(off) < 0.03
    assert np.percentile(off, 90) < 0.12
    assert np.isfinite(mesh.texture).all()
    at_vertices = np.abs(mesh.colors - exported.paint(avatar.body.v_template)).max(1)
    assert np.median(at_vertices) < 0.06


def test_what_nobody_sees_takes_its_neighbours_color(avatar) -> None:
    """A third of the splats gone, all on one side: no black and no speckles are left there."""
    bound = avatar.gaussians
    place = avatar.body.v_template[avatar.body.f[bound.triangle]].mean(1)
    bare = extract_mesh(replace(avatar, gaussians=bound.take(place[:, 0] < 0.15)), 128)
    assert bare.texture.min() > 0.1
    none = extract_mesh(replace(avatar, gaussians=bound.take(np.zeros(0, int))), 128)
    assert np.ptp(none.texture) < 1e-6
    np.testing.assert_array_equal(none.body.v_template, avatar.body.v_template)


def test_a_cut_avatars_mesh_ends_where_it_does(average) -> None:
    """Splats above a height alone: the mesh keeps its triangles, and nothing hangs below."""
    body = average
    height = body.J_template[JOINT_INDEX["spine2"], 1]
    at = body.v_template[body.f].mean(1)
    triangle = np.nonzero(at[:, 1] > height)[0].astype(np.int32)
    count = len(triangle)
    bound = BoundGaussians(
        triangle,
        np.full((count, 3), 1 / 3, np.float32),
        np.zeros((count, 3), np.float32),
        np.tile([1, 0, 0, 0], (count, 1)).astype(np.float32),
        np.tile([0.01, 0.01, 0.001], (count, 1)).astype(np.float32),
        np.full(count, 0.95, np.float32),
        np.full((count, 3), 0.5, np.float32),
        np.ones(count, np.uint8),
    )
    pose = Pose.rest(body.num_expression)
    whole = Avatar(body, bound, pose, photo_camera(120.0, 96, 128), "head")
    cut = replace(whole, provenance={"options": {"below": "cut"}})
    ended = close_ends(body, cut)
    np.testing.assert_array_equal(ended.f, body.f)
    assert ended.v_template[:, 1].min() > height - 0.06
    np.testing.assert_allclose(ended.weights.sum(1), 1.0, atol=1e-6)
    knees = [JOINT_INDEX["left_knee"], JOINT_INDEX["right_knee"]]
    assert ended.weights[:, knees].max() < 0.01
    low = [extract_mesh(one, 64).body.v_template[:, 1].min() for one in (whole, cut)]
    assert low[0] < height - 0.5
    assert low[1] > height - 0.15


def test_the_same_twice_and_sizes(avatar, mesh) -> None:
    again = extract_mesh(avatar, 256)
    np.testing.assert_array_equal(again.texture, mesh.texture)
    np.testing.assert_array_equal(again.body.v_template, mesh.body.v_template)
    with pytest.raises(LikenessError, match="9000"):
        extract_mesh(avatar, 9000)


def test_upper_lids_are_baked_with_closed_eyes() -> None:
    """Splats of the eyes stand before the folded lids, and must not be painted on them."""
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    moves = np.zeros((len(body.v_template), 3, body.num_expression), np.float32)
    down = np.argsort(-np.asarray(body.v_template)[:, 1], kind="stable")[:40]  # the lid: its top
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        moves[down, 1, body.expression_names.index(name)] = -0.005
    body = replace(body, exprdirs=moves)
    (state,) = _closed_lids(body)
    inside = np.isin(np.array(body.part_names)[body.face_part], INSIDE_PARTS)
    lid = np.isin(body.f, down).all(1) & ~inside
    assert lid.any()
    assert state.triangles[lid].all()
    assert not state.triangles[~np.isin(body.f, down).any(1)].any()
    np.testing.assert_allclose(state.moves[down, 1], -0.01, atol=1e-6)
    assert _closed_lids(replace(body, expression_names=("a",) * body.num_expression)) == []
