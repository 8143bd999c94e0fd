"""Drivers that run everywhere: none of them is Python, whatever the auto-run preference says."""

from __future__ import annotations

from typing import Any


def drive(owner: Any, prop: str, source: Any, path: str, share: float = 1.0) -> Any:
    """Let ``owner.prop`` follow the property ``path`` of the object ``source``.

    Args:
        share: what it is multiplied by, which a *simple expression* does.
    """
    driver = owner.driver_add(prop).driver
    driver.type = "AVERAGE" if share == 1.0 else "SCRIPTED"
    variable = driver.variables.new()
    variable.name = "value"
    if share != 1.0:
        driver.expression = f"{share} * value"
    variable.type = "SINGLE_PROP"
    variable.targets[0].id = source
    variable.targets[0].data_path = path
    return driver


def add_property(
    bone: Any, name: str, low: float, high: float, soft: tuple[float, float], description: str
) -> str:
    """A number at 0 on a pose bone, which may be changed and keyed in a linked file's override too.

    Returns its path from the object.
    """
    bone[name] = 0.0
    bone.id_properties_ui(name).update(
        default=0.0,
        min=low,
        max=high,
        soft_min=soft[0],
        soft_max=soft[1],
        precision=2,
        step=1.0,
        description=description,
    )
    bone.property_overridable_library_set(f'["{name}"]', True)
    return f'pose.bones["{bone.name}"]["{name}"]'
