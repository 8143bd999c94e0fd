"""Modal operators that end early; run inside bpy, see test_retouch.py."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from likeness.operators.sliced_operator import SlicedOperator


def ended_slices() -> list[str]:
    """What operators in slices leave that Blender ends, or that fail."""
    left: list[str] = []

    class Work(SlicedOperator):
        def steps(self, context: Any) -> Any:
            try:
                yield
                time.sleep(0.1)  # longer than a slice
                yield
                raise ReferenceError("gone")
            finally:
                left.append("put back")

    manager = SimpleNamespace(
        event_timer_add=lambda seconds, window: "timer",
        event_timer_remove=left.append,
        modal_handler_add=lambda operator: True,
    )
    context = SimpleNamespace(window="window", window_manager=manager)
    event = SimpleNamespace(type="TIMER")
    cancelled, failed = Work(), Work()
    cancelled.invoke(context, event)
    cancelled.modal(context, event)
    cancelled.cancel(context)
    left.append("cancelled")
    failed.invoke(context, event)
    try:
        while True:
            failed.modal(context, event)
    except ReferenceError:
        left.append("failed")
    return left
