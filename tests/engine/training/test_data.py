"""The stream of samples: deterministic, directed, never held out, exactly resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import PHOTO_VIEWMAT, project
from likeness.engine.core.types import BoundGaussians, LikenessError, Observation
from likeness.engine.dataset.pairs import can_supervise
from likeness.engine.dataset.shards import SkippedItem, Subject, encode_rgba, write_shard
from likeness.engine.dataset.spaces import photo_transform, transform_camera, transform_pose
from likeness.engine.network.config import NetworkConfig
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.training import photographs as photographs_module
from likeness.engine.training import references as references_module
from likeness.engine.training.data import DataOptions, SampleStream, held_out_samples
from likeness.engine.training.references import References
from likeness.engine.training.samples import TrainingSample
from torch.utils.data import DataLoader

MakeSubject = Callable[..., Subject]


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> DataOptions:
    return DataOptions(render_size=24, targets=2, cache=tmp_path_factory.mktemp("kept"), shuffle=3)


@pytest.fixture(scope="module")
def samples(
    box_shards: Path, blank_network: NetworkConfig, options: DataOptions, box_body: Body
) -> SampleStream:
    return SampleStream(box_shards, blank_network, options, box_body)


def fingerprints(stream: Iterable[TrainingSample], number: int) -> list[tuple[str, int, float]]:
    """Who, with which random numbers, and how cut."""
    return [(s.key, s.seed, float(s.views[0].camera.K[0, 2])) for s in islice(stream, number)]


def test_the_same_settings_give_the_same_stream(
    samples: SampleStream,
    box_shards: Path,
    blank_network: NetworkConfig,
    options: DataOptions,
    box_body: Body,
) -> None:
    first = fingerprints(samples, 20)
    assert fingerprints(samples, 20) == first
    again = SampleStream(str(box_shards), blank_network, replace(options, cache=None), box_body)
    assert fingerprints(again, 20) == first
    other = SampleStream(box_shards, blank_network, replace(options, seed=1), box_body)
    assert fingerprints(other, 20) != first
    assert len({seed for _, seed, _ in first}) == 20


def test_each_epoch_has_everybody_once_in_another_order(samples: SampleStream) -> None:
    keys = [sample.key.split("/")[0] for sample in islice(samples, 18)]
    epochs = [keys[:6], keys[6:12], keys[12:]]
    assert all(sorted(epoch) == [f"box_{k:03d}" for k in range(6)] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_several_draws_of_everybody(
    box_shards: Path, blank_network: NetworkConfig, options: DataOptions, box_body: Body
) -> None:
    stream = SampleStream(box_shards, blank_network, replace(options, draws=3), box_body)
    drawn = list(islice(stream, 18))
    assert sorted(s.key.split("/")[0] for s in drawn) == sorted(
        3 * [f"box_{k:03d}" for k in range(6)]
    )
    assert len({s.seed for s in drawn}) == 18


def test_held_out_views_are_never_seen_and_pairs_are_directed(samples: SampleStream) -> None:
    for sample in islice(samples, 60):
        _, reference, *targets = sample.key.split("/")
        assert "v2" not in (reference, *targets)
        assert len(sample.views) == 1 + len(targets) <= 3
        for view in sample.views[1:]:
            assert can_supervise(sample.views[0].kind, view.kind)


def test_undirected_for_the_ablation(
    box_shards: Path, blank_network: NetworkConfig, options: DataOptions, box_body: Body
) -> None:
    stream = SampleStream(
        box_shards, blank_network, replace(options, directed_pairs=False), box_body
    )
    flows = {(s.views[0].kind, v.kind) for s in islice(stream, 60) for v in s.views[1:]}
    assert ("back", "front") in flows


@pytest.mark.parametrize(
    ("data_type", "people", "views"),
    [
        ("full", {0, 1}, {"v0", "frame_01"}),
        ("syn", {0}, {"v0", "v1"}),
        ("gen", {1}, {"left", "frame_01"}),
        ("gen*", {1}, {"frame_01"}),
    ],
)
def test_types_of_data(
    make_subject: MakeSubject,
    blank_network: NetworkConfig,
    box_body: Body,
    tmp_path: Path,
    data_type: str,
    people: set[int],
    views: set[str],
) -> None:
    """Rendered and generated people (table 2c); the generated test split teaches nothing."""

    def generated(number: int, split: str) -> Subject:
        one = make_subject(number, views=3, held_out=())
        names = ("frame_00", "frame_01", "left")
        named = tuple(replace(v, name=n) for v, n in zip(one.views, names, strict=True))
        return replace(one, source="generated", views=named, facts={"split": split})

    subjects = [make_subject(0), generated(1, "train"), generated(2, "test")]
    write_shard(tmp_path, 0, subjects)
    options = DataOptions(render_size=24, targets=2, data_type=data_type)
    stream = SampleStream(tmp_path / "shard-000000.tar", blank_network, options, box_body)
    keys = [sample.key.split("/") for sample in islice(stream, 20)]
    assert {int(key[0][-3:]) for key in keys} == people
    assert views <= {name for key in keys for name in key[1:]}
    assert ("left" in {name for key in keys for name in key[1:]}) == (data_type in ("full", "gen"))
    found = held_out_samples(tmp_path, blank_network, options, box_body, lambda what: None)
    assert [sample.key[:7] for sample in found] == ["box_000", "box_002"]


def test_only_some_references(
    box_shards: Path, blank_network: NetworkConfig, options: DataOptions, box_body: Body
) -> None:
    stream = SampleStream(box_shards, blank_network, replace(options, references=1), box_body)
    seen = {tuple(s.key.split("/")[:2]) for s in islice(stream, 60)}
    assert len(seen) == 6


def test_views_are_in_the_references_space(samples: SampleStream, box_body: Body) -> None:
    """The posed vertices, drawn by the sample's cameras, cover what the pictures show."""
    for sample in islice(samples, 12):
        np.testing.assert_allclose(sample.views[0].camera.viewmat, PHOTO_VIEWMAT, atol=1e-9)
        for view in sample.views:
            assert view.rgba.shape == (24, 24, 4)
            large = view.camera.resized(240, 240)
            face = rasterize_mesh(np.asarray(view.vertices, np.float64), box_body.f, large).face
            cover = (face >= 0).reshape(24, 10, 24, 10).mean((1, 3))
            assert np.abs(cover - view.rgba[..., 3]).mean() < 0.02
            # In colour as well: the triangles' own, not only the outline.
            colors = np.random.default_rng(0).random((len(box_body.f), 3))[face]
            colors[face < 0] = 0.0
            mean = colors.reshape(24, 10, 24, 10, 3).mean((1, 3))
            inside = cover > 0.99
            shown = view.rgba[..., :3]
            assert np.abs(shown - mean)[inside].mean() < 0.06
        first = sample.views[0].vertices
        own = np.ptp(np.asarray(sample.v_template), axis=0)
        assert np.ptp(first, axis=0)[1] == pytest.approx(own[1], rel=0.4)


