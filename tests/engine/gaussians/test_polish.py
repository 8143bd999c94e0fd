"""Polishing: what it may change, what it must not, and what baking writes."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import orbit, photo_camera
from likeness.engine.core.rotations import axis_angle_to_quaternion
from likeness.engine.core.types import Avatar, FloatArray, Gaussians, LikenessError, Pose
from likeness.engine.files.weights import WEIGHTS, find_local_weights
from likeness.engine.gaussians import bind_gaussians, pose_avatar
from likeness.engine.gaussians.polish import bake
from likeness.engine.gaussians.polish.bake import bake_polish
from likeness.engine.gaussians.polish.planes import (
    PLANES,
    SEEN,
    PhotoShot,
    draw_planes,
    seen_splats,
    splat_marks,
)
from likeness.engine.gaussians.polish.polish_network import PolishRuntime, draw_polished
from likeness.engine.network.onnx_export import add_note, export_module
from likeness.engine.render import render_camera
from likeness.engine.training.polish.export import POLISH
from likeness.engine.training.polish.model import MAX_CHANGE, PolishNetwork
from likeness.engine.workflows.still_files import finished_drawing

from tests.made_once import make_once

SIDE = 48
FRONT = SIDE * SIDE
CENTRE = np.array([0.0, 0.0, -1.02])


def walls(turn: float = 0.0) -> Avatar:
    """Two walls of splats, a metre before the photo's camera and 4 cm behind that.

    Args:
        turn: degrees by which they are turned to the side.
    """
    body = make_synthetic_body().personalised(np.zeros(4))
    rows, columns = np.divmod(np.arange(FRONT), SIDE)
    middle = (SIDE - 1) / 2
    flat = 0.01 * np.stack([columns - middle, middle - rows, 0 * rows], -1)
    axis = np.array([0.0, np.radians(turn), 0.0])
    c, s = np.cos(axis[1]), np.sin(axis[1])
    flat = flat @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
    means = np.concatenate([flat - [0, 0, 1.0], flat - [0, 0, 1.04]])
    count = len(means)
    colors = np.random.default_rng(2).uniform(0.3, 0.7, (count, 3))
    world = Gaussians(
        means.astype(np.float32),
        np.tile(axis_angle_to_quaternion(axis).astype(np.float32), (count, 1)),
        np.tile(np.float32([0.007, 0.007, 0.0001]), (count, 1)),
        np.full(count, 0.99, np.float32),
        colors.astype(np.float32),
    )
    pose = Pose.rest(body.num_expression)
    homes = np.zeros(count, np.int32), np.full((count, 3), 1 / 3), np.repeat([2, 0], FRONT)
    bound = bind_gaussians(world, *homes, body.vertices(pose)[0], body)
    return Avatar(body, bound, pose, photo_camera(150.0, 96, 96), "half")


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return walls()


@pytest.fixture(scope="module")
def reddening(tmp_path_factory: pytest.TempPathFactory) -> PolishRuntime:
    """A network that makes red what is red already, wherever it may."""
    folder = make_once(tmp_path_factory, "reddening", write_reddening)
    return PolishRuntime(folder / "polish.onnx", 1)


def write_reddening(folder: Path) -> None:
    network = PolishNetwork()
    full = network.stem.out_channels
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.stem.weight[0, PLANES.index("red"), 1, 1] = 20.0
        network.stem.weight[0, PLANES.index("alpha"), 1, 1] = -10.0
        network.merge[0].weight[0, full, 1, 1] = 1.0  # past all coarser levels
        network.head.weight[0, 0, 1, 1] = 1.0
    export(network, folder / "polish.onnx")


def export(network: PolishNetwork, path: Path) -> Path:
    example = (torch.rand(1, len(PLANES), 64, 72),)
    model = export_module(network, example, POLISH.inputs, (POLISH.output,), POLISH.free)
    add_note(model, {"version": 1, "planes": list(PLANES)})
    path.write_bytes(model.SerializeToString())
    return path


def inner(values: FloatArray) -> FloatArray:
    """Without the edges of a wall's rows and columns."""
    return values.reshape(SIDE, SIDE, -1)[6:-6, 6:-6]


def test_only_what_the_photo_shows_squarely_is_seen(avatar: Avatar) -> None:
    seen = seen_splats(avatar)
    assert inner(seen[:FRONT]).min() == 1.0
    assert seen[FRONT:].max() < 0.01
    assert seen_splats(walls(80.0)).max() < 0.01  # cos 80 is 0.17
    behind = PhotoShot(orbit(avatar.camera, CENTRE, 180.0), avatar.pose)
    both = seen_splats(avatar, [PhotoShot(avatar.camera, avatar.pose), behind])
    assert inner(both[FRONT:]).min() == inner(both[:FRONT]).min() == 1.0


def test_the_planes_are_the_picture_and_what_is_known_of_it(avatar: Avatar) -> None:
    placed, marks = pose_avatar(avatar), splat_marks(avatar.gaussians, seen_splats(avatar))
    planes, depth = draw_planes(placed, marks, avatar.camera)
    plain = render_camera(placed, avatar.camera)
    np.testing.assert_allclose(planes[..., :3], plain.rgb, atol=1e-6)
    np.testing.assert_allclose(planes[..., 3], plain.alpha, atol=1e-6)
    np.testing.assert_allclose(depth, plain.depth, atol=1e-6)
    middle = planes[48, 48]
    assert middle[SEEN] == pytest.approx(middle[3], abs=0.02)
    normal = [middle[PLANES.index(f"normal_{axis}")] for axis in "xyz"]
    np.testing.assert_allclose(normal, [0, 0, -middle[3]], atol=0.01)  # to the camera
    from_behind, _ = draw_planes(placed, marks, orbit(avatar.camera, CENTRE, 180.0))
    assert abs(from_behind[48, 48, SEEN]) < 0.02
    assert from_behind[48, 48, PLANES.index("normal_z")] == pytest.approx(-1.0, abs=0.02)


