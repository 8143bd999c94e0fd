"""``likeness batch``: many portraits, unattended."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.types import LikenessError
from ...engine.pipeline.options import BuildOptions, parse_settings
from ...engine.workflows.options import BatchOptions
from .console import get_command_line, terminal_progress
from .options import (
    FILE,
    OutputFolder,
    PathOrAddress,
    body_option,
    options_from,
    out_option,
    pool_options,
    pop_cluster,
    set_option,
)

if TYPE_CHECKING:
    from ...engine.core.types import Progress
    from ...engine.files.stores import Place
    from ...engine.workflows.batch.batch_folder import BatchPart
    from ...engine.workflows.batch.batch_run import BatchItem, BatchRun
    from ...engine.workflows.batch.portrait_spec import PortraitSpec
    from ...engine.workflows.executor import Executor
    from ..workers.plan import ClusterConfig

EXIT_SOME_FAILED = 3
MAX_LISTED_FAILURES = 20  # failures at the end of a run on a terminal; the report has all of them
PLACE = PathOrAddress()
OF_ALL = (
    "max_gaussians",
    "camera_pitch",
    "estimator",
    "smplx",
    "sapiens",
    "refine",
    "below",
    "held",
    "network",
    "polish",
)
"""Options of a build that the command line gives to all portraits; tables have all options."""


class PartType(click.ParamType):  # type: ignore[type-arg]
    """``3/10``: the third of ten parts."""

    name = "part"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value))
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"'{value}' is not a part. Write 3/10 for the third of ten.", param, context)
        from ...engine.workflows.batch.batch_folder import BatchPart

        return BatchPart(int(found[1]), int(found[2]))


@click.command()
@click.argument("inputs", metavar="[INPUT]...", nargs=-1, type=PLACE)
@out_option(
    "Folder of the results, or an address (s3://...); the same command again continues it.",
    kind=OutputFolder(addresses=True),
)
@click.option(
    "--job",
    "jobs",
    metavar="FILE",
    multiple=True,
    type=FILE,
    help="Table of portraits (.toml, .csv, .jsonl), with options and more photos of each. "
    "Repeatable.",
)
@click.option(
    "--part",
    metavar="K/N",
    type=PartType(),
    help="Build only every Nth portrait, from the Kth on: parts may run at once, on other "
    "machines, with the same DIR. Run it without --part afterwards for what failed and the report.",
)
@click.option(
    "--resume/--force",
    default=True,
    help="Keep what is complete and unchanged (the default), or make everything again.",
)
@click.option(
    "--format",
    "formats",
    metavar="NAMES",
    default="",
    help="Other files to write of each avatar, separated by commas: ply, spz, glb, usda, blend.",
)
@click.option(
    "--report/--no-report",
    default=True,
    help="Write report/index.html, a page of pictures and figures (the default).",
)
@options_from(BatchOptions)
@options_from(
    BuildOptions,
    only=OF_ALL,
    unset=True,
    helps={
        "max_gaussians": "Upper limit of the number of splats, unless a table gives one.",
        "refine": "Time spent on fitting the splats, unless a table says; fast if not given.",
        "below": "What follows where a photo's frame ends, unless a table says; full if not given.",
        "held": "Whether a thing in a hand stays with it, unless a table says; keep if not given.",
        "network": "Network that corrects hidden sides, unless a table names one; default if not "
        "given.",
        "polish": "Whether a network smooths what the photo does not show squarely, unless a table "
        "says; off if not given.",
    },
)
@click.option(
    "--edit",
    "edit",
    metavar="EDIT",
    multiple=True,
    help="Edit each avatar, unless a table says how, as 'likeness edit' does: "
    "'add hat=fedora,color=#332211', 'tint hair=#803010' or 'set glasses=0'. Repeatable.",
)
@set_option
@body_option
@pool_options(
    workers="Number of processes; each takes one to two GB of memory.",
    recycle="Portraits after which a process is replaced.",
)
@click.option(
    "--retries",
    metavar="N",
    type=click.IntRange(0, 100),
    default=1,
    show_default=True,
    help="Retries of a portrait at which a process died; user errors are not retried.",
)
@click.option(
    "--time-limit",
    metavar="SECONDS",
    type=click.IntRange(min=0),
    default=1800,
    show_default=True,
    help="Time limit for each portrait; 0 for none.",
)
@click.option(
    "--memory-limit",
    metavar="MB",
    type=click.IntRange(min=0),
    help="Memory limit of each process; 0 for none. If not given, its share of the machine's, at "
    "least 4096.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line as each portrait ends.")
@click.pass_context
def batch(
    context: click.Context,
    /,
    inputs: tuple[Place, ...],
    out: Place,
    jobs: tuple[Path, ...],
    part: BatchPart | None,
    resume: bool,
    formats: str,
    report: bool,
    preview: bool,
    retries: int,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Build the avatars of many portraits.

    INPUT is a folder (searched recursively), a pattern in quotes, or a photo, also at an address
    that fsspec reads (s3://...); --job adds a table. Each avatar gets a folder in DIR. A run can be
    stopped at any moment: complete avatars are kept. Exit code 3: some portraits failed, the others
    are complete.
    """
    from ...engine.workflows.batch.batch_run import FAILED, BatchRun
    from ...engine.workflows.batch.remote_folder import open_batch_output
    from ...engine.workflows.batch.units import plan_units

    for place in (out, *inputs):
        _check_shared(place)
    wanted = BatchOptions(_formats(formats), preview, not resume, retries + 1)
    cluster = pop_cluster(chosen)
    portraits = _portraits(inputs, jobs, out, chosen)
    if part is not None:
        portraits, report = portraits[part.number - 1 :: part.of], False
    command = get_command_line(context)
    with terminal_progress() as progress, open_batch_output(out, part) as folder:
        units = plan_units(portraits, progress)
        folder.begin(units, {"portraits": len(units), "formats": list(wanted.formats)})
        run = BatchRun(folder, units, wanted)
        lines = _ItemPrinter(len(units), as_json)
        try:
            run.run(lambda: _executor(chosen, cluster, folder.common()), lines.tell, progress)
            folder.close()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                click.echo(f"  stopped; the same command goes on with '{out}'.", err=True)
            if folder.is_there():
                with suppress(LikenessError):  # the first error says more
                    _write_all(run, command, report, progress)
            raise
        _write_all(run, command, report, progress)
    _say_end(run, out, report, as_json)
    if run.counts()[FAILED]:
        context.exit(EXIT_SOME_FAILED)


