"""Values of parametrized tests that run only when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def if_asked(*values: Any) -> list[Any]:
    """Values for ``pytest.mark.parametrize`` that run with ``-m soak`` alone.

    A tuple holds the values of several arguments.
    """
    return [pytest.param(*_arguments(value), marks=pytest.mark.soak) for value in values]


def every_other(values: Iterable[Any]) -> list[Any]:
    """All values for ``pytest.mark.parametrize``; every second runs with ``-m soak`` alone.

    A tuple holds the values of several arguments.
    """
    out = []
    for k, value in enumerate(values):
        out.append(pytest.param(*_arguments(value), marks=[pytest.mark.soak] if k % 2 else []))
    return out


def _arguments(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
