"""Hair that the photo does not show: which way it lies, and patches of what is seen on it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import FloatArray
from likeness.engine.gaussians.lift.colors.hair_patches import (
    HairPatches,
    _crop_hair,
    carry_strands,
    cut_patches,
    hair_anchors,
    lap_patches,
    sheen,
)
from likeness.engine.gaussians.lift.colors.hairline import Hairline, UnevenHair, find_hairline
from likeness.engine.gaussians.lift.photo.trust import facing_ramp, find_pale_rim
from likeness.engine.gaussians.lift.shape.hair_field import (
    StrandImage,
    continued_directions,
    hair_directions,
    strand_image,
    tangents,
    wave,
)
from likeness.engine.gaussians.lift.shape.hair_volume import fill_nape
from likeness.engine.gaussians.lift.splats.photo_splats import lean_back, limit_depth, scatter_depth
from likeness.engine.gaussians.lift.surface.labels import HAIR, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.surfels import surfels_on_plane
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

PIXEL = 0.001
WAVE = 0.008  # metres of one light and one dark strand


def striped(degrees: float, side: int = 120) -> FloatArray:
    """[side, side, 3] strands that rise so steeply from the right, in a wave across them."""
    y, x = np.mgrid[:side, :side] * PIXEL
    turn = np.radians(degrees)
    across = x * np.sin(turn) + y * np.cos(turn)
    light = 0.3 * np.exp(0.25 * np.sin(2.0 * np.pi * across / WAVE))
    return np.repeat(light[..., None], 3, axis=2)


@pytest.mark.parametrize("degrees", [0.0, 35.0, 90.0, 140.0])
def test_strands_are_found_along_the_stripes(degrees: float) -> None:
    hair = np.ones((120, 120), bool)
    found = strand_image(np.log(striped(degrees)[..., 0]), hair, PIXEL)
    truth = np.array([np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))])
    middle = np.s_[30:90, 30:90]
    assert np.abs(found.along[middle] @ truth).min() > 0.99
    assert found.coherence[middle].min() > 0.9


def test_noise_has_no_direction() -> None:
    noise = np.random.default_rng(0).normal(size=(120, 120))
    found = strand_image(noise, np.ones((120, 120), bool), PIXEL)
    assert found.coherence[20:100, 20:100].mean() < 0.4


def test_hair_leaves_the_crown_all_around_and_hangs_below_it(average: Body) -> None:
    rng = np.random.default_rng(1)
    normals = rng.normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    middle = average.J_template[15] + [0.0, 0.06, 0.0]
    rest = middle + 0.1 * normals
    turn = Rotation.from_euler("yxz", [50, 20, -10], degrees=True).as_matrix()
    points = 1.4 * (rest - rest.mean(0)) @ turn.T + [0.3, 1.0, -2.0]  # fuller, turned, elsewhere
    way = hair_directions(points, normals @ turn.T, rest, np.ones(4000, bool), average) @ turn
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose((way * normals).sum(1), 0.0, atol=1e-6)
    behind = np.array([0.0, np.cos(0.45), -np.sin(0.45)])  # where the crown is
    near = normals @ behind > 0.9
    assert ((way @ behind)[near] < 0.0).all()
    aside = (np.abs(normals[:, 0]) > 0.8) & (np.abs(normals[:, 1]) < 0.5)
    assert (way[aside, 1] < -0.5).all()


def test_hair_goes_on_as_the_photo_shows_it_beside_it() -> None:
    rng = np.random.default_rng(2)
    normals = np.tile([0.0, 0.0, 1.0], (400, 1))
    seen = np.column_stack([rng.uniform(-0.1, 0.1, (400, 2)), np.full(400, -2.0)])
    way = np.tile([0.0, -1.0, 0.0], (2, 1))
    points = np.array([[0.0, 0.0, -2.0], [0.0, 0.9, -2.0]])  # amid them, and far away
    flat = np.array([np.cos(0.8), -np.sin(0.8)])  # up to the right in the photo
    image = StrandImage(np.tile(flat, (10, 10, 1)), np.ones((10, 10)))
    pixel = np.zeros((400, 2), np.int64)
    out = continued_directions(points, normals[:2], way, seen, normals, image, pixel)
    truth = -np.array([np.cos(0.8), np.sin(0.8), 0.0])  # of the sign that goes down
    assert out[0] @ truth > 0.9 > way[0] @ truth
    np.testing.assert_allclose(out[1], way[1], atol=1e-3)


def test_patches_carry_the_photos_strands_along_the_hair() -> None:
    colors = striped(90.0)
    hair = np.ones((120, 120), bool)
    strands = strand_image(np.log(colors[..., 0]), hair, PIXEL)
    patches = cut_patches(colors, hair, strands, PIXEL, 0.0)
    assert patches is not None
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(-0.1, 0.1, (20000, 2)), np.zeros(20000)])
    anchors = points[hair_anchors(points, 0.7 * patches.radius)]
    normals = np.tile([0.0, 0.0, 1.0], (len(anchors), 1))
    way = np.tile([1.0, 0.0, 0.0], (len(anchors), 1))
    drawn = lap_patches(points, anchors, normals, way, patches)[:, 0]
    assert drawn.std() == pytest.approx(0.25 / np.sqrt(2.0), rel=0.35)
    assert abs(drawn.mean()) < 0.05

    def change(step: FloatArray) -> float:
        moved = lap_patches(points + step, anchors, normals, way, patches)[:, 0]
        return float(np.abs(moved - drawn).mean())

    # Half a wave across is another strand; as far along it is the same one.
    assert change(np.array([0.0, WAVE / 2, 0.0])) > 2.5 * change(np.array([WAVE / 2, 0.0, 0.0]))


def test_cropped_hair_has_strands_and_no_locks() -> None:
    rows = np.arange(120) * PIXEL
    strand, lock = np.sin(2.0 * np.pi * rows / 0.004), np.sin(2.0 * np.pi * rows / 0.03)
    light = 0.4 * np.exp(0.1 * strand + 0.2 * lock)[:, None, None] * np.ones((1, 120, 3))
    hair = np.ones((120, 120), bool)
    image = strand_image(np.log(light[..., 0]), hair, PIXEL)
    long, cropped = (cut_patches(light, hair, image, PIXEL, 0.0, cropped) for cropped in (0.0, 1.0))
    assert long is not None
    assert cropped is not None
    assert long.straight == 1.0

    def share(patches: HairPatches, of: FloatArray) -> float:
        return float((patches.texture[..., 0].mean(1) @ of) / 60.0)

    assert share(cropped, strand) == pytest.approx(share(long, strand), rel=0.25)
    assert share(cropped, lock) < 0.5 * share(long, lock)
    assert cropped.stretch.max() < 0.7 * long.stretch.max()


def test_too_little_hair_has_no_patches() -> None:
    hair = np.zeros((120, 120), bool)
    hair[60:64, 20:100] = True
    colors = striped(90.0)
    strands = strand_image(np.log(colors[..., 0]), hair, PIXEL)
    assert cut_patches(colors, hair, strands, PIXEL, 0.001) is None


def test_anchors_cover_the_hair_a_lock_apart() -> None:
    points = np.random.default_rng(4).uniform(0.0, 0.3, (5000, 3)) * [1.0, 1.0, 0.0]
    at = hair_anchors(points, 0.02)
    assert len(np.unique(at)) == len(at)
    away = np.linalg.norm(points[:, None] - points[at][None], axis=2).min(1)
    assert away.max() < 0.03
    assert 0.5 * 15**2 <= len(at) <= 2.0 * 15**2


def test_a_pale_rim_of_hair_is_doubted_and_neither_shadow_nor_what_lies_deep() -> None:
    usual = np.array([0.3, 0.2, 0.15])
    colors = np.array(
        [[0.85, 0.8, 0.75], [0.85, 0.8, 0.75], [0.02, 0.01, 0.01], [0.33, 0.22, 0.16]]
    )
    pale = find_pale_rim(colors, usual, np.array([0.1, 3.0, 0.1, 0.1]))
    np.testing.assert_allclose(pale, [1.0, 0.0, 0.0, 0.0], atol=1e-9)
    facing = np.full(2, 0.45)
    hair = np.full(2, 1)
    plain, doubted = facing_ramp(facing, hair, np.ones(2, bool), np.array([0.0, 1.0]))
    assert doubted < plain
    skin = np.full(2, SKIN)
    plain, doubted_skin = facing_ramp(facing, skin, np.zeros(2, bool), np.array([0.0, 1.0]))
    assert plain - doubted_skin < 0.5 * (1.0 - doubted)


def test_splats_of_hair_are_not_drawn_out_in_depth() -> None:
    rng = np.random.default_rng(0)
    rays = rng.normal(size=(200, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    steps = rng.normal(size=(200, 3))
    out = limit_depth(steps, rays, np.where(np.arange(200) < 100, 0.2, np.inf))
    np.testing.assert_allclose(out[100:], steps[100:])
    np.testing.assert_allclose(np.cross(out, rays), np.cross(steps, rays), atol=1e-12)
    depth = (steps * rays).sum(1)[:100]
    np.testing.assert_allclose((out * rays).sum(1)[:100], np.clip(depth, -0.2, 0.2), atol=1e-12)


def test_hair_thins_out_over_the_skin_and_longer_where_its_strands_are_bright() -> None:
    inside = np.array([-0.012, -0.004, 0.0, 0.004, 0.012])
    line = Hairline(np.arange(5), inside, np.arange(5), np.ones(5))
    share = line.share(np.zeros(5))
    assert (np.diff(share) > 0).all()
    assert share[0] < 0.1
    assert share[2] == pytest.approx(0.5)
    assert share[4] > 0.9
    uneven = line.share(np.array([1.0, -1.0, 1.0, -1.0, 1.0]))
    assert (np.sign(uneven - share) == [1, -1, 1, -1, 1]).all()
    hanging = Hairline(np.arange(5), inside, np.arange(5), np.full(5, 2.0))
    longer = hanging.share(np.array([1.0, -1.0, 1.0, -1.0, 1.0]))
    assert (np.abs(longer - share) > np.abs(uneven - share)).all()


@pytest.mark.filterwarnings("error")
def test_hair_without_a_hairline_has_its_texture_all_the_same() -> None:
    nothing = np.zeros(0, np.int64)
    line = Hairline(nothing, np.zeros(0), nothing, np.zeros(0))
    strands, way = np.full((2, 3), 0.1), np.tile([0.0, 1.0, 0.0], (2, 1))
    hair = UnevenHair(np.arange(2), line, np.full((2, 3), 0.3), strands, way)
    texture = np.zeros((2, 3))
    texels: Any = SimpleNamespace(label=np.full(2, HAIR))
    np.testing.assert_array_equal(hair.add(texture, np.full((2, 3), 0.3), texels), way)
    np.testing.assert_array_equal(texture, strands)


def test_hair_that_turns_away_is_scattered_along_its_rays() -> None:
    points = np.dstack([*np.meshgrid(np.linspace(-0.1, 0.1, 40), np.linspace(-0.1, 0.1, 30))] * 2)
    points = points[..., :3] * [1.0, 1.0, 0.0] - [0.0, 0.0, 1.5]
    steps = np.full(points.shape[:2], 0.006)
    steps[:, :20] = 0.0
    moved = scatter_depth(points, steps)
    np.testing.assert_array_equal(moved[:, :20], points[:, :20])
    np.testing.assert_allclose(moved[..., :2] / moved[..., 2:], points[..., :2] / points[..., 2:])
    depth = (moved - points)[:, 20:, 2]
    assert np.abs(depth).max() <= 0.003
    assert depth.std() > 0.001
    assert np.abs(np.corrcoef(depth[:, 1:].ravel(), depth[:, :-1].ravel())[0, 1]) < 0.15


def test_tufts_lean_back_by_their_height_and_stay_where_the_photo_shows_them() -> None:
    rng = np.random.default_rng(6)
    points = np.column_stack([rng.uniform(-0.2, 0.2, (500, 2)), rng.uniform(-2.2, -1.8, 500)])
    tall = np.repeat([0.0, 0.002, 0.5], [100, 200, 200])
    moved = lean_back(points, tall)
    np.testing.assert_allclose(moved[:, :2] / moved[:, 2:], points[:, :2] / points[:, 2:])
    back = points[:, 2] - moved[:, 2]
    np.testing.assert_allclose(back[:100], 0.0, atol=1e-12)
    assert ((back[100:300] >= 0.001 - 1e-9) & (back[100:300] <= 0.005 + 1e-9)).all()
    np.testing.assert_allclose(back[300:], 0.025)


def test_only_the_unseen_border_of_hair_and_skin_is_a_hairline(average: Body) -> None:
    y = np.linspace(-0.05, 0.05, 101)
    points = np.column_stack([np.zeros(101), y, np.full(101, -2.0)])
    rest = points + np.array([0.0, average.J_template[15, 1] + 0.06, 2.0])
    known = y > 0.008
    texels = SimpleNamespace(
        points=points, rest=rest, label=np.where(y > 1e-9, HAIR, SKIN), known=known
    )
    line = find_hairline(texels, average)  # type: ignore[arg-type]
    np.testing.assert_array_equal(line.rows, np.nonzero((y > -0.0125) & ~known)[0])
    np.testing.assert_allclose(line.inside, y[line.rows], atol=0.0011)
    assert ((y[line.other] > 1e-9) != (y[line.rows] > 1e-9)).all()


def test_hair_ends_over_clothes_far_below_the_neck(average: Body) -> None:
    y = np.linspace(-0.05, 0.05, 101)
    points = np.column_stack([np.zeros(101), y, np.full(101, -2.0)])
    rest = points + np.array([0.0, average.J_template[12, 1] - 0.2, 2.0])
    label, known = np.where(y > 1e-9, HAIR, UPPER), np.zeros(101, bool)
    texels = SimpleNamespace(points=points, rest=rest, label=label, known=known)
    line = find_hairline(texels, average)  # type: ignore[arg-type]
    assert np.abs(y[line.rows]).max() > 0.025  # farther than over skin
    np.testing.assert_allclose(line.inside, y[line.rows], atol=0.0011)
    assert (line.loose > 1.0).all()


def test_hair_falls_straight_behind_a_hollow_neck_and_nowhere_else() -> None:
    height, turn = np.meshgrid(np.linspace(-0.2, 0.1, 61), np.arange(-180.0, 180.0, 3.0))
    height, turn = height.ravel(), np.radians(turn.ravel())
    radial = np.stack([np.sin(turn), np.zeros_like(turn), np.cos(turn)], -1)
    neck = np.exp(-(((height + 0.1) / 0.04) ** 2))
    skin = (0.1 - 0.05 * neck)[:, None] * radial + height[:, None] * [0.0, 1.0, 0.0]
    # All of it is the head.
    body = SimpleNamespace(sum_weights=lambda joints: np.ones(len(skin)), v_template=skin)
    hair, offset = np.ones(len(skin), bool), np.full(len(skin), 0.01)
    out = fill_nape(offset, skin, radial, radial[:, 2], hair, body)  # type: ignore[arg-type]
    behind = radial[:, 2] < -0.9
    assert np.abs(out - offset)[radial[:, 2] > 0.2].max() == 0.0
    np.testing.assert_allclose(out[behind], (0.01 + 0.6 * 0.05 * neck)[behind], atol=0.004)
    # Of a head that is turned by 45 degrees, too, where the photo does not show its outline.
    y_turn = Rotation.from_euler("y", 45.0, degrees=True)
    seen_radial = y_turn.apply(radial)
    turned = fill_nape(offset, y_turn.apply(skin), seen_radial, seen_radial[:, 2], hair, body)  # type: ignore[arg-type]
    hidden = behind & (seen_radial[:, 2] < -0.75)
    assert hidden.sum() > 200
    np.testing.assert_allclose(turned[hidden], out[hidden], atol=0.004)
    assert np.abs(turned - offset)[seen_radial[:, 2] > -0.25].max() == 0.0
    bare = np.zeros(len(skin), bool)
    none = fill_nape(offset, skin, radial, radial[:, 2], bare, body)  # type: ignore[arg-type]
    np.testing.assert_array_equal(none, offset)


def test_strands_are_smeared_along_their_direction_at_their_contrast() -> None:
    rng = np.random.default_rng(8)
    points = np.column_stack([rng.uniform(0.0, 0.1, (6000, 2)), np.zeros(6000)])
    drawn = rng.normal(0.0, 0.2, (6000, 1))
    way = np.tile([0.0, 1.0, 0.0], (6000, 1))
    out = carry_strands(drawn, points, way, 4)
    assert out.std() == pytest.approx(drawn.std(), rel=0.04)
    tree = cKDTree(points)

    def alike(step: list[float]) -> float:
        return float(np.corrcoef(out[:, 0], out[tree.query(points + step)[1], 0])[0, 1])

    assert alike([0.0, 0.012, 0.0]) > 0.4 > 0.15 > alike([0.012, 0.0, 0.0])


def test_strands_get_no_brighter_than_the_photos() -> None:
    """A few highlights side by side would become a white strand when contrast is restored."""
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(0.0, 0.1, (6000, 2)), np.zeros(6000)])
    drawn = rng.normal(0.0, 0.2, (6000, 1))
    drawn[np.abs(points[:, 0] - 0.05) < 0.001] = 0.6
    out = carry_strands(drawn, points, np.tile([0.0, 1.0, 0.0], (6000, 1)), 4)
    assert out.max() <= np.percentile(drawn, 99.0)


def test_hair_shines_across_its_strands_and_not_along_them() -> None:
    way = np.random.default_rng(1).normal(size=(200, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    light = sheen(way)[:, 0]
    assert abs(light.mean()) < 1e-9
    np.testing.assert_allclose(sheen(-way)[:, 0], light)  # strands have no direction sign
    towards = np.abs(way @ [0.0, 0.8, -0.6])
    assert np.corrcoef(towards, light)[0, 1] < -0.9


def _swinging(swing: float, length: float) -> HairPatches:
    """Patches of strands that swing by ``swing`` radians to both sides over so many metres."""
    y, x = np.mgrid[:160, :160] * PIXEL
    across = x + length * swing / (2.0 * np.pi) * np.sin(2.0 * np.pi * y / length)
    noise = ndimage.gaussian_filter1d(np.random.default_rng(2).normal(size=400), 1.0)
    light = 0.3 * np.exp(0.5 * np.interp(across / PIXEL + 50.0, np.arange(400), noise))
    colors, hair = np.repeat(light[..., None], 3, 2), np.ones((160, 160), bool)
    patches = cut_patches(colors, hair, strand_image(np.log(light), hair, PIXEL), PIXEL, 0.001)
    assert patches is not None
    return patches


@pytest.mark.parametrize(("curl", "straight"), [(0.0, 1.0), (1.5, 0.0)])
def test_curls_are_distinguished_from_straight_hair(curl: float, straight: float) -> None:
    assert _swinging(curl, 0.012).straight == pytest.approx(straight, abs=0.15)


def test_waves_are_as_strong_as_the_photos() -> None:
    """A direction that swings by ``a`` to both sides deviates by ``a`` over the root of 2."""
    waves = [_swinging(a, 0.04).waves for a in (0.0, 0.4, 0.7)]
    np.testing.assert_allclose(waves, [0.0, 0.4 / 2**0.5, 0.7 / 2**0.5], atol=0.12)


def test_waves_turn_strands_within_the_surface_lock_by_lock() -> None:
    rng = np.random.default_rng(3)
    normals = rng.normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = 0.09 * normals
    way = tangents(np.tile([0.0, -1.0, 0.0], (4000, 1)), normals)
    bent = wave(points, normals, way, 0.4, 0.015)
    np.testing.assert_allclose(np.linalg.norm(bent, axis=1), 1.0)
    np.testing.assert_allclose((bent * normals).sum(1), 0.0, atol=1e-12)
    turn = np.arctan2((np.cross(way, bent) * normals).sum(1), (way * bent).sum(1))
    assert turn.std() == pytest.approx(0.4, rel=0.15)
    beside, nearest = cKDTree(points).query(points, k=2)
    near, other = beside[:, 1] < 0.003, rng.permutation(4000)
    assert np.corrcoef(turn[near], turn[nearest[near, 1]])[0, 1] > 0.9
    assert abs(np.corrcoef(turn, turn[other])[0, 1]) < 0.2
    np.testing.assert_allclose(wave(points, normals, way, 0.0, 0.015), way, atol=1e-12)


def test_long_surfels_lie_along_their_way_and_cover_as_much() -> None:
    rng = np.random.default_rng(5)
    normals = rng.normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    way = tangents(rng.normal(size=(50, 3)), normals)
    args = np.zeros((50, 3)), normals, np.full(50, 0.01), np.zeros((50, 3)), np.ones(50)
    round_, long = surfels_on_plane(*args), surfels_on_plane(*args, way, 1.5)
    covariance = [_covariance(one) for one in (round_, long)]
    main = np.linalg.eigh(covariance[1])[1][:, :, 2]
    np.testing.assert_allclose(np.abs((main * way).sum(1)), 1.0, atol=1e-5)
    areas = [np.sort(np.linalg.eigvalsh(c), axis=1)[:, 1:].prod(1) for c in covariance]
    np.testing.assert_allclose(areas[0], areas[1], rtol=1e-4)


def _covariance(gaussians: object) -> FloatArray:
    quats, scales = gaussians.quats, gaussians.scales  # type: ignore[attr-defined]
    turn = Rotation.from_quat(np.asarray(quats)[:, [1, 2, 3, 0]]).as_matrix()
    return np.einsum("nij,nj,nkj->nik", turn, np.asarray(scales, float) ** 2, turn)


def test_hair_may_reach_the_frame() -> None:
    """Whole pixels: the finer grid's rows are not quite as many more as its columns are."""
    mask = np.ones((151, 100), bool)
    view = SimpleNamespace(
        regions=SimpleNamespace(mask=mask, hair=mask),
        alpha=np.ones(mask.shape),
        colors=np.full((*mask.shape, 3), 0.2),
        fine=np.full((303, 201, 3), 0.2),
        camera=SimpleNamespace(width=100, K=np.eye(3) * 600.0),
    )
    found = _crop_hair(np.full(3, 0.2), 2.0, view)
    assert found is not None
    assert found.hair.shape == found.colors.shape[:2]
