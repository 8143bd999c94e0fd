"""Grids of the photo for its splats, and the far side of what stands off the mesh."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import quaternion_to_matrix
from likeness.engine.core.settings import overridden_settings
from likeness.engine.core.types import BoundGaussians, FloatArray, Matte, Pose
from likeness.engine.gaussians.binding import place_gaussians
from likeness.engine.gaussians.lift.hair.hair_backing import S as BACKING
from likeness.engine.gaussians.lift.hair.hair_backing import back_hair
from likeness.engine.gaussians.lift.label_photo import clean_rim
from likeness.engine.gaussians.lift.pixels.regions import Regions
from likeness.engine.gaussians.lift.shape.depth_sheets import DepthSheet, LimbBorders
from likeness.engine.gaussians.lift.splats.far_side import loose_layer
from likeness.engine.gaussians.lift.splats.photo_edges import S as EDGES
from likeness.engine.gaussians.lift.splats.photo_edges import find_fringe, keep_edges
from likeness.engine.gaussians.lift.splats.photo_splats import front_layer
from likeness.engine.gaussians.lift.surface.labels import HAIR, HAT, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import HEAD, LEFT_ARM, TORSO, vertex_groups
from likeness.engine.gaussians.lift.surface.surfels import SHELL, TriangleBinding
from likeness.engine.render.mesh import rasterize_mesh


def test_a_soft_rim_takes_the_colours_of_the_solid_inside() -> None:
    alpha = np.zeros((30, 30), np.float32)
    alpha[5:25, 5:25] = 0.4
    alpha[7:23, 7:23] = 1.0
    colors = np.where(alpha[..., None] == 1.0, 0.25, 0.9).astype(np.float32) * np.ones(3)
    clean = clean_rim(Matte(alpha, colors))
    np.testing.assert_allclose(clean.foreground[alpha > 0], 0.25, atol=1e-6)
    np.testing.assert_array_equal(clean.alpha, alpha)
    haze = Matte(np.full((30, 30), 0.5, np.float32), colors)
    assert clean_rim(haze) is haze, "nothing solid to take colours from"


@pytest.mark.parametrize("budget", [4000, 300])
def test_a_loose_patch_gets_a_back_and_a_rim(budget: int) -> None:
    """A slab of 20 x 30 pixels beside the body: its back lies at its back, all around is closed."""
    body = make_synthetic_body()
    vertices, _ = body.vertices(Pose.rest(body.num_expression))
    vertices = vertices - [0.0, 0.0, 3.0]
    camera = photo_camera(50.0, 64, 64)
    mask = np.zeros((64, 64), bool)
    mask[20:50, 40:60] = True
    front, back = np.where(mask, 2.9, 0.0), np.where(mask, 3.1, 0.0)
    sheet = DepthSheet(0, mask, mask, front, back, np.zeros(mask.shape), mask)
    regions = SimpleNamespace(
        unit=10.0,
        group=np.where(mask, TORSO, -1),
        mask=mask,
        hair=np.zeros_like(mask),
        label=np.where(mask, UPPER, 0),
    )
    colors, alpha = np.where(mask[..., None], [0.1, 0.5, 0.7], 1.0), mask.astype(float)
    homes = TriangleBinding(body, vertices, vertex_groups(body)[body.f[:, 0]])

    def layer(sheets: tuple[DepthSheet, ...]) -> Any:
        return loose_layer(sheets, colors, alpha, cast(Regions, regions), camera, homes, budget)

    parts = layer((sheet,))
    assert 0 < sum(len(part) for part in parts) <= budget
    for part in parts:
        assert (part.layer == SHELL).all()
        np.testing.assert_allclose(part.colors, np.tile([0.1, 0.5, 0.7], (len(part), 1)), atol=1e-6)
        xy, depth = project(np.asarray(place_gaussians(part, vertices, body).means, float), camera)
        assert (depth > 2.89).all()
        assert (depth < 3.11).all()
        col, row = xy.astype(int).T
        assert mask[row, col].all()
    if budget == 4000:
        (far, rim) = parts
        depth = project(np.asarray(place_gaussians(far, vertices, body).means, float), camera)[1]
        np.testing.assert_allclose(depth, 3.1, atol=1e-4)
        depth = project(np.asarray(place_gaussians(rim, vertices, body).means, float), camera)[1]
        assert np.ptp(depth) > 0.5 * 0.2, "from the front to the back"
    nothing = DepthSheet(0, mask, mask, front, back, np.zeros(mask.shape), np.zeros_like(mask))
    assert layer((nothing,)) == []


def test_a_face_beside_loose_hair_has_no_far_side_and_lends_it_no_colour() -> None:
    body = make_synthetic_body()
    vertices = body.vertices(Pose.rest(body.num_expression))[0] - [0.0, 0.0, 3.0]
    camera = photo_camera(50.0, 64, 64)
    mask = np.zeros((64, 64), bool)
    mask[20:50, 30:60] = True
    hair = mask & (np.arange(64) >= 40)
    sheet = DepthSheet(
        0, mask, mask, np.where(mask, 2.9, 0.0), np.where(mask, 3.1, 0.0), 0.0 * mask, mask
    )
    regions = SimpleNamespace(
        unit=40.0,
        group=np.where(mask, HEAD, -1),
        mask=mask,
        hair=hair,
        label=np.where(hair, HAIR, np.where(mask, SKIN, 0)),
    )
    black, skin = np.full(3, 0.1), np.array([0.8, 0.6, 0.5])
    colors = np.where(hair[..., None], black, skin)
    homes = TriangleBinding(body, vertices, vertex_groups(body)[body.f[:, 0]])
    for part in loose_layer(
        (sheet,), colors, 1.0 * mask, cast(Regions, regions), camera, homes, 4000
    ):
        xy, _ = project(np.asarray(place_gaussians(part, vertices, body).means, float), camera)
        col, row = xy.astype(int).T
        assert hair[row, col].all()
        np.testing.assert_allclose(part.colors, np.tile(black, (len(part), 1)), atol=1e-6)


def test_a_long_earring_in_loose_hair_has_hair_behind_it() -> None:
    body = make_synthetic_body()
    vertices = body.vertices(Pose.rest(body.num_expression))[0] - [0.0, 0.0, 3.0]
    camera = photo_camera(50.0, 64, 64)
    mask = np.zeros((64, 64), bool)
    mask[20:50, 30:60] = True
    jewel = np.zeros_like(mask)
    jewel[30:38, 42:47] = True
    sheet = DepthSheet(
        0, mask, mask, np.where(mask, 2.9, 0.0), np.where(mask, 3.1, 0.0), 0.0 * mask, mask
    )
    regions = SimpleNamespace(
        unit=40.0,
        group=np.where(mask, TORSO, -1),
        mask=mask,
        hair=mask & ~jewel,
        label=np.where(jewel, UPPER, np.where(mask, HAIR, 0)),
    )
    black, teal = np.full(3, 0.1), np.array([0.0, 0.6, 0.7])
    colors = np.where(jewel[..., None], teal, black)
    homes = TriangleBinding(body, vertices, vertex_groups(body)[body.f[:, 0]])
    parts = loose_layer((sheet,), colors, 1.0 * mask, cast(Regions, regions), camera, homes, 4000)
    assert len(parts[0]) > 500
    for part in parts:
        np.testing.assert_allclose(part.colors, np.tile(black, (len(part), 1)), atol=1e-6)


def slope_of(label: int) -> tuple[Any, TriangleBinding, Any]:
    """A view, off the mesh: each pixel lies 1 cm behind its neighbour, in two tones by turns."""
    body = make_synthetic_body()
    vertices = body.vertices(Pose.rest(body.num_expression))[0] - [0.0, 0.0, 5.0]
    mask = np.zeros((96, 96), bool)
    mask[20:80, 30:70] = True
    cols = np.broadcast_to(np.arange(96), mask.shape)
    front = np.where(mask, 0.4 + 0.01 * (cols - 30), 0.0)
    nowhere = np.zeros_like(mask)
    regions = SimpleNamespace(
        unit=40.0,
        group=np.where(mask, HEAD, -1),
        mask=mask,
        hair=mask if label == HAIR else nowhere,
        label=np.where(mask, label, 0),
    )
    place = np.zeros((96, 96, 2), int)
    view: Any = SimpleNamespace(
        camera=photo_camera(150.0, 96, 96),
        colors=np.where(cols[..., None] % 2 == 0, 0.1, 0.3) * np.ones(3),
        alpha=1.0 * mask,
        regions=regions,
        sheets=(DepthSheet(0, mask, mask, front, front + 0.2, 0.0 * front, mask),),
        borders=LimbBorders(nowhere, nowhere, place, np.stack([place] * 2)),
        backlight=0.0,
    )
    dressed: Any = SimpleNamespace(vertices=vertices, f=body.f, worn=np.zeros(len(vertices)))
    homes = TriangleBinding(body, vertices, vertex_groups(body)[body.f[:, 0]])
    return view, homes, dressed


def reach_in_depth(bound: BoundGaussians, homes: TriangleBinding) -> FloatArray:
    """[N] metres, one standard deviation along z in the photo's pose."""
    world = place_gaussians(bound, homes.vertices, homes.body)
    axes = quaternion_to_matrix(np.asarray(world.quats, np.float64))
    return np.asarray(np.linalg.norm(axes[:, 2] * world.scales, axis=1))


