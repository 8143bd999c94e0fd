"""Hair and collars beside a neck: what is seen there says what covers the neck behind."""

# ruff: noqa: F811

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from likeness.engine.core.cameras import project
from likeness.engine.core.types import BoolArray, FloatArray, IntArray
from likeness.engine.gaussians.lift.garments.dress_rules import (
    find_hair_tips,
    label_neck,
    measure_neck_cover,
)
from likeness.engine.gaussians.lift.garments.labels_surface import label_surface, vertex_parts
from likeness.engine.gaussians.lift.pixels import regions as regions_module
from likeness.engine.gaussians.lift.pixels.labels_cleanup import (
    claim_hair_beside_face,
    find_parted_hair,
    keep_attached_hair,
)
from likeness.engine.gaussians.lift.pixels.labels_parser import PARSED, ParserRuntime
from likeness.engine.gaussians.lift.pixels.regions import Regions, find_regions
from likeness.engine.gaussians.lift.surface.labels import (
    HAIR,
    LABELS,
    NONE,
    OBJECT,
    SKIN,
    UPPER,
    standard_rest,
)
from likeness.engine.render.mesh import rasterize_mesh

from .test_lift_labels import COLORS, Sitter, sitter  # noqa: F401

EAR_LOBE = 0.58  # standard height


def strip(sitter: Sitter, side: float, low: float, high: float) -> BoolArray:
    """[H, W] pixels off the body, 5 to 10 cm beside the spine at an ear's depth.

    Args:
        sitter: whose neck it is.
        side: 1 for the left, -1 for the right.
        low: standard height where it begins, metres.
        high: and where it ends.
    """
    body = sitter.body
    rest, part = standard_rest(body), vertex_parts(body)
    ear = part == "ear"
    moved = (sitter.vertices - body.v_template)[ear].mean(0)
    scale = float(np.ptp(body.v_template[ear, 1]) / np.ptp(rest[ear, 1]))
    corners = np.array(
        [[side * x, y, rest[ear, 2].mean()] for x in (0.05, 0.10) for y in (low, high)]
    )
    corners[:, 1] *= scale
    xy, _ = project(corners + body.J_template[0] + moved, sitter.camera)
    cols, rows = np.arange(sitter.camera.width) + 0.5, np.arange(sitter.camera.height) + 0.5
    inside = (cols > xy[:, 0].min()) & (cols < xy[:, 0].max())
    inside = inside & ((rows > xy[:, 1].min()) & (rows < xy[:, 1].max()))[:, None]
    return np.asarray(inside & (rasterize_mesh(sitter.vertices, body.f, sitter.camera).face < 0))


def look(
    sitter: Sitter,
    strips: dict[int, BoolArray],
    parser: ParserRuntime | None = None,
    tones: dict[int, tuple[float, ...]] = COLORS,
) -> Regions:
    """The labels of the painted sitter with strips of other labels' colours beside the neck."""
    buffer = rasterize_mesh(sitter.vertices, sitter.body.f, sitter.camera)
    corner = sitter.body.f[buffer.face, buffer.bary.argmax(-1)]
    truth = np.where(buffer.face >= 0, sitter.worn[corner], NONE)
    for label, where in strips.items():
        truth[where] = label
    tone = np.array([tones.get(k, (0.5, 0.5, 0.5)) for k in range(len(LABELS))])[truth]
    picture = np.clip(tone + np.random.default_rng(0).normal(0, 0.015, tone.shape), 0, 1)
    return find_regions(
        picture,
        truth != NONE,
        sitter.camera,
        sitter.vertices,
        sitter.body,
        sitter.observation,
        1.0,
        picture,
        parser,
    )


def behind(sitter: Sitter, regions: Regions, low: float, high: float) -> FloatArray:
    """[L] share of each label on the left below the ear and behind it, between two heights.

    A network of labels is sure that all of it is skin.
    """
    rest, part = standard_rest(sitter.body), vertex_parts(sitter.body)
    believed = np.tile(np.eye(len(LABELS))[SKIN], (len(rest), 1))
    shares = label_surface(regions, sitter.camera, sitter.body, sitter.vertices, believed)
    own = np.isin(part, ["neck", "torso"]) & (rest[:, 0] > 0.01) & (rest[:, 0] < 0.09)
    own &= (rest[:, 2] < 0.05) & (rest[:, 1] > low) & (rest[:, 1] < high)
    assert own.sum() > 3
    return np.asarray(np.eye(len(LABELS))[shares[own].argmax(1)].mean(0))


