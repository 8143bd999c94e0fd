"""Checks of avatars as assets, run inside Blender: libraries, instances, what the browser shows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import likeness
import numpy as np
import people
from likeness.addon.asset_catalogs import CATALOGS_FILE, AssetInfo
from likeness.addon.scene.avatar_asset import mark_as_asset, write_assets
from likeness.addon.scene.avatar_objects import build_scene, find_avatar, find_avatars
from likeness.addon.scene.blend_writer import blend_from_avatar
from likeness.engine.formats.avatar import save_avatar
from likeness.engine.gaussians.lod import order_by_importance
from shared import Recorder

PLACE = (1.0, -2.0, 0.5)


def _empty() -> None:
    people.empty_scene()


def _assets(file: Path) -> list[dict[str, Any]]:
    """What the assets of a file tell the browser."""
    with bpy.data.libraries.load(str(file), assets_only=True) as (there, here):
        here.collections = there.collections
    out = []
    for collection in here.collections:
        data, preview = collection.asset_data, collection.preview
        out.append(
            {
                "name": collection.name,
                "author": data.author,
                "license": data.license,
                "copyright": data.copyright,
                "description": data.description,
                "catalog": data.catalog_id,
                "tags": [tag.name for tag in data.tags],
                "size": list(preview.image_size) if preview else None,
                "drawn": float(np.asarray(preview.image_pixels_float).std()) if preview else 0.0,
            }
        )
    return out


def saved(folder: str) -> dict[str, Any]:
    """The scene's avatars in a library, with credits from their provenance; then read back."""
    likeness.register()
    _empty()
    root = Path(folder) / "library"
    root.mkdir()
    (root / CATALOGS_FILE).write_text("VERSION 1\n\n11:Mine:Mine\n", encoding="utf-8")
    for seed, name in ((3, "Ann"), (4, "Bob")):
        avatar = people.random_avatar(seed, 200)
        credit = {"source": f"{name}.jpg", "author": f"Photographer of {name}", "copyright": "2026"}
        build_scene(replace(avatar, provenance=credit), name)
    find_avatars(bpy.context.scene)[1].armature.name = "Bert"
    before = sorted(o.name for o in bpy.data.objects)
    result = bpy.ops.likeness.save_assets(library=str(root), license="CC0", every=True)
    out: dict[str, Any] = {"result": list(result)}
    out["unchanged"] = sorted(o.name for o in bpy.data.objects) == before
    out["files"] = sorted(path.name for path in root.iterdir())
    out["catalogs"] = (root / CATALOGS_FILE).read_text(encoding="utf-8").splitlines()
    libraries = bpy.context.preferences.filepaths.asset_libraries
    out["listed"] = [entry.path for entry in libraries if entry.name == "Likeness Avatars"]
    bpy.ops.likeness.save_assets(library=str(root), author="Me", replace=True)
    out["listed again"] = sum(entry.name == "Likeness Avatars" for entry in libraries)
    calls: list[str] = []
    dialog = SimpleNamespace(layout=Recorder(calls))
    likeness.operators.asset_library.SaveAssets.draw(dialog, bpy.context)
    out["warned"] = "without their pictures" in " ".join(calls)
    out["refused"] = _attempt(library="")
    (Path(folder) / "file").write_text("", encoding="utf-8")
    out["no folder"] = _attempt(library=str(Path(folder) / "file" / "below"))
    _empty()
    out["assets"] = [*_assets(root / "Ann.blend"), *_assets(root / "Bert.blend")]
    save_avatar(people.random_avatar(3, 200), root / "whole.safetensors")
    blend_from_avatar(root / "whole.safetensors", root / "whole.blend")
    _empty()
    out["whole"] = _assets(root / "whole.blend")[0]
    out["pictures"] = bpy.app.version[:2] != (5, 0)  # its libraries.write leaves collections' out
    return out


