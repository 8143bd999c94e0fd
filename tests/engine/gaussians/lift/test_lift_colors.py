"""Colours of what a photo does not show: light, fabrics and sources."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import FloatArray, IntArray
from likeness.engine.dual_uv.sampling import sample_surface
from likeness.engine.gaussians.lift.colors.colors import _light_on_cloth
from likeness.engine.gaussians.lift.colors.colors_base import _gild_hair, _match_hair
from likeness.engine.gaussians.lift.colors.fabrics import S as FABRICS
from likeness.engine.gaussians.lift.colors.fabrics import (
    _ground_joined,
    _without_slivers,
    find_fabrics,
)
from likeness.engine.gaussians.lift.photo.colors_sources import (
    find_deep_hair,
    measure_backlight,
    select_lit_hair,
    wraparound_weights,
)
from likeness.engine.gaussians.lift.photo.photo_light import fit_light
from likeness.engine.gaussians.lift.surface.labels import HAIR
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, RIGHT_ARM, TORSO
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


def cloth(count: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Places [N, 3] on a trunk's front and back, and [N] 1 for those in front."""
    rng = np.random.default_rng(seed)
    rest = rng.uniform([-0.2, -0.3, -0.1], [0.2, 0.3, 0.1], (count, 3))
    return rest, (rest[:, 2] > 0).astype(float)


def fabrics_of(albedo: FloatArray, rest: FloatArray, seen: FloatArray):  # type: ignore[no-untyped-def]
    noise = np.random.default_rng(1).normal(0, 0.01, albedo.shape)
    group = np.zeros(len(rest), int)
    return find_fabrics(albedo + noise, seen, seen, rest, group, np.full(3, 0.5))


def test_a_band_of_another_fabric_goes_round_at_its_height() -> None:
    rest, seen = cloth(8000)
    band = np.abs(rest[:, 1]) < 0.05
    albedo = np.where(band[:, None], [0.1, 0.1, 0.1], [0.8, 0.3, 0.2])
    found = fabrics_of(albedo, rest, seen)
    assert len(found.colors) == 2
    clear = np.abs(np.abs(rest[:, 1]) - 0.05) > 0.02
    behind = (seen == 0) & clear
    np.testing.assert_allclose(found.colors[found.around[behind]], albedo[behind], atol=0.03)


def test_what_hangs_on_one_side_does_not_go_round_behind_the_arm_that_hides_the_other() -> None:
    rest, seen = cloth(8000)
    low = np.abs(rest[:, 1]) < 0.06
    hose = low & (rest[:, 0] > 0.08)
    seen = seen * ~(low & (rest[:, 0] < 0.05))
    dark = hose | (rest[:, 1] > 0.12)
    albedo = np.where(dark[:, None], [0.1, 0.1, 0.1], [0.8, 0.3, 0.2])
    found = fabrics_of(albedo, rest, seen)
    assert len(found.colors) == 2
    behind = (rest[:, 2] < 0) & (np.abs(rest[:, 1]) < 0.04)
    np.testing.assert_allclose(
        found.colors[found.around[behind]].mean(0), [0.8, 0.3, 0.2], atol=0.03
    )


def test_a_shadow_along_a_sleeve_does_not_go_round_and_a_cuff_does() -> None:
    """Dark at its side, a sleeve is red; dark across, it ends in a dark cuff."""
    rest, seen = cloth(8000)
    rest = rest[:, [1, 0, 2]] + [0.5, 0.0, 0.0]  # along x
    shadow = (rest[:, 1] < -0.12) & (np.abs(rest[:, 0] - 0.4) < 0.06)
    cuff = rest[:, 0] > 0.7
    albedo = np.where((shadow | cuff)[:, None], [0.1, 0.1, 0.1], [0.8, 0.1, 0.1])
    trust = seen * np.where(rest[:, 1] < -0.12, 1.0, 0.05)  # the other side is turned away
    group = np.full(len(rest), LEFT_ARM)
    found = find_fabrics(albedo, seen, trust, rest, group, np.full(3, 0.5))
    around = found.colors[found.around][:, 0]
    np.testing.assert_allclose(around[np.abs(rest[:, 0] - 0.4) < 0.05], 0.8, atol=0.03)
    np.testing.assert_allclose(around[rest[:, 0] > 0.72], 0.1, atol=0.03)


