"""The cpu rasteriser against brute force, and both against what is known by hand."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.cameras import look_at, photo_camera
from likeness.engine.core.types import FloatArray, Gaussians, LikenessError
from likeness.engine.render import paint_camera, rasterize, render_camera

pytest.importorskip("torch")
BACKENDS = ["cpu", "reference"]


def cloud(
    rng: np.random.Generator,
    count: int,
    scales: tuple[float, float] = (0.005, 0.2),
    spread: float = 0.8,
    channels: int = 3,
) -> Gaussians:
    """Random Gaussians around the origin, log-uniform in scale."""
    return Gaussians(
        rng.normal(scale=spread, size=(count, 3)).astype(np.float32),
        rng.normal(size=(count, 4)).astype(np.float32),
        np.exp(rng.uniform(*np.log(scales), (count, 3))).astype(np.float32),
        rng.uniform(0, 1, count).astype(np.float32),
        rng.uniform(0, 1, (count, channels)).astype(np.float32),
    )


def one(mean, scale, opacity, color) -> Gaussians:
    """A single round Gaussian."""
    return Gaussians(
        np.array([mean], np.float32),
        np.array([[1, 0, 0, 0]], np.float32),
        np.full((1, 3), scale, np.float32),
        np.array([opacity], np.float32),
        np.array([color], np.float32),
    )


def assert_same(gaussians: Gaussians, viewmats, Ks, width, height, background=None) -> None:
    ours = rasterize(gaussians, viewmats, Ks, width, height, background, "cpu")
    truth = rasterize(gaussians, viewmats, Ks, width, height, background, "reference")
    for name in ("rgb", "alpha"):
        np.testing.assert_allclose(getattr(ours, name), getattr(truth, name), atol=1e-3)
    np.testing.assert_allclose(ours.depth, truth.depth, atol=1e-3, rtol=1e-4)


def cameras(count: int, distance: float = 3.0, focal: float = 70.0, size=(60, 45)):
    views = [look_at(np.zeros(3), distance, 80.0 * k, 25.0 * k - 30) for k in range(count)]
    K = photo_camera(focal, *size).K
    return np.stack(views), np.stack([K] * count), *size


@pytest.mark.parametrize("seed", range(4))
def test_random_scenes_from_several_cameras(seed):
    assert_same(cloud(np.random.default_rng(seed), 400), *cameras(3))


@pytest.mark.parametrize(
    ("scales", "spread", "distance"),
    [
        pytest.param((1e-6, 1e-3), 0.5, 3.0, id="tiny"),
        pytest.param((0.5, 5.0), 0.5, 3.0, id="huge"),
        pytest.param((1e-4, 2.0), 0.5, 3.0, id="needles and sheets"),
        pytest.param((0.01, 0.2), 1.0, 0.5, id="behind and at the near plane"),
        pytest.param((0.05, 0.5), 4.0, 3.0, id="mostly off screen"),
    ],
)
def test_awkward_scenes(scales, spread, distance):
    assert_same(cloud(np.random.default_rng(11), 300, scales, spread), *cameras(2, distance))


def test_five_channels_background_and_an_image_of_odd_size():
    gaussians = cloud(np.random.default_rng(5), 200, channels=5)
    viewmats, Ks, _, _ = cameras(2)
    backgrounds = np.array([[0.1, 0.2, 0.3, 0.4, 0.5], [1, 0, 1, 0, 1]])
    assert_same(gaussians, viewmats, Ks, 67, 33, backgrounds)
    assert_same(gaussians, viewmats, Ks, 1, 1, backgrounds[0])


def test_dense_stack_stops_where_it_is_opaque():
    rng = np.random.default_rng(6)
    gaussians = cloud(rng, 600, (0.1, 0.4), 0.3)
    gaussians.opacities[:] = rng.uniform(0.8, 1.0, 600)
    assert_same(gaussians, *cameras(1))
    alpha = rasterize(gaussians, *cameras(1)).alpha
    assert 0.99 < alpha.max() <= 1 - 1e-4


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_gaussian_is_the_textbook_bell(backend):
    """A round Gaussian on the axis: 2D variance (f s / z)^2 + 0.3, no matter which rotation."""
    focal, z, scale, opacity = 50.0, 2.0, 0.1, 0.7
    camera = photo_camera(focal, 40, 30)
    color, background = np.array([0.9, 0.5, 0.1]), np.array([0.2, 0.4, 0.6])
    out = render_camera(one([0, 0, -z], scale, opacity, color), camera, background, backend, 1)
    y, x = np.mgrid[:30, :40] + 0.5
    variance = (focal * scale / z) ** 2 + 0.3
    alpha = opacity * np.exp(-((x - 20) ** 2 + (y - 15) ** 2) / (2 * variance))
    alpha[alpha < 1 / 255] = 0
    np.testing.assert_allclose(out.alpha, alpha, atol=1e-6)
    expected = alpha[..., None] * color + (1 - alpha[..., None]) * background
    np.testing.assert_allclose(out.rgb, expected, atol=1e-6)
    np.testing.assert_allclose(out.depth, np.where(alpha > 0, z, 0), atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sheet_across_the_view_keeps_its_direction(backend):
    """Long along world +y: tall in the picture; turned 30 degrees about the view axis with it."""
    camera = photo_camera(100.0, 64, 64)
    angle = np.radians(30)
    quat = np.array([[np.cos(angle / 2), 0, 0, np.sin(angle / 2)]], np.float32)
    needle = Gaussians(
        np.array([[0, 0, -1]], np.float32),
        quat,
        np.array([[0.01, 0.1, 0.01]], np.float32),
        np.ones(1, np.float32),
        np.ones((1, 3), np.float32),
    )
    alpha = render_camera(needle, camera, backend=backend).alpha.astype(np.float64)
    y, x = np.mgrid[:64, :64] + 0.5 - 32
    cov = np.array([[(alpha * x * x).sum(), (alpha * x * y).sum()], [0, (alpha * y * y).sum()]])
    cov[1, 0] = cov[0, 1]
    _, axes = np.linalg.eigh(cov)
    # +y turned counter-clockwise by 30 degrees leans to -x; the picture's y points down.
    np.testing.assert_allclose(np.abs(axes[:, 1] @ [-np.sin(angle), -np.cos(angle)]), 1, atol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_near_covers_far_whatever_the_order_in_the_list(backend):
    camera = photo_camera(50.0, 16, 16)
    far, near = one([0, 0, -3], 1.0, 0.999, [1, 0, 0]), one([0, 0, -2], 1.0, 0.6, [0, 1, 0])
    names = ("means", "quats", "scales", "opacities", "colors")
    both = Gaussians(*(np.concatenate([getattr(far, n), getattr(near, n)]) for n in names))
    out = render_camera(both, camera, backend=backend)
    np.testing.assert_allclose(out.rgb[8, 8], [0.4 * 0.999, 0.6, 0], atol=1e-3)
    np.testing.assert_allclose(out.depth[8, 8], 0.6 * 2 + 0.4 * 3, atol=2e-3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["none", "behind", "transparent"])
def test_nothing_to_see_gives_the_background(backend, kind):
    gaussians = {
        "none": cloud(np.random.default_rng(0), 0),
        "behind": one([0, 0, 1], 0.1, 1.0, [1, 1, 1]),
        "transparent": one([0, 0, -1], 0.1, 0.003, [1, 1, 1]),
    }[kind]
    out = render_camera(gaussians, photo_camera(50.0, 20, 17), np.array([0.1, 0.2, 0.3]), backend)
    np.testing.assert_allclose(out.rgb, np.broadcast_to([0.1, 0.2, 0.3], (17, 20, 3)), atol=1e-7)
    assert not out.alpha.any()
    assert not out.depth.any()


def test_same_picture_every_time():
    gaussians = cloud(np.random.default_rng(2), 3000)
    first, second = (rasterize(gaussians, *cameras(2)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_unknown_backend_and_missing_torch_say_what_to_do(monkeypatch):
    gaussians, camera = one([0, 0, -1], 0.1, 1.0, [1, 1, 1]), photo_camera(50.0, 8, 8)
    with pytest.raises(LikenessError, match="cpu"):
        render_camera(gaussians, camera, backend="magic")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "likeness.engine.render.reference", raising=False)
    with pytest.raises(LikenessError, match="torch"):
        render_camera(gaussians, camera, backend="reference")


def test_reference_gradients_agree_with_finite_differences():
    torch = pytest.importorskip("torch")
    from likeness.engine.render.reference import rasterize_torch

    g = cloud(np.random.default_rng(9), 3, (0.1, 0.3), 0.3)
    g.opacities[:] = [0.3, 0.5, 0.6]
    viewmats, Ks, _, _ = cameras(1, focal=8.0, size=(6, 5))
    fixed = [torch.as_tensor(a, dtype=torch.float64) for a in (viewmats, Ks)]
    values = [
        torch.tensor(a, dtype=torch.float64, requires_grad=True)
        for a in (g.means, g.quats, g.scales, g.opacities, g.colors)
    ]

    def loss(*inputs):
        rgb, alpha, _ = rasterize_torch(
            *inputs, *fixed, 6, 5, torch.zeros(1, 3, dtype=torch.float64)
        )
        return (rgb.square().sum() + alpha.sum())[None]

    # Contributions that cross the alpha threshold would jump; this scene has none within 1e-7.
    assert torch.autograd.gradcheck(loss, values, eps=1e-7, atol=1e-4)


def test_samples_do_not_alias():
    """Specks far smaller than a pixel cover as much as many more samples show."""
    rng = np.random.default_rng(9)
    count = 6000
    means = np.column_stack([rng.uniform(-0.5, 0.5, (count, 2)), np.zeros(count)])
    gaussians = Gaussians(
        means,
        np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
        np.full((count, 3), 0.004),
        np.full(count, 0.8),
        rng.uniform(0.0, 1.0, (count, 3)),
    )
    camera = photo_camera(60.0, 32, 32)
    views = (camera.viewmat[None].copy(), camera.K[None])
    views[0][0, 2, 3] += 1.5

    def draw(samples: int) -> FloatArray:
        return rasterize(gaussians, *views, 32, 32, samples=samples).rgb[0]

    truth = draw(12)
    error = {k: float(np.sqrt(((draw(k) - truth) ** 2).mean())) for k in (1, 2, 3)}
    assert error[2] < 0.3 * error[1]
    assert error[3] < 0.7 * error[2]


def test_painting_other_colours_is_drawing_them() -> None:
    rng = np.random.default_rng(4)
    camera = photo_camera(40.0, 37, 29)
    gaussians = cloud(rng, 60)
    gaussians = replace(gaussians, means=gaussians.means - np.float32([0, 0, 3]))
    paint = paint_camera(gaussians, camera)
    for colors in rng.uniform(0, 1, (2, 60, 3)).astype(np.float32):
        drawn = render_camera(replace(gaussians, colors=colors), camera).rgb
        assert drawn.max() > 0.1
        np.testing.assert_allclose(paint(colors), drawn, atol=2e-6)