def kept(folder: str) -> dict[str, Any]:
    """Avatars saved where files of their names are: the library's own, the open file, each other's.

    ``files`` are the names in the library after each step, ``said`` what the operator reports.
    """
    likeness.register()
    _empty()
    root = Path(folder) / "library"
    for seed, name in ((3, "Ann"), (4, "Ann/a"), (5, "Ann_a")):
        build_scene(people.random_avatar(seed, 50), name)
    out: dict[str, Any] = {"files": [], "said": []}

    def save(every: bool, replace: bool) -> dict[str, bytes]:
        ann = next(a for a in find_avatars(bpy.context.scene) if a.armature.name == "Ann")
        bpy.context.view_layer.objects.active = ann.armature
        dialog = SimpleNamespace(
            every=every,
            replace=replace,
            bl_label="",
            suggest_library=lambda context: None,
            library_folder=lambda: root,
            info=AssetInfo,
            report=lambda kinds, text: out["said"].append(text),
        )
        likeness.operators.asset_library.SaveAssets.execute(dialog, bpy.context)
        found = {path.name: path.read_bytes() for path in root.glob("*.blend")}
        out["files"].append(sorted(found))
        return found

    save(every=True, replace=False)
    (root / "Ann.blend").write_bytes(b"mine")
    out["kept"] = save(every=False, replace=False)["Ann.blend"] == b"mine"
    out["replaced"] = save(every=False, replace=True)["Ann.blend"] != b"mine"
    bpy.ops.wm.save_as_mainfile(filepath=str(root / "Ann.blend"))
    whole = (root / "Ann.blend").read_bytes()
    out["open kept"] = save(every=True, replace=True)["Ann.blend"] == whole
    return out


def linked(folder: str) -> dict[str, Any]:
    """All avatars of a scene are to be saved, and one is linked: none is marked or written."""
    likeness.register()
    _empty()
    bob = build_scene(people.random_avatar(4, 50), "Bob")
    (file,) = write_assets([bob], Path(folder))
    _empty()
    ann = build_scene(people.random_avatar(3, 50), "Ann")
    with bpy.data.libraries.load(str(file), link=True) as (there, here):
        here.collections = list(there.collections)
    bpy.context.scene.collection.children.link(here.collections[0])
    root = Path(folder) / "library"
    out: dict[str, Any] = {"count": len(find_avatars(bpy.context.scene))}
    out["message"] = _attempt(library=str(root), every=True)
    out["marked"] = ann.collection.asset_data is not None
    out["folder"] = root.exists()
    return out


def _attempt(**chosen: Any) -> str:
    try:
        bpy.ops.likeness.save_assets(**chosen)
    except RuntimeError as error:
        return " ".join(str(error).split())
    return "done"


