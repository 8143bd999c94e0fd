"""Labels and depth sheets of the lift, on shots whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.face_size import face_size
from likeness.engine.core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray, Pose
from likeness.engine.gaussians.lift.garments.labels_surface import label_surface, worn_probability
from likeness.engine.gaussians.lift.pixels.regions import Regions, find_regions
from likeness.engine.gaussians.lift.shape.depth_sheets import (
    DepthSheet,
    composite_sheets,
    find_depth_sheets,
)
from likeness.engine.gaussians.lift.shape.dressed_mesh import DressedMesh, fit_dressed_mesh
from likeness.engine.gaussians.lift.surface.labels import NONE, OBJECT, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import ARMS, HEAD, TORSO, vertex_groups
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh
from scipy import ndimage

from .observations import observe_nothing

Shots = dict[str, Any]  # name to Shot, of conftest.py
HAIR = (0.2, 0.12, 0.05)


@dataclass(frozen=True)
class Labelled:
    """A shot's labels and sheets beside the truth."""

    regions: Regions
    sheets: tuple[DepthSheet, ...]
    buffer: MeshBuffer
    group: IntArray
    part: np.ndarray

    def shows(self, *parts: str) -> BoolArray:
        return np.isin(self.part, parts) & (self.buffer.face >= 0)


def label(shot: Any, mask: BoolArray | None = None, colors: FloatArray | None = None) -> Labelled:
    body, camera, vertices = shot.body, shot.track.camera, shot.vertices
    mask = shot.matte.alpha > 0.5 if mask is None else mask
    colors = shot.matte.foreground if colors is None else colors
    regions = find_regions(
        colors, mask, camera, vertices, body, shot.observation, 1.0, shot.matte.foreground
    )
    buffer = rasterize_mesh(vertices, body.f, camera)
    hit = buffer.face >= 0
    group = np.where(hit, vertex_groups(body)[body.f[:, 0]][buffer.face], -1)
    part = np.array(body.part_names)[body.face_part][buffer.face]
    groups = vertex_groups(body)
    worn = worn_probability(label_surface(regions, camera, body, vertices))
    none = np.zeros(len(worn), bool)
    dressed = fit_dressed_mesh(regions, camera, body, vertices, groups, worn, none, none)
    sheets = find_depth_sheets(regions, dressed, groups, camera)
    return Labelled(regions, sheets, buffer, group, part)


@pytest.fixture(scope="module")
def labelled(shots: Shots) -> dict[str, Labelled]:
    return {name: label(shots[name]) for name in ("full", "arm", "faceless")}


@pytest.mark.parametrize("case", ["full", "arm", "faceless"])
def test_limbs_are_labelled_as_they_are_seen(labelled: dict[str, Labelled], case: str) -> None:
    it = labelled[case]
    regions, both = it.regions, it.regions.mask & (it.buffer.face >= 0)
    assert (regions.group[~regions.mask] == -1).all()
    assert (regions.group[regions.mask] >= 0).all()
    assert (regions.group == it.group)[both].mean() > 0.95
    for arm in ARMS:
        assert ((regions.group == arm) & (it.group == arm)).sum() > 0.8 * (it.group == arm).sum()


@pytest.mark.parametrize("case", ["full", "arm", "faceless"])
def test_skin_is_skin_and_cloth_is_cloth(labelled: dict[str, Labelled], case: str) -> None:
    it = labelled[case]
    skin = it.regions.skin
    bare = ndimage.binary_erosion(it.shows("face", "neck"), iterations=2)
    cloth = ndimage.binary_erosion(it.shows("torso", "arm", "leg"), iterations=2)
    assert skin[bare].mean() > 0.9
    assert skin[cloth].mean() < 0.02
    assert not skin[~it.regions.mask].any()


def test_the_unit_is_the_distance_of_the_eyes(shots: Shots, labelled: dict[str, Labelled]) -> None:
    face = shots["full"].observation.face
    apart = np.linalg.norm(face[468] - face[473])
    assert labelled["full"].regions.unit == pytest.approx(apart, rel=0.1)
    assert labelled["full"].regions.unit == pytest.approx(face_size(face))
    assert labelled["faceless"].regions.unit > 0
    assert not labelled["faceless"].regions.face.any()


