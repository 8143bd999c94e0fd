"""What this computer has: models, caches, a body file; and clearing caches.

Request::

    {"task": "setup", "weights": ["folder"], "caches": {"numba": "folder"}, "clear": false,
     "body": null}

``weights`` are folders to search besides the usual ones; ``caches`` folders to measure, and with
``clear`` to empty; ``body`` is a file to check. Result::

    {"models": {"default": {"state": "missing", "path": "", "bytes": 0}},
     "caches": {"numba": {"bytes": 1048576, "files": 12}},
     "body": {"problem": "", "vertices": 10475, "betas": 300, "expressions": 100,
              "landmarks": true}}

A model's ``state`` is ``bundled``, ``there`` or ``missing``. ``body`` is null when none was given;
its ``problem`` says what is wrong with the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.types import LikenessError

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {"weights": [], "caches": {}, "clear": False, "body": None}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Report on models, caches and the body file; see the module."""
    from ...files.weights import PACKAGE_ASSETS, WEIGHTS, find_local_weights

    folders = [Path(folder) for folder in request["weights"]]
    channel.progress("setup", 0.1, "looking for models")
    models = {}
    for name, entry in WEIGHTS.items():
        path = find_local_weights(entry, folders)
        state = "missing" if path is None else "there"
        if path is not None and path.is_relative_to(PACKAGE_ASSETS):
            state = "bundled"
        size = _size(path)[0] if path is not None else 0
        models[name] = {"state": state, "path": str(path or ""), "bytes": size}
    channel.progress("setup", 0.5, "measuring the caches")
    caches = {}
    for name, folder in request["caches"].items():
        if request["clear"]:
            _clear(Path(folder))
        size, files = _size(Path(folder))
        caches[name] = {"bytes": size, "files": files}
    channel.progress("setup", 0.8, "reading the body file")
    body = _body(Path(request["body"])) if request["body"] else None
    return {"models": models, "caches": caches, "body": body}


def _size(path: Path) -> tuple[int, int]:
    """Bytes and files of a file or a folder; links are followed, as in the hub's cache."""
    if path.is_file():
        return path.stat().st_size, 1
    found = [Path(base, name) for base, _, names in os.walk(path) for name in names]
    sizes = [file.stat().st_size for file in found if file.is_file()]
    return sum(sizes), len(sizes)


def _clear(folder: Path) -> None:
    """Empty a cache folder, but keep it: it may be a link to another disk."""
    import shutil

    if not folder.is_dir():
        return
    try:
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        raise LikenessError(
            f"'{error.filename or folder}' cannot be deleted: {error.strerror or error}.",
            "Close other Blenders that use it, and try again.",
        ) from error


def _body(path: Path) -> dict[str, Any]:
    from ...body import load_body

    said: dict[str, Any] = {
        "problem": "",
        "vertices": 0,
        "betas": 0,
        "expressions": 0,
        "landmarks": False,
    }
    try:
        body = load_body(path)
    except LikenessError as error:
        return {**said, "problem": str(error)}
    said |= {
        "vertices": len(body.v_template),
        "betas": body.num_betas,
        "expressions": body.num_expression,
        "landmarks": body.landmarks is not None,
    }
    if body.landmarks is None:
        said["problem"] = "It has no landmarks, so it cannot be fitted to a photo."
    return said
