"""What a user does in the window, step by step. Run by ``inside.py``.

Nothing of this tree is imported here: only what Blender itself has unpacked.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

MODULE = "bl_ext.user_default.likeness"

Steps = Generator[Any, None, Any]


def ours(name: str) -> Any:
    """A module of the installed extension."""
    return importlib.import_module(f"{MODULE}.{name}")


def policy_warnings() -> dict[str, list[str]]:
    """Blender's complaints about extensions that break its rules."""
    addon_utils = importlib.import_module("addon_utils")
    addon_utils._extensions_warnings_get._is_first = True
    return {str(k): list(v) for k, v in addon_utils._extensions_warnings_get().items()}


def fresh(ui: Any, keep: tuple[str, ...] = ()) -> Steps:
    """Blender's start-up scene, with the sidebar open at our tab."""
    with bpy.context.temp_override(window=ui.window):
        bpy.ops.wm.read_homefile(app_template="")
    yield 0.5
    for name in ("Cube", "Light", "Camera"):
        if name not in keep:
            bpy.data.objects.remove(bpy.data.objects[name])
    yield from ui.sidebar()
    with bpy.context.temp_override(window=ui.window):
        bpy.ops.ed.undo_push(message="Start")


def avatars() -> list[Any]:
    """The avatars in the scene."""
    found: list[Any] = ours("addon.scene.avatar_objects").find_avatars(bpy.context.scene)
    return found


def scene_names() -> list[str]:
    """Everything that an import could leave behind, by name."""
    kinds = (
        "objects",
        "meshes",
        "armatures",
        "cameras",
        "images",
        "materials",
        "node_groups",
        "collections",
        "actions",
    )
    return sorted(f"{kind}/{item.name}" for kind in kinds for item in getattr(bpy.data, kind))


def splat_places(avatar: Any) -> Any:
    """Where every splat's corners are shown now, [N, 3] in Blender's axes."""
    graph = bpy.context.evaluated_depsgraph_get()
    vertices = avatar.splats.evaluated_get(graph).data.vertices
    places = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", places)
    return places.reshape(-1, 3)


def largest_move(before: Any, after: Any) -> float:
    """Metres that the point which moved most has moved."""
    assert before.shape == after.shape
    return float(np.linalg.norm(after - before, axis=1).max())


def running() -> Any:
    """The job under way, or None."""
    return ours("addon.running").current_job()


def open_avatar(ui: Any, avatar: str, fast: bool = False) -> Steps:
    """An avatar file into the scene, as from the menu; drawn by Blender's nodes or as fast splats,
    which :func:`splat_places` does not see."""
    ours("addon.preferences").get_preferences(bpy.context).show_splats = fast
    with ui.override():
        bpy.ops.likeness.import_avatar("INVOKE_DEFAULT", filepath=avatar)
    yield lambda: running() is None
    yield lambda: len(avatars()) > 0
    yield 0.2
    return avatars()[0]


def drop(ui: Any, path: str) -> Steps:
    """A photo onto the 3D view: Blender's own operator of a drop, its menu of what can be done with
    a picture, then Enter in our dialog."""
    file = Path(path)
    ui.point(*ui.over_view())
    yield 0.1
    with ui.override():
        bpy.ops.wm.drop_import_file(
            "INVOKE_DEFAULT", directory=str(file.parent), files=[{"name": file.name}]
        )
    yield 0.5
    yield from ui.shot("drop_menu")
    ui.press("P")  # the letter that is underlined in "Portrait as Avatar"
    yield 0.5
    yield from ui.shot("drop_dialog")
    ui.press("RET")


def start_build(ui: Any, photo: str, **chosen: Any) -> Steps:
    """A build from a photo, past the dialog; goes on once the worker is at work."""
    with ui.override():
        bpy.ops.likeness.import_portrait(
            "INVOKE_DEFAULT", filepath=photo, run_now=True, check_fit="NEVER", **chosen
        )
    yield lambda: running() is not None and running().part == "work"
    yield 0.5


# -- scenarios -----------------------------------------------------------------


def install(ui: Any, zip_path: str) -> Steps:
    """Install the zip and enable it, then disable and enable it again."""
    addon_utils = importlib.import_module("addon_utils")
    with _timed_enabling() as seconds, bpy.context.temp_override(window=ui.window):
        result = bpy.ops.extensions.package_install_files(
            filepath=zip_path, repo="user_default", enable_on_install=True
        )
    yield 0.5
    heavy = [name for name in ("numba", "scipy", "onnxruntime", "PIL") if name in sys.modules]
    warnings = policy_warnings()
    types = [name for name in dir(bpy.types) if "likeness" in name.lower()]
    addon_utils.disable(MODULE, default_set=True)
    left = [name for name in dir(bpy.types) if "likeness" in name.lower()]
    addon_utils.enable(MODULE, default_set=True)
    yield from fresh(ui, keep=("Cube", "Light", "Camera"))
    yield from ui.shot("enabled")
    return {
        "result": next(iter(result)),
        "enable_seconds": sum(seconds),
        "heavy": heavy,
        "warnings": warnings,
        "types": len(types),
        "left": left,
    }


