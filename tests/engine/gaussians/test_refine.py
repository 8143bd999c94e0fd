"""Refining as a whole, on splats whose truth is known: a poster held before a body's chest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numba
import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import orbit, photo_camera, project
from likeness.engine.core.types import (
    JOINT_INDEX,
    LAYERS,
    BoundGaussians,
    Camera,
    Gaussians,
    Matte,
    Pose,
)
from likeness.engine.gaussians import bind_gaussians, place_gaussians
from likeness.engine.gaussians.lift.label_photo import clean_rim
from likeness.engine.gaussians.refine.parameters import ParameterRange
from likeness.engine.gaussians.refine.refine_gaussians import (
    REFINE_LEVELS,
    RefineOptions,
    RefinePhoto,
    refine_gaussians,
)
from likeness.engine.render import RenderOutput, render_camera
from likeness.engine.visual.metrics import psnr
from scipy import ndimage

from tests.soaked import if_asked

CAMERA = photo_camera(190.0, 72, 64)
MIDDLE = np.array([0.0, 0.25, 0.2])  # of the poster, on a body that stands upright
HALF = np.array([0.25, 0.2])  # its size: 47 by 38 pixels at two metres
SHORT = RefineOptions(steps=24)
FIELDS = tuple(BoundGaussians.__dataclass_fields__)
FLAT = np.array([1.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True)
class Scene:
    """The true splats, the lift's (the same ones in wrong colours), and a body in its pose."""

    body: Body
    truth: BoundGaussians
    lift: BoundGaussians
    pose: Pose
    camera: Camera = CAMERA

    @property
    def vertices(self) -> np.ndarray:
        return self.body.vertices(self.pose)[0]

    def draw(
        self, bound: BoundGaussians, camera: Camera | None = None, shade: float = 0.0
    ) -> RenderOutput:
        world = place_gaussians(bound, self.vertices, self.body)
        return render_camera(world, camera or self.camera, np.full(3, shade))

    def photo(self) -> RefinePhoto:
        """The truth as its own matte, with straight colours continued beyond it."""
        drawn = self.draw(self.truth)
        known = drawn.alpha > 0.02
        straight = drawn.rgb / np.maximum(drawn.alpha, 0.02)[..., None]
        rows, columns = ndimage.distance_transform_edt(~known, return_indices=True)[1]
        colors = straight[rows, columns].astype(np.float32)
        return RefinePhoto(Matte(drawn.alpha, colors), self.camera, self.vertices)

    def beside(self, yaw: float) -> Camera:
        centre = place_gaussians(self.truth, self.vertices, self.body).means.mean(0)
        return orbit(self.camera, centre.astype(np.float64), yaw)

    def error(self, bound: BoundGaussians, camera: Camera | None = None) -> float:
        """Root of the mean squared difference from the truth's picture on black and on white."""
        squares = [
            np.mean(
                (self.draw(bound, camera, shade).rgb - self.draw(self.truth, camera, shade).rgb)
                ** 2
            )
            for shade in (0.0, 1.0)
        ]
        return float(np.sqrt(np.mean(squares)))


def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wave = 2 * np.pi / 0.16
    return 0.5 + 0.28 * np.stack([np.sin(wave * x), np.cos(wave * y), np.sin(wave * (x - y))], -1)


