"""The splats' node group, built once for all checks of a Blender: that takes half a second."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy


def keep_group(folder: Path) -> None:
    """Let forks of this process append the splats' node group that one of them has built."""
    from likeness.addon import keys
    from likeness.addon.scene import node_group

    build = node_group._shared_group_steps

    def build_or_append(
        name: str, key: str, version: int, fill: Callable[[Any], Any]
    ) -> Generator[None, None, Any]:
        file = folder / f"{name}.blend"
        found = keys.find_own(bpy.data.node_groups, key, version)
        if found is None and name == node_group.GROUP_NAME and file.is_file():
            return append_group(file, name)
        tree = yield from build(name, key, version, fill)
        if tree.name == node_group.GROUP_NAME and not file.exists():
            bpy.data.libraries.write(str(file), {tree})
        return tree

    node_group._shared_group_steps = build_or_append


def append_group(file: Path, name: str) -> Any:
    """The group of a file, without a trace of the file."""
    before = set(bpy.data.libraries)
    with bpy.data.libraries.load(str(file)) as (_, chosen):
        chosen.node_groups = [name]
    for library in set(bpy.data.libraries) - before:
        bpy.data.libraries.remove(library)
    return chosen.node_groups[0]
