"""Twenty random scenes, from plain to awkward, to compare the rasterisers with each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...engine.body import Body
from ...engine.body.synthetic import make_bare_body
from ...engine.core.cameras import look_at, photo_camera
from ...engine.core.types import (
    LAYERS,
    NUM_JOINTS,
    PARTS,
    Avatar,
    BoundGaussians,
    FloatArray,
    Gaussians,
    Pose,
)


class SplatScene(NamedTuple):
    """The inputs of ``rasterize``, and derivatives of an imaginary loss by its outputs.

    Attributes:
        gaussians: N, float32; quaternions are of any length.
        viewmats: [C, 4, 4].
        Ks: [C, 3, 3].
        width: pixels.
        height: pixels.
        background: [C, channels].
    """

    name: str
    gaussians: Gaussians
    viewmats: FloatArray
    Ks: FloatArray
    width: int
    height: int
    background: FloatArray

    @property
    def arguments(self) -> tuple[Gaussians, FloatArray, FloatArray, int, int, FloatArray]:
        """The inputs in the order of ``rasterize``."""
        return self[1:]

    def upstream(self) -> dict[str, FloatArray]:
        """Random derivatives by ``rgb``, ``alpha`` and ``depth``, float32, always the same."""
        rng = np.random.default_rng(77)
        size = (len(self.viewmats), self.height, self.width)
        channels = self.gaussians.colors.shape[1]
        return {
            name: rng.normal(size=shape).astype(np.float32)
            for name, shape in (("rgb", (*size, channels)), ("alpha", size), ("depth", size))
        }


def random_cloud(
    rng: np.random.Generator,
    count: int,
    scales: tuple[float, float] = (0.005, 0.2),
    spread: float = 0.8,
    channels: int = 3,
    opacities: tuple[float, float] = (0.0, 1.0),
) -> Gaussians:
    """Random float32 Gaussians around the origin, log-uniform in scale, in metres."""
    return Gaussians(
        rng.normal(scale=spread, size=(count, 3)).astype(np.float32),
        rng.normal(size=(count, 4)).astype(np.float32),
        np.exp(rng.uniform(np.log(scales[0]), np.log(scales[1]), (count, 3))).astype(np.float32),
        rng.uniform(*opacities, count).astype(np.float32),
        rng.uniform(0, 1, (count, channels)).astype(np.float32),
    )


def person_sized_cloud(count: int, seed: int = 0) -> Gaussians:
    """Flat Gaussians on an ellipsoid of a person's size, 2.5 m in front of the photo's camera."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    quats = rng.normal(size=(count, 4))
    spacing = np.sqrt(3.0 / count)  # about 3 square metres of surface
    scales = rng.uniform(0.5, 1.0, (count, 3)) * [spacing, spacing, spacing / 10]
    arrays = (
        normals * [0.3, 0.85, 0.2] + [0.0, 0.0, -2.5],
        quats / np.linalg.norm(quats, axis=1, keepdims=True),
        scales,
        rng.uniform(0.6, 1.0, count),
        rng.uniform(0, 1, (count, 3)),
    )
    return Gaussians(*(a.astype(np.float32) for a in arrays))