def test_hair_that_hangs_beside_the_neck_covers_it_behind(sitter: Sitter) -> None:
    hanging = {HAIR: strip(sitter, 1.0, 0.53, 0.65) | strip(sitter, -1.0, 0.53, 0.65)}
    regions = look(sitter, hanging)
    left, right = measure_neck_cover(
        regions, vertex_parts(sitter.body), standard_rest(sitter.body), sitter.body
    )[HAIR]
    assert left == pytest.approx(0.535, abs=0.012)
    assert right == pytest.approx(0.535, abs=0.012)
    assert behind(sitter, regions, 0.545, 0.6)[HAIR] > 0.8
    assert behind(sitter, regions, 0.49, 0.525)[HAIR] < 0.2
    short = look(sitter, {HAIR: strip(sitter, 1.0, 0.60, 0.65)})
    assert behind(sitter, short, 0.545, 0.6)[HAIR] < 0.3


@pytest.mark.parametrize(("top", "stands"), [(0.565, True), (0.525, True), (0.497, False)])
def test_a_collar_that_stands_beside_the_neck_stands_behind_as_well(
    sitter: Sitter, top: float, stands: bool
) -> None:
    """A hood to the jaw, a shirt's collar, and the neckline of a T-shirt fitted a little low."""
    sides = strip(sitter, 1.0, 0.45, top) | strip(sitter, -1.0, 0.45, top)
    regions = look(sitter, {UPPER: sides})
    share = behind(sitter, regions, 0.502, 0.515)
    assert (share[UPPER] > 0.8) == stands
    assert (share[SKIN] > 0.8) != stands
    rest, part = standard_rest(sitter.body), vertex_parts(sitter.body)
    cover = measure_neck_cover(regions, part, rest, sitter.body)
    found = label_neck(cover, part, rest)
    nape = np.isin(part, ["neck", "torso"]) & (np.abs(rest[:, 0]) < 0.03) & (rest[:, 2] < 0.03)
    below = nape & (rest[:, 1] > 0.482) & (rest[:, 1] < top)
    above = nape & (rest[:, 1] > top + 0.02)
    assert below.any()
    assert above.any()
    assert (found[below] == UPPER).all() == stands
    assert not (found[above] == UPPER).any()


def test_a_collar_that_stands_on_one_side_falls_to_the_other(sitter: Sitter) -> None:
    """Without a step over the spine."""
    regions = look(sitter, {UPPER: strip(sitter, 1.0, 0.45, EAR_LOBE - 0.01)})
    rest, part = standard_rest(sitter.body), vertex_parts(sitter.body)
    found = label_neck(measure_neck_cover(regions, part, rest, sitter.body), part, rest)
    nape = np.isin(part, ["neck", "torso"]) & (rest[:, 2] < 0.05)

    def top(low: float, high: float) -> float:
        own = nape & (rest[:, 0] > low) & (rest[:, 0] < high) & (found == UPPER)
        return float(rest[own, 1].max(initial=0.4))

    left, middle, right = top(0.03, 0.08), top(-0.012, 0.012), top(-0.08, -0.03)
    assert left > middle > right
    assert left - right > 0.02


def test_lit_hair_beside_a_jaw_is_hair(sitter: Sitter) -> None:
    """Skin is where the body is: what is 2 cm off the jaw was skin by the jaw's own odds."""
    lock = strip(sitter, 1.0, 0.54, 0.66)
    lit = tuple(0.6 * h + 0.4 * s for h, s in zip(COLORS[HAIR], COLORS[SKIN], strict=True))
    regions = look(sitter, {OBJECT: lock}, tones=COLORS | {OBJECT: lit})
    assert (regions.label[lock] == HAIR).mean() > 0.7


class Seer:
    """A parser that knows where hair is, and nothing else."""

    def __init__(self, hair: BoolArray) -> None:
        self.hair = hair

    def parse(self, *_: object) -> FloatArray:
        said = np.zeros((*self.hair.shape, len(PARSED)))
        said[..., PARSED.index("none")] = 1.0
        said[self.hair] = np.eye(len(PARSED))[PARSED.index("hair")]
        return said


