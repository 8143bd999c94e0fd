"""Checks of what the extension leaves, tells and draws, run inside Blender by ``inside.py``.

They know no panel or operator by name: whatever is registered is looked at.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
from shared import MODULE, addon_utils, attempt, enable, install, kernels_link, policy_warnings

INSTALLED = True  # read by inside.py

HEAVY = (
    "numba",
    "llvmlite",
    "scipy",
    "PIL",
    "onnxruntime",
    "ai_edge_litert",
    "gsply",
    "torch",
    "click",
    "tqdm",
    "huggingface_hub",
    "http",
    "urllib.request",
)
"""Nothing of this may be loaded before the user does something."""

BLENDERS_OWN = {"filepath", "directory", "files", "filename", "filter_glob", "check_existing"}
"""Properties of file browsers, which Blender fills in."""


def ours(module: str = "") -> Any:
    return importlib.import_module(f"{MODULE}.{module}" if module else MODULE)


# What is left ---------------------------------------------------------------------------------


def is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).startswith(MODULE)


def traces() -> list[str]:
    """Everything in Blender that is of the extension."""
    found = [f"type {name}" for name in dir(bpy.types) if is_ours(getattr(bpy.types, name))]
    for name in dir(bpy.types):
        cls = getattr(bpy.types, name)
        draws = getattr(getattr(cls, "draw", None), "_draw_funcs", ())
        found += [f"entry in {name}" for draw in draws if is_ours(draw)]
        added = getattr(cls, "__dict__", {})
        found += [f"property {name}.{key}" for key in added if "likeness" in key.lower()]
    for name in dir(bpy.app.handlers):
        handlers = getattr(bpy.app.handlers, name)
        if isinstance(handlers, list):
            found += [f"handler {name}" for handler in handlers if is_ours(handler)]
    for keymap in bpy.context.window_manager.keyconfigs.addon.keymaps:
        found += [f"key of {i.idname}" for i in keymap.keymap_items if "likeness" in i.idname]
    presets = [path for kind in ("", "operator") for path in bpy.utils.preset_paths(kind)]
    found += [f"presets {p}" for p in presets if "/user_default/likeness" in Path(p).as_posix()]
    return sorted(found)


def leaves_nothing(zip_path: str) -> dict[str, Any]:
    """Enabling, a job, disabling; twice."""
    answer: dict[str, Any] = {"installed": install(zip_path, enable=False)}
    before = set(sys.modules)
    addon_utils.enable(MODULE, default_set=True)
    loaded = set(sys.modules) - before
    answer["heavy"] = [name for name in HEAVY if name in loaded]
    answer["warnings"] = policy_warnings()
    answer["there"] = traces()
    answer["job"] = attempt(bpy.ops.likeness.check_engine)
    answer["found"] = ours("addon.setup_state").get_known(bpy.context, "environment")
    answer["after_job"] = policy_warnings()
    answer["rounds"] = []
    for _ in range(2):
        addon_utils.disable(MODULE, default_set=True)
        gone = traces()
        addon_utils.enable(MODULE, default_set=True)
        answer["rounds"].append([gone, traces()])
    return answer


def examines(zip_path: str) -> dict[str, Any]:
    """The button of the preferences that examines the computer."""
    enable(zip_path)
    done = attempt(bpy.ops.likeness.examine_computer)
    state = ours("addon.setup_state")
    known = state.get_known(bpy.context, "doctor")
    report = json.loads(Path(known["path"]).read_text(encoding="utf-8"))
    return {"done": done, **known, "report": report, "lines": state.doctor_lines(bpy.context)}


# What is told ---------------------------------------------------------------------------------


def our_classes() -> Iterator[Any]:
    """Registered classes of the extension."""
    kinds = (
        bpy.types.Operator,
        bpy.types.Panel,
        bpy.types.Menu,
        bpy.types.UIList,
        bpy.types.FileHandler,
        bpy.types.PropertyGroup,
        bpy.types.AddonPreferences,
        bpy.types.AssetShelf,
    )
    for kind in kinds:
        for cls in sorted(_below(kind), key=lambda cls: cls.__name__):
            if is_ours(cls) and cls.is_registered:
                yield cls


def _below(cls: Any) -> set[Any]:
    direct = set(cls.__subclasses__())
    return direct.union(*(_below(sub) for sub in direct))


def own_properties(cls: Any) -> Iterator[Any]:
    """The properties that the class has declared, and that the user may meet."""
    rna = cls.bl_rna
    if issubclass(cls, bpy.types.Operator):
        rna = getattr(bpy.ops.likeness, cls.bl_idname.partition(".")[2]).get_rna_type()
    usual = {"rna_type", *(p.identifier for p in rna.base.properties)} if rna.base else set()
    for prop in rna.properties:
        if prop.identifier not in usual | BLENDERS_OWN:
            yield prop


OPERATORS_OWN = {p.identifier for p in bpy.types.Operator.bl_rna.properties} - {"name"}
"""What operators have of Blender and use in their methods, such as ``layout`` in ``draw``."""


def text_faults(where: str, text: str) -> Iterator[str]:
    if not text.strip():
        yield f"{where} has no description"
    elif text.rstrip().endswith("."):
        yield f"{where}: the description ends with a full stop"
    elif "  " in text.replace("\n", " ").strip() and "\n" not in text:
        yield f"{where}: the description has gaps"


def tooltips(zip_path: str) -> dict[str, Any]:
    """Operators, properties and items of enums that say nothing of themselves."""
    enable(zip_path)
    faults: list[str] = []
    shown: set[str] = set()
    counted = {"operators": 0, "properties": 0, "panels": 0}
    for cls in our_classes():
        name = cls.__name__
        if issubclass(cls, bpy.types.Panel):
            counted["panels"] += 1
            if not cls.bl_rna.name:
                faults.append(f"{name} has no label")
        if issubclass(cls, bpy.types.Operator):
            counted["operators"] += 1
            called = getattr(bpy.ops.likeness, cls.bl_idname.partition(".")[2]).get_rna_type()
            faults += text_faults(name, called.description)
            shown |= {called.name, called.description}
            if not called.name:
                faults.append(f"{name} has no label")
        for prop in own_properties(cls):
            counted["properties"] += 1
            where = f"{name}.{prop.identifier}"
            if issubclass(cls, bpy.types.Operator) and prop.identifier in OPERATORS_OWN:
                faults.append(f"{where} hides the operator's own {prop.identifier}")
            faults += text_faults(where, prop.description)
            shown |= {prop.name, prop.description}
            if not prop.name.strip():
                faults.append(f"{where} has no label")
            for item in getattr(prop, "enum_items_static", ()):
                faults += text_faults(f"{where} {item.identifier}", item.description)
    messages = json.loads(ours("addon.translations").FILE.read_text(encoding="utf-8"))
    unknown = sorted(t for t in shown - set(messages) if any(map(str.isalpha, t)))
    return {"faults": faults, "counted": counted, "unknown": unknown}


# What is drawn --------------------------------------------------------------------------------


class Layout:
    """A stand-in for ``UILayout`` that remembers what was drawn and whether it exists."""

    def __init__(self, said: list[str], wrong: list[str]) -> None:
        self.__dict__.update(said=said, wrong=wrong)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in bpy.types.UILayout.bl_rna.properties:
            self.wrong.append(f"a layout has no {name}")

    def __getattr__(self, name: str) -> Any:
        if name in bpy.types.UILayout.bl_rna.properties:
            return False
        if name.startswith("__") or name not in bpy.types.UILayout.bl_rna.functions:
            self.wrong.append(f"a layout cannot {name}")
            raise AttributeError(name)

        def call(*args: Any, **options: Any) -> Any:
            said = [a for a in args if isinstance(a, str)] + [options.get("text") or ""]
            self.said.append(" ".join([name, *said]).strip())
            self._check_icon(options.get("icon", "NONE"))
            inner = Layout(self.said, self.wrong)
            return (inner, inner) if name in ("panel", "panel_prop") else inner

        return call

    def _check_icon(self, icon: str) -> None:
        icons = bpy.types.UILayout.bl_rna.functions["prop"].parameters["icon"].enum_items
        if icon not in icons:
            self.wrong.append(f"there is no icon {icon}")

    def operator(self, name: str, *, icon: str = "NONE", **options: Any) -> Any:
        module, _, function = name.partition(".")
        self.said.append(f"operator {name} {options.get('text') or ''}".strip())
        self._check_icon(icon)
        try:
            settings = getattr(getattr(bpy.ops, module), function).get_rna_type()
        except KeyError:
            self.wrong.append(f"there is no operator {name}")
            return type("Settings", (), {})()
        return Settings(name, {p.identifier for p in settings.properties}, self.wrong)

    def prop(self, data: Any, name: str, *, icon: str = "NONE", **options: Any) -> None:
        self.said.append(f"prop {name} {options.get('text') or ''}".strip())
        self._check_icon(icon)
        try:
            data.path_resolve(name)
        except (ValueError, AttributeError) as error:
            self.wrong.append(f"{data!r} has no {name}: {error}")


class Settings:
    """Of an operator's button."""

    def __init__(self, name: str, known: set[str], wrong: list[str]) -> None:
        self.__dict__.update(name=name, known=known, wrong=wrong)

    def __setattr__(self, key: str, value: Any) -> None:
        if key not in self.known:
            self.wrong.append(f"{self.name} has no {key}")