def test_a_sleeve_dark_along_its_whole_inner_half_is_no_dark_sleeve() -> None:
    rest, seen = cloth(8000)
    rest = rest[:, [1, 0, 2]] + [0.5, 0.0, 0.0]
    shadow = (rest[:, 1] < 0.02) & (np.abs(rest[:, 0] - 0.5) < 0.1)
    albedo = np.where(shadow[:, None], [0.1, 0.1, 0.1], [0.8, 0.1, 0.1])
    trust = seen * np.where(rest[:, 1] < 0.0, 1.0, 0.6)  # seen more squarely
    group = np.full(len(rest), LEFT_ARM)
    found = find_fabrics(albedo, seen, trust, rest, group, np.full(3, 0.5))
    np.testing.assert_allclose(found.colors[found.around][:, 0], 0.8, atol=0.03)


def test_a_fabric_that_is_best_over_two_centimetres_only_does_not_go_round() -> None:
    rest, seen = cloth(8000)
    label = np.select([rest[:, 1] > 0.05, rest[:, 1] > 0.035], [0, 1], 2)
    albedo = np.array([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9], [0.8, 0.3, 0.2]])[label]
    found = fabrics_of(albedo, rest, seen)
    behind = found.colors[found.around[seen == 0]]
    assert not (behind.min(1) > 0.5).any()
    high = (seen == 0) & (rest[:, 1] > 0.08)
    np.testing.assert_allclose(found.colors[found.around[high]], albedo[high], atol=0.03)


def test_stripes_are_one_fabric_and_a_plain_part_beside_them_another() -> None:
    rest, seen = cloth(20000)
    stripe = np.mod(rest[:, 1], 0.04) < 0.02
    plain = rest[:, 1] < -0.1
    albedo = np.where((stripe | plain)[:, None], [0.9, 0.9, 0.9], [0.1, 0.15, 0.5])
    found = fabrics_of(albedo, rest, seen)
    inside, below = np.abs(rest[:, 1] - 0.1) < 0.16, rest[:, 1] < -0.14
    assert len(np.unique(found.around[inside])) == 1
    assert len(np.unique(found.around[below])) == 1
    assert found.around[inside][0] != found.around[below][0]


def test_a_print_of_four_colours_is_one_fabric_beside_sleeves_in_one_of_them() -> None:
    rest, seen = cloth(20000)
    sleeve = np.abs(rest[:, 0]) > 0.15
    colors = np.array([[0.9, 0.9, 0.9], [0.1, 0.6, 0.2], [0.1, 0.2, 0.7], [0.8, 0.2, 0.1]])
    bands = np.random.default_rng(5).permuted(np.tile(np.arange(4), (5, 1)), axis=1).ravel()
    band = bands[((rest[:, 1] + 0.30) / 0.04).astype(int)]
    albedo = colors[np.where(sleeve, 0, band)]
    group = np.where(sleeve, np.where(rest[:, 0] > 0, LEFT_ARM, RIGHT_ARM), TORSO)
    found = find_fabrics(albedo, seen, seen, rest, group, np.full(3, 0.5))
    trunk = found.around[~sleeve]
    assert len(np.unique(trunk)) == 1
    assert found.printed[trunk[0]]
    np.testing.assert_allclose(found.colors[found.around[sleeve]], 0.9, atol=0.03)
    letters = find_fabrics(albedo, seen, seen, rest, group, np.full(3, 0.5), lettered=True)
    assert not letters.printed.any()
    np.testing.assert_allclose(letters.colors[letters.around], 0.9, atol=0.03)  # the commonest


def test_a_prints_rare_colours_and_its_ground_count_in_its_colour() -> None:
    """Two thirds of it have colours too rare for a fabric, or that of its white sleeves."""
    rng = np.random.default_rng(3)
    rest, seen = cloth(30000)
    sleeve = np.abs(rest[:, 0]) > 0.15
    place = np.floor((rest[:, :2] + 0.4) / 0.02).astype(int)
    kind = rng.integers(0, 6, (64, 64))[place[:, 0], place[:, 1]]
    rare = rng.uniform(0.02, 0.98, (64, 64, 3))[place[:, 0], place[:, 1]]
    of_two = np.where((kind == 0)[:, None], [0.1, 0.25, 0.7], [0.85, 0.7, 0.1])
    print_ = np.where((kind < 2)[:, None], of_two, rare)
    print_[kind == 5] = 0.9
    albedo = np.where(sleeve[:, None], 0.9, print_)
    group = np.where(sleeve, np.where(rest[:, 0] > 0, LEFT_ARM, RIGHT_ARM), TORSO)
    found = find_fabrics(albedo, seen, seen, rest, group, np.full(3, 0.5), patterned=True)
    shown = ~sleeve & (seen > 0.5)
    wanted = np.exp(np.log(albedo[shown] + 0.02).mean(0)) - 0.02
    np.testing.assert_allclose(found.colors[found.around[~sleeve]].mean(0), wanted, atol=0.04)
    np.testing.assert_allclose(found.colors[found.around[sleeve]], 0.9, atol=0.03)


