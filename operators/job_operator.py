"""Operators that run a job in the worker process, and those that control the running job.

A job's operator derives from :class:`JobOperator`, which defines the worker's request and what to
do with the result::

    class MakeThing(JobOperator, bpy.types.Operator):
        bl_idname = "likeness.make_thing"
        bl_label = "Make Thing"

        def request(self, context):
            return {"task": "thing", "file": self.filepath}

        def done(self, context, result):
            import_thing(context, result["file"])
"""
# No postponed annotations here: Blender reads properties from them.

import shutil
import textwrap
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import bpy

from ..addon import running
from ..addon.job_texts import JobTitle
from ..addon.motion import live_face
from ..addon.portrait import scratch_folder
from ..addon.scene import render_setup
from ..addon.translations import translate
from ..addon.workers.jobs import JobState
from ..engine.core.types import LikenessError
from .errors import report_errors

POLL_SECONDS = 0.1
STEP_TIMER_SECONDS = 0.01

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
"""Extensions of pictures that the worker reads."""


def thumbnails() -> Any:
    """The property that makes Blender's file browser open with thumbnails; its name must be
    ``display_type``, and its numbers are Blender's."""
    return bpy.props.EnumProperty(
        name="Display",
        description="How the file browser shows files",
        items=[("THUMBNAIL", "Thumbnails", "As pictures", 3)],
        options={"HIDDEN", "SKIP_SAVE"},
    )


def picture_filter() -> Any:
    """The property that makes the file browser show pictures only; its name must be
    ``filter_glob``."""
    return bpy.props.StringProperty(
        name="Filter",
        description="File types to show",
        default=";".join(f"*{extension}" for extension in PICTURES),
        options={"HIDDEN", "SKIP_SAVE"},
    )