def drawn(wrong: list[str], state: str) -> dict[str, list[str]]:
    """Every panel, menu and the preferences as they show now."""
    shown: dict[str, list[str]] = {}
    for cls in our_classes():
        if not issubclass(cls, bpy.types.Panel | bpy.types.Menu):
            continue
        if hasattr(cls, "poll") and not cls.poll(bpy.context):
            continue
        said = shown.setdefault(cls.bl_rna.identifier, [])
        faults: list[str] = []
        stand_in = type("Panel", (), {**_plain(cls), "layout": Layout(said, faults)})()
        for part in ("draw_header", "draw"):
            if part in dir(cls) and callable(getattr(cls, part, None)):
                try:
                    getattr(cls, part)(stand_in, bpy.context)
                except Exception as error:  # every panel is tried
                    faults.append(f"{type(error).__name__}: {error}")
        wrong += [f"{state}: {cls.__name__}: {fault}" for fault in dict.fromkeys(faults)]
    said, faults = shown.setdefault("preferences", []), []
    settings = bpy.context.preferences.addons[MODULE].preferences
    ours("addon.preferences_view").draw_preferences(Layout(said, faults), settings, bpy.context)
    wrong += [f"{state}: preferences: {fault}" for fault in dict.fromkeys(faults)]
    return shown


