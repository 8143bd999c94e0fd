"""Retouching splats; run inside bpy, see test_retouch.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bmesh
import bpy
import likeness
import numpy as np
import people
from likeness.addon.scene import native_splats, shadow_proxy
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene, find_avatars
from likeness.addon.scene.grade_nodes import CONTROLS, grade_name
from likeness.addon.scene.part_selection import select_splats
from likeness.addon.scene.read_back import read_attribute, read_avatar
from likeness.addon.scene.selection import select_only
from likeness.addon.scene.shadow_proxy import REACH_ATTRIBUTE
from likeness.addon.scene.splat_cage import CAGE
from likeness.addon.scene.splat_edits import SplatEdits
from likeness.addon.scene.splat_exchange import exchange_splats_steps
from likeness.addon.scene.splat_object import MODIFIER_NAME, set_input
from likeness.addon.scene.steps import run_to_end
from likeness.addon.viewport import fast_splats
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.retouch import ERASED, SHIFT, describe_retouch
from likeness.engine.core.types import PARTS, FloatArray
from likeness.engine.formats.avatar import load_avatar, load_editable_avatar
from likeness.engine.scene.files import make_scene_avatar, save_scene_avatar
from likeness.engine.scene.mesh import ATTRIBUTES
from likeness.engine.scene.mesh_edits import EDITS, SOURCES
from strokes import stroke_point


def fresh(count: int = 600) -> AvatarObjects:
    """A scene with one avatar, which is active."""
    people.empty_scene()
    likeness.register()
    objects = build_scene(people.random_avatar(5, count=count), "Person")
    skin = [PARTS.index(("skin", "hair")[k % 2]) for k in range(count)]
    objects.splats.data.attributes["splat_part"].data.foreach_set("value", skin)
    bpy.context.view_layer.update()
    return objects


def again() -> AvatarObjects:
    """The avatar after undo or a new file."""
    return find_avatars(bpy.context.scene)[0]


def stored(objects: AvatarObjects) -> dict[str, FloatArray]:
    """Attributes of the splats' mesh that edits may change."""
    mesh = objects.splats.data
    names = ("splat_color", ATTRIBUTES.offset, "splat_albedo", *EDITS, *SOURCES)
    return {name: read_attribute(mesh, name) for name in names if name in mesh.attributes}


def same(a: dict[str, FloatArray], b: dict[str, FloatArray]) -> bool:
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def choose(rows: range) -> None:
    """Select splats as an artist has them selected, in Edit Mode."""
    bpy.ops.likeness.edit_splats()
    select_rows(rows)


