"""How scenarios use buttons, dialogs and file browsers. Run by ``inside.py``.

:func:`press` calls an operator as its button does, with the mouse over the 3D view; dialogs and
confirmations are answered with Enter.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import bpy
from scenarios import MODULE, Steps, ours, running


def press(ui: Any, operator: str, /, **chosen: Any) -> Steps:
    """Press the button of an operator without a dialog, and wait for its job."""
    ui.point(*ui.over_view())
    yield 0.1
    call(ui, operator, **chosen)
    yield 0.3
    yield idle
    yield lambda: not in_slices(operator)
    yield 0.3


def confirm(ui: Any, operator: str, shot: str = "", /, **chosen: Any) -> Steps:
    """Press a button that opens a dialog, take a screenshot, press Enter, wait for the job."""
    ui.point(*ui.over_view())
    yield 0.1
    call(ui, operator, **chosen)
    yield 0.5
    if shot:
        yield from ui.shot(shot)
    ui.press("RET")
    yield 0.7
    yield idle
    yield lambda: not in_slices(operator)
    yield 0.3


def browse(
    ui: Any, name: str, path: Path, shot: str = "", preset: str = "", **chosen: Any
) -> Steps:
    """Press a button that opens a file browser, choose a preset and options there, and confirm.

    Returns:
        Name -> value of the options, as the file browser showed them.
    """
    view = bpy.context.preferences.view
    view.filebrowser_display_type = "SCREEN"  # a window of its own needs a window manager
    call(ui, name)
    yield lambda: bool(ui.areas("FILE_BROWSER"))
    yield 0.5
    area = ui.areas("FILE_BROWSER")[0]
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=ui.window, area=area, region=region):
        if preset:
            file = preset_file(name, preset)
            bpy.ops.script.execute_preset(filepath=file, menu_idname="WM_MT_operator_presets")
        operator = area.spaces.active.active_operator
        for key, value in chosen.items():
            setattr(operator, key, value)
        area.spaces.active.params.directory = bytes(path.parent)
        area.spaces.active.params.filename = path.name
        names = [p.identifier for p in operator.properties.bl_rna.properties if not p.is_hidden]
        seen = {n: getattr(operator, n) for n in names if n != "rna_type"}
    if shot:
        yield from ui.shot(shot)
    with bpy.context.temp_override(window=ui.window, area=area, region=region):
        bpy.ops.file.execute()
    yield 0.7
    yield idle
    yield 0.3
    return {key: value for key, value in seen.items() if isinstance(value, str | bool | int)}


def preset_file(name: str, preset: str) -> str:
    """The file of one of the extension's presets."""
    folder = Path(str(importlib.import_module(MODULE).__file__))
    return str(folder.parent / "presets" / "operator" / name / f"{preset}.py")


def call(ui: Any, operator: str, /, **chosen: Any) -> Any:
    """Call an operator as its button does."""
    module, function = operator.split(".")
    with ui.override():
        return getattr(getattr(bpy.ops, module), function)("INVOKE_DEFAULT", True, **chosen)


def in_slices(operator: str) -> bool:
    """Whether an operator is still at work, in slices."""
    module, name = operator.split(".")
    modal = bpy.context.window_manager.windows[0].modal_operators
    return f"{module.upper()}_OT_{name}" in {one.bl_idname for one in modal}


def idle() -> bool:
    """No job of ours is running."""
    return running() is None


def panel(ui: Any, name: str, shot: str) -> Steps:
    """Take a screenshot of a panel alone, whether or not the sidebar shows it."""
    x, y = ui.over_view()
    ui.point(x, y + 200)
    yield 0.1
    with ui.override():
        bpy.ops.wm.call_panel("INVOKE_DEFAULT", name=name)
    yield 0.5
    yield from ui.shot(shot)
    ui.press("ESC")
    yield 0.3


def problem() -> str | None:
    """Message and remedy of the last job, if it failed."""
    found = ours("addon.running").last_problem()
    return f"{found.message} {found.remedy}" if found is not None else None


def reports(ui: Any) -> Steps:
    """Take the lines of Blender's Info editor, and clear it."""
    area = next(a for a in ui.window.screen.areas if a.type != "VIEW_3D")
    before = area.type
    area.type = "INFO"
    yield 0.2
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=ui.window, area=area, region=region):
        bpy.ops.info.select_all(action="SELECT")
        bpy.ops.info.report_copy()
        text = bpy.context.window_manager.clipboard
        bpy.ops.info.report_delete()
    area.type = before
    yield 0.2
    return [line for line in text.splitlines() if line.strip()]


def select_bones(armature: Any, *names: str) -> None:
    """Select bones in Pose Mode, the last one active."""
    for bone in armature.pose.bones:
        chosen = bone if hasattr(bone, "select") else bone.bone  # Blender 4.5
        chosen.select = bone.name in names
    armature.data.bones.active = armature.data.bones[names[-1]]


def pose_mode(ui: Any, on: bool = True) -> None:
    """Enter or leave Pose Mode."""
    with ui.override():
        bpy.ops.object.mode_set("EXEC_DEFAULT", True, mode="POSE" if on else "OBJECT")


def look(ui: Any, armature: Any, bone: str, away: float, axis: str = "FRONT") -> None:
    """Look at a bone along an axis, from ``away`` metres."""
    with ui.override():
        bpy.ops.view3d.view_axis("EXEC_DEFAULT", type=axis)
    view = ui.areas("VIEW_3D")[0].spaces.active.region_3d
    view.view_perspective = "PERSP"
    view.view_location = armature.matrix_world @ armature.pose.bones[bone].head
    view.view_distance = away


def frame_view(ui: Any, armature: Any) -> None:
    """Look at the whole avatar from the front."""
    look(ui, armature, "pelvis", 4.0)
