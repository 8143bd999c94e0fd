"""Drivers without Python, which work regardless of the auto-run preference."""

from __future__ import annotations

from typing import Any


def drive(owner: Any, prop: str, source: Any, path: str, share: float = 1.0) -> Any:
    """Drive ``owner.prop`` by the property ``path`` of the object ``source``.

    Args:
        owner: of the driven property.
        prop: its name.
        source: the driving object.
        path: of the driving property.
        share: factor, by a *simple expression*.
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
    """Add a custom property at 0 to a pose bone, editable in library overrides, too.

    Returns:
        Its data path from the object.
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