def test_hair_beside_the_body_is_found_and_inflated(shots: Shots) -> None:
    """A dark round of hair behind the head, wider than the box that the body has there."""
    shot = replace(shots["head"], observation=replace(shots["head"].observation, face=None))
    plain = label(shot)
    assert not plain.regions.hair.any()
    head = plain.shows("face")
    rows, cols = np.nonzero(head)
    y, x = np.mgrid[: head.shape[0], : head.shape[1]] + 0.5
    middle, half = cols.mean(), np.ptp(cols) / 2
    round_ = np.hypot(x - middle, y - rows.min() - half) < 1.5 * half
    hair = round_ & ~(plain.buffer.face >= 0)
    hair |= head & (y < rows.min() + 0.25 * np.ptp(rows))
    colors = np.where(hair[..., None], HAIR, shot.matte.foreground)
    it = label(shot, (shot.matte.alpha > 0.5) | hair, colors)
    beside = hair & (it.buffer.face < 0) & (it.regions.group == HEAD)
    assert beside.sum() > 0.8 * (hair & (it.buffer.face < 0)).sum()
    assert not it.regions.skin[beside].any()
    trunk = it.sheets[0]
    thick = (trunk.back - trunk.front)[beside]
    assert thick.min() > 0
    # In metres: the round is some 12 cm in radius, so it bulges by several.
    assert 0.04 < np.percentile(thick, 90) < 0.5
    depth = ndimage.distance_transform_edt(it.regions.mask)[beside]
    assert np.median(thick[depth > 4]) > np.median(thick[depth <= 2])


@pytest.mark.parametrize("case", ["full", "arm", "faceless"])
def test_sheets_have_a_front_and_a_back(labelled: dict[str, Labelled], case: str) -> None:
    it = labelled[case]
    assert [sheet.group for sheet in it.sheets] == [0, *ARMS]
    visible = sum(sheet.visible.astype(int) for sheet in it.sheets)
    np.testing.assert_array_equal(visible, it.regions.mask.astype(int))  # each pixel in one sheet
    for sheet in it.sheets:
        assert not (sheet.visible & ~sheet.mask).any()
        assert (sheet.back > sheet.front)[sheet.mask].all()
        assert (sheet.front[sheet.mask] > 0.5).all()
        assert np.isfinite(sheet.back).all()
        assert not sheet.front[~sheet.mask].any()
        assert 0 <= sheet.on_mesh.min() <= sheet.on_mesh.max() <= 1


def test_bare_skin_lies_on_the_body_and_cloth_before_it(labelled: dict[str, Labelled]) -> None:
    it = labelled["faceless"]
    front = composite_sheets(it.sheets, "front")
    behind = front - it.buffer.depth  # of the body
    bare = it.regions.skin & it.shows("face") & (it.regions.group == HEAD)
    assert bare.sum() > 100
    np.testing.assert_allclose(behind[ndimage.binary_erosion(bare)], 0.0, atol=1e-4)
    cloth = ndimage.binary_erosion(it.shows("torso"), iterations=6) & (it.regions.group == TORSO)
    assert cloth.sum() > 100
    assert -0.05 < np.median(behind[cloth]) < 0.0


def test_the_trunks_sheet_goes_on_behind_an_arm(labelled: dict[str, Labelled]) -> None:
    it = labelled["arm"]
    trunk, arms = it.sheets[0], it.sheets[1:]
    hidden = trunk.mask & ~trunk.visible
    assert hidden.sum() > 200
    assert not (hidden & ~it.regions.mask).any()
    # Where the arm crosses, its back lies before the trunk's front.
    for sheet in arms:
        crossing = ndimage.binary_erosion(hidden & sheet.visible, iterations=2)
        if crossing.sum() > 50:
            assert (sheet.front < trunk.front)[crossing].mean() > 0.95
            break
    else:
        pytest.fail("no arm crosses the trunk")


@dataclass(frozen=True)
class Standing:
    """A naked body with hanging arms, seen from the front."""

    groups: IntArray
    camera: Camera
    buffer: MeshBuffer
    regions: Regions
    bare: DressedMesh

    @property
    def mask(self) -> BoolArray:
        return self.buffer.face >= 0

    @property
    def drawn(self) -> IntArray:
        """[H, W] the limb drawn at each pixel, -1 beside the body."""
        return np.where(self.mask, self.groups[self.bare.f[:, 0]][self.buffer.face], -1)

    @staticmethod
    def of(body: Body, lowered: float) -> Standing:
        """Lower the arms of the T-pose by some radians."""
        hanging = {"left_shoulder": [0, 0, -lowered], "right_shoulder": [0, 0, lowered]}
        transl = np.array([0.0, 0.1, -3.0])
        pose = replace(Pose.rest(body.num_expression), transl=transl).with_joints(**hanging)
        vertices, camera = body.vertices(pose)[0], photo_camera(620.0, 300, 400)
        buffer = rasterize_mesh(vertices, body.f, camera)
        mask = buffer.face >= 0
        gray = np.full((*mask.shape, 3), 0.5)
        nothing = observe_nothing(mask)
        regions = find_regions(gray, mask, camera, vertices, body, nothing, 1.0, gray)
        count = len(vertices)
        bare = DressedMesh(vertices, *np.zeros((2, count)), body.f, np.zeros(count, bool))
        return Standing(vertex_groups(body), camera, buffer, regions, bare)


