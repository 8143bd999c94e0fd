"""Colours of what a photo does not show, completed on a whole person of round limbs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_INDEX, FloatArray
from likeness.engine.dual_uv.sampling import SurfaceSamples
from likeness.engine.gaussians.lift.colors.colors import _light_all_around, complete_texels
from likeness.engine.gaussians.lift.colors.colors_base import _glimpsed_trousers, default_albedo
from likeness.engine.gaussians.lift.colors.colors_detail import S as DETAIL
from likeness.engine.gaussians.lift.colors.colors_detail import _Cloth
from likeness.engine.gaussians.lift.colors.folds import USUAL_BANDS
from likeness.engine.gaussians.lift.photo.patterns import Prints
from likeness.engine.gaussians.lift.photo.photo_light import PhotoLight
from likeness.engine.gaussians.lift.surface.colors_occlusion import vertex_occlusion
from likeness.engine.gaussians.lift.surface.colors_unroll import unroll_limb
from likeness.engine.gaussians.lift.surface.labels import LOWER, SHOES, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limb_grid import LimbGrid
from likeness.engine.gaussians.lift.surface.limbs import (
    HEAD,
    LEFT_ARM,
    LEFT_LEG,
    TORSO,
    vertex_groups,
)

from .test_lift_colors import SKIN_TONE, from_the_left


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
        group=np.where(labels == LOWER, LEFT_LEG, np.where(mask, TORSO, -1)),
        face=nothing,
        skin_color=0.75 * SKIN_TONE,
        unit=8.0,
    )
    view = SimpleNamespace(
        camera=camera,
        colors=picture,
        alpha=mask.astype(float),
        regions=regions,
        sheets=(SimpleNamespace(mask=mask, visible=mask, front=np.full(mask.shape, 2.5)),),
        borders=SimpleNamespace(behind=nothing),
        fine=picture,
        prints=Prints(frozenset(), frozenset()),
        may_shade=lambda xy: np.zeros(len(xy), bool),
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


def complete(
    person: dict[str, np.ndarray],
    samples: SurfaceSamples,
    body: Body,
    view: SimpleNamespace,
    **changed: np.ndarray,
) -> FloatArray:
    """Colours of all texels, some of what the photo shows changed."""
    person = {**person, **changed}
    shown = (person[name] for name in ("points", "normals", "label", "known", "color"))
    radius = np.full(len(samples.triangle), 0.004)
    out, _ = complete_texels(*shown, radius, samples, body, vertex_occlusion(body), view)
    return out


def test_a_back_continues_the_front_without_its_badge(body: Body, samples: SurfaceSamples) -> None:
    person, view = dressed_person(body, samples)
    out = complete(person, samples, body, view)
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


@pytest.mark.parametrize(
    ("bare", "lamp", "expected"),
    [(300, 0.1, np.exp(0.06)), (300, 1.0, 1.1), (40, 0.1, 1.0)],
    ids=["as its front", "at most a tenth", "too few pixels"],
)
def test_bare_arms_are_lit_behind_as_in_front(bare: int, lamp: float, expected: float) -> None:
    """A lamp above lights the arm's front more than the face."""
    count = [2 * bare, bare, 50]
    normals = np.repeat([[0.0, 0.0, 1.0], [0.0, 0.6, 0.8], [0.0, 0.0, -1.0]], count, axis=0)
    group = np.repeat([HEAD, LEFT_ARM, LEFT_ARM], count)
    shown = np.repeat([1.0, 1.0, 0.0], count)
    terms = np.zeros((9, 3))
    terms[2] = lamp
    lit = _light_all_around(PhotoLight(terms), normals, np.full(len(group), SKIN), group, shown)
    np.testing.assert_allclose(lit[-50:] / lit[0], np.full((50, 3), expected), rtol=2e-3)


def test_what_nobody_saw_gets_a_colour_of_its_kind(body: Body, samples: SurfaceSamples) -> None:
    person, view = dressed_person(body, samples)
    groups = vertex_groups(body)[body.f[samples.triangle, 0]]
    known = person["known"] & (groups == HEAD)
    out = complete(person, samples, body, view, known=known)
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
    out = complete(person, samples, body, view, label=label, known=person["known"] & ~below)
    assert np.abs(np.median(out[below], axis=0) - np.median(truth[below], axis=0)).max() < 0.1