def bound_at(body: Body, points: np.ndarray, step: float, colors: np.ndarray) -> BoundGaussians:
    """Flat splats that face forwards, held by a triangle of the chest of a body at rest."""
    count = len(points)
    chest = int(np.flatnonzero((body.weights[:, JOINT_INDEX["spine3"]] > 0.9)[body.f].all(1))[0])
    gaussians = Gaussians(
        points,
        np.tile(FLAT, (count, 1)),
        np.tile([0.6 * step, 0.6 * step, 0.06 * step], (count, 1)),
        np.full(count, 0.9),
        colors,
    )
    rest, _ = body.vertices(Pose.rest(body.num_expression))
    return bind_gaussians(
        gaussians,
        np.full(count, chest),
        np.full((count, 3), 1 / 3),
        np.full(count, LAYERS.index("photo")),
        rest,
        body,
    )


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Pictures so small are drawn by one thread at once; several wait on each other, and on a
    busy machine for long."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A poster of 25 x 20 splats, and a smaller one 15 cm behind that nothing shows."""
    body = make_synthetic_body().personalised(np.zeros(4))
    step = 0.02
    x, y = (np.arange(-h + step / 2, h, step) for h in HALF)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    points = MIDDLE + np.concatenate([grid, np.zeros((len(grid), 1))], 1)
    colors = pattern(*grid.T)
    hidden = (np.abs(grid) < 0.1).all(1)
    points = np.concatenate([points, points[hidden] - [0, 0, 0.15]])
    true = np.concatenate([colors, np.full((hidden.sum(), 3), 0.5)])
    # The lift has them too soft and a little beside.
    soft = ndimage.gaussian_filter(colors.reshape(len(y), len(x), 3), (1.2, 1.2, 0))
    wrong = true.copy()
    wrong[: len(grid)] = np.roll(soft, 1, 1).reshape(-1, 3)
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, -0.25, -2.2]))
    truth, lift = (bound_at(body, points, step, c) for c in (true, wrong))
    return Scene(body, truth, lift, pose)


@pytest.fixture(scope="module")
def refined(scene: Scene) -> BoundGaussians:
    return refine_gaussians(scene.lift, [scene.photo()], scene.body, SHORT)


def decibels(error: float) -> float:
    return float(-20 * np.log10(max(error, 1e-9)))


def same(a: BoundGaussians, b: BoundGaussians, rows: np.ndarray | slice = slice(None)) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name)[rows], getattr(b, name)[rows], err_msg=name)


def sound(bound: BoundGaussians) -> None:
    """What every avatar keeps to."""
    for name in FIELDS:
        assert np.isfinite(getattr(bound, name)).all(), name
        assert getattr(bound, name).dtype in (np.float32, np.int32, np.uint8), name
    assert ((bound.colors >= 0) & (bound.colors <= 1)).all()
    assert ((bound.opacities > 0) & (bound.opacities < 1)).all()
    assert (bound.scales > 0).all()
    assert (bound.scales[:, 2] <= 0.1 * bound.scales[:, :2].min(1) * (1 + 1e-5)).all()


# What it is for -------------------------------------------------------------------------------


def test_the_photos_view_gets_better(scene: Scene, refined: BoundGaussians) -> None:
    assert decibels(scene.error(refined)) > decibels(scene.error(scene.lift)) + 4
    sound(refined)
    moved = np.abs(refined.colors - scene.lift.colors)
    assert moved.max() > 1.5 * ParameterRange().rim_color, "within the person, colours are free"
    for name in ("triangle", "bary", "quats", "layer"):
        np.testing.assert_array_equal(getattr(refined, name), getattr(scene.lift, name))


@pytest.mark.parametrize("yaw", [15.0, -15.0, 30.0, -30.0, 50.0])
def test_from_beside_it_is_not_worse(scene: Scene, refined: BoundGaussians, yaw: float) -> None:
    camera = scene.beside(yaw)
    before, after = scene.error(scene.lift, camera), scene.error(refined, camera)
    assert decibels(after) > decibels(before) - (0.0 if abs(yaw) < 40 else 0.1)


def test_what_no_photo_shows_stays_bit_for_bit(scene: Scene, refined: BoundGaussians) -> None:
    hidden = np.arange(len(scene.lift)) >= 500
    assert hidden.sum() == 100
    same(refined, scene.lift, hidden)
    assert (refined.colors[~hidden] != scene.lift.colors[~hidden]).any(1).mean() > 0.9


