"""File > Import > Portrait as Avatar: choose a photo, build in the background, import.

Choosing and building are two operators, because Blender's file browser cannot hand over to a
modal operator otherwise. Without a window both work at once and block.
"""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..addon import portrait
from ..addon.jobs import Job, State
from ..addon.properties import session
from ..engine.types import MAX_GAUSSIANS, LikenessError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")

_POLL_SECONDS = 0.1

_running: list[Job] = []
"""The one job of this Blender, or none; lives here because operators don't outlive undo."""


def stop() -> None:
    """Kill a running job; for when the extension is disabled."""
    for job in _running:
        job.kill()
    _running.clear()


class _Options:
    """What both operators ask."""

    max_gaussians: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Gaussians",
        description="At most so many splats; fewer are faster to pose and draw",
        default=MAX_GAUSSIANS, min=5000, max=MAX_GAUSSIANS, soft_min=20_000,
    )  # fmt: skip
    person: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Person",
        description="Which of several people, counted from the left from 0; -1 takes the largest",
        default=-1, min=-1,
    )  # fmt: skip
    fov: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Field of View",
        description="Along the longer side, in degrees, if you know it; 0 estimates it",
        default=0.0, min=0.0, max=150.0,
    )  # fmt: skip
    refine: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Refine",
        description="How long the splats are fitted to the photo",
        items=(
            ("off", "Off", "Only the lift: a few seconds"),
            ("fast", "Fast", "Sharper, about 15 seconds more on two cores"),
            ("full", "Full", "Sharpest, about 45 seconds more on two cores"),
        ),
        default="fast",
    )

    network: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Network",
        description="Folder of a trained network that improves the lift; empty for none",
        subtype="DIR_PATH",
    )
    back: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="From Behind",
        description="Another photo of the same person, from behind; may be left out",
        subtype="FILE_PATH", options={"SKIP_SAVE"},
    )  # fmt: skip
    side: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="From the Side",
        description="Another photo of the same person, from either side; may be left out",
        subtype="FILE_PATH", options={"SKIP_SAVE"},
    )  # fmt: skip

    def request(self, context: Any) -> portrait.PortraitRequest:
        path = Path(bpy.path.abspath(self.filepath))  # type: ignore[attr-defined]
        return portrait.PortraitRequest(
            portrait=path,
            output=portrait.output_folder(context, path),
            max_gaussians=self.max_gaussians,
            person=self.person if self.person >= 0 else None,
            fov=self.fov or None,
            refine=self.refine,
            network=bpy.path.abspath(self.network),
            others=tuple(
                (Path(bpy.path.abspath(photo)), shown)
                for photo, shown in ((self.back, "back"), (self.side, "side"))
                if photo
            ),
        )

    def chosen(self) -> dict[str, Any]:
        names = (
            "filepath", "max_gaussians", "person", "fov", "refine", "network", "back", "side",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


class ImportPortrait(bpy.types.Operator, ImportHelper, _Options):  # type: ignore[misc]
    """Build an animatable avatar of the person in a photo"""

    bl_idname = "likeness.import_portrait"
    bl_label = "Import Portrait as Avatar"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".jpg"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default=";".join(f"*{e}" for e in EXTENSIONS), options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        return _no_other_job(cls)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask for a photo; of one that was dropped, only for the options."""
        if self.properties.is_property_set("filepath"):
            answer: set[str] = context.window_manager.invoke_props_dialog(
                self, title=Path(self.filepath).name, confirm_text="Build Avatar"
            )
            return answer
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        if bpy.app.background:
            return _build(self, context)
        result: set[str] = bpy.ops.likeness.build_avatar("INVOKE_DEFAULT", **self.chosen())
        return {"CANCELLED"} if result == {"CANCELLED"} else {"FINISHED"}


class BuildAvatar(bpy.types.Operator, _Options):  # type: ignore[misc]
    """Build the avatar of a photo in a process of its own and import it"""

    bl_idname = "likeness.build_avatar"
    bl_label = "Build Avatar"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}  # noqa: RUF012

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: Any) -> bool:
        return _no_other_job(cls)

    def execute(self, context: Any) -> set[str]:
        return _build(self, context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        self._job = _start(self, context)
        manager = context.window_manager
        self._timer = manager.event_timer_add(_POLL_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self._job.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self._job.poll() is State.RUNNING:
            _show_progress(context, self._job)
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return _finish(self, context, self._job)

    def cancel(self, context: Any) -> None:
        """Blender itself ends the operator, as when another file is opened."""
        self._job.kill()
        context.window_manager.event_timer_remove(self._timer)
        _clear(context)


class CancelBuild(bpy.types.Operator):  # type: ignore[misc]
    """Stop building; nothing is left behind"""

    bl_idname = "likeness.cancel_build"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return bool(_running)

    def execute(self, context: Any) -> set[str]:
        for job in _running:
            job.cancel()
        return {"FINISHED"}


class PortraitFileHandler(bpy.types.FileHandler):  # type: ignore[misc]
    """Photos dropped into a 3D view."""

    bl_idname = "LIKENESS_FH_portrait"
    bl_label = "Portrait as Avatar"
    bl_import_operator = ImportPortrait.bl_idname
    bl_file_extensions = ";".join(EXTENSIONS)

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def _start(operator: Any, context: Any) -> Job:
    state = session(context)
    state.error, state.remedy = "", ""
    job: Job = operator.request(context).start(context)
    _running.append(job)
    _show_progress(context, job)
    return job


def _build(operator: Any, context: Any) -> set[str]:
    """Build and block, which is what a Blender without a window does."""
    job = _start(operator, context)
    try:
        job.wait(lambda stage, fraction, _: print(f"{stage} {fraction:.0%}", flush=True))
    finally:
        job.kill()
    return _finish(operator, context, job)


def _finish(operator: Any, context: Any, job: Job) -> set[str]:
    """Import what a finished job made, or say why there is nothing."""
    _clear(context)
    if job.state is State.CANCELLED:
        operator.report({"INFO"}, "Cancelled")
        return {"CANCELLED"}
    try:
        if job.error is not None:
            raise job.error
        assert job.result is not None
        portrait.import_avatar(context, Path(job.result["avatar"]), Path(operator.filepath))
    except LikenessError as error:
        state = session(context)
        state.error, state.remedy = error.message, error.remedy
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    for warning in job.result.get("warnings", ()):
        operator.report({"WARNING"}, warning)
    return {"FINISHED"}


def _clear(context: Any) -> None:
    """No job runs any more: the panel and the status bar say so."""
    _running.clear()
    session(context).running = False
    if context.workspace is not None:
        context.workspace.status_text_set(None)
    _redraw(context)


def _no_other_job(cls: Any) -> bool:
    if _running:
        cls.poll_message_set("Another avatar is being built")
        return False
    return True


def _show_progress(context: Any, job: Job) -> None:
    state = session(context)
    state.running = True
    progress = portrait.whole_progress(job.stage, job.fraction)
    if progress is not None:
        state.progress = progress
    state.stage = (job.message or job.stage).capitalize()
    if context.workspace is not None:
        context.workspace.status_text_set(
            f"Likeness: {state.stage}, {state.progress:.0%}  (Esc cancels)"
        )
    _redraw(context)


def _redraw(context: Any) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def draw_import(layout: Any) -> None:
    layout.operator(ImportPortrait.bl_idname, text="Portrait as Avatar")


CLASSES = (ImportPortrait, BuildAvatar, CancelBuild, PortraitFileHandler)
