"""Closed shoes: their last, their fit to a photo, and where they end."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import BoolArray, Camera, FloatArray, Pose
from likeness.engine.gaussians.lift.accessories.shoes import SPREAD, S, Shoe, fit_shoes, make_last
from likeness.engine.gaussians.lift.garments.labels_hidden import level_shoes
from likeness.engine.gaussians.lift.garments.labels_surface import vertex_parts
from likeness.engine.gaussians.lift.pixels.shoe_pixels import settle_hem_pixels
from likeness.engine.gaussians.lift.splats.texel_colors import even_shoe_normals
from likeness.engine.gaussians.lift.surface.labels import LABELS, LOWER, SHOES, SKIN, standard_rest
from likeness.engine.gaussians.lift.surface.limbs import LEFT_LEG, RIGHT_LEG, vertex_groups
from likeness.engine.poses import build_pose
from likeness.engine.render.mesh import rasterize_mesh
from scipy.spatial import ConvexHull, Delaunay

LEATHER, SKIN_TONE = np.array([0.2, 0.2, 0.25]), np.array([0.8, 0.6, 0.5])


def _foot(body: Body, sign: float = 1.0) -> tuple[Any, FloatArray, FloatArray]:
    """Rows, vertices at rest and normals of a foot."""
    rest = np.asarray(body.v_template, np.float64)
    rows = np.nonzero((vertex_parts(body) == "foot") & (sign * rest[:, 0] > 0))[0]
    return rows, rest[rows], vertex_normals(rest, body.f)[rows]


def test_a_last_is_a_closed_hull_on_a_flat_sole(average: Body) -> None:
    _, foot, normals = _foot(average)
    last = make_last(foot, normals)
    assert np.linalg.norm(last - foot, axis=1).max() < 0.05
    # No gaps between toes: few of the front's vertices lie deep inside its own hull.
    length = np.ptp(foot[:, 2])

    def hollow(points: FloatArray) -> float:
        front = points[foot[:, 2] > foot[:, 2].min() + 0.75 * length]
        hull = front[ConvexHull(front).vertices]
        return float((Delaunay(0.9 * hull + 0.1 * front.mean(0)).find_simplex(front) >= 0).mean())

    assert hollow(last) < 0.5 * hollow(foot)
    # A flat sole below a heel that is as wide, and a toe box that is higher than toes.
    below = (last[:, 1] < last[:, 1].min() + 0.004) & (normals[:, 1] < -0.4)
    assert below.sum() > 0.6 * (normals[:, 1] < -0.4).sum()
    toes = foot[:, 2] > foot[:, 2].min() + 0.85 * length
    assert last[toes, 1].max() > foot[toes, 1].max() + 0.5 * S.toe_box


def test_the_discs_of_a_shoe_lie_in_its_hull(average: Body) -> None:
    rows, foot, normals = _foot(average)
    last = make_last(foot, normals)
    index = np.full(len(average.v_template), -1)
    index[rows] = np.arange(len(rows))
    f = index[average.f][(index[average.f] >= 0).all(1)]
    points, normal = last[f].mean(1), vertex_normals(last, f)[f].mean(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    even = even_shoe_normals(points, normal, np.ones(len(points), bool))
    np.testing.assert_allclose(np.linalg.norm(even, axis=1), 1.0, atol=1e-6)
    hull = ConvexHull(last)
    toes = points[:, 2] > last[:, 2].min() + 0.8 * np.ptp(last[:, 2])
    gap = -(points @ hull.equations[:, :3].T + hull.equations[:, 3])
    outer = toes & (gap.min(1) < 0.004)
    wanted = hull.equations[gap.argmin(1), :3]

    def askew(of: FloatArray) -> float:
        return float(((of * wanted).sum(1)[outer] < 0.5).mean())

    assert outer.sum() > 30
    assert askew(even) < 0.6 * askew(normal)
    np.testing.assert_array_equal(
        even_shoe_normals(points, normal, np.zeros(len(points), bool)), normal
    )


def _wearer(body: Body, measures: FloatArray) -> tuple[Any, FloatArray, Camera, FloatArray]:
    """A photo of legs in shoes of some measures: regions, colours, camera, vertices."""
    pose = replace(build_pose("apose", body), transl=np.array([0.0, 0.9, -1.6]))
    pose.full_pose[0] = [0.25, 1.1, 0.0]
    vertices, _ = body.vertices(pose)
    camera = photo_camera(260.0, 240, 240)
    shod = np.array(vertices, np.float64)
    plain = SimpleNamespace(label=np.zeros((240, 240), int), group=np.full((240, 240), -1))
    plain.face = plain.mask = plain.label > 0
    nobody = np.zeros((240, 240, 3))
    for shoe in fit_shoes(cast(Any, plain), nobody, camera, body, vertices, np.ones(len(shod))):
        shod[shoe.rows] = replace(shoe, measures=measures).vertices()
    buffer = rasterize_mesh(shod, body.f, camera)
    drawn = buffer.face >= 0
    foot = (vertex_parts(body) == "foot")[body.f[buffer.face, 0]]
    group = np.where(drawn, vertex_groups(body)[body.f[buffer.face, 0]], -1)
    label = np.where(drawn, np.where(foot, SHOES, SKIN), 0)
    colors = np.where(foot[..., None], LEATHER, SKIN_TONE)
    regions = SimpleNamespace(mask=drawn, label=label, group=group, face=np.zeros_like(drawn))
    return regions, colors, camera, vertices


def test_the_photo_gives_a_shoe_its_length(average: Body) -> None:
    wanted = np.zeros(len(SPREAD))
    wanted[list(SPREAD).index("length")] = 0.14
    regions, colors, camera, vertices = _wearer(average, wanted)
    found = fit_shoes(regions, colors, camera, average, vertices, np.ones(len(vertices)))
    assert len(found) == 2
    for shoe in found:
        plain = replace(shoe, measures=np.zeros(len(SPREAD)))
        true = replace(shoe, measures=wanted).vertices()
        tip = shoe.foot[:, 2].argmax()
        before = np.linalg.norm(plain.vertices()[tip] - true[tip])
        assert np.linalg.norm(shoe.vertices()[tip] - true[tip]) < 0.4 * before


def test_bare_feet_and_sandals_have_none(average: Body) -> None:
    regions, colors, camera, vertices = _wearer(average, np.zeros(len(SPREAD)))
    none = np.zeros(len(vertices))
    assert fit_shoes(regions, colors, camera, average, vertices, none) == []
    straps = np.array(colors)
    rows = np.arange(240)[:, None] % 4 > 0
    straps[rows & (regions.label == SHOES)] = SKIN_TONE
    shod = np.ones(len(vertices))
    assert fit_shoes(regions, straps, camera, average, vertices, shod) == []


def test_shoes_turn_with_the_feet(average: Body) -> None:
    rows, foot, normals = _foot(average)
    below = np.clip((foot[:, 1].max() - foot[:, 1]) / S.collar, 0.0, 1.0)
    still = Shoe(
        rows, make_last(foot, normals), below, foot, foot, np.eye(3), np.zeros(len(SPREAD))
    )
    moved = still.vertices() - foot
    R = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    turned = replace(still, posed=foot @ R.T + 2.0, R=R)
    np.testing.assert_allclose(turned.vertices() - turned.posed, moved @ R.T, atol=1e-12)
    np.testing.assert_array_equal(moved[below == 0.0], 0.0)


@pytest.mark.parametrize("hem", [-0.93, -0.88, -0.82])
def test_a_hem_ends_at_its_edge(average: Body, hem: float) -> None:
    pose = replace(Pose.rest(average.num_expression), transl=np.array([0.0, 0.9, -1.6]))
    vertices, _ = average.vertices(pose)
    camera = photo_camera(260.0, 240, 240)
    buffer = rasterize_mesh(vertices, average.f, camera)
    part = np.where(buffer.face >= 0, average.face_part[buffer.face], 0)
    place = np.einsum("hwk,hwkd->hwd", buffer.bary, standard_rest(average)[average.f[buffer.face]])
    legs = (buffer.face >= 0) & np.isin(np.array(average.part_names)[part], ["leg", "foot"])
    before_toes = (place[..., 2] < 0.11) | (place[..., 1] > -0.7)
    jeans: BoolArray = legs & (place[..., 1] > hem) & before_toes
    lab = rgb_to_lab(np.where(jeans[..., None], [0.1, 0.1, 0.3], [0.7, 0.6, 0.4]))
    lab += np.random.default_rng(0).normal(0.0, 1.0, lab.shape)
    at_ankle = np.where(legs, np.where(place[..., 1] > -0.87, LOWER, SHOES), 0)
    places = SimpleNamespace(rest=place, part=part)
    settled = settle_hem_pixels(at_ankle, lab, cast(Any, places), average)
    right = (settled == LOWER) == jeans
    assert right[legs].mean() > 0.97
    assert (settled[~legs] == 0).all()


def test_shoes_end_behind_where_they_end_in_front(average: Body) -> None:
    rest, part = standard_rest(average), vertex_parts(average)
    legs = np.isin(part, ["leg", "foot"])
    front = legs & (rest[:, 2] > 0.02)
    label = np.where(rest[:, 1] < -0.86, SHOES, SKIN)
    hidden = np.eye(len(LABELS))[np.where(rest[:, 1] < -0.80, SHOES, SKIN)]
    level = level_shoes(hidden, label, 1.0 * front, rest, part)
    between = legs & (rest[:, 1] > -0.85) & (rest[:, 1] < -0.80)
    assert (level[between].argmax(1) == SKIN).all()
    assert (level[legs & (rest[:, 1] < -0.90)].argmax(1) == SHOES).all()
    # A hem that lies on the shoes hides where they end.
    trousers = np.where(rest[:, 1] < -0.86, SHOES, SKIN)
    unseen = level_shoes(hidden, trousers, 1.0 * (front & (rest[:, 1] < -0.86)), rest, part)
    np.testing.assert_array_equal(unseen, hidden)


def test_both_feet_are_found(average: Body) -> None:
    regions, colors, camera, vertices = _wearer(average, np.zeros(len(SPREAD)))
    groups = vertex_groups(average)
    found = fit_shoes(regions, colors, camera, average, vertices, np.ones(len(vertices)))
    legs = [np.bincount(groups[shoe.rows]).argmax() for shoe in found]
    assert legs == [LEFT_LEG, RIGHT_LEG]