def retouch(folder: str) -> dict[str, Any]:
    """Selected splats erased, tinted and moved by Blender's tools; undone; saved; restored."""
    objects = fresh()
    out: dict[str, Any] = {}
    first = stored(objects)
    seen = people.splat_corners(objects)
    out["nothing"] = attempt(bpy.ops.likeness.retouch_splats)
    bpy.ops.likeness.edit_splats()
    out["mode"] = bpy.context.mode
    bpy.ops.object.mode_set(mode="OBJECT")
    middle = read_attribute(objects.splats.data, "position").reshape(-1, 3, 3).mean(1)
    shown = people.splat_corners_in_world(objects).mean(1)
    matrix = np.array(objects.splats.matrix_world)
    out["cage"] = float(np.abs(middle @ matrix[:3, :3].T + matrix[:3, 3] - shown).max())
    out["laid"] = same(first, stored(objects))

    choose(range(40))
    bpy.ops.ed.undo_push(message="Chosen")
    bpy.ops.likeness.retouch_splats(action="ERASE")
    bpy.ops.ed.undo_push(message="Erased")
    out["still"] = bpy.context.mode
    bpy.ops.object.mode_set(mode="OBJECT")
    alpha = read_attribute(again().splats.data, "splat_color")[:, 3]
    out["erased"] = np.flatnonzero(alpha == 0).tolist() == list(range(40))
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.ed.undo()
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    out["undone"] = bool((read_attribute(again().splats.data, "splat_color")[:, 3] > 0).all())

    choose(range(40))
    bpy.ops.likeness.retouch_splats(action="ERASE")
    choose(range(40, 80))
    before = read_avatar(again())
    bpy.ops.likeness.retouch_splats(action="TINT", color=(0.8, 0.2, 0.1))
    choose(range(80, 120))
    bpy.ops.transform.translate(value=(0.0, 0.0, 0.1))
    out["moved"] = attempt(bpy.ops.likeness.apply_splat_moves)
    bpy.ops.object.mode_set(mode="OBJECT")
    moved = people.splat_corners(again()).mean(1) - seen.mean(1)
    out["by"] = [float(x) for x in moved[80:120].mean(0)]
    out["others"] = float(np.abs(np.delete(moved, range(80, 120), 0)).max())
    avatar = read_avatar(again())
    out["facts"] = describe_retouch(avatar)
    out["edits"] = len([e for e in avatar.provenance["edits"] if "retouch" in e])
    values = avatar.gaussians.retouch
    tinted = values[:, SHIFT].any(1)
    own = avatar.gaussians.colors[tinted]
    dyed = np.clip(own + values[tinted, SHIFT], 0, 1)
    out["median"] = np.median(dyed, 0).tolist()
    out["order"] = float(np.corrcoef(rgb_to_lab(own)[:, 0], rgb_to_lab(dyed)[:, 0])[0, 1])
    out["colors"] = bool((before.gaussians.colors == avatar.gaussians.colors).all())

    # The pose moves on: the moved ones go along; saved, opened, exported, they stay.
    file, blend = Path(folder) / "edited.safetensors", Path(folder) / "edited.blend"
    bpy.ops.likeness.export_avatar(filepath=str(file), pose="PHOTO")
    saved = load_editable_avatar(file)
    out["saved"] = float(np.abs(saved.gaussians.retouch - values).max())
    out["shown"] = len(load_avatar(file).gaussians)
    ply = Path(folder) / "edited.ply"
    bpy.ops.likeness.export_splats(filepath=str(ply))
    out["ply"] = int(
        next(
            line.split()[-1]
            for line in ply.read_bytes().split(b"end_header")[0].decode().splitlines()
            if line.startswith("element vertex")
        )
    )
    kept = stored(again())
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    out["opened"] = same(kept, stored(again()))
    other = build_scene(load_editable_avatar(file), "Again")
    out["drawn"] = np.sort(read_attribute(other.splats.data, "splat_color")[:, 3])[:41].tolist()
    out["albedo"] = SOURCES.albedo in other.splats.data.attributes
    bpy.context.view_layer.objects.active = again().armature
    bpy.ops.likeness.restore_avatar()
    out["restored"] = same(first, stored(again()))
    out["left"] = describe_retouch(read_avatar(again()))
    return out


