"""Pieces of cloth beside sleeves: which are dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import BoolArray, Camera, IntArray, Pose
from likeness.engine.gaussians.lift.shape.dressed_mesh import DressedMesh
from likeness.engine.gaussians.lift.shape.flaps import S as FLAPS
from likeness.engine.gaussians.lift.shape.flaps import assign_cloth_to_trunk, find_flaps
from likeness.engine.gaussians.lift.surface.labels import OBJECT, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import ARMS, TORSO, vertex_groups
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage

FOREARM_BEFORE_CHEST = {"right_shoulder": [0, 0.9, 1.3], "right_elbow": [0, 1.6, 0.2]}


@dataclass(frozen=True)
class Stub:
    """What the search reads of the regions."""

    mask: BoolArray
    group: IntArray
    label: IntArray


@dataclass(frozen=True)
class Sleeve:
    """A forearm in front of the trunk, whose clothes fit closely.

    Attributes:
        dressed: the clothes.
        groups: [V] limb of each vertex.
        camera: of the picture.
        arm: [H, W] the arm in the picture.
        trunk: [H, W] where the arm would uncover the rest of the body.
        metres: [H, W] beside the arm.
    """

    dressed: DressedMesh
    groups: IntArray
    camera: Camera
    arm: BoolArray
    trunk: BoolArray
    metres: np.ndarray

    def regions(self, more: BoolArray) -> Stub:
        """The labels where the sleeve's cloth takes ``more`` [H, W]."""
        cloth = self.arm | more
        mask = cloth | self.trunk
        return Stub(
            mask, np.where(cloth, ARMS[1], np.where(mask, TORSO, -1)), np.full(mask.shape, UPPER)
        )

    def flaps(self, regions: Stub) -> BoolArray:
        return find_flaps(regions, self.dressed, self.groups, self.camera)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sleeve(average: Body) -> Sleeve:
    pose = replace(Pose.rest(average.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    vertices, _ = average.vertices(pose.with_joints(**FOREARM_BEFORE_CHEST))
    camera, groups = photo_camera(620.0, 300, 400), vertex_groups(average)
    none = np.zeros(len(vertices))
    of_face = groups[average.f[:, 0]]
    arm, rest = (
        rasterize_mesh(vertices, average.f[own], camera)
        for own in (of_face == ARMS[1], of_face != ARMS[1])
    )
    metres = ndimage.distance_transform_edt(arm.face < 0) * 3.0 / camera.K[0, 0]
    dressed = DressedMesh(vertices, none, none + 1.0, average.f, none > 0.0)
    return Sleeve(dressed, groups, camera, arm.face >= 0, rest.face >= 0, metres)


def patch(sleeve: Sleeve, on: BoolArray, size: float) -> BoolArray:
    """A patch [H, W] of ``size`` metres on ``on``, from the arm outwards."""
    row, col = (int(x[0]) for x in np.nonzero(on & (abs(sleeve.metres - 0.02) < 0.004)))
    out = np.zeros_like(on)
    half = round(0.5 * size * sleeve.camera.K[0, 0] / 3.0)
    out[max(row - half, 0) : row + half, max(col - half, 0) : col + half] = True
    return np.asarray(out & on)


def test_a_flap_before_the_trunk_is_dropped_and_a_close_sleeve_is_not(sleeve: Sleeve) -> None:
    flap = patch(sleeve, sleeve.trunk & ~sleeve.arm, 0.06)
    found = sleeve.flaps(sleeve.regions(flap))
    far = flap & (sleeve.metres > 0.02)
    assert far.sum() > 20
    assert found[far].all()
    assert not found[sleeve.metres < 0.008].any()
    assert not sleeve.flaps(sleeve.regions(flap & (sleeve.metres < 0.008))).any()


def test_wide_sleeves_skin_and_the_outline_stay(sleeve: Sleeve) -> None:
    wide = sleeve.trunk & (sleeve.metres < 0.10)
    assert not sleeve.flaps(sleeve.regions(wide)).any()
    flap = patch(sleeve, sleeve.trunk & ~sleeve.arm, 0.06)
    shown = sleeve.regions(flap)
    assert not sleeve.flaps(replace(shown, label=np.full(flap.shape, SKIN))).any()
    free = patch(sleeve, ~sleeve.trunk & ~sleeve.arm, 0.06)
    assert free.any()
    assert not sleeve.flaps(sleeve.regions(free)).any()


def test_the_trunks_cloth_before_an_arm_is_dropped_beside_the_trunk(sleeve: Sleeve) -> None:
    """It is the sleeve's hem, and would stay on the trunk when the arm is raised."""
    beyond = sleeve.arm & ~sleeve.trunk
    metres = ndimage.distance_transform_edt(~sleeve.trunk) * 3.0 / sleeve.camera.K[0, 0]
    row, col = (int(np.median(x)) for x in np.nonzero(beyond & (metres > 0.02)))
    piece = np.zeros_like(beyond)
    piece[row - 9 : row + 10, col - 9 : col + 10] = True
    piece &= beyond
    shown = sleeve.regions(np.zeros_like(piece))
    assert not sleeve.flaps(shown).any()
    found = sleeve.flaps(replace(shown, group=np.where(piece, TORSO, shown.group)))
    far = piece & (metres > 0.02)
    assert far.sum() > 10
    assert found[far].all()
    assert not found[~piece].any()


def test_cloth_behind_a_bare_arm_is_the_trunks(sleeve: Sleeve) -> None:
    """The end of a belt that hangs beside an elbow would swing with the forearm."""
    free = patch(sleeve, ~sleeve.trunk & ~sleeve.arm, 0.06)
    far = free & (sleeve.metres > 0.03)
    assert far.sum() > 10
    shown = sleeve.regions(free)

    def given(dressed: DressedMesh, regions: Stub) -> BoolArray:
        of_trunk = assign_cloth_to_trunk(regions, dressed, sleeve.groups, sleeve.camera)  # type: ignore[arg-type]
        return np.asarray(of_trunk.group != regions.group)

    assert not given(sleeve.dressed, shown).any()
    bare = replace(sleeve.dressed, worn=np.zeros_like(sleeve.dressed.worn))
    found = given(bare, shown)
    assert found[far].all()
    assert not found[~free].any()
    assert not given(bare, replace(shown, label=np.full(free.shape, SKIN))).any()
    # Part of a thing in the hand goes with the hand.
    corner = free & (np.cumsum(free.ravel()).reshape(free.shape) < 0.2 * free.sum())
    thing = replace(shown, label=np.where(corner, OBJECT, shown.label))
    assert not given(bare, thing).any()


@pytest.mark.parametrize("end", [330, 400])
def test_cloth_wider_than_the_body_narrows_to_where_the_frame_cuts_it(
    sleeve: Sleeve, end: int
) -> None:
    """Trousers much wider than the legs; where the body ends within the frame, they stay."""
    drawn = sleeve.trunk[:end]
    wide = ndimage.binary_dilation(sleeve.trunk[:end], iterations=12)
    camera = replace(sleeve.camera, height=end)
    regions = Stub(wide, np.where(wide, TORSO, -1), np.full(wide.shape, UPPER))
    found = find_flaps(regions, sleeve.dressed, sleeve.groups, camera)  # type: ignore[arg-type]
    found &= ~sleeve.arm[:end]  # before the arm it is another kind of flap
    if end == 400:  # the feet are in the picture
        assert not drawn[-1].any()
        assert not found.any()
        return
    metre = sleeve.camera.K[0, 0] / 3.0
    off = ndimage.distance_transform_edt(~drawn) / metre
    above = np.arange(end)[::-1, None] / metre
    clear = np.abs(off - FLAPS.off_frame - FLAPS.slant * above) > 0.01
    clear &= ~sleeve.arm[:end]
    expected = wide & (off > FLAPS.off_frame + FLAPS.slant * above)
    np.testing.assert_array_equal(found[clear], expected[clear])
    assert expected[clear].sum() > 20
