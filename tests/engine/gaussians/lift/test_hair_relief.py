"""Relief and strands of hair that a photo does not show."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.rotations import quaternion_to_matrix
from likeness.engine.core.types import BoolArray, BoundGaussians, Camera, FloatArray
from likeness.engine.dual_uv.sampling import sample_surface
from likeness.engine.gaussians.binding import bind_gaussians, place_gaussians
from likeness.engine.gaussians.lift.hair.hair_relief import S, measure_notches, raise_locks
from likeness.engine.gaussians.lift.hair.hair_strands import (
    HairSurface,
    grow_strands,
    lay_strands,
    measure_tones,
)
from likeness.engine.gaussians.lift.hair.hair_strands import S as STRANDS
from likeness.engine.gaussians.lift.shape.hair_field import tangents
from likeness.engine.gaussians.lift.splats.texels import TexelLayer
from likeness.engine.gaussians.lift.surface.labels import HAIR, HAT
from likeness.engine.gaussians.lift.surface.surfels import SHELL, surfels_on_plane
from scipy.spatial import cKDTree

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


def dressed_in(
    scalp: tuple[BoundGaussians, FloatArray, Camera], body: Body, completed: BoolArray
) -> TexelLayer:
    """The scalp as texels of hair that falls straight down, of uneven tones."""
    bound, vertices, _ = scalp
    n = len(bound)
    world = place_gaussians(bound, vertices, body)
    normals = np.asarray(quaternion_to_matrix(np.asarray(world.quats, np.float64)))[..., 2]
    way = tangents(np.tile([0.0, -1.0, 0.0], (n, 1)), normals)
    tones = np.random.default_rng(0).uniform(0.1, 0.3, (n, 1)).astype(np.float32)
    bound = replace(bound, colors=np.repeat(tones, 3, 1))
    return TexelLayer(bound, completed, np.full(n, HAIR), way)


def photo(
    camera: Camera, alpha: float = 1.0, hair: bool = True, front: float = 0.0
) -> SimpleNamespace:
    """A photo that shows the person everywhere, or only background; ``front`` metres away."""
    everywhere = np.ones((SIZE, SIZE), bool)
    regions = SimpleNamespace(mask=everywhere & (alpha > 0.5), hair=everywhere & hair)
    sheet = SimpleNamespace(mask=everywhere, visible=everywhere, front=np.full((SIZE, SIZE), front))
    return SimpleNamespace(
        camera=camera, alpha=alpha * everywhere, regions=regions, sheets=(sheet,)
    )


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
    view = photo(camera, alpha)
    layer = dressed_in(scalp, body, completed)
    out = raise_locks(layer, notches, view, vertices, body)  # type: ignore[arg-type]
    strands = grow_strands(out, notches, 4e-4, [], view, vertices, body, budget)  # type: ignore[arg-type]
    before, after = (place_gaussians(b, vertices, body).means for b in (bound, out.gaussians))
    return np.linalg.norm(after - before, axis=1), strands


def test_unseen_hair_is_as_uneven_as_the_photos(
    average: Body, scalp: tuple[BoundGaussians, FloatArray, Camera]
) -> None:
    everything = np.ones(len(scalp[0]), bool)
    half = np.arange(len(everything)) % 2 == 0
    still, strands = raised(average, scalp, 0.0, everything)
    assert still.max() == 0.0
    assert len(strands) == 0
    moved, strands = raised(average, scalp, 0.003, everything)
    assert np.sqrt(np.mean(moved**2)) == pytest.approx(S.raised * 0.003, rel=0.3)
    assert 0 < len(raised(average, scalp, 0.003, everything, budget=700)[1]) <= 700
    for notches in (0.0, 0.003):  # avatars of few Gaussians have none for strands
        assert len(raised(average, scalp, notches, half, budget=1)[1]) == 0
    _, vertices, _ = scalp
    placed = place_gaussians(strands, vertices, average)
    assert len(placed) > 50 * STRANDS.steps
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


def sphere(n: int = 6000) -> HairSurface:
    """Hair that falls down a ball of 9 cm."""
    rng = np.random.default_rng(4)
    normals = rng.normal(size=(n, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    way = tangents(np.tile([0.0, -1.0, 0.0], (n, 1)), normals)
    return HairSurface(0.09 * normals, normals, way, np.full((n, 3), 0.3))


def test_strands_cover_hair_along_its_way_and_end_where_it_does() -> None:
    hair = sphere()
    wanted = hair.points[:, 1] > -0.03
    tones = np.log([[0.5], [2.0]]) * np.ones((1, 3))
    strands, row = lay_strands(hair, wanted, tones, 0.03, 0.0008, 30_000)
    means = np.asarray(strands.means, np.float64)
    height = np.linalg.norm(means, axis=1) - 0.09
    assert STRANDS.height[0] - 1e-3 < height.min()
    assert height.max() < STRANDS.height[1] + 1e-3
    # They are slender, and lie along the hair.
    axes = quaternion_to_matrix(np.asarray(strands.quats, np.float64))
    long = axes[np.arange(len(row)), :, np.asarray(strands.scales).argmax(1)]
    level = np.abs(means[:, 1]) < 0.03  # near its poles the way turns within a strand
    along = np.abs(np.einsum("nd,nd->n", long, hair.way[row]))[level]
    assert np.median(along) > 0.98
    size = np.sort(np.asarray(strands.scales), axis=1)
    assert np.median(size[:, 2] / size[:, 1]) > 3.0
    assert np.percentile(size[:, 1], 95) == pytest.approx(STRANDS.finer * 0.0008, rel=0.1)
    # No place is bare, and none beyond the border is covered.
    reach = cKDTree(means).query(hair.points[wanted & (hair.points[:, 1] > -0.02)])[0]
    assert np.percentile(reach, 95) < 0.006
    assert means[:, 1].min() > -0.03 - 0.008
    # Every strand has one of the tones, half of them each.
    light = np.asarray(strands.colors)[:, 0]
    dark = 0.5 * (0.3 + STRANDS.floor) - STRANDS.floor
    bright = 2.0 * (0.3 + STRANDS.floor) - STRANDS.floor
    assert np.isclose(light[:, None], [dark, bright], atol=1e-6).any(1).all()
    assert np.mean(light > 0.3) == pytest.approx(0.5, abs=0.05)


def test_fewer_strands_are_wider_and_short_hair_has_short_ones() -> None:
    hair, tones = sphere(), np.zeros((1, 3))
    wanted = np.ones(len(hair.points), bool)
    many, _ = lay_strands(hair, wanted, tones, 0.03, 0.0008, 30_000)
    few, _ = lay_strands(hair, wanted, tones, 0.03, 0.0008, 5000)
    assert len(few) <= 5000 < len(many)
    covered = [np.sort(np.asarray(g.scales), 1)[:, 1:].prod(1).sum() for g in (few, many)]
    assert covered[0] == pytest.approx(covered[1], rel=0.2)

    def longest(thickness: float) -> float:
        """Metres between the farthest splats of one strand, each of which has its own tone."""
        tones = np.linspace(-1.0, 1.0, 10**6)[:, None] * np.ones((1, 3))
        strands, _ = lay_strands(hair, wanted, tones, thickness, 0.0008, 5000)
        _, strand = np.unique(np.asarray(strands.colors)[:, 0], return_inverse=True)
        means = np.asarray(strands.means)
        ends = [means[strand == k] for k in range(0, strand.max(), 20)]
        return float(max(np.linalg.norm(m[-1] - m[0], axis=-1) for m in ends))

    assert longest(0.03) > 2.0 * longest(0.006)


def test_tones_tell_strands_from_light_and_from_what_shines_through() -> None:
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(0.0, 0.1, (4000, 2)), np.zeros(4000)])
    log = np.log(0.3) + 4.0 * points[:, :1] * np.ones((1, 3))
    strands = rng.normal(0.0, 0.1, (4000, 1))
    colors = np.exp(log + strands)
    colors[:100] *= [0.7, 1.0, 1.9]  # the sky shines through
    tones = measure_tones(points, colors)
    light = tones.mean(1)
    assert light.std() == pytest.approx(STRANDS.contrast * 0.1, rel=0.15)
    assert np.corrcoef(light, strands[:, 0])[0, 1] > 0.9
    assert abs(np.corrcoef(light, points[:, 0])[0, 1]) < 0.1
    assert np.abs(tones - light[:, None]).max() <= 1.5 * STRANDS.hue
    assert len(measure_tones(points[:5], colors[:5])) == 0


def test_strands_keep_off_what_the_photo_shows_and_off_a_hat(
    average: Body, scalp: tuple[BoundGaussians, FloatArray, Camera]
) -> None:
    bound, vertices, camera = scalp
    world = place_gaussians(bound, vertices, average)
    depth = np.asarray(world.means)[:, 2]
    completed = depth < np.median(depth) + 0.03
    layer = dressed_in(scalp, average, completed)

    def grow(layer: TexelLayer, hair: bool, front: float = 0.0) -> FloatArray:
        view = photo(camera, hair=hair, front=front)
        out = grow_strands(layer, 0.0, 4e-4, [], view, vertices, average, 20_000)  # type: ignore[arg-type]
        return np.asarray(place_gaussians(out, vertices, average).means, np.float64)

    normals = quaternion_to_matrix(np.asarray(world.quats, np.float64))[..., 2]
    points = np.asarray(world.means, np.float64)
    facing = np.einsum("nd,nd->n", normals, -points / np.linalg.norm(points, axis=1)[:, None])
    tree = cKDTree(points)
    beside_hair, beside_skin = grow(layer, True), grow(layer, False)
    assert len(beside_hair) > len(beside_skin) > 500
    assert facing[tree.query(beside_hair)[1]].max() < STRANDS.facing + 0.1
    assert facing[tree.query(beside_skin)[1]].max() < 0.1
    # Nor does any stand before what the photo shows: here a wall in the middle of the head.
    middle = float(np.median(-points[:, 2]))
    behind = grow(layer, True, middle)
    assert 0 < len(behind) < len(beside_hair)
    assert (-behind[:, 2]).min() > middle - 1e-6
    label = np.where(points[:, 1] > np.median(points[:, 1]), HAT, HAIR)
    hat = points[label == HAT]
    under = grow(replace(layer, label=label), True)
    assert len(under) > 100
    assert cKDTree(hat).query(under)[0].min() >= STRANDS.under_hat
    # Where the photo shows no hair at all, nothing is known about strands.
    assert len(grow(dressed_in(scalp, average, np.ones(len(bound), bool)), True)) == 0
