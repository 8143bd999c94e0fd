"""Crumbs that hang beside limbs at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import PARTS, BoundGaussians, FloatArray
from likeness.engine.gaussians import bind_gaussians, place_gaussians
from likeness.engine.gaussians.lift.splats.crumbs import (
    S,
    drop_crumbs,
    find_cloth_off_bare_forearms,
    lay_sleeves_on_upper_arms,
)
from likeness.engine.gaussians.lift.surface.limbs import ARM_CHAINS, ARMS, TORSO, vertex_groups
from likeness.engine.gaussians.lift.surface.surfels import PHOTO, surfels_on_plane


def test_small_clusters_beside_a_limb_are_left_out() -> None:
    body = make_synthetic_body().personalised(np.zeros(4))
    rest = np.asarray(body.v_template, np.float64)
    group = vertex_groups(body)[body.f].min(1)
    centre, normal = rest[body.f].mean(1), vertex_normals(rest, body.f)[body.f].mean(1)
    arm = np.nonzero((vertex_groups(body)[body.f] == ARMS[0]).all(1))[0]
    arm = arm[np.argsort(np.abs(centre[arm, 0] - np.median(centre[arm, 0])))]
    trunk = np.nonzero(group == TORSO)[0][:1]

    def cluster(triangle: int, count: int, height: float) -> tuple[FloatArray, FloatArray]:
        steps = np.linspace(-0.4, 0.4, count)[:, None] * S.gap
        out = normal[triangle] / np.linalg.norm(normal[triangle])
        return centre[triangle] + height * out + steps * [1.0, 0, 0], np.full(count, triangle)

    skin = rest[body.f].mean(1), np.arange(len(body.f))
    crumb = cluster(arm[0], 20, 0.08)
    piece = cluster(arm[40], S.size + 20, 0.08)
    steps = [cluster(arm[80], 3, height) for height in np.arange(0.0, 0.08, 0.6 * S.gap)]
    tuft = tuple(np.concatenate(parts) for parts in zip(*steps, strict=True))
    chest = cluster(trunk[0], 20, 0.08)
    scrap = cluster(trunk[0], S.size + 20, 0.12)
    parts = (skin, crumb, piece, tuft, chest, scrap)
    means, triangle = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    n = len(means)
    mark = np.repeat(np.arange(6.0), [len(part[0]) for part in parts])
    colors = np.tile(mark[:, None], 3)
    flat = np.tile([0.0, 0.0, 1.0], (n, 1))
    world = surfels_on_plane(means, flat, np.full(n, 0.002), colors, np.ones(n))
    bary = np.full((n, 3), 1.0 / 3.0)
    bound = bind_gaussians(world, triangle, bary, np.full(n, PHOTO, np.uint8), rest, body)
    kept = np.bincount(drop_crumbs(bound, body).colors[:, 0].astype(int), minlength=6)
    np.testing.assert_array_equal(kept, [len(skin[0]), 0, *(len(p[0]) for p in parts[2:])])
    clothed = replace(bound, part=np.full(n, PARTS.index("upper"), np.uint8))
    kept = np.bincount(drop_crumbs(clothed, body).colors[:, 0].astype(int), minlength=6)
    np.testing.assert_array_equal(kept, [len(skin[0]), 0, len(piece[0]), len(tuft[0]), 0, 0])


def test_coarse_splats_of_a_loose_sleeve_are_no_crumbs() -> None:
    body = make_synthetic_body().personalised(np.zeros(4))
    rest = np.asarray(body.v_template, np.float64)
    arm = np.nonzero((vertex_groups(body)[body.f] == ARMS[0]).all(1))[0]
    normal = vertex_normals(rest, body.f)[body.f[arm]].mean(1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    means = rest[body.f[arm]].mean(1) + 0.05 * normal
    apart = np.sort(np.linalg.norm(means[:, None] - means, axis=2), axis=1)[:, 1]
    assert np.median(apart) > S.gap  # coarser than the gap that parts a crumb
    flat = np.full((len(arm), 3), 1.0 / 3.0)
    layer = np.full(len(arm), PHOTO, np.uint8)
    fine, coarse = np.full(len(arm), 1e-3), np.maximum(apart, 1e-3)
    for radius, least, most in ((fine, 0.0, 0.3), (coarse, 1.0, 1.0)):
        world = surfels_on_plane(means, normal, radius, flat, np.ones(len(arm)))
        skin = surfels_on_plane(
            rest[body.f].mean(1),
            np.tile([0.0, 0.0, 1.0], (len(body.f), 1)),
            np.full(len(body.f), 1e-3),
            np.zeros((len(body.f), 3)),
            np.ones(len(body.f)),
        )
        thirds = np.full((len(body.f), 3), 1.0 / 3.0)
        bound = BoundGaussians.concatenate(
            [
                bind_gaussians(world, arm, flat, layer, rest, body),
                bind_gaussians(
                    skin,
                    np.arange(len(body.f)),
                    thirds,
                    np.full(len(body.f), PHOTO, np.uint8),
                    rest,
                    body,
                ),
            ]
        )
        sleeve = drop_crumbs(bound, body).colors[:, 0] > 0.1
        assert least <= sleeve.sum() / len(arm) <= most


@pytest.mark.parametrize("sleeve", [0.1, 0.5])
def test_cloth_off_a_bare_forearm_goes_and_a_sleeve_stays(sleeve: float) -> None:
    """Near the elbow a cuff may be rolled up; what is farther off is background, or a hem."""
    body = make_synthetic_body().personalised(np.zeros(4))
    rest = np.asarray(body.v_template, np.float64)
    elbow = ARM_CHAINS[ARMS[0]][1]
    fore = np.nonzero(body.weights[:, elbow][body.f].mean(1) > 0.5)[0]
    triangle = np.tile(fore, 40)
    cloth = np.arange(len(triangle)) < sleeve * len(triangle)
    far = cloth & (np.arange(len(triangle)) % 2 == 0)
    normal = vertex_normals(rest, body.f)[body.f[triangle]].mean(1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    means = rest[body.f[triangle]].mean(1) + np.where(far, 0.05, 0.01)[:, None] * normal
    count = len(triangle)
    world = surfels_on_plane(
        means, normal, np.full(count, 0.004), np.ones((count, 3)), np.ones(count)
    )
    layer = np.full(count, PHOTO, np.uint8)
    bary = np.full((count, 3), 1.0 / 3.0)
    part = np.where(cloth, PARTS.index("upper"), PARTS.index("skin")).astype(np.uint8)
    bound = replace(bind_gaussians(world, triangle, bary, layer, rest, body), part=part)
    elbow_at, wrist_at = body.J_template[list(ARM_CHAINS[ARMS[0]][1:])]
    bone = wrist_at - elbow_at
    lower = (rest[body.f[triangle]].mean(1) - elbow_at) @ bone / (bone @ bone) > S.cuff
    assert 0.1 < lower.mean() < 0.9
    np.testing.assert_array_equal(
        find_cloth_off_bare_forearms(bound, body), cloth & (far | lower) & (sleeve < 1.0 - S.bare)
    )


@pytest.mark.parametrize("worn", ["upper", "skin"])
def test_the_end_of_a_sleeve_before_the_upper_arm_is_laid_on_it(worn: str) -> None:
    """A bent forearm in front of it held it: raised, it would carry the cloth along."""
    body = make_synthetic_body().personalised(np.zeros(4))
    vertices = np.asarray(body.v_template, np.float64) - [0.0, 0.0, 3.0]
    camera = photo_camera(800.0, 640, 480)
    shoulder, elbow, _ = ARM_CHAINS[ARMS[0]]
    centre, normal = vertices[body.f].mean(1), vertex_normals(vertices, body.f)[body.f].mean(1)
    upper, fore = (
        np.nonzero((body.weights[:, joint][body.f].mean(1) > 0.9) & (normal[:, 2] > 0.5))[0]
        for joint in (shoulder, elbow)
    )
    above = centre[upper] + [0.0, 0.3, 0.0]
    skin = np.tile(fore, 20)
    # Before the upper arm, as far before what is beside it, the forearm's skin, and the upper arm.
    means = np.concatenate([0.9 * centre[upper], 0.9 * above, centre[skin], centre[upper]])
    counts = len(upper), len(upper), len(skin), len(upper)
    tone = np.repeat([0.1, 0.5, 0.9, 0.7], counts)
    world = surfels_on_plane(
        means,
        np.tile([0.0, 0.0, 1.0], (len(means), 1)),
        np.full(len(means), 0.004),
        np.repeat(tone[:, None], 3, axis=1),
        np.ones(len(means)),
    )
    triangle = np.concatenate([np.resize(fore, counts[0] + counts[1]), skin, upper])
    layer, bary = np.full(len(means), PHOTO, np.uint8), np.full((len(means), 3), 1.0 / 3.0)
    part = np.repeat([PARTS.index(name) for name in ("upper", "upper", "skin", worn)], counts)
    bound = bind_gaussians(world, triangle, bary, layer, vertices, body)
    bound = replace(bound, part=part.astype(np.uint8))
    found = lay_sleeves_on_upper_arms(bound, camera, vertices, body)
    kept = [int(np.isclose(found.colors[:, 0], value).sum()) for value in (0.1, 0.5, 0.9, 0.7)]
    assert kept == [counts[0] * (worn == "upper"), 0, counts[2], counts[3]]
    if worn == "skin":  # a bare upper arm has no sleeve
        return
    hem = np.isclose(found.colors[:, 0], 0.1)
    assert (body.weights[:, shoulder][body.f[found.triangle[hem]]].mean(1) > 0.5).all()
    again = place_gaussians(found.take(hem), vertices, body)
    before = means[: counts[0]]
    np.testing.assert_allclose(
        project(again.means, camera)[0], project(before, camera)[0], atol=1e-2
    )
    np.testing.assert_allclose(again.means[:, 2], centre[upper, 2] + S.thick, atol=1e-3)
    np.testing.assert_allclose(
        again.scales[:, 0], 0.004 * again.means[:, 2] / before[:, 2], rtol=1e-3
    )
