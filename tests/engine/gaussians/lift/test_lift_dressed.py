"""The dressed mesh against silhouettes of clothes whose thickness is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import BoolArray, Camera, FloatArray, Pose
from likeness.engine.gaussians.lift.occlusion.hidden_forearms import (
    find_rims,
    hidden_forearm_distance,
    near_hidden_forearms,
)
from likeness.engine.gaussians.lift.pixels.regions import Regions, find_regions
from likeness.engine.gaussians.lift.shape.dressed_mesh import DressedMesh, fit_dressed_mesh
from likeness.engine.gaussians.lift.shape.dressed_mesh import S as DRESSED_MESH
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER, standard_rest
from likeness.engine.gaussians.lift.surface.limbs import (
    ARMS,
    HEAD,
    LEFT_LEG,
    RIGHT_LEG,
    TORSO,
    vertex_groups,
)
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage

from .observations import observe_nothing

THICK = 0.02  # metres


@dataclass(frozen=True)
class Sitter:
    """The default body before a camera; nothing was detected."""

    body: Body
    vertices: FloatArray
    camera: Camera


@pytest.fixture(scope="module")
def sitter(average: Body) -> Sitter:
    body = average
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    pose = pose.with_joints(left_shoulder=[0, 0, -0.9], right_shoulder=[0, 0, 0.9])
    return Sitter(body, body.vertices(pose)[0], photo_camera(620.0, 300, 400))


def wearing(sitter: Sitter, thick: FloatArray, hidden: BoolArray | None = None) -> Regions:
    """The labels of someone in cloth of ``thick`` [V] metres, without ``hidden`` [H, W] pixels."""
    body, camera = sitter.body, sitter.camera
    cloth = sitter.vertices + vertex_normals(sitter.vertices, body.f) * thick[:, None]
    mask = drawn(cloth, sitter)
    if hidden is not None:
        mask &= ~hidden
    colors = np.broadcast_to([0.2, 0.35, 0.6], (*mask.shape, 3))
    nothing = observe_nothing(mask)
    return find_regions(colors, mask, camera, sitter.vertices, body, nothing, 1.0, colors)


def drawn(vertices: FloatArray, sitter: Sitter) -> BoolArray:
    return np.asarray(rasterize_mesh(vertices, sitter.body.f, sitter.camera).face >= 0)


def fitted(sitter: Sitter, thick: FloatArray, worn: FloatArray) -> tuple[DressedMesh, Regions]:
    regions = wearing(sitter, thick)
    groups = vertex_groups(sitter.body)
    none = np.zeros(len(worn), bool)
    found = fit_dressed_mesh(
        regions, sitter.camera, sitter.body, sitter.vertices, groups, worn, none, none
    )
    return found, regions


def overlap(a: BoolArray, b: BoolArray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def coat(sitter: Sitter) -> tuple[DressedMesh, Regions]:
    """Cloth of one thickness on trunk and legs; bare arms and head."""
    covered = ~np.isin(vertex_groups(sitter.body), [HEAD, *ARMS])
    return fitted(sitter, np.where(covered, THICK, 0.0), covered.astype(float))


def test_the_outline_of_cloth_is_met(sitter: Sitter, coat: Any) -> None:
    found, regions = coat
    naked = overlap(drawn(sitter.vertices, sitter), regions.mask)
    dressed = overlap(drawn(found.vertices, sitter), regions.mask)
    assert dressed > 0.97
    assert 1.0 - dressed < 0.4 * (1.0 - naked)


def test_front_and_back_take_the_thickness_of_the_outline(sitter: Sitter, coat: Any) -> None:
    """The camera sees no thickness of the chest; the outline of the flanks tells it."""
    found, _ = coat
    trunk = vertex_groups(sitter.body) == TORSO
    normals = vertex_normals(sitter.vertices, sitter.body.f)
    off = np.einsum("vd,vd->v", found.vertices - sitter.vertices, normals)
    for side in (normals[:, 2] > 0.7, normals[:, 2] < -0.7):
        assert np.median(off[trunk & side]) == pytest.approx(THICK, abs=0.012)


def test_the_mesh_reaches_padded_shoulders(sitter: Sitter) -> None:
    """A suit's, on a body that was fitted too low: 5 cm at the neck's sides and on the arms."""
    rest = standard_rest(sitter.body)
    covered = ~np.isin(vertex_groups(sitter.body), [HEAD])
    up = vertex_normals(sitter.body.v_template, sitter.body.f)[:, 1]
    padded = covered & (rest[:, 1] > 0.3) & (up > 0.3) & (np.abs(rest[:, 0]) > 0.07)
    thick = np.where(padded, 0.05, np.where(covered, THICK, 0.0))
    found, regions = fitted(sitter, thick, covered.astype(float))
    xy, _ = project(sitter.vertices[padded & (np.abs(rest[:, 0]) < 0.22)], sitter.camera)
    window = np.zeros_like(regions.mask)
    window[int(xy[:, 1].min()) - 20 : int(xy[:, 1].max()), int(xy[:, 0].min()) :] = True
    window[:, int(xy[:, 0].max()) :] = False
    open_to_it = regions.mask & window & ~drawn(sitter.vertices, sitter)
    assert (open_to_it & drawn(found.vertices, sitter)).sum() > 0.85 * open_to_it.sum()


def test_bare_skin_stays_where_it_was_fitted(sitter: Sitter, coat: Any) -> None:
    found, _ = coat
    bare = found.worn < 0.4
    moved = np.linalg.norm(found.vertices - sitter.vertices, axis=1)
    most = DRESSED_MESH.max_skin_offset + 1e-4  # limbs, which may be thicker, pass into the rest
    assert moved[bare].max() <= most
    assert np.abs(found.offset[bare]).max() <= most


def test_bare_legs_may_be_fitted_too_thin(sitter: Sitter) -> None:
    """By two and a half centimetres, on thighs and shins."""
    legs = np.isin(vertex_groups(sitter.body), [LEFT_LEG, RIGHT_LEG])
    found, regions = fitted(sitter, np.where(legs, 0.025, 0.0), np.zeros(len(legs)))
    beside = regions.mask & ~drawn(sitter.vertices, sitter)
    assert (beside & drawn(found.vertices, sitter)).sum() > 0.7 * beside.sum()


def test_nothing_is_drawn_out_to_an_outline_that_an_arm_makes(sitter: Sitter) -> None:
    """The trunk behind an arm ends somewhere behind it: the arm's edge is none of the trunk's."""
    pose = replace(Pose.rest(sitter.body.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    pose = pose.with_joints(left_shoulder=[0, 0, -1.35], right_shoulder=[0, 0, 1.35])
    hanging = replace(sitter, vertices=sitter.body.vertices(pose)[0])
    groups = vertex_groups(sitter.body)
    worn = np.where(np.isin(groups, [TORSO, *ARMS]), 1.0, 0.0)
    found, _ = fitted(hanging, np.zeros(len(worn)), worn)
    assert np.percentile(found.offset[groups == TORSO], 95) < 0.03


def test_legs_below_a_frame_do_not_go_on_as_a_wide_dress(sitter: Sitter) -> None:
    """Cloth of 8 cm on hips and thighs, cut off above the knees."""
    height = 250
    camera = replace(sitter.camera, height=height)
    cut = replace(sitter, camera=camera)
    on_legs = np.isin(vertex_groups(sitter.body), (LEFT_LEG, RIGHT_LEG))
    found, _ = fitted(cut, np.where(on_legs, 0.08, 0.01), np.ones(len(on_legs)))
    xy, z = project(sitter.vertices, camera)
    below = (xy[:, 1] - height) * z / camera.K[1, 1]
    shown, far = on_legs & (below < -0.02), on_legs & (below > 0.2)
    assert shown.sum() > 100
    assert far.sum() > 100
    assert found.offset[shown].max() > 1.5 * DRESSED_MESH.max_below
    assert found.offset[far].max() < 1.1 * DRESSED_MESH.max_below


def test_a_trunk_does_not_reach_through_the_arm_beside_it(sitter: Sitter, coat: Any) -> None:
    """Where a bare arm covers the outer three centimetres of a trunk, cloth ends near its edge."""
    before, regions = coat
    body, groups = sitter.body, vertex_groups(sitter.body)
    xy, z = project(sitter.vertices, sitter.camera)
    trunk = groups == TORSO
    waist = trunk & (np.abs(body.v_template[:, 1] - body.J_template[3, 1]) < 0.08)
    rows = np.arange(int(xy[waist, 1].min()), int(xy[waist, 1].max()))
    wide = round(0.03 * sitter.camera.K[0, 0] / z[waist].mean())
    label, group = regions.label.copy(), regions.group.copy()
    for row in rows:
        own = np.nonzero(regions.mask[row] & (regions.group[row] == TORSO))[0]
        label[row, own[-wide:]], group[row, own[-wide:]] = SKIN, ARMS[0]
    worn = (~np.isin(groups, [HEAD, *ARMS])).astype(float)
    none = np.zeros(len(worn), bool)
    found = fit_dressed_mesh(
        replace(regions, label=label, group=group),
        sitter.camera,
        body,
        sitter.vertices,
        groups,
        worn,
        none,
        none,
    )
    side = waist & (xy[:, 0] > np.percentile(xy[waist, 0], 90))
    middle = waist & (np.abs(body.v_template[:, 0]) < 0.03)
    change = found.offset - before.offset
    assert np.median(change[side]) < -0.012
    assert np.abs(change[middle]).max() < 0.006


def test_a_hand_that_something_hides_is_not_drawn(sitter: Sitter) -> None:
    regions = wearing(sitter, np.zeros(len(sitter.vertices)))
    groups = vertex_groups(sitter.body)
    hidden = sitter.body.weights[:, 20:22].sum(1)[sitter.body.f].max(1) > 0.5
    hidden |= sitter.body.weights[:, 25:].sum(1)[sitter.body.f].max(1) > 0.5
    assert 10 < hidden.sum() < 0.6 * len(hidden)
    found = fit_dressed_mesh(
        replace(regions, hidden=hidden),
        sitter.camera,
        sitter.body,
        sitter.vertices,
        groups,
        np.zeros(len(groups)),
        *2 * [np.zeros(len(groups), bool)],
    )
    # Nothing of it is left but a cap on the rest of its own arm.
    assert np.isin(found.f[hidden], sitter.body.f[~hidden]).all()
    arms = groups[found.f[hidden]]
    assert (arms == groups[sitter.body.f[hidden]][:, :1]).all()
    np.testing.assert_array_equal(found.f[~hidden], sitter.body.f[~hidden])


def test_a_forearm_that_something_hides_keeps_its_sleeve(sitter: Sitter) -> None:
    """The matte leaves out the object in front of it, except for a rim of another colour."""
    body, groups = sitter.body, vertex_groups(sitter.body)
    arms = np.isin(groups, ARMS)
    forearm = body.weights[:, 18] > 0.5  # the left one, on the right of the picture
    xy, z = project(sitter.vertices, sitter.camera)
    metre = sitter.camera.K[0, 0] / z.mean()
    rows, cols = np.mgrid[: sitter.camera.height, : sitter.camera.width] + 0.5
    middle = xy[forearm].mean(0)
    along = np.linalg.svd(xy[forearm] - middle)[2][0]
    across = (cols - middle[0]) * -along[1] + (rows - middle[1]) * along[0]
    across *= np.sign((np.array([1.0, 0.0]) * [-along[1], along[0]]).sum())  # outwards
    thing = (across > -0.005 * metre) & (rows > xy[forearm, 1].min())
    sleeves = np.where(arms, 0.03, 0.0)
    regions = wearing(sitter, sleeves, thing)
    worn = np.where(arms & ~(body.weights[:, 20:].sum(1) > 0.5), 1.0, 0.0)
    none = np.zeros(len(worn), bool)
    distance = hidden_forearm_distance(regions, body, sitter.camera)
    hidden = near_hidden_forearms(distance)
    found = fit_dressed_mesh(
        regions, sitter.camera, body, sitter.vertices, groups, worn, none, none, hidden
    )
    assert np.median(found.offset[forearm & (worn > 0)]) > 0.015

    colors = np.broadcast_to([0.2, 0.35, 0.6], (*regions.mask.shape, 3)).copy()
    rim = regions.mask & (across > -0.012 * metre) & (rows > xy[forearm, 1].min())
    rim &= regions.group == ARMS[0]
    colors[rim] = 0.05
    labelled = replace(regions, label=np.where(regions.mask, UPPER, 0))
    gone = find_rims(labelled, colors, distance)
    assert gone[rim].mean() > 0.8
    assert (gone & ~ndimage.binary_dilation(rim, iterations=2)).sum() == 0
    whole = wearing(sitter, sleeves)
    assert np.isinf(hidden_forearm_distance(whole, body, sitter.camera)).all()
    below = np.quantile(xy[forearm, 1], 0.33)  # before the forearm's lower part only
    assert np.isfinite(
        hidden_forearm_distance(
            wearing(sitter, sleeves, thing & (rows > below)), body, sitter.camera
        )
    ).any()
    # Of a forearm that points at the camera little is drawn, and that beside its hand.
    arm = regions.limb[ARMS[0]]
    little = np.abs(rows - middle[1]) < 0.007 * metre
    limb = list(regions.limb)
    limb[ARMS[0]] = replace(arm, face=np.where(little, arm.face, -1))
    short = replace(regions, limb=tuple(limb))
    assert np.isinf(hidden_forearm_distance(short, body, sitter.camera)).all()


def test_a_sleeve_that_hangs_below_a_bent_elbow_is_reached(average: Body) -> None:
    """Its cloth would fly as a wing beside the arm when it is stretched."""
    pose = replace(Pose.rest(average.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    pose = pose.with_joints(left_shoulder=[0, 0, -1.1], left_elbow=[0, -0.2, 1.5])
    bent = Sitter(average, average.vertices(pose)[0], photo_camera(620.0, 300, 400))
    weights = average.weights
    elbow = np.minimum(weights[:, 16], weights[:, 18]) > 0.02
    below = vertex_normals(bent.vertices, average.f)[:, 1] < -0.3
    arm = vertex_groups(average) == ARMS[0]
    sleeve = arm & (weights[:, [20, *range(25, 40)]].sum(1) < 0.5)
    thick = np.where(sleeve, np.where(elbow & below, 0.045, 0.015), 0.0)
    found, regions = fitted(bent, thick, sleeve.astype(float))
    near = np.linalg.norm(bent.vertices - bent.vertices[elbow].mean(0), axis=1) < 0.1
    xy = project(bent.vertices[near & sleeve], bent.camera)[0]
    (left, top), (right, bottom) = xy.min(0).astype(int) - 12, xy.max(0).astype(int) + 12
    window = (slice(top, bottom), slice(left, right))
    missed = regions.mask & ~drawn(found.vertices, bent)
    bare = regions.mask & ~drawn(bent.vertices, bent)
    assert missed[window].sum() < 0.2 * bare[window].sum()
