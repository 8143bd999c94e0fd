"""``likeness eval``: figures and a page of pictures that tell how good the avatars are."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from ...engine.core.types import LikenessError
from ...engine.evaluation.protocols.eval_options import PROTOCOLS, EvalOptions
from .console import terminal_progress
from .options import FILE, OutputFolder, body_option, options_from, out_option

EXIT_SOME_FAILED, EXIT_LEAK = 3, 4


@click.command("eval")
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice([*PROTOCOLS, "all"]),
    multiple=True,
    required=True,
    help="input: photos beside their avatars. crossview: one view of synthetic people to all "
    "others. reenact: a video's first frame to the others. cross-reenact: photos moved by other "
    "people's videos. tracking: the tracker on synthetic people. estimators: which of other "
    "programs' poses to believe. Repeatable.",
)
@out_option(
    "Folder of the report: index.html, report.json, items.jsonl; an earlier one is replaced.",
    "REPORT",
    OutputFolder(),
)
@options_from(EvalOptions)
@click.option(
    "--against", metavar="REPORT", type=FILE, help="Earlier report to compare this one with."
)
@click.option(
    "--card",
    is_flag=True,
    help="Also write the figures into the network's card (card.json, card.md in its folder), and "
    "check whether any of these people, their assets or lights were trained on.",
)
@body_option
@click.pass_context
def evaluation(
    context: click.Context,
    /,
    protocols: tuple[str, ...],
    out: Path,
    against: Path | None,
    card: bool,
    body: Path | None,
    **chosen: Any,
) -> None:
    """Measure avatars, and write figures (JSON) and a page of pictures (docs/evaluation.md).

    Exit code 3: some of the data could not be measured; the report names it. Exit code 4: the
    network was trained on data that it is measured on; its card says which.
    """
    if card:
        _check_card(chosen["network"])
    from ...engine.evaluation.protocols.eval_run import run_evaluation

    named = PROTOCOLS if "all" in protocols else tuple(dict.fromkeys(protocols))
    options = EvalOptions(protocols=named, **chosen)
    with terminal_progress() as progress:
        outcome = run_evaluation(
            options,
            out,
            against=against,
            body_path=body,
            progress=progress,
            command=shlex.join(["likeness", *sys.argv[1:]]),
        )
    for warning in outcome.report["warnings"]:
        click.echo(f"  warning: {warning}", err=True)
    for failed in outcome.failed:
        click.echo(f"  not measured: {failed}", err=True)
    _print(outcome.report)
    click.echo(str(outcome.page))
    leaked = _write_card(Path(chosen["network"]), out, chosen["data"]) if card else []
    for leak in leaked:
        click.echo(f"  LEAK: {leak}", err=True)
    if leaked:
        context.exit(EXIT_LEAK)
    if outcome.failed:
        context.exit(EXIT_SOME_FAILED)


def _check_card(network: str) -> None:
    """Raise the error of a network that can have no card, before anything is measured."""
    from ...engine.training.model_card import check_provenance

    if not Path(network).is_dir():
        raise LikenessError(
            "--card writes beside a network, and none is given.", "Give its folder: --network DIR."
        )
    check_provenance(Path(network))


def _write_card(network: Path, report: Path, data: tuple[str, ...]) -> list[str]:
    """Figures into a network's card; returns what it has seen of the people who judge it."""
    from ...engine.evaluation.protocols.eval_run import find_sources
    from ...engine.training.model_card import write_model_card

    card = write_model_card(network, report, find_sources(data, []).shards)
    click.echo(str(network / "card.md"))
    return list(card["leaks"] or ())


def _print(report: dict[str, Any]) -> None:
    """The means of each protocol and method."""
    for name, part in report["protocols"].items():
        click.echo(f"{name}: {part['items']} views of {part['people']} people")
        for method, figures in part["mean"].items():
            known = [f"{k} {v:.4g}" for k, v in figures.items() if v is not None]
            click.echo(f"  {method:<16} {', '.join(known)}")
        for method, figures in part.get("sets", {}).items():
            known = [f"{k} {v:.4g}" for k, v in figures.items()]
            click.echo(f"  {method:<16} as a set: {', '.join(known)}")
        for kind, of_kind in {"all": part, **part["kinds"]}.items():
            for method, gains in of_kind["gains"].items():
                click.echo(f"  {method} beside the lift, {kind}: {_format_gains(gains)}")
    for name, part in report.get("against", {}).items():
        if isinstance(part, dict):
            for label, deltas in part["delta"].items():
                known = [f"{k} {v:+.4g}" for k, v in deltas.items()]
                click.echo(f"  {name}, {label} beside the other: {', '.join(known)}")


def _format_gains(gains: dict[str, Any]) -> str:
    """A method's gains in the figures of the person, in a line."""
    said = []
    for name, found in gains.items():
        if name.endswith("_fg") or name == "lpips":
            less = found.get("error_less_pct")
            said.append(
                f"{name} {found['gain']:+.4g}" if less is None else f"{name} error {-less:+.1f} %"
            )
    return ", ".join(said)
