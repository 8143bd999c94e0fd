"""New splats for an avatar of the scene, whose rig, pose and keys stay."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import bpy

from .. import keys
from .avatar_objects import AvatarObjects
from .native_splats import update_radiance
from .splat_object import MODIFIER_NAME, set_attributes, splat_mesh_steps


def exchange_splats_steps(objects: AvatarObjects, path: Path) -> Generator[None, None, None]:
    """Exchange an avatar's splats for those of a file of the worker, in slices.

    Nothing may be undone between the slices.

    Args:
        objects: of the avatar.
        path: as ``engine/scene/files.py`` writes it, of the same body.

    Raises:
        LikenessError: the file cannot be read; the scene is as before.
    """
    from ...engine.scene.files import load_scene_steps

    ready = yield from load_scene_steps(path)
    old = objects.splats.data
    mesh = yield from splat_mesh_steps(ready.splats, old.name)
    objects.splats.data = mesh
    update_radiance(objects.splats)
    if not old.users:
        name = old.name
        bpy.data.meshes.remove(old)
        mesh.name = name
    del objects.body.data[keys.PERSON]  # Blender would cut new bytes at the length of the old
    objects.body.data[keys.PERSON] = ready.kept
    objects.armature[keys.PROVENANCE] = json.dumps(ready.avatar.provenance)
    set_attributes(objects.splats.modifiers[MODIFIER_NAME], ready.avatar.attributes)