@pytest.mark.parametrize("glove", [False, True])
def test_unseen_bare_hands_take_the_faces_colour(scene: Scene, glove: bool) -> None:
    """And only its colour. Here the poster is held by a face, what is hidden by a hand."""
    body, count = scene.body, len(scene.lift)
    assert body.landmarks is not None
    fingers = np.flatnonzero((body.weights[:, 25:].sum(1) > 0.99)[body.f].all(1))
    hand = np.arange(count) >= 500
    rest, _ = body.vertices(Pose.rest(body.num_expression))
    color = np.where(glove, [0.0, 0.1, 1.0], [0.4, 0.55, 0.45])
    there = place_gaussians(scene.lift, rest, body)
    held = bind_gaussians(
        replace(there, colors=np.where(hand[:, None], color, there.colors)),
        np.where(hand, fingers[0], body.landmarks.face_triangle[0]),
        scene.lift.bary,
        np.zeros(count),
        rest,
        body,
    )
    found = refine_gaussians(held, [scene.photo()], body, SHORT)
    for name in FIELDS:
        if name != "colors" or glove:
            same_rows = getattr(found, name)[hand], getattr(held, name)[hand]
            np.testing.assert_array_equal(*same_rows, err_msg=name)
    face = held.colors[~hand].mean(0)
    if not glove:
        before, after = (np.linalg.norm(b.colors[hand].mean(0) - face) for b in (held, found))
        assert after < 0.9 * before


@pytest.mark.parametrize("name", ["half", *if_asked("head")])
def test_a_lifted_body_comes_closer_to_its_photo(shots, name: str) -> None:
    """The lift as it is made, by the level that is the default."""
    shot, options = shots[name], REFINE_LEVELS["fast"]
    assert options is not None
    lifted = shot.lift(5_000)
    photo = RefinePhoto(clean_rim(shot.matte), shot.track.camera, shot.vertices)
    found = refine_gaussians(lifted, [photo], shot.body, options)
    sound(found)
    alpha = shot.matte.alpha
    inner = ndimage.binary_erosion(alpha > 0.99, iterations=2)
    for part, gain in ((inner, 1.5), ((alpha > 0.02) & ~inner, 1.0)):
        before, after = (psnr(shot.draw(b).rgb, shot.truth(), part) for b in (lifted, found))
        assert after > before + gain


def test_off_fast_and_full_are_offered() -> None:
    assert list(REFINE_LEVELS) == ["off", "fast", "full"]
    assert REFINE_LEVELS["off"] is None
    assert REFINE_LEVELS["full"].steps > REFINE_LEVELS["fast"].steps


def test_without_cameras_beside_it_the_photo_is_fitted_alone(scene: Scene) -> None:
    found = refine_gaussians(scene.lift, [scene.photo()], scene.body, replace(SHORT, yaws=()))
    assert decibels(scene.error(found)) > decibels(scene.error(scene.lift)) + 4


def test_progress_ends_at_one(scene: Scene) -> None:
    told: list[float] = []
    refine_gaussians(
        scene.lift,
        [scene.photo()],
        scene.body,
        replace(SHORT, steps=5),
        progress=lambda stage, fraction, message: told.append(fraction),
    )
    assert len(told) == 5
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_no_step_is_no_change(scene: Scene) -> None:
    same(
        refine_gaussians(scene.lift, [scene.photo()], scene.body, replace(SHORT, steps=0)),
        scene.lift,
    )


# The same every time --------------------------------------------------------------------------


@pytest.mark.threads
def test_the_same_twice_and_with_any_number_of_threads(scene: Scene) -> None:
    brief = replace(SHORT, steps=6)
    results = []
    try:
        for threads in (1, 1, 2):
            numba.set_num_threads(threads)
            results.append(refine_gaussians(scene.lift, [scene.photo()], scene.body, brief))
    finally:
        numba.set_num_threads(1)
    for other in results[1:]:
        same(other, results[0])


