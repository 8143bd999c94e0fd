"""A bone of the rig that is to be created."""

from __future__ import annotations

from dataclasses import dataclass

from ...engine.core.types import FloatArray


@dataclass(frozen=True)
class ControlBone:
    """A bone to create.

    Attributes:
        name: of the bone.
        head: [3] metres, Blender's axes.
        tail: [3] metres, Blender's axes.
        z: [3] direction of the bone's z axis, Blender's axes.
        parent: name of the parent, or None.
    """

    name: str
    head: FloatArray
    tail: FloatArray
    z: FloatArray
    parent: str | None = None
