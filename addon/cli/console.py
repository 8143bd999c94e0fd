"""What commands share: what they say while they work, all on stderr, and kinds of options."""

from __future__ import annotations

import math
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ...engine.core.types import LikenessError, Progress

if TYPE_CHECKING:
    from ..workers.plan import ClusterConfig

Command = TypeVar("Command", bound=Callable[..., Any])

SECONDS_BETWEEN_LINES = 20.0


class FiniteNumber(click.FloatRange):
    """A number in a range; ``nan`` and ``inf``, which Python reads as numbers, are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        number = super().convert(value, param, context)
        if not math.isfinite(number):
            self.fail(f"{value} is not finite.", param, context)
        return number


class PathOrAddress(click.Path):
    """A path, or an address as ``s3://bucket/photos``.

    An empty text, as of a shell's variable that is not set, Python would read as the current
    folder; it is none.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        from ...engine.files.stores import Address, is_address

        if not str(value).strip():
            self.fail("the name is empty.", param, context)
        if is_address(str(value)):
            return Address(str(value))
        return super().convert(value, param, context)


class OutputFolder(PathOrAddress):
    """A folder to write to."""

    def __init__(self, addresses: bool = False) -> None:
        """
        Args:
            addresses: it may also be an address.
        """
        super().__init__()
        self._addresses = addresses

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        given = super().convert(value, param, context)
        if not isinstance(given, Path) and not self._addresses:
            self.fail("is an address; this command writes to a folder.", param, context)
        return given


def pool_options(workers: str, recycle: str, after: int = 50) -> Callable[[Command], Command]:
    """``--workers``, ``--threads``, ``--recycle``, ``--cluster`` and ``--gpu-share`` of a command
    that has worker processes; :func:`pop_cluster` takes the last two.

    Args:
        workers, recycle: what their help says. after: how many units, if --recycle is not given.
    """
    options = (
        click.option(
            "--workers",
            metavar="N",
            type=click.IntRange(1, 256),
            default=1,
            show_default=True,
            help=workers,
        ),
        click.option(
            "--threads",
            metavar="N",
            type=click.IntRange(0, 1024),
            default=0,
            help="Of each process; the cores are shared among them if not given.",
        ),
        click.option(
            "--recycle",
            metavar="N",
            type=click.IntRange(min=1),
            default=after,
            show_default=True,
            help=recycle,
        ),
        click.option(
            "--cluster",
            metavar="auto|ADDRESS",
            help="Have the processes on a cluster of Ray (docs/farm.md): the one at ADDRESS, or "
            "one started on this machine.",
        ),
        click.option(
            "--gpu-share",
            metavar="X",
            type=FiniteNumber(0.0, 1.0),
            help="Of a GPU for each process on a cluster; shared out if not given.",
        ),
    )

    def decorated(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def pop_cluster(chosen: dict[str, Any]) -> ClusterConfig | None:
    """The cluster that a command's options name, which are taken out of them; None for this
    machine.

    Raises:
        LikenessError: Ray is not installed, or a share of GPUs is asked for without a cluster.
    """
    address, gpu_share = chosen.pop("cluster"), chosen.pop("gpu_share")
    if address is None:
        if gpu_share is not None:
            raise LikenessError("--gpu-share is for workers on a cluster.", "Give --cluster, too.")
        return None
    from ..workers.plan import ClusterConfig
    from ..workers.ray_session import check_ray

    if not address.strip():
        raise LikenessError("The address of --cluster is empty.", "Give host:port, or auto.")
    check_ray()
    return ClusterConfig(address.strip(), gpu_share)


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """A progress callback: a bar per stage on a terminal, a line per stage, and now and then one
    more in a long stage, elsewhere."""
    if sys.stderr.isatty():
        with _bars() as progress:
            yield progress
    else:
        told: dict[str, Any] = {"stage": "", "time": 0.0}

        def lines(stage: str, fraction: float, message: str) -> None:
            now = time.monotonic()
            if stage != told["stage"]:
                text = stage
            elif message and now - told["time"] > SECONDS_BETWEEN_LINES:
                text = f"{stage} {100 * fraction:.0f} %, {message}"
            else:
                return
            print(f"  {text}", file=sys.stderr, flush=True)
            told.update(stage=stage, time=now)

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
    """Python's warnings as a line of their own, without the place in the code."""
    click.echo(f"  warning: {message}", err=True)


def print_error(error: Exception) -> None:
    """An error that the user can mend, as one line."""
    click.echo(f"likeness: {' '.join(str(error).split())}", err=True)


def get_command_line(context: click.Context) -> str:
    """The command as it was given, whoever ran it."""
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
