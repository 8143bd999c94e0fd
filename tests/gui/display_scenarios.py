"""Press every button of the panels Splats, Render and Export, on an avatar. Run by inside.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from pressing import browse, call, confirm, frame_view, look, panel, press, problem
from scenarios import Steps, avatars, fresh, open_avatar, ours


def display_buttons(ui: Any, avatar: str, photo: str, changed: str, hair: str) -> Steps:
    """Press the buttons of detail, fast splats, photo camera, shadow proxy and scene settings."""
    yield from fresh(ui)
    ours("addon.preferences").get_preferences(bpy.context).show_splats = True
    yield from press(ui, "likeness.import_avatar", filepath=avatar, photo=photo)
    yield lambda: len(avatars()) > 0
    found = avatars()[0]
    frame_view(ui, found.armature)
    yield from panel(ui, "LIKENESS_PT_display", "panel_splats")
    yield from panel(ui, "LIKENESS_PT_render", "panel_render")
    out: dict[str, Any] = {}
    count = ours("addon.scene.read_back").splat_count
    yield from press(ui, "likeness.set_detail", target="Viewport Detail", count=10_000)
    out["detail"] = count(found, "Viewport Detail")
    yield from ui.shot("detail_10k")
    yield from press(ui, "likeness.set_detail", target="Viewport Detail", count=0)
    yield from press(ui, "likeness.fast_splats")
    yield 2.0
    yield from ui.shot("nodes")
    yield from press(ui, "likeness.fast_splats")
    out["native"] = ours("operators.display").NativeSplats.poll(bpy.context)
    if out["native"]:
        yield from press(ui, "likeness.native_splats")
        yield from ui.shot("native")
        yield from press(ui, "likeness.native_splats")
    yield from panel(ui, "LIKENESS_PT_attributes", "panel_attributes")
    yield from press(ui, "likeness.select_part", part="hair")
    yield from ui.shot("hair_selected")
    found.splats.update_from_editmode()
    chosen = [polygon.select for polygon in found.splats.data.polygons]
    out["hair"] = [bpy.context.mode, 0 < sum(chosen) < len(chosen)]
    bpy.ops.object.mode_set(mode="OBJECT")
    look(ui, found.armature, "head", 1.2)
    overlay = ui.areas("VIEW_3D")[0].spaces.active.overlay
    overlay.show_bones = False  # rings hide the eyes
    yield from _list_items(ui, "glasses")
    yield from confirm(ui, "likeness.add_item", "add_item", item="glasses=round")
    yield from ui.shot("glasses_added")
    sliders = ours("addon.scene.splat_object").get_sliders
    out["added"] = [problem(), sliders(avatars()[0].splats)]
    yield from press(ui, "likeness.remove_item", attribute="glasses")
    out["removed"] = [problem(), sliders(avatars()[0].splats)]
    yield from browse(ui, "likeness.add_from_library", Path(hair), "library_hair", kind="hair")
    out["library"] = [problem(), sliders(avatars()[0].splats)]
    yield from press(ui, "likeness.remove_item", attribute="hair")
    yield from browse(
        ui, "likeness.edit_from_photo", Path(changed), "changed_photo", portrait=photo, part="upper"
    )
    yield from ui.shot("photo_edited")
    out["edited"] = [problem(), sliders(avatars()[0].splats)]
    yield from press(ui, "likeness.remove_item", attribute="upper")
    yield from confirm(ui, "likeness.tint_part", "tint_part", part="hair")
    yield from ui.shot("hair_tinted")
    out["tinted"] = [problem(), sliders(avatars()[0].splats)]
    yield from press(ui, "likeness.remove_item", attribute="hair")
    yield from press(ui, "likeness.add_wardrobe")
    out["libraries"] = [one.name for one in bpy.context.preferences.filepaths.asset_libraries]
    dropped = bpy.data.objects.new("Round Glasses", None)  # as the asset browser leaves it
    dropped[ours("addon.keys").WARDROBE_ITEM] = "glasses=round"
    bpy.context.scene.collection.objects.link(dropped)
    bpy.context.view_layer.objects.active = dropped
    yield from press(ui, "likeness.put_on")
    out["put_on"] = [problem(), sliders(avatars()[0].splats)]
    bpy.context.view_layer.objects.active = avatars()[0].armature
    yield from press(ui, "likeness.remove_item", attribute="glasses")
    found = avatars()[0]
    frame_view(ui, found.armature)
    overlay.show_bones = True
    yield from press(ui, "likeness.show_body")
    yield from ui.shot("body")
    out["body"] = [bpy.context.object == found.body, found.body.visible_get()]
    yield from press(ui, "likeness.show_body")
    out["body"] += [bpy.context.object == found.armature, found.body.visible_get()]
    yield from press(ui, "likeness.look_through_photo")
    yield from ui.shot("photo_camera")
    yield from press(ui, "likeness.photo_background")
    yield from ui.shot("photo_hidden")
    yield from press(ui, "likeness.look_through_photo")
    yield from press(ui, "likeness.add_shadow_proxy")
    yield from ui.shot("shadow_proxy")
    out["proxy"] = ours("addon.scene.shadow_proxy").find_proxy(found) is not None
    yield from press(ui, "likeness.remove_shadow_proxy")
    transform = bpy.context.scene.view_settings.view_transform
    yield from confirm(ui, "likeness.render_setup", "render_setup")
    out["transform"] = [transform, bpy.context.scene.view_settings.view_transform]
    yield from ui.shot("render_set_up")
    yield from press(ui, "likeness.render_restore")
    out["transform"].append(bpy.context.scene.view_settings.view_transform)
    return out


def _list_items(ui: Any, kind: str) -> Steps:
    """Open the pictures of Add Item with a click, and take a screenshot of them."""
    ui.point(*ui.over_view())
    yield 0.1
    call(ui, "likeness.add_item", kind=kind)
    yield 0.7
    x, y = ui.over_view()
    x, y = x - 115, y - 60  # on the picture: a dialog opens beside the mouse
    for value in ("NOTHING", "PRESS", "RELEASE"):
        moved = value == "NOTHING"
        ui.window.event_simulate(type="MOUSEMOVE" if moved else "LEFTMOUSE", value=value, x=x, y=y)
        yield 0.4
    yield from ui.shot(f"items_{kind}")
    for _ in range(2):
        ui.press("ESC")
        yield 0.5


def draw_pictures(ui: Any, avatar: str, motion: str, folder: str) -> Steps:
    """Press Render Image and Render Animation, which use the engine's rasterizer."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    yield from confirm(ui, "likeness.import_motion", filepath=motion)
    scene = bpy.context.scene
    scene.camera = found.camera
    scene.render.resolution_x, scene.render.resolution_y = 200, 256
    scene.render.resolution_percentage = 100
    scene.render.filepath = str(Path(folder) / "still_")
    yield from confirm(ui, "likeness.draw", "draw", animation=False)
    problems = [problem()]
    scene.frame_end = scene.frame_start + 2
    scene.render.filepath = str(Path(folder) / "frame_####.png")
    yield from confirm(ui, "likeness.draw", "draw_animation", animation=True)
    problems.append(problem())
    scene.render.filepath = str(Path(folder) / "clip.mp4")
    yield from confirm(ui, "likeness.draw", animation=True, kind="MP4")
    problems.append(problem())
    return {"problems": problems, "files": sorted(p.name for p in Path(folder).iterdir())}