def test_unseen_trousers_of_an_orange_suit_are_not_its_black_ring() -> None:
    rng = np.random.default_rng(0)
    picture = np.array([0.9, 0.4, 0.15]) * rng.uniform(0.6, 1.1, (40, 40, 1))
    picture[:12] = 0.04  # a quarter, all of one colour
    mask = np.ones((40, 40), bool)
    regions = SimpleNamespace(
        mask=mask, label=np.where(mask, UPPER, 0), group=np.full((40, 40), TORSO), unit=10.0
    )
    view = SimpleNamespace(colors=picture, regions=regions)
    trousers = default_albedo(LOWER, view)
    assert trousers[0] > 1.1 * trousers[2]
    assert 0.15 < trousers.mean() < 0.3
    for black in (0.05, 0.0):
        view.colors = np.full((40, 40, 3), black)
        assert default_albedo(LOWER, view).mean() == pytest.approx(0.07)  # folds show on it
    navy = np.array([0.05, 0.06, 0.12])
    view.colors = np.tile(navy, (40, 40, 1))
    suit = default_albedo(LOWER, view)  # jacket and trousers are one suit
    assert suit.mean() == pytest.approx(1.3 * navy.mean())
    assert suit[2] > 1.5 * suit[0]
    assert 0.05 < default_albedo(SHOES, view).mean() < 0.1


@pytest.mark.parametrize("patch", [0, 8])
def test_below_a_face_alone_clothes_are_grey(patch: int) -> None:
    """A bare shoulder that was taken for cloth gives them no colour, a real shirt does."""
    label = np.full((80, 80), SKIN)
    label[80 - patch :, :patch] = UPPER
    colors = np.tile(SKIN_TONE, (80, 80, 1))
    regions = SimpleNamespace(
        mask=np.ones((80, 80), bool),
        label=label,
        group=np.full((80, 80), TORSO),
        skin_color=np.asarray(SKIN_TONE),
        unit=20.0,
    )
    view = SimpleNamespace(colors=colors, regions=regions)
    assert np.ptp(default_albedo(UPPER, view)) < 0.06
    red = np.array([0.6, 0.05, 0.08])  # of the skin's hue, but no skin is so vivid
    colors[label == UPPER] = red
    if patch:
        np.testing.assert_allclose(default_albedo(UPPER, view), red)
    label[40:] = UPPER
    colors[40:] = [0.1, 0.5, 0.2]
    np.testing.assert_allclose(default_albedo(UPPER, view), [0.1, 0.5, 0.2])


def test_a_glimpse_of_a_purple_stripe_makes_no_purple_trousers(
    body: Body, samples: SurfaceSamples
) -> None:
    """The frame ends at the hips: what is called trousers there is the shirt's last stripe."""
    person, view = dressed_person(body, samples)
    legs, known = person["label"] == LOWER, person["known"].copy()
    height = person["rest"][:, 1]
    top = np.quantile(height[legs & known], 0.93)
    glimpse = legs & known & (height > top)
    assert 40 < glimpse.sum() < 0.06 * legs.sum()
    known &= ~legs | glimpse
    color = np.where((legs & known)[:, None], [0.55, 0.12, 0.12], person["color"])
    shown = view.regions.label == LOWER
    view.regions.mask = view.regions.mask & ~shown
    for torso, red in ((view.colors, False), (np.full_like(view.colors, 0.4), True)):
        view.colors = torso
        out = complete(person, samples, body, view, known=known, color=color)
        below = legs & (height < top - 0.3)
        r, g, b = np.median(out[below], axis=0)
        assert (r > 2.0 * max(g, b)) == red


@pytest.mark.parametrize("called", [LOWER, UPPER])
def test_a_strip_of_blue_trousers_is_their_colour(called: int) -> None:
    """Pixels of trousers that lie on the trunk do not make the upper wear blue."""
    blue, count = np.array([0.13, 0.18, 0.3]), 200
    white, mask = np.full((60, 60, 3), 0.8), np.ones((60, 60), bool)
    strip = np.arange(60)[:, None] >= 48 + 0 * np.arange(60)
    regions = SimpleNamespace(
        mask=mask,
        skin=~mask,
        label=np.where(strip, called, UPPER),
        group=np.full((60, 60), TORSO),
        unit=20.0,
    )
    view: Any = SimpleNamespace(colors=np.where(strip[..., None], blue, white), regions=regions)
    texels: Any = SimpleNamespace(group=np.full(count, LEFT_LEG), label=np.full(count, LOWER))
    own = _glimpsed_trousers(
        texels, np.tile(blue, (count, 1)), np.ones(count), np.full(3, 0.35), view
    )
    assert (np.abs(own - blue).max() < 0.02) == (called == LOWER)


