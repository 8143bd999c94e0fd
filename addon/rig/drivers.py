"""Drivers that run everywhere: none of them is Python, whatever the auto-run preference says."""

from __future__ import annotations

from typing import Any


def drive(owner: Any, prop: str, source: Any, path: str) -> Any:
    """Let ``owner.prop`` follow the property ``path`` of the object ``source``."""
    driver = owner.driver_add(prop).driver
    driver.type = "AVERAGE"
    variable = driver.variables.new()
    variable.type = "SINGLE_PROP"
    variable.targets[0].id = source
    variable.targets[0].data_path = path
    return driver
