"""``likeness doctor``: what this computer has, and whether it can build a portrait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..problem_report import doctor_report
from .console import EXIT_ERROR, terminal_progress
from .options import FILE

REPORT = Path("likeness-doctor.json")


@click.command()
@click.argument("photo", type=FILE, required=False)
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=REPORT,
    show_default=True,
    help="Report to attach to a bug report; it contains no folder names.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report instead of writing it.")
@click.pass_context
def doctor(context: click.Context, photo: Path | None, out: Path, as_json: bool) -> None:
    """Examine this computer. With PHOTO, also build it and time each stage.

    The exit code is 0 if a portrait can be built.
    """
    from ...engine.files.atomic import atomic_write
    from ...engine.workflows.doctor import examine

    with terminal_progress() as progress:
        report = examine(photo, progress)
    text = doctor_report(report)
    if as_json:
        click.echo(text, nl=False)
    else:
        with atomic_write(out) as scratch:
            scratch.write_text(text, encoding="utf-8")
        _print_findings(report)
        click.echo(f"The report is in {out}.")
    context.exit(0 if report["can_build"] else EXIT_ERROR)


def _print_findings(report: dict[str, Any]) -> None:
    system = report["system"]
    click.echo(
        f"Likeness {report['version']}, Python {system['python']}, {system['platform']}, "
        f"{system['cores']} cores"
    )
    for finding in report["findings"]:
        mark = "ok" if finding["ok"] else "FAILED" if finding["needed"] else "-"
        click.echo(f"  {mark:<7} {finding['name']:<10} {finding['message']}")
        if finding["remedy"] and finding["needed"]:
            click.echo(f"  {'':<18} {finding['remedy']}")
    for stage, seconds in report["stages"].items():
        click.echo(f"          {stage:<10} {seconds:6.2f} s")
    able = "can" if report["can_build"] else "cannot"
    click.echo(f"This computer {able} build portraits.")