def _plain(cls: Any) -> dict[str, Any]:
    """A panel's own methods and constants, for the stand-in that draws."""
    return {
        name: value
        for base in reversed(cls.__mro__)
        if is_ours(base)
        for name, value in vars(base).items()
        if not name.startswith("__")
    }


MAIN = "LIKENESS_PT_main"


def in_german(wrong: list[str], job: Any) -> dict[str, list[str]]:
    """What the panels and the status bar show of a job, in German. The module bpy has no
    languages, so the table is looked up in Blender's place."""
    ours_of, texts, title = ours("addon.translations"), ours("addon.job_texts"), job.title
    table = json.loads(ours_of.FILE.read_text(encoding="utf-8"))
    english, ours_of.translate = ours_of.translate, lambda text: table[text]["de"]
    job.title, job.part = texts.JobTitle("Building {name}", "anna"), "work"
    job.job = SimpleNamespace(
        stage="polish", fraction=0.5, message="view 3 of 9", question=None, picture="", log=()
    )
    job.job.poll = lambda: None
    ours("addon.running").poll_job(job)
    job.job.message = ""  # as at a stage's end
    ours("addon.running").poll_job(job)
    job.estimate.fraction, job.estimate.remaining = 0.5, 41.0
    shown = drawn(wrong, "german")
    shown["status"] = [ours("operators.job_operator").status_text(job)]
    ours_of.translate, job.title, job.job, job.part = english, title, None, "prepare"
    return shown


def slider_tooltips(rig: Any) -> dict[str, str]:
    """Tooltip of each expression's slider -> the German one, which Blender finds by it."""
    translations = ours("addon.translations")
    table = json.loads(translations.FILE.read_text(encoding="utf-8"))
    said = translations.build_translations(translations.add_slider_tooltips(table))["de"]
    bone = rig.pose.bones["face"]
    tooltips = [bone.id_properties_ui(name).as_dict()["description"] for name in bone.keys()]  # noqa: SIM118
    return {text: said.get((bpy.app.translations.contexts.default, text), "") for text in tooltips}


