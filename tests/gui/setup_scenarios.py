"""Press the buttons of the preferences, of the fit check, and of a problem. Run by inside.py."""

from __future__ import annotations

from typing import Any

import bpy
from pressing import call, confirm, panel, press, problem, reports
from scenarios import MODULE, Steps, avatars, fresh, open_avatar, ours, running


def preferences(ui: Any, folder: str) -> Steps:
    """Use the preferences: engine, caches, models, and a download while offline."""
    yield from fresh(ui)
    ours("addon.preferences").get_preferences(bpy.context).avatar_folder = folder
    out: dict[str, Any] = {}
    yield from press(ui, "likeness.check_engine")
    out["engine"] = problem()
    yield from press(ui, "likeness.look_around")
    out["setup"] = problem()
    yield from press(ui, "likeness.examine_computer")
    out["examined"] = problem()
    settings = bpy.context.preferences
    area = next(a for a in ui.window.screen.areas if a.type != "VIEW_3D" and a.height > 300)
    before = area.type
    area.type = "PREFERENCES"
    settings.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "likeness"
    with bpy.context.temp_override(window=ui.window, area=area):
        bpy.ops.preferences.addon_expand(module=MODULE)
    ours("addon.preferences").get_preferences(bpy.context).show_models = True
    yield 0.5
    with bpy.context.temp_override(window=ui.window, area=area):
        bpy.ops.screen.screen_full_area("EXEC_DEFAULT", use_hide_panels=False)
    yield 0.5
    yield from ui.shot("preferences")
    with bpy.context.temp_override(window=ui.window, area=ui.areas("PREFERENCES")[0]):
        bpy.ops.screen.screen_full_area("EXEC_DEFAULT", use_hide_panels=False)
    yield 0.5
    area = ui.areas("PREFERENCES")[0]
    area.type = before
    rows = ours("addon.setup_state").research_rows(bpy.context)
    model = next(entry.name for entry, state, _ in rows if entry.page)
    yield from confirm(ui, "likeness.download_model", "download_model", model=model)
    out["download"] = problem()
    yield from ui.shot("download_refused")
    yield from press(ui, "likeness.dismiss_problem")
    out["dismissed"] = problem()
    yield from confirm(ui, "likeness.clear_cache", "clear_cache")
    out["cleared"] = problem()
    return out


def questions(ui: Any, photo: str) -> Steps:
    """Press every button of the fit check, during a build."""
    yield from fresh(ui)
    with ui.override():
        bpy.ops.likeness.import_portrait(
            "INVOKE_DEFAULT", filepath=photo, run_now=True, check_fit="ALWAYS", quality="DRAFT"
        )
    yield asked
    yield from ui.shot("question")
    out: dict[str, Any] = {"people": running().question["people"]}
    ui.point(*ui.over_view())
    with ui.override():
        bpy.ops.likeness.show_fit("INVOKE_DEFAULT")
    yield 0.5
    yield from ui.shot("question_large")
    ui.press("ESC")
    yield 0.3
    out["alive"] = running() is not None
    yield from once(ui, "likeness.adjust_fit")
    yield from ui.shot("adjust")
    out["scene"] = bpy.context.scene.name
    yield from once(ui, "likeness.refit")  # nothing was moved
    out["asked"] = asked()
    handle = next(o for o in bpy.context.scene.objects if o.name.startswith("Left Elbow"))
    handle.location.z += 0.02
    yield from once(ui, "likeness.refit")
    out["left"] = bpy.context.scene.name
    yield asked
    yield from ui.shot("question_refitted")
    yield from once(ui, "likeness.adjust_fit")
    fit = next(o for o in bpy.context.scene.objects if o.type == "ARMATURE")
    fit.pose.bones["left_elbow"].rotation_quaternion = (0.9, 0.436, 0, 0)
    yield from once(ui, "likeness.leave_adjusting")
    yield from once(ui, "likeness.adjust_fit")
    yield from once(ui, "likeness.use_this_pose")
    yield asked
    yield from ui.shot("question_posed")
    yield from once(ui, "likeness.choose_person", index=1)
    yield asked
    yield from once(ui, "likeness.show_log")
    yield from ui.shot("log")
    ui.press("ESC")
    yield 0.3
    yield from once(ui, "likeness.accept_fit")
    yield lambda: running() is None
    yield 0.5
    out["avatars"] = len(avatars())
    out["problem"] = problem()
    return out


def asked() -> bool:
    """Whether the fit check waits for an answer, or the job is over."""
    return running() is None or running().question is not None


def once(ui: Any, operator: str, /, **chosen: Any) -> Steps:
    """Press a button while a job runs."""
    ui.point(*ui.over_view())
    call(ui, operator, **chosen)
    yield 0.7


def one_message(ui: Any, avatar: str, bad: str) -> Steps:
    """Collect what Blender's Info editor lists for a failing job: from a button and from a dialog,
    with and without our tab in view."""
    yield from fresh(ui)
    yield from open_avatar(ui, avatar, fast=True)
    out: dict[str, Any] = {}
    space = ui.areas("VIEW_3D")[0].spaces.active
    yield from reports(ui)
    for tab in ("with tab", "without tab"):
        space.show_region_ui = tab == "with tab"
        yield 0.5
        for how, chosen in (("button", {"run_now": True}), ("dialog", {})):
            call(ui, "likeness.import_motion", filepath=bad, **chosen)
            yield 0.5
            if how == "dialog":
                ui.press("RET")
            yield lambda: running() is None
            yield 0.5
            yield from ui.shot(f"error_{how}_{tab.replace(' ', '_')}")
            ui.press("ESC")
            yield 0.3
            out[f"{how} {tab}"] = yield from reports(ui)
    out["problem"] = problem()
    yield from press(ui, "likeness.copy_report")
    out["report"] = bpy.context.window_manager.clipboard
    space.show_region_ui = True
    yield from panel(ui, "LIKENESS_PT_main", "panel_problem")
    yield from press(ui, "likeness.dismiss_problem")
    out["dismissed"] = problem()
    return out


class Drawn:
    """A stand-in for a layout that keeps the labels."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def column(self, **options: Any) -> Drawn:
        return self

    def label(self, text: str, **options: Any) -> None:
        self.labels.append(text)


def languages(ui: Any, avatar: str) -> Steps:
    """Show the panels in French and Japanese."""
    yield from fresh(ui)
    yield from open_avatar(ui, avatar, fast=True)
    view = bpy.context.preferences.view
    view.use_translate_interface = True
    out: dict[str, Any] = {}
    try:
        for language in ("fr_FR", "ja_JP"):
            view.language = language
            yield 1.0
            yield from ui.sidebar()
            yield from ui.shot(f"sidebar_{language}")
            for name in ("render", "grade", "display", "pose", "gallery", "expression"):
                yield from panel(ui, f"LIKENESS_PT_{name}", f"panel_{name}_{language}")
            drawn = Drawn()
            note = "Native splats keep the photo's light"
            ours("panels.base").draw_wrapped(drawn, bpy.context, note)
            translate = ours("addon.translations").translate
            out[language] = [translate("Expression"), drawn.labels]
    finally:
        view.language = "en_US"
    yield 0.5
    return out