@contextmanager
def _timed_enabling() -> Iterator[list[float]]:
    """The seconds of our import and of our ``register``, without Blender's unpacking of wheels."""
    seconds: list[float] = []
    import_module = importlib.import_module

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args)
            finally:
                seconds.append(time.perf_counter() - start)

        return call

    def watched(name: str, *more: Any) -> Any:
        if name != MODULE:
            return import_module(name, *more)
        module = timed(import_module)(name, *more)
        module.register = timed(module.register)
        return module

    importlib.import_module = watched
    try:
        yield seconds
    finally:
        importlib.import_module = import_module


def drop_photo(ui: Any, photo: str) -> Steps:
    """Drop a photo, press Enter, watch, and have an avatar."""
    yield from fresh(ui)
    before = scene_names()
    yield from drop(ui, photo)
    yield lambda: running() is not None
    status = ours("operators.job_operator").status_text
    said: list[str] = []
    shots = 0
    while running() is not None:
        under_way = running()
        if not said or said[-1] != under_way.doing:
            said.append(under_way.doing)
        if shots == 0 and under_way.fraction > 0.3:
            shots = 1
            yield from ui.shot("progress")
        line = status(under_way)
        yield 0.05
    yield 1.0
    yield from ui.shot("imported")
    problem = ours("addon.running").last_problem()
    return {
        "texts": said,
        "status": line,
        "avatars": [a.armature.name for a in avatars()],
        "active": bpy.context.object.name if bpy.context.object else None,
        "before": len(before),
        "warnings": policy_warnings(),
        "problem": problem.message if problem else None,
    }


def undo(ui: Any, avatar: str) -> Steps:
    """One undo step takes the import back, redo brings it again."""
    yield from fresh(ui)
    before = [o.name for o in bpy.data.objects]
    yield from open_avatar(ui, avatar)
    imported = sorted(o.type for o in bpy.data.objects)
    yield from ui.undo()
    undone = [o.name for o in bpy.data.objects]
    yield from ui.undo(again=True)
    redone = sorted(o.type for o in bpy.data.objects)
    first = splat_places(avatars()[0])
    avatars()[0].armature.pose.bones["left_elbow"].rotation_quaternion = (0.8, 0.6, 0, 0)
    yield 0.3
    moved = largest_move(first, splat_places(avatars()[0]))
    return {
        "before": before,
        "imported": imported,
        "undone": undone,
        "redone": redone,
        "moved": moved,
    }


def pose(ui: Any, avatar: str) -> Steps:
    """Turn an elbow with the keyboard in pose mode, move an expression, press Ctrl+Z."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar)
    name, armature = found.armature.name, found.armature
    with ui.override():
        bpy.ops.object.mode_set("EXEC_DEFAULT", True, mode="POSE")
    bones = armature.data.bones
    for bone in armature.pose.bones:
        bone.select = bone.name == "left_elbow"
    bones.active = bones["left_elbow"]
    yield 0.3
    first = splat_places(found)
    x, y = ui.over_view()
    ui.press("R", (x, y))
    yield 0.1
    for key in ("X", "X", "NINE", "ZERO", "RET"):
        ui.window.event_simulate(
            type=key, value="PRESS", x=x, y=y, unicode={"NINE": "9", "ZERO": "0"}.get(key, "")
        )
        ui.window.event_simulate(type=key, value="RELEASE", x=x, y=y)
        yield 0.1
    yield 0.3
    turned = largest_move(first, splat_places(avatars()[0]))
    yield from ui.shot("pose_mode")
    yield from ui.undo()
    undone = largest_move(first, splat_places(avatars()[0]))
    found = ours("addon.scene.avatar_objects").find_avatar(bpy.data.objects[name])
    found.armature.pose.bones["face"]["jawOpen"] = 1.0
    found.armature.update_tag()
    yield 0.3
    shown = largest_move(first, splat_places(found))
    yield from ui.shot("expression")
    return {"turned": turned, "undone": undone, "expression": shown, "mode": bpy.context.mode}


def save_reload(ui: Any, avatar: str, folder: str) -> Steps:
    """Save, open again: the avatar is found and still moves."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar)
    found.armature.pose.bones["left_elbow"].rotation_quaternion = (0.8, 0.6, 0, 0)
    yield 0.2
    first = splat_places(found)
    path = str(Path(folder) / "saved.blend")
    with ui.override():
        bpy.ops.wm.save_as_mainfile(filepath=path)
    with bpy.context.temp_override(window=ui.window):
        bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    found = avatars()[0]
    same = largest_move(first, splat_places(found))
    found.armature.pose.bones["left_elbow"].rotation_quaternion = (1, 0, 0, 0)
    yield 0.3
    moved = largest_move(first, splat_places(found))
    space = ui.areas("VIEW_3D")[0].spaces.active
    space.shading.type = "SOLID"
    fast = ours("addon.viewport.fast_splats")
    fast.set_fast(found.splats, True)
    yield 0.5
    with ui.override():
        bpy.ops.wm.save_as_mainfile(filepath=path)
    yield 0.5
    states = [[fast.is_fast(found.splats), space.shading.type]]
    with bpy.context.temp_override(window=ui.window):
        bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    space = ui.areas("VIEW_3D")[0].spaces.active
    states.append([fast.is_fast(avatars()[0].splats), space.shading.type])
    yield from ui.shot("opened_fast")
    return {"same": same, "moved": moved, "fast": states}


