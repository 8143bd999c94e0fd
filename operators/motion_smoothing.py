"""The jitter of an action, smoothed."""
# No postponed annotations here: Blender reads properties from them.

import time
from collections.abc import Generator
from typing import Any

import bpy

from ..addon.motion import actions, record
from ..addon.scene.avatar_objects import find_avatar, get_chosen_avatar
from ..addon.scene.steps import run_to_end
from ..engine.core.types import LikenessError
from .avatar_operator import format_count

_SLICE_SECONDS = 0.03


class SmoothMotion(bpy.types.Operator):  # type: ignore[misc]
    """Remove jitter from the avatar's action, without delay; cuts are kept"""

    bl_idname = "likeness.smooth_motion"
    bl_label = "Smooth Motion"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    seconds: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Seconds",
        description="Remove movements shorter than this",
        default=0.05,
        min=0.005,
        max=2.0,
        soft_max=0.3,
        step=1,
        precision=3,
    )
    keep_feet: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep Feet", description="Keep the standing foot in place", default=True
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = find_avatar(context.object)
        if avatar is None or not _animated(avatar.armature):
            cls.poll_message_set("The active avatar has no action")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        """Run at once: without a window, and from the redo panel."""
        try:
            count = run_to_end(self._steps(context))
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self._done(context, count)

    def invoke(self, context: Any, event: Any) -> set[str]:
        if context.window is None:
            return self.execute(context)
        self._slices = self._steps(context)
        self._timer = context.window_manager.event_timer_add(0.001, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type != "TIMER":  # nothing may change the action meanwhile
            return {"RUNNING_MODAL"}
        end = time.perf_counter() + _SLICE_SECONDS
        try:
            while time.perf_counter() < end:
                next(self._slices)
        except StopIteration as done:
            self.cancel(context)
            return self._done(context, done.value)
        except LikenessError as error:
            self.cancel(context)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def cancel(self, context: Any) -> None:
        context.window_manager.event_timer_remove(self._timer)

    def _steps(self, context: Any) -> Generator[None, None, int]:
        avatar = get_chosen_avatar(context)
        sigma = self.seconds * record.get_frame_rate(context.scene)
        return (
            yield from actions.smooth_action(
                avatar.armature, sigma, self.keep_feet, record.describe_target(avatar)
            )
        )

    def _done(self, context: Any, count: int) -> set[str]:
        context.scene.frame_set(context.scene.frame_current)
        self.report({"INFO"}, f"Smoothed {format_count(count, 'curve', 'curves')}")
        return {"FINISHED"}


def _animated(armature: Any) -> bool:
    data = armature.animation_data
    return data is not None and data.action is not None


CLASSES = (SmoothMotion,)