def test_the_reference_rasteriser_leads_to_the_same(scene: Scene) -> None:
    """What stands for the GPU's: another implementation of the same pictures."""
    torch = pytest.importorskip("torch")
    means = place_gaussians(scene.lift, scene.vertices, scene.body).means
    few = (np.abs(means[:, :2]) < 0.1).all(1) & (np.arange(len(means)) < 500)
    scene = replace(
        scene, truth=scene.truth.take(few), lift=scene.lift.take(few), camera=CAMERA.resized(36, 32)
    )
    brief, photo = replace(SHORT, steps=6), scene.photo()
    ours = refine_gaussians(scene.lift, [photo], scene.body, brief)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        theirs = refine_gaussians(scene.lift, [photo], scene.body, brief, "reference")
    finally:
        torch.set_num_threads(threads)
    assert scene.error(ours) < 0.8 * scene.error(scene.lift)
    a, b = scene.draw(ours, scene.beside(20)).rgb, scene.draw(theirs, scene.beside(20)).rgb
    # Adam magnifies rounding where derivatives are next to nothing; less than 1 of 255 is left.
    np.testing.assert_allclose(b, a, atol=1 / 255)
    for name in ("colors", "opacities", "scales"):
        close = np.abs(getattr(theirs, name) - getattr(ours, name)) < 2e-3
        assert close.mean() > 0.99, name


# The rim --------------------------------------------------------------------------------------


def own_pixels(scene: Scene, image: np.ndarray) -> np.ndarray:
    """A map of the photo at each splat's own pixel; zero beyond the picture."""
    xy, _ = project(
        place_gaussians(scene.lift, scene.vertices, scene.body).means.astype(float), CAMERA
    )
    column, row = np.floor(xy).astype(int).T
    inside = (column >= 0) & (column < CAMERA.width) & (row >= 0) & (row < CAMERA.height)
    return np.where(inside, image[np.clip(row, 0, 63), np.clip(column, 0, 71)], 0)


def test_a_loud_background_hardly_colours_the_rim(scene: Scene) -> None:
    """Its colour in every soft pixel of the matte, as a bad estimate of the foreground has it."""
    quiet = scene.photo()
    alpha = quiet.matte.alpha
    loud = np.where((alpha < 0.9)[..., None], np.float32([1, 0, 1]), quiet.matte.foreground)
    photo = replace(quiet, matte=Matte(alpha, loud.astype(np.float32)))
    options = replace(SHORT, reach=ParameterRange(rim_color=0.03))
    found = refine_gaussians(scene.lift, [photo], scene.body, options)
    cross = ndimage.generate_binary_structure(2, 1)
    rim = own_pixels(scene, ndimage.minimum_filter(alpha, footprint=cross)) < 0.9
    assert rim[:500].sum() > 60
    moved = np.abs(found.colors - scene.lift.colors)
    assert moved[rim].max() < 0.03 + 1e-6
    # Behind a wholly transparent pixel, the colour is nothing at all.
    outside = np.where((alpha < 1e-3)[..., None], np.float32([1, 0, 1]), quiet.matte.foreground)
    photo = replace(quiet, matte=Matte(alpha, outside.astype(np.float32)))
    a, b = (refine_gaussians(scene.lift, [p], scene.body, options) for p in (photo, quiet))
    assert np.abs(a.colors - b.colors).max() < 5e-3


def test_a_hard_silhouette_does_not_leak(scene: Scene) -> None:
    """Splats of the lift stand out over the person's edge; the photo cuts them off."""
    cut = MIDDLE[0] + 0.13
    x, y = np.meshgrid(np.arange(72) + 0.5, np.arange(64) + 0.5)
    u = (x - 36) / 190 * 2.0
    v = -(y - 32) / 190 * 2.0
    # The poster's right side ends in the middle of a pixel's column.
    alpha = ((u > -0.25) & (u < cut) & (np.abs(v) < 0.2)).astype(np.float32)
    colors = pattern(u, v).astype(np.float32)
    photo = RefinePhoto(Matte(alpha, colors), CAMERA, scene.vertices)
    found = refine_gaussians(scene.lift, [photo], scene.body, SHORT)
    beyond = (u > cut + 0.01) & (u < cut + 0.05) & (np.abs(v) < 0.17)
    within = (u < cut - 0.03) & (u > -0.2) & (np.abs(v) < 0.17)
    for shade in (0.0, 1.0):
        truth = colors * alpha[..., None] + shade * (1 - alpha[..., None])
        before, after = (scene.draw(b, None, shade) for b in (scene.lift, found))
        for mask, least in ((beyond, 0.7), (within, 0.9)):
            off = [np.sqrt(np.mean((r.rgb - truth)[mask] ** 2)) for r in (before, after)]
            assert off[1] < least * off[0]
    assert after.alpha[within].min() > 0.8, "nothing shines through"


