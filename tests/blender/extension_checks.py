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

INSTALLED = True  # read by inside.py
addon_utils = importlib.import_module("addon_utils")  # is there once bpy is

MODULE = "bl_ext.user_default.likeness"


class Recorder:
    """A stand-in for ``UILayout`` that remembers what was drawn."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            said = [a for a in args if isinstance(a, str)] + [options.get("text") or ""]
            self._calls.append(" ".join([name, *said]).strip())
            return (
                (Recorder(self._calls), Recorder(self._calls))
                if name == "panel"
                else (Recorder(self._calls))
            )

        return call


def draw_panels() -> dict[str, list[str]]:
    """What each panel shows now, without those that are hidden."""
    panels = importlib.import_module(f"{MODULE}.panels")
    shown: dict[str, list[str]] = {}
    for cls in panels.CLASSES:
        if hasattr(cls, "poll") and not cls.poll(bpy.context):
            continue
        stand_in = type("Panel", (), {"layout": Recorder(shown.setdefault(cls.bl_idname, []))})
        cls.draw(stand_in(), bpy.context)
    return shown


def warnings() -> dict[str, Any]:
    """Blender's complaints about extensions that break its rules."""
    addon_utils._extensions_warnings_get._is_first = True
    return {str(k): list(v) for k, v in addon_utils._extensions_warnings_get().items()}


def attempt(operator: Any, **options: Any) -> str:
    """An operator's result, or what it reports when it fails."""
    try:
        return next(iter(operator(**options)))
    except RuntimeError as error:
        return str(error).strip()


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
    answer["installed"] = attempt(
        bpy.ops.extensions.package_install_files,
        filepath=zip_path, repo="user_default", enable_on_install=True,
    )  # fmt: skip
    answer["enabled"] = MODULE in bpy.context.preferences.addons
    answer["engine_loaded"] = [m for m in ("numba", "scipy") if m in sys.modules]
    answer["warnings"] = warnings()
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
    session = bpy.context.window_manager.likeness
    answer["session"] = [session.running, session.error, session.remedy]
    answer["after_error"] = draw_panels()
    answer["bad_avatar"] = attempt(bpy.ops.likeness.import_avatar, filepath=photo)
    answer["warnings_after"] = warnings()
    for _ in range(2):
        addon_utils.disable(MODULE, default_set=True)
        answer["types_after"], answer["menu_after"] = types(), menu_entries()
        addon_utils.enable(MODULE, default_set=True)
    answer["types_again"] = types()
    answer["background"] = bpy.app.background
    return answer


class Event:
    def __init__(self, kind: str, value: str = "NOTHING") -> None:
        self.type, self.value = kind, value


class Operator:
    """A stand-in for the running modal operator: its job, its timer, what it reported."""

    def __init__(self, job: Any, photo: str) -> None:
        self._job, self.filepath, self.reports = job, photo, []
        self._timer = bpy.context.window_manager.event_timer_add(
            0.1, window=bpy.context.window_manager.windows[0]
        )

    def report(self, kind: set[str], text: str) -> None:
        self.reports.append([next(iter(kind)), text])


class Worker:
    """A stand-in for the job, in whatever state it is put."""

    def __init__(self, state: Any, answer: dict[str, Any] | None = None, error: Any = None) -> None:
        self.state, self.result, self.error = state, answer, error
        self.stage, self.fraction, self.message = "fit", 0.4, "face"
        self.asked_to_stop = self.killed = False

    def poll(self) -> Any:
        return self.state

    def cancel(self) -> None:
        self.asked_to_stop = True

    def kill(self) -> None:
        self.killed = True