@pytest.mark.parametrize("sees", [True, False])
def test_a_lock_over_the_cheek_is_hair_if_the_parser_sees_it(sitter: Sitter, sees: bool) -> None:
    face = sitter.observation.face
    assert face is not None
    rows, cols = np.mgrid[: sitter.camera.height, : sitter.camera.width]
    (x, top), bottom = face[234], face[172, 1]  # before the ear, and the jaw's corner
    lock = (np.abs(cols + 0.5 - x) < 4.0) & (rows > top - 20) & (rows < bottom)
    lock &= rasterize_mesh(sitter.vertices, sitter.body.f, sitter.camera).face >= 0
    parser = cast(ParserRuntime, Seer(lock & sees))
    regions = look(sitter, {HAIR: lock}, parser)
    below_brow = lock & (rows > top)
    share = (regions.label[below_brow] == HAIR).mean()
    assert share > 0.9 if sees else share < 0.6


DARK, LIT, FAIR = (np.array(c) for c in ([28.0, 10, 14], [42.0, 12, 16], [70.0, 14, 18]))
"""L*a*b* of hair, of the same in the light, and of skin."""


@pytest.mark.parametrize(
    ("color", "seen", "size", "becomes"),
    [
        (LIT, 0.7, 6, HAIR),  # a curl against the light
        (LIT, 0.3, 6, SKIN),  # the shadow of a jaw
        (FAIR - 8.0, 0.7, 6, SKIN),  # a temple
        (DARK, 0.7, 2, SKIN),  # a mole
    ],
)
def test_parser_and_color_make_hair_of_skin(
    color: FloatArray, seen: float, size: int, becomes: int
) -> None:
    label = np.full((40, 40), SKIN)
    label[:8] = HAIR
    patch = np.zeros((40, 40), bool)
    patch[20 : 20 + size, 10 : 10 + size] = True
    lab = np.where((label == HAIR)[..., None], DARK, np.where(patch[..., None], color, FAIR))
    likely = np.where(patch, seen, 0.0)
    where = np.ones((40, 40), bool)
    made = claim_hair_beside_face(label, lab, FAIR, likely, where, 25.0)
    np.testing.assert_array_equal(made, np.where(patch, becomes, label))
    np.testing.assert_array_equal(
        claim_hair_beside_face(label, lab, FAIR, likely, where & ~patch, 25.0), label
    )
    # A collar's shaded inside, apart from the hair, stays with the collar.
    shirt = np.where(np.arange(40)[:, None] >= 20 + size, UPPER, label)
    made = claim_hair_beside_face(shirt, lab, FAIR, likely, where, 25.0)
    np.testing.assert_array_equal(made, np.where(patch & (becomes == HAIR), UPPER, shirt))
    sure = claim_hair_beside_face(shirt, lab, FAIR, likely + 0.2 * patch, where, 25.0)
    np.testing.assert_array_equal(sure, np.where(patch & (becomes == HAIR), HAIR, shirt))
    bald = np.full((40, 40), SKIN)
    np.testing.assert_array_equal(
        claim_hair_beside_face(bald, lab, FAIR, likely, where, 25.0), bald
    )


