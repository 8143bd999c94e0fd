"""The fabrics of clothes, and where each goes round its limb."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, IntArray
from likeness.engine.gaussians.lift.colors.fabric_clusters import join_ground
from likeness.engine.gaussians.lift.colors.fabrics import S as FABRICS
from likeness.engine.gaussians.lift.colors.fabrics import _without_slivers, find_fabrics
from likeness.engine.gaussians.lift.surface.limbs import HEAD, LEFT_ARM, RIGHT_ARM, TORSO


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


def test_a_collar_that_ends_on_one_side_goes_round_the_neck() -> None:
    """Its top, seen on one side, is the end of a collar, and the shirt's fabric is far below."""
    rest, seen = cloth(8000)
    collar = rest[:, 1] > 0.15
    seen = seen * ~((rest[:, 1] > 0.2) & (rest[:, 0] < 0.1)) * (rest[:, 1] < 0.23)
    albedo = np.where(collar[:, None], [0.1, 0.1, 0.1], [0.8, 0.3, 0.2])
    group = np.where(rest[:, 1] > 0.27, HEAD, TORSO)
    found = find_fabrics(albedo, seen, seen, rest, group, np.full(3, 0.5))
    behind = (rest[:, 2] < 0) & (rest[:, 1] > 0.17)
    np.testing.assert_allclose(found.colors[found.around[behind]], 0.1, atol=0.03)


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
    out = join_ground(own, single, rest, np.full(30000, TORSO), seen)
    shown = seen > 0.5
    assert set(out[shown & (rest[:, 1] < 0.15)]) == {1}
    assert set(out[shown & (rest[:, 1] > 0.25)]) == {0}


def test_sheen_on_a_leather_shoulder_makes_no_second_fabric() -> None:
    """A fifth of it, all among the black; a grey yoke of that lightness is a fabric of its own."""
    rest, seen = cloth(20000)
    rest[:, 2] = 0.1 * np.sign(rest[:, 2])  # a surface
    high = rest[:, 1] > 0.1
    speckled = high & (np.sin(rest[:, 0] / 0.004) > 0.0)
    group, default = np.full(20000, TORSO), np.full(3, 0.5)
    for shiny, kinds in ((speckled, 1), (high, 2)):
        albedo = np.where(shiny[:, None], [0.42, 0.42, 0.43], [0.13, 0.13, 0.14])
        found = find_fabrics(albedo, seen, seen, rest, group, default)
        assert len(found.colors) == kinds
    assert found.around[high & (seen == 0)].mean() > 0.9
    # A trim is a fabric, wherever it lies.
    for low in (0.1, 0.11, 0.12, 0.13):
        trim = (rest[:, 1] > low) & (rest[:, 1] < low + 0.03)
        albedo = np.where(trim[:, None], [0.42, 0.42, 0.43], [0.13, 0.13, 0.14])
        assert len(find_fabrics(albedo, seen, seen, rest, group, default).colors) == 2


@pytest.mark.parametrize("worn", ["jacket", "raglan", "sleeveless", "half and half", "placket"])
def test_an_open_jacket_goes_round_over_the_shirt(worn: str) -> None:
    """It shows on one side only; raglan sleeves in its colour show beside the shoulders only.

    So does a stripe on the side of what has no sleeves, or has one in each colour. A placket in
    the sleeves' colour shows in the middle.
    """
    rest, front = cloth(20000)
    sleeve = np.abs(rest[:, 0]) > 0.15
    edge = (rest[:, 0] < -0.08) & (rest[:, 1] > (0.06 if worn == "raglan" else -0.3))
    if worn == "placket":
        edge = np.abs(rest[:, 0]) < 0.03
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