@pytest.mark.parametrize("called", [LOWER, UPPER])
def test_a_shirt_that_hangs_over_the_legs_makes_no_trousers_of_its_cloth(called: int) -> None:
    white, count = np.full(3, 0.8), 200
    mask = np.ones((60, 60), bool)
    regions = SimpleNamespace(
        mask=mask,
        skin=~mask,
        label=np.full((60, 60), UPPER),
        group=np.full((60, 60), TORSO),
        unit=20.0,
    )
    view: Any = SimpleNamespace(colors=np.tile(white, (60, 60, 1)), regions=regions)
    texels: Any = SimpleNamespace(group=np.full(count, LEFT_LEG), label=np.full(count, called))
    own = _glimpsed_trousers(texels, np.tile(white, (count, 1)), np.ones(count), white, view)
    assert (own.mean() > 0.75) == (called == LOWER)


def test_bare_limbs_have_little_of_the_texture_that_clothes_have(body: Body) -> None:
    """What is seen of a limb is a narrow strip: all of it would go round as bands."""
    u, v = np.divmod(np.arange(6000), 100)
    grid = LimbGrid(u.astype(float), v.astype(float), (60, 100), 0.006, 0.0)
    texture = 0.05 * np.random.default_rng(0).normal(size=(60, 100, 3))
    source = np.arange(100) < 50 + np.zeros((60, 1))
    wanted = v >= 50
    rows, even = np.nonzero(wanted)[0], np.zeros((60, 100))
    cloth = _Cloth(grid, wanted, rows, texture, None, even, source, source, True)
    bare, worn = (
        cloth.textured(
            np.full((6000, 3), 0.5), label, [], DETAIL.usual_fold * USUAL_BANDS, TORSO, body
        ).std()
        for label in (SKIN, UPPER)
    )
    assert 0.0 < bare < 0.5 * worn


@pytest.mark.parametrize("light", [0.3, 0.9, 0.99])
def test_crests_of_folds_are_not_brighter_than_white(body: Body, light: float) -> None:
    u, v = np.divmod(np.arange(6000), 100)
    grid = LimbGrid(u.astype(float), v.astype(float), (60, 100), 0.006, 0.0)
    none, every = np.zeros((60, 100), bool), np.ones(6000, bool)
    plain, even = np.zeros((60, 100, 3)), np.zeros((60, 100))
    cloth = _Cloth(grid, every, np.arange(6000), plain, even, even, none, none, True)
    texture = cloth.textured(np.full((6000, 3), light), UPPER, [], 0.3 * USUAL_BANDS, TORSO, body)
    assert (texture > 0.0).any()
    assert (texture < -0.05).any()
    assert light + texture.max() <= 1.0 + 1e-9


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
    out = complete(person, samples, body, view, label=label, color=color)
    behind = feet & (person["facing"] < -0.4)
    assert behind.sum() > 100
    assert np.abs(np.median(out[behind], axis=0) - 0.75 * SKIN_TONE).max() < 0.15
    assert (np.abs(out[behind] - 0.75 * SKIN_TONE).max(1) < 0.25).mean() > 0.9


def test_shade_at_a_flank_passes_into_the_back(body: Body, samples: SurfaceSamples) -> None:
    """Else it ends in a line where the photo's last splats are."""
    person, view = dressed_person(body, samples)
    label, facing, rest = person["label"], person["facing"], person["rest"]
    height = np.quantile(rest[label == LOWER, 1], [0.4, 0.7])
    leg = (label == LOWER) & (rest[:, 0] > 0) & (rest[:, 1] > height[0]) & (rest[:, 1] < height[1])
    outer = rest[:, 0] > np.median(rest[leg, 0])
    color = person["color"].copy()
    color[leg & outer & person["known"] & (facing < 0.7)] *= 0.8
    even = complete(person, samples, body, view)
    shaded = complete(person, samples, body, view, color=color)
    change = np.log((shaded + 0.02) / (even + 0.02)).mean(1)
    beside = leg & outer & ~person["known"] & (facing > 0.0)
    other = (label == LOWER) & (rest[:, 0] < -0.02) & ~person["known"]
    assert min(beside.sum(), other.sum()) > 20
    assert np.median(change[beside]) < -0.05
    assert abs(np.median(change[other])) < 0.03