def duplicate_delete(ui: Any, avatar: str) -> Steps:
    """Duplicate an avatar, pose only the copy, delete the copy, undo that."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar)
    first = found.armature.name
    with ui.override():
        bpy.ops.likeness.duplicate_avatar("INVOKE_DEFAULT", True)
    yield 0.5
    names = [a.armature.name for a in avatars()]
    copy = next(a for a in avatars() if a.armature.name != first)
    was = splat_places(next(a for a in avatars() if a.armature.name == first))
    copy.armature.pose.bones["left_elbow"].rotation_quaternion = (0.8, 0.6, 0, 0)
    yield 0.5
    yield from ui.shot("two_avatars")
    original = next(a for a in avatars() if a.armature.name == first)
    untouched = largest_move(was, splat_places(original))
    with ui.override():
        bpy.ops.likeness.delete_avatar("INVOKE_DEFAULT", True)
    yield 0.3
    left = [a.armature.name for a in avatars()]
    yield from ui.undo()
    return {"names": names, "untouched": untouched, "left": left, "back": len(avatars())}


def keys_on_avatars(ui: Any, avatar: str) -> Steps:
    """Shift+D and X with only the splats selected: the whole avatar, in one undo step; with a
    cube selected, the keys stay Blender's own."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar)
    before = sorted(o.name for o in bpy.context.scene.objects)
    select_object(found.splats)
    yield 0.2
    ui.press("D", shift=True)
    yield 0.5
    ui.press("RET")
    yield 0.5
    two = len(avatars())
    yield from ui.undo()
    undone = sorted(o.name for o in bpy.context.scene.objects) == before
    select_object(avatars()[0].splats)
    yield 0.2
    ui.press("X")
    yield 0.5
    yield from ui.shot("delete_menu")
    ui.press("RET")
    yield lambda: not avatars()
    left = sorted(o.name for o in bpy.context.scene.objects)
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.scene.collection.objects.link(cube)
    select_object(cube)
    yield 1.0
    ui.press("X")
    yield 1.0
    yield from ui.shot("delete_cube")
    ui.press("RET")
    yield lambda: "Cube" not in bpy.context.scene.objects
    return {
        "two": two,
        "undone": undone,
        "gone": sorted(set(before) - set(left)),
        "cube": "Cube" in bpy.context.scene.objects,
    }


def select_object(obj: Any) -> None:
    """Select an object alone, and make it active."""
    bpy.context.view_layer.update()  # knows new objects then
    for other in bpy.context.view_layer.objects:
        other.select_set(other == obj)
    bpy.context.view_layer.objects.active = obj


def animate_from_video(ui: Any, avatar: str, video: str) -> Steps:
    """A video onto an avatar, with what the installed extension brings along."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar)
    with ui.override():
        bpy.ops.likeness.animate_from_video("INVOKE_DEFAULT", filepath=video, run_now=True)
    yield lambda: running() is None
    yield 0.5
    problem = ours("addon.running").last_problem()
    found = avatars()[0]
    animation = found.armature.animation_data
    return {
        "problem": f"{problem.message} {problem.remedy}" if problem else None,
        "action": bool(animation and animation.action),
        "frames": [bpy.context.scene.frame_start, bpy.context.scene.frame_end],
    }
