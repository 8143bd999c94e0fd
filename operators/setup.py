"""Buttons of the preferences: check the setup, download models, clear caches."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon import setup_state
from .job_operator import JobOperator


class CheckEngine(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Start the worker in the chosen Python environment, and check its packages, PyTorch and the
    GPU"""

    bl_idname = "likeness.check_engine"
    bl_label = "Check Engine"
    changes_scene = False

    def request(self, context: Any) -> dict[str, Any]:
        return {"task": "environment"}

    def done(self, context: Any, result: dict[str, Any]) -> None:
        setup_state.remember_environment(context, result)


class ExamineComputer(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Run every check of this computer, and write a report to attach to a bug report"""

    bl_idname = "likeness.examine_computer"
    bl_label = "Examine Computer"
    changes_scene = False

    def request(self, context: Any) -> dict[str, Any]:
        return {"task": "doctor"}

    def done(self, context: Any, result: dict[str, Any]) -> None:
        path = setup_state.remember_doctor(context, result)
        self.report({"INFO"}, f"The report is in {path}")


class RefreshSetup(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Check the installed models, the size of the caches and the body file"""

    bl_idname = "likeness.look_around"
    bl_label = "Check Setup"
    changes_scene = False

    def request(self, context: Any) -> dict[str, Any]:
        return setup_state.setup_request(context)

    def done(self, context: Any, result: dict[str, Any]) -> None:
        setup_state.remember_setup(context, result)


class ClearCache(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Delete cached data. Avatars and models are kept"""

    bl_idname = "likeness.clear_cache"
    bl_label = "Clear Cache"
    changes_scene = False

    def ask(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = context.window_manager.invoke_confirm(
            self,
            event,
            title="Clear Cache",
            message="Delete cached data. Avatars and models are kept",
            confirm_text="Clear Cache",
        )
        return answer

    def request(self, context: Any) -> dict[str, Any]:
        return setup_state.setup_request(context, clear=True)

    def done(self, context: Any, result: dict[str, Any]) -> None:
        setup_state.remember_setup(context, result)


class DownloadModel(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Download a model from its publisher after you accept its licence"""

    bl_idname = "likeness.download_model"
    bl_label = "Download Model"
    changes_scene = False

    model: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Model", description="Name of the model", options={"SKIP_SAVE"}
    )
    accept_licence: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="I Accept the Licence",
        description="You have read the licence of the model and accept it",
        options={"SKIP_SAVE"},
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = context.window_manager.invoke_props_dialog(
            self, width=420, title="Download Model", confirm_text="Download"
        )
        return answer

    def draw(self, context: Any) -> None:
        column = self.layout.column()
        for entry, _, _ in setup_state.research_rows(context):
            if entry.name == self.model:
                column.label(text=f"{entry.name} {setup_state.model_size(entry)}", translate=False)
                column.label(text=entry.purpose, translate=False)
                column.label(text=entry.licence, icon="INFO", translate=False)
                column.operator("wm.url_open", text="Page", icon="URL").url = entry.page
        column.prop(self, "accept_licence")

    def request(self, context: Any) -> dict[str, Any]:
        return setup_state.download_request(context, self.model, self.accept_licence)

    def done(self, context: Any, result: dict[str, Any]) -> None:
        setup_state.remember_model(context, result["model"], result["path"])


CLASSES = (CheckEngine, ExamineComputer, RefreshSetup, ClearCache, DownloadModel)
