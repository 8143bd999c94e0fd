"""The command line: ``likeness``, ``python -m likeness`` and ``blender --command likeness``.

One parser, one :func:`main`. A command's module loads when the command runs, and heavy modules
inside it, so that ``--help`` is fast.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Sequence

import click

from ...engine.core.errors import LikenessError
from ...engine.core.signals import reraise_interrupts
from ...engine.core.version import VERSION
from .console import EXIT_ERROR, print_error, show_warning

EXIT_CANCELLED = 130

COMMANDS = {
    "assets": "Make the body and detectors, once per computer.",
    "batch": "Build many avatars, and continue stopped runs.",
    "body": "Prepare a body of your own: SMPL-X, with or without FLAME's head.",
    "build": "Build avatars from portraits.",
    "convert": "Fit the body to a character of your own.",
    "doctor": "Examine this computer: what it has, and whether it can build.",
    "edit": "Put hats, glasses, beards and more on an avatar, with sliders.",
    "eval": "Measure avatars: photos, other views, videos, the tracker.",
    "export": "Write splats or a rigged mesh for other programs.",
    "generate": "Make generated people: prompts, clips, side and back views, shards.",
    "info": "Describe an avatar file, or list the tuning constants.",
    "library": "Write avatars as an asset library for Blender.",
    "render": "Draw an avatar: a picture, a clip of a motion, or a turntable.",
    "speak": "Animate a face from a recording: mouth, blinks, a little of the head.",
    "synth": "Make synthetic people as training data.",
    "track": "Find body, face and hands of a person in a photo or video.",
    "train": "Train a network, or continue its training.",
    "train-labels": "Train the network that labels what a photo does not show.",
    "train-parser": "Train the network that labels what a photo shows.",
    "train-polish": "Train the network that polishes what the photo does not show squarely.",
}
"""Name -> one line of help. Each stands in a module of its name, with _ for -."""

WORKERS = {
    "batch-worker": "batch",
    "generate-worker": "generate",
    "synth-worker": "synth",
    "atlas-worker": "synth",
}
"""Hidden command -> its module."""


class _LazyGroup(click.Group):
    """A group whose commands load when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and cmd_name not in WORKERS:
            return None
        file = WORKERS.get(cmd_name, cmd_name).replace("-", "_")
        module = importlib.import_module(f".{file}", __package__)
        name = "evaluation" if cmd_name == "eval" else cmd_name.replace("-", "_")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


# Commands -----------------------------------------------------------------------------------


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning"]),
    default="warning",
    show_default=True,
    envvar="LIKENESS_LOG",
    help="Least severe messages of the engine's log to print; LIKENESS_LOG sets it too.",
)
@click.version_option(VERSION, message="Likeness %(version)s")
def cli(log_level: str) -> None:
    """One portrait in, an animatable 3D Gaussian avatar out."""
    handler = logging.StreamHandler()  # to stderr as it is now
    handler.setFormatter(logging.Formatter("  %(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger(__name__.partition(".addon.")[0])
    log.handlers = [handler]
    log.setLevel(log_level.upper())


# Entry --------------------------------------------------------------------------------------


def main(argv: Sequence[str]) -> int:
    """Run the command line; returns the exit code (2 for user errors)."""
    warnings.showwarning = show_warning  # type: ignore[assignment]
    try:
        with reraise_interrupts():
            code = cli.main(args=list(argv), prog_name="likeness", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except LikenessError as error:
        print_error(error)
        return EXIT_ERROR
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("likeness: cancelled.", err=True)
        return EXIT_CANCELLED
