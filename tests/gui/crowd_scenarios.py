"""Press the buttons of the gallery and of crowds. Run by inside.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from pressing import confirm, panel, press, problem
from scenarios import Steps, avatars, fresh, ours


def look_at_crowd(ui: Any, away: float) -> None:
    """Look at the 3D cursor's people from the front and above."""
    view = ui.areas("VIEW_3D")[0].spaces.active.region_3d
    view.view_perspective = "PERSP"
    view.view_rotation = (0.83, 0.56, 0.0, 0.0)
    view.view_location, view.view_distance = (0.0, 0.0, 0.8), away


def crowd_buttons(ui: Any, folder: str, motions: str) -> Steps:
    """Choose a folder's avatar in the gallery, import it, add a crowd and update its detail."""
    yield from fresh(ui)
    preferences = ours("addon.preferences").get_preferences(bpy.context)
    preferences.show_splats = True
    ui.areas("VIEW_3D")[0].spaces.active.shading.type = "MATERIAL"
    session = ours("addon.properties").get_session(bpy.context)
    yield from panel(ui, "LIKENESS_PT_gallery", "panel_gallery_empty")
    session.gallery_folder = folder
    yield 0.5
    yield from panel(ui, "LIKENESS_PT_gallery", "panel_gallery")
    out: dict[str, Any] = {"chosen": Path(session.gallery_avatar).name}
    yield from press(ui, "likeness.import_avatar", filepath=session.gallery_avatar)
    yield lambda: bool(avatars())
    out["imported"] = [avatar.armature.name for avatar in avatars()]
    yield from press(ui, "likeness.delete_avatar")
    chosen = {"motions": motions, "count": 6, "splats": 2000}
    yield from confirm(ui, "likeness.add_crowd", "add_crowd", **chosen)
    out["problem"] = problem()
    crowd = ours("addon.scene.crowd")
    members = crowd.list_members(bpy.context.scene)
    out["members"] = len(members)
    look_at_crowd(ui, 7.0)
    yield 1.0
    yield from ui.shot("crowd")
    bpy.context.scene.frame_set(20)
    yield from ui.shot("crowd_later")
    yield from panel(ui, "LIKENESS_PT_gallery", "panel_crowd")
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    bpy.context.scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler = (0.0, -60.0, 1.0), (1.5708, 0.0, 0.0)
    bpy.context.scene.camera = camera
    yield from press(ui, "likeness.crowd_detail")
    out["far"] = sorted(crowd.set_levels(bpy.context.scene))
    yield from ui.shot("crowd_far")
    yield from ui.undo()
    yield from ui.undo()
    out["undone"] = len(crowd.list_members(bpy.context.scene))
    return out
