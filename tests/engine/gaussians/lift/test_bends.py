"""An elbow that is bent in the photo, stretched; one that is straight, bent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.cameras import look_at, photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.rotations import quaternion_to_matrix
from likeness.engine.core.types import JOINT_INDEX, BoundGaussians, FloatArray, Pose
from likeness.engine.gaussians.binding import bind_gaussians, place_gaussians
from likeness.engine.gaussians.lift.photo.photo_view import PhotoView
from likeness.engine.gaussians.lift.pixels.regions import find_regions
from likeness.engine.gaussians.lift.shape.depth_sheets import find_depth_sheets, find_limb_borders
from likeness.engine.gaussians.lift.shape.dressed_mesh import fit_dressed_mesh
from likeness.engine.gaussians.lift.splats.bends import (
    S,
    bending,
    lay_crotch_on_body,
    lay_out_bends,
    lengthen_texels,
    settle_outliers,
    stretched_surface,
)
from likeness.engine.gaussians.lift.splats.texel_samples import sample_texels
from likeness.engine.gaussians.lift.surface.limbs import ARMS, vertex_groups
from likeness.engine.gaussians.lift.surface.surfels import SHELL, surfels_on_plane
from likeness.engine.render import render_camera
from likeness.engine.render.mesh import rasterize_mesh
from scipy.spatial import cKDTree

from .observations import observe_nothing

SLEEVE = 0.03  # metres


def upright(splats: BoundGaussians, surface: FloatArray, body: Body) -> FloatArray:
    """[N] cosines between the splats' normals on the body at rest and a surface's normals."""
    placed = place_gaussians(splats, body.v_template, body)
    own = quaternion_to_matrix(np.asarray(placed.quats, np.float64))[:, :, 2]
    corner = body.f[splats.triangle]
    normal = np.einsum("nk,nkd->nd", splats.bary, vertex_normals(surface, body.f)[corner])
    return np.abs((own * normal).sum(1) / np.linalg.norm(normal, axis=1))


def test_a_folds_splats_lie_on_the_stretched_sleeve(average: Body) -> None:
    body, camera = average, photo_camera(620.0, 300, 400)
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    pose = pose.with_joints(
        left_shoulder=[0, 0, -0.9], right_shoulder=[0, 0, 0.9], right_elbow=[0, 2.1, 0]
    )
    vertices, _ = body.vertices(pose)
    groups = vertex_groups(body)
    arms = np.isin(groups, ARMS)
    sleeves = vertices + np.where(arms, SLEEVE, 0.0)[:, None] * vertex_normals(vertices, body.f)
    mask = rasterize_mesh(sleeves, body.f, camera).face >= 0
    colors = np.broadcast_to([0.2, 0.35, 0.6], (*mask.shape, 3)).copy()
    regions = find_regions(colors, mask, camera, vertices, body, observe_nothing(mask), 1.0, colors)
    none = np.zeros(len(vertices), bool)
    worn = arms.astype(float)
    dressed = fit_dressed_mesh(regions, camera, body, vertices, groups, worn, none, none)
    sheets = find_depth_sheets(regions, dressed, groups, camera)
    borders = find_limb_borders(sheets, mask)
    view = PhotoView(camera, colors, mask.astype(float), regions, sheets, borders, colors)

    # One splat for each triangle of the bent elbow, on the worn surface of the photo's pose.
    elbow = body.weights[body.f[:, 0], JOINT_INDEX["right_wrist"]] == 0.0
    bend = bending(body)[body.f].min(1) * (elbow & (groups[body.f[:, 0]] == ARMS[1]))
    triangle = np.nonzero(bend > 0.0)[0]
    n = len(triangle)
    assert n > 100
    bary = np.full((n, 3), 1.0 / 3.0)
    points = dressed.vertices[body.f[triangle]].mean(1)
    normals = vertex_normals(dressed.vertices, body.f)[body.f[triangle]].mean(1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    flat = surfels_on_plane(points, normals, np.full(n, 0.004), np.zeros((n, 3)), np.ones(n))
    before = bind_gaussians(flat, triangle, bary, np.full(n, SHELL), vertices, body)
    surface = stretched_surface(dressed, body, vertices)
    after = lay_out_bends(
        before, np.ones(n, bool), np.full(n, 0.004), np.zeros(n), surface, view, vertices, body
    )
    moved = (np.asarray(after.offset) != before.offset).any(1)
    assert moved.sum() > 0.1 * n
    assert np.percentile(upright(before.take(moved), surface, body), 10) < 0.9
    assert upright(after.take(moved), surface, body).min() > 0.99
    # As thick as the sleeve beside the elbow, up to a bend's limit.
    high = np.linalg.norm(after.offset, axis=1)[moved]
    assert 0.5 * SLEEVE < np.median(high) < S.high[0]
    # Nothing of it covers what the photo shows.
    xy, depth = project(
        np.asarray(place_gaussians(after.take(moved), vertices, body).means, np.float64), camera
    )
    col, row = xy.astype(int).T
    arm = next(sheet for sheet in sheets if sheet.group == ARMS[1])
    own = arm.visible[row, col]
    assert (depth[own] > arm.front[row, col][own] - 1.01 * S.before).all()
    unseen = lay_out_bends(
        before, np.zeros(n, bool), np.full(n, 0.004), np.zeros(n), surface, view, vertices, body
    )
    np.testing.assert_array_equal(unseen.offset, before.offset)


def test_thick_cloth_closes_the_outside_of_a_bent_elbow(average: Body) -> None:
    samples, side = sample_texels(average, 30_000, np.ones(len(average.f)))
    sleeve = vertex_groups(average)[average.f[samples.triangle, 0]] == ARMS[0]
    samples, side = samples.take(sleeve), side[sleeve]
    n = len(samples.triangle)
    rest = np.asarray(average.v_template, np.float64)
    normals = samples.points(vertex_normals(rest, average.f), average.f)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = samples.points(rest, average.f) + SLEEVE * normals
    spacing = np.median(cKDTree(points).query(points, 5)[0][:, 4])
    flat = surfels_on_plane(
        points, normals, np.full(n, 0.5 * spacing), np.zeros((n, 3)), np.full(n, 0.95)
    )
    layer = np.full(n, SHELL)
    thin = bind_gaussians(flat, samples.triangle, samples.bary, layer, rest, average)
    long = lengthen_texels(thin, side, np.arange(n), rest, average)
    grown = long.scales.max(1) / thin.scales.max(1)
    assert grown.max() <= S.longer + 1e-6
    straight = (average.weights.max(1) > 0.999)[average.f].all(1)[samples.triangle]
    np.testing.assert_array_equal(long.quats[straight], thin.quats[straight])
    np.testing.assert_allclose(long.scales[:, 1:], thin.scales[:, 1:], rtol=1e-5)

    pose = Pose.rest(average.num_expression).with_joints(left_elbow=[0.0, -1.9, 0.0])
    posed, joints = average.vertices(pose)
    elbow = joints[JOINT_INDEX["left_elbow"]]
    tip = 2.0 * elbow - joints[JOINT_INDEX["left_shoulder"]] - joints[JOINT_INDEX["left_wrist"]]
    yaw = float(np.degrees(np.arctan2(tip[0], tip[2])))
    view = replace(photo_camera(600.0, 300, 300), viewmat=look_at(elbow, 0.6, yaw, 0.0))
    alphas = [
        np.asarray(render_camera(place_gaussians(g, posed, average), view).alpha)[120:180, 120:180]
        for g in (thin, long)
    ]
    gaps = [(alpha < 0.7).mean() for alpha in alphas]
    assert gaps[0] > 0.01
    assert gaps[1] < 0.5 * gaps[0]


def test_texels_that_hover_over_their_neighbours_lie_among_them(average: Body) -> None:
    samples, _ = sample_texels(average, 30_000, np.ones(len(average.f)))
    samples = samples.take(
        (vertex_groups(average)[average.f[samples.triangle, 0]] == ARMS[0])
        & (np.array(average.part_names)[average.face_part[samples.triangle]] == "arm")
    )
    n = len(samples.triangle)
    rest = np.asarray(average.v_template, np.float64)
    # A sleeve that widens evenly towards the hand.
    along = samples.points(rest, average.f)[:, 0]
    high = np.interp(along, [0.2, 0.7], [0.005, 0.03])
    hovering = np.zeros(n, bool)
    hovering[np.random.default_rng(0).choice(n, 12, replace=False)] = True
    offset = np.zeros((n, 3))
    offset[:, 2] = high + np.where(hovering, 0.012, 0.0)
    identity = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
    zeros, ones = np.zeros((n, 3)), np.ones(n)
    bound = BoundGaussians(
        samples.triangle, samples.bary, offset, identity, zeros + 0.003, ones, zeros, ones
    )
    settled = settle_outliers(bound, np.arange(n), average)
    np.testing.assert_array_equal(settled.offset[~hovering], offset[~hovering])
    np.testing.assert_allclose(settled.offset[hovering, 2], high[hovering], atol=2e-3)


def test_the_unseen_crotch_of_trousers_does_not_hang_below_raised_thighs(average: Body) -> None:
    samples, _ = sample_texels(average, 30_000, np.ones(len(average.f)))
    part = np.array(average.part_names)[average.face_part[samples.triangle]]
    samples = samples.take(np.isin(part, ["torso", "leg"]))
    n = len(samples.triangle)
    offset = np.tile([0.0, 0.0, SLEEVE], (n, 1))
    identity = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
    zeros, ones = np.zeros((n, 3)), np.ones(n)
    bound = BoundGaussians(
        samples.triangle, samples.bary, offset, identity, zeros + 0.003, ones, zeros, ones
    )
    home = samples.points(average.v_template, average.f)
    _, joints = average.vertices(Pose.rest(average.num_expression))
    hips = joints[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]]
    raised = lay_crotch_on_body(bound, np.arange(n), average)
    high = raised.offset[:, 2]
    crotch = (np.abs(home[:, 0]) < 0.01) & (np.abs(home[:, 2] - hips[:, 2].mean()) < 0.03)
    crotch &= home[:, 1] < hips[:, 1].min()
    assert crotch.sum() > 5
    assert (high[crotch] < 0.5 * SLEEVE).all()
    assert abs(np.median(high[crotch]) - S.crotch) < 1e-6
    np.testing.assert_array_equal(high[home[:, 1] > hips[:, 1].max() + 0.1], SLEEVE)
    np.testing.assert_array_equal(high[home[:, 1] < hips[:, 1].min() - 0.25], SLEEVE)
    seen = lay_crotch_on_body(bound, np.nonzero(~crotch)[0], average)
    np.testing.assert_array_equal(seen.offset[crotch], offset[crotch])
