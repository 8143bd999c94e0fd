"""Pixels that are not trusted: at grazing angles, and at the outline of another limb."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import BoundGaussians
from likeness.engine.gaussians.binding import bind_gaussians
from likeness.engine.gaussians.lift.grids.pixel_grids import distance_inside
from likeness.engine.gaussians.lift.photo.border_pixels import settle_borders
from likeness.engine.gaussians.lift.photo.trust import (
    bound_facing,
    clean_hand,
    facing_ramp,
    find_hand_stains,
    find_specks,
    find_strays,
    repaint_photo,
)
from likeness.engine.gaussians.lift.shape.depth_sheets import find_limb_borders
from likeness.engine.gaussians.lift.surface.labels import HAIR, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import (
    HANDS,
    HEAD,
    LEFT_ARM,
    TORSO,
    hand_triangles,
    vertex_groups,
)
from likeness.engine.gaussians.lift.surface.surfels import CORE, PHOTO, surfels_on_plane
from scipy.ndimage import gaussian_filter

RED, BLUE, SKIN_TONE = [0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.8, 0.6, 0.5]


def test_squarely_seen_counts_and_grazed_does_not() -> None:
    facing = np.array([0.0, 0.1, 0.2, 0.9])
    for label, head in ((SKIN, True), (SKIN, False), (HAIR, True), (UPPER, False)):
        ramp = facing_ramp(facing, np.full(4, label), np.full(4, head))
        assert ramp[0] == ramp[1] == 0.0
        assert 0.0 < ramp[2] < 1.0
        assert ramp[3] == 1.0


def test_a_speck_on_a_cheek_is_found_and_a_beard_or_a_brow_is_not() -> None:
    rng = np.random.default_rng(3)
    rest = np.column_stack([rng.uniform(-0.08, 0.08, 8000), rng.uniform(-0.1, 0.1, 8000)])
    rest = np.column_stack([rest, np.zeros(8000)])
    lips = np.array([[-0.02, 0.0, 0.0], [0.02, 0.0, 0.0], [0.0, 0.0, 0.01]])
    body = SimpleNamespace(
        v_template=lips, f=np.array([[0, 1, 2]]), part_names=("lips",), face_part=np.zeros(1, int)
    )
    speck = np.linalg.norm(rest - [0.05, 0.01, 0.0], axis=1) < 0.004
    brow = np.linalg.norm(rest - [0.05, 0.07, 0.0], axis=1) < 0.004
    beard = (rest[:, 0] < -0.04) & (rest[:, 1] < 0.0)
    colors = np.where((speck | brow | beard)[:, None], 0.15, SKIN_TONE)
    found = find_specks(colors, rest, rest, np.ones(8000, bool), body)  # type: ignore[arg-type]
    assert found[speck].mean() > 0.9
    assert not found[brow].any()
    assert found[beard].mean() < 0.15  # its rim
    assert not found[~speck & ~beard].any()


def test_cloth_between_fingers_is_found_and_a_hands_shade_is_not(average: Body) -> None:
    hand = np.nonzero(hand_triangles(average, HANDS[0]))[0]
    past = np.abs(average.v_template[average.f[hand], 0]).mean(1)
    past -= abs(average.J_template[HANDS[0][0], 0])
    triangle = hand[past > 0.045]
    shade = np.linspace(0.7, 1.0, len(triangle))[:, None]
    colors = shade * SKIN_TONE
    stain = np.arange(len(triangle)) % 10 == 0
    dark = np.arange(len(triangle)) % 10 == 5
    colors[stain], colors[dark] = [0.25, 0.35, 0.5], 0.3 * np.array(SKIN_TONE)
    skin = np.ones(len(triangle), bool)
    np.testing.assert_array_equal(find_hand_stains(colors, skin, triangle, average), stain | dark)
    # Beside the wrist that is a cuff.
    cuff = np.resize(hand[past < 0.035], len(triangle))
    assert not find_hand_stains(colors, skin, cuff, average).any()
    elsewhere = np.nonzero(average.face_part == average.part_names.index("torso"))[0]
    rows = np.resize(elsewhere, len(triangle))
    assert not find_hand_stains(colors, skin, rows, average).any()


@pytest.mark.parametrize(
    ("shown", "blurred", "stained"),
    [
        ([0.95, 0.95, 0.96], 0.0, True),  # a wall between the fingers
        ([0.86, 0.82, 0.80], 7.0, False),  # the sun on a knuckle, without an edge
        ([0.68, 0.62, 0.59], 7.0, False),  # less of it
        ([0.87, 0.72, 0.63], 0.0, False),  # a lit finger beside a dark gap
        ([0.22, 0.31, 0.55], 0.0, True),  # jeans
        ([0.22, 0.31, 0.55], 2.0, True),  # out of focus
        ([0.40, 0.53, 0.45], 0.0, True),  # cloth as light as the hand
    ],
)
@pytest.mark.parametrize("pitch", [1, 2])
def test_a_hand_is_cleaned_of_what_lies_behind_it_but_not_of_its_light(
    shown: list[float], blurred: float, stained: bool, pitch: int
) -> None:
    usual = np.array([0.62, 0.48, 0.41])
    spot = np.zeros((80, 80))
    spot[32:48, 32:48] = 1.0
    spot = gaussian_filter(spot, blurred)[..., None] if blurred else spot[..., None]
    picture = spot / spot.max() * shown + (1.0 - spot / spot.max()) * usual
    pixel = np.stack(np.mgrid[:80:pitch, :80:pitch], -1).reshape(-1, 2)
    means = np.column_stack([pixel * 0.001, np.zeros(len(pixel))])
    colors, everywhere = picture[tuple(pixel.T)], np.ones(len(pixel), bool)
    found, clean = clean_hand(means, colors, everywhere, pixel, picture)
    assert found.any() == stained
    if stained and not blurred:
        np.testing.assert_array_equal(found, spot[tuple(pixel.T)][:, 0] == 1.0)
        np.testing.assert_allclose(clean, np.tile(usual, (len(clean), 1)))
    # A gap that goes on beyond the hand has no edge there.
    above = pixel[:, 0] < 42
    found, _ = clean_hand(means[above], colors[above], everywhere[above], pixel[above], picture)
    assert found.any() == stained


def two_planes(width: int = 40) -> SimpleNamespace:
    """A view of a far plane on the left and one 10 cm nearer on the right."""
    camera = photo_camera(100.0, width, width)
    near = np.zeros((width, width), bool)
    near[:, width // 2 :] = True
    mask = np.ones_like(near)
    mask[:3] = False
    depth = np.where(near, 1.9, 2.0)
    sheet = SimpleNamespace(visible=mask, mask=mask, front=depth, group=0)
    regions = SimpleNamespace(
        mask=mask, label=np.where(mask, UPPER, 0), group=np.where(mask, TORSO, -1), unit=5.0
    )
    colors = np.where(near[..., None], SKIN_TONE, RED)
    return SimpleNamespace(
        camera=camera,
        colors=colors,
        sheets=(sheet,),
        alpha=mask.astype(float),
        regions=regions,
        inside=distance_inside(mask) / 5.0,
        backlight=0.0,
        borders=find_limb_borders((sheet,), mask),  # type: ignore[arg-type]
    )


def test_the_farther_surface_is_doubted_within_two_pixels_of_the_nearer() -> None:
    view = two_planes()
    borders = view.borders
    assert borders.behind[10:, 18:20].all()
    assert not borders.behind[:, :18].any()
    assert not borders.behind[:, 20:].any()
    assert (borders.nearer[20, 18] == [20, 20]).all()
    assert (borders.sure[0, 20, 18] == [20, 21]).all()
    assert borders.before[10:, 20].all()
    assert not borders.before[:, 21:].any()
    assert (borders.sure[1, 20, 20] == [20, 18]).all()


def test_a_bare_arm_carries_no_hem_nor_shadow_and_a_tattoo_stays() -> None:
    rng = np.random.default_rng(0)
    colors = rng.uniform(0.85, 1.1, (300, 1)) * SKIN_TONE
    off = np.resize([0.001, 0.004, 0.012], 300)  # a third of the arm is thicker than the fit
    hem, tattoo, shadow = (np.arange(300) % 30 == k for k in (2, 4, 5))
    colors[hem], colors[tattoo] = [0.95, 0.93, 0.95], [0.25, 0.28, 0.32]
    colors[shadow] *= 0.5
    off[shadow] = 0.025
    np.testing.assert_array_equal(find_strays(colors, off), hem | shadow)
    assert not find_strays(colors[:20], off[:20]).any()


@pytest.fixture
def scene():  # type: ignore[no-untyped-def]
    """A plane of red photo splats before completed blue texels, on one triangle of the trunk."""
    body = make_synthetic_body().personalised(np.zeros(4))
    view = two_planes()
    vertices = body.v_template + np.array([0.0, 0.0, -2.0])
    groups = vertex_groups(body)
    trunk = int(np.argmin(np.linalg.norm(body.v_template[body.f].mean(1), axis=1)))
    head = int(np.nonzero((groups == HEAD)[body.f].all(1))[0][0])

    def splats(
        columns: np.ndarray, tilt: float, color: list[float], layer: int, triangle: int
    ) -> BoundGaussians:
        x = (columns + 0.5 - view.camera.K[0, 2]) / view.camera.K[0, 0] * 2.0
        points = np.stack([x, np.zeros_like(x), np.full_like(x, -2.0)], -1)
        normals = np.tile([np.cos(tilt), 0.0, np.sin(tilt)], (len(x), 1))
        count = len(x)
        flat = surfels_on_plane(
            points, normals, np.full(count, 0.01), np.tile(color, (count, 1)), np.ones(count)
        )
        home = np.full(count, triangle)
        third = np.full((count, 3), 1.0 / 3.0)
        layers = np.full(count, layer, np.uint8)
        return bind_gaussians(flat, home, third, layers, vertices, body)

    def painted(
        columns: list[float],
        degrees: float,
        color: list[float],
        limb: int = TORSO,
        layer: int = PHOTO,
        kind: int = UPPER,
        near: int | None = None,
        far: list[float] = RED,
        border: list[float] | None = None,
    ) -> np.ndarray:
        view.colors[:, :20] = far
        view.colors[:, 18:20] = far if border is None else border
        view.regions.group[:] = limb
        view.regions.group[:, 20:] = limb if near is None else near
        view.regions.label[3:] = kind
        own = np.array(columns, float)
        triangle = head if limb == HEAD else trunk
        texels = splats(np.arange(0.0, 20.0, 0.25), np.pi / 2, BLUE, CORE, triangle)
        every = np.ones(len(texels), bool)
        label = np.full(len(texels), SKIN if layer == CORE else kind)
        photo = splats(own, np.radians(degrees), color, layer, triangle)
        out = repaint_photo(photo, texels, every, label, view, vertices, groups, body)
        assert layer == PHOTO or (out.layer == layer).all()
        return np.asarray(out.colors)

    return painted


def test_what_grazes_takes_the_completed_colour(scene) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(scene([5, 8], 90, RED), [RED, RED], atol=1e-6)
    np.testing.assert_allclose(scene([8], -6, RED), [BLUE], atol=1e-6)
    between = scene([8], 7, RED)[0]
    assert BLUE[0] < between[0] < RED[0]


def test_the_fringe_of_a_head_is_repainted_however_squarely_it_is_seen(scene) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(scene([5, 8], 90, RED, layer=CORE), [BLUE, BLUE], atol=1e-6)


def test_another_limbs_colour_at_its_outline_is_repainted(scene) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(scene([19], 90, SKIN_TONE), [BLUE], atol=1e-6)
    # Elsewhere, or in a colour that is not the other limb's, it stays.
    np.testing.assert_allclose(scene([10], 90, SKIN_TONE), [SKIN_TONE], atol=1e-6)
    np.testing.assert_allclose(scene([19], 90, BLUE), [BLUE], atol=1e-6)
    # So does what was given to the trunk for its colour, where the grid has an arm.
    np.testing.assert_allclose(scene([19], 90, SKIN_TONE, LEFT_ARM), [SKIN_TONE], atol=1e-6)


def test_hair_is_compared_with_hair(scene) -> None:  # type: ignore[no-untyped-def]
    """It is of all tones; the arm before it prints skin on it all the same."""
    strand = [0.04, 0.04, 0.3]
    np.testing.assert_allclose(scene([19], 90, strand, kind=HAIR), [strand], atol=1e-6)
    np.testing.assert_allclose(scene([19], 90, SKIN_TONE, kind=HAIR), [BLUE], atol=1e-6)


def test_the_shade_below_a_chin_stays(scene) -> None:  # type: ignore[no-untyped-def]
    shade = [0.04, 0.04, 0.3]
    np.testing.assert_allclose(scene([19], 90, shade, kind=SKIN, near=HEAD), [shade], atol=1e-6)
    # The gap beside a hand, before a neck or a cheek, does not.
    np.testing.assert_allclose(scene([19], 90, shade, kind=SKIN, near=LEFT_ARM), [BLUE], atol=1e-6)
    np.testing.assert_allclose(scene([19], 90, shade, HEAD, near=LEFT_ARM), [BLUE], atol=1e-6)


def test_the_dark_gap_beside_a_limb_is_repainted(scene) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(scene([19], 90, [0.03, 0.03, 0.1]), [BLUE], atol=1e-6)


def test_a_dark_sleeve_is_no_gap(scene) -> None:  # type: ignore[no-untyped-def]
    """The pixels off the outline say so; the completed texels are of the bare arm behind it."""
    black = [0.03, 0.03, 0.03]
    np.testing.assert_allclose(scene([19], 90, black, far=black), [black], atol=1e-6)
    np.testing.assert_allclose(scene([19], 90, black, far=SKIN_TONE), [BLUE], atol=1e-6)
    # Nor is what is two pixels wide beside the outline the surface's own.
    for column in (18, 19):
        found = scene([column], 90, black, far=SKIN_TONE, border=black)
        np.testing.assert_allclose(found, [BLUE], atol=1e-6)


def test_skin_of_a_head_turns_away_at_its_outline():
    """As on a sphere, whose pixels at ``inside`` of its outline are seen at this cosine."""
    inside = np.linspace(0.01, 0.99, 20)
    angle = np.arcsin(1.0 - inside)  # from the axis to the camera, on a sphere of radius 1
    np.testing.assert_allclose(bound_facing(inside), np.cos(angle))


def test_a_pixel_beside_a_border_goes_to_the_surface_whose_colour_it_has() -> None:
    view = two_planes()
    row, col = np.mgrid[: view.alpha.shape[0], : view.alpha.shape[1]]
    colors = np.where((col < 18)[..., None], RED, SKIN_TONE)  # the far plane's last two columns
    colors[30, 20], colors[31, 20] = RED, (0.0, 0.9, 0.2)  # before the border; and neither's
    _, of_col = settle_borders(colors, row, col, view)
    assert (of_col[12:30, 18:20] >= 20).all()
    assert of_col[30, 20] < 20
    assert of_col[31, 20] == 20
    away = (col < 18) | (col > 20)
    assert (of_col[away] == col[away]).all()