@click.command("batch-worker", hidden=True)
@click.pass_context
def batch_worker(context: click.Context, /) -> None:
    """Build portraits that come on stdin; 'likeness batch' starts this."""
    from ..batch_maker import open_batch_maker
    from ..workers.serving import serve_units

    context.exit(serve_units(open_batch_maker))


def _check_shared(place: Place) -> None:
    if str(place).lower().startswith("memory://"):
        raise LikenessError(
            f"'{place}' lies in one program's memory, and the workers are programs of their own.",
            "Give a folder, or the address of a store (file://, s3://...).",
        )


def _formats(text: str) -> tuple[str, ...]:
    from ...engine.workflows.batch.result_formats import parse_formats
    from ..blend_file import can_write_blend

    names = parse_formats(text.split(","))
    if "blend" in names and not can_write_blend():
        raise LikenessError(
            "Files .blend need Blender's Python module bpy, which is not installed.",
            "Run it in Blender (blender --background --command likeness batch ...), or install "
            "bpy.",
        )
    return names


def _portraits(
    inputs: Sequence[Place], jobs: Sequence[Path], out: Place, chosen: dict[str, Any]
) -> list[PortraitSpec]:
    from ...engine.workflows.batch.inputs import find_portraits
    from ...engine.workflows.batch.result_names import assign_names
    from ...engine.workflows.batch.tables import read_table
    from ...engine.workflows.edit_avatar import parse_edits, resolve_edits

    options = {name: chosen.pop(name) for name in (*OF_ALL, "body", "edit")}
    options["settings"] = parse_settings(chosen.pop("settings")) or None
    options = {name: value for name, value in options.items() if value not in (None, ())}
    for name in ("body", "network", "smplx", "sapiens"):  # workers may stand elsewhere
        if options.get(name, "none") not in ("none", "default"):
            options[name] = str(Path(options[name]).absolute())
    if "edit" in options:
        options["edit"] = resolve_edits(options["edit"], Path.cwd())
        parse_edits(options["edit"])
    if "estimator" in options:
        options["estimator"] = [str(Path(file).absolute()) for file in options["estimator"]]
    if not inputs and not jobs:
        raise LikenessError("Nothing to build was given.", "Name folders, photos, or a --job.")
    portraits = [one for job in jobs for one in read_table(job, options)]
    portraits += find_portraits(inputs, out, options) if inputs else []
    return assign_names(portraits, out)


