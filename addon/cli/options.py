"""Click options made from the engine's descriptions of options (engine/core/options.py), and the
few that several commands write out."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...engine.core.options import OptionSpec, option_specs
from ...engine.core.types import LikenessError

if TYPE_CHECKING:
    from ..workers.plan import ClusterConfig

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

FILE = click.Path(path_type=Path)


class FiniteNumber(click.FloatRange):
    """A number in a range; ``nan`` and ``inf``, which Python reads as numbers, are refused."""

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        number = super().convert(value, param, context)
        if not math.isfinite(number):
            self.fail(f"{value} is not finite.", param, context)
        return number


class _WholeNumber(click.IntRange):
    """A whole number in a range, with the description's own words for what it must be."""

    def __init__(self, spec: OptionSpec) -> None:
        super().__init__(_whole(spec.min), _whole(spec.max))
        self._wanted = spec.wanted

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        try:
            return super().convert(value, param, context)
        except click.BadParameter:
            if not self._wanted:
                raise
            self.fail(f"{value} is not {self._wanted}.", param, context)


class PathOrAddress(click.Path):
    """A path, or an address as ``s3://bucket/photos``.

    An empty text, as of an unset shell variable, is refused: Python would read it as the current
    folder.
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
    """A folder to write to; with ``addresses`` also an address."""

    def __init__(self, addresses: bool = False) -> None:
        super().__init__()
        self._addresses = addresses

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        given = super().convert(value, param, context)
        if not isinstance(given, Path) and not self._addresses:
            self.fail("is an address; this command writes to a folder.", param, context)
        return given


def options_from(
    cls: type,
    *,
    only: Collection[str] = (),
    exclude: Collection[str] = (),
    unset: Collection[str] | bool = (),
    helps: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    prefix: str = "",
) -> Decorator[Any]:
    """Decorate a command with the options that a dataclass describes, in the fields' order.

    Args:
        cls: a dataclass with fields made by :func:`~...engine.core.options.option`.
        only: names of the options to take; all if empty.
        exclude: names of options to leave out.
        unset: names of options whose value is None where none is given; True for all.
        helps: other help texts by name.
        defaults: other defaults by name.
        prefix: begins the parameters' names, and those of flags that are not given, where two
            dataclasses have fields of one name; :func:`pop_options` takes them apart.
    """
    specs = [s for s in option_specs(cls, exclude).values() if not only or s.name in only]
    unset = [spec.name for spec in specs] if unset is True else unset or ()

    def decorate(command: Any) -> Any:
        for spec in reversed(specs):
            default = (defaults or {}).get(spec.name, spec.default)
            if spec.name in unset:
                default = None
            help = (helps or {}).get(spec.name, spec.help)
            named = replace(spec, name=prefix + spec.name)
            command = _click_option(named, default, help)(command)
        return command

    return decorate


def pop_options(cls: type, chosen: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Take the values of a dataclass's options out of a command's; name -> value."""
    return {name: chosen.pop(prefix + name) for name in option_specs(cls)}


def given_flags(context: click.Context, names: Collection[str]) -> list[str]:
    """List the flags among some parameters of a command that the user gave."""
    source = click.core.ParameterSource.COMMANDLINE
    return [
        one.opts[0]
        for one in context.command.params
        if one.name in names and context.get_parameter_source(str(one.name)) is source
    ]


def _click_option(spec: OptionSpec, default: Any, help: str) -> Decorator[Any]:
    flag = "--" + spec.name.replace("_", "-")
    flags = list(spec.flags) or [flag]
    settings: dict[str, Any] = {"help": help, "multiple": spec.multiple}
    if spec.kind is bool:
        if spec.default is True and not spec.flags:
            flags = [f"{flag}/{flag.replace('--', '--no-', 1)}"]
        settings["is_flag"] = True
        settings["default"] = default
    else:
        settings["type"] = _click_type(spec)
        settings["metavar"] = spec.metavar or spec.unit.upper() or None
        settings["required"] = default is ...
        if default not in (..., None, ()):
            settings["default"] = default
            settings["show_default"] = spec.show_default
    return click.option(*flags, spec.name, **settings)


def _click_type(spec: OptionSpec) -> click.ParamType[Any]:
    if spec.choices:
        return click.Choice(spec.choices)
    if spec.kind is int:
        return _WholeNumber(spec)
    if spec.kind is float:
        return FiniteNumber(spec.min, spec.max, spec.min_open)
    return FILE if spec.kind is Path else click.STRING


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


# Options that several commands have ---------------------------------------------------------


def out_option(
    help: str, metavar: str = "DIR", kind: click.ParamType[Any] = FILE, name: str = "out"
) -> Decorator[Any]:
    """``-o``/``--out``."""
    return click.option("-o", "--out", name, metavar=metavar, required=True, type=kind, help=help)


body_option: Decorator[Any] = click.option(
    "--body", metavar="NPZ", type=FILE, help="Another body: a file of 'likeness body prepare'."
)

set_option: Decorator[Any] = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Another value for a tuning constant, as in --set lift.texels.under_photo=0.004; "
    "'likeness info --settings' lists them. Repeatable.",
)

max_gaussians_option: Decorator[Any] = click.option(
    "--max-gaussians",
    metavar="N",
    type=click.IntRange(min=1),
    help="Upper limit of the splats: the most important ones, grown to fill in.",
)

POSE_OPTIONS = (
    click.option(
        "--pose",
        metavar="FILE|NAME",
        help="Pose file (.npz), or a name as relaxed or wave; the photo's pose if not given.",
    ),
    click.option(
        "--frame",
        metavar="N",
        type=click.IntRange(min=0),
        help="Frame of a motion file that --pose names, from 0 on.",
    ),
    click.option(
        "--expression",
        metavar="NAME[=V],...",
        help="Expression: a name as smile or viseme_aa, weights as in jawOpen=0.5,eyeBlinkLeft=1, "
        "or both: smile,jawOpen=0.2 (and smile=0.5 for half of it).",
    ),
)


def pose_options(command: Any) -> Any:
    """``--pose``, ``--frame`` and ``--expression``."""
    for option in reversed(POSE_OPTIONS):
        command = option(command)
    return command


def check_frame(pose: str | None, frame: int | None) -> None:
    """Refuse a --frame where there is no file with frames."""
    if frame is not None and (pose is None or not Path(pose).suffix):
        raise click.UsageError("--frame goes with --pose FILE.")


def pool_options(workers: str, recycle: str, after: int = 50) -> Decorator[Any]:
    """``--workers``, ``--threads``, ``--recycle``, ``--cluster`` and ``--gpu-share`` of a command
    that has worker processes; :func:`pop_cluster` takes the last two.

    Args:
        workers: help of ``--workers``.
        recycle: help of ``--recycle``.
        after: default of ``--recycle``.
    """
    from ..workers.plan import ClusterConfig, PoolConfig

    pool = options_from(
        PoolConfig, helps={"workers": workers, "recycle": recycle}, defaults={"recycle": after}
    )
    cluster = options_from(ClusterConfig, unset=True)
    return lambda command: pool(cluster(command))


def pop_cluster(chosen: dict[str, Any]) -> ClusterConfig | None:
    """Take the cluster that a command's options name out of them; None for this machine.

    Raises:
        LikenessError: Ray is not installed, the address is empty, or a share of GPUs is given
            without a cluster.
    """
    address, gpu_share = chosen.pop("address"), chosen.pop("gpu_share")
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
