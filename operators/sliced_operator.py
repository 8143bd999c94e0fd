"""Operators that work in slices, so that Blender's window does not freeze."""
# No postponed annotations here: Blender reads properties from them.

import time
from collections.abc import Generator
from typing import Any

from ..addon.scene.steps import run_to_end
from .errors import report_errors

_SLICE_SECONDS = 0.03


class SlicedOperator:
    """An operator whose work is a generator; a mixin."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def steps(self, context: Any) -> Generator[None, None, Any]:
        """The work in slices of some hundredths of a second.

        Raises:
            LikenessError: It cannot be done.
        """
        raise NotImplementedError

    def describe(self, count: Any) -> str:
        """What was done, from what the generator returned; empty where it shows."""
        raise NotImplementedError

    @report_errors
    def execute(self, context: Any) -> set[str]:
        """Run at once: without a window, and from the redo panel."""
        return self._done(context, run_to_end(self.steps(context)))

    def invoke(self, context: Any, event: Any) -> set[str]:
        if context.window is None:
            return self.execute(context)
        self._slices = self.steps(context)
        self._timer = context.window_manager.event_timer_add(0.001, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    @report_errors
    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type != "TIMER":  # nothing may change the avatar meanwhile
            return {"RUNNING_MODAL"}
        end = time.perf_counter() + _SLICE_SECONDS
        try:
            while time.perf_counter() < end:
                next(self._slices)
        except StopIteration as done:
            self.cancel(context)
            return self._done(context, done.value)
        except BaseException:  # else the timer would wake Blender for ever
            self.cancel(context)
            raise
        return {"RUNNING_MODAL"}

    def cancel(self, context: Any) -> None:
        """Blender ends the operator, such as when its window closes; also its own end."""
        context.window_manager.event_timer_remove(self._timer)
        self._slices.close()  # now, while what its ``finally`` clauses put back is there

    def _done(self, context: Any, count: Any) -> set[str]:
        if said := self.describe(count):
            self.report({"INFO"}, said)  # type: ignore[attr-defined]
        return {"FINISHED"}