def test_a_fabric_that_lies_wholly_among_a_print_is_no_longer_one() -> None:
    rng = np.random.default_rng(4)
    rest, seen = cloth(30000)
    own = rng.choice([2, 1, -1], 30000, p=[0.6, 0.2, 0.2])
    single = np.where(own == 2, rng.choice([2, 3], 30000), own)
    own[rest[:, 1] > 0.2] = single[rest[:, 1] > 0.2] = 0  # another one beside it
    own[seen < 0.5] = single[seen < 0.5] = -1
    out = _ground_joined(own, single, rest, np.full(30000, TORSO), seen)
    shown = seen > 0.5
    assert set(out[shown & (rest[:, 1] < 0.15)]) == {1}
    assert set(out[shown & (rest[:, 1] > 0.25)]) == {0}


@pytest.mark.parametrize("worn", ["jacket", "raglan", "sleeveless", "half and half"])
def test_an_open_jacket_goes_round_over_the_shirt(worn: str) -> None:
    """It shows on one side only; raglan sleeves in its colour show beside the shoulders only.

    So does a stripe on the side of what has no sleeves, or has one in each colour.
    """
    rest, front = cloth(20000)
    sleeve = np.abs(rest[:, 0]) > 0.15
    edge = (rest[:, 0] < -0.08) & (rest[:, 1] > (0.06 if worn == "raglan" else -0.3))
    jacket, shirt = [0.1, 0.4, 0.3], [0.8, 0.5, 0.1]
    other = sleeve & (rest[:, 0] < 0) & (worn == "half and half")
    albedo = np.where(((sleeve | edge) & ~other)[:, None], jacket, shirt)
    group = np.where(sleeve, np.where(rest[:, 0] > 0, LEFT_ARM, RIGHT_ARM), TORSO)
    seen = front * ~(sleeve & (worn == "sleeveless"))
    found = find_fabrics(albedo, seen, seen, rest, group, np.full(3, 0.5))
    behind = ~sleeve & (front == 0) & (np.abs(rest[:, 1]) < 0.25)
    around = found.colors[found.around[behind]]
    np.testing.assert_allclose(
        around, np.tile(jacket if worn == "jacket" else shirt, (len(around), 1))
    )


def test_shades_of_one_fabric_are_no_two() -> None:
    rest, seen = cloth(6000)
    light = np.random.default_rng(2).uniform(0.45, 1.0, 6000)[:, None]
    found = fabrics_of(light * [0.95, 0.75, 0.2], rest, seen)
    assert len(found.colors) == 1


def test_only_a_fabric_of_several_colours_is_printed() -> None:
    rest, seen = cloth(20000)
    stripe = (np.mod(rest[:, 1], 0.04) < 0.02)[:, None]
    printed = fabrics_of(np.where(stripe, [0.7, 0.55, 0.3], [0.3, 0.12, 0.2]), rest, seen)
    assert printed.printed.tolist() == [True]
    light = np.random.default_rng(2).uniform(0.45, 1.0, 20000)[:, None]
    assert not fabrics_of(light * [0.95, 0.75, 0.2], rest, seen).printed.any()


def test_an_unseen_label_has_the_default_colour() -> None:
    rest, seen = cloth(500)
    found = fabrics_of(np.zeros((500, 3)), rest, 0.0 * seen)
    np.testing.assert_array_equal(found.colors, [[0.5, 0.5, 0.5]])


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


