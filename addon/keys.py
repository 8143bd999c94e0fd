"""Keys of the custom properties that Likeness writes into .blend files. No bpy here.

They are part of the files: a renamed key orphans what older files hold under it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PART = "likeness_part"
"""On each object of an avatar: ``armature``, ``body``, ``splats``, ``camera``, ``shadow`` or
``proxy``."""

# On the armature object.
FORMAT = "likeness_format"
"""Version of the object layout (``SCENE_FORMAT``)."""
AVATAR_FILE = "likeness_avatar"
"""Path of the avatar file; empty if there was none."""
PROVENANCE = "likeness_provenance"
"""The avatar's provenance as JSON."""
FRAMING = "likeness_framing"
"""What the photo shows of the person: the avatar's ``framing``."""
PHOTO_POSE = "likeness_photo_pose"
"""The photo's full_pose [165], transl [3] and expression [E], concatenated."""

ORIGIN = "likeness_origin"
"""Places of the origins of the photo's space and of the body's template, 3 + 3 metres in the
armature's space; both zero where it is missing. See ``addon/scene/origin.py``."""

BONE_ENDS = "likeness_bone_ends"
"""True where bones are named ``hip.L`` instead of ``left_hip``."""
MOTIONS = "likeness_motions"
"""The avatar's motions: {number: action}."""

# On the body's mesh.
PERSON = "likeness_person"
"""The avatar without its Gaussians, as bytes packed by ``engine/scene/files.py``."""
OWN_VERTICES = "likeness_own_vertices"
"""Number of vertices of the body itself; those of pieces that the lift adds follow."""

# On the mesh to paint and sculpt.
PROXY_BEFORE = "likeness_before_paint"
"""Bytes: the texture that the splats have, packed; what differs from it was painted."""

# On camera objects.
CAMERA_OF = "likeness_camera_of"
"""The armature object whose photo the camera took. The camera has no parent."""
RESOLUTION = "likeness_resolution"
"""Width and height of the photo in pixels."""
PIXEL_ASPECT = "likeness_pixel_aspect"
"""fx / fy of the photo."""

# On the armatures and splats of crowds, which are not avatars of their own.
CROWD = "likeness_crowd"
"""``member`` on an armature, ``splats`` on its splats."""

# On the empties that the asset browser leaves.
WARDROBE_ITEM = "likeness_item"
"""What of the wardrobe the empty stands for, such as ``hat=fedora``."""

# On splat objects.
FAST_SPLATS = "likeness_fast_splats"
"""Fast splats were on when the file was saved, or before Edit Mode."""
STATIC_SPLATS = "likeness_static_splats"
"""True on splats without an avatar."""

# On actions.
MOTION = "likeness_motion"
"""The file or armature that the motion came from."""
MOTION_NOTES = "likeness_motion_notes"
"""What was decided or left out when the action was made, as a JSON list of texts."""

# On scenes.
SETTINGS_BEFORE = "likeness_before_setup"
"""The settings before Set Up Scene for Splats, as JSON {path: value}."""

MOTION_RANGE = "likeness_motion_range"
"""The frame range [start, end] that the last imported motion has set."""

# On screens.
SOLID_VIEWS = "likeness_solid_views"
"""Indices of the areas whose 3D view was solid when the file was saved with fast splats, or before
Edit Mode."""

# On the shared data of a file: version of what it holds.
VERSION = "likeness_version"
"""On the splats' node group and materials."""
LIT = "likeness_lit"
"""True on the splats' materials that the scene lights."""
NATIVE_VERSION = "likeness_native_version"
"""On the node group of Blender's own splats."""
STATIC_VERSION = "likeness_static_version"
"""On the node group of static splats."""
SHADOW_VERSION = "likeness_shadow_version"
"""On the node group and material of shadow proxies."""
BONE_SHAPE = "likeness_shape"
"""On the objects that draw bones: name of the shape."""

# On the scene in which a fit is corrected, which is never saved on purpose.
FIT = "likeness_fit"
"""On that scene: name of the scene to return to. Empty on everything made for it."""
FIT_CAMERA = "likeness_camera"
"""On that scene: K [9], width and height of the photo's camera."""
FIT_LANDMARK = "likeness_landmark"
"""On a handle: name of its landmark."""
FIT_PLACE = "likeness_place"
"""On a handle: the detected position of its landmark, pixels of the photo."""


def find_own(blocks: Iterable[Any], key: str, value: Any) -> Any | None:
    """The data block of this file, not of a linked one, whose property ``key`` is ``value``."""
    return next((b for b in blocks if b.get(key) == value and b.library is None), None)
