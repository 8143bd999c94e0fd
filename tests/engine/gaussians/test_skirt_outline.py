"""What the frame cuts off below the hips is a skirt only where legs would have parted."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from likeness.engine.core.types import Camera
from likeness.engine.gaussians.lift.photo_splats import crop_camera
from likeness.engine.gaussians.lift.regions import TORSO, Regions
from likeness.engine.gaussians.lift.skirt_outline import find_outline
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