class JobOperator:
    """One worker job from the request to the result in the scene; a mixin for operators.

    With a window it is modal and does not block; without one ``execute`` blocks. A finished job
    pushes one undo step, a cancelled job or file browser none, hence no ``UNDO`` in
    ``bl_options``. So there is no redo panel either, which would build again at each change.

    File browsers and dialogs call ``execute`` and cannot hand over to a modal operator, so it
    calls the same operator again with the same properties.
    """

    bl_options = {"REGISTER"}  # noqa: RUF012

    changes_scene = True
    """Whether to push an undo step."""

    poll_seconds = POLL_SECONDS
    """How often the worker's messages are read."""

    run_now: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Run Now",
        description="Run without asking for files or options",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def request(self, context: Any) -> "dict[str, Any] | Generator[Any, None, dict[str, Any]]":
        """The request to the worker, with its ``task``.

        A generator may return it if Blender has work to do first (recording frames): in slices
        below 40 ms, yielding the fraction done. The user's input is ignored meanwhile.

        Raises:
            LikenessError: The properties ask for something impossible.
        """
        raise NotImplementedError

    def done(self, context: Any, result: dict[str, Any]) -> "Generator[Any, None, None] | None":
        """Use the worker's result.

        May be a generator with slices below 40 ms; the user's input is ignored meanwhile. If it
        is closed early (undo, another file), it must remove what it has made.

        Raises:
            LikenessError: The result cannot be used; the scene must be as before.
        """
        raise NotImplementedError

    def ask(self, context: Any, event: Any) -> set[str]:
        """Open a file browser or a dialog when the user calls the operator, or run at once."""
        return self.begin(context)

    def scratch(self) -> Path:
        """The job's folder for files of its own, which is removed when the job is over."""
        if not hasattr(self, "_scratch"):
            self._scratch = scratch_folder()
        return self._scratch

    def title(self) -> JobTitle:
        """Name of the running job, like "Building anna"."""
        return JobTitle(self.bl_label)  # type: ignore[attr-defined]

    def answer(self, context: Any, question: dict[str, Any]) -> Mapping[str, Any]:
        """The answer to the worker's question where no user can be asked."""
        return {"answer": "continue"}

    def watch(self, context: Any) -> None:
        """Take in what the worker has sent besides progress; called after each reading of its
        messages, with a window."""

    def over(self, context: Any) -> None:
        """Clean up after the worker's questions. Called when the worker has ended, for whatever
        reason, and again at the end of the job."""

    def rescue(self, context: Any) -> bool:
        """Use what has come before the job failed; called before the error is shown.

        Returns:
            Whether the scene was changed.

        Raises:
            LikenessError: It cannot be used.
        """
        return False

    @classmethod
    def poll(cls, context: Any) -> bool:
        under_way = running.current_job()
        if under_way is not None:
            text = translate("{title} is still running").format(title=under_way.shown_title)
            cls.poll_message_set(text)  # type: ignore[attr-defined]
            return False
        return True

    def invoke(self, context: Any, event: Any) -> set[str]:
        return self.begin(context) if self.run_now else self.ask(context, event)

    def execute(self, context: Any) -> set[str]:
        if bpy.app.background:
            return self._block(context)
        module, name = type(self).bl_idname.split(".")  # type: ignore[attr-defined]
        again = getattr(getattr(bpy.ops, module), name)
        try:
            result = again("INVOKE_DEFAULT", **{**self.chosen(), "run_now": True})
        except RuntimeError as error:  # Blender passes on the call's reports this way
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())  # type: ignore[attr-defined]
            return {"CANCELLED"}
        return {"CANCELLED"} if result == {"CANCELLED"} else {"FINISHED"}

    def chosen(self) -> dict[str, Any]:
        """The properties that are set, as arguments for a call of the operator."""
        return _values(self.properties)  # type: ignore[attr-defined]

    @report_errors
    def begin(self, context: Any) -> set[str]:
        """Start the job and run modal."""
        self._running = running.begin_job(self.title())
        try:
            self._ask_worker(context)
        except Exception as error:
            return self._failed(context, error)
        self._timer = context.window_manager.event_timer_add(
            STEP_TIMER_SECONDS if self._running.steps else self.poll_seconds, window=context.window
        )
        context.window_manager.modal_handler_add(self)
        running.redraw_views(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        under_way = self._running
        if event.type == "ESC" and event.value == "PRESS" and under_way.part != "import":
            if under_way.job is None:
                return self._cancelled(context)
            under_way.job.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            # Blender's data must not change between the steps.
            return {"RUNNING_MODAL"} if under_way.steps is not None else {"PASS_THROUGH"}
        if (
            running.current_job() is not under_way
        ):  # stopped from elsewhere, for example by loading a file
            return self._cancelled(context)
        try:
            over = self._go_on(context)
        except Exception as error:
            return self._failed(context, error)
        running.redraw_views(context)
        if over is None:
            return {"PASS_THROUGH"}
        return self._finished(context) if over else self._cancelled(context)

    def cancel(self, context: Any) -> None:
        """Blender ends the operator, for example when its window or dialog is closed."""
        under_way = getattr(self, "_running", None)  # a closed dialog has not begun a job
        if under_way is not None:
            running.end_job(under_way)
        self._drop_timer(context)

    def _ask_worker(self, context: Any) -> None:
        request = self.request(context)
        if isinstance(request, Generator):
            self._running.steps = request
        else:
            running.start_worker(self._running, request)

    def _go_on(self, context: Any) -> bool | None:
        """True if the job is finished, False if it was cancelled, None while it runs."""
        under_way = self._running
        if under_way.interrupted:
            raise LikenessError(
                f"{under_way.title} was interrupted by an undo; nothing was changed.",
                "Start it again.",
            )
        if under_way.steps is not None:
            over, value = running.advance_steps(under_way)
            if not over:
                return None
            if under_way.part == "import":
                return True
            self._drop_timer(context)
            running.start_worker(under_way, value)
            self._add_timer(context, self.poll_seconds)
            return None
        state = running.poll_job(under_way)
        job = under_way.job
        assert job is not None
        if state is JobState.RUNNING:
            self.watch(context)
            return None
        if state is JobState.CANCELLED:
            return False
        if job.error is not None:
            raise job.error
        assert job.result is not None
        under_way.part = "import"
        self.over(context)
        under_way.steps = self.done(context, job.result)
        if under_way.steps is None:
            return True
        self._drop_timer(context)
        self._add_timer(context, STEP_TIMER_SECONDS)
        return None

    @report_errors
    def _block(self, context: Any) -> set[str]:
        """Run the whole job at once, for a Blender without a window."""
        self._running = under_way = running.begin_job(self.title())
        try:
            self._ask_worker(context)
            if under_way.steps is not None:
                over = False
                while not over:
                    over, value = running.advance_steps(under_way)
                running.start_worker(under_way, value)
            job = under_way.job
            assert job is not None
            job.wait(_ProgressPrinter(), lambda question: self.answer(context, question))
            if job.state is JobState.CANCELLED:
                return self._cancelled(context)
            if job.error is not None:
                raise job.error
            assert job.result is not None
            under_way.part = "import"
            under_way.steps = self.done(context, job.result)
            while under_way.steps is not None:
                running.advance_steps(under_way)
        except Exception as error:
            return self._failed(context, error)
        except BaseException:
            running.end_job(under_way)
            raise
        return self._finished(context)

    def _finished(self, context: Any) -> set[str]:
        job = self._running.job
        self._leave(context)
        if self.changes_scene and not bpy.app.background:
            bpy.ops.ed.undo_push(message=self.bl_label)  # type: ignore[attr-defined]
        for warning in (job.result or {}).get("warnings", ()) if job is not None else ():
            self.report({"WARNING"}, warning)  # type: ignore[attr-defined]
        return {"FINISHED"}

    def _cancelled(self, context: Any) -> set[str]:
        self._leave(context)
        said = running.last_problem()
        self.report({"INFO"}, said.message if said is not None else "Cancelled")  # type: ignore[attr-defined]
        return {"CANCELLED"}

    def _failed(self, context: Any, error: Exception) -> set[str]:
        try:
            rescued = self.rescue(context)
        except Exception as problem:  # the job has to end in any case
            self.report({"WARNING"}, str(problem))  # type: ignore[attr-defined]
            rescued = False
        failure = running.fail_job(self._running, error)
        self._leave(context)
        if rescued and not bpy.app.background:
            bpy.ops.ed.undo_push(message=self.bl_label)  # type: ignore[attr-defined]
        if running.shows_problem(context):
            message = f"{self._running.title} failed"
            self.report({"INFO"}, message)  # type: ignore[attr-defined]
        else:
            self.report({"ERROR"}, _wrap_error(failure))  # type: ignore[attr-defined]
        return {"CANCELLED"}

    def _leave(self, context: Any) -> None:
        running.end_job(self._running)
        self._drop_timer(context)
        self.over(context)
        if hasattr(self, "_scratch"):
            shutil.rmtree(self._scratch, ignore_errors=True)
        running.redraw_views(context)

    def _add_timer(self, context: Any, seconds: float) -> None:
        self._timer = context.window_manager.event_timer_add(seconds, window=context.window)

    def _drop_timer(self, context: Any) -> None:
        timer = getattr(self, "_timer", None)
        if timer is not None:
            context.window_manager.event_timer_remove(timer)
            self._timer = None


def _wrap_error(error: LikenessError) -> str:
    """Wrap an error's text: Blender's pop-up would be wider than the screen."""
    wrapper = textwrap.TextWrapper(90, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*wrapper.wrap(error.message), *wrapper.wrap(error.remedy)])


