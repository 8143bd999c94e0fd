"""The worker's question about a fit: accept it, choose another person, or correct it."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy

from ..addon import fit_preview, running
from ..addon.scene import fit_adjustment
from .errors import report_errors


def get_fit_question() -> dict[str, Any] | None:
    """The question about a fit that awaits its answer, or None."""
    under_way = running.current_job()
    question = under_way.question if under_way is not None else None
    return question if question is not None and question["kind"] == "fit" else None


def _answer(context: Any, answer: dict[str, Any]) -> None:
    under_way = running.current_job()
    assert under_way is not None
    assert under_way.job is not None
    under_way.job.answer(answer)
    running.redraw_views(context)


class _Asked:
    bl_options = {"INTERNAL"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return get_fit_question() is not None


class _Adjusting(_Asked):
    @classmethod
    def poll(cls, context: Any) -> bool:
        return get_fit_question() is not None and fit_adjustment.find_fit_scene() is not None


class AcceptFit(_Asked, bpy.types.Operator):  # type: ignore[misc]
    """Accept the fit and build the avatar"""

    bl_idname = "likeness.accept_fit"
    bl_label = "Continue"

    def execute(self, context: Any) -> set[str]:
        _answer(context, {"answer": "continue"})
        return {"FINISHED"}


class ChoosePerson(_Asked, bpy.types.Operator):  # type: ignore[misc]
    """Use this person in the photo instead"""

    bl_idname = "likeness.choose_person"
    bl_label = "Choose Person"

    index: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Person", description="Person, counted from the left from 1", default=1, min=1
    )

    def execute(self, context: Any) -> set[str]:
        _answer(context, {"answer": "person", "index": self.index})
        return {"FINISHED"}


class ShowFit(_Asked, bpy.types.Operator):  # type: ignore[misc]
    """Show the picture of the fit in a larger size"""

    bl_idname = "likeness.show_fit"
    bl_label = "Enlarge"

    def invoke(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = context.window_manager.invoke_popup(self, width=640)
        return answer

    def execute(self, context: Any) -> set[str]:
        return {"FINISHED"}

    def draw(self, context: Any) -> None:
        question = get_fit_question()
        if question is not None:
            picture = fit_preview.get_icon(Path(question["picture"]))
            self.layout.template_icon(icon_value=picture, scale=30.0)


class AdjustFit(_Asked, bpy.types.Operator):  # type: ignore[misc]
    """Correct the fit in a temporary scene that shows the body over the photo. Drag the handles
    to the shoulders, elbows, knees and so on, or rotate the bones"""

    bl_idname = "likeness.adjust_fit"
    bl_label = "Adjust"
    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012

    @report_errors
    def execute(self, context: Any) -> set[str]:
        question = get_fit_question()
        assert question is not None
        if fit_adjustment.find_fit_scene() is None:
            fit_adjustment.enter_fit_scene(context, Path(question["fit"]))
        return {"FINISHED"}


class Refit(_Adjusting, bpy.types.Operator):  # type: ignore[misc]
    """Fit the body again to the landmarks you have moved"""

    bl_idname = "likeness.refit"
    bl_label = "Refit"
    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        moved = fit_adjustment.read_moved_landmarks(fit_adjustment.find_fit_scene())
        if not moved:
            self.report({"WARNING"}, "Move a handle first")
            return {"CANCELLED"}
        fit_adjustment.leave_fit_scene(context)
        _answer(context, {"answer": "adjust", "landmarks": moved})
        return {"FINISHED"}


class UseThisPose(_Adjusting, bpy.types.Operator):  # type: ignore[misc]
    """Use the pose as it is now, without fitting again"""

    bl_idname = "likeness.use_this_pose"
    bl_label = "Use This Pose"
    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        pose = fit_adjustment.read_shown_pose(fit_adjustment.find_fit_scene())
        fit_adjustment.leave_fit_scene(context)
        shown = {"full_pose": pose.full_pose.tolist(), "transl": pose.transl.tolist()}
        _answer(context, {"answer": "adjust", "pose": shown})
        return {"FINISHED"}


class LeaveAdjusting(bpy.types.Operator):  # type: ignore[misc]
    """Discard the changes and remove the temporary scene"""

    bl_idname = "likeness.leave_adjusting"
    bl_label = "Back"
    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return fit_adjustment.find_fit_scene() is not None

    def execute(self, context: Any) -> set[str]:
        fit_adjustment.leave_fit_scene(context)
        return {"FINISHED"}


def stop() -> None:
    """Called when the extension is disabled: frees the picture."""
    fit_preview.clear_preview()


CLASSES = (AcceptFit, ChoosePerson, ShowFit, AdjustFit, Refit, UseThisPose, LeaveAdjusting)
