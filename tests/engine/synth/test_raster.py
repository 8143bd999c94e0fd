"""Our own drawing of people, against rays, closed forms and the mesh z-buffer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.cameras import intrinsics, look_at, photo_camera, unproject
from likeness.engine.core.types import Camera
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.synth import environment_light, raster, raster_light, raster_scene
from likeness.engine.synth.person_parts import Figure, Lighting
from likeness.engine.synth.raster_light import measure_lights
from likeness.engine.synth.raster_scene import flatten_figure
from likeness.engine.synth.raster_textures import LINEAR, linear_to_srgb, mip_levels, srgb_to_linear
from likeness.engine.wardrobe.mesh_parts import LABEL, Material, MeshPart
from scipy.ndimage import uniform_filter

CAMERA = photo_camera(120.0, 64, 64)
ALONE = Lighting(None, 0, 0.0, 1.0)
WHITE = np.ones((32, 64, 3), np.float32)


def paint(red: int, green: int, blue: int, alpha: int = 255, size: int = 8) -> np.ndarray:
    return np.tile(np.array([red, green, blue, alpha], np.uint8), (size, size, 1))


def quad(
    z: float,
    color: np.ndarray,
    half: float = 0.3,
    tilt: float = 0.0,
    x: float = 0.0,
    label: str = "clothes",
    kind: str = "plain",
    **options: object,
) -> MeshPart:
    """A square across the view at depth -z, turned about its upright axis by ``tilt`` radians."""
    flat = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    vertices = np.stack(
        [flat[:, 0] * np.cos(tilt) + x, flat[:, 1], -z + flat[:, 0] * np.sin(tilt)], 1
    )
    f = np.array([[0, 1, 2], [0, 2, 3]])
    corners = np.array([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    material = Material(kind, color, 1.0)
    rows = np.full(2, LABEL[label], np.uint8)
    return MeshPart("quad", vertices, f, corners[f], rows, material, **options)  # type: ignore[arg-type]


def ball(radius: float = 0.3, color: int = 188, rings: int = 24) -> MeshPart:
    """A sphere at (0, 0, -2)."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1), indexing="ij"
    )
    points = np.stack(
        [np.sin(theta) * np.cos(phi), np.cos(theta), -np.sin(theta) * np.sin(phi)], -1
    )
    a = (np.arange(rings)[:, None] * (2 * rings + 1) + np.arange(2 * rings)).ravel()
    b = a + 2 * rings + 1
    f = np.concatenate([np.stack([a, b, b + 1], 1), np.stack([a, b + 1, a + 1], 1)])
    vertices = points.reshape(-1, 3) * radius + [0, 0, -2.0]
    label = np.full(len(f), LABEL["face"], np.uint8)
    material = Material("plain", paint(color, color, color), 1.0)
    return MeshPart("ball", vertices, f, np.zeros((len(f), 3, 2)), label, material)


def drawn(*parts: MeshPart, camera: Camera = CAMERA, environment: np.ndarray = WHITE) -> np.ndarray:
    prepared = raster.prepare_figure(Figure(parts, None), ALONE, environment)
    return raster.draw_figure(prepared, camera)


def test_mip_levels_keep_the_light() -> None:
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (37, 50, 4)).astype(np.uint8)
    rough = rng.integers(0, 256, (37, 50)).astype(np.uint8)
    levels = mip_levels(color, rough)
    assert (levels[0].shape, levels[-1].shape) == ((37, 50, 5), (1, 1, 5))
    alpha = color[..., 3] / 255.0
    light_off = (LINEAR[color[..., :3]] * alpha[..., None]).mean((0, 1)) / alpha.mean()
    for level in levels[1:]:
        weight = level[..., 3:4] / 255.0
        found = (srgb_to_linear(level[..., :3] / 255.0) * weight).mean((0, 1)) / weight.mean()
        np.testing.assert_allclose(found, light_off, atol=0.004)
        assert weight.mean() == pytest.approx(alpha.mean(), abs=0.003)
        assert level[..., 4].mean() == pytest.approx(rough.mean(), abs=0.7)


