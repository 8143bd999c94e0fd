"""Checks of operators as users call them, of the installed extension, run by ``inside.py``."""

from __future__ import annotations

import importlib
import math
import traceback
import types
from pathlib import Path
from typing import Any

import bpy
import shared
from shared import MODULE, attempt

INSTALLED = True  # read by inside.py


def several(checks: list[str], **given: str) -> dict[str, Any]:
    """The answers of checks, one after the other in one process; what fails says how."""
    out: dict[str, Any] = {}
    for name in checks:
        check = globals()[name]
        wanted = check.__code__.co_varnames[: check.__code__.co_argcount]
        try:
            out[name] = check(**{key: given[key] for key in wanted})
        except Exception:
            out[name] = traceback.format_exc()
    return out


def start(zip_path: str, avatar: str) -> Any:
    """The extension and two avatars in a scene; the module with :func:`find_avatars`.

    The scene is kept in a file: importing takes longer than most checks.
    """
    shared.enable(zip_path)
    scene = Path(bpy.app.tempdir, "two_avatars.blend")
    if scene.is_file():
        bpy.ops.wm.open_mainfile(filepath=str(scene))
    else:
        bpy.ops.wm.read_homefile(app_template="", use_empty=True)
        for _ in range(2):
            assert attempt(bpy.ops.likeness.import_avatar, filepath=avatar) == "FINISHED"
        bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    return importlib.import_module(f"{MODULE}.addon.scene.avatar_objects")


def select(*objects: Any) -> None:
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj in objects)
    bpy.context.view_layer.objects.active = objects[0]


def whole(zip_path: str, avatar: str) -> dict[str, Any]:
    """What X and Shift+D call, on the splats of one avatar and a cube."""
    find = start(zip_path, avatar)
    first, second = find.find_avatars(bpy.context.scene)
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    names = sorted(o.name for o in bpy.context.scene.objects)
    select(cube)
    polls = [bpy.ops.likeness.delete_selected.poll(), bpy.ops.likeness.duplicate_move.poll()]
    select(first.splats, cube)
    polls += [bpy.ops.likeness.delete_selected.poll(), bpy.ops.likeness.duplicate_move.poll()]
    moved = attempt(bpy.ops.likeness.duplicate_move, TRANSFORM_OT_translate={"value": (0, 5, 0)})
    copies = [o for o in bpy.context.scene.objects if o.name not in names]
    copy = find.find_avatar(next(o for o in copies if o.get("likeness_part") == "armature"))
    shifts = [
        list(copy.armature.location - first.armature.location),
        list(next(o for o in copies if o.name.startswith("Cube")).location),
    ]
    after = sorted(o.name for o in copies)
    select(copy.splats, next(o for o in copies if o.name.startswith("Cube")))
    deleted = attempt(bpy.ops.likeness.delete_selected)
    left = sorted(o.name for o in bpy.context.scene.objects)
    return {
        "polls": polls,
        "results": [moved, deleted],
        "copies": after,
        "shifts": shifts,
        "left": left == names,
        "second": second.armature.name,
    }


def body(zip_path: str, avatar: str) -> list[Any]:
    """The button that shows and selects the body, pressed twice, at first in Pose Mode."""
    find = start(zip_path, avatar)
    first, second = find.find_avatars(bpy.context.scene)
    select(first.armature)
    bpy.ops.object.mode_set(mode="POSE")
    out = []
    for _ in range(2):
        result = attempt(bpy.ops.likeness.show_body)
        chosen = [o.name for o in bpy.context.selected_objects]
        out.append([result, bpy.context.object.type, len(chosen), first.body.visible_get()])
    return [*out, second.body.visible_get()]


def parts(zip_path: str, avatar: str) -> dict[str, Any]:
    """Select Part on an avatar of skin and hair: by name, extended, and then deleted; undone."""
    find = start(zip_path, avatar)
    first, second = find.find_avatars(bpy.context.scene)
    of_parts = importlib.import_module(f"{MODULE}.engine.core.types").PARTS
    back = importlib.import_module(f"{MODULE}.addon.scene.read_back")
    color = importlib.import_module(f"{MODULE}.addon.scene.material").COLOR_ATTRIBUTE
    values = [of_parts.index(("skin", "hair", "beard")[k % 3]) for k in range(200)]
    first.splats.data.attributes["splat_part"].data.foreach_set("value", values)
    splats = first.splats
    select(second.armature)
    out: dict[str, Any] = {"without": bpy.ops.likeness.select_part.poll()}
    select(first.armature)
    try:
        out["wrong"] = attempt(bpy.ops.likeness.select_part, part="scarf")
    except TypeError as error:  # not among the choices
        out["wrong"] = str(error)
    bpy.ops.ed.undo_push(message="Before")

    def chosen() -> list[int]:
        splats.update_from_editmode()
        return [p.index for p in splats.data.polygons if p.select]

    result = attempt(bpy.ops.likeness.select_part, part="hair")
    out["hair"] = [result, bpy.context.mode, bpy.context.object == splats, chosen()]
    bpy.ops.mesh.attribute_set(value_color=(1.0, 0.0, 0.0, 0.5))
    splats.update_from_editmode()
    with back.open_stored_mesh(splats) as mesh:
        rgba = back.read_attribute(mesh, color)
    out["colored"] = (rgba == [1.0, 0.0, 0.0, 0.5]).all(1).nonzero()[0].tolist()
    out["again"] = [attempt(bpy.ops.likeness.select_part, part="skin"), chosen()]
    out["both"] = [attempt(bpy.ops.likeness.select_part, part="hair", extend=True), chosen()]
    bpy.ops.mesh.delete(type="FACE")
    bpy.ops.object.mode_set(mode="OBJECT")
    left = back.read_avatar(find.find_avatar(splats)).gaussians
    out["left"] = [len(left), sorted({of_parts[k] for k in left.part})]
    bpy.ops.ed.undo_push(message="Deleted")
    bpy.ops.ed.undo()
    while bpy.context.mode != "OBJECT":
        bpy.ops.ed.undo()
    out["undone"] = len(find.find_avatars(bpy.context.scene)[0].splats.data.polygons)
    return out


