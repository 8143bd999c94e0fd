"""Where skirts end: at a hem over legs or what they wear, or at the frame."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from likeness.engine.core.types import Camera
from likeness.engine.gaussians.lift.labels import LOWER, SKIN, UPPER
from likeness.engine.gaussians.lift.limbs import LEFT_LEG, RIGHT_LEG, TORSO
from likeness.engine.gaussians.lift.photo_splats import crop_camera
from likeness.engine.gaussians.lift.regions import Regions
from likeness.engine.gaussians.lift.skirt_outline import _Gap, _has_one_hem, find_outline
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
