"""Light on splats against Lambert's law, normals and albedo against what was put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.benchmarks.figures.random_scenes import cover_ball, cover_body
from likeness.engine.body import Body
from likeness.engine.core.cameras import camera_position, orbit
from likeness.engine.core.color import linear_to_srgb, rgb_to_lab, srgb_to_linear
from likeness.engine.core.geometry import triangle_frames
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.spherical_harmonics import latlong_directions
from likeness.engine.core.types import JOINT_INDEX, PARTS, Avatar, BoolArray, Camera, FloatArray
from likeness.engine.gaussians import bind_gaussians, place_gaussians, pose_avatar
from likeness.engine.gaussians.relight import albedo as albedo_module
from likeness.engine.gaussians.relight.albedo import Reflectance, find_reflectance
from likeness.engine.gaussians.relight.scene_light import SceneLight
from likeness.engine.gaussians.relight.surface_normals import find_surface_normals, place_normals
from likeness.engine.render import render_camera
from likeness.engine.visual.lit_pictures import lit_drawing

MIDDLE = np.array([0.0, 0.0, -2.0])


def posed(avatar: Avatar) -> FloatArray:
    return np.asarray(avatar.body.vertices(avatar.pose)[0], np.float64)


def true_normals(avatar: Avatar) -> FloatArray:
    """[N, 3] of the ball's splats: they lie around its middle."""
    out = pose_avatar(avatar).means - MIDDLE
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), np.float64)


def sphere_pixels(camera: Camera, radius: float = 0.25) -> tuple[FloatArray, FloatArray]:
    """[H, W, 3] normals of a ball where a pixel's ray meets it, and whether it does."""
    rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
    ray = np.stack(
        [
            (columns - camera.K[0, 2]) / camera.K[0, 0],
            (rows - camera.K[1, 2]) / camera.K[1, 1],
            np.ones_like(rows),
        ],
        -1,
    )
    ray = ray @ np.asarray(camera.viewmat)[:3, :3]
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    eye = camera_position(camera) - MIDDLE
    along = ray @ eye
    root = along**2 - (eye @ eye - radius**2)
    met = root > 0
    distance = -along - np.sqrt(np.maximum(root, 0.0))
    return (eye + distance[..., None] * ray) / radius, met


def side_light(towards: FloatArray) -> FloatArray:
    """Radiance that nine coefficients hold exactly: bright on one side."""
    return np.asarray((1.0 + 0.9 * latlong_directions(64) @ towards)[..., None] * np.ones(3))


@pytest.mark.parametrize("yaw", [0.0, 60.0, 180.0])
def test_a_ball_is_lit_as_lambert_says(yaw: float) -> None:
    ball = cover_ball((0.6, 0.5, 0.4), 6000)
    towards = np.array([0.8, 0.6, 0.0])
    light = SceneLight.from_picture(side_light(towards))
    camera = orbit(ball.camera, MIDDLE, yaw)
    drawn = lit_drawing(ball, light)(pose_avatar(ball), camera, np.zeros(3), "cpu")
    normals, met = sphere_pixels(camera)
    found = find_reflectance(ball, find_surface_normals(ball))
    assert found.folds.min() > 0.95  # a ball has none
    plain = replace(pose_avatar(ball), colors=found.albedo)
    albedo = np.asarray(render_camera(plain, camera, np.zeros(3)).rgb)
    # The cosine-weighted integral of 1 + 0.9 cos over a hemisphere, by hand.
    irradiance = np.pi * (1.0 + 0.9 * 2.0 / 3.0 * normals @ towards)
    expected = linear_to_srgb(srgb_to_linear(albedo) * irradiance[..., None] / np.pi)
    solid = met & (np.asarray(drawn.alpha).squeeze() > 0.99)
    assert solid.sum() > 0.8 * met.sum()
    np.testing.assert_allclose(np.asarray(drawn.rgb)[solid], expected[solid], atol=0.045)


