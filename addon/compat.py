"""Differences between the supported Blender versions, in one place.

Tested: 4.5 LTS and 5.0 by the suite, 5.2 LTS by hand.
"""

from __future__ import annotations

from typing import Any

import bpy

from .translations import CONTEXT


def eevee_id() -> str:
    """EEVEE's engine id: ``BLENDER_EEVEE_NEXT`` up to 4.5, ``BLENDER_EEVEE`` from 5.0."""
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def ensure_cycles() -> None:
    """Enable Cycles, an add-on that is off in a fresh bpy module."""
    if "cycles" not in bpy.context.preferences.addons:
        import addon_utils

        addon_utils.enable("cycles", default_set=True)


def open_empty_file() -> None:
    """Replace the open file with an empty one with factory settings.

    Preferences are kept: factory preferences would disable all extensions including this one, and
    Blender would unload their packages while they are in use.
    """
    bpy.ops.wm.read_homefile(app_template="", use_factory_startup=True, use_empty=True)


def enable_nodes(owner: Any) -> None:
    """Give a material or world its node tree, which is automatic from 5.0 on."""
    if bpy.app.version < (5, 0, 0):
        owner.use_nodes = True


def keeps_collection_pictures() -> bool:
    """Whether a part of a scene is written with its collections' previews, which 5.0 leaves out."""
    return bool(bpy.app.version[:2] != (5, 0))


def set_png(image_settings: Any) -> None:
    """Set the output to 8-bit RGBA PNG; 5.0 needs the media type before the format."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "IMAGE"
    image_settings.file_format = "PNG"
    image_settings.color_mode = "RGBA"
    image_settings.color_depth = "8"


def set_modifier_input(modifier: Any, identifier: str, value: Any) -> None:
    """Set an input of a geometry nodes modifier; a custom property before 5.2."""
    if hasattr(modifier, "properties"):
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value


def get_modifier_input(modifier: Any, identifier: str) -> Any:
    """An input of a geometry nodes modifier; see :func:`set_modifier_input`."""
    if hasattr(modifier, "properties"):
        return getattr(modifier.properties.inputs, identifier).value
    return modifier[identifier]


def draw_modifier_input(layout: Any, modifier: Any, identifier: str, text: str) -> None:
    """Draw an input of a geometry nodes modifier in a panel, in our words."""
    if hasattr(modifier, "properties"):
        owner = getattr(modifier.properties.inputs, identifier)
        layout.prop(owner, "value", text=text, text_ctxt=CONTEXT)
    else:
        layout.prop(modifier, f'["{identifier}"]', text=text, text_ctxt=CONTEXT)


def get_hide_owner(bone: Any) -> Any:
    """The owner of a pose bone's property ``hide``; before 5.0 the armature's bone."""
    return bone if hasattr(bone, "hide") else bone.bone


def hide_bone(bone: Any, hidden: bool) -> None:
    """Hide or show a pose bone."""
    get_hide_owner(bone).hide = hidden