def test_no_spikes_where_the_photo_has_a_limbs_seam_elsewhere(average: Body) -> None:
    it = Standing.of(average, 0.9)
    buffer, mask, regions, camera = it.buffer, it.mask, it.regions, it.camera
    height = average.J_template[JOINT_INDEX["left_shoulder"], 1]
    shoulders = mask & (
        np.where(mask, average.v_template[average.f, 1].mean(1)[buffer.face], 0) > height
    )
    for arm in ARMS:
        own = mask & (regions.group == arm)
        for moved in (
            own | (ndimage.binary_dilation(own, iterations=6) & shoulders),
            own & ~(shoulders & ndimage.binary_dilation(mask & ~own, iterations=6)),
        ):
            group = np.where(own, TORSO, regions.group)
            group[moved] = arm
            sheets = find_depth_sheets(replace(regions, group=group), it.bare, it.groups, camera)
            changed = (moved != own) & ndimage.binary_erosion(mask, iterations=2)
            assert changed.sum() > 20
            front = composite_sheets(sheets, "front")
            assert np.abs(front - buffer.depth)[changed].max() < 0.003


@pytest.mark.parametrize(("kind", "on_trunk"), [(SKIN, False), (UPPER, True)])
def test_a_bare_arm_beyond_its_fit_does_not_lie_on_the_shirt(
    average: Body, kind: int, on_trunk: bool
) -> None:
    it = Standing.of(average, 1.3)
    buffer, regions, camera, groups = it.buffer, it.regions, it.camera, it.groups
    worn = np.where(groups == TORSO, 1.0, 0.0)
    dressed = replace(it.bare, worn=worn)
    drawn = it.drawn
    arm = drawn == ARMS[0]
    wide = ndimage.binary_dilation(arm, iterations=4) & (drawn == TORSO)
    group = np.where(arm | wide, ARMS[0], np.where(drawn == ARMS[1], ARMS[1], TORSO))
    label = np.where(arm | wide, kind, UPPER)
    sheets = find_depth_sheets(replace(regions, group=group, label=label), dressed, groups, camera)
    off = np.abs(composite_sheets(sheets, "front") - buffer.depth)[wide]
    assert wide.sum() > 50
    assert (np.median(off) < 0.003) == on_trunk


def test_a_held_thing_lies_before_the_trunk_that_it_hides(average: Body) -> None:
    """Held by an arm of which the photo shows what is farther than the trunk."""
    it = Standing.of(average, 1.3)
    buffer, mask, regions, camera = it.buffer, it.mask, it.regions, it.camera
    drawn = it.drawn
    arm = drawn == ARMS[0]
    rows, cols = np.nonzero(drawn == TORSO)
    row, col = np.mgrid[: mask.shape[0], : mask.shape[1]]
    chest = np.hypot(row - np.percentile(rows, 40), col - np.median(cols)) < 12
    label = np.where(chest, OBJECT, np.where(mask, SKIN, NONE))
    group = np.where(chest, ARMS[0], np.where(mask, drawn, -1))
    sheets = find_depth_sheets(
        replace(regions, group=group, label=label), it.bare, it.groups, camera
    )
    front = composite_sheets(sheets, "front")
    trunk = np.median(buffer.depth[chest])
    assert np.median(buffer.depth[arm]) > trunk
    assert front[chest].max() < trunk
    assert front[chest].max() > buffer.depth[chest].min() - 0.03
    # Where it hides nothing, it is as far away as its holder.
    beside = ndimage.binary_dilation(arm, iterations=8) & ~mask
    group, label = np.where(beside, ARMS[0], drawn), np.where(beside, OBJECT, SKIN)
    wide = replace(regions, mask=mask | beside, group=group, label=label)
    front = composite_sheets(find_depth_sheets(wide, it.bare, it.groups, camera), "front")
    near = ndimage.binary_dilation(arm, iterations=8) & beside
    assert np.median(front[near]) == pytest.approx(np.median(buffer.depth[arm]), abs=0.03)


def test_composite_takes_each_pixel_from_what_is_seen_there(labelled: dict[str, Labelled]) -> None:
    sheets = labelled["arm"].sheets
    front = composite_sheets(sheets, "front")
    for sheet in sheets:
        np.testing.assert_array_equal(front[sheet.visible], sheet.front[sheet.visible])
    assert not front[~labelled["arm"].regions.mask].any()