def test_srgb_goes_there_and_back() -> None:
    stored = np.linspace(0, 1, 50)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(stored)), stored, atol=1e-12)
    assert srgb_to_linear(np.array(0.5)) == pytest.approx(0.21404, abs=1e-5)


def test_textures_follow_perspective() -> None:
    """A smooth ramp on a square that is turned by 50 degrees, against the ray through each pixel.

    Colours are compared by their hue, which light of one colour leaves alone, less the gloss."""
    ramp = np.zeros((64, 64, 4), np.uint8)
    u = (np.arange(64) + 0.5) / 64
    ramp[..., 0], ramp[..., 1] = 60 + 120 * u, 60 + 120 * u[:, None]
    ramp[..., 2], ramp[..., 3] = 128, 255
    tilt = np.radians(50)
    gloss = srgb_to_linear(drawn(quad(2.0, paint(0, 0, 0), 0.5, tilt)))
    picture = srgb_to_linear(drawn(quad(2.0, ramp, 0.5, tilt))) - gloss
    checked = 0
    for row in range(10, 54, 4):
        for column in range(18, 50, 4):
            ray = unproject(np.array([column + 0.5, row + 0.5]), np.array(1.0), CAMERA)
            across = np.array([np.cos(tilt), 0.0, np.sin(tilt)])
            A = np.stack([ray, -across, [0.0, -1.0, 0.0]], 1)
            _, x, y = np.linalg.solve(A, [0.0, 0.0, -2.0])
            if max(abs(x), abs(y)) > 0.46:
                continue
            expected = srgb_to_linear(np.array([60 + 120 * (x + 0.5), 60 + 120 * (0.5 - y)]) / 255)
            found = picture[row, column]
            ratio = expected / srgb_to_linear(np.array(128 / 255))
            np.testing.assert_allclose(found[:2] / found[2], ratio, rtol=0.05)
            checked += 1
    assert checked > 30


def test_fine_textures_do_not_flicker() -> None:
    """A chessboard far finer than the pixels is drawn as its mean."""
    board = paint(0, 0, 0, size=256)
    board[::2, ::2, :3] = board[1::2, 1::2, :3] = 255
    inside = srgb_to_linear(drawn(quad(2.0, board))[20:44, 20:44, 0])
    plain = srgb_to_linear(drawn(quad(2.0, paint(188, 188, 188)))[20:44, 20:44, 0])
    np.testing.assert_allclose(inside, plain, atol=0.03)


def test_a_ball_in_even_light_has_its_own_colour() -> None:
    picture = drawn(ball())
    solid = picture[..., 3] == 1.0
    middle = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 0.75 * 0.3 * 120 / 2
    assert solid[middle].all()
    colours = srgb_to_linear(picture[middle][:, :3])
    # The albedo of a stored 188 is a half; a rough surface adds at most its 3 % of gloss.
    np.testing.assert_allclose(colours.mean(), 0.5, atol=0.05)
    assert colours.std() < 0.01
    area = picture[..., 3].sum()
    seen = np.pi * (120 * np.tan(np.arcsin(0.3 / 2))) ** 2
    assert area == pytest.approx(seen, rel=0.01)
    # Straight alpha: the rim has the ball's colour and doesn't darken; clear pixels are black.
    rim = (picture[..., 3] > 0) & ~solid
    assert rim.sum() > 20
    assert picture[rim][:, :3].min() > picture[middle][:, :3].min() - 0.03
    assert (picture[picture[..., 3] == 0] == 0).all()


def test_relief_leans_the_normals() -> None:
    """A slope painted as heights is lit as one that is there."""
    side = Lighting(None, 0, 0.0, 1.0, (1.0, 0.0, 0.0), (1.0, 1.0, 1.0), 3.0, 5.0)
    heights = np.tile(0.05 * np.sin(2 * np.pi * np.arange(64) / 64), (64, 1)).astype(np.float32)
    flat = quad(2.0, paint(150, 150, 150, size=64))
    material = Material("plain", flat.material.color, 1.0, bump=heights)
    bumpy = MeshPart("quad", flat.vertices, flat.f, flat.uv, flat.label, material)
    dim = WHITE * 0.2
    picture = raster.draw_figure(raster.prepare_figure(Figure((bumpy,), None), side, dim), CAMERA)
    row = picture[32, 14:50, 0]
    # Heights fall towards +x in the middle, so that the surface there faces the light.
    assert row[18] > row[2] + 0.1
    assert row[18] > row[-3] + 0.1


