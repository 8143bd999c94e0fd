"""People over the atlas as samples: painted clothes, mistakes, and the network's inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.gaussians.lift.surface.atlas_cells import (
    CELL_LABELS,
    CHANNELS,
    GRID,
    NOT_SEEN,
    AtlasCells,
    atlas_cells,
    label_inputs,
)
from likeness.engine.gaussians.lift.surface.labels import standard_rest
from likeness.engine.synth.figure import SynthContext
from likeness.engine.training.atlas_labels import garments, noise
from likeness.engine.training.atlas_labels.batches import mirrored, random_sample
from likeness.engine.training.atlas_labels.garments import GARMENTS, paint_garment
from likeness.engine.training.atlas_labels.people import UNKNOWN, CellPerson, CellSample

SKIN, HAIR, UPPER, LOWER, SHOES, HAT, OUTER = range(len(CELL_LABELS))


@pytest.fixture(scope="module")
def body(synth_world: SynthContext) -> Body:
    return synth_world.dress.body


@pytest.fixture(scope="module")
def cells(body: Body) -> AtlasCells:
    return atlas_cells(body)


@pytest.fixture(scope="module")
def sample(cells: AtlasCells) -> CellSample:
    """A person in a shirt and trousers; the front is seen."""
    truth = np.full(len(cells.place), SKIN)
    for name, label in (("torso", UPPER), ("leg", LOWER), ("foot", SHOES), ("scalp", HAIR)):
        truth[cells.part == name] = label
    color = np.random.default_rng(0).random((len(truth), 3)).astype(np.float32)
    label = np.where(cells.normal[:, 2] > 0.3, truth, NOT_SEEN)
    return CellSample(truth, color, label, color)


def test_cells_know_their_mirror_and_their_other_side(body: Body, cells: AtlasCells) -> None:
    off = np.linalg.norm(cells.place[cells.mirror] - cells.place * [-1, 1, 1], axis=1)
    assert np.median(off) < 0.005
    trunk = np.flatnonzero((cells.part == "torso") & (np.abs(cells.normal[:, 2]) > 0.7))
    other = cells.across[trunk]
    assert (cells.normal[trunk, 2] * cells.normal[other, 2] < 0).mean() > 0.97
    assert np.median(np.abs(cells.place[trunk, 1] - cells.place[other, 1])) < 0.03
    corners = standard_rest(body)[body.f]
    whole = 0.5 * np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    trunk_faces = body.face_part == body.part_names.index("torso")
    measured = cells.area[cells.part == "torso"].sum()
    assert measured == pytest.approx(whole[trunk_faces].sum(), rel=0.1)


def test_inputs_hold_what_is_seen_and_what_is_nearest(
    cells: AtlasCells, sample: CellSample
) -> None:
    grid, numbers = label_inputs(cells, sample.label, sample.lit)
    assert grid.shape == (CHANNELS, GRID, GRID)
    at = grid[:, cells.samples.row, cells.samples.col].T
    kinds = 6
    assert (at[~sample.seen, : kinds + 4] == 0).all()
    rows = np.flatnonzero(sample.seen)[::97]
    assert (at[rows, :kinds].argmax(1) == sample.label[rows]).all()
    np.testing.assert_allclose(at[rows, kinds : kinds + 3], sample.lit[rows] - 0.5)
    for k, other in enumerate((cells.mirror, cells.across, cells.across[cells.mirror]), 1):
        np.testing.assert_array_equal(
            at[rows, k * (kinds + 4) : (k + 1) * (kinds + 4)], at[other[rows], : kinds + 4]
        )
    # The nearest of those that are searched, by brute force.
    seen = np.flatnonzero(sample.seen)
    seen = seen[:: -(-len(seen) // 4000)]
    points = np.concatenate([cells.place, 0.05 * cells.normal], 1)
    for row in np.flatnonzero(~sample.seen)[::211]:
        distance = np.linalg.norm(points[seen] - points[row], axis=1)
        near = seen[distance.argmin()]
        assert at[row, -1] == pytest.approx(np.exp(-distance.min() / 0.1), abs=1e-5)
        assert at[row, -10:-4].argmax() == sample.label[near]
    upper = sample.lit[sample.label == UPPER]
    np.testing.assert_allclose(numbers[4 * UPPER : 4 * UPPER + 3], np.median(upper, 0) - 0.5)
    assert numbers[4 * UPPER + 3] == pytest.approx((len(upper) / len(sample.label)) ** 0.5)
    assert (numbers[4 * HAT :] == 0).all()


def test_nothing_seen_gives_plain_inputs(cells: AtlasCells, sample: CellSample) -> None:
    blind = replace(sample, label=np.full_like(sample.label, NOT_SEEN))
    grid, numbers = label_inputs(cells, blind.label, blind.lit)
    assert not grid.any()
    assert not numbers.any()


@pytest.mark.parametrize("name", GARMENTS)
def test_painted_garments_stay_on_the_body(
    cells: AtlasCells, sample: CellSample, name: str
) -> None:
    holes = replace(sample, truth=np.where(cells.part == "ear", UNKNOWN, sample.truth))
    for seed in range(4):
        made = paint_garment(cells, holes, np.random.default_rng(seed), name)
        assert ((made.truth == UNKNOWN) == (holes.truth == UNKNOWN)).all()
        assert np.isfinite(made.color).all()
        changed = made.truth != holes.truth
        if name == "cap":
            assert set(made.truth[changed]) == {HAT}
            assert np.isin(cells.part[changed], ["scalp", "ear", "face"]).all()
        if name not in ("hood", "cap", "long_hair"):
            assert (made.truth[holes.truth == HAIR] == HAIR).all()
        if name == "gloves":
            assert (made.truth[cells.part == "hand"] == UPPER).all()
        if name == "bare_back":
            assert changed.any()
            assert (cells.normal[changed, 2] < 0).all()
            assert (made.truth[changed] == SKIN).all()
        if name == "coat":
            assert set(made.truth[changed]) == {OUTER}
            low = cells.place[changed & (cells.part == "leg"), 1]
            back = (cells.part == "torso") & (cells.normal[:, 2] < -0.5) & (cells.place[:, 1] > 0.1)
            assert (made.truth[back] == OUTER).all()
            assert len(low) == 0 or low.min() > -0.81


def test_mistakes_change_only_what_is_visible(cells: AtlasCells, sample: CellSample) -> None:
    wrong, hidden, dark = 0, 0, []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        lit = noise.light_colors(cells, sample, rng)
        dark.append(np.median(lit.lit))
        made = noise.cut_holes(cells, noise.confuse_labels(cells, lit, rng), rng)
        np.testing.assert_array_equal(made.truth, sample.truth)
        assert not (made.seen & ~sample.seen).any()
        wrong += int((made.label != sample.label)[made.seen].sum())
        hidden += int((sample.seen & ~made.seen).sum())
        moved = noise.shift_visible(cells, sample, rng)
        np.testing.assert_array_equal(moved.seen, sample.seen)
        assert (moved.label == sample.label)[sample.seen].mean() > 0.85
    assert wrong > 100
    assert hidden > 100
    assert np.std(dark) > 0.02


def test_a_sample_is_a_function_of_its_seed(cells: AtlasCells, sample: CellSample) -> None:
    facing = np.where(sample.seen, 200, 0).astype(np.uint8)[None]
    person = CellPerson(
        "person_000001",
        sample.truth.astype(np.int8),
        (sample.truth + 1).astype(np.uint8),
        np.round(255 * sample.color).astype(np.uint8),
        facing,
        ("half",),
        ("skin", "bob", "shirt", "jeans", "shoes"),
    )
    one, again, other = (
        random_sample(cells, person, np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one.lit, again.lit)
    np.testing.assert_array_equal(one.label, again.label)
    assert (one.label != other.label).any()
    twice = mirrored(cells, mirrored(cells, sample))
    assert (twice.truth == sample.truth).mean() > 0.97


def test_garments_are_drawn_as_often_as_said() -> None:
    rng = np.random.default_rng(1)
    drawn = [garments.random_garment(rng) for _ in range(4000)]
    for name in GARMENTS:
        assert drawn.count(name) / 4000 == pytest.approx(getattr(garments.S, name), abs=0.02)
