"""A shirt's collar goes round the neck, above the jacket, and does not cling to the jaw."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import FloatArray
from likeness.engine.gaussians.lift.colors.collar_bands import (
    CollarBand,
    find_collar,
    find_neckwear,
)
from likeness.engine.gaussians.lift.garments.labels_surface import (
    find_bare_face,
    find_collared_jaw,
    vertex_parts,
)
from likeness.engine.gaussians.lift.shape.depth_sheets import find_depth_sheets
from likeness.engine.gaussians.lift.surface.labels import LABELS, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import HEAD, TORSO, vertex_groups
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage

PIXEL = 0.002  # metres
WHITE, NAVY = np.array([0.9, 0.9, 0.92]), np.array([0.1, 0.12, 0.2])


def photo(width: float = 0.016, shirt: FloatArray = WHITE, one_side: bool = False):  # type: ignore[no-untyped-def]
    """A neck 60 pixels wide in a jacket, with a collar ``width`` metres wide beside it."""
    row, col = np.mgrid[:120, :160]
    neck = (np.abs(col - 80) < 30) & (row < 50)
    beside = np.maximum(np.maximum(np.abs(col - 80) - 30, row - 50), 0) * PIXEL
    worn = ~neck & (row > 20)
    collar = worn & (beside < width) & ~(one_side & (col > 80))
    colors = np.where(collar[..., None], shirt, NAVY)
    label = np.where(neck, SKIN, np.where(worn, UPPER, 0))
    sheet = SimpleNamespace(
        visible=np.ones_like(neck), mask=np.ones_like(neck), front=np.full(neck.shape, 2.0)
    )
    regions = SimpleNamespace(
        group=np.where(neck, HEAD, TORSO), label=label, mask=neck | worn, unit=30.0
    )
    return SimpleNamespace(
        regions=regions,
        alpha=np.ones(neck.shape),
        colors=colors,
        sheets=(sheet,),
        camera=SimpleNamespace(K=np.diag([2.0 / PIXEL, 2.0 / PIXEL, 1.0])),
    )


def test_a_collar_is_read_beside_the_neck() -> None:
    found = find_collar(photo())
    assert found is not None
    assert found.width == pytest.approx(0.016, abs=1.5 * PIXEL)
    np.testing.assert_allclose(found.color, WHITE, atol=1e-6)


def test_what_reaches_the_neck_on_one_side_or_is_a_shadow_is_no_collar() -> None:
    assert find_collar(photo(width=0.0)) is None
    assert find_collar(photo(one_side=True)) is None
    assert find_collar(photo(shirt=0.2 * NAVY)) is None
    assert find_collar(photo(width=0.2)) is None  # a shirt without a jacket


def neck_texels():  # type: ignore[no-untyped-def]
    """Texels of a neck's cylinder above and below its neckline; their angle and height."""
    angle, height = np.meshgrid(np.linspace(-np.pi, np.pi, 90), np.arange(-0.16, 0.02, 0.001))
    angle, height = angle.ravel(), height.ravel()
    texels = SimpleNamespace(
        rest=np.stack([0.06 * np.sin(angle), 0.5 + height, 0.06 * np.cos(angle)], -1),
        label=np.where(height > 0.0, SKIN, UPPER),
        group=np.full(len(angle), TORSO),
        radius=np.full(len(angle), 1e-4),
    )
    return texels, angle, height


def test_it_goes_round_and_is_narrower_behind() -> None:
    texels, angle, height = neck_texels()
    rows = CollarBand(WHITE, 0.02).find_texels(texels)  # type: ignore[arg-type]
    for near, width in ((np.abs(angle) < 1.0, 0.02), (np.abs(angle) > 3.1, 0.014)):
        depth = -height[rows[near[rows]]]
        assert depth.max() == pytest.approx(width, abs=0.002)
        assert len(depth) >= 0.9 * (near & (height <= 0.0) & (-height < width - 0.002)).sum()