EXPORTS = (
    ("likeness.export_avatar", "a.safetensors", "", {}),
    ("likeness.export_splats", "splats.ply", "", {}),
    ("likeness.export_splats", "splats.spz", "", {"kind": ".spz"}),
    ("likeness.export_scene", "blender.glb", "Blender", {}),
    ("likeness.export_scene", "scene.usda", "", {"kind": ".usda", "content": "both"}),
    ("likeness.export_scene", "phone.usdz", "AR_Quick_Look", {}),
    ("likeness.export_rig", "blender.fbx", "Blender", {}),
    ("likeness.export_rig", "unity.fbx", "Unity", {}),
    ("likeness.export_rig", "unreal.fbx", "Unreal", {}),
    ("likeness.export_vrm", "stage.vrm", "", {"author": "Ann"}),
)


def export_buttons(ui: Any, avatar: str, motion: str, folder: str) -> Steps:
    """Export each format with its presets from the file browser, and import the splats again."""
    yield from fresh(ui)
    yield from open_avatar(ui, avatar, fast=True)
    yield from confirm(ui, "likeness.import_motion", filepath=motion)
    bpy.context.scene.frame_end = bpy.context.scene.frame_start + 3
    yield from panel(ui, "LIKENESS_PT_export", "panel_export")
    out: dict[str, Any] = {"problems": [], "chosen": {}}
    for name, file, preset, chosen in EXPORTS:
        shot = "export_" + file.replace(".", "_")
        path = Path(folder) / file
        seen = yield from browse(ui, name, path, shot, preset, **chosen)
        out["chosen"][file] = seen
        out["problems"].append(problem())
    out["files"] = {p.name: p.stat().st_size for p in Path(folder).iterdir()}
    for o in bpy.context.scene.objects[:]:
        bpy.data.objects.remove(o)
    yield from press(ui, "likeness.import_splats", filepath=str(Path(folder) / "splats.ply"))
    yield 1.0
    yield from ui.shot("import_splats")
    out["problems"].append(problem())
    yield from press(ui, "likeness.import_avatar", filepath=str(Path(folder) / "a.safetensors"))
    yield lambda: len(avatars()) > 0
    yield from ui.shot("import_exported")
    return out
