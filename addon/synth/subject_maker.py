"""Makes and renders the person of a number, in a worker of ``likeness synth``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ...engine.core.types import FloatArray
from ...engine.dataset.subjects import Subject
from ...engine.imaging.environment import read_environment
from ...engine.synth.figure import make_subject, open_context
from ...engine.synth.subject import RasterStudio, RenderStudio, StageClock, draw_subject
from ...engine.synth.synth_options import SynthOptions
from .environments import bundled_environments, has_bpy
from .subject_worker import SubjectMaker


def synth_options(said: Mapping[str, Any]) -> SynthOptions:
    """Options from JSON. For Cycles, Blender's environments are the default."""
    names = {field.name for field in fields(SynthOptions)}
    values: dict[str, Any] = {name: said[name] for name in names if name in said}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    options = SynthOptions(**values)
    if options.engine == "cycles" and not options.environments:
        own = tuple(str(path) for path in bundled_environments())
        return replace(options, environments=own)
    return options


def open_subject_maker(
    request: Mapping[str, Any], skipped: Callable[[Path, str], None]
) -> SubjectMaker:
    """Open body, library, motions and studio.

    Args:
        request: of the run.
        skipped: called with each skipped asset and the reason.

    Raises:
        LikenessError: A file of the options cannot be used.
    """
    options = synth_options(request["options"])
    world = open_context(options, skipped, _reader(options))
    studio = _studio(options, int(request["threads"]), world.surroundings.read)

    def make(number: int) -> tuple[Subject, Mapping[str, float]]:
        clock = StageClock()
        made = make_subject(number, options, world)
        clock.seconds.update(made.seconds)
        return draw_subject(made, options, studio, clock), clock.seconds

    return make


Reader = Callable[[Path], FloatArray]


def _reader(options: SynthOptions) -> Reader:
    """Reader of environments: Blender's if available, which supports more formats."""
    if options.engine == "cycles" or (options.environments and has_bpy()):
        from .cycles import read_picture

        return read_picture
    return read_environment


def _studio(options: SynthOptions, threads: int, read: Reader) -> RenderStudio:
    if options.engine == "cycles":
        from .cycles import CyclesStudio

        return CyclesStudio(options.samples, threads, read)
    return RasterStudio(read)
