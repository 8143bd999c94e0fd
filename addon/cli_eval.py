"""``likeness eval``: figures and a page of pictures that tell how good the avatars are."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from ..engine.types import MAX_GAUSSIANS
from .cli_console import Folder, terminal_progress

EXIT_SOME_FAILED = 3
PATH = click.Path(path_type=Path)
PROTOCOLS = ("input", "crossview", "reenact", "tracking")
"""As in engine/evaluation/protocols/run.py, which is slow to load; a test holds the two to each
other."""


@click.command("eval", short_help="Measure avatars: photos, other views, videos, the tracker.")
@click.option(
    "--protocol", "protocols", type=click.Choice([*PROTOCOLS, "all"]), multiple=True,
    required=True,
    help="input: photos beside their avatars. crossview: one view of synthetic people to all "
    "others. reenact: a video's first frame to the others. tracking: the tracker on synthetic "
    "people. Several times, or all.",
)  # fmt: skip
@click.option(
    "--data", metavar="PATH", multiple=True, required=True,
    help="A photo, a video, a folder of them, or shards of 'likeness synth'. Several times.",
)  # fmt: skip
@click.option(
    "-o", "--out", metavar="REPORT", required=True, type=Folder(),
    help="The report's folder: index.html, report.json, items.jsonl; an earlier one is replaced.",
)  # fmt: skip
@click.option(
    "--network", metavar="DIR|default|none", default="none", show_default=True,
    help="Also measure a trained network that improves the lift.",
)  # fmt: skip
@click.option(
    "--refine", type=click.Choice(["off", "fast", "full"]), default="off", show_default=True,
    help="Also measure the network's avatar (the lift's without a network) fitted to the photo.",
)  # fmt: skip
@click.option(
    "--against", metavar="REPORT", type=PATH,
    help="An earlier report to stand beside this one, with the differences.",
)  # fmt: skip
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1),
    help="At most so many photos, people or videos.",
)  # fmt: skip
@click.option(
    "--views", metavar="N", type=click.IntRange(min=1),
    help="At most so many views of each besides the reference; else all of synthetic people, 24 "
    "frames of a video, and 2 for tracking.",
)  # fmt: skip
@click.option(
    "--max-frames",
    metavar="N",
    type=click.IntRange(min=2),
    help="Track at most so many of a video.",
)
@click.option(
    "--tracked", is_flag=True,
    help="Give crossview no truth: our own tracker and matting look at the reference view.",
)  # fmt: skip
@click.option(
    "--max-gaussians", metavar="N", type=click.IntRange(min=5000), default=MAX_GAUSSIANS,
    show_default=True, help="At most so many splats.",
)  # fmt: skip
@click.option(
    "--lpips", type=click.Choice(["auto", "lpips-alex", "lpips-vgg", "none"]), default="auto",
    show_default=True, help="LPIPS's backbone; auto takes what is there, or says why not.",
)  # fmt: skip
@click.option(
    "--face-model", metavar="ONNX|NAME",
    help="A face-recognition network for the identity figure; else SFace, if it is there.",
)  # fmt: skip
@click.option("--body", metavar="NPZ", type=PATH, help="Another body file, with landmarks.")
@click.pass_context
def evaluation(
    context: click.Context,
    /,
    protocols: tuple[str, ...],
    out: Path,
    against: Path | None,
    body: Path | None,
    **chosen: Any,
) -> None:
    """Measure avatars, and write figures (JSON) and a page of pictures (docs/evaluation.md).

    Exit code 3: some of the data could not be measured; the report names it.
    """
    from ..engine.evaluation.protocols.run import EvalOptions, evaluate

    named = PROTOCOLS if "all" in protocols else tuple(dict.fromkeys(protocols))
    options = EvalOptions(protocols=named, **chosen)
    with terminal_progress() as progress:
        outcome = evaluate(
            options, out, against=against, body_path=body, progress=progress,
            command=shlex.join(["likeness", *sys.argv[1:]]),
        )  # fmt: skip
    for warning in outcome.report["warnings"]:
        click.echo(f"  warning: {warning}", err=True)
    for failed in outcome.failed:
        click.echo(f"  not measured: {failed}", err=True)
    _print(outcome.report)
    click.echo(str(outcome.page))
    if outcome.failed:
        context.exit(EXIT_SOME_FAILED)


def _print(report: dict[str, Any]) -> None:
    """The means of each protocol and method."""
    for name, part in report["protocols"].items():
        click.echo(f"{name}: {part['items']} views of {part['people']} people")
        for method, figures in part["mean"].items():
            known = [f"{k} {v:.4g}" for k, v in figures.items() if v is not None]
            click.echo(f"  {method:<16} {', '.join(known)}")
    for name, part in report.get("against", {}).items():
        if isinstance(part, dict):
            for label, deltas in part["delta"].items():
                known = [f"{k} {v:+.4g}" for k, v in deltas.items()]
                click.echo(f"  {name}, {label} beside the other: {', '.join(known)}")
