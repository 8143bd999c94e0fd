"""Rendered people as photos: each error does what it says and nothing else; the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import LikenessError, Matte, Observation, Pose, Track
from likeness.engine.dataset.spaces import transform_camera, transform_pose
from likeness.engine.training import augment_body, photographs
from likeness.engine.training.augment import (
    AS_IN_USE,
    CLEAN,
    Augmentation,
    AugmentParams,
    ColorJitter,
    LensErrors,
    MatteErrors,
    add_clutter,
    add_sensor_noise,
    blur_image,
    degrade_matte,
    draw_params,
    make_rng,
)
from likeness.engine.training.config import read_config, with_settings
from likeness.engine.training.photographs import (
    InvalidReferenceError,
    Misfit,
    Photographs,
    align_body,
)

SIDE = 96


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """[H, W, 3] something with detail everywhere."""
    rng = np.random.default_rng(0)
    return np.kron(rng.uniform(0.2, 0.8, (12, 12, 3)), np.ones((8, 8, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def alpha() -> np.ndarray:
    """[H, W] a figure with a soft border."""
    ys, xs = np.indices((SIDE, SIDE)) + 0.5
    far = np.hypot((xs - 48) / 0.5, ys - 48)
    return np.clip(0.5 + (40 - far) / 4, 0.0, 1.0).astype(np.float32)


def numbers(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- what is drawn ---------------------------------------------------------------------------------


def test_the_same_is_drawn_for_the_same_view() -> None:
    names = [f"v{k}" for k in range(40)]
    first = [draw_params(AS_IN_USE, "a", name) for name in names]
    assert [draw_params(AS_IN_USE, "a", name) for name in names] == first
    assert len({repr(drawn) for drawn in first}) == 40
    assert [draw_params(replace(AS_IN_USE, seed=1), "a", name) for name in names] != first
    assert [draw_params(AS_IN_USE, "b", name) for name in names] != first


def test_nothing_is_drawn_at_strength_0() -> None:
    assert all(draw_params(CLEAN, "a", f"v{k}").clean for k in range(20))
    assert not any(draw_params(AS_IN_USE, "a", f"v{k}").clean for k in range(20))


def test_shares_are_met_and_nested() -> None:
    names = [f"v{k}" for k in range(600)]
    half = {n for n in names if draw_params(Augmentation(tracked=0.5), "a", n).tracked}
    tenth = {n for n in names if draw_params(Augmentation(tracked=0.1), "a", n).tracked}
    assert 0.42 < len(half) / 600 < 0.58
    assert tenth < half
    noisy = Augmentation(strength=1.0, tracked=0.5, pose_noise=1.0)
    for name in names[:40]:
        drawn = draw_params(noisy, "a", name)
        # A tracked one has our own matting's errors and the tracker's; the others ours.
        assert drawn.tracked == (drawn.noise == 0.0)
        assert not drawn.tracked or drawn.matte == MatteErrors()
        alone = draw_params(noisy, "a", name, movable=False)
        assert not alone.tracked
        assert alone.noise == 0.0
        assert (alone.look, alone.lens) == (drawn.look, drawn.lens)


@pytest.mark.parametrize("name", ["strength", "tracked", "pose_noise"])
def test_numbers_that_make_no_sense(name: str) -> None:
    for value in (-0.1, 9.0, float("nan")):
        with pytest.raises(LikenessError, match=rf"augment\.{name}"):
            Augmentation(**{name: value})
    with pytest.raises(LikenessError, match="seed"):
        Augmentation(seed=-1)


def test_settings_of_a_run() -> None:
    config = with_settings(read_config("tiny"), {"augment.strength": "1", "augment.tracked": "0.3"})
    assert config.augment == Augmentation(1.0, 0.3)
    with pytest.raises(LikenessError, match="tracked"):
        with_settings(config, {"augment.tracked": "1.5"})
    assert read_config("base").augment == AS_IN_USE
    assert read_config("tiny").augment == CLEAN


# -- the photo -------------------------------------------------------------------------------------


def test_a_look_is_one_function_of_the_colour(scene: np.ndarray) -> None:
    look = ColorJitter((1.2, 1.0, 0.8), 1.1, 0.9)
    shown = look(scene)
    order = numbers().permutation(SIDE * SIDE)
    shuffled = scene.reshape(-1, 3)[order]
    np.testing.assert_array_equal(look(shuffled), shown.reshape(-1, 3)[order])
    assert ColorJitter()(scene) is scene
    grey = ColorJitter(saturation=0.0)(scene)
    np.testing.assert_allclose(grey, grey[..., :1].repeat(3, -1), atol=1e-6)
    # Twice the light of a linear picture, of a colour that stays in range.
    np.testing.assert_allclose(
        ColorJitter((2.0, 2.0, 2.0))(np.full(3, 0.5)), 0.5 * 2 ** (1 / 2.2), 1e-5
    )


@pytest.mark.parametrize(
    "lens",
    [LensErrors(blur=0.01), LensErrors(streak=0.02, angle=30), LensErrors(reduced=0.5)],
    ids=lambda l: str(l),
)
def test_blur_takes_detail_and_keeps_the_mean(scene: np.ndarray, lens: LensErrors) -> None:
    out = blur_image(scene, lens)
    assert out.shape == scene.shape
    sharp, dull = (np.abs(np.diff(rgb, 2, axis=1)).mean() for rgb in (scene, out))
    assert dull < 0.8 * sharp
    np.testing.assert_allclose(out.mean((0, 1)), scene.mean((0, 1)), atol=0.006)
    flat = np.full((20, 20, 3), 0.4, np.float32)
    np.testing.assert_allclose(blur_image(flat, lens), flat, atol=1e-5)


def test_noise_and_jpeg(scene: np.ndarray) -> None:
    np.testing.assert_allclose(
        add_sensor_noise(scene, LensErrors(), numbers()), scene, atol=0.5 / 255 + 1e-6
    )
    noisy = add_sensor_noise(scene, LensErrors(read=0.02), numbers())
    assert (noisy - scene).std() == pytest.approx(0.02, rel=0.1)
    assert abs((noisy - scene).mean()) < 1e-3
    np.testing.assert_array_equal(noisy, add_sensor_noise(scene, LensErrors(read=0.02), numbers()))
    assert (noisy != add_sensor_noise(scene, LensErrors(read=0.02), numbers(1))).any()
    dark, light = np.full((40, 40, 3), 0.04), np.full((40, 40, 3), 0.64)
    shot = [add_sensor_noise(v, LensErrors(shot=0.05), numbers()).std() for v in (dark, light)]
    assert shot[1] == pytest.approx(4 * shot[0], rel=0.2)
    errors = [
        np.abs(add_sensor_noise(scene, LensErrors(jpeg=q), numbers()) - scene).mean()
        for q in (95, 30)
    ]
    assert errors[0] < errors[1] < 0.1


def test_things_stand_in_the_background(scene: np.ndarray) -> None:
    plain = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    out = add_clutter(plain, numbers())
    assert out.std() > 0.02
    np.testing.assert_array_equal(out, add_clutter(plain, numbers()))


# -- the matte -------------------------------------------------------------------------------------


def test_a_border_lies_farther_out_or_in(alpha: np.ndarray) -> None:
    out, inward = (degrade_matte(alpha, MatteErrors(shift=s), numbers()) for s in (0.03, -0.03))
    around = 0.03 * 80 * 194  # of the height, and the length of the border
    assert out.sum() - alpha.sum() == pytest.approx(around, rel=0.2)
    assert alpha.sum() - inward.sum() == pytest.approx(around, rel=0.2)
    for made in (out, inward, degrade_matte(alpha, MatteErrors(waves=0.02), numbers())):
        np.testing.assert_array_equal(made[40:56, 40:56], alpha[40:56, 40:56])
        assert made.min() >= 0.0
        assert made.max() <= 1.0
    soft = degrade_matte(alpha, MatteErrors(soft=0.02), numbers())
    half = (soft > 0.05) & (soft < 0.95)
    assert half.sum() > 1.3 * ((alpha > 0.05) & (alpha < 0.95)).sum()


def test_bits_that_are_lost_and_kept(alpha: np.ndarray) -> None:
    for errors in (MatteErrors(holes=2), MatteErrors(lost=2)):
        made = degrade_matte(alpha, errors, numbers())
        assert (made <= alpha + 1e-6).all()
        assert 0.002 < 1 - made.sum() / alpha.sum() < 0.2
    kept = degrade_matte(alpha, MatteErrors(kept=2), numbers(2))
    assert (kept >= alpha - 1e-6).all()
    assert 0.001 < kept.sum() / alpha.sum() - 1 < 0.2
    assert degrade_matte(alpha, MatteErrors(), numbers()) is alpha


def test_an_empty_and_a_full_picture() -> None:
    errors = MatteErrors(0.01, 0.01, 0.01, 2, 2, 2)
    assert not degrade_matte(np.zeros((20, 20), np.float32), errors, numbers()).any()
    np.testing.assert_allclose(degrade_matte(np.ones((20, 20), np.float32), errors, numbers()), 1.0)


def test_matte_errors_leave_the_photos_colours(
    box_body: Body, make_subject: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside, the person has the photo's colours; what is kept of the background has its own."""
    subject = make_subject(1, size=SIDE)  # type: ignore[operator]
    wrong = AugmentParams(matte=MatteErrors(shift=0.02, holes=1, kept=3))
    monkeypatch.setattr(photographs, "draw_params", lambda *_: wrong)
    maker = Photographs(box_body, Augmentation(1.0), False, None)
    made, rgba = maker.of(subject, 0).matte, subject.views[0].rgba()
    solid = made.alpha > 0.999
    true = rgba[..., 3] > 0.999
    assert (solid & true).sum() > 200
    same = np.isclose(made.foreground, rgba[..., :3], atol=1e-6).all(-1)
    assert same[solid & true].mean() > 0.995  # but for a few that are not quite solid
    random = photographs.make_pixel_rngs(0, subject.identity, subject.views[0].name)
    photo = photographs.make_photo(subject, 0, rgba, wrong, random).rgb
    beside = solid & (rgba[..., 3] == 0)
    assert beside.any()
    own = np.isclose(made.foreground[beside], photo[beside], atol=0.5 / 255 + 1e-6).all(-1)
    assert own.mean() > 0.98  # likewise


