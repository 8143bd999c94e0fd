"""Errors of operators' work, shown as Blender shows its own."""

import functools
from collections.abc import Callable
from typing import Any

from ..engine.core.types import LikenessError


def report_errors(method: Callable[..., set[str]]) -> Callable[..., set[str]]:
    """Decorate an operator's method: a ``LikenessError`` is reported, and cancels the operator."""

    def attempt(operator: Any, *given: Any) -> set[str]:
        try:
            return method(operator, *given)
        except LikenessError as error:
            operator.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    # Blender counts the parameters of what it calls.
    @functools.wraps(method)
    def with_event(self: Any, context: Any, event: Any) -> set[str]:
        return attempt(self, context, event)

    @functools.wraps(method)
    def without_event(self: Any, context: Any) -> set[str]:
        return attempt(self, context)

    return with_event if method.__code__.co_argcount == 3 else without_event
