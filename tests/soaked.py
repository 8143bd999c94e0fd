"""Values of parametrized tests that run only when asked for."""

from __future__ import annotations

from typing import Any

import pytest


def if_asked(*values: Any) -> list[Any]:
    """Values for ``pytest.mark.parametrize`` that run with ``-m soak`` alone."""
    return [pytest.param(value, marks=pytest.mark.soak) for value in values]