def test_a_moved_pose_moves_the_body(make_subject: MakeSubject, box_body: Body) -> None:
    subject = make_subject(3)
    own = box_body.personalised(subject.betas)
    for row, view in enumerate(subject.views):
        motion = photo_transform(view.camera)
        before, _ = own.vertices(subject.pose(row))
        after, _ = own.vertices(transform_pose(subject.pose(row), own, motion))
        np.testing.assert_allclose(after, before @ motion[:3, :3].T + motion[:3, 3], atol=2e-6)
        camera = transform_camera(view.camera, motion)
        np.testing.assert_allclose(
            project(after, camera)[0], project(before, view.camera)[0], atol=1e-3
        )


# -- resuming ----------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [0, 1, 3, 7, 14])
def test_resumed_in_one_process(samples: SampleStream, done: int) -> None:
    whole = fingerprints(samples, 40)
    assert fingerprints(samples.resumed(done, 2), 40 - 2 * done) == whole[2 * done :]


def batches(samples: SampleStream, workers: int, number: int) -> list[list[tuple[str, int]]]:
    loader = DataLoader(samples, batch_size=2, num_workers=workers, collate_fn=list)
    return [[(s.key, s.seed) for s in batch] for batch in islice(loader, number)]


@pytest.mark.parametrize("workers", [1, 2])
def test_resumed_with_workers(samples: SampleStream, workers: int) -> None:
    whole = batches(samples, workers, 9)
    assert whole[0] != whole[1]
    for done in (1, 4):
        assert batches(samples.resumed(done, 2), workers, 9 - done) == whole[done:]


