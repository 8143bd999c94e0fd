"""Checks of attributes' sliders, run by ``inside.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import likeness
import numpy as np
import people
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene
from likeness.addon.scene.grade_nodes import CONTROLS, grade_name
from likeness.addon.scene.material import COLOR_ATTRIBUTE
from likeness.addon.scene.native_splats import native_group
from likeness.addon.scene.read_back import read_avatar
from likeness.addon.scene.splat_object import (
    MODIFIER_NAME,
    get_input,
    get_sliders,
    input_identifier,
    set_input,
    use_group,
)
from likeness.addon.viewport.fast_splats import read_faded_colors
from likeness.engine.core.attributes import (
    APPEARS,
    GOES,
    STAYS,
    Attribute,
    apply_attributes,
    constant_span,
)
from likeness.engine.core.types import PARTS, Avatar, FloatArray
from likeness.engine.formats.avatar import load_editable_avatar
from likeness.engine.gaussians.lod import order_by_importance
from likeness.engine.scene.mesh import stored_order


def dressed(count: int = 3000) -> Avatar:
    """An avatar with a hat at 0.75, for which some splats go, and a beard that grows."""
    avatar = order_by_importance(people.random_avatar(5, count))
    hat, beard = constant_span(STAYS, count), constant_span(STAYS, count)
    hat[::5], hat[1::10] = APPEARS, GOES
    beard[2::5] = np.stack([np.linspace(0, 0.75, count // 5), np.linspace(0.25, 1, count // 5)], 1)
    part = np.zeros(count, np.uint8)
    part[::5] = PARTS.index("hat")
    return replace(
        avatar,
        gaussians=replace(avatar.gaussians, part=part),
        attributes=(
            Attribute("hat", "hat", "cap", "#112233", 0.75, hat),
            Attribute("beard", "beard", "full", "#221100", 1.0, beard),
        ),
    )


def shown(objects: AvatarObjects) -> FloatArray:
    """Opacities [N] of the faces that can be seen of those that Blender's modifier makes."""
    bpy.context.view_layer.update()
    mesh = objects.splats.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    out = np.empty(4 * len(mesh.polygons), np.float32)
    mesh.attributes[COLOR_ATTRIBUTE].data.foreach_get("color", out)
    opacities = out.reshape(-1, 4)[:, 3]
    return opacities[opacities > 0.0]


def expected(avatar: Avatar, **values: float) -> FloatArray:
    """The same of the engine, in the order in which the mesh holds the splats."""
    order = stored_order(avatar)
    attributes = tuple(
        replace(one.take(order), value=values.get(one.name, one.value)) for one in avatar.attributes
    )
    sorted_avatar = replace(
        avatar, gaussians=avatar.gaussians.take(order), lod_start=None, attributes=attributes
    )
    return apply_attributes(sorted_avatar).gaussians.opacities


def sliders() -> dict[str, Any]:
    """What is shown at several values against the engine; keys; drivers; the fast splats."""
    people.empty_scene()
    avatar = dressed()
    objects = build_scene(avatar, "Person")
    modifier = objects.splats.modifiers[MODIFIER_NAME]
    out: dict[str, Any] = {"start": get_sliders(objects.splats)}
    worst, counts = 0.0, []
    for hat, beard in ((0.75, 1.0), (0.0, 1.0), (1.0, 0.0), (0.3, 0.4), (0.0, 0.0)):
        set_input(modifier, "Hat", hat)
        set_input(modifier, "Beard", beard)
        found, wanted = shown(objects), expected(avatar, hat=hat, beard=beard)
        counts.append([len(found), len(wanted)])
        if len(found) == len(wanted):
            worst = max(worst, float(np.abs(found - wanted).max()))
        fast = read_faded_colors(objects.splats)[:, 3]
        worst = max(worst, float(np.abs(fast[fast > 0] - wanted).max()))
    out |= {"worst": worst, "counts": counts}
    identifier = input_identifier(modifier, "Hat")
    path = f'modifiers["{MODIFIER_NAME}"]["{identifier}"]'
    if hasattr(modifier, "properties"):
        path = f'modifiers["{MODIFIER_NAME}"].properties.inputs.{identifier}.value'
    for frame, value in ((1, 0.0), (11, 1.0)):
        set_input(modifier, "Hat", value)
        objects.splats.keyframe_insert(path, frame=frame)
    keyed = []
    for frame in (1, 11):
        bpy.context.scene.frame_set(frame)
        keyed.append(len(shown(objects)))
    out["keyed"] = keyed
    return out