@pytest.mark.parametrize("budget", [100_000, 4000])
def test_hair_that_turns_away_has_a_backing_that_closes_it_from_aside(budget: int) -> None:
    view, homes, dressed = slope_of(HAIR)
    mask, camera = view.regions.mask, view.camera
    (backing,) = back_hair(view, homes, dressed, budget)
    assert 0 < len(backing) <= max(BACKING.share * budget, mask.sum())
    if budget == 4000:
        assert len(backing) <= 1.5 * BACKING.share * budget
    world = place_gaussians(backing, homes.vertices, homes.body)
    xy, depth = project(np.asarray(world.means, np.float64), camera)
    col, row = xy.astype(int).T
    assert mask[row, col].all()
    assert (depth > 0.4 + 0.01 * (xy[:, 0] - 31.0)).all(), "behind the photo's own splats"
    np.testing.assert_allclose(world.colors, 0.2, atol=0.05)
    pixel = 0.6 / camera.K[0, 0]
    assert np.median(reach_in_depth(backing, homes)) > pixel, "drawn out in depth"
    assert back_hair(replace_hair(view, np.zeros_like(mask)), homes, dressed, budget) == []


@pytest.mark.parametrize(("label", "closed"), [(HAT, True), (SKIN, False)])
def test_a_brim_off_the_mesh_stays_closed_and_skin_there_is_seen_from_the_front(
    label: int, closed: bool
) -> None:
    view, homes, dressed = slope_of(label)
    mask = view.regions.mask
    photo = front_layer(view.colors, view.alpha, view.camera, mask, 0.6, view, homes, dressed)
    assert len(photo) > 0.9 * mask.sum()
    pixel = 0.6 / view.camera.K[0, 0]
    assert (np.median(reach_in_depth(photo, homes)) > pixel) == closed