def panels(zip_path: str, avatar: str, photo: str) -> dict[str, Any]:
    """Everything is drawn in every state that we can think of."""
    enable(zip_path)
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    wrong: list[str] = []
    states: dict[str, Any] = {"empty": drawn(wrong, "empty")}
    bpy.context.preferences.addons[MODULE].preferences.show_models = True
    attempt(bpy.ops.likeness.look_around)
    running, types = ours("addon.running"), ours("engine.core.types")
    job = running.begin_job("Something")
    states["running"] = drawn(wrong, "running")
    german = in_german(wrong, job)
    job.request = {"task": "live_face"}
    states["following"] = drawn(wrong, "following")
    live = [ours("operators.job_operator").status_text(job), *states["following"][MAIN]]
    running.fail_job(job, types.LikenessError("It went wrong.", "Do it again."))
    states["failed"] = drawn(wrong, "failed")
    running.dismiss_problem()
    for number in (1, 2):
        attempt(bpy.ops.likeness.import_avatar, filepath=avatar, photo=photo)
        states[f"avatars {number}"] = drawn(wrong, f"avatars {number}")
    for thing in list(bpy.context.view_layer.objects):
        bpy.context.view_layer.objects.active = thing
        states[thing.name] = drawn(wrong, thing.name)
    rig = next(o for o in bpy.context.view_layer.objects if o.type == "ARMATURE")
    sliders = slider_tooltips(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="POSE")
    states["pose mode"] = drawn(wrong, "pose mode")
    bpy.ops.object.mode_set(mode="OBJECT")
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    states["something else"] = drawn(wrong, "something else")
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    for name in (n for n in dir(bpy.types) if n.startswith("LIKENESS_OT_")):
        cls = getattr(bpy.types, name)
        if hasattr(cls, "poll"):
            cls.poll(bpy.context)  # must not fail in an empty scene
    words = sum(len(said) for shown in states.values() for said in shown.values())
    panels = {k: sorted(v) for k, v in states.items()}
    told = {"german": german, "sliders": sliders}
    return {"wrong": wrong, "states": panels, "words": words, "live": live, **told}


# The preferences ------------------------------------------------------------------------------


def preferences(zip_path: str, folder: str) -> dict[str, Any]:
    """The buttons of the preferences, as they are pressed one after the other."""
    enable(zip_path)
    link = kernels_link()
    if link.is_symlink():
        link.unlink()  # what follows fills and clears the folder
    setup = ours("addon.setup_state")
    settings = bpy.context.preferences.addons[MODULE].preferences
    bpy.context.preferences.system.use_online_access = False

    def engine() -> list[str]:
        return [text for _, text in setup.environment_lines(bpy.context)]

    answer: dict[str, Any] = {"unchecked": engine()}
    answer["own"] = [attempt(bpy.ops.likeness.check_engine), *engine()]
    settings.engine_python = str(Path(folder) / "nothing")
    answer["nowhere"] = [attempt(bpy.ops.likeness.check_engine), *engine()]
    text = Path(folder) / "text.txt"
    text.write_text("no program")
    settings.engine_python = str(text)
    answer["no_program"] = attempt(bpy.ops.likeness.check_engine)
    settings.engine_python = sys.prefix
    answer["chosen"] = [attempt(bpy.ops.likeness.check_engine), *engine()]
    settings.engine_python = ""
    settings.body_file = str(text)
    cache = ours("addon.worker_launch").cache_folders()["numba"]
    for old in cache.iterdir():  # checking an engine may compile loops
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    (cache / "kernel.nbc").write_bytes(bytes(5_000_000))
    answer["look"] = attempt(bpy.ops.likeness.look_around)
    answer["body"] = setup.body_line(bpy.context)
    answer["cache"] = setup.cache_lines(bpy.context)
    answer["models"] = sorted({state for _, state, _ in setup.research_rows(bpy.context)})
    answer["bundled"] = [there for _, there in setup.bundled_models()]
    answer["clear"] = [attempt(bpy.ops.likeness.clear_cache), *setup.cache_lines(bpy.context)]
    answer["left"] = [path.name for path in cache.iterdir()]
    if os.name != "nt":
        cache.rmdir()
        kernels_link()  # for the checks that follow
    model = "lpips-alexnet"
    answer["offline"] = attempt(bpy.ops.likeness.download_model, model=model, accept_licence=True)
    bpy.context.preferences.system.use_online_access = True
    answer["unaccepted"] = attempt(bpy.ops.likeness.download_model, model=model)
    answer["variables"] = ours("addon.worker_launch").worker_variables(bpy.context)
    return answer


def bare(zip_path: str, photo: str) -> dict[str, Any]:
    """In a Blender that has nothing but what the zip brings along."""
    before = [name for name in HEAVY if importlib.util.find_spec(name.partition(".")[0])]
    answer: dict[str, Any] = {"installed": install(zip_path), "before": before}
    answer["checked"] = attempt(bpy.ops.likeness.check_engine)
    answer["found"] = ours("addon.setup_state").get_known(bpy.context, "environment")
    jobs, installed = ours("addon.workers.jobs"), ours("addon.worker_launch")
    command, variables = installed.get_worker_command(bpy.context)
    request = {"task": "build", "portrait": photo, "output": str(Path(photo).parent / "out")}
    job = jobs.WorkerJob(request, command, variables)
    job.wait()
    answer["build"] = [job.state.value, str(job.error), list(job.log)[-5:]]
    answer["warnings"] = policy_warnings()
    return answer
