"""Drivers without Python, which work regardless of the auto-run preference."""

from __future__ import annotations

from typing import Any


def drive(
    owner: Any, prop: str, source: Any, path: str, expression: str = "", **others: str
) -> Any:
    """Drive ``owner.prop`` by the property ``path`` of the object ``source``.

    Args:
        owner: of the driven property.
        prop: its name.
        source: the driving object.
        path: of the driving property.
        expression: a *simple expression* of ``value``; the value itself without one.
        others: paths of further properties of ``source``, by their names in ``expression``.
    """
    driver = owner.driver_add(prop).driver
    driver.type = "SCRIPTED" if expression else "AVERAGE"
    if expression:
        driver.expression = expression
    for name, read in {"value": path, **others}.items():
        variable = driver.variables.new()
        variable.name = name
        variable.type = "SINGLE_PROP"
        variable.targets[0].id = source
        variable.targets[0].data_path = read
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


def add_choice(bone: Any, name: str, choices: list[str], default: int, description: str) -> str:
    """Add a custom property with named values, counted from 0, to a pose bone.

    Returns:
        Its data path from the object.
    """
    bone[name] = default
    items = [(choice.upper(), choice, "", 0, k) for k, choice in enumerate(choices)]
    ui = bone.id_properties_ui(name)
    ui.update(default=default, min=0, max=len(choices) - 1, description=description, items=items)
    bone.property_overridable_library_set(f'["{name}"]', True)
    return f'pose.bones["{bone.name}"]["{name}"]'
