"""Fetch a model of the table once the user has accepted its licence.

Request::

    {"task": "download", "model": "dinov2-base", "folder": "where", "accepted": "Apache-2.0"}

``accepted`` is the licence that the user was shown; it must be the table's. ``folder`` is searched
first and receives files that are not on the hub, which has a cache of its own. Result::

    {"model": "dinov2-base", "path": "…"}
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.types import LikenessError

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {"model": ..., "folder": ..., "accepted": ...}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Fetch and check the model; see the module.

    Raises:
        LikenessError: the model is unknown, or its licence was not accepted.
    """
    from ...files.weights import WEIGHTS, find_weights

    name = request["model"]
    if name not in WEIGHTS:
        raise LikenessError(f"There is no model '{name}'.", f"One of: {', '.join(WEIGHTS)}.")
    if request["accepted"] != WEIGHTS[name].licence:
        raise LikenessError(
            f"The licence of '{name}' is '{WEIGHTS[name].licence}', which was not accepted.",
            "Read it and accept it first.",
        )
    folder = Path(request["folder"])

    def progress(fraction: float, file: str) -> None:
        channel.progress("download", fraction, f"fetching {file}")

    progress(0.0, name)
    path = find_weights(name, True, [folder], into=folder, progress=progress)
    return {"model": name, "path": str(path)}
