"""The stream of training samples: which subject, which views, in which order. Needs torch.

Everything random comes from (seed, epoch, subject): the same settings give the same samples in the
same order on any machine. A reader is one worker of one process; in each epoch the shards are
shuffled and dealt to the readers round-robin (single subjects where there are fewer shards than
readers), and each reader shuffles its subjects in a small buffer.

DataLoader takes batches from its workers round-robin: batch b comes from worker b % workers. So a
run that stopped after b batches resumes with the same ones if each worker takes up the part of the
worker whose turn it would have been, and skips the samples that were used
(:meth:`SampleStream.resumed`). Skipped samples are neither decoded nor lifted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from ..body import Body
from ..core.types import LikenessError
from ..dataset.pairs import draw_pair, draw_references
from ..dataset.shards import SkippedItem, first_subject, read_subjects, shard_files
from ..dataset.subjects import InvalidSampleError, Subject
from ..network.config import NetworkConfig
from .augment import CLEAN, Augmentation
from .recolor import draw_color_jitter, recolor_sample
from .references import InvalidReferenceError, References
from .samples import TrainingSample
from .target_views import TargetViews

_GENERATED, _FRAME = "generated", "frame_"
_ORDER, _BUFFER, _FEW, _COLORS = 1, 2, 3, 4  # streams of the seed
_MARGINS = (0.02, 0.12)  # of training views around the person, at random
_MARGIN = 0.05  # of views for measuring
_MAX_EMPTY = 10  # epochs in which a reader finds nothing before it gives up


@dataclass(frozen=True)
class DataOptions:
    """How samples are drawn.

    Attributes:
        render_size: Pixels along each side of the views.
        targets: Views besides the reference.
        seed: Of order, pairs, crops and the samples' own seeds.
        cache: Folder of cached lifted references; None lifts them again each time.
        directed_pairs: False lets every view supervise every view (ablation).
        data_type: Of :data:`.config.DATA_TYPES` (ablation, table 2c).
        shuffle: Subjects in a reader's buffer, undecoded as in the shards.
        draws: Samples of each subject per epoch.
        references: Views of each subject that may be a reference, so that fewer must be lifted and
            cached; 0 is all.
        augment: How the references differ from renderings with a known body.
        seen: Whether samples know what other views show (``TrainingSample.seen``).
        recolor: How much the colours of samples vary each time (:mod:`.recolor`).
        interpolate_from: Number of the batch, over all workers, from which to use what lies between
            the two looks of a family's pair.
    """

    render_size: int = 512
    targets: int = 3
    seed: int = 0
    cache: Path | None = None
    directed_pairs: bool = True
    data_type: str = "full"
    shuffle: int = 32
    draws: int = 1
    references: int = 0
    augment: Augmentation = CLEAN
    seen: bool = False
    recolor: float = 0.0
    interpolate_from: int = 0


class SampleStream(IterableDataset[TrainingSample]):
    """Endless training samples, for a DataLoader with any number of workers.

    Held-out views are never used. Damaged shards and subjects, and references that the detectors or
    the lift reject, are skipped; the next sample reports them (``TrainingSample.skipped``).

    Args:
        shards: As :func:`.shards.shard_files` takes them.
        config: Of the network.
        options: How samples are drawn.
        body: The default body.
        rank: Number of this process.
        world: Number of processes.

    Raises:
        LikenessError: There are no shards, or no usable subject in them.
    """

    def __init__(
        self,
        shards: Path | str | Sequence[Path | str],
        config: NetworkConfig,
        options: DataOptions,
        body: Body,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of {world}")
        self._early: list[SkippedItem] = []
        self.shards = shard_files(shards, self._early.append)
        first = first_subject(self.shards, body.num_betas, body.num_expression)
        if is_test_subject(first):
            raise LikenessError(
                f"'{first.key}' in '{self.shards[0]}' is of the test split, which measures.",
                "Train on people made with --split train.",
            )
        self.options, self.body, self.rank, self.world = options, body, rank, world
        self.references = References(body, config, options.cache, options.augment, options.seen)
        self._batches, self._batch_size = 0, 1

    def resumed(self, batches: int, batch_size: int) -> SampleStream:
        """Get the same stream after ``batches`` batches were taken from a DataLoader.

        The new DataLoader must have as many workers.

        Args:
            batches: That were taken.
            batch_size: Samples in each.
        """
        other = object.__new__(SampleStream)
        other.__dict__.update(self.__dict__, _batches=batches, _batch_size=batch_size)
        return other

    def __iter__(self) -> Iterator[TrainingSample]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info is not None else (0, 1)
        part = (worker + self._batches) % workers
        taken = (self._batches + workers - 1 - part) // workers * self._batch_size
        reader, readers = self.rank * workers + part, self.world * workers
        told: set[SkippedItem] = set()
        waiting = list(self._early) if reader == 0 else []

        def skip(what: SkippedItem) -> None:
            if what not in told:
                told.add(what)
                waiting.append(what)

        empty, number = 0, 0
        for epoch in count():
            found = False
            for subject, draw in self._shuffled(epoch, reader, readers, skip):
                batch = number // self._batch_size * workers + part
                if batch < self.options.interpolate_from and lies_between(subject):
                    continue
                sample = self._sample(epoch, subject, draw, skip, make=taken == 0)
                if sample is None:
                    continue
                found = True
                number += 1
                if taken:
                    taken -= 1
                    waiting.clear()  # reported before the run stopped
                else:
                    assert isinstance(sample, TrainingSample)
                    yield replace(sample, skipped=tuple(waiting))
                    waiting.clear()
            empty = 0 if found else empty + 1
            if empty == _MAX_EMPTY:
                reasons = "; ".join(str(what) for what in waiting[:3])
                raise LikenessError(
                    f"Reader {reader} of {readers} finds nothing to train on in "
                    f"{len(self.shards)} shards ({reasons or 'there are too few subjects'}).",
                    "Use fewer workers or processes, or more subjects.",
                )

    def _shuffled(
        self, epoch: int, reader: int, readers: int, skip: Callable[[SkippedItem], None]
    ) -> Iterator[tuple[Subject, int]]:
        """One epoch of one reader: subjects, each with the numbers of its draws."""
        options = self.options
        order = np.random.default_rng([options.seed, _ORDER, epoch]).permutation(len(self.shards))
        dealt = len(self.shards) >= readers
        rng = np.random.default_rng([options.seed, _BUFFER, epoch, reader])
        # Where all readers read all shards, only one reports their errors.
        tell = skip if dealt or reader == 0 else (lambda _: None)
        buffer: list[tuple[Subject, int]] = []
        number = 0
        for row in order[reader::readers] if dealt else order:
            for subject in self._read(self.shards[row], tell):
                number += 1
                if not dealt and (number - 1) % readers != reader:
                    continue
                buffer += [(subject, draw) for draw in range(options.draws)]
                while len(buffer) > options.shuffle * options.draws:
                    yield buffer.pop(int(rng.integers(len(buffer))))
        while buffer:
            yield buffer.pop(int(rng.integers(len(buffer))))

    def _read(self, shard: str, skip: Callable[[SkippedItem], None]) -> Iterator[Subject]:
        body = self.body
        for subject in read_subjects(shard, body.num_betas, body.num_expression, skip):
            generated = subject.source == _GENERATED
            if is_test_subject(subject):
                if not generated:  # of a generated set, every 20th is
                    skip(SkippedItem(shard, subject.key, "it is of the test split, which measures"))
            elif self.options.data_type == "full" or generated == (self.options.data_type != "syn"):
                yield subject

    def _sample(
        self,
        epoch: int,
        subject: Subject,
        draw: int,
        skip: Callable[[SkippedItem], None],
        make: bool,
    ) -> TrainingSample | bool | None:
        """One sample, or None where it cannot be made; without ``make`` only whether it can."""
        options = self.options
        rng = np.random.default_rng([options.seed, epoch, _name(subject), draw])
        rows, among = training_views(subject, options)
        if not rows:
            skip(SkippedItem("", subject.key, "all its views are held out"))
            return None
        kinds = [subject.views[row].kind for row in rows]
        pair = draw_pair(kinds, rng, options.targets, options.directed_pairs, among)
        reference = rows[pair.reference]
        if not make:
            return True if self.references.refusal(subject, reference) is None else None
        sample = assemble_sample(
            self.references,
            subject,
            reference,
            [rows[row] for row in pair.targets],
            options.render_size,
            rng,
            skip,
        )
        if sample is None or not options.recolor:
            return sample
        rng = np.random.default_rng([options.seed, _COLORS, epoch, _name(subject), draw])
        return recolor_sample(sample, draw_color_jitter(rng, options.recolor))


def training_views(subject: Subject, options: DataOptions) -> tuple[list[int], list[int]]:
    """Get the rows of the views that are not held out, and which of them may be references.

    Args:
        subject: Whose views they are.
        options: How samples are drawn.

    Returns:
        The rows, and the places in that list of those that may be references.
    """
    frames = options.data_type == "gen*"
    rows = [
        row
        for row, view in enumerate(subject.views)
        if not (view.held_out or (frames and not view.name.startswith(_FRAME)))
    ]
    if not rows or not options.references:
        return rows, list(range(len(rows)))
    rng = np.random.default_rng([options.seed, _FEW, _name(subject)])
    kinds = [subject.views[row].kind for row in rows]
    return rows, list(draw_references(kinds, rng, options.references))


def is_test_subject(subject: Subject) -> bool:
    """Whether a subject belongs to the test split (``likeness synth --split test``)."""
    return subject.facts.get("split") == "test"


def lies_between(subject: Subject) -> bool:
    """Whether a subject lies between the two looks of a pair (``likeness synth --between``)."""
    family = subject.facts.get("family")
    return isinstance(family, dict) and family.get("amount") not in (0.0, 1.0)


def _name(subject: Subject) -> int:
    """A number that is the same for the same key on every machine."""
    return zlib.crc32(subject.key.encode())


def assemble_sample(
    references: References,
    subject: Subject,
    reference: int,
    targets: Sequence[int],
    size: int,
    rng: np.random.Generator | None,
    skip: Callable[[SkippedItem], None],
) -> TrainingSample | None:
    """Assemble the sample of one reference view and its targets, all in the reference's space.

    Args:
        references: Makes the network's inputs.
        subject: Whose views they are.
        reference: Row of the reference view.
        targets: Rows of the target views.
        size: Pixels along each side.
        rng: Of crops and seed; None crops all views alike and has the seed 0.
        skip: Called with the reason for a missing sample or target.
    """
    name = f"{subject.key}/{subject.views[reference].name}"
    try:
        made = references.inputs(subject, reference)
        if made.note:
            skip(SkippedItem("", name, made.note))
    except InvalidReferenceError as reason:
        skip(SkippedItem("", name, str(reason)))
        return None
    truth = TargetViews(references.body, subject, reference, made.fit)
    views, names = [], []
    for row in (reference, *targets):
        margin = _MARGIN if rng is None else float(rng.uniform(*_MARGINS))
        if not truth.usable(row):
            continue
        name = subject.views[row].name
        try:
            views.append(truth.view(row, size, margin))
        except InvalidSampleError as reason:
            skip(SkippedItem("", f"{subject.key}/{name}", str(reason)))
            continue
        names.append(name)
    seed = 0 if rng is None else int(rng.integers(1 << 62))
    key = "/".join([subject.key, *names])
    return TrainingSample(key, made.inputs, truth.own.v_template, tuple(views), seed, made.seen)


def held_out_samples(
    shards: Path | str | Sequence[Path | str],
    config: NetworkConfig,
    options: DataOptions,
    body: Body,
    skip: Callable[[SkippedItem], None],
) -> Iterator[TrainingSample]:
    """Iterate over samples for evaluation, one for each subject.

    Its most frontal training view is the reference; all its held-out views are the targets, or, in
    shards that hold none out, all its other views. Of generated sets, only the people of the test
    split are used.

    Args:
        shards: As :func:`.shards.shard_files` takes them.
        config: Of the network.
        options: How samples are drawn.
        body: The default body.
        skip: Called with what cannot be used, and why.

    Raises:
        LikenessError: There are no shards.
    """
    references = References(body, config, options.cache, options.augment)
    for shard in shard_files(shards, skip):
        for subject in read_subjects(shard, body.num_betas, body.num_expression, skip):
            if subject.source == _GENERATED and subject.facts.get("split") == "train":
                continue
            rows = range(len(subject.views))
            known = [row for row in rows if not subject.views[row].held_out]
            if not known:
                skip(SkippedItem(shard, subject.key, "all its views are held out"))
                continue
            reference = min(known, key=lambda row: abs(subject.views[row].azimuth))
            targets = [row for row in rows if subject.views[row].held_out]
            targets = targets or [row for row in rows if row != reference]
            sample = assemble_sample(
                references, subject, reference, targets, options.render_size, None, skip
            )
            if sample is not None:
                yield sample