# -- the body --------------------------------------------------------------------------------------


def some_track(body: Body, away: float = 3.0) -> Track:
    """Somebody who stands before a photo's camera."""
    rng = np.random.default_rng(4)
    pose = Pose(
        rng.normal(0, 0.1, (55, 3)), np.array([0.1, 0.0, -away]), np.zeros(body.num_expression)
    )
    betas = rng.normal(0, 0.5, body.num_betas).astype(np.float32)
    return Track(betas, pose, photo_camera(150.0, SIDE, SIDE), "full", np.ones(55), 0.0, 0.0)


def test_an_aligned_body_projects_where_the_truth_does(box_body: Body) -> None:
    """A body that a tracker sees turned, elsewhere and at another size: an exact similarity."""
    truth = some_track(box_body)
    own = box_body.personalised(truth.betas)
    turn = axis_angle_to_matrix(np.array([0.1, -0.3, 0.05]))
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = turn, [0.2, -0.1, -1.5]
    found = replace(truth, pose=transform_pose(truth.pose, own, motion))
    misfit, laid = align_body(box_body, found, truth)
    assert misfit.joints < 1e-5
    assert misfit.turned == pytest.approx(np.degrees(np.linalg.norm([0.1, -0.3, 0.05])), abs=0.01)
    assert misfit.failure() is None
    # Any other camera: what it sees of the truth, the moved one sees of the found body.
    camera = replace(truth.camera, viewmat=truth.camera.viewmat @ np.linalg.inv(motion) @ motion)
    camera.viewmat[:3, 3] += [0.3, 0.1, 0.4]
    moved = transform_camera(camera, np.linalg.inv(laid))
    true, _ = box_body.vertices(truth.pose, truth.betas)
    shown, _ = box_body.vertices(found.pose, found.betas)
    np.testing.assert_allclose(project(shown, moved)[0], project(true, camera)[0], atol=1e-2)
    np.testing.assert_allclose(
        moved.viewmat[:3, :3] @ moved.viewmat[:3, :3].T, np.eye(3), atol=1e-9
    )


