"""One portrait's specification, given on the command line or in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.options import OptionSpec, option_specs, parse_option
from ...core.types import LikenessError
from ...files.stores import Place
from ...pipeline.options import BuildOptions
from ..edit_avatar import parse_edits, resolve_edits


@dataclass(frozen=True)
class PortraitSpec:
    """One portrait of a batch.

    Attributes:
        photo: the main photo's file.
        views: direction and file of others of the same person.
        name: of its folder in the output, with ``/`` between folders.
        options: those of ``BuildOptions`` that are given, ``body``, a body file, and ``edit``, what
            is changed in the avatar.
        where: the table's file and line, for messages; empty for a photo given as a file.
    """

    photo: Place
    views: tuple[tuple[str, Place], ...] = ()
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


SPECS = {
    **option_specs(BuildOptions),
    "body": OptionSpec("body", Path, None, "Another body file, with landmarks.", metavar="NPZ"),
    "edit": OptionSpec(
        "edit",
        str,
        (),
        "Edit each avatar, as 'likeness edit' does: 'add hat=fedora,color=#332211', "
        "'tint hair=#803010' or 'set glasses=0'. Repeatable.",
        metavar="EDIT",
        multiple=True,
    ),
}
"""The options of each portrait; ``network`` and ``body`` may be paths."""

OPTIONS = tuple(SPECS)


def _parse(spec: OptionSpec, value: Any) -> Any:
    """One option's value; several stand in a list, or in a text with semicolons."""
    if not spec.multiple:
        return parse_option(spec, value)
    several = value.split(";") if isinstance(value, str) else value
    if not isinstance(several, list | tuple):
        raise ValueError("must be a list of texts")
    return [parse_option(spec, one.strip() if isinstance(one, str) else one) for one in several]


def read_options(said: Mapping[str, Any], folder: Path, where: str) -> dict[str, Any]:
    """The options among a table's fields, checked.

    Args:
        said: the table's fields.
        folder: the table's, to which its paths are relative.
        where: file and line, for messages.

    Raises:
        LikenessError: an option is unknown, or its value is not allowed.
    """
    out: dict[str, Any] = {}
    for name, value in said.items():
        if name not in SPECS:
            raise LikenessError(
                f"{where} has the unknown field '{name}'.", f"Known fields: {', '.join(OPTIONS)}."
            )
        try:
            out[name] = _parse(SPECS[name], value)
        except ValueError as error:
            remedy = "Correct it in the table."
            raise LikenessError(f"{where}: {name} {error}, not {value!r}.", remedy) from error
    if "edit" in out:
        out["edit"] = resolve_edits(out["edit"], folder)
        try:
            parse_edits(out["edit"])
        except LikenessError as error:
            raise LikenessError(f"{where}: {error.message}", error.remedy) from error
    for name in ("body", "smplx", "sapiens"):
        if name in out:
            out[name] = str(folder / out[name])
    if "estimator" in out:
        out["estimator"] = [str(folder / file) for file in out["estimator"]]
    if out.get("network", "none") not in ("none", "default"):
        out["network"] = str(folder / out["network"])
    return out