def _values(group: Any, every: bool = False) -> dict[str, Any]:
    """Name -> value of the properties that are set. Collections become lists of dictionaries, in
    which Blender needs ``every`` property."""
    out: dict[str, Any] = {}
    for prop in group.bl_rna.properties:
        name = prop.identifier
        if name == "rna_type" or (prop.is_readonly and prop.type != "COLLECTION"):
            continue
        value = getattr(group, name)
        if prop.type == "COLLECTION":
            if len(value):
                out[name] = [_values(item, every=True) for item in value]
        elif every or group.is_property_set(name):
            out[name] = tuple(value) if getattr(prop, "is_array", False) else value
    return out


def show_all_layers(operator: Any, context: Any) -> None:
    """Raise the number of splats that Cycles sees behind each other, and say so."""
    for text in render_setup.raise_bounces(context.scene):
        operator.report({"INFO"}, f"For splats: {text}")


class _ProgressPrinter:
    """Prints progress: every new stage, and once a second within a stage."""

    def __init__(self) -> None:
        self._stage, self._time = "", 0.0

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        now = time.monotonic()
        if stage != self._stage or now - self._time > 1.0:
            self._stage, self._time = stage, now
            print(f"{stage} {int(100 * fraction)}%", flush=True)


class CancelJob(bpy.types.Operator):  # type: ignore[misc]
    """Stop the running job and discard what it has made"""

    bl_idname = "likeness.cancel_job"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        under_way = running.current_job()
        return under_way is not None and under_way.job is not None

    def execute(self, context: Any) -> set[str]:
        under_way = running.current_job()
        if under_way is not None and under_way.job is not None:
            under_way.job.cancel()
        return {"FINISHED"}