def test_a_board_shades_what_is_behind_it() -> None:
    """The shadow of a square under a distant light lies where rays towards the light meet it."""
    towards = np.array([1.0, 0.0, 2.0]) / np.sqrt(5.0)
    sun = Lighting(None, 0, 0.0, 1.0, tuple(towards), (1.0, 1.0, 1.0), 20.0, 0.5)
    wall = quad(2.0, paint(128, 128, 128), 0.6)
    board = quad(1.8, paint(128, 128, 128), 0.1, x=0.3)  # 20 cm before the wall
    prepared = raster.prepare_figure(Figure((wall, board), None), sun, WHITE * 0.05)
    front = Camera(look_at(np.array([-0.1, 0, -2.0]), 2.0, -20.0, 0.0), CAMERA.K, 64, 64)
    picture = raster.draw_figure(prepared, front)
    for x, shaded in ((0.2, True), (0.14, True), (0.26, True), (0.0, False), (-0.3, False)):
        point = np.array([x, 0.0, -2.0, 1.0])
        p = CAMERA.K @ (front.viewmat @ point)[:3]
        value = picture[int(p[1] / p[2]), int(p[0] / p[2]), 0]
        hit = point[:3] + 0.2 / towards[2] * towards  # where the ray crosses the board's plane
        assert (abs(hit[0] - 0.3) < 0.1) == shaded
        assert (value < 0.3) == shaded, (x, value)


def test_what_is_covered_gets_less_sky() -> None:
    """A wall alone in even light, and 10 cm behind a wider one, which hides all but the rim of
    its sky."""
    wall, cover = quad(2.0, paint(200, 200, 200)), quad(1.9, paint(200, 200, 200), 0.6)
    scene, textures = flatten_figure(Figure((wall,), None))
    assert measure_lights(scene, textures, ALONE, WHITE).sky[:, 27].min() > 0.93
    scene, textures = flatten_figure(Figure((wall, cover), None))
    both = measure_lights(scene, textures, ALONE, WHITE).sky[:, 27]
    assert both[:4].max() < 0.2  # at most a cosine of 10 cm in 32
    assert both[4:].min() > 0.93


def test_cards_blend_and_lenses_are_seen_through() -> None:
    wall = quad(2.0, paint(200, 0, 0), label="face")
    card = quad(1.9, paint(0, 0, 200, 128), label="hair", kind="hair", card=True)
    lens = quad(1.8, paint(255, 255, 255, 20), label="glasses")
    plain, over = drawn(wall), drawn(wall, card)
    assert plain[32, 32, 2] < 0.25
    assert over[32, 32, 2] > 0.3
    assert over[32, 32, 0] > 0.3
    assert over[32, 32, 0] < plain[32, 32, 0] - 0.1
    assert drawn(card)[32, 32, 3] == pytest.approx(128 / 255, abs=0.01)
    figure = Figure((wall, card, lens), None)
    depth, labels = raster.render_truth(figure, CAMERA)
    assert labels[32, 32] == LABEL["hair"]
    assert depth[32, 32] == pytest.approx(1.9)
    behind = quad(1.9, paint(0, 0, 200, 120), label="hair", kind="hair", card=True)
    depth, labels = raster.render_truth(Figure((wall, behind, lens), None), CAMERA)
    assert labels[32, 32] == LABEL["face"]
    assert depth[32, 32] == pytest.approx(2.0)
    assert labels[0, 0] == 0
    assert np.isinf(depth[0, 0])
    prepared = raster.prepare_figure(figure, ALONE, WHITE)
    np.testing.assert_array_equal(
        raster.render_truth(prepared, CAMERA)[0], raster.render_truth(figure, CAMERA)[0]
    )


