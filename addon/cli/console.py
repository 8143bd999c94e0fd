"""What commands print while they work, all on stderr, and the command line as it was given."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from ...engine.core.types import Progress

SECONDS_BETWEEN_LINES = 20.0

EXIT_ERROR = 2
"""Exit code of a user error."""


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """A progress callback: a bar per stage on a terminal; elsewhere a line per stage, and one
    more every ``SECONDS_BETWEEN_LINES`` in a long stage."""
    if sys.stderr.isatty():
        with _bars() as progress:
            yield progress
    else:
        last: dict[str, Any] = {"stage": "", "time": 0.0}

        def lines(stage: str, fraction: float, message: str) -> None:
            now = time.monotonic()
            if stage != last["stage"]:
                text = stage
            elif message and now - last["time"] > SECONDS_BETWEEN_LINES:
                text = f"{stage} {100 * fraction:.0f} %, {message}"
            else:
                return
            print(f"  {text}", file=sys.stderr, flush=True)
            last.update(stage=stage, time=now)

        yield lines


@contextmanager
def _bars() -> Iterator[Progress]:
    from tqdm import tqdm

    layout = "  {desc:<14} {percentage:3.0f}% |{bar:16}| {elapsed}{postfix}"
    size = _size_if_unknown()
    bars: dict[str, Any] = {}

    def close(ended: bool) -> None:
        for bar in bars.values():
            bar.set_postfix_str("", refresh=False)
            bar.update(1.0 - bar.n if ended else 0.0)
            bar.close()
        bars.clear()

    def progress(stage: str, fraction: float, message: str) -> None:
        if stage not in bars:
            close(ended=True)  # another begins
            bars[stage] = tqdm(total=1.0, desc=stage, bar_format=layout, file=sys.stderr, **size)
        bar = bars[stage]
        bar.set_postfix_str(message if fraction < 1 else "", refresh=False)
        bar.update(max(0.0, min(1.0, fraction) - bar.n))
        bar.refresh()

    try:
        yield progress
    except BaseException:
        close(ended=False)
        raise
    close(ended=True)


def _size_if_unknown() -> dict[str, int]:
    """Columns and rows for bars on a terminal that does not know its own, as in a container or
    on a serial line: tqdm would hide them."""
    try:
        known = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return {"ncols": 80, "nrows": 24}
    columns, rows = known.columns or 80, known.lines or 24
    return {} if known == (columns, rows) else {"ncols": columns, "nrows": rows}


def show_warning(message: Warning | str, *where: object) -> None:
    """Print a Python warning on a line of its own, without its place in the code."""
    click.echo(f"  warning: {message}", err=True)


def print_error(error: Exception) -> None:
    """Print a user error as one line."""
    click.echo(f"likeness: {' '.join(str(error).split())}", err=True)


def get_command_line(context: click.Context) -> str:
    """The command with the arguments that were given, for a shell."""
    words = ["likeness", str(context.command.name)]
    for parameter in context.command.params:
        value = context.params[str(parameter.name)]
        source = context.get_parameter_source(str(parameter.name))
        if source is not ParameterSource.COMMANDLINE:
            continue
        if isinstance(parameter, click.Argument):
            words += [str(one) for one in (value if isinstance(value, tuple) else (value,))]
        elif isinstance(value, bool):
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        else:
            for one in value if isinstance(value, tuple) else (value,):
                words += [parameter.opts[-1], str(one)]
    return shlex.join(words)
