"""Examines this computer, and builds a photo if one is given.

Request::

    {"task": "doctor", "portrait": null}

The result is :func:`..doctor.examine`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {"portrait": None}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Run all checks; see the module."""
    from ..doctor import examine

    portrait = request["portrait"]
    return examine(None if portrait is None else Path(portrait), channel.progress)