def _executor(
    chosen: dict[str, Any], cluster: ClusterConfig | None, common: Sequence[Path]
) -> Executor:
    from ..workers.executors import open_executor
    from ..workers.plan import PoolConfig, WorkerLimits

    limits = WorkerLimits(chosen["time_limit"], chosen["memory_limit"])
    shape = PoolConfig(chosen["workers"], chosen["threads"], chosen["recycle"], limits)
    return open_executor({}, shape, "batch-worker", cluster, common)


class _ItemPrinter:
    """Prints each portrait that ends: as JSON on stdout, or as text on stderr where no bar is."""

    def __init__(self, total: int, as_json: bool) -> None:
        self._total, self._as_json, self._ended = total, as_json, 0

    def tell(self, item: BatchItem) -> None:
        from ...engine.workflows.batch.batch_summary import item_record

        self._ended += 1
        if self._as_json:
            click.echo(json.dumps(item_record(item)))
        if not sys.stderr.isatty():
            what = f"done in {item.seconds:.0f} s"
            if item.reason:
                what = f"FAILED: {item.reason} {item.remedy}".strip()
            if item.warnings and not item.reason:
                count = len(item.warnings)
                what += f", {count} warning{'s' if count > 1 else ''}"
            click.echo(f"  {_printable(item.unit.name)}: {_printable(what)}", err=True)


def _printable(text: str) -> str:
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split())


def _write_all(run: BatchRun, command: str, report: bool, progress: Progress) -> None:
    """summary.json, items.jsonl and the page."""
    from ...engine.workflows.batch.batch_summary import write_summary

    write_summary(run, command)
    if report:
        from ...engine.workflows.batch.report_page import write_batch_report

        progress("report", 0.0, "writing the report")
        write_batch_report(run, command)


def _say_end(run: BatchRun, out: Place, report: bool, as_json: bool) -> None:
    from ...engine.workflows.batch.batch_run import DONE, FAILED

    counts = run.counts()
    made = sum(item.now and item.status == DONE for item in run.items.values())
    words = f"  {counts[DONE]} of {len(run.items)} are done, {made} of them now"
    if made and run.elapsed:
        words += f", {3600 * made / run.elapsed:,.0f} an hour"
    click.echo(words, err=True)
    failed = [item for item in run.items.values() if item.status == FAILED]
    for item in (
        failed[:MAX_LISTED_FAILURES] if sys.stderr.isatty() else ()
    ):  # else printed as they ended
        why = f"{item.reason} {item.remedy}".strip()
        click.echo(f"  failed: {item.unit.name}: {_printable(why)}", err=True)
    if sys.stderr.isatty() and len(failed) > MAX_LISTED_FAILURES:
        more = len(failed) - MAX_LISTED_FAILURES
        click.echo(f"  and {more:,} more; see '{out / 'summary.json'}'.", err=True)
    if report:  # stdout is for one kind of lines
        click.echo(str(out / "report" / "index.html"), err=as_json)