def test_slivers_cover_what_their_edges_enclose() -> None:
    """Long and tiny triangles in all directions, against the edges of one after the other."""
    rng = np.random.default_rng(3)
    centre = rng.uniform(-0.4, 0.4, (300, 1, 3)) - [0.0, 0.0, 2.0]
    corners = centre + rng.normal(0, 0.3, (300, 3, 3)) * rng.choice([0.02, 1], (300, 1, 1))
    corners[:, 2] = 0.5 * (corners[:, 0] + corners[:, 1]) + rng.normal(0, 0.01, (300, 3))
    f = np.arange(900).reshape(300, 3)
    label = np.full(300, LABEL["clothes"], np.uint8)
    part = MeshPart(
        "slivers",
        corners.reshape(-1, 3),
        f,
        np.zeros((300, 3, 2)),
        label,
        Material("plain", paint(9, 9, 9)),
    )
    scene, textures = flatten_figure(Figure((part,), None))
    view = raster_scene.project_scene(scene, CAMERA)
    depth = np.full((64, 64), np.inf)
    face = np.full((64, 64), -1, np.int32)
    raster_scene.z_pass(scene, textures, view, 0, 64, 0.5, raster_scene.FLAT_MIPS, depth, face)
    y, x = np.mgrid[0.5:64, 0.5:64]
    expected = np.zeros((64, 64))
    for corner in view.xy[scene.f]:
        edges = [
            (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
            for a, b in zip(corner, np.roll(corner, -1, 0), strict=True)
        ]
        inside = np.all(np.array(edges) > 0, 0) | np.all(np.array(edges) < 0, 0)
        expected[inside] = 1
    assert 300 < expected.sum() < 4000
    np.testing.assert_array_equal(face >= 0, expected > 0)


def test_mip_maps_of_the_same_pictures_are_made_once() -> None:
    known: dict = {}
    wall, card = quad(2.0, paint(9, 9, 9, size=32)), quad(1.9, paint(90, 9, 9, size=16))
    first = flatten_figure(Figure((wall, card), None), known=known)[1]
    maps = dict(known)
    moved = replace(card, vertices=card.vertices + 0.1, material=replace(card.material))
    again = flatten_figure(Figure((wall, moved), None), known=known)[1]
    assert all(known[key] is maps[key] for key in maps)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    other = flatten_figure(Figure((quad(2.0, paint(0, 99, 9)),), None), known=known)[1]
    assert len(known) == 1  # clothes that came off are dropped
    assert other.texels[0, 1] == 99


def test_blurred_shadow_maps_are_means_over_squares() -> None:
    depth = np.random.default_rng(1).uniform(-1, 1, (40, 40))
    out = np.zeros((40, 40, 2), np.float32)
    raster_light._blur_moments(depth, 7, out)
    for k, power in enumerate((1, 2)):
        expected = uniform_filter(depth**power, 7, mode="nearest")
        np.testing.assert_allclose(out[..., k], expected, atol=1e-6)


def test_bias_lets_cards_win() -> None:
    wall = quad(2.0, paint(200, 0, 0), label="face")
    for bias, label in ((0.0, "face"), (0.01, "brow")):
        brow = quad(2.005, paint(0, 0, 0), label="brow", kind="hair", card=True, bias=bias)
        depth, labels = raster.render_truth(Figure((wall, brow), None), CAMERA)
        assert labels[32, 32] == LABEL[label]
        assert depth[32, 32] == pytest.approx(2.005 if bias else 2.0, abs=1e-4)


def test_truth_is_the_mesh_z_buffer() -> None:
    rng = np.random.default_rng(2)
    vertices = rng.uniform([-0.5, -0.5, -2.5], [0.5, 0.5, -1.5], (60, 3))
    f = rng.integers(0, 60, (80, 3))
    f = f[(f[:, 0] != f[:, 1]) & (f[:, 1] != f[:, 2]) & (f[:, 0] != f[:, 2])]
    label = rng.integers(1, 20, len(f)).astype(np.uint8)
    part = MeshPart(
        "soup", vertices, f, np.zeros((len(f), 3, 2)), label, Material("plain", paint(9, 9, 9))
    )
    camera = Camera(look_at(np.array([0, 0, -2.0]), 2.0, 15.0, 5.0), intrinsics(90, 65, 49), 65, 49)
    depth, labels = raster.render_truth(Figure((part,), None), camera)
    buffer = rasterize_mesh(vertices, f, camera)
    np.testing.assert_allclose(depth, buffer.depth, rtol=1e-6)
    covered = buffer.face >= 0
    np.testing.assert_array_equal(labels[covered], label[buffer.face[covered]])
    assert (labels[~covered] == 0).all()
    centre = -camera.viewmat[:3, :3].T @ camera.viewmat[:3, 3]
    for row, column in ((24, 32), (10, 20), (30, 45), (40, 12)):
        ray = unproject(np.array([column + 0.5, row + 0.5]), np.array(1.0), camera) - centre
        hits = [t for corners in vertices[f] if (t := hit(centre, ray, corners)) is not None]
        assert depth[row, column] == pytest.approx(min(hits, default=np.inf), rel=1e-5)


def hit(origin: np.ndarray, ray: np.ndarray, corners: np.ndarray) -> float | None:
    """Where a ray meets a triangle, in lengths of the ray."""
    A = np.stack([ray, corners[0] - corners[1], corners[0] - corners[2]], 1)
    if abs(np.linalg.det(A)) < 1e-12:
        return None
    t, b, c = np.linalg.solve(A, corners[0] - origin)
    return float(t) if t > 0 and b >= 0 and c >= 0 and b + c <= 1 else None


def test_the_same_pixels_again_and_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    lighting = Lighting(None, 5, 40.0, 1.0, (0.6, 0.0, 0.8), (1.0, 0.9, 0.8), 1.0)
    environment = environment_light.environment_picture(lighting)
    card = quad(1.6, paint(90, 60, 30, 120), label="hair", kind="hair", card=True)
    figure = Figure((ball(), card), None)
    first = raster.draw_figure(raster.prepare_figure(figure, lighting, environment), CAMERA)
    monkeypatch.setattr("numba.get_num_threads", lambda: 1)
    again = raster.draw_figure(raster.prepare_figure(figure, lighting, environment), CAMERA)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert first.min() >= 0
    assert first.max() <= 1


def test_strand_directions_are_smooth_over_a_strip() -> None:
    """A bent strip whose charts run opposite ways: the corners that triangles share agree."""
    angle = np.linspace(0, np.pi / 2, 5)
    rim = np.stack([np.sin(angle), np.cos(angle), 0 * angle], 1)
    vertices = np.concatenate([rim, rim + np.array([0, 0, 1])])
    start = np.arange(4)
    f = np.concatenate(
        [np.stack([start, start + 1, start + 6], 1), np.stack([start, start + 6, start + 5], 1)]
    )
    along = vertices[f].mean(1) @ np.array([[0, -1, 0], [1, 0, 0], [0, 0, 0.0]])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    along[::2] *= -1.0
    lines = raster_scene._smooth_lines(along, f, len(vertices))
    assert ((lines * along[:, None]).sum(2) > 0.9).all()
    inner = np.isin(f, [2, 7])  # on the middle's spoke: along the rim's tangent there
    tangent = np.array([np.cos(np.pi / 4), -np.sin(np.pi / 4), 0.0])
    assert np.abs(lines[inner] @ tangent).min() > 0.99


def test_clear_glass_is_not_milky() -> None:
    """Through coated glass a dark wall in full light stays nearly as dark as it is."""
    wall = quad(2.0, paint(40, 30, 25))
    lens = quad(1.8, paint(25, 28, 31, 12), label="glasses")
    lens = replace(lens, material=replace(lens.material, roughness=0.05))
    bare, worn = drawn(wall)[32, 32, :3], drawn(wall, lens)[32, 32, :3]
    assert (np.abs(worn - bare) < 0.04).all()
