"""Shading and blending of rendered people, against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.dataset.backgrounds import random_background
from likeness.engine.evaluation.people.person_render import random_light
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.synth import mesh_shading

CAMERA = photo_camera(100.0, 64, 64)
SKY_ONLY = mesh_shading.SceneLight(
    np.array([0.0, 0, 1]), np.array([0.0, 0, 1]), np.zeros(3), np.zeros(3), np.ones(3)
)


def square(z: float, half: float = 0.3, texture: int = 0) -> mesh_shading.Mesh:
    """A square across the view at depth -z, its texture upright."""
    vertices = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    f = np.array([[0, 1, 2], [0, 2, 3]])
    corners = np.array([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    return mesh_shading.Mesh(vertices, f, corners[f], np.full(2, texture), np.ones((2, 3)))


def plain(colour: tuple[int, int, int, int]) -> np.ndarray:
    return np.tile(np.array(colour, np.uint8), (8, 8, 1))


def test_textures_lie_upright() -> None:
    texture = np.zeros((1, 8, 8, 4), np.uint8)
    texture[0, :4, :, 0] = 255  # the upper half is red
    mesh = square(-1.0)
    buffer = rasterize_mesh(mesh.vertices, mesh.f, CAMERA)
    covered = buffer.face >= 0
    colours = mesh_shading.sample_albedo(
        buffer.face[covered],
        buffer.bary[covered].astype(float),
        mesh.uv,
        mesh.texture,
        mesh.tint,
        texture,
    )
    picture = np.zeros((64, 64, 3))
    picture[covered] = colours
    assert picture[12, 32, 0] == pytest.approx(1.0)
    assert picture[52, 32, 0] == pytest.approx(0.0)


def test_cards_blend_from_back_to_front() -> None:
    textures = np.stack([plain((255, 0, 0, 128)), plain((0, 0, 255, 128))])
    rgb, alpha = np.ones((64, 64, 3)), np.zeros((64, 64))
    nothing = np.full((64, 64), np.inf, np.float32)
    near, far = square(-1.0, texture=0), square(-2.0, half=0.5, texture=1)
    front = mesh_shading.blend_cards(rgb, alpha, nothing, [near, far], textures, CAMERA, SKY_ONLY)
    a = 128 / 255
    assert alpha[32, 32] == pytest.approx(1 - (1 - a) ** 2, abs=1e-6)
    # Sky from the side is three quarters of the light, of which cards take 0.8.
    light = (0.75 * 0.8) ** (1 / 2.2)
    blue = (1 - a) * 1.0 + a * light
    expected = [(1 - a) * (1 - a) + a * light, (1 - a) ** 2, (1 - a) * blue]
    np.testing.assert_allclose(rgb[32, 32], expected, atol=0.01)
    assert front[32, 32] == pytest.approx(1.0)
    assert rgb[0, 0].tolist() == [1.0, 1.0, 1.0]


def test_cards_behind_the_body_are_hidden_and_those_on_it_are_not() -> None:
    textures = plain((255, 0, 0, 255))[None]
    wall = np.full((64, 64), 1.5, np.float32)
    for z, bias, shown in ((-1.4, 0.0, True), (-1.51, 0.0, False), (-1.51, 0.02, True)):
        rgb, alpha = np.zeros((64, 64, 3)), np.ones((64, 64))
        mesh = square(z)
        card = mesh_shading.Mesh(mesh.vertices, mesh.f, mesh.uv, mesh.texture, mesh.tint, bias)
        mesh_shading.blend_cards(rgb, alpha, wall, [card], textures, CAMERA, SKY_ONLY)
        assert (rgb[32, 32, 0] > 0.5) == shown


def test_what_stands_before_the_light_takes_it() -> None:
    small = square(-0.42, half=0.1)
    grid = np.linspace(-0.6, 0.6, 25)
    x, y = (a.ravel() for a in np.meshgrid(grid, grid))
    wall = np.stack([x, y, np.full_like(x, -0.5)], 1)
    quads = np.arange(25 * 25).reshape(25, 25)
    a, b, c, d = quads[:-1, :-1], quads[:-1, 1:], quads[1:, 1:], quads[1:, :-1]
    f = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    fine = mesh_shading.Mesh(
        wall, f, np.zeros((len(f), 3, 2)), np.zeros(len(f), int), np.ones((len(f), 3))
    )
    mesh = mesh_shading.join_meshes([fine, small])
    open_to = mesh_shading.ambient_occlusion(mesh, SKY_ONLY, np.random.default_rng(0))
    centre = np.abs(wall[:, :2]).max(1) < 0.03
    edge = np.abs(wall[:, :2]).max(1) > 0.4
    assert open_to[: len(wall)][centre, 0].max() < 0.5
    assert open_to[: len(wall)][edge, 0].min() > 0.95
    assert open_to[: len(wall)][centre, 2].mean() < open_to[: len(wall)][edge, 2].mean()


def test_light_and_background_are_pictures() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        light = random_light(rng)
        assert np.linalg.norm(light.key) == pytest.approx(1.0)
        assert light.key[1] > 0  # from above
        # White paper towards the camera is neither black nor burnt.
        seen = 0.75 * light.sky + max(light.key[2], 0.0) * light.key_colour
        assert (seen > 0.25).all()
        assert (seen < 1.6).all()
        behind = random_background(20, 30, rng)
        assert behind.shape == (20, 30, 3)
        assert behind.min() >= -0.2
        assert behind.max() <= 1.2
