"""Colours of what a photo does not show: light, fabrics and sources."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import FloatArray
from likeness.engine.dual_uv.sampling import sample_surface
from likeness.engine.gaussians.lift.colors.colors import _light_on_cloth
from likeness.engine.gaussians.lift.colors.colors_base import _gild_hair, _match_hair
from likeness.engine.gaussians.lift.photo.colors_sources import (
    find_deep_hair,
    measure_backlight,
    select_lit_hair,
    wraparound_weights,
)
from likeness.engine.gaussians.lift.photo.photo_light import fit_light
from likeness.engine.gaussians.lift.surface.labels import HAIR
from likeness.engine.gaussians.lift.surface.texel_patch import TexelPatch
from likeness.engine.gaussians.mesh_diffusion import mesh_edges

SKIN_TONE = np.array([0.8, 0.6, 0.5])


def sphere(count: int) -> FloatArray:
    """[count, 3] unit vectors, evenly spread."""
    k = np.arange(count) + 0.5
    z = 1.0 - 2.0 * k / count
    angle = np.pi * (1.0 + np.sqrt(5.0)) * k
    r = np.sqrt(1.0 - z**2)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], -1)


def from_the_left(normals: FloatArray) -> FloatArray:
    """A gentle light, as of a window: its logarithm is linear in the normal."""
    return np.exp(normals @ [[0.30, 0.28, 0.26], [0.12, 0.10, 0.08], [0.05, 0.05, 0.05]])


def test_light_is_found_on_a_sphere_of_two_albedos() -> None:
    normals = sphere(4000)
    seen = normals[:, 2] > 0.3
    kind = (np.abs(normals[:, 1]) > 0.4).astype(int)
    albedo = np.array([SKIN_TONE, [0.2, 0.3, 0.6]])[kind]
    colors = albedo * from_the_left(normals)
    light = fit_light(normals, colors, kind, np.where(seen, 1.0, 0.0))
    ratio = light.shade(normals[seen]) / from_the_left(normals[seen])
    assert (ratio.std(0) / ratio.mean(0)).max() < 0.03
    assert np.abs(light.shade(normals[seen]).mean(0) - 1.0).max() < 0.03


def test_a_back_is_lit_as_its_own_front_is() -> None:
    normals = sphere(4000)
    kind = (normals[:, 1] > 0).astype(int)
    colors = SKIN_TONE * np.exp(0.6 * normals[:, :1] + 0.4 * normals[:, 1:2])
    weight = np.where(normals[:, 2] > 0.3, 1.0, 0.0)
    light = fit_light(normals, colors, kind, weight)
    out = light.all_around(normals, kind, weight)
    np.testing.assert_array_equal(out[weight > 0], light.shade(normals[weight > 0]))
    for k in (0, 1):
        behind = (kind == k) & (normals[:, 2] < -0.4)
        front = np.median(light.shade(normals[(kind == k) & (weight > 0)]), axis=0)
        np.testing.assert_allclose(out[behind], np.tile(front, (behind.sum(), 1)), rtol=1e-2)
    # What is not seen passes into the front's light earlier: the fit is sure of what it saw alone.
    narrow = np.where(normals[:, 2] > 0.6, 1.0, 0.0)
    nearly = (normals[:, 2] > 0.0) & (normals[:, 2] < 0.1) & (kind == 0)
    level = np.median(light.shade(normals[(kind == 0) & (narrow > 0)]), axis=0)
    off, of_seen = (
        np.abs(light.all_around(normals, kind, w)[nearly] - level).mean()
        for w in (narrow, np.maximum(narrow, 1e-9))
    )
    assert off < 0.4 * of_seen
    # A class that the photo does not show has the light of all others.
    unseen = light.all_around(normals, np.where(weight > 0, 0, 5), weight)
    assert np.isfinite(unseen).all()


def test_cloth_is_lit_as_its_own_fabrics_show_it() -> None:
    normals = sphere(8000)
    on_skin = fit_light(
        normals,
        SKIN_TONE * np.exp(0.5 * normals[:, :1]) * np.exp(normals[:, 1:2] * [0.4, 0.0, -0.3]),
        np.zeros(8000, int),
        np.where(normals[:, 2] > 0.3, 1.0, 0.0),
    )
    fabric = normals[:, 1] > 0.1
    truth = np.exp(0.3 * normals[:, :1]) * np.ones(3)
    color = np.where(fabric[:, None], [0.7, 0.7, 0.65], [0.2, 0.2, 0.5]) * truth
    seen = np.where(normals[:, 2] > 0.6, 1.0, 0.0)
    lit = _light_on_cloth(on_skin, normals, color, on_skin.shade(normals), seen, seen)
    beside = (normals[:, 2] > 0.5) & (normals[:, 2] < 0.6)

    def spread(shade: FloatArray) -> float:
        """Most of the standard deviations of a channel's error."""
        return float(np.log(shade / truth)[beside].std(0).max())

    assert spread(lit) < 0.05
    assert spread(on_skin.shade(normals)) > 3.0 * spread(lit)
    few = np.where(np.arange(8000) < 20, seen, 0.0)
    unseen = _light_on_cloth(on_skin, normals, color, on_skin.shade(normals), few, few)
    np.testing.assert_array_equal(unseen[beside], on_skin.shade(normals[beside]))


