"""Where the engine's spaces lie in an armature's space.

The armature's origin is on the floor below the pelvis. Two points of the engine have their places
there: the origin of the photo's space (its camera, from which ``Pose.transl`` and posed vertices
are measured), and the origin of the body's template, which stands on the floor at rest as well.
Armatures of earlier versions lack the property: there, both points are the armature's origin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mathutils import Matrix

from ...engine.core.types import FloatArray
from .. import keys


def set_origin(armature: Any, photo: FloatArray, template: FloatArray) -> None:
    """Store the places [3] of both origins: metres, the armature's space, Blender's axes."""
    armature[keys.ORIGIN] = [*map(float, photo), *map(float, template)]


def photo_origin(armature: Any) -> FloatArray:
    """[3] place of the origin of the photo's space."""
    return _read(armature)[:3]


def template_origin(armature: Any) -> FloatArray:
    """[3] place of the origin of the body's template."""
    return _read(armature)[3:]


def photo_matrix(armature: Any) -> Matrix:
    """[4, 4] the photo's space to the armature's, in Blender's axes."""
    return Matrix.Translation(photo_origin(armature).tolist())


def _read(armature: Any) -> FloatArray:
    return np.array(armature.get(keys.ORIGIN, (0.0,) * 6), np.float64)