def test_amounts_mix_the_photo_and_the_scene() -> None:
    ball = cover_ball((0.6, 0.5, 0.4), 50)
    normals = true_normals(ball)
    found = Reflectance(np.full((50, 3), 0.5, np.float32), np.ones(50, np.float32))
    light = SceneLight.from_picture(side_light(np.array([1.0, 0.0, 0.0])))
    colors = ball.gaussians.colors
    none, half, all_ = (
        replace(light, amount=a).shade(colors, found, normals) for a in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(none, colors, atol=1e-6)
    mean = 0.5 * (srgb_to_linear(none) + srgb_to_linear(all_))
    np.testing.assert_allclose(srgb_to_linear(half), mean, atol=1e-6)


def test_exposure_and_turn() -> None:
    picture = side_light(np.array([0.0, 0.0, 1.0]))
    normals = np.eye(3)
    plain = SceneLight.from_picture(picture).irradiance(normals)
    np.testing.assert_allclose(
        SceneLight.from_picture(picture, exposure=2.0).irradiance(normals), 4.0 * plain
    )
    turned = SceneLight.from_picture(picture, turn=90.0).irradiance(normals)
    np.testing.assert_allclose(turned[0], plain[2], rtol=1e-3)  # from before to the left
    dark = np.zeros((32, 64, 3))
    dark[0] = 50.0
    assert (SceneLight.from_picture(dark).irradiance(-normals) > 0).all()


def test_the_light_stays_while_the_person_turns() -> None:
    """A half turn of the body brings the other side into the same light."""
    ball = cover_ball((0.5, 0.5, 0.5), 3000)
    light = SceneLight.from_picture(side_light(np.array([1.0, 0.0, 0.0])))
    draw = lit_drawing(ball, light)
    pose = ball.pose.with_joints(pelvis=[0.0, np.pi, 0.0])
    pictures = [
        np.asarray(
            draw(
                place_gaussians(ball.gaussians, ball.body.vertices(p)[0], ball.body),
                ball.camera,
                np.zeros(3),
                "cpu",
            ).rgb
        )
        for p in (ball.pose, pose)
    ]
    left = [picture[:, :64].sum() / picture[:, 64:].sum() for picture in pictures]
    assert left[0] == pytest.approx(left[1], rel=0.02)
    assert left[0] < 0.9  # engine +x is to the right of the photo's camera


def test_a_turntable_turns_the_person_in_the_light() -> None:
    ball = cover_ball((0.5, 0.5, 0.5), 3000)
    light = SceneLight.from_picture(side_light(np.array([1.0, 0.0, 0.0])))
    cameras = [orbit(ball.camera, MIDDLE, yaw) for yaw in (0.0, 90.0)]
    pictures = []
    for turns_with in (None, cameras[0]):
        draw = lit_drawing(ball, light, turns_with)
        drawn = [draw(pose_avatar(ball), camera, np.zeros(3), "cpu") for camera in cameras]
        pictures.append([np.asarray(one.rgb) for one in drawn])
    fixed, along = pictures
    np.testing.assert_allclose(along[1].mean(1), along[0].mean(1), atol=0.02)
    assert np.abs(fixed[1].mean((0, 2)) - fixed[0].mean((0, 2))).max() > 0.05


def test_hair_has_the_normals_of_its_own_dome() -> None:
    """Hair all around the ball and off it, bound to one triangle at its top."""
    ball = cover_ball((0.3, 0.2, 0.1), 20000)
    vertices = posed(ball)
    skin = ball.gaussians
    world = pose_avatar(ball)
    out = true_normals(ball)
    moved = replace(world, means=(MIDDLE + 0.31 * out).astype(np.float32))
    top = int(np.argmax(vertices[ball.body.f].mean(1)[:, 1]))
    count = len(skin)
    hair = bind_gaussians(
        moved,
        np.full(count, top, np.int32),
        np.full((count, 3), 1 / 3),
        skin.layer,
        vertices,
        ball.body,
    )
    hair = replace(hair, part=np.full(count, PARTS.index("hair"), np.uint8))
    avatar = replace(ball, gaussians=type(hair).concatenate([skin, hair]))
    normals = place_normals(find_surface_normals(avatar), avatar, vertices)
    cosine = (normals[len(skin) :] * out).sum(1)
    assert np.degrees(np.arccos(np.quantile(cosine, 0.1))) < 25
    assert (normals[: len(skin)] * out).sum(1).min() > 0.98  # the skin keeps the body's


def test_normals_go_along_with_the_pose() -> None:
    ball = cover_ball((0.5, 0.5, 0.5), 300)
    local = find_surface_normals(ball)
    pose = ball.pose.with_joints(pelvis=[0.4, -0.9, 0.3])
    turn = axis_angle_to_matrix(np.array([0.4, -0.9, 0.3]))
    turned = place_normals(local, ball, np.asarray(ball.body.vertices(pose)[0], np.float64))
    np.testing.assert_allclose(turned, true_normals(ball) @ turn.T, atol=0.03)


def test_clothes_are_smoother_than_the_body_below() -> None:
    ball = cover_ball((0.5, 0.5, 0.5), 4000)
    rng = np.random.default_rng(1)
    rough = ball.body.v_template * (1 + rng.normal(0, 0.01, (len(ball.body.v_template), 1)))
    body = replace(ball.body, v_template=rough.astype(np.float32))
    errors = []
    for part in ("skin", "upper"):
        own = replace(ball.gaussians, part=np.full(4000, PARTS.index(part), np.uint8))
        avatar = replace(ball, body=body, gaussians=own)
        normals = place_normals(find_surface_normals(avatar), avatar, posed(avatar))
        errors.append(np.degrees(np.arccos(np.clip((normals * true_normals(ball)).sum(1), -1, 1))))
    assert np.median(errors[1]) < 0.5 * np.median(errors[0])


def test_the_photos_light_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ball of one colour, photographed in light from its left, is of one colour again."""
    plain = replace(albedo_module.S, lit_trust=0.0, even=0.0, skin_trust=0.0)
    monkeypatch.setattr(albedo_module, "S", plain)
    ball = cover_ball((0.6, 0.45, 0.4), 6000)
    normals = true_normals(ball)
    front = normals[:, 2] > 0.1
    shade = np.exp(0.35 * normals[:, :1] + 0.2 * normals[:, 1:2])
    lit = np.clip(ball.gaussians.colors * shade, 0, 1).astype(np.float32)
    avatar = replace(ball, gaussians=replace(ball.gaussians, colors=lit).take(front))
    found = find_reflectance(avatar, find_surface_normals(avatar))
    before, after = (rgb_to_lab(c.astype(np.float64)) for c in (lit[front], found.albedo))
    assert after.std(0)[0] < 0.35 * before.std(0)[0]
    usual = np.linalg.norm(np.median(after, 0) - rgb_to_lab(np.array([0.6, 0.45, 0.4])))
    assert usual < 5


def test_cameras_are_set_for_the_bright_side() -> None:
    """A ball as bright as its albedo where the light falls, and darker elsewhere."""
    ball = cover_ball((0.6, 0.5, 0.4), 6000)
    normals = true_normals(ball)
    front = normals[:, 2] > 0.1
    shown = ball.gaussians.take(front)
    off = {}
    for strength in (0.0, 0.6):
        shade = np.exp(strength * (normals[front, :1] - 1.0))
        lit = replace(shown, colors=(shown.colors * shade).astype(np.float32))
        avatar = replace(ball, gaussians=lit)
        found = find_reflectance(avatar, find_surface_normals(avatar)).albedo
        off[strength] = np.log(np.median(found / shown.colors))
    # Four tenths of what the light takes on the mean are given back, and no more than all.
    assert 0.6 * np.log(shade.mean()) + albedo_module.S.even < off[0.6] < off[0.0]
    assert off[0.0] == pytest.approx(albedo_module.S.even, abs=0.05)


def test_white_teeth_lie_in_no_deep_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else their albedo is cut off at white, and a scene's light shows them grey."""
    ball = cover_ball((0.9, 0.9, 0.85), 2000)
    monkeypatch.setattr(
        albedo_module, "vertex_occlusion", lambda body: np.zeros(len(body.v_template))
    )
    front = true_normals(ball)[:, 2] > 0.1
    avatar = replace(ball, gaussians=ball.gaussians.take(front))
    found = find_reflectance(avatar, find_surface_normals(avatar))
    shown = found.albedo * found.folds[:, None]
    even = np.exp(albedo_module.S.even)
    np.testing.assert_allclose(shown, avatar.gaussians.colors * even, atol=0.06)


@pytest.mark.parametrize(("value", "lightness"), [(0.13, (20, 31)), (0.35, (32, 42))])
def test_faces_darker_than_skin_are_in_poor_light(
    value: float, lightness: tuple[float, float]
) -> None:
    ball = cover_ball((value, 0.85 * value, 0.75 * value), 3000)
    front = true_normals(ball)[:, 2] > 0.1
    face = np.full(3000, PARTS.index("face"), np.uint8)
    avatar = replace(ball, gaussians=replace(ball.gaussians, part=face).take(front))
    found = find_reflectance(avatar, find_surface_normals(avatar)).albedo
    least, most = lightness
    assert least < np.median(rgb_to_lab(found.astype(np.float64))[:, 0]) < most


def test_nothing_is_lit_without_splats() -> None:
    ball = cover_ball((0.5, 0.5, 0.5), 10)
    none = replace(ball, gaussians=ball.gaussians.take(np.zeros(10, bool)))
    normals = find_surface_normals(none)
    assert normals.shape == (0, 3)
    assert find_reflectance(none, normals).albedo.shape == (0, 3)


def test_frames_are_those_of_the_splats() -> None:
    ball = cover_ball((0.5, 0.5, 0.5), 20)
    g = ball.gaussians
    frames = triangle_frames(posed(ball), ball.body.f, ball.body.v_template, g.triangle, g.bary)
    np.testing.assert_allclose(
        place_normals(find_surface_normals(ball), ball, posed(ball)), frames.R[:, :, 2], atol=1e-6
    )


def test_a_shadow_on_one_cheek_is_light_and_a_blush_on_both_is_not(average: Body) -> None:
    avatar = cover_body(average, 30_000, 3)
    vertices = np.asarray(average.v_template, np.float64)
    place = place_gaussians(avatar.gaussians, vertices, average).means
    head = np.asarray(average.J_template)[JOINT_INDEX["head"]]
    near = np.linalg.norm(place * [0.0, 1.0, 1.0] - head * [0.0, 1.0, 1.0], axis=1) < 0.15
    cheek = near & (place[:, 2] > head[2]) & (np.abs(place[:, 0]) > 0.03)
    skin = replace(avatar.gaussians, opacities=np.ones(len(place), np.float32))
    left, right = cheek & (place[:, 0] > 0), cheek & (place[:, 0] < 0)
    dark = np.log(0.35 / 0.5)
    near_vertices = albedo_module._neighbours(average.f, len(vertices))

    def remove(there: BoolArray) -> FloatArray:
        lightness = np.where(there, 0.35, 0.5)
        return np.log(
            lightness / albedo_module._uneven_light(lightness, skin, average, near_vertices)
        )

    after = remove(left)
    assert np.median(after[left]) - np.median(after[right]) > 0.45 * dark
    after = remove(cheek)
    assert np.median(after[cheek]) - np.median(after[near & ~cheek]) < 0.5 * dark
    assert np.median(after[left]) - np.median(after[right]) == pytest.approx(0.0, abs=0.02)
    assert np.median(after[~near]) == pytest.approx(np.log(0.5), abs=0.02)