class ShowLog(bpy.types.Operator):  # type: ignore[misc]
    """Show the last lines of the worker's log"""

    bl_idname = "likeness.show_log"
    bl_label = "Show Log"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    def invoke(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = context.window_manager.invoke_popup(self, width=720)
        return answer

    def execute(self, context: Any) -> set[str]:
        for line in running.worker_log():
            print(line)
        return {"FINISHED"}

    def draw(self, context: Any) -> None:
        column = self.layout.column(align=True)
        lines = [line for line in running.worker_log() if line.strip()][-30:]
        for line in lines or ["The log is empty."]:
            column.label(text=line[:160], translate=False)


class CopyReport(bpy.types.Operator):  # type: ignore[misc]
    """Copy a report of the problem to the clipboard: versions, the request and the log. It
    contains the names of your files, but not their folders"""

    bl_idname = "likeness.copy_report"
    bl_label = "Copy Report"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return running.last_problem() is not None

    def execute(self, context: Any) -> set[str]:
        said = running.last_problem()
        if said is not None:
            context.window_manager.clipboard = said.report
            self.report({"INFO"}, "Copied the report to the clipboard")
        return {"FINISHED"}


class DismissProblem(bpy.types.Operator):  # type: ignore[misc]
    """Dismiss the message"""

    bl_idname = "likeness.dismiss_problem"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        running.dismiss_problem()
        running.redraw_views(context)
        return {"FINISHED"}


def _draw_status(header: Any, context: Any) -> None:
    under_way = running.current_job()
    if under_way is not None:
        row = header.layout.row(align=True)
        row.scale_x = 2.0
        text = status_text(under_way)
        row.progress(factor=under_way.fraction, type="BAR", text=text, translate=False)
        row.operator(CancelJob.bl_idname, text="", icon="X")


def status_text(under_way: running.RunningJob) -> str:
    """The running job, its progress and the time left, in one line, in the user's language."""
    title = under_way.shown_title
    if under_way.question is not None:
        return translate("{title}: waiting for you").format(title=title)
    if live_face.is_live():  # it has no end to come nearer to
        return title
    parts = (f"{title}: {under_way.fraction:.0%}", under_way.left)
    return ", ".join(part for part in parts if part)


def start() -> None:
    """Called when the extension is enabled."""
    running.register()
    bpy.types.STATUSBAR_HT_header.append(_draw_status)


def stop() -> None:
    """Called when the extension is disabled: ends the job."""
    bpy.types.STATUSBAR_HT_header.remove(_draw_status)
    running.unregister()


CLASSES = (CancelJob, ShowLog, CopyReport, DismissProblem)
