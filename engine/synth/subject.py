"""A synthetic person, drawn from all sides, as a subject of training data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np

from ..core.types import Camera, FloatArray, Progress
from ..dataset.picture_codec import encode_depth, encode_labels, encode_rgba
from ..dataset.shards import ShardWriter
from ..dataset.subjects import Subject, SubjectView, person_key
from ..imaging.environment import read_environment
from ..wardrobe.mesh_parts import LABELS
from . import raster, raster_textures
from .environment_light import environment_picture
from .figure import SynthContext, SynthSubject, make_subject, open_context
from .person_parts import Figure, Lighting
from .synth_options import SynthOptions
from .views import PlannedView


class RenderStudio(Protocol):
    """Draws figures: our own rasteriser, or Cycles (addon/synth/cycles.py)."""

    def stage(self, figure: Figure, lighting: Lighting) -> None:
        """Set the figure to draw and its light."""

    def draw(self, camera: Camera) -> FloatArray:
        """[H, W, 4] float32: what a camera sees, straight alpha, nothing behind."""


class RasterStudio:
    """Our own rasteriser as a studio.

    Args:
        read: gives the [H, W, 3] linear picture of an environment's file.
    """

    prepared: raster.PreparedFigure

    def __init__(self, read: Callable[[Path], FloatArray] = read_environment) -> None:
        self._read = read
        self._mips: raster_textures.MipCache = {}

    def stage(self, figure: Figure, lighting: Lighting) -> None:
        """Set the figure to draw and its light."""
        environment = environment_picture(lighting, self._read)
        self.prepared = raster.prepare_figure(figure, lighting, environment, self._mips)

    def draw(self, camera: Camera) -> FloatArray:
        """[H, W, 4] float32: what a camera sees, straight alpha, nothing behind."""
        return raster.draw_figure(self.prepared, camera)


class StageClock:
    """Adds up the seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the seconds of the block as ``stage``."""
        start = perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start


def draw_subject(
    made: SynthSubject, options: SynthOptions, studio: RenderStudio, clock: StageClock
) -> Subject:
    """Draw a person from all their cameras, with the ground truth of each picture.

    Args:
        made: the person.
        options: of the set.
        studio: draws the pictures.
        clock: adds up the seconds of each stage.

    Raises:
        LikenessError: a depth is too large to be stored.
    """
    views: dict[int, SubjectView] = {}
    for number, stance in enumerate(made.stances):
        with clock("scene"):
            studio.stage(stance.figure, made.lighting)
        seen = studio.prepared if isinstance(studio, RasterStudio) else stance.figure
        for row, planned in enumerate(made.views):
            if planned.stance == number:
                held_out = _held_out(row, planned, options.hold_out)
                views[row] = _view(planned, seen, options, studio, clock, held_out)
    poses = [stance.pose for stance in made.stances]
    photo = next(planned.name for planned in made.views if planned.reference)
    facts = {**made.facts, "reference": photo}
    if options.labels:
        facts["labels"] = list(LABELS)
    return Subject(
        key=person_key(made.number),
        source="rendered",
        framing=made.framing,
        seed=options.seed,
        betas=made.betas,
        full_pose=np.stack([np.asarray(pose.full_pose) for pose in poses]),
        transl=np.stack([np.asarray(pose.transl) for pose in poses]),
        expression=np.stack([np.asarray(pose.expression) for pose in poses]),
        views=tuple(views[row] for row in sorted(views)),
        facts=facts,
    )


def _held_out(row: int, planned: PlannedView, every: int) -> bool:
    return every > 0 and row % every == every - 1 and not planned.reference


def _view(
    planned: PlannedView,
    seen: Figure | raster.PreparedFigure,
    options: SynthOptions,
    studio: RenderStudio,
    clock: StageClock,
    held_out: bool,
) -> SubjectView:
    camera = planned.camera
    with clock("render"):
        rgba = studio.draw(camera)
    depth = labels = None
    if options.depth or options.labels:
        with clock("truth"):
            metres, rows = raster.render_truth(seen, camera)
    with clock("writing"):
        picture = encode_rgba(rgba)
        if options.depth:
            depth = encode_depth(metres)
        if options.labels:
            labels = encode_labels(rows)
    return SubjectView(
        planned.name,
        planned.stance,
        planned.kind,
        planned.azimuth,
        camera,
        held_out,
        picture,
        depth=depth,
        labels=labels,
    )


def draw_people(
    count: int,
    options: SynthOptions,
    skipped: Callable[[Path, str], None] | None = None,
    world: SynthContext | None = None,
) -> Iterator[Subject]:
    """Draw the first ``count`` people of a seed with our own rasteriser, in this process.

    Args:
        count: number of people.
        options: of the set.
        skipped: called with the path of each broken asset and the reason.
        world: a context opened with the same options; opened here when None.
    """
    world = world or open_context(options, skipped or (lambda asset, reason: None))
    studio = RasterStudio(world.surroundings.read)
    for number in range(count):
        made = make_subject(number, options, world)
        yield draw_subject(made, options, studio, StageClock())


def write_people(
    folder: Path,
    count: int,
    options: SynthOptions,
    per_shard: int = 64,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the subjects of :func:`draw_people` into shards; returns the tar files.

    Raises:
        LikenessError: the folder cannot be written.
    """
    with ShardWriter(folder, per_shard) as writer:
        for number, subject in enumerate(draw_people(count, options)):
            writer.write(subject)
            if progress:
                progress("people", (number + 1) / count, subject.key)
    return writer.paths