def unusual() -> dict[str, Any]:
    """A tint after paint that went over white; a tint of no strength; a part selected in Edit Mode;
    a mesh that lacks colors."""
    objects = fresh()
    edits = SplatEdits(objects)
    edits.retouch[:, SHIFT] = 0.9
    rows = np.arange(40)
    edits.tint(rows, np.array([0.2, 0.3, 0.4]))
    out: dict[str, Any] = {"median": np.median(edits.colors[:40], 0).tolist()}
    choose(range(40))
    bpy.ops.likeness.retouch_splats(action="TINT", strength=0.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    out["none"] = bool(stored(again()).keys() & set(EDITS))
    mesh = again().splats.data
    mesh.attributes.remove(mesh.attributes[CAGE])
    select_only(again().splats, bpy.context)
    bpy.ops.object.mode_set(mode="EDIT")  # as by Tab, without Edit Splats
    bpy.ops.likeness.select_part(part="hair")
    out["part"] = attempt(bpy.ops.likeness.retouch_splats)
    bpy.ops.object.mode_set(mode="OBJECT")
    out["erased"] = int((read_avatar_in_order(again())[:, ERASED] == 1.0).sum())
    mesh = again().splats.data
    mesh.attributes.remove(mesh.attributes["splat_rgb"])
    out["old"] = attempt(bpy.ops.likeness.edit_splats)
    return out


def cage() -> dict[str, Any]:
    """What is restored in Edit Mode can be moved again; triangles that were merged are refused."""
    objects = fresh()
    seen = people.splat_corners(objects).mean(1)
    out: dict[str, Any] = {}

    def move(rows: range) -> str:
        select_rows(rows)
        bpy.ops.transform.translate(value=(0.0, 0.0, 0.1))
        return attempt(bpy.ops.likeness.apply_splat_moves)

    def heights() -> list[float]:
        bpy.ops.object.mode_set(mode="OBJECT")
        moved = (people.splat_corners(again()).mean(1) - seen)[:, 1]
        bpy.ops.object.mode_set(mode="EDIT")
        return [round(float(part.mean()), 4) for part in (moved[:20], moved[20:40], moved[40:])]

    bpy.ops.likeness.edit_splats()
    out["moved"] = [move(range(40)), heights()]
    select_rows(range(20))
    bpy.ops.likeness.retouch_splats(action="RESTORE")
    out["restored"] = [move(range(20, 40)), heights()]
    bpy.ops.likeness.restore_avatar()
    out["all"] = [move(range(20)), heights()]

    edited = bmesh.from_edit_mesh(again().splats.data)
    edited.verts.ensure_lookup_table()
    pair = [edited.verts[0], edited.verts[3]]
    bmesh.ops.pointmerge(edited, verts=pair, merge_co=pair[0].co)
    out["merged"] = attempt(bpy.ops.likeness.apply_splat_moves)
    bpy.ops.object.mode_set(mode="OBJECT")
    out["again"] = attempt(bpy.ops.likeness.edit_splats)
    again().splats.hide_viewport = True
    bpy.context.view_layer.objects.active = again().armature
    out["hidden"] = attempt(bpy.ops.likeness.edit_splats)
    return out


def outlines() -> dict[str, Any]:
    """Edit Mode shows no edges, and Blender's tools for faces work without them."""
    fresh()
    out: dict[str, Any] = {}

    def count(faces: bool = True) -> list[int]:
        edited = bmesh.from_edit_mesh(again().splats.data)
        elements = edited.faces if faces else edited.edges
        return [len(elements), *(sum(getattr(e, n) for e in elements) for n in ("hide", "select"))]

    bpy.ops.likeness.edit_splats()
    out["faces"], out["edges"] = count(), count(faces=False)[:2]
    bpy.ops.mesh.select_all(action="SELECT")
    out["all"] = count()[2]
    bpy.ops.mesh.select_all(action="DESELECT")
    bpy.ops.mesh.select_random(ratio=0.5, seed=1)
    out["random"] = count()[2]
    bpy.ops.mesh.select_all(action="INVERT")
    out["inverted"] = count()[2]
    bpy.ops.mesh.hide()
    out["hidden"] = count()
    bpy.ops.mesh.reveal()
    out["revealed"] = count()
    bpy.ops.object.mode_set(mode="OBJECT")
    choose(range(100))
    out["again"] = [*count(faces=False)[:2], count()[2]]
    bpy.ops.mesh.delete(type="FACE")
    out["deleted"] = count()[0]
    bpy.ops.object.mode_set(mode="OBJECT")
    out["left"] = len(again().splats.data.polygons)
    return out


def select_rows(rows: range) -> None:
    """Select splats of the mesh that is in Edit Mode."""
    bpy.ops.object.mode_set(mode="OBJECT")
    mesh = again().splats.data
    chosen = np.zeros(len(mesh.polygons), bool)
    chosen[list(rows)] = True
    select_splats(mesh, chosen)
    bpy.ops.object.mode_set(mode="EDIT")


def native(folder: str) -> dict[str, Any]:
    """Blender's own splats: erased ones are unseen at once, and seen again when restored; new
    splats of the same avatar are its own as well."""
    objects = fresh()
    native_splats._use(objects.splats, native_splats.native_group(None), True)
    counts = []
    choose(range(40))
    for action in ("ERASE", "RESTORE"):
        bpy.ops.likeness.retouch_splats(action=action)
        bpy.ops.object.mode_set(mode="OBJECT")
        base = read_attribute(again().splats.data, native_splats.RADIANCE_ATTRIBUTE)
        counts.append(int((base[:, 3] == 0.0).sum()))
        bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.object.mode_set(mode="OBJECT")
    file = Path(folder) / "scene.npz"
    save_scene_avatar(make_scene_avatar(read_avatar(again())), file)
    run_to_end(exchange_splats_steps(again(), file))
    new = native_splats.RADIANCE_ATTRIBUTE in again().splats.data.attributes
    return {"unseen": counts, "exchanged": new}


def fast() -> dict[str, bool]:
    """What Fast Splats keeps of a mesh is forgotten when splats are edited, and only then."""
    objects = fresh()
    drawn, uid = fast_splats._Store.drawn, objects.splats.data.session_uid
    drawn[uid] = None  # as after a picture
    fast_splats._changed(bpy.context.scene, bpy.context.evaluated_depsgraph_get())
    seen: list[bool] = []

    def look(scene: Any, depsgraph: Any) -> None:
        fast_splats._changed(scene, depsgraph)
        seen.append(uid in drawn)

    bpy.app.handlers.depsgraph_update_post.append(look)
    objects.armature.location.x += 0.1
    bpy.context.view_layer.update()
    out = {"moved": seen[-1]}
    choose(range(40))
    bpy.ops.object.mode_set(mode="OBJECT")
    drawn[uid] = None
    bpy.ops.likeness.retouch_splats(action="ERASE")
    bpy.context.view_layer.update()
    bpy.app.handlers.depsgraph_update_post.remove(look)
    out["edited"] = uid in drawn
    drawn.clear()
    return out


def read_avatar_in_order(objects: AvatarObjects) -> FloatArray:
    """The edits [N, 7] in the order of the mesh."""
    return SplatEdits(objects).retouch


def grades() -> dict[str, Any]:
    """A tinted splat of graded skin: an export has the graded edit."""
    fresh()
    choose(range(40))
    bpy.ops.likeness.retouch_splats(action="TINT", color=(0.9, 0.6, 0.4), strength=0.5)
    bpy.ops.object.mode_set(mode="OBJECT")
    plain = read_avatar(again())
    exposure = grade_name("Skin", next(iter(CONTROLS)))
    set_input(again().splats.modifiers[MODIFIER_NAME], exposure, -1.0)
    graded = read_avatar(again())
    shown = [
        np.clip(a.gaussians.colors + a.gaussians.retouch[:, SHIFT], 0, 1) for a in (plain, graded)
    ]
    skin = plain.gaussians.part == PARTS.index("skin")
    edited = plain.gaussians.retouch[:, SHIFT].any(1)
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in shown]
    return {
        "halved": float(np.abs(linear[1] - 0.5 * linear[0])[skin & edited].max()),
        "hair": float(np.abs(shown[1] - shown[0])[~skin].max()),
        "count": int((skin & edited).sum()),
    }