# Several photos -------------------------------------------------------------------------------


@pytest.mark.parametrize("bend", [0.0, 0.5])
def test_two_photos_both_get_better(scene: Scene, bend: float) -> None:
    """From beside, and with the person turned and stooping."""
    pose = scene.pose.with_joints(pelvis=[0.3 * bend, -bend, 0], spine2=[0.2 * bend, 0, 0])
    other = replace(scene, pose=pose, camera=scene.beside(0 if bend else 35))
    photos = [scene.photo(), other.photo()]
    found = refine_gaussians(scene.lift, photos, scene.body, SHORT)
    for view in (scene, other):
        assert decibels(view.error(found)) > decibels(view.error(scene.lift)) + 2.5
    sound(found)


def test_a_splat_that_only_the_second_photo_shows_is_refined(scene: Scene) -> None:
    """Beyond the first photo's picture."""
    left_part = np.array([[190.0, 0, 36], [0, 190, 32], [0, 0, 1]])
    narrow = Camera(CAMERA.viewmat, left_part, 40, 64)
    one = replace(scene, camera=narrow)
    alone = refine_gaussians(scene.lift, [one.photo()], scene.body, SHORT)
    both = refine_gaussians(scene.lift, [one.photo(), scene.photo()], scene.body, SHORT)
    xy, _ = project(
        place_gaussians(scene.lift, scene.vertices, scene.body).means.astype(float), narrow
    )
    beyond = (xy[:, 0] > 44) & (np.arange(len(xy)) < 500)
    assert beyond.sum() > 50
    same(alone, scene.lift, beyond)
    moved = np.abs(both.colors - scene.lift.colors)[beyond].max(1)
    assert (moved > 0.02).mean() > 0.5
    assert moved.max() > 1.5 * ParameterRange().rim_color


# Hardly anything there ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (17, 5)])
def test_a_photo_of_a_few_pixels(scene: Scene, size: tuple[int, int]) -> None:
    camera = CAMERA.resized(*size)
    small = replace(scene, camera=camera)
    sound(refine_gaussians(scene.lift, [small.photo()], scene.body, replace(SHORT, steps=6)))


def test_an_empty_matte(scene: Scene) -> None:
    nothing = np.zeros((64, 72), np.float32)
    photo = RefinePhoto(Matte(nothing, np.zeros((64, 72, 3), np.float32)), CAMERA, scene.vertices)
    sound(refine_gaussians(scene.lift, [photo], scene.body, replace(SHORT, steps=6)))


@pytest.mark.parametrize("move", [[0, 0, 5.0], [30.0, 0, 0]])
def test_nobody_in_sight(scene: Scene, move: list[float]) -> None:
    """Behind the camera, or far beside the picture: nothing is seen, so nothing changes."""
    away = replace(scene.pose, transl=np.array(move))
    photo = replace(scene.photo(), vertices=scene.body.vertices(away)[0])
    same(refine_gaussians(scene.lift, [photo], scene.body, replace(SHORT, steps=6)), scene.lift)


@pytest.mark.parametrize("middle", [31.5, 32.0, 32.5, 33.0])
def test_only_the_hem_of_some_splats_is_in_sight(scene: Scene, middle: float) -> None:
    """Hardly any in plain sight, and then none: there is no mean of what is typical of those."""
    K = np.array([[190.0, 0, middle], [0, 190, 16], [0, 0, 1]])
    edge = replace(scene, camera=Camera(CAMERA.viewmat, K, 8, 32))
    found = refine_gaussians(scene.lift, [edge.photo()], scene.body, replace(SHORT, steps=6))
    sound(found)
    assert (found.colors == scene.lift.colors).all(1).mean() > 0.9


def test_not_a_single_splat(scene: Scene) -> None:
    empty = scene.lift.take(slice(0, 0))
    found = refine_gaussians(empty, [scene.photo()], scene.body, replace(SHORT, steps=6))
    assert len(found) == 0
