"""What refining compares with: the photo at its size, and the photo carried to other cameras."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from likeness.engine.core.cameras import camera_position, orbit, photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_quaternion
from likeness.engine.core.types import Camera, Gaussians, Matte
from likeness.engine.gaussians.refine.targets import (
    PhotoSurface,
    RefineView,
    head_box,
    make_photo_target,
)
from likeness.engine.render import render_camera

FAR = 1.0  # metres to the sheets, where a pixel is 4.5 mm wide
CAMERA = photo_camera(220.0, 88, 72)
FIELDS = ("means", "quats", "scales", "opacities", "colors")
GREY = (0.5, 0.5, 0.5)
RED, BLUE, GREEN = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9), (0.1, 0.8, 0.1)

Ground = tuple[np.ndarray, np.ndarray]  # a plane's middle, and its axes as columns


def ground(middle: tuple[float, float, float], tilt: float = 0.0) -> Ground:
    """A plane that faces the photo's camera, turned about the upright by degrees."""
    return np.array(middle), axis_angle_to_matrix(np.array([0, np.radians(tilt), 0]))


def sheet(plane: Ground, half: tuple[float, float], color: tuple[float, ...] = GREY) -> Gaussians:
    """Opaque splats finer than pixels on a part of a plane."""
    step = 0.003
    x, y = (np.arange(-h + step / 2, h, step) for h in half)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    middle, R = plane
    count = len(grid)
    return Gaussians(
        (middle + grid @ R[:, :2].T).astype(np.float32),
        np.tile(matrix_to_quaternion(R), (count, 1)).astype(np.float32),
        np.tile([0.9 * step, 0.9 * step, 0.06 * step], (count, 1)).astype(np.float32),
        np.full(count, 0.98, np.float32),
        np.tile(color, (count, 1)).astype(np.float32),
    )


def together(*parts: Gaussians) -> Gaussians:
    return Gaussians(*(np.concatenate([getattr(p, n) for p in parts]) for n in FIELDS))


def on_plane(camera: Camera, plane: Ground) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel's ray meets a plane: world [H, W, 3] and in the plane [H, W, 2]."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = (
        np.stack(
            [
                (x - camera.K[0, 2]) / camera.K[0, 0],
                (y - camera.K[1, 2]) / camera.K[1, 1],
                np.ones_like(x),
            ],
            -1,
        )
        @ camera.viewmat[:3, :3]
    )
    (middle, R), eye = plane, camera_position(camera)
    normal = R[:, 2]
    points = eye + ((middle - eye) @ normal / (rays @ normal))[..., None] * rays
    return points, (points - middle) @ R[:, :2]


def texture(at: np.ndarray) -> np.ndarray:
    """Soft waves: [..., 2] metres to [..., 3]."""
    x, y = 2 * np.pi / 0.09 * at[..., 0], 2 * np.pi / 0.11 * at[..., 1]
    return 0.5 + 0.3 * np.stack([np.sin(x), np.cos(y), np.sin(x + y)], -1)


def photo_of(plane: Ground, picture: Callable[[np.ndarray], np.ndarray]) -> RefineView:
    """A photo of a plane that fills it."""
    _, at = on_plane(CAMERA, plane)
    matte = Matte(np.ones((CAMERA.height, CAMERA.width), np.float32), picture(at))
    return make_photo_target(matte, CAMERA, 512)


def straight(target: RefineView) -> np.ndarray:
    return target.light / np.maximum(target.alpha, 1e-6)[..., None]


def shown_in_photo(points: np.ndarray, margin: float = 0.0) -> np.ndarray:
    xy, _ = project(points, CAMERA)
    size = np.array([CAMERA.width, CAMERA.height])
    return ((xy > margin) & (xy < size - margin)).all(-1)


