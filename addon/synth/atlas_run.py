"""The run of ``likeness synth --atlas``: a file for each person, none made twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from ...engine.core.types import LikenessError, Progress
from ...engine.dataset.atlas_people import atlas_person_path, write_atlas_person
from ...engine.files.run_folder import RunFolder
from ...engine.synth.atlas_truth import AtlasTruthMaker
from ...engine.synth.figure import open_context
from ...engine.synth.synth_options import fill_later_options
from ...engine.workflows.executor import FatalWorkerError, Unit, as_completed, format_time_left
from ..workers.executors import open_executor
from ..workers.serving import SendEvent, UnitMaker
from .subject_maker import synth_options
from .synth_run import SynthJob, SynthOutcome

RUN_FILE, LOCK_FILE = "atlas.json", ".atlas.lock"


def run_atlas(
    job: SynthJob, progress: Progress | None = None, command: Sequence[str] | None = None
) -> SynthOutcome:
    """Make the people that a folder lacks.

    Args:
        job: parameters of the run.
        progress: called after each person.
        command: that starts a worker; the one of this process if None.

    Raises:
        LikenessError: Another run is active in the folder or began it with other options, a disk
            is full, or no worker can work.
    """
    folder = RunFolder(job.data, RUN_FILE, LOCK_FILE)
    options, outcome, begun = json.loads(json.dumps(job.options)), SynthOutcome(), monotonic()
    with folder.hold(f"Another run is writing to '{job.data}'."):
        if folder.is_begun():
            with folder.parsing():
                before = fill_later_options(folder.read()["options"], options)
                folder.check_options(before, options)
        else:
            folder.write({"version": 1, "options": options})
        missing = [n for n in range(job.subjects) if not atlas_person_path(job.data, n).is_file()]
        request = {"data": str(job.data.absolute()), "options": options}
        common = [job.data.absolute() / RUN_FILE]
        crew = open_executor(request, job.shape, "atlas-worker", job.cluster, common, command or ())
        try:
            for said in as_completed(crew, [{"key": str(n), "subject": n} for n in missing]):
                if said.kind == "skipped":
                    outcome.skipped[str(said.content["asset"])] = str(said.content["reason"])
                elif said.kind == "done":
                    outcome.made += 1
                    outcome.seconds.update(said.content["seconds"])
                elif said.kind == "failed":
                    outcome.given_up[int(said.key)] = str(said.content["reason"])
                outcome.elapsed = monotonic() - begun
                if progress is not None and said.kind in ("done", "failed"):
                    left = len(missing) - outcome.made - len(outcome.given_up)
                    done = job.subjects - left
                    when = format_time_left(outcome.elapsed, outcome.made, left)
                    progress("people", done / job.subjects, f"{done} of {job.subjects}, {when}")
        finally:
            crew.end()
    return outcome


def open_atlas_maker(request: Mapping[str, Any], say: SendEvent) -> UnitMaker:
    """Open body, library and motions; each unit then writes a person's file.

    Args:
        request: of the run.
        say: called with each skipped asset.

    Raises:
        LikenessError: A file of the options cannot be used.
    """
    options = synth_options(request["options"])
    context = open_context(options, lambda asset, why: say("skipped", asset=str(asset), reason=why))
    maker, data = AtlasTruthMaker.open(options, context), Path(request["data"])

    def one(unit: Unit) -> Mapping[str, Any]:
        start, number = perf_counter(), int(unit["subject"])
        person = maker.make(number)
        made = perf_counter()
        try:
            write_atlas_person(atlas_person_path(data, number), person)
        except LikenessError as error:  # the next ones would fail, too
            raise FatalWorkerError(error.message, error.remedy) from error
        return {"seconds": {"truth": made - start, "writing": perf_counter() - made}}

    return one