def again(folder: str) -> dict[str, Any]:
    """Sliders and parts come back from the objects, and survive a saved file."""
    people.empty_scene()
    avatar = dressed()
    objects = build_scene(avatar, "Person")
    untouched = read_avatar(objects)
    set_input(objects.splats.modifiers[MODIFIER_NAME], "Hat", 0.25)
    back = read_avatar(objects)
    same = [
        bool((a.span == b.span).all())
        for a, b in zip(avatar.attributes, back.attributes, strict=True)
    ]
    path = str(Path(folder) / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    splats = next(obj for obj in bpy.data.objects if MODIFIER_NAME in obj.modifiers)
    bare = build_scene(people.random_avatar(8, 400), "Bare")
    return {
        "spans": same,
        "values": [one.value for one in back.attributes],
        "edits": back.provenance.get("edits"),
        "untouched": "edits" in untouched.provenance,
        "items": [one.item for one in back.attributes],
        "parts": bool((back.gaussians.part == avatar.gaussians.part).all()),
        "saved": get_sliders(splats),
        "bare": get_sliders(bare.splats),
        "bare_shown": len(shown(bare)),
    }


def native() -> dict[str, Any]:
    """Blender's own splats, as points: how many are left at values of the slider."""
    people.empty_scene()
    objects = build_scene(dressed(), "Person")
    modifier = objects.splats.modifiers[MODIFIER_NAME]
    use_group(modifier, native_group(None))
    counts = []
    for hat in (0.0, 0.5, 1.0):
        set_input(modifier, "Hat", hat)
        bpy.context.view_layer.update()
        depsgraph = bpy.context.evaluated_depsgraph_get()
        evaluated = objects.splats.evaluated_get(depsgraph)
        geometry = evaluated.evaluated_geometry()  # owns the point cloud
        counts.append(len(geometry.pointcloud.points))
    return {"counts": counts}


WORN: dict[str, dict[str, Any]] = {
    "earrings": {"item": "earrings=hoop", "use_color": True, "color": (1.0, 0.5, 0.0)},
    "glasses": {"item": "glasses=round"},
    "brows": {"item": "brows=angled", "thickness": 0.8},
    "wrinkles": {"item": "wrinkles=deep", "use_color": True},
}


def worn(folder: str, avatar: str, names: list[str]) -> dict[str, Any]:
    """Things are put on in Blender by the worker, taken off again, and exported with sliders."""
    likeness.register()
    people.empty_scene()
    objects = build_scene(load_editable_avatar(Path(avatar)), "Person")
    bone = objects.armature.pose.bones["left_elbow"]
    bone.rotation_mode = "QUATERNION"
    bone.rotation_quaternion = (0.8, 0.0, 0.6, 0.0)
    bpy.context.view_layer.objects.active = objects.armature
    grade = grade_name("Skin", next(iter(CONTROLS)))
    set_input(objects.splats.modifiers[MODIFIER_NAME], grade, -1.0)
    plain = read_avatar(objects, graded=False).gaussians.colors
    before, meshes = read_avatar(objects), len(bpy.data.meshes)
    file = str(Path(folder) / "worn.safetensors")
    out: dict[str, Any] = {"without": bpy.ops.likeness.remove_item.poll()}
    for name in names:
        bpy.ops.likeness.add_item(**WORN[name])
    after = read_avatar(objects)
    out["graded"] = float(np.abs(before.gaussians.colors - plain).max())
    out["grade"] = float(get_input(objects.splats.modifiers[MODIFIER_NAME], grade))
    out["sliders"] = get_sliders(objects.splats)
    out["colors"] = [one.color for one in after.attributes]
    out["edits"] = [edit["add"] for edit in after.provenance["edits"] if "add" in edit]
    out["pose"] = float(np.abs(before.pose.full_pose - after.pose.full_pose).max())
    out["shown"] = [len(shown(objects)), len(apply_attributes(after).gaussians)]
    bpy.ops.likeness.export_avatar(filepath=file, pose="PHOTO")
    saved = load_editable_avatar(Path(file))
    out["saved"] = {one.name: one.value for one in saved.attributes}
    for name in names[1::2] + names[::2]:
        bpy.ops.likeness.remove_item(attribute=name)
    back = read_avatar(objects)
    out["left"] = get_sliders(objects.splats)
    out["splats"] = [len(before.gaussians), len(back.gaussians)]
    out["same"] = bool(
        all(
            (getattr(before.gaussians, name) == getattr(back.gaussians, name)).all()
            for name in ("triangle", "colors", "part")
        )
    )
    out["meshes"] = [meshes, len(bpy.data.meshes)]
    return out


def from_files(folder: str, avatar: str, hair: str) -> dict[str, Any]:
    """Hair of a library is put on; what is said of files that do not fit."""
    likeness.register()
    people.empty_scene()
    objects = build_scene(load_editable_avatar(Path(avatar)), "Person")
    bpy.context.view_layer.objects.active = objects.armature
    picture = Path(folder) / "changed.png"
    picture.touch()
    said = []
    for call, given in (
        (bpy.ops.likeness.add_from_library, {"filepath": str(picture)}),
        (bpy.ops.likeness.edit_from_photo, {"filepath": str(picture)}),
        (bpy.ops.likeness.edit_from_photo, {"filepath": str(picture), "portrait": hair}),
    ):
        try:
            call(**given)
        except RuntimeError as error:
            said.append(" ".join(str(error).split()))
    bpy.ops.likeness.add_from_library(filepath=hair, kind="hair")
    edits = read_avatar(objects).provenance["edits"]
    return {"said": said, "sliders": get_sliders(objects.splats), "items": [edits[-1]["item"]]}


def tinted(folder: str, avatar: str) -> dict[str, Any]:
    """Hair and lips get other colours in Blender by the worker; what may be chosen."""
    from likeness.operators import attributes

    likeness.register()
    people.empty_scene()
    objects = build_scene(load_editable_avatar(Path(avatar)), "Person")
    bpy.context.view_layer.objects.active = objects.armature
    before = read_avatar(objects)
    out: dict[str, Any] = {
        "choice": [item[0] for item in attributes._tint_items(None, bpy.context)]
    }
    bpy.ops.likeness.tint_part(part="lips", color=(0.6, 0.0, 0.2))
    bpy.ops.likeness.tint_part(part="hair", color=(0.0, 0.2, 1.0))
    after = read_avatar(objects)
    out["sliders"] = get_sliders(objects.splats)
    out["colors"] = {one.name: one.color for one in after.attributes}
    out["edits"] = [edit["tint"] for edit in after.provenance["edits"] if "tint" in edit]
    seen = apply_attributes(after).gaussians
    hair = seen.colors[seen.part == PARTS.index("hair")]
    out["hair"] = np.median(hair, 0).tolist()
    bpy.ops.likeness.remove_item(attribute="hair")
    bpy.ops.likeness.remove_item(attribute="lips")
    out["same"] = bool((read_avatar(objects).gaussians.colors == before.gaussians.colors).all())
    return out


def listed() -> dict[str, Any]:
    """What the dialog of Add Item lists for kinds of the wardrobe."""
    from likeness.addon.wardrobe_items import ITEMS, KIND_ITEMS
    from likeness.operators.attributes import AddItem

    likeness.register()
    rows = {item[0]: row for row, item in enumerate(ITEMS)}
    list_items = AddItem.__annotations__["item"].keywords["items"]
    choose_item = AddItem.__annotations__["kind"].keywords["update"]
    out: dict[str, Any] = {"counts": {}, "numbers": True}
    for kind in (item[0] for item in KIND_ITEMS):
        found = list_items(SimpleNamespace(kind=kind), bpy.context)
        out["counts"][kind] = len(found)
        out["numbers"] &= all(rows[one[0]] == one[4] for one in found)
    out["all"] = len(list_items(None, bpy.context))
    dialogs = [SimpleNamespace(kind="hat", item=item) for item in ("", "hat=fedora")]
    for dialog in dialogs:
        choose_item(dialog, bpy.context)
    out["chosen"] = [dialog.item for dialog in dialogs]
    return out


def browsed(folder: str, avatar: str) -> dict[str, Any]:
    """The wardrobe as an asset library; one of its empties beside the second of two avatars."""
    from likeness.addon.scene.wardrobe_assets import FILE, find_item, write_wardrobe

    likeness.register()
    people.empty_scene()
    person = load_editable_avatar(Path(avatar))
    other = build_scene(people.random_avatar(3, 300), "Other")
    objects = build_scene(person, "Person")
    objects.armature.location.x += 3.0
    bpy.context.view_layer.update()
    before = [len(bpy.data.objects), len(bpy.data.images)]
    root = Path(folder) / "wardrobe"
    write_wardrobe(root)
    write_wardrobe(root)
    out: dict[str, Any] = {"unchanged": before == [len(bpy.data.objects), len(bpy.data.images)]}
    out["catalogs"] = (
        (root / "blender_assets.cats.txt").read_text(encoding="utf-8").count("Wardrobe/")
    )
    with bpy.data.libraries.load(str(root / FILE), assets_only=True) as (there, here):
        here.objects = there.objects
    assets = list(here.objects)
    out["items"] = [find_item(one) for one in assets]
    out["named"] = all(one.asset_data.description and one.asset_data.author for one in assets)
    out["drawn"] = min(
        float(np.asarray(one.preview.image_pixels_float).std()) if one.preview else 0.0
        for one in assets
    )
    dropped = next(one for one in assets if find_item(one) == "glasses=round")
    bpy.context.scene.collection.objects.link(dropped)
    dropped.location = objects.armature.location
    bpy.context.view_layer.objects.active = objects.armature
    out["poll"] = [bpy.ops.likeness.put_on.poll()]
    bpy.context.view_layer.objects.active = dropped
    bpy.context.view_layer.update()
    out["poll"].append(bpy.ops.likeness.put_on.poll())
    bpy.ops.likeness.put_on()
    out["sliders"] = [get_sliders(one.splats) for one in (other, objects)]
    out["gone"] = not any(find_item(one) for one in bpy.context.scene.objects)
    return out
