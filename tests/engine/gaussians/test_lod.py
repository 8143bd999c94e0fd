"""Levels of detail: what is kept, and that it fills the gaps of what is not."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from likeness.benchmarks.figures.random_scenes import cover_body, person_sized_cloud
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import (
    Avatar,
    BoundGaussians,
    FloatArray,
    Gaussians,
    LikenessError,
    Pose,
)
from likeness.engine.gaussians import bind_gaussians, pose_avatar
from likeness.engine.gaussians.lod import S as LOD
from likeness.engine.gaussians.lod import growth, importance, order_by_importance, simplify_avatar
from likeness.engine.render import RenderOutput, render_camera
from likeness.engine.render.cpu_weights import blending_weights, painted_parts, weigh_gaussians
from likeness.engine.visual.metrics import psnr

SIDE = 64


def wall(colors: FloatArray, hidden: int = 0) -> Avatar:
    """SIDE x SIDE splats a centimetre apart, a metre before the camera; some between two walls."""
    body = make_synthetic_body().personalised(np.zeros(4))
    rows, columns = np.divmod(np.arange(SIDE * SIDE), SIDE)
    middle = (SIDE - 1) / 2
    front = 0.01 * np.stack([columns - middle, middle - rows, 0 * rows], -1) - [0, 0, 1.0]
    inside = front[:: len(front) // hidden][:hidden] - [0, 0, 0.02] if hidden else front[:0]
    means = np.concatenate([front, front - [0, 0, 0.04], inside])
    count = len(means)
    paint = np.concatenate([colors.reshape(-1, 3)] * 2 + [np.ones((hidden, 3))])
    world = Gaussians(
        means.astype(np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        np.tile(np.float32([0.007, 0.007, 0.0001]), (count, 1)),
        np.full(count, 0.99, np.float32),
        paint.astype(np.float32),
    )
    layer = np.repeat([0, 1, 2], [len(front), len(front), hidden])
    pose = Pose.rest(body.num_expression)
    homes = bind_gaussians(
        world,
        np.zeros(count, np.int32),
        np.full((count, 3), 1 / 3),
        layer,
        body.vertices(pose)[0],
        body,
    )
    return Avatar(body, homes, pose, photo_camera(150.0, 96, 96), "half")


def draw(avatar: Avatar) -> RenderOutput:
    return render_camera(pose_avatar(avatar), avatar.camera, np.ones(3))


@pytest.fixture(scope="module")
def grey() -> Avatar:
    return wall(np.full((SIDE, SIDE, 3), 0.4))


@pytest.fixture(scope="module")
def person() -> Avatar:
    return cover_body(make_synthetic_body().personalised(np.zeros(4)), 4000)


def rows_of(bound: BoundGaussians) -> FloatArray:
    """All that is stored, one row per Gaussian, sorted."""
    columns = [np.reshape(getattr(bound, f.name), (len(bound), -1)) for f in fields(bound)]
    return np.unique(np.concatenate(columns, 1).astype(np.float64), axis=0)


def test_the_same_gaussians_in_another_order_and_always_the_same(person: Avatar) -> None:
    ordered = order_by_importance(person)
    np.testing.assert_array_equal(rows_of(ordered.gaussians), rows_of(person.gaussians))
    assert ordered.lod_start is not None
    assert ordered.lod_start.dtype == np.float32
    assert ordered.lod_start.shape == (4000,)
    assert 0 < ordered.lod_start.min() <= ordered.lod_start.max() <= 4000
    again = order_by_importance(person)
    np.testing.assert_array_equal(again.lod_start, ordered.lod_start)
    np.testing.assert_array_equal(again.gaussians.offset, ordered.gaussians.offset)


def test_weights_are_the_pictures_colours() -> None:
    """With a channel of its own for each Gaussian, the picture itself tells the weights."""
    some = person_sized_cloud(60, seed=4)
    camera = photo_camera(90.0, 75, 101)
    each = replace(some, colors=np.eye(60, dtype=np.float32))
    expected = render_camera(each, camera, samples=1).rgb.sum((0, 1))
    found = blending_weights(some, camera)
    assert (expected > 0).sum() > 30
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_a_picture_needs_only_the_splats_with_a_weight() -> None:
    some = person_sized_cloud(3000, seed=4)
    camera = photo_camera(90.0, 75, 101)
    weights, parts, shown = weigh_gaussians(some, camera)
    np.testing.assert_array_equal(weights, blending_weights(some, camera))
    np.testing.assert_array_equal(parts, painted_parts(some, camera))
    np.testing.assert_array_equal(np.sort(shown), np.flatnonzero(weights))
    assert len(shown) < len(some)
    assert (np.diff(project(some.means[shown], camera)[1]) > -1e-5).all()
    whole = render_camera(some, camera)
    drawn = render_camera(some.take(shown), camera)
    np.testing.assert_allclose(drawn.rgb, whole.rgb, atol=1e-3)
    np.testing.assert_allclose(drawn.alpha, whole.alpha, atol=1e-3)


def test_what_never_shows_counts_nothing_and_goes_first() -> None:
    avatar = wall(np.full((SIDE, SIDE, 3), 0.4), hidden=800)
    inside = avatar.gaussians.layer == 2
    weight = importance(avatar)
    assert np.median(weight[inside]) < 0.05 * np.median(weight[~inside])
    ordered = order_by_importance(avatar)
    half = ordered.gaussians.layer[: len(inside) // 2]
    # Not all of them: a little does show through, and what shows at all keeps LEAST_KEPT.
    assert (half == 2).mean() < 0.75 * inside.mean()


def test_no_neighbourhood_that_shows_becomes_a_sieve_at_half() -> None:
    """The plain half of a wall beside loud noise keeps its third."""
    colors = np.full((SIDE, SIDE, 3), 0.5)
    colors[:, : SIDE // 2] = np.random.default_rng(1).uniform(0, 1, (SIDE, SIDE // 2, 3))
    ordered = order_by_importance(wall(colors))
    plain = pose_avatar(ordered).means[:, 0] > 0
    kept = plain[: len(plain) // 2].sum() / plain.sum()
    assert 0.95 * LOD.min_kept < kept < 0.5


@pytest.mark.parametrize("part", [2, 4, 8, 16])
def test_levels_have_no_holes(grey: Avatar, part: int) -> None:
    """An even wall stays an even wall, however few splats it is made of."""
    level = simplify_avatar(order_by_importance(grey), len(grey.gaussians) // part)
    assert len(level.gaussians) == len(grey.gaussians) // part
    middle = (slice(16, 80), slice(16, 80))
    seen = draw(level)
    assert seen.alpha[middle].min() > 0.9
    np.testing.assert_allclose(seen.rgb[middle], 0.4, atol=0.07)
    ungrown = order_by_importance(grey).gaussians.take(slice(0, len(level.gaussians)))
    assert part < 4 or draw(replace(level, gaussians=ungrown)).alpha[middle].min() < 0.5


def test_detail_stays_longer_than_even_colour() -> None:
    rng = np.random.default_rng(0)
    colors = np.full((SIDE, SIDE, 3), 0.5)
    colors[:, : SIDE // 2] = rng.uniform(0, 1, (SIDE, SIDE // 2, 3))
    avatar = wall(colors)
    few = simplify_avatar(order_by_importance(avatar), 2000)
    left = pose_avatar(few).means[:, 0] < 0
    assert left.mean() > 0.62


def test_half_of_a_lifted_portrait(shots: dict[str, Any]) -> None:
    """The floor of 1.5 dB, and much better than half of them by chance."""
    shot = shots["head"]
    bound = shot.lift(20_000)
    avatar = Avatar(shot.body, bound, shot.track.pose, shot.track.camera, "head")
    half = simplify_avatar(order_by_importance(avatar), len(bound) // 2)
    inside = shot.matte.alpha > 0.5
    full_db = psnr(draw(avatar).rgb, shot.truth(), inside)
    half_db = psnr(draw(half).rgb, shot.truth(), inside)
    assert half_db > full_db - 1.5
    chosen = np.random.default_rng(0).permutation(len(bound))[: len(bound) // 2]
    scales = bound.scales[chosen] * np.float32([2**0.5, 2**0.5, 1])
    chance = replace(avatar, gaussians=replace(bound.take(chosen), scales=scales))
    whole = draw(avatar).rgb
    assert psnr(draw(half).rgb, whole, inside) > psnr(draw(chance).rgb, whole, inside) + 3


def test_a_level_of_a_level_is_the_level(person: Avatar) -> None:
    ordered = order_by_importance(person)
    direct, twice = (
        simplify_avatar(ordered, 500),
        simplify_avatar(simplify_avatar(ordered, 2200), 500),
    )
    np.testing.assert_array_equal(direct.lod_start, twice.lod_start)
    for field in fields(BoundGaussians):
        a, b = (getattr(level.gaussians, field.name) for level in (direct, twice))
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_growth_begins_where_it_says() -> None:
    start = np.array([10.0, 400.0, 1000.0])
    np.testing.assert_allclose(growth(start, 1000), 1)
    np.testing.assert_allclose(growth(start, 100), [1, 4**0.55, 10**0.55])
    level = simplify_avatar(order_by_importance(wall(np.full((SIDE, SIDE, 3), 0.4))), 1000)
    np.testing.assert_allclose(level.gaussians.scales[:, 2], 0.0001, rtol=1e-4)  # not the normal


def test_all_of_them_is_the_avatar_itself(person: Avatar) -> None:
    assert simplify_avatar(person, 4000) is person
    assert simplify_avatar(person, 10**6) is person
    ordered = order_by_importance(person)
    nearly = draw(simplify_avatar(ordered, 3960))
    assert psnr(nearly.rgb, draw(ordered).rgb) > 40


def test_an_avatar_without_order_is_ordered_and_says_so(person: Avatar) -> None:
    with pytest.warns(UserWarning, match="order of importance"):
        late = simplify_avatar(person, 700)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        early = simplify_avatar(order_by_importance(person), 700)
    np.testing.assert_array_equal(late.gaussians.offset, early.gaussians.offset)


def test_levels_of_nothing(person: Avatar) -> None:
    for count in (0, -5):
        with pytest.raises(LikenessError, match="empty") as caught:
            simplify_avatar(person, count)
        assert caught.value.remedy
    for few in (0, 1, 2, 3):
        small = replace(person, gaussians=person.gaussians.take(slice(0, few)))
        ordered = order_by_importance(small)
        assert len(ordered.gaussians) == len(ordered.lod_start) == few
        assert len(simplify_avatar(ordered, 1).gaussians) == min(few, 1)
    unseen = replace(person, pose=replace(person.pose, transl=np.array([0, 0, 3.0])))
    assert len(order_by_importance(unseen).gaussians) == 4000