def test_beards_and_prints_do_not_bend_the_light() -> None:
    normals = sphere(4000)
    colors = SKIN_TONE * from_the_left(normals)
    colors[(normals[:, 1] < -0.3) & (np.abs(normals[:, 0]) < 0.4)] *= 0.25
    seen = normals[:, 2] > 0.3
    light = fit_light(normals, colors, np.zeros(4000, int), np.where(seen, 1.0, 0.0))
    ratio = light.shade(normals[seen]) / from_the_left(normals[seen])
    assert (ratio.std(0) / ratio.mean(0)).max() < 0.08


def test_without_anything_seen_light_comes_from_above() -> None:
    nothing = np.zeros((0, 3))
    light = fit_light(nothing, nothing, np.zeros(0, int), np.zeros(0))
    up, down = light.shade(np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])).mean(1)
    assert 1.3 > up > down > 0.7


def test_a_badge_does_not_go_round_and_stripes_do() -> None:
    rng = np.random.default_rng(0)
    facing = rng.uniform(0.3, 1.0, 6000)
    albedo = np.tile([0.2, 0.3, 0.7], (6000, 1))
    stripe = rng.random(6000) < 0.3
    albedo[stripe] = [0.9, 0.9, 0.9]
    badge = (facing > 0.9) & (rng.random(6000) < 0.4)
    albedo[badge] = [0.8, 0.2, 0.1]
    trust = wraparound_weights(albedo, facing, np.ones(6000), np.zeros(6000, int), np.zeros(6000))
    assert trust[badge].max() < 0.1
    assert trust[stripe & ~badge].min() > 0.9
    assert trust[~stripe & ~badge].min() > 0.9


def test_a_skirt_whose_sides_arms_hide_is_no_badge() -> None:
    """Of the blouse above it flanks are seen, of the skirt its front alone."""
    rng = np.random.default_rng(0)
    along = rng.uniform(0.0, 0.8, 6000)
    skirt = along > 0.4
    facing = np.where(skirt, rng.uniform(0.7, 1.0, 6000), rng.uniform(0.3, 1.0, 6000))
    albedo = np.where(skirt[:, None], [0.8, 0.1, 0.1], [0.9, 0.9, 0.85])
    badge = ~skirt & (facing > 0.9) & (rng.random(6000) < 0.4)
    albedo[badge] = [0.1, 0.6, 0.2]
    trust = wraparound_weights(albedo, facing, np.ones(6000), np.zeros(6000, int), along)
    assert trust[skirt].min() > 0.9
    assert trust[badge].max() < 0.1


def test_neither_a_rim_of_light_nor_what_shines_through_tells_the_hairs_colour() -> None:
    hair = np.zeros((40, 40), bool)
    hair[5:35, 5:35] = True
    colors = np.full((40, 40, 3), 0.2) + np.linspace(0.0, 0.02, 40)[:, None, None]
    colors[5:35, 5] = 0.9  # a rim of light
    colors[5:7, 6:35] = 0.0  # the deepest shadow
    alpha = np.ones((40, 40))
    alpha[20:23, 6:35] = 0.6
    skin = np.zeros((40, 40), bool)
    skin[30:, 20:] = True
    deep = np.ones((40, 40), bool)
    told = select_lit_hair(colors, alpha, hair, skin, deep)
    assert told.any()
    assert not (told & ~hair).any()
    for unsure in (np.s_[:, 5], np.s_[5:7], np.s_[20:23], np.s_[30:, 20:]):
        assert not told[unsure].any()
    # Where next to nothing is sure, skin beside the hair is put up with; solid it must be.
    thin = select_lit_hair(colors, alpha, hair, np.ones_like(skin), deep)
    assert thin.any()
    assert not thin[20:23].any()