def modal(zip_path: str, avatar: str, photo: str) -> dict[str, Any]:
    """The steps of the modal operator, which Blender only takes with a window."""
    bpy.ops.extensions.package_install_files(
        filepath=zip_path, repo="user_default", enable_on_install=True
    )
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    module = importlib.import_module(f"{MODULE}.operators.import_portrait")
    types_module = importlib.import_module(f"{MODULE}.engine.types")
    state, session = module.State, bpy.context.window_manager.likeness
    step = module.BuildAvatar.modal
    answer: dict[str, Any] = {"undo": "UNDO" in module.BuildAvatar.bl_options}

    def run(worker: Worker, kind: str = "TIMER", value: str = "NOTHING") -> list[Any]:
        operator = Operator(worker, photo)
        module._running[:] = [worker]
        result = next(iter(step(operator, bpy.context, Event(kind, value))))
        return [result, operator.reports, len(module._running), session.running]

    answer["progress"] = run(Worker(state.RUNNING))
    answer["shown"] = [session.stage, round(session.progress, 3), draw_panels()["LIKENESS_PT_main"]]
    answer["second"] = attempt(bpy.ops.likeness.import_portrait, filepath=photo)
    answer["mouse"] = run(Worker(state.RUNNING), "MOUSEMOVE")
    stopped = Worker(state.RUNNING)
    answer["escape"] = [*run(stopped, "ESC", "PRESS"), stopped.asked_to_stop]
    asked = Worker(state.RUNNING)
    module._running[:] = [asked]
    bpy.ops.likeness.cancel_build()
    answer["button"] = asked.asked_to_stop
    answer["cancelled"] = run(Worker(state.CANCELLED))
    error = types_module.LikenessError("No person in it.", "Another photo.")
    answer["failed"] = run(Worker(state.FAILED, error=error))
    answer["said"] = [session.error, session.remedy]
    answer["empty"] = len(bpy.data.objects)
    done = Worker(state.DONE, {"avatar": avatar, "warnings": ["The face is small."]})
    answer["done"] = run(done)
    answer["objects"] = sorted(o.type for o in bpy.data.objects)
    ended = Operator(Worker(state.RUNNING), photo)
    module.BuildAvatar.cancel(ended, bpy.context)
    answer["ended"] = [ended._job.killed, session.running]
    return answer


def invoke(zip_path: str) -> dict[str, Any]:
    """What the import operators ask for, from the menu and after a drop."""
    bpy.ops.extensions.package_install_files(
        filepath=zip_path, repo="user_default", enable_on_install=True
    )
    asked: list[str] = []

    class Manager:
        def fileselect_add(self, operator: Any) -> None:
            asked.append("browser")

        def invoke_props_dialog(self, operator: Any, title: str, confirm_text: str) -> set[str]:
            asked.append(title)
            return {"RUNNING_MODAL"}

    def call(cls: Any, filepath: str) -> list[Any]:
        class Chosen:
            def is_property_set(self, name: str) -> bool:
                return name == "filepath" and bool(filepath)

        stand_in = Operator(None, filepath)
        stand_in.properties = Chosen()
        stand_in.execute = lambda context: {"FINISHED"}
        context = type("Context", (), {"window_manager": Manager()})
        asked.clear()
        result = cls.invoke(stand_in, context, Event("LEFTMOUSE", "PRESS"))
        return [next(iter(result)), *asked]

    answer = {}
    for name in ("ImportPortrait", "ImportAvatar"):
        file = "import_portrait" if name == "ImportPortrait" else "import_avatar"
        cls = getattr(importlib.import_module(f"{MODULE}.operators.{file}"), name)
        answer[name] = [call(cls, ""), call(cls, "/photos/me.jpg")]
        settings = getattr(bpy.ops.likeness, file).get_rna_type().properties["filepath"]
        answer[f"{name} keeps"] = not settings.is_skip_save
    return answer


def build(zip_path: str, photo: str) -> dict[str, Any]:
    """The whole way inside an installed extension: portrait in, avatar in the scene."""
    bpy.ops.extensions.package_install_files(
        filepath=zip_path, repo="user_default", enable_on_install=True
    )
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    result = attempt(
        bpy.ops.likeness.import_portrait, filepath=photo, max_gaussians=20_000, refine="off"
    )
    build_module = importlib.import_module(f"{MODULE}.addon.scene.build")
    found = build_module.find_avatars(bpy.context.scene)
    return {
        "result": result,
        "avatars": [a.armature.name for a in found],
        "splats": [len(a.splats.data.polygons) for a in found],
        "warnings": warnings(),
    }


def commands(zip_path: str, folder: str) -> dict[str, Any]:
    """``blender --command likeness ...``: people are made by processes of their own, and a file
    without anybody is read in this one."""
    bpy.ops.extensions.package_install_files(
        filepath=zip_path, repo="user_default", enable_on_install=True
    )
    run = importlib.import_module(f"{MODULE}.addon.command")._run
    cube, data = Path(folder) / "cube.glb", Path(folder) / "data"
    bpy.ops.export_scene.gltf(filepath=str(cube))
    said: dict[str, Any] = {}
    for name, argv in (
        ("synth", ["synth", "-o", str(data), "--subjects", "1", "--engine", "raster",
                   "--size", "64", "--views", "2", "--framing", "head"]),
        ("convert", ["convert", str(cube), "-o", str(Path(folder) / "nobody")]),
    ):  # fmt: skip
        heard = io.StringIO()
        with redirect_stderr(heard), redirect_stdout(heard):
            code = run(argv)
        said[name] = [code, heard.getvalue()]
    return {
        **said,
        "shards": [path.name for path in data.glob("*.tar")],
        "likeness": "likeness" in sys.modules,
        "enabled": MODULE in bpy.context.preferences.addons and menu_entries(),
        "warnings": warnings(),
    }