def cover_body(body: Body, count: int, seed: int = 0) -> Avatar:
    """A body in its T-pose, 3 m in front of the camera, with ``count`` random Gaussians on it."""
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    gaussians = BoundGaussians(
        triangle=rng.integers(0, len(body.f), count).astype(np.int32),
        bary=rng.dirichlet((1, 1, 1), count).astype(np.float32),
        offset=rng.normal(0, 0.01, (count, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales=np.full((count, 3), (0.003, 0.003, 0.0003), np.float32),
        opacities=np.full(count, 0.9, np.float32),
        colors=rng.uniform(0, 1, (count, 3)).astype(np.float32),
        layer=np.zeros(count, np.uint8),
    )
    pose = Pose(np.zeros((NUM_JOINTS, 3)), np.array([0, 0, -3.0]), np.zeros(body.num_expression))
    return Avatar(body, gaussians, pose, photo_camera(800, 512, 768), "full")


def cover_ball(color: tuple[float, float, float], count: int, radius: float = 0.25) -> Avatar:
    """Flat splats of one sRGB colour all over a ball, 2 m before the camera.

    Lambert's law gives what any light makes of it: its normals are known everywhere.
    """
    rows, columns = 24, 48
    theta, phi = np.pi * np.arange(rows + 1) / rows, 2 * np.pi * np.arange(columns) / columns
    ring = np.sin(theta)[:, None] * radius
    height = np.broadcast_to(np.cos(theta)[:, None] * radius, (rows + 1, columns))
    grid = np.stack([ring * np.sin(phi), height, ring * np.cos(phi)], -1).reshape(-1, 3)
    r, c = (x.ravel() for x in np.mgrid[:rows, :columns])
    a, b = r * columns + c, r * columns + (c + 1) % columns
    f = np.concatenate(
        [np.stack([a, a + columns, b], -1), np.stack([b, a + columns, b + columns], -1)]
    )
    f = np.where(f < columns, 0, np.where(f >= rows * columns, rows * columns, f))  # the poles
    corners = grid[f]
    sides = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.linalg.norm(np.cross(*sides), axis=1)
    f, area = f[area > 1e-9], area[area > 1e-9]
    weights = np.zeros((len(grid), NUM_JOINTS), np.float32)
    weights[:, 0] = 1.0
    body = make_bare_body(grid.astype(np.float32), f.astype(np.int32), weights)
    rng = np.random.default_rng(0)
    size = 1.2 * np.sqrt(4 * np.pi * radius**2 / count)
    gaussians = BoundGaussians(
        triangle=rng.choice(len(f), count, p=area / area.sum()).astype(np.int32),
        bary=rng.dirichlet((1, 1, 1), count).astype(np.float32),
        offset=np.zeros((count, 3), np.float32),
        quats=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        scales=np.tile(np.float32([size, size, 0.02 * size]), (count, 1)),
        opacities=np.full(count, 0.97, np.float32),
        colors=np.tile(np.float32(color), (count, 1)),
        layer=np.full(count, LAYERS.index("photo"), np.uint8),
        part=np.full(count, PARTS.index("skin"), np.uint8),
    )
    pose = Pose(np.zeros((NUM_JOINTS, 3)), np.array([0, 0, -2.0]), np.zeros(0))
    return Avatar(body, gaussians, pose, photo_camera(400.0, 128, 128), "full")


def make_scenes() -> list[SplatScene]:
    """The twenty scenes, each from a seed of its own: the same on every computer."""
    return [make(np.random.default_rng(seed)) for seed, make in enumerate(_SCENES)]


def _scene(
    name: str,
    rng: np.random.Generator,
    gaussians: Gaussians,
    cameras: int = 1,
    size: tuple[int, int] = (60, 45),
    distance: float = 3.0,
    focal: float = 70.0,
) -> SplatScene:
    """``cameras`` around the origin, each with a background of its own."""
    first = rng.uniform(0, 360)
    views = [
        look_at(np.zeros(3), distance, first + 80.0 * k, 25.0 * k - 30) for k in range(cameras)
    ]
    Ks = np.stack([photo_camera(focal, *size).K] * cameras)
    background = rng.uniform(0, 1, (cameras, gaussians.colors.shape[1])).astype(np.float32)
    return SplatScene(name, gaussians, np.stack(views), Ks, *size, background)


def _plain(rng: np.random.Generator) -> SplatScene:
    return _scene("one camera", rng, random_cloud(rng, 400))


def _three(rng: np.random.Generator) -> SplatScene:
    return _scene("three cameras", rng, random_cloud(rng, 300), cameras=3)


def _sixty_four(rng: np.random.Generator) -> SplatScene:
    return _scene("64 channels", rng, random_cloud(rng, 200, channels=64), cameras=2, size=(40, 30))


def _sixteen(rng: np.random.Generator) -> SplatScene:
    return _scene("16 channels", rng, random_cloud(rng, 200, channels=16), size=(49, 31))


def _five(rng: np.random.Generator) -> SplatScene:
    return _scene("5 channels, odd size", rng, random_cloud(rng, 200, channels=5), 2, size=(67, 33))


def _within(rng: np.random.Generator) -> SplatScene:
    gaussians = random_cloud(rng, 300, (0.01, 0.2), 1.0)
    return _scene("half behind the camera", rng, gaussians, cameras=2, distance=0.5)


def _behind(rng: np.random.Generator) -> SplatScene:
    return _scene("all behind the camera", rng, random_cloud(rng, 100, spread=0.3), distance=-3.0)


def _near(rng: np.random.Generator) -> SplatScene:
    gaussians = random_cloud(rng, 150, (1e-4, 3e-3), 0.006)
    return _scene("at the near plane", rng, gaussians, distance=0.02)


def _huge(rng: np.random.Generator) -> SplatScene:
    return _scene("huge", rng, random_cloud(rng, 200, (0.5, 5.0), 0.5), cameras=2)


def _giants(rng: np.random.Generator) -> SplatScene:
    gaussians = random_cloud(rng, 12, (10.0, 1000.0), 0.5, opacities=(0.1, 0.5))
    return _scene("a kilometre wide", rng, gaussians)


def _tiny(rng: np.random.Generator) -> SplatScene:
    return _scene("tiny", rng, random_cloud(rng, 400, (1e-6, 1e-3), 0.5), cameras=2)


def _needles(rng: np.random.Generator) -> SplatScene:
    return _scene("needles and sheets", rng, random_cloud(rng, 300, (1e-4, 2.0), 0.5), cameras=2)


def _discs(rng: np.random.Generator) -> SplatScene:
    gaussians = random_cloud(rng, 300)
    gaussians.scales[:, 2] = 0
    gaussians.scales[:20] = 0
    return _scene("flat discs and points", rng, gaussians)


def _empty(rng: np.random.Generator) -> SplatScene:
    return _scene("empty", rng, random_cloud(rng, 0), cameras=2)


def _one_pixel(rng: np.random.Generator) -> SplatScene:
    return _scene("one pixel", rng, random_cloud(rng, 300, spread=0.3), size=(1, 1), focal=2.0)


def _one_gaussian(rng: np.random.Generator) -> SplatScene:
    return _scene("one Gaussian", rng, random_cloud(rng, 1, (0.2, 0.5), 0.1, opacities=(0.7, 0.9)))


def _stack(rng: np.random.Generator) -> SplatScene:
    gaussians = random_cloud(rng, 600, (0.1, 0.4), 0.3, opacities=(0.8, 1.0))
    return _scene("opaque stack", rng, gaussians)


def _veils(rng: np.random.Generator) -> SplatScene:
    return _scene("nearly transparent", rng, random_cloud(rng, 400, opacities=(0.0, 0.05)))


def _off_screen(rng: np.random.Generator) -> SplatScene:
    return _scene("mostly off screen", rng, random_cloud(rng, 300, (0.05, 0.5), 4.0), size=(7, 97))


def _person(rng: np.random.Generator) -> SplatScene:
    Ks = np.array([[[120.0, 0, 33.3], [0, 112.0, 56.7], [0, 0, 1]]])
    return SplatScene(
        "person, lens off centre",
        person_sized_cloud(1500),
        photo_camera(1.0, 1, 1).viewmat[None],
        Ks,
        64,
        96,
        rng.uniform(0, 1, (1, 3)).astype(np.float32),
    )


_SCENES = (
    _plain,
    _three,
    _sixty_four,
    _sixteen,
    _five,
    _within,
    _behind,
    _near,
    _huge,
    _giants,
    _tiny,
    _needles,
    _discs,
    _empty,
    _one_pixel,
    _one_gaussian,
    _stack,
    _veils,
    _off_screen,
    _person,
)
