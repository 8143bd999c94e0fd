"""Where the budget of texels goes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import BoolArray, IntArray
from likeness.engine.dual_uv.sampling import SurfaceSamples, sample_surface
from likeness.engine.gaussians.lift.lift_photo import LiftOptions
from likeness.engine.gaussians.lift.splats.texel_colors import (
    clothe_covered_skin,
    color_below_skirt,
    near_seam,
)
from likeness.engine.gaussians.lift.splats.texel_samples import (
    PART_SPACING,
    S,
    sample_texels,
    texel_fineness,
)
from likeness.engine.gaussians.lift.surface.labels import HAIR, LABELS, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, TORSO, vertex_groups
from scipy.spatial import cKDTree


def test_a_large_budget_leaves_more_for_what_the_photo_does_not_show() -> None:
    small, large = LiftOptions(20_000), LiftOptions(260_000)
    assert small.photo_budget == 12_400
    assert large.photo_budget == 0.62 * 60_000 + 0.5 * 200_000


@pytest.mark.parametrize("budget", [2_000, 20_000])
def test_the_budget_is_kept_and_used(budget: int) -> None:
    body = make_synthetic_body().personalised(np.zeros(4))
    fineness = np.where(np.arange(len(body.f)) % 2, 1.0, 2.0)
    samples, side = sample_texels(body, budget, fineness)
    assert 0.7 * budget < len(samples.triangle) <= budget
    assert len(side) == len(samples.triangle)
    # Twice as fine along a side is four times as many of the same surface.
    fine = fineness[samples.triangle] == 2.0
    np.testing.assert_allclose(side[fine].max(), 2 * side[~fine].max(), rtol=0.05)
    coarse, _ = sample_texels(body, budget, np.ones(len(body.f)))
    share = (fineness[coarse.triangle] == 2.0).mean()
    assert fine.sum() / (~fine).sum() == pytest.approx(4 * share / (1 - share), rel=0.25)


def test_coarse_texels_of_a_neck_leave_no_gap_beside_a_jaw(average: Body) -> None:
    """Their centres stop short of where they end; the mouth behind a gap is dark."""
    jaw, neck = (average.face_part == average.part_names.index(name) for name in ("face", "neck"))
    samples, _ = sample_texels(average, 20_000, np.where(jaw, 4.0, 1.0))
    assert 0.9 * 20_000 < len(samples.triangle) <= 20_000
    points = samples.points(average.v_template, average.f)
    # On the neck's side the jaw's own texels go on.
    beside = neck & np.isin(average.f, average.f[jaw]).any(1)
    away, _ = cKDTree(points).query(average.v_template[average.f[beside]].mean(1))
    assert away.max() < 1.2 * metres_apart(average, samples, "face")  # 2.6 without them


@pytest.mark.parametrize("spent", [0.5, 0.85, 0.94])
def test_hats_and_strands_leave_the_body_its_texels(spent: float) -> None:
    """Photos, loose parts and what is beyond the frame may leave less than all of them want."""
    options = LiftOptions(max_gaussians=20_000)
    used = int(spent * options.max_gaussians)
    texels, hat, strands = options.share_rest(20_000 - used, hat=True, hair=True)
    assert texels + hat + strands + used == options.max_gaussians
    assert texels >= options.texel_share * options.max_gaussians
    whole = [int(share * options.max_gaussians) for share in (0.08, 0.055)]
    assert [hat, strands] == whole if spent == 0.5 else 0 < strands < hat < whole[0]
    assert options.share_rest(20_000 - used, hat=False, hair=False) == (20_000 - used, 0, 0)


def metres_apart(body: Body, samples: SurfaceSamples, part: str) -> float:
    """Distance between a part's texels, from its area and their number."""
    own = body.face_part == body.part_names.index(part)
    a, b, c = (body.v_template[body.f[own, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    return float(np.sqrt(area / own[samples.triangle].sum()))


def sample_surface_count(body: Body, fineness: np.ndarray) -> int:
    """Number of texels at one fineness of the finest atlas."""
    return sum(
        len(sample_surface(body, int(400 * level), faces=fineness == level).triangle)
        for level in np.unique(fineness)
    )


def regions_of(mask: BoolArray, group: IntArray, depth: float = np.inf) -> SimpleNamespace:
    """What the fineness reads of the regions."""
    body = SimpleNamespace(depth=np.full(mask.shape, depth))
    return SimpleNamespace(mask=mask, group=group, unit=100.0, body=body)


def test_cloth_behind_an_arm_is_finer_than_below_the_photos_splats(average: Body) -> None:
    """Folds where the arms were came out as a blur."""
    body = average
    vertices = body.v_template + np.array([0.0, 0.3, -2.5])
    camera = photo_camera(50.0, 300, 300)
    dressed = np.tile(np.eye(len(LABELS))[UPPER], (len(vertices), 1))
    everywhere = np.ones((300, 300), bool)
    shown, joined, hidden = (
        texel_fineness(body, vertices, dressed, regions_of(everywhere, group, depth), camera)  # type: ignore[arg-type]
        for group, depth in (
            (np.full((300, 300), TORSO), 1.0),
            (np.full((300, 300), LEFT_ARM), np.inf),  # a shoulder, as near as the trunk
            (np.full((300, 300), LEFT_ARM), 1.0),
        )
    )
    np.testing.assert_array_equal(joined, shown)
    own = (vertex_groups(body)[body.f] == TORSO).all(1)
    facing = shown[own] < hidden[own]
    assert facing.any()
    ratio = hidden[own][facing] / shown[own][facing]
    np.testing.assert_allclose(ratio, 1.0 / S.coarser_below)
    arm = (vertex_groups(body)[body.f] == LEFT_ARM).all(1)
    np.testing.assert_array_equal(hidden[arm], shown[arm])


def test_texels_lie_evenly_over_limbs_and_finer_on_the_head_and_coarser_outside() -> None:
    body = make_synthetic_body().personalised(np.zeros(4))
    vertices = body.v_template + np.array([0.0, -0.4, -2.0])
    nothing = regions_of(np.zeros((300, 300), bool), np.full((300, 300), -1))
    wide, narrow = photo_camera(50.0, 300, 300), photo_camera(400.0, 300, 300)
    bare = np.tile(np.eye(len(LABELS))[SKIN], (len(vertices), 1))
    fineness = texel_fineness(body, vertices, bare, nothing, wide)  # type: ignore[arg-type]
    samples, _ = sample_texels(body, 20_000, fineness)
    torso, leg, hand = (metres_apart(body, samples, name) for name in ("torso", "leg", "hand"))
    assert leg == pytest.approx(torso, rel=0.35)  # the atlas is sampled in steps
    assert hand / torso == pytest.approx(PART_SPACING["hand"], rel=0.35)
    cut = texel_fineness(body, vertices, bare, nothing, narrow)  # type: ignore[arg-type]
    _, row = project(vertices, narrow)[0].T
    below = (row[body.f] > 300 * (1 + S.beyond) + 1).all(1)
    assert below.any()
    limb = np.isin(np.array(body.part_names)[body.face_part], ["arm", "leg"])
    usual = fineness / np.where(limb, S.coarser_limb, 1.0)
    names = np.array(body.part_names)[body.face_part]
    coarser = np.select(
        [names == "leg", names == "foot"], [S.coarser_legs, S.coarser_feet], S.coarser_outside
    )
    inner_leg = (names == "leg") & ~np.isin(body.f, body.f[names == "foot"]).any(1)
    plain_below = below & (inner_leg | ~np.isin(names, ["leg", "foot"]))
    plain_below &= ~((names != "leg") & np.isin(body.f, body.f[names == "leg"]).any(1))
    assert plain_below.any()
    np.testing.assert_allclose(cut[plain_below], (coarser * usual)[plain_below])
    feet = below & (names == "foot")
    np.testing.assert_allclose(cut[feet], S.coarser_feet * usual[feet])
    dressed = np.where(body.v_template[:, :1] > 0.1, np.eye(len(LABELS))[[UPPER]], bare)
    finer = texel_fineness(body, vertices, dressed, nothing, wide)  # type: ignore[arg-type]
    over = dressed[body.f, SKIN]
    at_edge = (over.min(1) < over.max(1)) & np.isin(
        body.face_part, [body.part_names.index(name) for name in ("torso", "arm")]
    )
    assert at_edge.any()
    within = (over.max(1) == 0.0) & np.isin(body.face_part, [body.part_names.index("torso")])
    np.testing.assert_allclose(finer[within], S.finer_cloth * fineness[within])
    factor = finer[at_edge] / usual[at_edge]
    np.testing.assert_allclose(factor, factor[0])
    assert 1.0 < factor[0] <= S.finer_at_edges
    even = np.where(at_edge, usual, finer)
    count = [sample_surface_count(body, each) for each in (even, finer)]
    assert count[1] / count[0] == pytest.approx(1.0 + S.for_edges, abs=0.02)  # few, large triangles
    plain = over.min(1) == 1.0
    np.testing.assert_allclose(finer[plain], fineness[plain])


def test_seams_of_the_atlas_are_where_its_charts_end_within_the_body(average: Body) -> None:
    corner = np.tile(average.f[:, :1], (1, 3))
    seam = np.zeros(len(average.v_template), bool)
    seam[average.f[:, 0]] = near_seam(average, corner, np.full(corner.shape, 1.0 / 3.0))

    def border(faces: np.ndarray) -> np.ndarray:
        """Corners of the edges that only one triangle has."""
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        rows, count = np.unique(edges, axis=0, return_counts=True)
        return np.unique(rows[count == 1])

    of_place = np.zeros(int(average.atlas_ft.max()) + 1, int)
    of_place[average.atlas_ft.ravel()] = average.f.ravel()
    ends = np.zeros_like(seam)
    ends[of_place[border(average.atlas_ft)]] = True
    assert 0 < seam.sum() < 0.5 * len(seam)
    assert ends[seam].all()
    ends[border(average.f)] = False  # openings of the body itself are not seams
    first = np.zeros_like(seam)
    first[average.f[:, 0]] = True
    assert seam[ends & first].mean() > 0.95


def test_bare_necks_are_clothed_where_the_photo_shows_a_collar() -> None:
    points = np.column_stack([np.arange(10.0), np.zeros((10, 2))])
    label = np.array([SKIN, SKIN, SKIN, HAIR, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER])
    tone = np.where(label[:, None] == UPPER, [0.1, 0.2, 0.6], [0.8, 0.6, 0.5])
    tone[8:] = 0.9  # farther away
    covered = np.arange(10) % 9 > 1  # all but the first two and the last
    color, clothed = clothe_covered_skin(tone, label, covered, points)
    assert clothed.tolist() == [SKIN, SKIN, UPPER, HAIR, *[UPPER] * 6]
    np.testing.assert_allclose(color[2], [0.1, 0.2, 0.6])
    np.testing.assert_array_equal(np.delete(color, 2, 0), np.delete(tone, 2, 0))
    for few in (label == UPPER, label != UPPER):
        same = clothe_covered_skin(tone[few], label[few], covered[few], points[few])
        np.testing.assert_array_equal(same[1], label[few])


def test_a_waistband_has_the_colours_of_its_skirt() -> None:
    points = np.column_stack([np.arange(12.0), np.zeros((12, 2))])
    place = np.arange(12)
    skirt, waist = (place > 3) & (place < 10), place < 4
    tone = np.where(skirt[:, None], [0.9, 0.9, 0.95], [0.4, 0.3, 0.3])
    tone[8:10] = [0.2, 0.2, 0.9]  # a stripe far from the waist
    color = color_below_skirt(tone, waist, skirt, points)
    np.testing.assert_allclose(color[waist], np.tile([0.9, 0.9, 0.95], (4, 1)))
    np.testing.assert_array_equal(color[~waist], tone[~waist])
    for none in (waist & False, place == 5):  # no waistband, or hardly a skirt
        args = (none, skirt) if not none.any() else (waist, none)
        np.testing.assert_array_equal(color_below_skirt(tone, *args, points), tone)


def test_a_skirts_shaded_rim_colours_no_waistband() -> None:
    points = np.column_stack([np.zeros(40), -np.arange(40.0), np.zeros(40)])
    waist, skirt = np.arange(40) < 10, np.arange(40) >= 10
    tone = np.full((40, 3), 0.9)
    tone[:15] = 0.3
    color = color_below_skirt(tone, waist, skirt, points)
    np.testing.assert_allclose(color[waist], 0.9)
    np.testing.assert_array_equal(color[~waist], tone[~waist])