def replace_hair(view: Any, hair: Any) -> Any:
    """The same photo with other hair."""
    regions = SimpleNamespace(**{**vars(view.regions), "hair": hair})
    return SimpleNamespace(**{**vars(view), "regions": regions})


def test_a_sleeve_before_the_trunk_is_the_arms() -> None:
    """The fitted arm lies elsewhere, and 2 cm behind the sleeve's pixels is the trunk's mesh."""
    body = make_synthetic_body()
    vertices = body.vertices(Pose.rest(body.num_expression))[0] - [0.0, 0.0, 3.0]
    camera = photo_camera(150.0, 96, 96)
    buffer = rasterize_mesh(vertices, body.f, camera)
    group_of = vertex_groups(body)[body.f[:, 0]]
    chest = (buffer.face >= 0) & (group_of[buffer.face] == TORSO)
    rows, cols = np.nonzero(chest)
    low, left = np.median(rows), np.median(cols)
    mask = chest & (np.hypot(*(np.mgrid[:96, :96] - [[[low]], [[left]]])) < 7.0)
    sleeve = mask & (np.arange(96) > left)
    depth = np.where(mask, buffer.depth, 0.0)
    nowhere, place = np.zeros_like(mask), np.zeros((96, 96, 2), int)
    view: Any = SimpleNamespace(
        camera=camera,
        colors=np.full((96, 96, 3), 0.5),
        regions=SimpleNamespace(
            mask=mask,
            group=np.where(sleeve, LEFT_ARM, np.where(mask, TORSO, -1)),
            label=np.where(mask, UPPER, 0),
            hair=nowhere > 0,
            unit=10.0,
        ),
        sheets=(
            DepthSheet(0, mask & ~sleeve, mask, depth, depth + 0.2, 1.0 * mask, nowhere),
            DepthSheet(LEFT_ARM, sleeve, sleeve, depth - 0.02, depth, 1.0 * sleeve, nowhere),
        ),
        borders=LimbBorders(nowhere, nowhere, place, np.stack([place] * 2)),
        backlight=0.0,
    )
    dressed: Any = SimpleNamespace(vertices=vertices, f=body.f, worn=np.ones(len(vertices)))
    homes = TriangleBinding(body, vertices, group_of)
    with overridden_settings({"lift.photo_splats.arm_reach": 1.0}):
        photo = front_layer(view.colors, 1.0 * mask, camera, mask, 0.6, view, homes, dressed)
    xy, away = project(np.asarray(place_gaussians(photo, vertices, body).means, float), camera)
    col, row = xy.astype(int).T
    on_sleeve = sleeve[row, col]
    assert on_sleeve.sum() > 20
    assert (~on_sleeve).sum() > 20
    np.testing.assert_array_equal(group_of[photo.triangle] == LEFT_ARM, on_sleeve)
    np.testing.assert_allclose(away[on_sleeve], (depth - 0.02)[row, col][on_sleeve], atol=0.01)


