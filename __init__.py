"""Likeness: one portrait in, an animatable 3D Gaussian avatar out.

This folder is a Python package and a Blender extension at once.
"""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    import bpy

    from . import operators, panels
    from .addon import command, preferences, properties, translations

    for cls in preferences.CLASSES:
        bpy.utils.register_class(cls)
    translations.register()
    properties.register()
    operators.register()
    panels.register()
    command.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    import bpy

    from . import operators, panels
    from .addon import command, preferences, properties, translations

    command.unregister()
    panels.unregister()
    operators.unregister()
    properties.unregister()
    translations.unregister()
    for cls in reversed(preferences.CLASSES):
        bpy.utils.unregister_class(cls)
