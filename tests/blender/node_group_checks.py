"""Checks of the splats' node group, run inside Blender by ``inside.py``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import people
from likeness.addon.scene import kept_groups, node_group


def nodes_in_slices() -> list[int]:
    """How many nodes each slice adds to the splats' node group."""
    people.empty_scene()
    tree, counts = bpy.data.node_groups.new("Splats", "GeometryNodeTree"), [0]
    for _ in node_group._build(tree):
        counts.append(len(tree.nodes))
    return np.diff([*counts, len(tree.nodes)]).tolist()


def kept_group(folder: str) -> dict[str, Any]:
    """The splats' node group built, appended from where it is kept, and built for want of it."""
    os.environ["LIKENESS_CACHE"] = folder
    warnings: list[str] = []
    kept_groups._log.warning = lambda message, *values: warnings.append(message % values)
    build, built = node_group._build, []

    def watched(tree: Any) -> Any:
        built.append(tree.name)
        yield from build(tree)

    node_group._build = watched

    def once() -> list[Any]:
        people.empty_scene()
        tree = node_group.splat_group()
        sockets = [(i.name, i.item_type, i.description) for i in tree.interface.items_tree]
        links = [
            (link.from_node.name, link.from_socket.identifier, link.to_node.name)
            for link in tree.links
        ]
        nodes = [(node.bl_idname, tuple(node.location)) for node in tree.nodes]
        return [sockets, sorted(links), nodes, tree.is_modifier, tree.library is None]

    first, second = once(), once()
    found: dict[str, Any] = {"same": first == second, "built": len(built)}
    found["libraries"] = len(bpy.data.libraries)
    (file,) = Path(folder).rglob("*.blend")
    file.write_bytes(file.read_bytes()[:100])
    found |= {
        "after_damage": once() == first,
        "built_again": len(built),
        "warnings": list(warnings),
    }
    older = file.rename(file.with_name(file.name.rsplit(" ", 1)[0] + " older.blend"))
    once()
    found |= {"other_code": len(built), "older": older.exists()}
    node_group.GROUP_VERSION += 1
    once()
    found |= {"other_version": len(built), "files": len(list(Path(folder).rglob("*")))}
    nowhere = Path(folder) / "file"
    nowhere.write_bytes(b"")
    os.environ["LIKENESS_CACHE"] = str(nowhere)
    return {**found, "without_folder": len(once()) > 0 and len(built)}
