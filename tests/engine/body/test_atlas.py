"""The token-friendly atlas and its texels."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.atlas import atlas_texels, rasterize_atlas, surface_points
from likeness.engine.body.model import Body
from likeness.engine.body.names import PART_NAMES
from likeness.engine.body.synthetic import make_synthetic_body
from scipy import ndimage

SIZE = 512


@pytest.fixture(scope="module")
def texel_parts(default_body: Body) -> np.ndarray:
    """[SIZE, SIZE] part of each texel, -1 where there is none."""
    triangle, _, _ = rasterize_atlas(default_body.atlas_vt, default_body.atlas_ft, SIZE)
    return np.where(triangle >= 0, default_body.face_part[triangle].astype(int), -1)


def share(parts: np.ndarray, *names: str) -> float:
    wanted = np.isin(parts, [PART_NAMES.index(n) for n in names])
    return float(wanted.sum() / (parts >= 0).sum())


def test_uses_the_square(default_body: Body) -> None:
    _, _, count = rasterize_atlas(default_body.atlas_vt, default_body.atlas_ft, SIZE)
    assert (count > 0).mean() > 0.55
    assert (count > 1).sum() / (count > 0).sum() < 0.005
    assert default_body.atlas_vt.min() >= 0
    assert default_body.atlas_vt.max() <= 1


def test_no_triangle_is_flipped(default_body: Body) -> None:
    corner = default_body.atlas_vt[default_body.atlas_ft].astype(np.float64)
    a, b = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    assert (area >= 0).mean() < 0.005  # v points down, so outward triangles turn the other way


def test_face_and_hands_get_room(texel_parts: np.ndarray) -> None:
    assert share(texel_parts, "face", "lips", "eyelid") >= 0.20
    for half in (texel_parts[:, : SIZE // 2], texel_parts[:, SIZE // 2 :]):
        hand = (half == PART_NAMES.index("hand")).sum()
        assert hand / (texel_parts >= 0).sum() >= 0.04


def test_mirrored_exactly(default_body: Body, baked_extras: dict[str, np.ndarray]) -> None:
    corner = default_body.atlas_vt[default_body.atlas_ft]
    other = corner[baked_extras["mirror_face"]][:, ::-1]
    np.testing.assert_allclose(other * [-1, 1] + [1, 0], corner, atol=2e-7)


def test_the_face_is_one_piece(default_body: Body, texel_parts: np.ndarray) -> None:
    names = ("face", "lips", "eyelid")
    face = np.isin(texel_parts, [PART_NAMES.index(n) for n in names])
    label, count = ndimage.label(face)
    sizes = np.bincount(label.ravel())[1:]
    assert sizes.max() / sizes.sum() > 0.995, count
    # Each landmark's surroundings are continuous: triangles sharing a vertex share its texel.
    faces = np.isin(default_body.face_part, [PART_NAMES.index(n) for n in names])
    pairs = np.stack([default_body.f[faces].ravel(), default_body.atlas_ft[faces].ravel()], 1)
    assert len(np.unique(pairs, axis=0)) == len(np.unique(pairs[:, 0]))


def test_texels_match_brute_force() -> None:
    body, size = make_synthetic_body(), 32
    triangle, bary, row, col = atlas_texels(body, size)
    found = {(int(r), int(c)): (int(t), b) for t, b, r, c in zip(triangle, bary, row, col)}
    corner = body.atlas_vt[body.atlas_ft].astype(np.float64)
    inverse = np.linalg.inv(np.concatenate([corner, np.ones((*corner.shape[:2], 1))], 2))
    expected = 0
    for r in range(size):
        for c in range(size):
            centre = np.array([(c + 0.5) / size, (r + 0.5) / size, 1.0])
            weights = centre @ inverse  # [F, 3]
            inside = np.flatnonzero((weights > 1e-7).all(1))
            expected += len(inside) > 0
            if len(inside):
                t, b = found[r, c]
                assert t == inside[0]
                np.testing.assert_allclose(b, weights[t], atol=1e-4)
    assert expected == len(found) > 300


def test_texels_lie_on_the_surface(default_body: Body) -> None:
    triangle, bary, row, col = atlas_texels(default_body, 128)
    assert (np.diff(row.astype(np.int64) * 128 + col) > 0).all()
    np.testing.assert_allclose(bary.sum(1), 1, atol=1e-5)
    vt = surface_points(default_body.atlas_vt, default_body.atlas_ft, triangle, bary)
    np.testing.assert_allclose(vt * 128, np.stack([col, row], 1) + 0.5, atol=1e-3)
    points = surface_points(default_body.v_template, default_body.f, triangle, bary)
    # Neighbours in the map are neighbours on the body nearly everywhere.
    grid = np.full((128, 128, 3), np.nan)
    grid[row, col] = points
    step = np.linalg.norm(np.diff(grid, axis=1), axis=2)
    step = step[np.isfinite(step)]
    assert (step < 0.03).mean() > 0.99
