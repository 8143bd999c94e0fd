"""The label network learns a rule that people show, resumes exactly, and is measured by area."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from likeness.engine.body import Body  # noqa: E402
from likeness.engine.core.types import LikenessError  # noqa: E402
from likeness.engine.dataset.atlas_people import (  # noqa: E402
    ATLAS_SIZE,
    AtlasPerson,
    atlas_person_path,
    write_atlas_person,
)
from likeness.engine.gaussians.lift.surface.atlas_cells import (  # noqa: E402
    CELL_LABELS,
    NOT_SEEN,
    atlas_cells,
)
from likeness.engine.training.atlas_labels import batches, garments  # noqa: E402
from likeness.engine.training.atlas_labels.lifted import (  # noqa: E402
    LiftedCells,
    read_lifted_folder,
    write_lifted,
)
from likeness.engine.training.atlas_labels.measure import (  # noqa: E402
    Accuracy,
    count_hidden,
    format_accuracy,
    measure_run,
)
from likeness.engine.training.atlas_labels.people import PeopleFolder, view_sample  # noqa: E402
from likeness.engine.training.atlas_labels.train import (  # noqa: E402
    LabelTrainConfig,
    load_label_network,
    train_labels,
)
from likeness.engine.training.small_runs import CHECKPOINT, read_checkpoint  # noqa: E402

SMALL = LabelTrainConfig(batch=2, warm_up=5, average=0.9)


def store_person(folder: Path, body: Body, number: int) -> None:
    """A person in a plain shirt down to a random height; one view from the front."""
    from likeness.engine.dual_uv.sampling import sample_surface
    from likeness.engine.gaussians.lift.surface.labels import standard_rest

    rng = np.random.default_rng(number)
    samples = sample_surface(body, ATLAS_SIZE)
    place = samples.points(standard_rest(body), body.f)
    grid = np.zeros((ATLAS_SIZE, ATLAS_SIZE), np.uint8)
    label = np.where(place[:, 1] > rng.uniform(-0.1, 0.2), 3, 4)
    grid[samples.row, samples.col] = label
    facing = np.zeros((1, ATLAS_SIZE, ATLAS_SIZE), np.uint8)
    facing[0, samples.row, samples.col] = np.where(place[:, 2] > 0, 220, 0)
    person = AtlasPerson(
        grid,
        grid,
        np.repeat(60 * grid[..., None], 3, 2),
        np.zeros(grid.shape, np.float16),
        facing,
        np.zeros(3, np.float32),
        np.zeros((1, 55, 3), np.float32),
        np.zeros((1, 2), np.float32),
        np.eye(4, dtype=np.float32)[None],
        np.eye(3, dtype=np.float32)[None],
        {"number": number, "framings": ["full"], "pieces": [{"name": "a"}] * 4, "size": 64},
    )
    write_atlas_person(atlas_person_path(folder, number), person)


@pytest.fixture(scope="module")
def people(box_body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    for number in range(3):
        store_person(folder, box_body, number)
    return folder


@pytest.fixture(autouse=True)
def no_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "random_garment", lambda rng: None)


@pytest.mark.soak
def test_a_network_learns_and_is_better_than_chance(
    people: Path, box_body: Body, tmp_path: Path
) -> None:
    said: list[str] = []
    train_labels(people, tmp_path / "run", box_body, 20, config=SMALL, say=said.append)
    found = measure_run(tmp_path / "run", people, box_body, None)["true visible labels"]
    assert found.samples == 3
    assert found.percent("hidden, all", "network") > 85
    assert "3 people" in said[0]
    assert "| hidden, all |" in format_accuracy({"a": found})


def test_a_resumed_run_ends_as_an_unbroken_one(
    people: Path, box_body: Body, tmp_path: Path
) -> None:
    train_labels(people, tmp_path / "one", box_body, 4, config=SMALL)
    assert train_part(people, tmp_path / "two", box_body, 2).step == 2
    assert train_labels(people, tmp_path / "two", box_body, 4, config=SMALL).step == 4
    one, two = (read_checkpoint(tmp_path / name, "Train.") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name
    with pytest.raises(LikenessError, match="batch was 2, is 3"):
        train_labels(people, tmp_path / "one", box_body, 5, config=LabelTrainConfig(batch=3))
    (tmp_path / "one" / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(LikenessError, match="cannot be read"):
        load_label_network(tmp_path / "one", atlas_cells(box_body))


def train_part(people: Path, out: Path, body: Body, steps: int):
    """Stop a run of 4 steps after ``steps`` of them."""
    from likeness.engine.training.atlas_labels.train import LabelTrainer
    from likeness.engine.training.graceful_stop import StopRequest

    out.mkdir()
    stop = StopRequest()
    trainer = LabelTrainer(people, out, body, SMALL)
    average = trainer._average.update

    def update(step: int) -> None:
        average(step)
        stop.signal = int(step + 1 == steps)

    trainer._average.update = update  # type: ignore[method-assign]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as train_labels does: sums in another order would differ
    try:
        trainer.run(4, 1.0, stop, print)
    finally:
        torch.set_num_threads(threads)
    return trainer


def test_lifts_are_samples_of_their_people(people: Path, box_body: Body, tmp_path: Path) -> None:
    cells = atlas_cells(box_body)
    person = PeopleFolder(people, cells).refresh()[1]
    count = len(cells.place)
    label = np.full(count, NOT_SEEN, np.int8)
    label[:400] = 2
    weight = np.linspace(1, 0, count).astype(np.float16)
    lifted = LiftedCells(
        label, weight, np.full((count, 3), 90, np.uint8), np.zeros(count, np.uint8), "half"
    )
    write_lifted(tmp_path / "lifts" / "person_000001.npz", lifted)
    again = read_lifted_folder(tmp_path / "lifts")["person_000001"]
    np.testing.assert_array_equal(again.weight, weight)
    sample = again.sample(person, 0.3)
    np.testing.assert_array_equal(sample.truth, person.label)
    assert 0 < sample.seen.sum() <= 400
    assert (weight[sample.seen] >= 0.6).all()
    assert read_lifted_folder(None) == {}
    batch = batches.random_batch(
        cells, [person], {"person_000001": again}, 2, np.random.default_rng(0)
    )
    assert batch.grids.shape[0] == batch.truth.shape[0] == 2
    (tmp_path / "lifts" / "person_000001.npz").write_bytes(b"?")
    with pytest.raises(LikenessError, match="person_000001"):
        read_lifted_folder(tmp_path / "lifts")


def test_accuracy_is_weighted_by_area(people: Path, box_body: Body) -> None:
    cells = atlas_cells(box_body)
    sample = view_sample(PeopleFolder(people, cells).refresh()[0], 0, 0.3)
    upper, outer = CELL_LABELS.index("upper"), CELL_LABELS.index("outer")
    said = np.full(len(cells.place), outer)  # as good as upper
    accuracy = Accuracy()
    count_hidden(accuracy, cells, sample, "half", {"outer": said})
    hidden = ~sample.seen
    expected = cells.area[hidden & (sample.truth == upper)].sum() / cells.area[hidden].sum()
    assert accuracy.percent("hidden, all", "outer") == pytest.approx(100 * expected)
    assert accuracy.percent("label upper", "outer") == pytest.approx(100.0)
    assert np.isnan(accuracy.percent("legs", "outer"))  # a half figure shows none
    assert outer == garments.OUTER
