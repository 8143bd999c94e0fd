"""Checks of the installed extension, run inside Blender by ``inside.py``.

Nothing of this tree is imported here: only what Blender itself has unpacked.
"""

from __future__ import annotations

import importlib
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import bpy
import shared
from shared import MODULE, Recorder, addon_utils, attempt, policy_warnings

INSTALLED = True  # read by inside.py


def draw_panels() -> dict[str, list[str]]:
    """What each panel shows now, without those that are hidden."""
    panels = importlib.import_module(f"{MODULE}.panels")
    shown: dict[str, list[str]] = {}
    for cls in panels.CLASSES:
        if not issubclass(cls, bpy.types.Panel) or (
            hasattr(cls, "poll") and not cls.poll(bpy.context)
        ):
            continue
        own = {
            name: value
            for base in reversed(cls.__mro__)
            if base.__module__.startswith(MODULE)
            for name, value in vars(base).items()
            if not name.startswith("__")
        }
        layout = Recorder(shown.setdefault(cls.bl_idname, []))
        cls.draw(type("Panel", (), {**own, "layout": layout})(), bpy.context)
    return shown


def types() -> list[str]:
    """Registered classes of ours."""
    return sorted(n for n in dir(bpy.types) if "likeness" in n.lower())


def menu_entries() -> int:
    """Entries that others than Blender have added to File > Import."""
    functions = bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()
    return sum(f.__module__.startswith(MODULE) for f in functions)


def install(zip_path: str, avatar: str, photo: str) -> dict[str, Any]:
    """Install, enable, import an avatar, fail on a bad photo, disable, enable again."""
    answer: dict[str, Any] = {}
    answer["installed"] = shared.install(zip_path)
    answer["enabled"] = MODULE in bpy.context.preferences.addons
    answer["engine_loaded"] = [m for m in ("numba", "scipy") if m in sys.modules]
    answer["warnings"] = policy_warnings()
    answer["types"] = types()
    answer["menu"] = menu_entries()
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    answer["empty"] = draw_panels()
    answer["imported"] = attempt(bpy.ops.likeness.import_avatar, filepath=avatar, photo=photo)
    answer["active"] = bpy.context.object.name
    answer["with_avatar"] = draw_panels()
    answer["set_up"] = attempt(bpy.ops.likeness.render_setup, engine="EEVEE", samples=4)
    scene = bpy.context.scene
    answer["scene"] = [scene.render.engine, scene.eevee.taa_render_samples, scene.camera.name]
    missing = str(Path(photo).with_name("nothing.jpg"))
    answer["bad_portrait"] = attempt(bpy.ops.likeness.import_portrait, filepath=missing)
    running = importlib.import_module(f"{MODULE}.addon.running")
    said = running.last_problem()
    answer["said"] = [running.current_job() is None, said.message, said.remedy]
    answer["after_error"] = draw_panels()
    answer["bad_avatar"] = attempt(bpy.ops.likeness.import_avatar, filepath=photo)
    answer["ends"] = []
    for preferred, chosen in (
        (False, {"bone_ends": True}),
        (True, {}),
        (True, {"bone_ends": False}),
    ):
        bpy.context.preferences.addons[MODULE].preferences.bone_ends = preferred
        attempt(bpy.ops.likeness.import_avatar, filepath=avatar, **chosen)
        answer["ends"].append("hip.L" in bpy.context.object.data.bones)
    api = importlib.import_module(MODULE)
    person = api.load(avatar)
    splats = api.splats(person, api.pose(person, "wave"))
    answer["api"] = [len(person.gaussians), list(splats.means.shape)]
    answer["warnings_after"] = policy_warnings()
    for _ in range(2):
        addon_utils.disable(MODULE, default_set=True)
        answer["types_after"], answer["menu_after"] = types(), menu_entries()
        addon_utils.enable(MODULE, default_set=True)
    answer["types_again"] = types()
    answer["background"] = bpy.app.background
    return answer


def build(zip_path: str, photo: str) -> dict[str, Any]:
    """The whole way inside an installed extension: portrait in, avatar in the scene."""
    shared.enable(zip_path)
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    result = attempt(
        bpy.ops.likeness.import_portrait, filepath=photo, max_gaussians=20_000, refine="off"
    )
    build_module = importlib.import_module(f"{MODULE}.addon.scene.avatar_objects")
    found = build_module.find_avatars(bpy.context.scene)
    return {
        "result": result,
        "avatars": [a.armature.name for a in found],
        "splats": [len(a.splats.data.polygons) for a in found],
        "warnings": policy_warnings(),
    }


def commands(zip_path: str, folder: str, names: list[str]) -> dict[str, Any]:
    """``blender --command likeness ...``: people are made and portraits looked at by processes of
    their own, and a file without anything to see is read in this one."""
    shared.enable(zip_path)
    run = importlib.import_module(f"{MODULE}.addon.blender_command")._run
    empty, data = Path(folder) / "empty.glb", Path(folder) / "data"
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    bpy.ops.export_scene.gltf(filepath=str(empty))
    said: dict[str, Any] = {}
    picture = bpy.data.images.new("nobody", 320, 240)
    picture.filepath_raw, picture.file_format = str(Path(folder) / "nobody.png"), "PNG"
    picture.save()
    for name, argv in (
        (
            "batch",
            [
                "batch",
                picture.filepath_raw,
                "-o",
                str(Path(folder) / "avatars"),
                "--format",
                "blend",
            ],
        ),
        (
            "synth",
            [
                "synth",
                "-o",
                str(data),
                "--subjects",
                "1",
                "--engine",
                "raster",
                "--size",
                "64",
                "--views",
                "2",
                "--framing",
                "head",
            ],
        ),
        ("convert", ["convert", str(empty), "-o", str(Path(folder) / "nobody")]),
    ):
        # An executable starts its workers anew, which needs a zip with wheels.
        if name not in names or (name == "batch" and bpy.app.binary_path):
            continue
        heard = io.StringIO()
        with redirect_stderr(heard), redirect_stdout(heard):
            code = run(argv)
        said[name] = [code, heard.getvalue()]
    return {
        **said,
        "report": (Path(folder) / "avatars" / "report" / "index.html").is_file(),
        "shards": [path.name for path in data.glob("*.tar")],
        "likeness": "likeness" in sys.modules,
        "enabled": MODULE in bpy.context.preferences.addons and menu_entries(),
        "warnings": policy_warnings(),
    }