def test_a_camera_goes_along_with_another_size() -> None:
    camera = photo_camera(100.0, 64, 48)
    motion = np.diag([2.0, 2.0, 2.0, 1.0])
    motion[:3, 3] = [0.3, 0.2, -0.5]
    moved = transform_camera(camera, motion)
    points = np.array([[0.1, 0.2, -3.0], [-0.4, 0.0, -2.0]])
    after, depth = project(points @ motion[:3, :3].T + motion[:3, 3], moved)
    np.testing.assert_allclose(after, project(points, camera)[0], atol=1e-9)
    np.testing.assert_allclose(depth, 2 * project(points, camera)[1])


def test_failures_are_named() -> None:
    assert Misfit(0.05, 10.0, 1.1).failure() is None
    assert "35 cm off" in str(Misfit(0.35, 10.0, 1.0).failure())
    assert "turned by 120" in str(Misfit(0.05, 120.0, 1.0).failure())
    assert "4.00 times as large" in str(Misfit(0.05, 10.0, 0.25).failure())


def test_body_errors_keep_the_trunk_in_the_picture(box_body: Body) -> None:
    """The body is another one in space; what the photo shows of it stays nearly where it was."""
    truth = some_track(box_body)
    _, true = box_body.vertices(truth.pose, truth.betas)
    seen, _ = project(true[:22], truth.camera)
    for seed in range(4):
        for known in (True, False):
            noisy = augment_body.noisy_track(box_body, truth, numbers(seed), 1.0, known)
            _, found = box_body.vertices(noisy.pose, noisy.betas)
            off = np.hypot(*(project(found[:22], noisy.camera)[0] - seen).T)
            assert off.mean() < 0.06 * SIDE
            assert np.abs(noisy.betas).mean() < 0.5 * np.abs(truth.betas).mean()
            assert (noisy.camera.K[0, 0] == truth.camera.K[0, 0]) == known
            turned = np.linalg.norm(noisy.pose.full_pose - truth.pose.full_pose, axis=1)
            assert 0.05 < turned[[16, 17, 18, 19]].mean() < 1.2
    again = augment_body.noisy_track(box_body, truth, numbers(3), 1.0, False)
    np.testing.assert_array_equal(again.pose.full_pose, noisy.pose.full_pose)


