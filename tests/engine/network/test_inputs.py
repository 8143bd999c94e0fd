"""What the network is given, against plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.extension import BodyPiece, extend_body
from likeness.engine.core.cameras import project
from likeness.engine.core.types import LikenessError, Matte
from likeness.engine.dual_uv.sampling import sample_surface
from likeness.engine.network.config import NetworkConfig
from likeness.engine.network.inputs import (
    BACKDROP,
    BLANK_SPREAD,
    atlas_places,
    blank_gaussians,
    color_patches,
    lift_channels,
    network_inputs,
    square_crop,
)
from likeness.engine.network.uv_grids import uv_grids

from .conftest import SmallPerson, blank_inputs, random_gaussians


def test_every_texel_has_a_token(person: SmallPerson) -> None:
    config = person.config.decoder
    texels = sample_surface(person.body, config.map_size)
    cells = texels.row // config.patch * config.core_grid + texels.col // config.patch
    assert np.isin(cells, person.grids.core_cells).all()


def test_empty_cells_are_no_tokens(person: SmallPerson) -> None:
    config = replace(person.config.decoder, core_grid=32)
    assert len(uv_grids(person.body, config).core_cells) < 32**2


def test_points_know_their_tokens(person: SmallPerson) -> None:
    grids = person.grids
    for samples, cells, token in (
        (grids.core, grids.core_cells, grids.core_token),
        (grids.shell, grids.shell_cells, grids.shell_token),
    ):
        assert np.array_equal(cells[token], samples.row * samples.size + samples.col)


def test_positions_are_the_means_of_their_points(person: SmallPerson) -> None:
    grids = person.grids
    points = grids.core.points(np.asarray(person.body.v_template, float), person.body.f)
    for token in np.unique(grids.core_token)[::7]:
        np.testing.assert_allclose(
            grids.position[token], points[grids.core_token == token].mean(0), atol=1e-6
        )
    assert np.isfinite(grids.position).all()


def test_crop_keeps_the_camera(person: SmallPerson) -> None:
    """A point of the body falls on the same colour in the photo and in the crop."""
    height, width = person.matte.alpha.shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    place = np.stack([x / width, y / height, np.zeros_like(x)], -1).astype(np.float32)
    matte = Matte(np.ones_like(person.matte.alpha), place)
    crop = square_crop(matte, person.track.camera, 300)
    points = person.body.vertices(person.track.pose)[0][::40]
    in_photo, _ = project(points, person.track.camera)
    in_crop, _ = project(points, crop.camera)
    for a, b in zip(in_photo, in_crop, strict=True):
        got = crop.image[int(b[1]), int(b[0]), :2] * [width, height]
        assert np.abs(got - a).max() < 1.5


def test_crop_has_the_whole_person_on_grey(person: SmallPerson) -> None:
    crop = square_crop(person.matte, person.track.camera, 64)
    assert crop.person.any()
    border = np.concatenate([crop.person[0], crop.person[-1], crop.person[:, 0]])
    assert not border.any()
    np.testing.assert_allclose(crop.image[0], BACKDROP, atol=1e-6)


def test_points_outside_of_the_matte_are_dropped(person: SmallPerson) -> None:
    half = person.matte.alpha.copy()
    half[:, 80:] = 0.0
    matte = Matte(half, person.matte.foreground)
    shot = [(matte, person.track)]
    got = network_inputs(person.config, person.grids, shot, person.body, person.lifted).photos[0]
    crop = square_crop(matte, person.track.camera, person.config.encoder.image_size)
    pixel = (got.core_xy[got.core_seen] * person.config.encoder.image_size).astype(int)
    assert crop.person[pixel[:, 1], pixel[:, 0]].all()
    assert 0 < got.core_seen.sum() < person.inputs.photos[0].core_seen.sum()


def test_colors_lie_at_their_places(person: SmallPerson) -> None:
    inputs, size = person.inputs, person.config.decoder.map_size
    cells: dict[tuple[int, int], list[np.ndarray]] = {}  # type: ignore[type-arg]
    for (u, v), color in zip(inputs.uv, inputs.base.colors, strict=True):
        cells.setdefault((int(v * size), int(u * size)), []).append(color)
    assert inputs.color_map[..., 3].sum() == len(cells)
    for (row, col), colors in cells.items():
        np.testing.assert_allclose(inputs.color_map[row, col, :3], np.mean(colors, 0), atol=1e-5)


def test_patches_are_cut_by_token(person: SmallPerson) -> None:
    config = person.config.decoder
    patches = color_patches(person.inputs.color_map, person.grids, config.patch)
    for token in (0, 5, len(patches) - 1):
        row, col = divmod(int(person.grids.core_cells[token]), config.core_grid)
        cut = person.inputs.color_map[
            row * config.patch : (row + 1) * config.patch,
            col * config.patch : (col + 1) * config.patch,
        ]
        assert np.array_equal(patches[token].reshape(cut.shape), cut)


def test_facing_is_the_cosine_to_the_camera(person: SmallPerson) -> None:
    """Against the mean of the corners' normals, each the angle-weighted mean of its faces'."""
    vertices, f = person.body.vertices(person.track.pose)[0], person.body.f
    normals = np.zeros_like(vertices)
    for triangle in f:
        for k in range(3):
            a, b, c = vertices[np.roll(triangle, -k)]
            across = np.cross(b - a, c - a)
            cosine = (b - a) @ (c - a) / np.linalg.norm(b - a) / np.linalg.norm(c - a)
            normals[triangle[k]] += np.arccos(cosine) * across / np.linalg.norm(across)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    for k in range(0, 600, 5):
        corners, bary = f[person.lifted.triangle[k]], person.lifted.bary[k]
        normal, point = bary @ normals[corners], bary @ vertices[corners]
        cosine = normal @ -point / np.linalg.norm(normal) / np.linalg.norm(point)
        assert abs(cosine - person.inputs.facing[k]) < 1e-5


def test_of_several_photos_the_one_faced_most_counts(person: SmallPerson) -> None:
    """Else a pixel of the second photo would count as hidden."""
    pose = person.track.pose
    full_pose = np.array(pose.full_pose)
    full_pose[0] = 0.0, np.pi, 0.0
    turned = replace(person.track, pose=replace(pose, full_pose=full_pose))
    shots = [(person.matte, person.track), (person.matte, turned)]
    each = [
        network_inputs(person.config, person.grids, [shot], person.body, person.lifted).facing
        for shot in shots
    ]
    assert (each[0] > 0.5).any()
    assert (each[1][each[0] < 0.0] > 0.5).any()
    both = network_inputs(person.config, person.grids, shots, person.body, person.lifted)
    assert np.array_equal(both.facing, np.maximum(*each))


def test_what_hangs_on_a_skirt_has_a_place(person: SmallPerson) -> None:
    piece = BodyPiece(
        "skirt",
        np.array([[-0.2, -0.5, 0.2], [0.2, -0.5, 0.2], [0.0, -0.1, 0.2]]),
        np.array([[0, 1, 2]]),
        np.eye(55)[[0, 0, 0]],
        np.array([[0.9, 0.9], [1.0, 0.9], [0.9, 1.0]]),
        np.array([[0, 1, 2]]),
        0.8,
    )
    body = extend_body(person.body, piece)
    bound = random_gaussians(person.body, 50, 3)
    on_skirt = np.arange(50) < 10
    bound = replace(bound, triangle=np.where(on_skirt, len(person.body.f), bound.triangle))
    places = atlas_places(bound, body, person.grids)
    own = atlas_places(bound.take(~on_skirt), person.body, person.grids)
    assert np.array_equal(places[10:], own)  # the smaller charts of the longer body do not count
    middles = np.asarray(person.body.v_template)[person.body.f].mean(1)
    there = body.v_template[-3:].mean(0)
    nearest = int(np.linalg.norm(middles - there, axis=1).argmin())
    np.testing.assert_allclose(places[0], person.grids.places[nearest].mean(0), atol=1e-5)
    inputs = network_inputs(
        person.config, person.grids, [(person.matte, person.track)], body, bound
    )
    assert inputs.uv.shape == (50, 2)


@pytest.mark.parametrize("count", [1, 5000, 40_000])
def test_without_a_lift_blank_gaussians_cover_the_atlas(person: SmallPerson, count: int) -> None:
    """Exactly ``count``, and in each part of the atlas in proportion to its area."""
    config = replace(person.config, max_gaussians=count)
    inputs = blank_inputs(config, person)
    assert len(inputs.base) == count
    assert inputs.color_map.size == 0
    fine = sample_surface(person.body, 512)
    area = np.zeros((4, 4))
    np.add.at(area, (fine.row // 128, fine.col // 128), 1.0 / len(fine.row))
    share = np.zeros((4, 4))
    col, row = (4 * inputs.uv).astype(int).T
    np.add.at(share, (row, col), 1.0 / count)
    if count > 1:
        np.testing.assert_allclose(share, area, atol=0.01)


def test_blank_gaussians_are_sized_by_their_spacing(person: SmallPerson) -> None:
    """Squared spacings add up to the area of each triangle."""
    base = blank_gaussians(person.body, person.grids, 20_000)
    a, b, c = np.moveaxis(np.asarray(person.body.v_template, float)[person.body.f], 1, 0)
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    squares = np.bincount(
        base.triangle, (base.scales[:, 0] / BLANK_SPREAD) ** 2, minlength=len(area)
    )
    many = np.bincount(base.triangle, minlength=len(area)) > 30
    assert many.sum() > 100
    np.testing.assert_allclose((squares / area)[many], 1.0, atol=0.35)
    assert abs(squares[many].sum() / area[many].sum() - 1.0) < 0.05
    longer = person.body.personalised(np.ones(person.body.num_betas))
    other = blank_gaussians(longer, person.grids, 20_000)
    assert np.array_equal(other.scales, base.scales), "sizes do not depend on the person"


def test_lift_channels_are_near_one(person: SmallPerson) -> None:
    channels = lift_channels(person.lifted, person.inputs.facing)
    assert channels.shape == (600, 17)
    assert np.abs(channels).max() < 4.0
    assert np.array_equal(channels[:, 13:16].argmax(1), person.lifted.layer)


def test_a_finer_lift_is_told_in_the_same_numbers(person: SmallPerson) -> None:
    lifted, facing = person.lifted, person.inputs.facing
    finer = replace(lifted, scales=lifted.scales / 4)
    a, b = (lift_channels(bound, facing) for bound in (lifted, finer))
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert abs(np.median(a[:, 4:6])) < 1e-5
    assert lift_channels(lifted.take(slice(0, 0)), facing[:0]).shape == (0, 17)


def test_another_body_is_refused(person: SmallPerson, small_config: NetworkConfig) -> None:
    fewer = replace(
        person.body,
        f=person.body.f[:-4],
        atlas_ft=person.body.atlas_ft[:-4],
        face_part=person.body.face_part[:-4],
    )
    with pytest.raises(LikenessError, match="made for a body of"):
        network_inputs(
            small_config, person.grids, [(person.matte, person.track)], fewer, person.lifted
        )


def test_an_empty_matte_is_refused(person: SmallPerson) -> None:
    nobody = Matte(np.zeros_like(person.matte.alpha), person.matte.foreground)
    with pytest.raises(LikenessError, match="could not be separated"):
        network_inputs(
            person.config, person.grids, [(nobody, person.track)], person.body, person.lifted
        )


def test_grids_do_not_depend_on_the_person(person: SmallPerson) -> None:
    betas = np.ones(person.body.num_betas)
    other = uv_grids(person.body.personalised(betas), person.config.decoder)
    assert np.array_equal(other.core_cells, person.grids.core_cells)
    assert np.array_equal(other.shell_token, person.grids.shell_token)
