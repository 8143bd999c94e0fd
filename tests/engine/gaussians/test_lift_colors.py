"""Colours of what a photo does not show: light, sources, texture, and the whole."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_INDEX, FloatArray
from likeness.engine.dual_uv.sampling import SurfaceSamples
from likeness.engine.gaussians.lift.colors import complete_texels
from likeness.engine.gaussians.lift.colors_occlusion import vertex_occlusion
from likeness.engine.gaussians.lift.colors_sources import (
    find_deep_hair,
    measure_backlight,
    select_lit_hair,
    wraparound_weights,
)
from likeness.engine.gaussians.lift.colors_unroll import unroll_limb
from likeness.engine.gaussians.lift.fabrics import find_fabrics
from likeness.engine.gaussians.lift.labels import LOWER, SHOES, SKIN, UPPER
from likeness.engine.gaussians.lift.photo_light import fit_light
from likeness.engine.gaussians.lift.regions import HEAD, LEFT_ARM, RIGHT_ARM, TORSO, vertex_groups

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
    # A class that the photo does not show has the light of all others.
    unseen = light.all_around(normals, np.where(weight > 0, 0, 5), weight)
    assert np.isfinite(unseen).all()


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
    trust = wraparound_weights(albedo, facing, np.ones(6000), np.zeros(6000, int))
    assert trust[badge].max() < 0.1
    assert trust[stripe & ~badge].min() > 0.9
    assert trust[~stripe & ~badge].min() > 0.9


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


def tube(
    middle: tuple[float, float, float], radius: float, length: float, axis: int
) -> tuple[FloatArray, np.ndarray]:
    """A closed capsule along an axis: vertices [n, 3], triangles counter-clockwise outside."""
    rings, around = 41, 40
    t = np.linspace(0.0, np.pi, rings)
    a = np.arange(around) * 2 * np.pi / around
    r = radius * np.sin(t)[:, None] ** 0.4
    local = np.stack(
        [
            r * np.sin(a),
            np.broadcast_to(-0.5 * length * np.cos(t)[:, None], (rings, around)),
            r * np.cos(a),
        ],
        -1,
    )
    i, j = np.mgrid[: rings - 1, :around]
    k = (j + 1) % around
    p, q, u, v = (
        x.ravel()
        for x in (i * around + j, i * around + k, (i + 1) * around + j, (i + 1) * around + k)
    )
    f = np.concatenate([np.stack([p, q, v], -1), np.stack([p, v, u], -1)])
    points = local.reshape(-1, 3)
    if axis == 0:  # a quarter turn about z
        points = np.stack([-points[:, 1], points[:, 0], points[:, 2]], -1)
    return points + np.array(middle), f


@pytest.fixture(scope="module")
def body() -> Body:
    """Round limbs with many vertices; only what colours need of a body is meaningful."""
    made = make_synthetic_body().personalised(np.zeros(4))
    limbs = [
        ((0.0, 0.2, 0.0), 0.14, 0.66, 1, "torso", "spine2"),
        ((0.1, -0.5, 0.0), 0.07, 0.9, 1, "leg", "left_knee"),
        ((-0.1, -0.5, 0.0), 0.07, 0.9, 1, "leg", "right_knee"),
        ((0.45, 0.45, 0.0), 0.045, 0.6, 0, "arm", "left_elbow"),
        ((-0.45, 0.45, 0.0), 0.045, 0.6, 0, "arm", "right_elbow"),
        ((0.0, 0.68, 0.0), 0.09, 0.26, 1, "face", "head"),
    ]
    vertices, triangles, parts, weights = [], [], [], []
    for middle, radius, length, axis, part, joint in limbs:
        v, f = tube(middle, radius, length, axis)
        triangles.append(f + sum(len(x) for x in vertices))
        vertices.append(v)
        parts.append(np.full(len(f), made.part_names.index(part)))
        weights.append(np.tile(np.eye(55)[JOINT_INDEX[joint]], (len(v), 1)))
    return replace(
        made,
        v_template=np.concatenate(vertices),
        f=np.concatenate(triangles),
        face_part=np.concatenate(parts),
        weights=np.concatenate(weights),
    )


@pytest.fixture(scope="module")
def samples(body: Body) -> SurfaceSamples:
    """Two points in every triangle."""
    triangle = np.repeat(np.arange(len(body.f)), 2)
    bary = np.tile([[0.6, 0.2, 0.2], [0.1, 0.5, 0.4]], (len(body.f), 1))
    nowhere = np.zeros(len(triangle), int)
    return SurfaceSamples(triangle, bary, nowhere, nowhere, 1)


def test_unrolling_counts_from_the_front_and_keeps_heights(body: Body) -> None:
    groups = vertex_groups(body)
    for group, along in ((TORSO, 1), (LEFT_ARM, 0)):
        own = body.v_template[groups == group]
        flat = unroll_limb(own, own, body, group)
        assert flat.arc.min() >= 0
        assert flat.arc.max() < 1
        assert abs(np.corrcoef(flat.height, own[:, along])[0, 1]) > 0.999
        # A quarter of the way around lies the left (the top of an arm), half way the back.
        side = own[:, 0] if group == TORSO else own[:, 1] - np.median(own[:, 1])
        quarter = np.abs(flat.arc - 0.25) < 0.05
        half = np.abs(flat.arc - 0.5) < 0.05
        assert side[quarter].mean() > np.abs(side[half]).mean()
        assert own[half, 2].mean() < own[quarter, 2].mean()
        girth = np.linalg.norm(np.ptp(own, axis=0))
        assert (flat.girth > 0.1 * girth).all()
        assert (flat.girth < 4 * girth).all()


def test_folds_see_less_than_the_open(body: Body) -> None:
    seen = vertex_occlusion(body)
    assert seen.shape == (len(body.v_template),)
    assert seen.min() >= 0
    assert seen.max() <= 1 + 1e-9
    crown = body.v_template[:, 1].argsort()[-5:]
    assert seen[crown].mean() > 0.97
    between = np.abs(body.v_template[:, 0]) < 0.04
    between &= np.abs(body.v_template[:, 1] + 0.5) < 0.2
    outside = (np.abs(body.v_template[:, 0]) > 0.16) & (np.abs(body.v_template[:, 1] + 0.5) < 0.2)
    assert seen[between].mean() < seen[outside].mean() - 0.15


def dressed_person(
    body: Body, samples: SurfaceSamples
) -> tuple[dict[str, np.ndarray], SimpleNamespace]:
    """A striped vest with a badge, plain trousers, bare limbs: what the photo shows of them."""
    camera = photo_camera(430.0, 300, 320)
    vertices = body.v_template + np.array([0, 0, -3.0])
    points = samples.points(vertices, body.f)
    normals = samples.points(vertex_normals(vertices, body.f), body.f)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    part = np.array(body.part_names)[body.face_part[samples.triangle]]
    label = np.where(part == "torso", UPPER, np.where(part == "leg", LOWER, SKIN))
    rest = samples.points(body.v_template, body.f)
    red = np.mod(rest[:, 1], 0.16) < 0.08
    vest = np.where(red[:, None], [0.7, 0.15, 0.15], [0.85, 0.85, 0.8])
    albedo = np.where((label == UPPER)[:, None], vest, SKIN_TONE)
    albedo[label == LOWER] = [0.2, 0.25, 0.4]
    truth = 0.75 * albedo * from_the_left(normals)
    shown = truth.copy()
    middle = [0.0, 0.2, 0.0]
    badge = (label == UPPER) & (rest[:, 2] > 0) & (np.abs(rest - middle)[:, :2].max(1) < 0.04)
    shown[badge] = [0.1, 0.7, 0.2]
    ray = points / np.linalg.norm(points, axis=1, keepdims=True)
    facing = -(normals * ray).sum(1)
    known = facing > 0.3
    xy, z = project(points, camera)
    order = np.argsort(-z)
    picture = np.full((320, 300, 3), 0.5)
    labels = np.zeros((320, 300), int)
    col, row = xy.astype(int).T
    front = order[facing[order] > 0]
    picture[row[front], col[front]] = shown[front]
    labels[row[front], col[front]] = label[front]
    mask = labels > 0
    color = np.where(known[:, None], shown, 0.0)
    nothing = np.zeros_like(mask)
    regions = SimpleNamespace(
        mask=mask,
        label=labels,
        skin=labels == SKIN,
        hair=nothing,
        group=np.where(mask, 0, -1),
        skin_color=0.75 * SKIN_TONE,
        unit=8.0,
    )
    view = SimpleNamespace(
        camera=camera,
        colors=picture,
        alpha=mask.astype(float),
        regions=regions,
        sheets=(),
        fine=picture,
    )
    return {
        "points": points,
        "normals": normals,
        "label": label,
        "known": known,
        "color": color,
        "truth": truth,
        "badge": badge,
        "rest": rest,
        "red": red,
        "facing": facing,
    }, view


def test_a_back_continues_the_front_without_its_badge(body: Body, samples: SurfaceSamples) -> None:
    person, view = dressed_person(body, samples)
    out = complete_texels(
        person["points"],
        person["normals"],
        person["label"],
        person["known"],
        person["color"],
        np.full(len(samples.triangle), 0.004),
        samples,
        body,
        view,
    )
    known, label = person["known"], person["label"]
    np.testing.assert_array_equal(out[known], person["color"][known])
    assert out.min() >= 0
    assert out.max() <= 1
    behind = ~known & (person["facing"] < -0.2)
    for which in (LOWER, SKIN):
        own = behind & (label == which)
        assert np.abs(out[own].mean(0) - person["truth"][own].mean(0)).max() < 0.1
    vest = behind & (label == UPPER)
    green = out[vest][:, 1] - out[vest][:, 0]
    assert green.max() < 0.35, "the badge went round"  # it has 0.6
    stripe = out[vest & person["red"]].mean(0), out[vest & ~person["red"]].mean(0)
    assert (stripe[1] - stripe[0])[1] > 0.22, "the stripes do not go on behind"
    # No colour of the vest runs into the trousers, which are twice as blue as red.
    seam = out[~known & (label == LOWER)]
    assert (seam[:, 0] / seam[:, 2]).max() < 0.85


def test_what_nobody_saw_gets_a_colour_of_its_kind(body: Body, samples: SurfaceSamples) -> None:
    person, view = dressed_person(body, samples)
    groups = vertex_groups(body)[body.f[samples.triangle, 0]]
    known = person["known"] & (groups == HEAD)
    out = complete_texels(
        person["points"],
        person["normals"],
        person["label"],
        known,
        person["color"],
        np.full(len(samples.triangle), 0.004),
        samples,
        body,
        view,
    )
    assert np.isfinite(out).all()
    own = ~known & (person["label"] == SKIN)
    assert np.abs(np.median(out[own], axis=0) - 0.75 * SKIN_TONE).max() < 0.2


def test_unseen_trousers_are_of_what_the_legs_show(body: Body, samples: SurfaceSamples) -> None:
    """Where the frame ends at the thighs, jeans may have been taken for more of the shirt."""
    person, view = dressed_person(body, samples)
    truth, label = person["truth"], person["label"].copy()
    legs = label == LOWER
    below = legs & (person["rest"][:, 1] < np.median(person["rest"][legs, 1]))
    label[legs & ~below] = UPPER
    view.regions.label[view.regions.label == LOWER] = UPPER
    out = complete_texels(
        person["points"],
        person["normals"],
        label,
        person["known"] & ~below,
        person["color"],
        np.full(len(samples.triangle), 0.004),
        samples,
        body,
        view,
    )
    assert np.abs(np.median(out[below], axis=0) - np.median(truth[below], axis=0)).max() < 0.1


def test_straps_of_sandals_do_not_cover_the_heel(body: Body, samples: SurfaceSamples) -> None:
    """Repeated as a pattern they would, and averaged with skin they would tint it."""
    person, view = dressed_person(body, samples)
    label, color, rest = person["label"].copy(), person["color"].copy(), person["rest"]
    feet = (label == LOWER) & (rest[:, 1] < np.quantile(rest[label == LOWER, 1], 0.3))
    label[feet] = SHOES
    strap = feet & (np.mod(rest[:, 1], 0.05) < 0.015)
    color[feet & person["known"]] = 0.75 * SKIN_TONE
    color[strap & person["known"]] = 0.05
    col, row = project(person["points"], view.camera)[0].astype(int).T
    view.regions.label[row[feet], col[feet]] = SHOES
    out = complete_texels(
        person["points"],
        person["normals"],
        label,
        person["known"],
        color,
        np.full(len(samples.triangle), 0.004),
        samples,
        body,
        view,
    )
    behind = feet & (person["facing"] < -0.4)
    assert behind.sum() > 100
    assert np.abs(np.median(out[behind], axis=0) - 0.75 * SKIN_TONE).max() < 0.15
    assert (np.abs(out[behind] - 0.75 * SKIN_TONE).max(1) < 0.25).mean() > 0.9


def test_below_the_frame_a_limb_goes_on_as_it_ended() -> None:
    """A little of light jeans under a long black shirt whose label is theirs as well."""
    rest, _ = cloth(8000)
    seen = ((rest[:, 2] > 0) & (rest[:, 1] > -0.05)).astype(float)
    jeans = rest[:, 1] < 0.03
    albedo = np.where(jeans[:, None], [0.5, 0.6, 0.75], [0.05, 0.05, 0.05])
    found = fabrics_of(albedo, rest, seen)
    below = rest[:, 1] < -0.08
    np.testing.assert_allclose(found.colors[found.around[below]], albedo[below], atol=0.05)
