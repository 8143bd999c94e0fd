"""Options that several imports share: the person, lens and camera of a photo or video, with
choices such as "Largest" and "From the Photo", and the names of bones.

The properties ``person`` and ``fov`` hold 0 for these; scripts set them as before.
"""
# No postponed annotations here: Blender reads properties from them.

import math
from typing import Any

import bpy

from ..addon.preferences import bone_ends_property, get_preferences

_FIRST_FOV = 50.0
"""Degrees, of a lens as the eye sees; where the slider begins."""


def _choose_person(self: Any, number: int) -> None:
    self.person = number


def _choose_lens(self: Any, number: int) -> None:
    self.fov = _FIRST_FOV * number


def _set_angle(self: Any, radians: float) -> None:
    self.fov = math.degrees(radians)


class BoneOptions:
    """A mixin for operators that make an avatar."""

    bone_ends: bone_ends_property(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def suggest_bones(self, context: Any) -> None:
        """Use the preference, unless the caller has set ``bone_ends``."""
        if not self.properties.is_property_set("bone_ends"):  # type: ignore[attr-defined]
            self.bone_ends = get_preferences(context).bone_ends


class PhotoOptions:
    """A mixin for operators with ``person`` (0: largest) and ``fov`` in degrees (0: unknown)."""

    person_choice: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Person",
        description="Which of several people",
        items=[
            ("LARGEST", "Largest", "The largest person, or the one you choose when asked"),
            ("NUMBER", "By Number", "Counted from the left, from 1"),
        ],
        get=lambda self: int(self.person > 0),
        set=_choose_person,
        options={"SKIP_SAVE"},
    )
    lens_choice: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Lens",
        description="Where the field of view comes from",
        items=[
            ("PHOTO", "From the Photo", "What the file says of its lens, or an estimate"),
            ("ANGLE", "Known", "You know the field of view"),
        ],
        get=lambda self: int(self.fov > 0),
        set=_choose_lens,
        options={"SKIP_SAVE"},
    )
    fov_angle: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Field of View",
        description="Field of view along the longer side",
        subtype="ANGLE",
        min=math.radians(1),
        max=math.radians(170),
        get=lambda self: math.radians(self.fov),
        set=_set_angle,
        options={"SKIP_SAVE"},
    )

    camera_choice: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Camera",
        description="How the camera was held, so that the person stands upright",
        items=[
            ("ESTIMATED", "Estimated", "From how the person stands or sits"),
            ("PITCH", "Known", "You know how far the camera looks down"),
        ],
        options={"SKIP_SAVE"},
    )
    camera_pitch: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Camera Pitch",
        description="How far the camera looks down, in degrees; negative: up",
        min=-60.0,
        max=60.0,
        options={"SKIP_SAVE"},
    )

    estimator: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Estimator",
        description="Poses or models of other programs to begin with, separated by semicolons; "
        "empty for none",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    @property
    def estimates(self) -> tuple[str, ...]:
        """The files of other programs' poses."""
        paths = (path.strip() for path in self.estimator.split(";"))
        return tuple(bpy.path.abspath(path) for path in paths if path)

    @property
    def known_pitch(self) -> float | None:
        """The camera's pitch in degrees, if the user knows it."""
        return self.camera_pitch if self.camera_choice == "PITCH" else None

    def draw_photo(self, layout: Any) -> None:
        """Draw the choices, and the numbers that they need."""
        layout.prop(self, "person_choice")
        if self.person:  # type: ignore[attr-defined]
            layout.prop(self, "person", text="Number")
        layout.prop(self, "lens_choice")
        if self.fov:  # type: ignore[attr-defined]
            layout.prop(self, "fov_angle")
        layout.prop(self, "camera_choice")
        if self.camera_choice == "PITCH":
            layout.prop(self, "camera_pitch")
        layout.prop(self, "estimator", placeholder="None")
