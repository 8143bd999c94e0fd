"""Node groups that a Blender of this version has built before, kept in files.

Every node and every link updates the whole tree, so building the splats' group takes a second;
appending it takes a hundredth.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import bpy

from ...engine.files.atomic import swap_file
from ...engine.files.digests import code_sha256
from ..paths import cache_folder

_ENGINE_CODE = ("core/attributes.py", "core/grading.py", "scene/mesh.py")
"""What the groups take from the engine: names of attributes, and which parts are graded."""

FOLDER = "node_groups"
"""Of :func:`.paths.cache_folder`."""

_log = logging.getLogger(__name__)


def append_group(name: str, key: str, version: int) -> Any | None:
    """Append a kept node group to Blender's file.

    Args:
        name: of the group.
        key: its custom property that holds ``version``.
        version: which it must have.

    Returns:
        The group; None if none is kept, or it cannot be read, which the log then says.
    """
    before = set(bpy.data.libraries)
    try:
        path = _path(name)
        if not path.is_file():
            return None
        with bpy.data.libraries.load(str(path)) as (_, chosen):
            chosen.node_groups = [name]
        tree = chosen.node_groups[0]
    except OSError as error:
        _log.warning("The kept node group cannot be read (%s). It is built again.", error)
        return None
    finally:
        for library in set(bpy.data.libraries) - before:
            bpy.data.libraries.remove(library)
    if tree is not None and tree.get(key) != version:
        bpy.data.node_groups.remove(tree)
        return None
    return tree


def keep_group(tree: Any) -> None:
    """Keep a node group for :func:`append_group`; the log says if that fails."""
    try:
        path = _path(tree.name)
        with swap_file(path, shared=True) as scratch:
            bpy.data.libraries.write(str(scratch), {tree}, compress=True)
        for other in path.parent.glob(f"{tree.name} {_blender_version()} *.blend"):
            if other != path:
                other.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        _log.warning("The node group cannot be kept (%s): imports take a second longer.", error)


def _path(name: str) -> Path:
    """The file of a group, which another version of this code or of Blender does not find."""
    digest = hashlib.sha256(code_sha256(_ENGINE_CODE).encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return cache_folder(FOLDER) / f"{name} {_blender_version()} {digest.hexdigest()[:16]}.blend"


def _blender_version() -> str:
    return ".".join(str(part) for part in bpy.app.version)