def test_what_alone_covers_both_sides_of_the_neck_goes_round_it() -> None:
    suit, polo_neck, ring = 0, 1, 2
    texels, angle, height = neck_texels()
    before = (np.abs(angle) < np.pi / 2) & (height <= 0.0)
    fabric = np.where(height > -0.04, polo_neck, np.where(height > -0.08, ring, suit))
    around = np.full(len(fabric), suit)

    def go_round(shown):  # type: ignore[no-untyped-def]
        seen = np.where(shown, fabric, -1)
        return find_neckwear(texels, 1.0 * shown, seen, around)  # type: ignore[arg-type]

    rows, kinds = go_round(before)
    for near, width in ((np.abs(angle) < 0.6, 0.08), (np.abs(angle) > 3.1, 0.03)):
        own = near[rows]
        assert -height[rows[own]].min() == pytest.approx(width, abs=0.002)
        end = -height[rows[own & (kinds == polo_neck)]].min()
        assert end == pytest.approx(0.5 * width, abs=0.003)
    assert set(kinds) == {polo_neck, ring}
    fabric[(angle > 0.0) & (height < -0.03)] = suit  # which comes near on one side
    assert not len(go_round(before)[0])
    # Of a neckband above hidden cloth nobody knows how far down it goes.
    assert not len(go_round(before & (height > -0.03))[0])
    fabric[height < 0.0] = polo_neck
    assert not len(go_round(before & (angle > 0.0))[0])  # something hides the other side


def test_a_collar_does_not_label_the_jaw_but_a_scarf_covers_it(default_body: Body) -> None:
    part = vertex_parts(default_body)
    face = part == "face"
    weight = face.astype(float)
    low = face & (
        default_body.v_template[:, 1] < np.percentile(default_body.v_template[face, 1], 10.0)
    )
    label = np.where(low, UPPER, SKIN)
    np.testing.assert_array_equal(find_collared_jaw(label, weight, part), low)
    half = face & (
        default_body.v_template[:, 1] < np.percentile(default_body.v_template[face, 1], 50.0)
    )
    assert not find_collared_jaw(np.where(half, UPPER, SKIN), weight, part).any()


def test_a_face_is_bare_where_no_cloth_covers_it(default_body: Body) -> None:
    part = vertex_parts(default_body)
    masked = (part == "face") & (
        default_body.v_template[:, 1] < default_body.v_template[part == "lips", 1].mean()
    )
    shares = np.eye(len(LABELS))[np.where(masked, UPPER, SKIN)]
    bare = find_bare_face(default_body, shares)
    assert bare.any()
    assert not masked[default_body.f[bare]].any()
    names = set(np.array(default_body.part_names)[default_body.face_part[bare]])
    assert "face" in names
    assert not names & {"neck", "torso", "scalp", "ear"}


def test_a_collar_beside_a_jaw_lies_on_the_neck(default_body: Body) -> None:
    vertices = np.asarray(default_body.v_template, np.float64)
    head = vertices[vertex_parts(default_body) == "face"]
    camera = photo_camera(660.0, 160, 160)
    vertices = vertices - [0.0, head[:, 1].mean(), 1.5]
    face = find_bare_face(default_body, np.eye(len(LABELS))[np.full(len(vertices), SKIN)])
    buffer = rasterize_mesh(vertices, default_body.f, camera)
    mask = buffer.face >= 0
    row = np.arange(160)[:, None]
    shown = mask & face[buffer.face]
    collar = shown & (row > np.percentile(np.nonzero(shown)[0], 90.0))
    regions = SimpleNamespace(
        label=np.where(collar, UPPER, SKIN),
        group=np.where(mask, TORSO, -1),
        mask=mask,
        hair=np.zeros_like(mask),
        mouth=np.zeros_like(mask),
        unit=30.0,
    )
    dressed = SimpleNamespace(vertices=vertices, f=default_body.f, worn=np.zeros(len(vertices)))
    groups = vertex_groups(default_body)
    plain, laid = (
        find_depth_sheets(regions, dressed, groups, camera, bare_face=bare)[0].front  # type: ignore[arg-type]
        for bare in (None, face)
    )
    inner = ndimage.binary_erosion(collar, iterations=2)
    assert np.median(laid[inner] - plain[inner]) > 0.02
    assert (laid - plain)[mask].max() < 0.1  # not the nape
    far = mask & ~ndimage.binary_dilation(collar, iterations=6)
    np.testing.assert_allclose(laid[far], plain[far], atol=1e-6)