def test_a_gap_between_what_is_seen_goes_on_as_right_beside_it() -> None:
    """A little of the skirt is seen at its top, more at its hem, much of the blouse above."""
    rest, seen = cloth(6000)
    down = rest[:, 1].max() - rest[:, 1]
    skirt = down > 0.3
    albedo = np.where(skirt[:, None], [0.8, 0.1, 0.1], [0.9, 0.9, 0.85])
    trust = np.where((down > 0.36) & (down < 0.45), 0.001, np.where(skirt, 0.25, 1.0)) * seen
    found = find_fabrics(albedo, seen, trust, rest, np.full(6000, TORSO), np.full(3, 0.5))
    red = int(found.colors[:, 1].argmin())
    assert (found.around[down > 0.34] == red).all()
    assert (found.around[down < 0.3] != red).all()


def test_highlights_on_black_leather_are_no_print() -> None:
    rest, seen = cloth(8000)
    shine = np.sin(rest[:, 0] / 0.006) > 0.3
    albedo = np.where(shine[:, None], [0.45, 0.45, 0.46], [0.05, 0.05, 0.06])
    group, default = np.full(8000, TORSO), np.full(3, 0.5)
    for patterned in (False, True):
        found = find_fabrics(albedo, seen, seen, rest, group, default, patterned)
        assert found.printed.any() == patterned
    red = np.where(shine[:, None], [0.7, 0.1, 0.1], [0.05, 0.05, 0.06])
    assert find_fabrics(red, seen, seen, rest, group, default).printed.any()


@pytest.mark.parametrize(
    ("spots", "share", "printed"),
    [
        ((0.13, 0.08, 0.03), 0.2, False),  # deep shadow between a trench coat's folds
        ((0.05, 0.08, 0.2), 0.2, True),  # blue spots
        ((0.13, 0.08, 0.03), 0.45, True),  # shadows never cover half of the cloth
    ],
)
def test_deep_shadows_on_cloth_are_no_print(
    spots: tuple[float, float, float], share: float, printed: bool
) -> None:
    rng = np.random.default_rng(4)
    rest = np.column_stack([rng.uniform(-0.2, 0.2, 4000), rng.uniform(0.0, 0.5, 4000)])
    rest = np.column_stack([rest, np.zeros(4000)])
    wave = np.sin(rest[:, 0] / 0.008) * np.sin(rest[:, 1] / 0.008)
    dark = wave > np.quantile(wave, 1.0 - share)
    albedo = np.where(dark[:, None], spots, (0.48, 0.32, 0.16)) + rng.normal(0, 0.01, (4000, 3))
    ones = np.ones(4000)
    found = find_fabrics(albedo, ones, ones, rest, np.full(4000, TORSO), np.array([0.3, 0.3, 0.3]))
    assert found.printed.any() == printed
    if not printed:
        assert len(found.colors) == 1
        np.testing.assert_allclose(found.colors[0], (0.48, 0.32, 0.16), atol=0.03)


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


def test_below_the_frame_a_limb_goes_on_as_it_ended() -> None:
    """A little of light jeans under a long black shirt whose label is theirs as well."""
    rest, _ = cloth(8000)
    seen = ((rest[:, 2] > 0) & (rest[:, 1] > -0.05)).astype(float)
    jeans = rest[:, 1] < 0.03
    albedo = np.where(jeans[:, None], [0.5, 0.6, 0.75], [0.05, 0.05, 0.05])
    found = fabrics_of(albedo, rest, seen)
    below = rest[:, 1] < -0.08
    np.testing.assert_allclose(found.colors[found.around[below]], albedo[below], atol=0.05)


def test_a_shadow_in_the_crook_of_an_elbow_does_not_go_round() -> None:
    """Bins along a sleeve: the sleeve, something else over a few of them, the sleeve again."""
    light = np.array([50.0, 20.0, 90.0])  # the sleeve, its shadow, a white stripe

    def around(kind: int, width: int, last: int = 0) -> IntArray:
        best = np.zeros(40, int)
        best[20 : 20 + width] = kind
        best[20 + width :] = last
        score = np.full((3, 40), 0.1)
        score[best, np.arange(40)] = 1.0
        return _without_slivers(score, light, FABRICS.crook)

    assert (around(1, FABRICS.crook - 1) == 0).all()
    assert (around(1, FABRICS.crook) == 1).sum() == FABRICS.crook
    assert (around(2, FABRICS.sliver) == 2).sum() == FABRICS.sliver  # a stripe is lighter
    assert (around(1, 4, last=2) == 1).sum() == 4  # where another fabric begins, a seam may be dark
    assert (around(1, FABRICS.sliver - 1, last=2) != 1).all()


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