def retouched(zip_path: str, avatar: str, folder: str) -> dict[str, Any]:
    """The installed extension: a part erased, the panel drawn; saved, and opened without it."""
    find = start(zip_path, avatar)
    first, _ = find.find_avatars(bpy.context.scene)
    panel = importlib.import_module(f"{MODULE}.panels.retouch").RetouchPanel
    hair = importlib.import_module(f"{MODULE}.engine.core.types").PARTS.index("hair")
    first.splats.data.attributes["splat_part"].data.foreach_set("value", [hair, 1] * 100)
    select(first.armature)
    drawn: list[str] = []
    panel.draw(types.SimpleNamespace(layout=shared.Recorder(drawn)), bpy.context)
    results = [
        attempt(bpy.ops.likeness.select_part, part="hair"),
        attempt(bpy.ops.likeness.retouch_splats, action="ERASE"),
    ]
    bpy.ops.object.mode_set(mode="OBJECT")
    blend = str(Path(folder) / "retouched.blend")
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    shared.addon_utils.disable(MODULE)
    bpy.ops.wm.open_mainfile(filepath=blend)
    splats = bpy.data.objects["Splats someone"]
    shown = splats.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    rgba = [0.0] * (4 * len(shown.attributes["splat_color"].data))
    shown.attributes["splat_color"].data.foreach_get("color", rgba)
    return {"drawn": drawn, "results": results, "unseen": rgba[3::4].count(0.0)}


def orphans(zip_path: str, avatar: str) -> dict[str, Any]:
    """Blender's own Delete on an armature: the panel lists the rest; its buttons."""
    find = start(zip_path, avatar)
    panel = importlib.import_module(f"{MODULE}.panels.avatars").AvatarsPanel
    first, second = (a.armature for a in find.find_avatars(bpy.context.scene))
    first.pose.bones["left_elbow"].rotation_quaternion = (0.6, 0.8, 0.0, 0.0)
    places = [tuple(first.location), tuple(second.location)]
    select(first, second)
    bpy.ops.object.delete()
    calls: list[str] = []
    layout = shared.Recorder(calls)
    shown = panel.poll(bpy.context)
    panel.draw(type("Panel", (), {"layout": layout})(), bpy.context)
    rebuilt = attempt(bpy.ops.likeness.rebuild_rig, name="Splats someone")
    binned = attempt(bpy.ops.likeness.delete_orphan, name="Splats someone.001")
    again = attempt(bpy.ops.likeness.delete_orphan, name="Splats someone.001")
    (back,) = (a.armature for a in find.find_avatars(bpy.context.scene))
    return {
        "kept": tuple(back.location) == places[0]
        and abs(back.pose.bones["left_elbow"].rotation_quaternion.x - 0.8) < 1e-6,
        "armatures": len([o for o in bpy.data.objects if o.type == "ARMATURE"]),
        "shown": shown,
        "drawn": calls,
        "results": [rebuilt, binned, again],
        "avatars": [a.armature.name for a in find.find_avatars(bpy.context.scene)],
        "left": sorted(o.name for o in bpy.context.scene.objects),
    }


def choices(zip_path: str) -> dict[str, Any]:
    """Largest and From the Photo stand for 0; degrees are an angle to people."""
    shared.enable(zip_path)
    out = {}
    for name in ("import_portrait", "animate_from_video"):
        chosen = bpy.context.window_manager.operator_properties_last(f"likeness.{name}")
        said: list[Any] = [chosen.person_choice, chosen.lens_choice]
        chosen.person_choice, chosen.lens_choice = "NUMBER", "ANGLE"
        said += [chosen.person, chosen.fov > 0]
        chosen.fov_angle = math.radians(30)
        said += [chosen.fov, chosen.lens_choice]
        chosen.person_choice, chosen.lens_choice = "LARGEST", "PHOTO"
        out[name] = [*said, chosen.person, chosen.fov]
    return out


def shortcuts(zip_path: str) -> list[int]:
    """The number of our entries in keymaps: enabled, disabled, enabled again."""
    shared.enable(zip_path)

    def count() -> int:
        items = [
            k for m in bpy.context.window_manager.keyconfigs.addon.keymaps for k in m.keymap_items
        ]
        menus = [k for k in items if k.idname == "wm.call_menu" and "LIKENESS" in k.properties.name]
        return len([k for k in items if k.idname.startswith("likeness.")]) + len(menus)

    numbers = [count()]
    for enable in (False, True):
        if enable:
            shared.addon_utils.enable(MODULE, default_set=True)
        else:
            shared.addon_utils.disable(MODULE, default_set=True)
        numbers.append(count())
    return numbers


def presets(zip_path: str) -> dict[str, list[str]]:
    """What is wrong with the presets that come along: each value must be one of its property's."""
    shared.enable(zip_path)
    root = Path(importlib.import_module(MODULE).__file__).parent / "presets" / "operator"
    wrong, names = [], []
    for path in sorted(root.glob("*/*.py")):
        names.append(f"{path.parent.name}/{path.stem}")
        chosen = bpy.context.window_manager.operator_properties_last(path.parent.name)
        source = path.read_text(encoding="utf-8").replace("bpy.context.active_operator", "chosen")
        try:
            exec(source, {"chosen": chosen})
        except (AttributeError, TypeError) as error:
            wrong.append(f"{path}: {error}")
    return {"names": names, "wrong": wrong}
