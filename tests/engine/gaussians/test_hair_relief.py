"""Relief of hair that a photo does not show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import BoolArray, BoundGaussians, Camera, FloatArray
from likeness.engine.dual_uv.sampling import sample_surface
from likeness.engine.gaussians.binding import bind_gaussians, place_gaussians
from likeness.engine.gaussians.lift.hair_relief import S, measure_notches, raise_hair
from likeness.engine.gaussians.lift.surfels import SHELL, surfels_on_plane

SIZE = 300


def outline(body: Body, teeth: float, forelock: float = 0.0) -> float:
    """Notches of a round head of hair, half of whose outline stands out by ``teeth`` metres."""
    vertices = body.v_template + np.array([0.0, -0.55, -2.0])
    camera = photo_camera(1200.0, SIZE, SIZE)
    pixel = 2.0 / 1200.0
    y, x = np.indices((2 * SIZE, 2 * SIZE)) / 2.0 - SIZE / 2
    turn = np.arctan2(y, x)
    radius = 0.11 + teeth * (np.sin(48.0 * turn) > 0.0)
    radius = radius + forelock * (np.abs(turn) < 0.06)
    solid = np.hypot(x, y) * pixel < radius
    hair = solid[::2, ::2]
    regions = SimpleNamespace(hair=hair, mask=hair)
    return measure_notches(solid.astype(np.float32), regions, camera, body, vertices)  # type: ignore[arg-type]


def test_notches_are_half_as_deep_as_teeth_that_fill_half_of_the_outline(average: Body) -> None:
    assert outline(average, 0.0) == 0.0
    for teeth in (0.003, 0.006):
        assert outline(average, teeth) == pytest.approx(0.5 * teeth, rel=0.35)
    assert outline(average, 0.0, forelock=0.01) == 0.0  # one lock does not count
    assert outline(average, 0.03) == S.most


@pytest.fixture(scope="module")
def scalp(average: Body) -> tuple[BoundGaussians, FloatArray, Camera]:
    """Hair all over the scalp of the default body, and the body before a camera."""
    vertices = average.v_template + np.array([0.0, -0.55, -2.0])
    samples = sample_surface(average, 256)
    keep = average.face_part[samples.triangle] == average.part_names.index("scalp")
    samples = samples.take(keep)
    normals = samples.points(vertex_normals(vertices, average.f), average.f)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    n = len(samples.triangle)
    world = surfels_on_plane(
        samples.points(vertices, average.f),
        normals,
        np.full(n, 0.002),
        np.full((n, 3), 0.2),
        np.full(n, 0.95),
    )
    layer = np.full(n, SHELL, np.uint8)
    bound = bind_gaussians(world, samples.triangle, samples.bary, layer, vertices, average)
    return bound, vertices, photo_camera(1200.0, SIZE, SIZE)


def raised(
    body: Body,
    scalp: tuple[BoundGaussians, FloatArray, Camera],
    notches: float,
    completed: BoolArray,
    alpha: float = 1.0,
    budget: int = 10_000,
) -> tuple[FloatArray, BoundGaussians]:
    """Metres that each texel moved, and the strands."""
    bound, vertices, camera = scalp
    hair = np.ones(len(bound), bool)
    everywhere = np.full((SIZE, SIZE), alpha)
    out, strands = raise_hair(
        bound, hair, completed, notches, everywhere, camera, vertices, body, budget
    )
    before, after = (place_gaussians(b, vertices, body).means for b in (bound, out))
    return np.linalg.norm(after - before, axis=1), strands


def test_unseen_hair_is_as_uneven_as_the_photos(
    average: Body, scalp: tuple[BoundGaussians, FloatArray, Camera]
) -> None:
    everything = np.ones(len(scalp[0]), bool)
    still, strands = raised(average, scalp, 0.0, everything)
    assert still.max() == 0.0
    assert len(strands) == 0
    moved, strands = raised(average, scalp, 0.003, everything)
    assert np.sqrt(np.mean(moved**2)) == pytest.approx(S.raised * 0.003, rel=0.3)
    assert len(raised(average, scalp, 0.003, everything, budget=700)[1]) == 700
    _, vertices, _ = scalp
    placed = place_gaussians(strands, vertices, average)
    assert len(placed) > 50 * S.steps
    head = average.part_names.index("scalp")
    middle = vertices[np.unique(average.f[average.face_part == head])].mean(0)
    size = np.linalg.norm(place_gaussians(scalp[0], vertices, average).means - middle, axis=1)
    away = np.linalg.norm(placed.means - middle, axis=1)
    assert away.max() > size.max() + 0.002  # they stand off it
    assert np.median(np.max(placed.scales, 1) / np.median(placed.scales, 1)) > 2.0


def test_hair_that_the_photo_shows_stays_and_nothing_stands_before_its_background(
    average: Body, scalp: tuple[BoundGaussians, FloatArray, Camera]
) -> None:
    bound, vertices, camera = scalp
    means = place_gaussians(bound, vertices, average).means
    shown = means[:, 2] > np.median(means[:, 2])
    moved, strands = raised(average, scalp, 0.003, ~shown)
    assert moved[shown].max() == 0.0
    border = ~shown & (means[:, 2] > np.median(means[:, 2]) - 0.005)
    assert border.any()
    assert moved[border].max() < 0.0005  # no step beside it
    assert moved.max() > 0.001
    inside = project(np.asarray(means, np.float64), camera)[0]
    assert (inside > 0).all()
    assert (inside < SIZE).all()
    moved, strands = raised(average, scalp, 0.003, ~shown, alpha=0.0)
    assert moved.max() == 0.0
    assert len(strands) == 0
