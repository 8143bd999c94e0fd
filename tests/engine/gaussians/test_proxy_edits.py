"""What was painted and sculpted on the surface's mesh, carried to the splats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.extension import NAPE, BodyPiece, extend_body
from likeness.engine.core.retouch import ERASED, MOVE, SHIFT, get_retouch, set_retouch
from likeness.engine.core.retouching import apply_retouch
from likeness.engine.core.types import NUM_JOINTS, Avatar, FloatArray, LikenessError
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.mesh_extraction import group_triangles
from likeness.engine.gaussians.proxy_edits import SurfaceEdit, carry_edit, find_on_surface

from tests.engine.formats.test_avatar_file import make_avatar


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """Splats that lie on the skin, or a little over it."""
    made = make_avatar(400)
    rng = np.random.default_rng(0)
    height = np.zeros((400, 3), np.float32)
    height[:, 2] = rng.uniform(0.0, 0.004, 400)
    return replace(made, gaussians=replace(made.gaussians, offset=height))


def rest_means(avatar: Avatar) -> FloatArray:
    return place_gaussians(avatar.gaussians, avatar.body.v_template, avatar.body).means


def surface(avatar: Avatar) -> tuple[FloatArray, FloatArray]:
    """The body itself as the mesh, and a UV map in which every triangle has a row of texels."""
    count = len(avatar.body.f)
    v = (np.arange(count) + 0.5) / count
    uv = np.stack([np.tile([0.1, 0.5, 0.9], (count, 1)), np.repeat(v[:, None], 3, 1)], -1)
    return np.asarray(avatar.body.v_template, np.float64), uv


def test_painted_colors_are_added_and_differences_stay(avatar: Avatar) -> None:
    rest, uv = surface(avatar)
    before = np.random.default_rng(1).random((len(avatar.body.f), 8, 3)).astype(np.float32)
    after = before.copy()
    after[::2] += (0.1, -0.05, 0.0)  # every other triangle
    painted = carry_edit(avatar, SurfaceEdit(rest, rest, uv, before, after))
    assert painted.sculpt is None
    shift = painted.gaussians.retouch[:, SHIFT]
    triangle, _, height = find_on_surface(avatar, rest_means(avatar), rest)
    on = np.isclose(height, avatar.gaussians.offset[:, 2], atol=5e-4)  # not in another's box
    assert on.mean() > 0.4
    even = triangle % 2 == 0
    np.testing.assert_allclose(
        shift[on & even], np.tile([0.1, -0.05, 0.0], (sum(on & even), 1)), atol=1e-6
    )
    assert not shift[on & ~even].any()
    assert not painted.gaussians.retouch[:, [ERASED, 4, 5, 6]].any()
    np.testing.assert_array_equal(painted.gaussians.colors, avatar.gaussians.colors)
    again = carry_edit(painted, SurfaceEdit(rest, rest, uv, after, before))
    assert np.abs(again.gaussians.retouch).max(initial=0.0) < 1e-6


def test_what_is_hidden_below_takes_no_paint(avatar: Avatar) -> None:
    rest, uv = surface(avatar)
    before = np.zeros((16, 16, 3), np.float32)
    edit = SurfaceEdit(rest, rest, uv, before, before + np.float32(0.2))
    heights = find_on_surface(avatar, rest_means(avatar), rest)[2]
    shift = carry_edit(avatar, edit).gaussians.retouch[:, 1]
    np.testing.assert_allclose(shift, 0.2 * np.clip((heights + 0.02) / 0.012, 0, 1), atol=1e-6)


def test_a_sculpted_mesh_carries_the_splats(avatar: Avatar) -> None:
    """Moved whole, everything moves; earlier edits stay; a second edit adds to the first."""
    rest, uv = surface(avatar)
    values = get_retouch(avatar.gaussians)
    values[0, ERASED], values[1, MOVE] = 0.5, 0.01
    edited = replace(avatar, gaussians=set_retouch(avatar.gaussians, values))
    move = np.array([0.02, 0.03, -0.01])
    first = carry_edit(edited, SurfaceEdit(rest, rest + move, uv))
    second = carry_edit(first, SurfaceEdit(rest + move, rest + 2 * move, uv))
    np.testing.assert_allclose(second.sculpt, np.tile(2 * move, (len(rest), 1)), atol=1e-6)
    np.testing.assert_allclose(second.gaussians.retouch, values, atol=1e-6)
    shown, before = apply_retouch(second), apply_retouch(edited)
    off = np.abs(rest_means(shown) - rest_means(before) - 2 * move).max(1)
    assert (off < 2e-5).mean() > 0.97, "but where the normals of the boxes' edges cancel out"


def test_hair_of_the_nape_follows_the_surface_beside_it(avatar: Avatar) -> None:
    rest = np.asarray(avatar.body.v_template, np.float64)
    middle = rest[rest[:, 1] > np.quantile(rest[:, 1], 0.9)].mean(0)
    points = middle + np.array([[0.0, 0.0, 0.0], [0.01, 0.0, 0.0], [0.0, 0.01, 0.0]])
    f = np.array([[0, 1, 2]])
    weights = np.eye(NUM_JOINTS)[[15] * 3]
    body = extend_body(avatar.body, BodyPiece(NAPE, points, f, weights, np.zeros((3, 2)), f, 0.1))
    triangle = np.array(avatar.gaussians.triangle)
    triangle[:50] = len(body.f) - 1
    bound = replace(avatar.gaussians, triangle=triangle)
    hairy = replace(avatar, body=body, gaussians=bound)
    rest, uv = surface(hairy)
    own = np.arange(len(rest)) < len(rest) - 3
    move = np.where(own[:, None], [0.0, 0.05, 0.0], 0.0)  # nobody sculpts what lies inside
    edited = apply_retouch(carry_edit(hairy, SurfaceEdit(rest, rest + move, uv)))
    moved = rest_means(edited) - rest_means(hairy)
    np.testing.assert_allclose(moved, np.tile([0.0, 0.05, 0.0], (400, 1)), atol=2e-5)


def test_meshes_and_textures_that_do_not_belong_to_it(avatar: Avatar) -> None:
    rest, uv = surface(avatar)
    with pytest.raises(LikenessError, match="vertices"):
        carry_edit(avatar, SurfaceEdit(rest, rest[:-1], uv))
    black = np.zeros((8, 8, 3), np.float32)
    with pytest.raises(LikenessError, match="16 x 8 pixels instead of 8 x 8"):
        carry_edit(avatar, SurfaceEdit(rest, rest, uv, black, np.zeros((8, 16, 3), np.float32)))


def test_groups_keep_teeth_and_skin_apart(avatar: Avatar) -> None:
    groups = group_triangles(avatar.body)
    triangle, _, _ = find_on_surface(avatar, rest_means(avatar), avatar.body.v_template)
    assert (groups[triangle] == groups[avatar.gaussians.triangle]).all()
