"""Where skirts end: at a hem over legs or what they wear, or at the frame."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from likeness.engine.core.cameras import crop_camera
from likeness.engine.core.types import Camera
from likeness.engine.gaussians.lift.pixels.regions import Regions
from likeness.engine.gaussians.lift.skirts import skirt_outline
from likeness.engine.gaussians.lift.skirts.skirt_outline import (
    S,
    _cut_below,
    _find_hem,
    _Gap,
    _has_one_hem,
    _tapers,
    find_outline,
)
from likeness.engine.gaussians.lift.surface.labels import LOWER, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, LEFT_LEG, RIGHT_LEG, TORSO
from likeness.engine.render.mesh import MeshBuffer

from .test_lift_skirt import Scene, photograph


@pytest.fixture(scope="module")
def scene() -> Scene:
    return photograph()


def cut_off(scene: Scene, metres: float) -> tuple[Regions, Camera]:
    """The photo without what lies further below the crotch."""
    trunk = scene.regions.limb[TORSO]
    crotch = int(np.nonzero((trunk.face >= 0).any(1))[0].max()) + 1
    depth = float(np.median(trunk.depth[np.isfinite(trunk.depth)]))
    rows = crotch + round(metres * float(scene.camera.K[0, 0]) / depth)

    def upper(buffer: MeshBuffer) -> MeshBuffer:
        return replace(buffer, **{f.name: getattr(buffer, f.name)[:rows] for f in fields(buffer)})

    regions = replace(
        scene.regions,
        **{name: getattr(scene.regions, name)[:rows] for name in ("mask", "group", "label")},
        limb=tuple(upper(limb) for limb in scene.regions.limb),
        trunk=upper(scene.regions.trunk),
    )
    return regions, crop_camera(scene.camera, (0, 0, scene.camera.width, rows))


@pytest.mark.parametrize(("metres", "found"), [(0.12, False), (0.3, True)])
def test_lower_wear_that_the_frame_cuts_off(scene: Scene, metres: float, found: bool) -> None:
    _, joints = scene.body.vertices(scene.pose)
    regions, camera = cut_off(scene, metres)
    assert (find_outline(regions, camera, joints) is not None) == found
    assert find_outline(scene.regions, scene.camera, joints) is not None


@pytest.mark.parametrize("label", [LOWER, UPPER])
def test_what_legs_wear_below_a_hem_is_no_skirt(label: int) -> None:
    """Leggings below a skirt, or trousers below a coat, of the same label."""
    scene = photograph(label=label)
    _, joints = scene.body.vertices(scene.pose)
    alone = find_outline(scene.regions, scene.camera, joints)
    legs = np.isin(scene.regions.group, (LEFT_LEG, RIGHT_LEG)) & scene.regions.mask
    labels = np.where(legs & (scene.regions.label == SKIN), label, scene.regions.label)
    found = find_outline(replace(scene.regions, label=labels), scene.camera, joints)
    assert alone is not None
    assert found is not None
    assert found.label == label
    both = (found.pixels & alone.pixels).sum() / (found.pixels | alone.pixels).sum()
    assert both > 0.97
    assert np.abs(found.hem[:, 1].mean() - alone.hem[:, 1].mean()) < 1.5


def test_the_smallest_person_has_a_hem_too() -> None:
    """A pixel is wider than what is looked at below it."""
    metres = 3.0 * S.hem_depth
    share = np.where(np.arange(6) < 4, 1.0, 0.0)
    width = np.where(np.arange(6) < 4, 8, 4)
    hem = _find_hem(share, np.full(6, metres), width, metres)
    assert hem == 4
    cloth = np.ones((6, 8), bool)
    cloth[4:, 2:6] = False
    cut = _cut_below(cloth, hem, metres)
    assert cut[:4].all()
    assert not cut[4:].any()


def test_trousers_that_meet_at_the_calves_are_no_skirt() -> None:
    """Wide ones, with background between the knees only."""
    scene = photograph("trousers")
    _, joints = scene.body.vertices(scene.pose)
    legs = [scene.regions.limb[leg].face >= 0 for leg in (LEFT_LEG, RIGHT_LEG)]
    columns = np.nonzero((legs[0] | legs[1]).any(0))[0]
    rows = np.nonzero(legs[0].any(1))[0]
    calves = np.zeros_like(scene.regions.mask)
    calves[(2 * rows.min() + rows.max()) // 3 : 245, columns.min() : columns.max()] = True
    filled = replace(
        scene.regions,
        mask=scene.regions.mask | calves,
        label=np.where(calves, LOWER, scene.regions.label),
        group=np.where(calves & ~scene.regions.mask, LEFT_LEG, scene.regions.group),
    )
    assert find_outline(filled, scene.camera, joints) is None
    knees = np.zeros_like(calves)
    knees[rows.min() : 245, columns.min() : columns.max()] = True
    closed = replace(
        filled,
        mask=filled.mask | knees,
        label=np.where(knees, LOWER, filled.label),
        group=np.where(knees & ~filled.mask, LEFT_LEG, filled.group),
    )
    assert find_outline(closed, scene.camera, joints) is not None


@pytest.mark.parametrize(
    ("hem", "length", "found"), [(0.7, 0.95, False), (0.7, 0.5, True), (1.0, 0.95, True)]
)
def test_what_tapers_down_to_the_ankles_is_trousers(hem: float, length: float, found: bool) -> None:
    """Of somebody whose legs touch all the way down; a pencil skirt ends higher up."""
    ankles, rows = 100, np.arange(120)
    half = 15.0 * (1.0 - (1.0 - hem) * rows / (length * 120))
    cloth = (np.abs(np.arange(40) - 20) < half[:, None]) & (rows < length * 120)[:, None]
    assert _tapers(cloth, ankles) != found


def test_trousers_that_fill_the_gap_of_legs_fitted_too_far_apart_are_no_skirt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(skirt_outline, "S", replace(S, to_ankles=0.4))  # the frame ends above them
    scene = photograph(width=0.2)
    _, joints = scene.body.vertices(scene.pose)
    rows, cols = np.nonzero(scene.cloth)
    middle, top = np.median(cols), rows.min()
    hips = int(np.ptp(cols[rows < top + 5])) / 2
    ankles = 245
    row, col = np.mgrid[: scene.cloth.shape[0], : scene.cloth.shape[1]]

    def look(narrowest: float) -> bool:
        half = hips * (1.0 + (narrowest - 1.0) * (row - top) / (ankles - top))
        worn = (np.abs(col - middle) < half) & (row >= top) & (row < ankles)
        legs = np.isin(scene.regions.group, (LEFT_LEG, RIGHT_LEG)) | worn
        regions = replace(
            scene.regions,
            mask=scene.regions.mask & ~legs | worn | (legs & (row >= ankles)),
            label=np.where(worn, LOWER, np.where(legs, SKIN, scene.regions.label)),
            group=np.where(worn & ~scene.regions.mask, LEFT_LEG, scene.regions.group),
        )
        return find_outline(regions, scene.camera, joints) is not None

    assert look(1.1)
    assert not look(0.4)


@pytest.mark.parametrize("mirrored", [False, True])
def test_behind_an_arm_a_side_begins_at_the_body(scene: Scene, mirrored: bool) -> None:
    """An arm hangs before one side of the waist; the skirt is wider where it shows again."""
    _, joints = scene.body.vertices(scene.pose)
    free = find_outline(scene.regions, scene.camera, joints)
    assert free is not None
    side, other = (free.right, free.left) if mirrored else (free.left, free.right)
    start = int(side[0, 1])
    drawn = np.nonzero(scene.regions.trunk.face[start] >= 0)[0]
    edge = drawn.max() + 1 if mirrored else drawn.min()
    arm = np.zeros_like(scene.regions.mask)
    arm[start - 20 : start + 40, edge - 25 : edge + 25] = True
    regions = replace(
        scene.regions,
        mask=scene.regions.mask | arm,
        group=np.where(arm, LEFT_ARM, scene.regions.group),
        label=np.where(arm, SKIN, scene.regions.label),
    )
    found = find_outline(regions, scene.camera, joints)
    assert found is not None
    hidden = found.right if mirrored else found.left
    assert int(hidden[0, 1]) == start
    assert hidden[0, 0] == pytest.approx(edge, abs=2.0)
    assert np.abs(hidden[:40] - side[:40]).max() < 6.5  # straight, where the true one is hollow
    np.testing.assert_allclose(found.left if mirrored else found.right, other, atol=0.5)


@pytest.mark.parametrize(("ends", "one"), [("skirt", True), ("shorts", False), ("frame", False)])
def test_legs_that_touch_have_a_notch_between_their_hems(ends: str, one: bool) -> None:
    """A slanted hem, two round ones beside each other, and none in the photo."""
    x = np.arange(100)
    hem = {
        "skirt": 60 + 0.1 * (x - 50),
        "shorts": 60 + 8 * np.sqrt(np.maximum(1 - ((np.abs(x - 50) - 20) / 20) ** 2, 0.0)),
        "frame": np.full(100, 200.0),
    }[ends]
    cloth = (np.arange(100)[:, None] < hem) & (np.abs(x - 50) < 40)
    assert _has_one_hem(cloth, _Gap(False, 0.3, (30, 70)), 0.004) == one
