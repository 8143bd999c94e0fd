"""Press the buttons of asset libraries, and drag an avatar from the asset browser.

Run by inside.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from pressing import call, confirm, panel, press, problem
from scenarios import Steps, avatars, fresh, ours


def library_buttons(ui: Any, folder: str, library: str) -> Steps:
    """A batch's folder and an avatar of the scene become a library, whose avatar is dragged in."""
    yield from fresh(ui)
    ours("addon.preferences").get_preferences(bpy.context).show_splats = True
    session = ours("addon.properties").get_session(bpy.context)
    session.gallery_folder = folder
    out: dict[str, Any] = {"problems": []}
    yield from confirm(
        ui, "likeness.write_library", "write_library", directory=folder, library=library
    )
    out["problems"].append(problem())
    if out["problems"] != [None]:
        out["problems"] += ours("addon.running").worker_log()
        return out
    out["written"] = sorted(path.name for path in Path(library).iterdir())
    chosen = Path(folder) / "Ann" / "avatar.safetensors"
    yield from press(ui, "likeness.import_avatar", filepath=str(chosen))
    avatars()[0].armature.name = "Carol"
    yield from confirm(ui, "likeness.save_assets", "save_assets", library=library, author="Me")
    out["saved"] = sorted(path.name for path in Path(library).iterdir())
    yield from panel(ui, "LIKENESS_PT_avatars", "panel_avatars_library")
    yield from fresh(ui)
    out["icon"] = yield from _choose_file(ui, chosen)
    out["dragged"] = yield from _drag(ui, "APPEND", "dragged_appended")
    yield from fresh(ui)
    out["linked"] = yield from _drag(ui, "LINK", "dragged_linked")
    (empty,) = (o for o in bpy.context.scene.objects if o.instance_collection)
    bpy.context.view_layer.objects.active = empty
    yield from panel(ui, "LIKENESS_PT_avatars", "panel_instance")
    yield from press(ui, "likeness.make_posable")
    found = avatars()
    out["posable"] = [a.armature.override_library is not None for a in found]
    yield from ui.shot("made_posable")
    bpy.ops.wm.save_userpref()
    return out


def _choose_file(ui: Any, path: Path) -> Steps:
    """Choose an avatar file in Open Avatar's file browser; whether its picture is shown."""
    bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
    call(ui, "likeness.import_avatar")
    yield lambda: bool(ui.areas("FILE_BROWSER"))
    yield 0.5
    area = ui.areas("FILE_BROWSER")[0]
    area.spaces.active.params.directory = bytes(path.parent)
    yield 1.0
    area.spaces.active.params.filename = path.name
    yield from ui.shot("open_avatar")
    icon = ours("addon.gallery").get_icon(path)
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=ui.window, area=area, region=region):
        bpy.ops.file.cancel()
    yield 0.5
    return icon > 0


def _drag(ui: Any, method: str, shot: str) -> Steps:
    """Drag the first avatar of the library from the asset browser into the 3D view."""
    before = len(bpy.context.scene.objects)
    beside = ui.areas("PROPERTIES")[0]
    beside.ui_type = "ASSETS"
    yield 0.5
    beside.spaces.active.show_region_toolbar = False
    params = beside.spaces.active.params
    params.asset_library_reference = "Likeness Avatars"
    params.import_method = method
    params.display_size = 96
    region = next(r for r in beside.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=ui.window, area=beside, region=region):
        bpy.ops.asset.library_refresh()
    yield 3.0
    view = ui.areas("VIEW_3D")[0]
    at = region.x + 40, region.y + region.height - 40
    to = view.x + view.width // 3, view.y + view.height // 2
    ui.press("LEFTMOUSE", at)
    yield 0.3
    ui.window.event_simulate(type="LEFTMOUSE", value="PRESS", x=at[0], y=at[1])
    for step in range(1, 11):
        part = step / 10
        x = round(at[0] + part * (to[0] - at[0]))
        y = round(at[1] + part * (to[1] - at[1]))
        ui.point(x, y)
        yield 0.1
    yield from ui.shot(f"{shot}_dragging")
    ui.window.event_simulate(type="LEFTMOUSE", value="RELEASE", x=to[0], y=to[1])
    yield 2.0
    yield from ui.shot(shot)
    beside.ui_type = "PROPERTIES"
    yield 0.3
    return len(bpy.context.scene.objects) - before
