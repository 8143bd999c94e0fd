"""Splat file of any program to a file that Blender reads in small steps.

Request::

    {"task": "splats", "path": "garden.ply", "up": "-y", "output": "splats.npz"}

``up`` is the axis of a PLY file that points up, one of ``formats.ply.UPS``; SPZ files say
themselves. Result::

    {"scene": "splats.npz", "count": 120000, "warnings": []}
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.types import LikenessError

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {"path": ..., "output": ..., "up": "-y"}


def stage_seconds(request: dict[str, Any]) -> dict[str, float]:
    """Stage -> rough seconds, for the progress bar."""
    return {"start": 0.7, "read": 1.5, "prepare": 1.5}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Read the file, compute the mesh, write it; see the module.

    Raises:
        LikenessError: the axis is unknown, or the file cannot be read or holds no Gaussians.
    """
    from ...formats.ply import UPS, read_ply
    from ...formats.spz import read_spz
    from ...scene.static_splats import check_ply_fields, make_static_mesh, save_static

    path, up = Path(request["path"]), str(request["up"])
    if up not in UPS:
        raise LikenessError(f"No axis is called '{up}'.", f"Choose one of: {', '.join(UPS)}.")
    channel.progress("read", 0.0, "reading the splats")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        if path.suffix.lower() == ".spz":
            gaussians = read_spz(path)
        else:
            check_ply_fields(path)
            gaussians = read_ply(path, up)
    if not len(gaussians):
        raise LikenessError(f"'{path}' holds no Gaussians.", "Choose another file.")
    channel.progress("prepare", 0.0, "making them ready for the scene")
    save_static(make_static_mesh(gaussians), Path(request["output"]))
    notes = [str(w.message) for w in said]
    return {"scene": request["output"], "count": len(gaussians), "warnings": notes}