def instanced(folder: str, link: bool) -> dict[str, Any]:
    """An avatar that Blender instances as two empties, each made posable."""
    likeness.register()
    _empty()
    avatar = people.random_avatar(5, 300)
    objects = build_scene(avatar, "Person")
    mark_as_asset(objects, AssetInfo())
    (file,) = write_assets([objects], Path(folder))
    own = objects.armature.matrix_world.copy()
    _empty()
    call = bpy.ops.wm.link if link else bpy.ops.wm.append
    call(
        filepath=str(file / "Collection" / "Person"),
        directory=f"{file}/Collection/",
        filename="Person",
        instance_collections=True,
    )
    scene = bpy.context.scene
    first = next(o for o in scene.objects if o.instance_collection)
    second = first.copy()
    scene.collection.objects.link(second)
    first.location, second.location = PLACE, (-3.0, 0.0, 0.0)
    second.rotation_euler = (0.0, 0.0, 1.0)
    bpy.context.view_layer.update()
    wanted = [one.matrix_world @ own for one in (first, second)]
    names = [first.name, second.name]
    out: dict[str, Any] = {"before": len(find_avatars(scene)), "errors": [], "moved": []}
    calls: list[str] = []
    bpy.context.view_layer.objects.active = first
    out["shown"] = bool(likeness.panels.avatars.AvatarsPanel.poll(bpy.context))
    likeness.panels.avatars.AvatarsPanel.draw(SimpleNamespace(layout=Recorder(calls)), bpy.context)
    out["drawn"] = " ".join(calls)
    for empty in (first, second):
        bpy.context.view_layer.objects.active = empty
        bpy.ops.likeness.make_posable()
    out["empties"] = sum(
        o.type == "EMPTY" and o.instance_collection is not None for o in scene.objects
    )
    made = find_avatars(scene)
    out["names"] = sorted(a.armature.name for a in made) == sorted(names)
    for name, place in zip(names, wanted):
        found = find_avatar(bpy.data.objects[name])
        assert found is not None
        out["errors"].append(float(np.abs(np.array(found.armature.matrix_world - place)).max()))
        before = _splats(found)
        bone = found.armature.pose.bones["left_hip"]
        bone.rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
        bpy.context.view_layer.update()
        out["moved"].append(float(np.abs(_splats(found) - before).max()))
    out["override"] = [a.armature.override_library is not None for a in made]
    out["hidden"] = [a.body.hide_get() for a in made]
    out["again"] = bool(bpy.ops.likeness.make_posable.poll())
    saved = str(Path(folder) / "scene.blend")
    turned = [a.armature.pose.bones["left_hip"].rotation_quaternion[1] for a in made]
    bpy.ops.wm.save_as_mainfile(filepath=saved)
    bpy.ops.wm.open_mainfile(filepath=saved)
    kept = find_avatars(bpy.context.scene)
    values = [a.armature.pose.bones["left_hip"].rotation_quaternion[1] for a in kept]
    out["kept"] = float(np.abs(np.subtract(values, turned)).max())
    return out


def _splats(avatar: Any) -> np.ndarray:
    found = avatar.splats.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    points = np.empty(3 * len(found.vertices), np.float32)
    found.vertices.foreach_get("co", points)
    return points


def written(folder: str) -> dict[str, Any]:
    """A batch's folder as a library, by the operator: one avatar is damaged, and a second run."""
    likeness.register()
    _empty()
    batch, root = Path(folder) / "batch", Path(folder) / "library"
    for seed, name in ((3, "ann"), (4, "cast/bob"), (5, "bad")):
        (batch / name).mkdir(parents=True)
        file = batch / name / "avatar.safetensors"
        avatar = order_by_importance(people.random_avatar(seed, 300))
        save_avatar(replace(avatar, provenance={"source": "portrait.jpg"}), file)
    (batch / "bad" / "avatar.safetensors").write_bytes(b"nothing")
    build_scene(people.random_avatar(6, 100), "Here")
    before = sorted(o.name for o in bpy.data.objects)
    out: dict[str, Any] = {}
    for run in ("first", "second"):
        bpy.ops.likeness.write_library(
            directory=str(batch), library=str(root), author="Me", license="CC0"
        )
        out[run] = {
            path.relative_to(root).as_posix(): path.stat().st_mtime_ns
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
    out["unchanged"] = sorted(o.name for o in bpy.data.objects) == before
    libraries = bpy.context.preferences.filepaths.asset_libraries
    out["listed"] = [entry.path for entry in libraries].count(str(root))
    _empty()
    out["assets"] = [*_assets(root / "ann.blend"), *_assets(root / "cast" / "bob.blend")]
    return out


def refused(folder: str) -> dict[str, Any]:
    """A folder without avatars, one in which none opens, and one with two of the same name."""
    likeness.register()
    _empty()
    root = Path(folder)
    (root / "none").mkdir()
    (root / "bad").mkdir()
    (root / "bad" / "one.safetensors").write_bytes(b"nothing")
    (root / "twice" / "one").mkdir(parents=True)
    for name in ("one.safetensors", "one/avatar.safetensors"):
        (root / "twice" / name).write_bytes(b"nothing")
    out = {}
    os.chdir(root / "bad")
    for name in ("none", "bad", "twice", ""):
        try:
            chosen = str(root / name) if name else ""
            bpy.ops.likeness.write_library(directory=chosen, library=str(root / "out"))
            out[name] = "done"
        except RuntimeError as error:
            out[name] = " ".join(str(error).split())
    return out