# -- tracked photos --------------------------------------------------------------------------------


def test_a_tracked_reference(
    box_body: Body, make_subject: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tracker's body and matte are used; who is lost by it is refused by name."""
    subject = make_subject(1, views=3, size=SIDE, held_out=())  # type: ignore[operator]
    # Views 0 and 2 are of one pose; the boxes' two poses take turns.
    truth, _ = photographs.true_track(subject, 0, box_body)
    rgba = subject.views[0].rgba()
    matte = Matte(rgba[..., 3], rgba[..., :3])
    turned = replace(truth, pose=truth.pose.with_joints(left_elbow=[0.0, 0.4, 0.0]))
    asked: list[float | None] = []
    given = {"track": turned, "matte": matte}

    class Found:
        observation = Observation(np.zeros((33, 2)), np.zeros(33), np.zeros((33, 3)), rgba[..., 3])

        @property
        def track(self) -> Track:
            return given["track"]  # type: ignore[return-value]

    def tracked(portrait: object, body: Body, detectors: object, fov: float | None) -> Found:
        asked.append(fov)
        return Found()

    from likeness.engine.pipeline import track

    monkeypatch.setattr(track, "track_image", tracked)
    monkeypatch.setattr(track, "verify_matte", lambda *_: (given["matte"], ()))
    maker = Photographs(box_body, Augmentation(tracked=1.0), True, tmp_path)
    monkeypatch.setattr(maker, "_detectors", None, raising=False)
    made = maker.of(subject, 0)
    np.testing.assert_array_equal(made.track.pose.full_pose, turned.pose.full_pose)
    assert not made.fit.true
    assert len(asked) == 1
    kept = maker.of(subject, 0)
    assert len(asked) == 1
    np.testing.assert_array_equal(kept.matte.alpha, made.matte.alpha)
    np.testing.assert_array_equal(kept.fit.motion, made.fit.motion)
    # Another share of tracked ones has the same photo; another subject has not.
    some = Photographs(box_body, Augmentation(tracked=0.999), True, tmp_path)
    assert some.name(subject, 0) == maker.name(subject, 0)
    # The only view of its pose keeps the true body.
    assert not maker.drawn(subject, 1).tracked

    maker.cache = None
    given["track"] = replace(
        truth,
        pose=truth.pose.with_joints(
            left_shoulder=[0.0, 0.0, 2.0],
            right_shoulder=[0.0, 0.0, -2.0],
            left_hip=[2.0, 0.0, 0.0],
            right_hip=[2.0, 0.0, 0.0],
        ),
    )
    with pytest.raises(InvalidReferenceError, match="the tracker lost the person"):
        maker.of(subject, 0)
    given |= {"track": turned, "matte": Matte(np.ones_like(matte.alpha), matte.foreground)}
    with pytest.raises(InvalidReferenceError, match="the matting failed"):
        maker.of(subject, 0)


def test_streams_are_apart() -> None:
    a, b = (make_rng(0, "a", "v", which).random(4) for which in (1, 2))
    assert (a != b).all()
