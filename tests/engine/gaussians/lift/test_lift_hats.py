"""Brims of hats: found in labelled pixels, closed around the head, rigid with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.alignment import fit_rigid
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import (
    JOINT_INDEX,
    BoolArray,
    BoundGaussians,
    Camera,
    FloatArray,
    IntArray,
    Pose,
)
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.accessories.glasses import rigid_triangles
from likeness.engine.gaussians.lift.accessories.hat_splats import (
    hat_layer,
    label_head,
    press_hair,
    without_hat,
)
from likeness.engine.gaussians.lift.accessories.hats import fit_hat
from likeness.engine.gaussians.lift.garments.labels_surface import vertex_parts
from likeness.engine.gaussians.lift.pixels.regions import Regions
from likeness.engine.gaussians.lift.shape.dressed_mesh import DressedMesh
from likeness.engine.gaussians.lift.surface.labels import HAIR, HAT, LABELS, OBJECT, SKIN
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage

TILT, RING, BRIM = 0.3, 0.105, 0.07  # radians; metres
STRAW, BAND = np.array([0.8, 0.7, 0.5]), np.array([0.2, 0.1, 0.1])


@dataclass(frozen=True)
class LabelsOfHead:
    """What of ``Regions`` a hat is found by."""

    mask: BoolArray
    label: IntArray
    face: BoolArray
    unit: float


@dataclass
class Wearer:
    """A head with a painted hat, seen from the front."""

    body: Body
    pose: Pose
    vertices: FloatArray
    camera: Camera
    regions: Regions
    depth: FloatArray

    @staticmethod
    def of(body: Body, brim: float, sector: float = np.pi, tilt: float = TILT) -> Wearer:
        """Draw a cylinder with a flat, round brim (metres wide, up to ``sector`` radians)."""
        pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, -0.62, -1.2]))
        vertices, _ = body.vertices(pose)
        camera = photo_camera(330.0, 160, 160)
        scalp = np.unique(body.f[body.face_part == body.part_names.index("scalp")])
        middle = (vertices[scalp].min(0) + vertices[scalp].max(0)) / 2
        angle = np.linspace(-np.pi, np.pi, 97)
        circle = np.stack([np.sin(angle), 0.0 * angle, np.cos(angle)], -1)
        rings = np.concatenate(
            [RING * circle, RING * circle + [0, 0.09, 0], 0 * circle + [0, 0.09, 0]]
        )
        ends = np.concatenate([RING * circle, (RING + brim) * circle])
        turn = axis_angle_to_matrix(np.array([-tilt, 0.0, 0.0]))
        hat = np.concatenate([rings, ends]) @ turn.T + middle + turn @ [0.0, 0.035, 0.0]
        f = []
        for low, high, reach in ((0, 97, np.pi), (97, 194, np.pi), (291, 388, sector)):
            for k in range(96):
                if abs(angle[k]) <= reach and abs(angle[k + 1]) <= reach:
                    a, b, c, d = low + k, low + k + 1, high + k + 1, high + k
                    f += [[a, b, c], [a, c, d]]
        person = rasterize_mesh(vertices, body.f, camera)
        drawn = rasterize_mesh(hat, np.array(f), camera)
        own = drawn.depth < person.depth
        mask = own | (person.face >= 0)
        label = np.where(own, HAT, np.where(mask, SKIN, 0))
        face = mask & ~own & (body.weights[:, JOINT_INDEX["head"]] > 0.9)[body.f[person.face, 0]]
        regions = cast(Regions, LabelsOfHead(mask=mask, label=label, face=face, unit=17.0))
        return Wearer(body, pose, vertices, camera, regions, np.minimum(drawn.depth, person.depth))


def test_a_brim_is_recovered(average: Body):
    wearer = Wearer.of(average, BRIM)
    hat = fit_hat(wearer.regions, wearer.camera, average, wearer.vertices)
    assert hat is not None
    assert hat.measure("pitch") == pytest.approx(TILT, abs=0.12)
    side = hat.posed(hat.points(np.array([np.pi / 2, -np.pi / 2]), np.ones(2)))
    assert np.ptp(side[:, 0]) / 2 == pytest.approx(RING + BRIM, abs=0.012)
    assert (hat.above(hat.points(np.arange(6.0), np.full(6, -0.5))) > 0.02).all()


@pytest.mark.parametrize(("brim", "sector"), [(0.0, np.pi), (0.008, np.pi), (0.08, 0.9)])
def test_beanies_and_caps_have_none(average: Body, brim: float, sector: float):
    wearer = Wearer.of(average, brim, sector)
    assert (wearer.regions.label == HAT).sum() > 200
    assert fit_hat(wearer.regions, wearer.camera, average, wearer.vertices) is None


def test_a_beanie_ends_at_one_height_all_around(average: Body):
    """Half of its back was hair where the network of hidden labels thought so."""
    wearer = Wearer.of(average, 0.0, tilt=0.0)
    scalp = np.nonzero(vertex_parts(average) == "scalp")[0]
    shares = np.zeros((len(average.v_template), len(LABELS)))
    left = average.v_template[:, 0] > 0
    shares[:, SKIN] = 1.0
    shares[scalp] = np.where(left[scalp, None], np.eye(len(LABELS))[HAT], np.eye(len(LABELS))[HAIR])
    out = label_head(shares, None, wearer.regions, wearer.camera, average, wearer.vertices)
    away = vertex_normals(wearer.vertices, average.f)[:, 2] < -0.3
    hidden = scalp[away[scalp]]
    hat = out[hidden, HAT] > 0.5
    height = average.v_template[hidden] @ [0.0, 1.0, -0.12]  # lower behind
    assert 0.2 < hat.mean() < 0.95
    assert height[hat].min() > height[~hat].max()
    sides = [hat[left[hidden] == side].mean() for side in (True, False)]
    assert abs(sides[0] - sides[1]) < 0.1
    seen = np.setdiff1d(np.arange(len(out)), np.nonzero(away | (wearer.vertices[:, 2] < -1.3))[0])
    others = np.setdiff1d(seen, scalp)
    assert (out[others] == shares[others]).all()
    assert out.sum(1) == pytest.approx(1.0)


def test_a_brim_behind_the_head_is_background(average: Body):
    wearer = Wearer.of(average, BRIM, tilt=0.5)
    hat = fit_hat(wearer.regions, wearer.camera, average, wearer.vertices)
    assert hat is not None
    alone = without_hat(wearer.regions, hat, wearer.camera)
    own = wearer.regions.label == HAT
    scalp = np.unique(average.f[average.face_part == average.part_names.index("scalp")])
    skull = wearer.vertices[scalp, 2]
    middle = -(skull.min() + skull.max()) / 2
    # Off the crown's outline, which the fitted hat has a little elsewhere.
    behind, before = (
        ndimage.binary_erosion(own & side, iterations=3)
        for side in (wearer.depth > middle, wearer.depth < middle)
    )
    assert behind.sum() > 100
    assert before.sum() > 100
    assert alone.mask[behind].mean() < 0.05
    assert alone.mask[before].mean() > 0.95
    np.testing.assert_array_equal(alone.mask[~own], wearer.regions.mask[~own])
    assert (alone.label[own] == OBJECT).all()


def test_hair_is_pressed_below_a_brim_that_it_would_reach_beyond(average: Body):
    wearer = Wearer.of(average, BRIM, tilt=0.9)
    hat = fit_hat(wearer.regions, wearer.camera, average, wearer.vertices)
    assert hat is not None
    sides = average.weights[:, JOINT_INDEX["head"]] > 0.5
    out = np.array([1.0, 0.0, 0.0]) * np.sign(wearer.vertices[:, :1])
    offset = np.where(sides, 0.25, 0.0)
    dressed = DressedMesh(
        wearer.vertices + offset[:, None] * out,
        offset,
        np.ones(len(offset)),
        average.f,
        np.zeros(len(offset), bool),
    )
    pressed = press_hair(dressed, hat, wearer.regions, wearer.camera, average, wearer.vertices)
    xy, _ = project(dressed.vertices, wearer.camera)
    foot, _ = project(wearer.vertices, wearer.camera)
    col, row = np.clip(xy, 0, 159).astype(int).T
    beyond = ~wearer.regions.mask[row, col]
    col, row = np.clip(0.5 * (xy + foot), 0, 159).astype(int).T
    crossed = sides & beyond & ndimage.binary_erosion(wearer.regions.label == HAT)[row, col]
    facing = vertex_normals(wearer.vertices, average.f)[:, 2] > 0.2
    assert (crossed & facing).sum() > 5
    assert (pressed.offset[crossed & facing] < 0.01).all()


def _layer(wearer: Wearer) -> BoundGaussians:
    """The hat in two stripes of straw, with a dark band around the crown."""
    hat = fit_hat(wearer.regions, wearer.camera, wearer.body, wearer.vertices)
    assert hat is not None
    mask, label = wearer.regions.mask, wearer.regions.label
    sheet = SimpleNamespace(mask=mask, visible=mask, front=np.where(mask, wearer.depth, 0.0))
    stripes = 0.1 * np.sin(np.arange(160.0))[None, :, None]
    colors = np.where((label == HAT)[..., None], STRAW + stripes, BAND)
    view = SimpleNamespace(
        camera=wearer.camera,
        regions=wearer.regions,
        sheets=(sheet,),
        alpha=mask.astype(float),
        fine=colors,
    )
    return hat_layer(hat, cast(Any, view), wearer.body, wearer.vertices, 6000)


def test_a_hat_is_closed_behind_and_moves_with_the_head_alone(average: Body):
    wearer = Wearer.of(average, BRIM)
    layer = _layer(wearer)
    assert 2000 < len(layer) <= 6000
    assert np.isin(layer.triangle, rigid_triangles(average)).all()
    still = place_gaussians(layer, wearer.vertices, average).means
    # All around: no eighth of the brim without splats.
    middle = still.mean(0)
    away = np.linalg.norm(still[:, [0, 2]] - middle[[0, 2]], axis=1)
    angle = np.arctan2(*(still - middle)[away > 0.12][:, [0, 2]].T)
    assert (np.histogram(angle, 8, (-np.pi, np.pi))[0] > 60).all()
    # Behind it is straw, not the dark band that hair is.
    behind = still[:, 2] < middle[2] - 0.05
    assert np.abs(np.median(layer.colors[behind], axis=0) - STRAW).max() < 0.05
    assert layer.colors[behind].std(0).max() > 0.02

    grimace = average.expression(jawOpen=1.0, browInnerUp=1.0, mouthSmileLeft=1.0)
    moved, _ = average.vertices(replace(wearer.pose, expression=grimace))
    assert np.abs(place_gaussians(layer, moved, average).means - still).max() < 2e-3
    full_pose = np.array(wearer.pose.full_pose)
    full_pose[JOINT_INDEX["head"]] = [0.3, 0.4, 0.0]
    full_pose[JOINT_INDEX["left_shoulder"]] = [0.0, 0.0, 1.0]
    turned = replace(wearer.pose, full_pose=full_pose)
    placed = place_gaussians(layer, average.vertices(turned)[0], average).means
    R, t = fit_rigid(still, placed)
    assert np.linalg.norm(still @ R.T + t - placed, axis=1).max() < 4e-3