def test_only_what_the_photo_does_not_show_changes_and_never_the_outline(
    avatar: Avatar, reddening: PolishRuntime
) -> None:
    placed, marks = pose_avatar(avatar), splat_marks(avatar.gaussians, seen_splats(avatar))
    grey = np.full(3, 0.5)
    for yaw in (0.0, 180.0):
        camera = orbit(avatar.camera, CENTRE, yaw)
        plain = render_camera(placed, camera, grey)
        polished = draw_polished(reddening, placed, marks, camera, grey)
        np.testing.assert_array_equal(polished.alpha, plain.alpha)
        np.testing.assert_array_equal(polished.depth, plain.depth)
        change = polished.rgb - plain.rgb
        assert np.abs(change[plain.alpha == 0]).max() < 1e-6
        assert np.abs(change[..., 1:]).max() < 1e-5
        centre = change[38:58, 38:58, 0]
        assert np.abs(centre).max() <= 2 * MAX_CHANGE + 1e-6  # and less what is slow
        if yaw:
            assert centre.std() > 0.02
            assert abs(change[28:68, 28:68, 0].mean()) < 0.3 * centre.std()  # light stays
        else:
            assert np.abs(centre).max() < 2e-3  # half a step of 8 bits


def test_a_change_is_neither_light_nor_ripples(reddening: PolishRuntime) -> None:
    y, x = np.mgrid[:128, :128]
    waves = {period: np.sin(2 * np.pi * (x + y + 0.5) / period) for period in (2, 16)}
    waves[0] = np.ones((128, 128))
    strength = {}
    for period, wave in waves.items():
        planes = np.zeros((128, 128, len(PLANES)), np.float32)
        planes[..., :4] = 1.0
        planes[..., 0] = 0.5 + 0.2 * wave
        strength[period] = np.abs(reddening.change(planes)[32:-32, 32:-32, 0]).mean()
    assert strength[16] > 0.02
    assert max(strength[2], strength[0]) < 0.1 * strength[16]


def test_any_size_of_picture_can_be_polished(avatar: Avatar, reddening: PolishRuntime) -> None:
    placed, marks = pose_avatar(avatar), splat_marks(avatar.gaussians, seen_splats(avatar))
    camera = orbit(avatar.camera.resized(61, 45), CENTRE, 180.0)
    assert draw_polished(reddening, placed, marks, camera).rgb.shape == (45, 61, 3)


def test_baking_changes_hidden_colours_alone(
    avatar: Avatar, reddening: PolishRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[float] = []
    monkeypatch.setattr(bake, "S", replace(bake.S, yaws=(180.0, 90.0, 0.0)))
    baked = bake_polish(avatar, reddening, progress=lambda stage, part, text: said.append(part))
    before, after = avatar.gaussians, baked.gaussians
    assert inner(after.colors[:FRONT]).tobytes() == inner(before.colors[:FRONT]).tobytes()
    change = inner((after.colors - before.colors)[FRONT:])
    assert np.abs(change).max() <= MAX_CHANGE + 1e-6
    assert change[..., 0].std() > 0.004
    assert np.abs(change[..., 1:]).max() < 1e-4
    for field in fields(before):
        if field.name != "colors":
            assert getattr(after, field.name).tobytes() == getattr(before, field.name).tobytes()
    assert said == sorted(said)
    assert said[-1] == pytest.approx(1.0)
    # Seen from behind, it looks as the polished picture does.
    placed, marks = pose_avatar(avatar), splat_marks(before, seen_splats(avatar))
    behind = orbit(avatar.camera.resized(384, 384), CENTRE, 180.0)
    wanted = draw_polished(reddening, placed, marks, behind).rgb
    views = [render_camera(pose_avatar(one), behind).rgb for one in (avatar, baked)]
    apart = [np.abs((view - wanted)[140:244, 140:244, 0]).mean() for view in views]
    assert apart[1] < 0.75 * apart[0]


def test_an_avatar_that_shows_nothing_stays(avatar: Avatar, reddening: PolishRuntime) -> None:
    clear = np.zeros_like(avatar.gaussians.opacities)
    empty = replace(avatar, gaussians=replace(avatar.gaussians, opacities=clear))
    baked = bake_polish(empty, reddening)
    assert baked.gaussians.colors.tobytes() == empty.gaussians.colors.tobytes()


def test_another_network_and_half_a_file_are_refused(
    reddening: PolishRuntime, tmp_path: Path
) -> None:
    parser = find_local_weights(WEIGHTS["parser"])
    assert parser is not None
    half = tmp_path / "half.onnx"
    whole = reddening.path.read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    other = tmp_path / "other.onnx"
    other.write_bytes(b"not a network")
    for path, reason in (
        (parser, "is not a polishing network"),
        (half, "cannot be read"),
        (other, "cannot be read"),
        (tmp_path / "none.onnx", "is missing"),
    ):
        with pytest.raises(LikenessError, match=reason) as error:
            PolishRuntime(path, 1)
        assert str(path) in error.value.message
        assert "complete copy" in error.value.remedy


def test_colours_are_polished_once(avatar: Avatar) -> None:
    baked = replace(avatar, provenance={"options": {"polish": "bake"}})
    with pytest.raises(LikenessError, match="polished already"):
        finished_drawing(baked, None, True)
    assert finished_drawing(baked, None, False) is None
    assert finished_drawing(replace(avatar, provenance={"options": {"polish": "off"}}), None, True)