def test_left_out_samples_are_not_made(
    samples: SampleStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprints(samples, 12)  # all are kept now
    expected = fingerprints(samples, 13)[-1]
    calls: list[str] = []
    inputs = References.inputs

    def counted(self: References, subject: Subject, view: int) -> Any:
        calls.append(subject.key)
        return inputs(self, subject, view)

    monkeypatch.setattr(References, "inputs", counted)
    assert fingerprints(samples.resumed(12, 1), 1) == [expected]
    assert len(calls) == 1


@pytest.mark.parametrize(("world", "workers"), [(2, 1), (3, 1), (2, 2), (4, 1)])
def test_readers_share_an_epoch(
    box_shards: Path,
    blank_network: NetworkConfig,
    options: DataOptions,
    box_body: Body,
    world: int,
    workers: int,
) -> None:
    """Shards are dealt to the readers, or single subjects where there are fewer shards."""
    readers = world * workers
    seen: list[str] = []
    for rank in range(world):
        mine = SampleStream(box_shards, blank_network, options, box_body, rank, world)
        for worker in range(workers):
            told: list[SkippedItem] = []
            reader = rank * workers + worker
            epoch = mine._shuffled(0, reader, readers, told.append)
            seen += [subject.key for subject, _ in epoch]
            assert not told
    assert sorted(seen) == [f"box_{k:03d}" for k in range(6)]


def test_too_many_readers_say_so(
    make_subject: MakeSubject,
    blank_network: NetworkConfig,
    options: DataOptions,
    box_body: Body,
    tmp_path: Path,
) -> None:
    write_shard(tmp_path, 0, [make_subject(0)])
    second = SampleStream(tmp_path, blank_network, options, box_body, rank=1, world=2)
    with pytest.raises(LikenessError, match="Reader 1 of 2 finds nothing") as caught:
        next(iter(second))
    assert "fewer workers" in caught.value.remedy


def test_no_usable_subject_is_told_at_once(
    box_shards: Path,
    blank_network: NetworkConfig,
    options: DataOptions,
    tmp_path: Path,
    box_body: Body,
) -> None:
    with pytest.raises(LikenessError, match="shards"):
        SampleStream(tmp_path, blank_network, options, box_body)
    # Shards that were made for another body.
    other = replace(box_body, exprdirs=box_body.exprdirs[:, :, :3])
    with pytest.raises(LikenessError, match=r"expression is \(2, \d+\), not \(2, 3\)"):
        SampleStream(box_shards, blank_network, options, other)


def test_people_of_the_test_split_are_never_learned_from(
    make_subject: MakeSubject,
    blank_network: NetworkConfig,
    options: DataOptions,
    box_body: Body,
    tmp_path: Path,
) -> None:
    kept = replace(make_subject(1), facts={"split": "test"})
    only = write_shard(tmp_path, 0, [kept])
    with pytest.raises(LikenessError, match="test split") as caught:
        SampleStream([only], blank_network, options, box_body)
    assert "--split train" in caught.value.remedy
    mixed = write_shard(tmp_path, 1, [make_subject(0), kept])
    drawn = list(islice(SampleStream([mixed], blank_network, options, box_body), 4))
    assert {s.key.split("/")[0] for s in drawn} == {"box_000"}
    told = [what for sample in drawn for what in sample.skipped]
    assert [(what.name, "test split" in what.reason) for what in told] == [("box_001", True)]


# -- what is skipped ---------------------------------------------------------------------------


def test_damage_is_told_with_the_next_sample_and_once(
    make_subject: MakeSubject,
    blank_network: NetworkConfig,
    options: DataOptions,
    box_body: Body,
    tmp_path: Path,
) -> None:
    good, bad = [
        write_shard(tmp_path, k, [make_subject(2 * k), make_subject(2 * k + 1)]) for k in (0, 1)
    ]
    data = bytearray(bad.read_bytes())
    at = data.index(b"IEND")
    data[at - 20] ^= 0xFF  # in the first picture of the first subject of the second shard
    bad.write_bytes(bytes(data))
    stream = SampleStream([good, bad], blank_network, options, box_body)
    drawn = list(islice(stream, 9))
    told = [what for sample in drawn for what in sample.skipped]
    assert [(what.shard, what.name) for what in told] == [(str(bad), "box_002")]
    assert {s.key.split("/")[0] for s in drawn} == {"box_000", "box_001", "box_003"}
    assert fingerprints(stream.resumed(5, 1), 4) == [
        (s.key, s.seed, float(s.views[0].camera.K[0, 2])) for s in drawn[5:]
    ]


def test_a_target_that_cannot_be_decoded_is_left_out(
    make_subject: MakeSubject,
    blank_network: NetworkConfig,
    options: DataOptions,
    box_body: Body,
    tmp_path: Path,
) -> None:
    subject = make_subject(0)
    wrong = replace(subject.views[3], picture=encode_rgba(np.ones((9, 9, 4))))
    views = (*subject.views[:3], wrong, *subject.views[4:])
    write_shard(tmp_path, 0, [replace(subject, views=views)])
    stream = SampleStream(
        tmp_path, blank_network, replace(options, targets=9, cache=None), box_body
    )
    drawn = list(islice(stream, 12))
    assert all("v3" not in sample.key.split("/") for sample in drawn)
    told = {(what.name, what.reason) for sample in drawn for what in sample.skipped}
    assert len(told) == 1
    assert "9 x 9" in next(iter(told))[1]


@pytest.mark.parametrize("kept", [True, False])
def test_somebody_whom_the_detectors_do_not_find(
    box_shards: Path,
    blank_network: NetworkConfig,
    box_body: Body,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept: bool,
) -> None:
    """The reference is skipped, counted, and remembered; the run goes on as before after a kill."""
    with_lift = replace(blank_network, decoder=replace(blank_network.decoder, residual=True))
    looked: list[str] = []

    def observe(portrait: Any, *_: Any) -> Observation:
        looked.append(str(portrait.path))
        if portrait.path.name.startswith("box_001"):
            raise LikenessError("No person was found.", "")
        mask = np.ones(portrait.rgb.shape[:2], np.float32)
        return Observation(np.zeros((33, 2)), np.zeros(33), np.zeros((33, 3)), mask)

    bound = BoundGaussians(
        np.zeros(5, np.int32),
        np.full((5, 3), 1 / 3, np.float32),
        np.zeros((5, 3), np.float32),
        np.tile([1.0, 0, 0, 0], (5, 1)).astype(np.float32),
        np.full((5, 3), 0.01, np.float32),
        np.ones(5, np.float32),
        np.full((5, 3), 0.5, np.float32),
        np.zeros(5, np.uint8),
    )

    class Lifted:
        gaussians = bound

    monkeypatch.setattr(photographs_module, "observe", observe)
    monkeypatch.setattr(references_module, "lift_photo", lambda *_, **__: Lifted)
    options = DataOptions(24, 1, cache=tmp_path if kept else None, shuffle=2)
    stream = SampleStream(box_shards, with_lift, options, box_body)
    monkeypatch.setattr(stream.references.photographs, "_detectors", object(), raising=False)
    drawn = list(islice(stream, 20))
    assert {s.key.split("/")[0] for s in drawn} == {f"box_{k:03d}" for k in (0, 2, 3, 4, 5)}
    told = [what for sample in drawn for what in sample.skipped]
    assert {what.name.split("/")[0] for what in told} == {"box_001"}
    assert all("No person" in what.reason for what in told)
    assert len(told) == len({what.name for what in told})
    count = len(looked)
    rest = [(s.key, s.seed) for s in islice(stream.resumed(4, 2), 12)]
    assert rest == [(s.key, s.seed) for s in drawn[8:]]
    if kept:
        assert len(looked) == count


# -- measuring ---------------------------------------------------------------------------------


def test_budgets_are_drawn_from_the_range(
    blank_network: NetworkConfig, box_body: Body, make_subject: MakeSubject, tmp_path: Path
) -> None:
    network = replace(blank_network, max_gaussians=16_000, fewest_gaussians=1000)
    network = replace(network, decoder=replace(network.decoder, residual=True))
    subjects = [make_subject(number) for number in range(20)]

    def drawn(network: NetworkConfig) -> list[int]:
        references = References(box_body, network, None)
        return [references.budget(s, k) for s in subjects for k in range(len(s.views))]

    budgets = drawn(network)
    assert budgets == drawn(network)
    assert min(budgets) >= 1000
    assert max(budgets) <= 16_000
    # Evenly by their logarithms: a quarter of them in each doubling.
    counts, _ = np.histogram(np.log2(np.array(budgets) / 1000), 4, (0, 4))
    assert counts.min() > 0.15 * len(budgets)
    assert set(drawn(replace(network, fewest_gaussians=0))) == {16_000}
    # Kept under another name; the grid for labels follows the budget.
    both = [
        References(box_body, n, tmp_path)
        for n in (network, replace(network, fewest_gaussians=4000))
    ]
    assert len({r._path(subjects[0], 0) for r in both}) == 2
    options = both[0].lift_options(subjects[0], 0)
    assert options.max_gaussians == both[0].budget(subjects[0], 0)


def test_held_out_views_are_the_targets_for_measuring(
    box_shards: Path, blank_network: NetworkConfig, options: DataOptions, box_body: Body
) -> None:
    told: list[SkippedItem] = []
    shown = list(held_out_samples(box_shards, blank_network, options, box_body, told.append))
    assert [s.key for s in shown] == [f"box_{k:03d}/v0/v2" for k in range(6)]
    assert not told
    again = list(held_out_samples(box_shards, blank_network, options, box_body, told.append))
    for a, b in zip(shown, again, strict=True):
        np.testing.assert_array_equal(a.views[1].rgba, b.views[1].rgba)


def test_without_held_out_views_all_others_are(
    make_subject: MakeSubject,
    blank_network: NetworkConfig,
    options: DataOptions,
    box_body: Body,
    tmp_path: Path,
) -> None:
    write_shard(
        tmp_path, 0, [make_subject(0, held_out=()), make_subject(1, held_out=tuple(range(6)))]
    )
    told: list[SkippedItem] = []
    (shown,) = held_out_samples(tmp_path, blank_network, options, box_body, told.append)
    assert shown.key == "box_000/v0/v1/v2/v3/v4/v5"
    assert [what.name for what in told] == ["box_001"]