# The photo -----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [36, 60, 72, 500])
def test_size_camera_and_colours_of_the_whole_photo(side: int) -> None:
    rng = np.random.default_rng(0)
    camera = photo_camera(90.0, 72, 48)
    alpha = np.zeros((48, 72), np.float32)
    alpha[10:40, 20:60] = 1.0
    colors = np.where(alpha[..., None] > 0, np.array(GREEN), rng.uniform(size=(48, 72, 3)))
    target = make_photo_target(Matte(alpha, colors.astype(np.float32)), camera, side)
    scale = min(1.0, side / 72)
    size = (round(48 * scale), round(72 * scale))
    assert target.alpha.shape == target.color_weight.shape == target.light.shape[:2] == size
    assert (target.camera.height, target.camera.width) == size
    point = np.array([0.1, -0.2, -1.5])
    np.testing.assert_allclose(
        project(point, target.camera)[0], project(point, camera)[0] * scale, rtol=1e-9
    )
    # Straight colours that nothing belongs to, noise here, do not come into the light.
    light = target.alpha[..., None] * np.array(GREEN)
    np.testing.assert_allclose(target.light, light, atol=0.03)
    assert target.alpha.sum() == pytest.approx(alpha.sum() * scale**2, rel=0.02)
    # Colours count fully within, and less where they are mixed with the background.
    edge = int(10 * scale)
    middle = target.color_weight[int(20 * scale) : int(30 * scale), size[1] // 2]
    assert (middle == 1.0).all()
    assert target.color_weight[max(edge - 1, 0), size[1] // 2] < 0.9


def test_a_part_of_the_photo_is_the_same_picture_from_nearer() -> None:
    rng = np.random.default_rng(1)
    matte = Matte(
        rng.uniform(size=(48, 72)).astype(np.float32),
        rng.uniform(size=(48, 72, 3)).astype(np.float32),
    )
    camera = photo_camera(90.0, 72, 48)
    part = make_photo_target(matte, camera, 500, np.array([11, 5, 61, 45]))
    assert part.alpha.shape == (40, 50)
    np.testing.assert_allclose(part.alpha, matte.alpha[5:45, 11:61], atol=1e-6)
    light = (matte.foreground * matte.alpha[..., None])[5:45, 11:61]
    np.testing.assert_allclose(part.light, light, atol=1e-6)
    point = np.array([-0.1, 0.15, -2.5])
    np.testing.assert_allclose(project(point, part.camera)[0], project(point, camera)[0] - [11, 5])
    small = make_photo_target(matte, camera, 25, np.array([11, 5, 61, 45]))
    assert small.alpha.shape == (20, 25)
    np.testing.assert_allclose(
        project(point, small.camera)[0], (project(point, camera)[0] - [11, 5]) / 2
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_heads_box_lies_in_the_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.normal([*rng.normal(scale=0.3, size=2), -2], 0.15, (60, 3))
    head = np.arange(60) < 40
    tight = head_box(vertices, head, CAMERA, 0.0)
    wide = head_box(vertices, head, CAMERA, 0.4)
    for left, top, right, bottom in (tight, wide):
        assert 0 <= left <= right <= CAMERA.width
        assert 0 <= top <= bottom <= CAMERA.height
    assert (wide[:2] <= tight[:2]).all()
    assert (wide[2:] >= tight[2:]).all()
    xy, _ = project(vertices[head], CAMERA)
    inside = xy[((xy > 0) & (xy < [CAMERA.width, CAMERA.height])).all(1)]
    assert (inside >= tight[:2] - 0.5).all()
    assert (inside <= tight[2:] + 0.5).all()


def test_a_head_beyond_the_picture_has_an_empty_box() -> None:
    vertices = np.random.default_rng(0).normal([5, 0, -2], 0.1, (20, 3))
    left, top, right, bottom = head_box(vertices, np.ones(20, bool), CAMERA, 0.35)
    assert right - left == 0
    assert 0 <= top <= bottom <= CAMERA.height


# From beside ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("tilt", "yaw"), [(0, 12), (0, -12), (20, 12), (-15, 30), (15, 0)])
def test_a_flat_photo_is_turned_as_geometry_says(tilt: float, yaw: float) -> None:
    plane = ground((0, 0, -FAR), tilt)
    surface = PhotoSurface(photo_of(plane, texture), sheet(plane, (0.4, 0.24)))
    camera = orbit(CAMERA, np.array([0.01, 0, -FAR]), yaw)
    target = surface.target(camera, True)
    carried = target.color_weight == 1.0
    points, at = on_plane(camera, plane)
    within = shown_in_photo(points, 3.0)
    assert carried[within].mean() > 0.97
    assert not carried[~shown_in_photo(points, -1.0)].any()
    off = np.abs(straight(target) - texture(at))[carried]
    assert off.max() < 0.035, "of waves of 0.3"
    assert off.mean() < 0.008


def test_what_the_photo_does_not_show_is_held_to_the_lift() -> None:
    plane = ground((0, 0, -FAR))
    lifted = sheet(plane, (0.4, 0.24), BLUE)
    surface = PhotoSurface(photo_of(plane, texture), lifted)
    camera = orbit(CAMERA, np.array([0, 0, -FAR]), 30.0)
    drawn = render_camera(lifted, camera)
    target = surface.target(camera, True)
    outside = ~shown_in_photo(on_plane(camera, plane)[0], -1.0)
    assert outside.sum() > 100
    np.testing.assert_array_equal(target.light[outside], drawn.rgb[outside])
    assert (target.color_weight[outside] < 1.0).all()
    np.testing.assert_array_equal(target.alpha, drawn.alpha)
    held = surface.target(camera, False)
    np.testing.assert_array_equal(held.light, drawn.rgb)
    assert (held.color_weight < 1.0).all()


def card_before_a_wall() -> tuple[Ground, Ground, Gaussians, PhotoSurface]:
    """A card a hand before a wall: red in the photo, the wall blue; both grey in the lift."""
    wall, card = ground((0, 0, -FAR - 0.12)), ground((0, 0, -FAR))
    lifted = together(sheet(wall, (0.4, 0.3)), sheet(card, (0.06, 0.06)))
    _, at = on_plane(CAMERA, card)
    on_card = (np.abs(at) < 0.06).all(-1)[..., None]
    matte = Matte(np.ones(on_card.shape[:2], np.float32), np.where(on_card, RED, BLUE))
    return wall, card, lifted, PhotoSurface(make_photo_target(matte, CAMERA, 512), lifted)


@pytest.mark.parametrize("yaw", [20.0, -30.0])
def test_nothing_is_drawn_across_a_jump_in_depth(yaw: float) -> None:
    wall, card, lifted, surface = card_before_a_wall()
    camera = orbit(CAMERA, np.array([0, 0, -FAR]), yaw)
    target, drawn = surface.target(camera, True), render_camera(lifted, camera)
    before = (np.abs(on_plane(camera, card)[1]) < 0.06).all(-1)
    on_wall, _ = on_plane(camera, wall)
    # In the photo, the wall's points that the camera now sees may lie behind the card.
    x, y = (project(on_wall, CAMERA)[0] - CAMERA.K[:2, 2]).T * FAR / CAMERA.K[0, 0]
    behind = ~before & (np.abs(x.T) < 0.06) & (np.abs(y.T) < 0.06)
    assert behind.sum() > 60
    assert (target.color_weight[behind] < 1.0).all()
    np.testing.assert_array_equal(target.light[behind], drawn.rgb[behind])
    carried = target.color_weight == 1.0
    for place, color in ((before, RED), (~before, BLUE)):
        assert (carried & place).sum() > 300
        off = np.abs(straight(target) - color).max(-1)
        assert off[carried & place].max() < 0.15, "never a mixture"


def test_what_stands_before_it_from_beside_is_not_painted_over() -> None:
    """A post outside the photo, that hides a part of the photo's wall from the side."""
    plane = ground((0, 0, -FAR))
    post = sheet(ground((0.27, 0, -0.57)), (0.03, 0.2), GREEN)
    lifted = together(sheet(plane, (0.4, 0.24)), post)
    assert not shown_in_photo(post.means.astype(np.float64)).any()
    surface = PhotoSurface(photo_of(plane, texture), lifted)
    camera = orbit(CAMERA, np.array([0, 0, -FAR]), 30.0)
    target, drawn = surface.target(camera, True), render_camera(lifted, camera)
    painted = (np.abs(drawn.rgb - GREEN) < 0.05).all(-1)
    hidden = painted & shown_in_photo(on_plane(camera, plane)[0], 2.0)
    assert hidden.sum() > 60
    assert (target.color_weight[hidden] < 1.0).all()
    np.testing.assert_array_equal(target.light[hidden], drawn.rgb[hidden])


@pytest.mark.parametrize("case", ["no matte", "one pixel", "no splat"])
def test_a_photo_that_shows_nothing_is_carried_nowhere(case: str) -> None:
    plane = ground((0, 0, -FAR))
    lifted = sheet(plane, (0.1, 0.1))
    alpha = np.zeros((CAMERA.height, CAMERA.width), np.float32)
    if case == "one pixel":
        alpha[36, 44] = 1.0
    elif case == "no splat":
        alpha[:] = 1.0
        lifted = Gaussians(*(getattr(lifted, name)[:0] for name in FIELDS))
    photo = make_photo_target(
        Matte(alpha, np.full((*alpha.shape, 3), 0.3, np.float32)), CAMERA, 512
    )
    target = PhotoSurface(photo, lifted).target(orbit(CAMERA, plane[0], 12.0), True)
    assert (target.color_weight < 1.0).all()
    assert np.isfinite(target.light).all()