def test_hair_before_the_sun_has_its_own_colour_in_its_midst_alone() -> None:
    hair = np.ones((40, 80), bool)
    inside = np.tile(np.linspace(0.0, 2.0, 40)[:, None], (1, 80))
    for pale, sunlit, depth in ((0.16, 0.0, 0.15), (0.8, 1.0, 0.7)):  # a little paler; golden
        colors = np.where(inside[..., None] < 0.6, pale, 0.1) * np.ones(3)
        assert measure_backlight(colors, hair, inside) == sunlit
        np.testing.assert_array_equal(find_deep_hair(sunlit, inside), inside > depth)
    thin = inside < 0.75  # next to none of it lies inside
    assert measure_backlight(colors, hair & thin, inside) == 0.0


def test_hair_behind_is_darkened_towards_the_photos_median(average: Body) -> None:
    """A sheen fills a third of what is seen; the base that it gave is lighter than most hair."""
    samples = sample_surface(average, 96)
    parts = np.array(average.part_names)[average.face_part[samples.triangle]]
    scalp = samples.take(parts == "scalp")
    points = scalp.points(average.v_template, average.f)
    count = len(points)
    corner, vertices = average.f[scalp.triangle], len(average.v_template)
    mesh = TexelPatch.of(corner, scalp.bary, mesh_edges(average.f), vertices)
    front = points[:, 2] > np.quantile(points[:, 2], 0.8)
    back = points[:, 2] < np.quantile(points[:, 2], 0.1)
    pixels = np.where(np.arange(40) % 3 == 0, 0.6, 0.3)[:, None, None] * np.ones((40, 40, 3))
    view = SimpleNamespace(
        colors=pixels,
        alpha=np.ones((40, 40)),
        regions=SimpleNamespace(label=np.full((40, 40), HAIR)),
    )
    for light, wanted in ((0.4, 0.3), (0.2, 0.2), (0.9, 0.54)):  # as seen, darker, the bound
        base = np.full((count, 3), light)
        matched = _match_hair(base, front, mesh, view)  # type: ignore[arg-type]
        np.testing.assert_allclose(np.median(matched[back]), wanted, rtol=0.12)
        assert matched[front].mean() >= matched[back].mean()
        assert (matched <= base).all()
    nothing = SimpleNamespace(**vars(view) | {"alpha": np.zeros((40, 40))})
    np.testing.assert_array_equal(_match_hair(base, front, mesh, nothing), base)  # type: ignore[arg-type]


def test_gold_of_a_light_behind_fades_over_the_hair_and_reaches_islands() -> None:
    """A strip of hair shown at one end, and a lock apart from it that nothing shows."""
    steps = 24
    strip = np.array([[i, i + 1, i + 2] for i in range(steps)])
    lock = np.array([[steps + 2, steps + 3, steps + 4]])
    corner = np.concatenate([strip, lock])
    bary = np.full((len(corner), 3), 1.0 / 3.0)
    edges = np.unique(np.sort(corner[:, [[0, 1], [1, 2], [0, 2]]].reshape(-1, 2)), axis=0)
    mesh = TexelPatch.of(corner, bary, edges, steps + 5)
    base = np.full((len(corner), 3), 0.2)
    shown = np.full((len(corner), 3), 0.7)
    known = np.arange(len(corner)) < 2

    gilded = _gild_hair(base, shown, known, mesh, 1.0)[:, 0]

    assert gilded[0] > 0.5
    assert (np.diff(gilded[:steps]) < 0.0).all()
    assert 0.2 < gilded[steps - 1] < 0.35
    assert gilded[-1] == pytest.approx(gilded[2:steps].mean())
    np.testing.assert_array_equal(_gild_hair(base, shown, known, mesh, 0.0), base)
