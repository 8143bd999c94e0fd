"""What is asked of one portrait, wherever it is said: on the command line or in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.types import LikenessError
from ...files.stores import Place
from ...pipeline.options import parse_option


@dataclass(frozen=True)
class PortraitSpec:
    """One portrait of a batch.

    Attributes:
        photo: the main photo's file. views: direction and file of others of the same person.
        name: of its folder in the output, with ``/`` between folders.
        options: of ``BuildOptions``, those that are given, and ``body``, a body file.
        where: where it was asked for, for messages; empty when as a file itself.
    """

    photo: Place
    views: tuple[tuple[str, Place], ...] = ()
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


OPTIONS = ("max_gaussians", "person", "fov", "refine", "network", "body")
"""What can be chosen for each portrait; ``network`` and ``body`` may be paths."""


def read_options(
    said: Mapping[str, Any], folder: Path, where: str, known: tuple[str, ...] = OPTIONS
) -> dict[str, Any]:
    """The options among a table's fields, checked.

    Args:
        folder: the table's, which its paths are relative to. where: for messages.

    Raises:
        LikenessError: an option is not known or cannot have its value.
    """
    out: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            raise LikenessError(
                f"{where} has the field '{name}', which is not known.",
                f"Known are: {', '.join(known)}.",
            )
        try:
            out[name] = parse_option(name, value)
        except ValueError as error:
            raise LikenessError(f"{where}: {name} {error}, not {value!r}.", "Mend it.") from error
    if "body" in out:
        out["body"] = str(folder / out["body"])
    if out.get("network", "none") not in ("none", "default"):
        out["network"] = str(folder / out["network"])
    return out