def test_a_parser_is_asked_about_skin_beside_the_face(
    sitter: Sitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def claim(label: IntArray, *given: object) -> IntArray:
        asked.append(given)
        return claim_hair_beside_face(label, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(regions_module, "claim_hair_beside_face", claim)
    look(sitter, {})
    assert not asked
    regions = look(sitter, {}, cast(ParserRuntime, Seer(np.zeros((400, 300), bool))))
    ((_, _, likely, where, unit),) = asked
    assert (likely == 0.0).all()
    assert not (where & regions.face).any()
    part = np.array(sitter.body.part_names)[sitter.body.face_part[regions.body.face]]
    drawn = regions.body.face >= 0
    assert where[drawn & (part == "ear")].all()
    assert not where[drawn & (part == "leg")].any()
    assert unit == regions.unit


def test_a_dark_patch_apart_from_the_hair_needs_the_parser() -> None:
    grid = np.full((40, 40), SKIN)
    grid[2:12, 5:35] = HAIR
    hood = np.zeros((40, 40), bool)
    hood[18:26, 2:10] = True
    grid[hood] = HAIR
    head = np.zeros((40, 40), bool)
    head[:30] = True
    hair = 0.9 * (grid == HAIR) * ~hood
    for likely, stays in ((None, True), (hair + 0.9 * hood, True), (hair + 0.1 * hood, False)):
        kept = keep_attached_hair(grid, head, 10.0, likely)
        assert kept[2:12, 5:35].all()
        assert kept[hood].all() == stays
        assert kept[hood].any() == stays
    grid[18:38, 2:38] = HAIR  # larger than the hair is
    assert not keep_attached_hair(grid, head, 10.0, hair)[18:38].any()


def test_a_shaded_neckline_that_comes_near_the_hair_is_not_of_it() -> None:
    """A row of skin parts them; a lock that goes on from the hair stays."""
    grid = np.full((60, 40), SKIN)
    grid[2:20, 5:35] = HAIR
    grid[21:50, 10:18] = HAIR
    grid[20:50, 25:33] = HAIR
    head = np.zeros((60, 40), bool)
    head[:22] = True
    kept = keep_attached_hair(grid, head, 10.0, 0.6 * (grid == HAIR))
    assert kept[2:20, 5:35].all()
    assert kept[20:50, 25:33].all()
    assert not kept[21:50, 10:18].any()
    # Nor is anybody's only hair left out, however little of it lies on the head.
    falls = np.full((60, 40), SKIN)
    falls[10:60, 5:35] = HAIR
    assert (keep_attached_hair(falls, head, 10.0, 0.6 * (falls == HAIR)) == (falls == HAIR)).all()


@pytest.mark.parametrize(
    ("seen", "color", "size", "kept"),
    [
        (0.5, (12.0, 3.0, 2.0), 12, True),
        (0.2, (12.0, 3.0, 2.0), 12, False),  # the dark inside of a hood
        (0.7, (32.0, 40.0, 20.0), 12, False),  # a tie
        (0.5, (12.0, 3.0, 2.0), 5, False),
    ],
)
def test_hair_that_a_hand_parts_from_the_heads_stays_hair(
    seen: float, color: tuple[float, float, float], size: int, kept: bool
) -> None:
    rng = np.random.default_rng(7)
    grid = np.full((60, 40), UPPER)
    grid[:15] = HAIR
    fallen = np.zeros(grid.shape, bool)
    fallen[30 : 30 + size, 10:24] = True
    grid[fallen] = HAIR
    likely = np.where(fallen, seen, 0.9)
    lab = np.array([10.0, 2.0, 1.0]) + rng.normal(0.0, 2.0, (*grid.shape, 3))
    lab[fallen] += np.array(color) - [10.0, 2.0, 1.0]
    attached = (grid == HAIR) & ~fallen
    found = find_parted_hair(grid, attached, likely, lab, 15.0)
    np.testing.assert_array_equal(found, fallen & kept)
    nothing = find_parted_hair(grid, np.zeros_like(attached), likely, lab, 15.0)
    assert not nothing.any()


@pytest.mark.parametrize(("fallen", "long"), [(0.05, False), (0.25, True)])
def test_a_little_hair_below_the_neck_makes_no_long_hair(fallen: float, long: bool) -> None:
    """The dark edge of a hood gave a man with short hair a mane."""
    heights = np.linspace(0.70, 0.40, 400)[:, None] * np.ones((1, 20))
    hair = np.zeros(heights.shape, bool)
    hair[:100] = True  # on the head
    below = int(np.argmax(heights[:, 0] < 0.47))
    hair[below : below + round(100 * fallen / (1.0 - fallen))] = True
    regions = SimpleNamespace(
        hair=hair,
        group=np.zeros(hair.shape, int),
        unit=10.0,
        places=SimpleNamespace(rest=np.stack([0.0 * heights, heights, 0.0 * heights], -1)),
    )
    rest = np.array([[0.0, 0.48, 0.0], [0.0, 0.57, 0.0]])
    found = find_hair_tips(cast(Regions, regions), np.array(["neck", "neck"]), rest)
    assert (found is not None) == long
