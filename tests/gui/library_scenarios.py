"""Press the buttons of asset libraries, and bring an avatar from one into the scene.

Run by inside.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from pressing import call, confirm, panel, press, problem
from scenarios import Steps, avatars, fresh, ours


def library_buttons(ui: Any, folder: str, library: str) -> Steps:
    """A batch's folder and an avatar of the scene become a library; an avatar comes from it."""
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
    yield from _browse_assets(ui)
    ui.areas("VIEW_3D")[0].spaces.active.shading.type = "MATERIAL"
    file = Path(library) / "Ann.blend"
    out["appended"] = yield from _bring(ui, file, False, "asset_appended")
    yield from fresh(ui)
    out["linked"] = yield from _bring(ui, file, True, "asset_linked")
    (empty,) = (o for o in bpy.context.scene.objects if o.instance_collection)
    bpy.context.view_layer.objects.active = empty
    yield from panel(ui, "LIKENESS_PT_avatars", "panel_instance")
    yield from press(ui, "likeness.make_posable")
    found = avatars()
    is_fast = ours("addon.viewport.fast_splats").is_fast
    out["fast"] = [is_fast(a.splats) for a in found]
    out["posable"] = [a.armature.override_library is not None for a in found]
    yield from ui.shot("made_posable")
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


def _browse_assets(ui: Any) -> Steps:
    """Show the library in an asset browser in place of the properties."""
    beside = ui.areas("PROPERTIES")[0]
    beside.ui_type = "ASSETS"
    yield 0.5
    beside.spaces.active.show_region_toolbar = False
    beside.spaces.active.params.asset_library_reference = "Likeness Avatars"
    region = next(r for r in beside.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=ui.window, area=beside, region=region):
        bpy.ops.asset.library_refresh()
    yield 3.0
    yield from ui.shot("asset_browser")
    beside.ui_type = "PROPERTIES"
    yield 0.3


def _bring(ui: Any, file: Path, link: bool, shot: str) -> Steps:
    """Link an avatar as an instance or append it, as a drag from the asset browser does.

    Simulated events cannot drag: Blender begins to select by a box as well.
    """
    with ui.override():
        call = bpy.ops.wm.link if link else bpy.ops.wm.append
        call(
            filepath=str(file / "Collection" / file.stem),
            directory=f"{file}/Collection/",
            filename=file.stem,
            instance_collections=link,
        )
    yield 1.0
    yield from ui.shot(shot)
    return len(bpy.context.scene.objects)