def shadow() -> dict[str, Any]:
    """The shadow proxy follows what is erased, restored and brushed away."""
    objects = fresh()
    bpy.ops.likeness.add_shadow_proxy()

    def reach() -> FloatArray:
        return read_attribute(again().body.data, REACH_ATTRIBUTE)

    first = reach()
    choose(range(550))
    bpy.ops.likeness.retouch_splats(action="ERASE")
    bpy.ops.object.mode_set(mode="OBJECT")
    few = reach()
    choose(range(600))
    bpy.ops.likeness.retouch_splats(action="ERASE")
    bpy.ops.object.mode_set(mode="OBJECT")
    none = reach()
    bpy.ops.likeness.restore_avatar()
    back = reach()
    camera = bpy.context.scene.camera
    window = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=400, y=400)
    bpy.ops.likeness.brush_splats(
        action="ERASE",
        through=True,
        radius=400.0,
        strength=1.0,
        stroke=[stroke_point(200.0, 200.0)] * 12,
        view=[x for row in camera.matrix_world.inverted() for x in row],
        window=[x for row in window for x in row],
        size=(400, 400),
    )
    brushed = reach()
    return {
        "covered": [int((values >= 0).sum()) for values in (first, few, none, brushed)],
        "back": bool((back == first).all()),
        "proxy": shadow_proxy.find_proxy(objects) is not None,
    }


def attempt(operator: Any, **options: Any) -> str:
    try:
        return next(iter(operator(**options)))
    except RuntimeError as error:
        return str(error).strip()