@pytest.mark.parametrize(
    ("part", "width", "found"), [("face", 4, True), ("face", 9, False), ("ear", 4, False)]
)
def test_a_thin_strip_of_skin_beside_a_cheek_is_its_outline(
    average: Body, part: str, width: int, found: bool
) -> None:
    """A curl or an earring reaches farther off the head; ears have their own rules."""
    side = np.abs(average.v_template[average.f].mean(1)[:, 0])
    own = average.face_part == average.part_names.index(part)
    cheek = int(np.nonzero(own & (side > EDGES.fringe_aside))[0][0])
    face = np.full((20, 40), -1)
    face[:, :20] = cheek
    beyond = np.zeros((20, 40), bool)
    beyond[5:15, 20 : 20 + width] = True
    colors, size = np.where(beyond[..., None], 0.2, 0.7) * np.ones(3), np.full((20, 40), 1e-3)
    strip = find_fringe(beyond, face, colors, size, average)
    np.testing.assert_array_equal(strip, beyond if found else np.zeros_like(beyond))
    beard = np.full((20, 40, 3), 0.2)
    assert not find_fringe(beyond, face, beard, size, average).any()
    nose = int(np.argmin(side + (average.face_part != average.part_names.index("face"))))
    face[:, :20] = nose
    assert not find_fringe(beyond, face, colors, size, average).any()


def test_only_the_edges_of_heads_keep_splats_that_turn_away() -> None:
    """No slope is an edge, however far it falls within the rim; a step and an outline are."""
    size, head = np.full((40, 60), 0.002), np.ones((40, 60), bool)
    gone, inside, slope = np.zeros((40, 60)), np.full((40, 60), 50.0), 2.5 * 0.002 * np.arange(60)
    slanted = 1.0 + slope * np.ones((40, 1))
    np.testing.assert_array_equal(keep_edges(gone, inside, slanted, size, head), gone)
    step = np.where(np.arange(60) < 30, 1.0, 1.06) * np.ones((40, 1))
    kept = keep_edges(gone, inside, step, size, head)
    assert (kept[:, 29] == 1.0).all()
    assert (kept[:, :26] == 0.0).all()
    assert (kept[:, 30:] == 0.0).all()
    inside[:] = np.arange(60) + 1.0
    kept = keep_edges(gone, inside, np.ones((40, 60)), size, head)
    assert (kept[:, 0] == 1.0).all()
    assert (kept[:, 8:] == 0.0).all()
    np.testing.assert_array_equal(keep_edges(gone, inside, step, size, ~head), gone)
    nowhere = np.zeros((40, 60))
    np.testing.assert_array_equal(keep_edges(gone, inside, nowhere, nowhere, head), gone)
