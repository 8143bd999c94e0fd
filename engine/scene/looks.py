"""How avatars of a recorded scene look from frame to frame: grades and sliders that are keyed.

Blender records the avatar without grades, and the values of each frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..core.attributes import NAMES, apply_attributes
from ..core.grading import GRADED, Grade, grade_gaussians
from ..core.retouching import apply_retouch
from ..core.types import Avatar, FloatArray

GRADES_SHAPE = (len(GRADED), len(Grade()))
"""Of what :func:`pack_grades` returns."""
SLIDERS_SHAPE = (len(NAMES),)
"""Of what :func:`pack_sliders` returns."""
MAX_GRADE = 100.0
"""No number of a grade is beyond it; drivers may exceed the range of a slider."""


def pack_grades(grades: Mapping[str, Grade]) -> FloatArray:
    """Return grades [G, 3], in the order of ``GRADED``; those left out are neutral."""
    return np.array([grades.get(name, Grade()) for name in GRADED], np.float64)


def pack_sliders(sliders: Mapping[str, float]) -> FloatArray:
    """Return sliders' values [S], in the order of ``NAMES``; 0 for those left out."""
    return np.array([sliders.get(name, 0.0) for name in NAMES], np.float64)


@dataclass
class ChangingAvatar:
    """An avatar whose grades and sliders change over T frames.

    Attributes:
        avatar: with its sliders and its edits by hand, without grades.
        count: of Gaussians drawn at its level of detail.
        grades: [T, G, 3] as :func:`pack_grades`.
        sliders: [T, S] as :func:`pack_sliders`.
    """

    avatar: Avatar
    count: int
    grades: FloatArray
    sliders: FloatArray
    _last: tuple[bytes, Avatar] | None = field(default=None, repr=False)

    def at(self, t: int) -> Avatar:
        """Return the avatar as it looks in the t-th frame, without sliders and edits.

        Frames that look alike one after the other are made once.
        """
        key = self.grades[t].tobytes() + self.sliders[t].tobytes()
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        grades = {name: Grade(*row) for name, row in zip(GRADED, self.grades[t], strict=True)}
        values = dict(zip(NAMES, self.sliders[t].tolist(), strict=True))
        avatar = replace(
            self.avatar,
            gaussians=grade_gaussians(self.avatar.gaussians, grades),
            attributes=tuple(
                replace(one, value=values[one.name]) for one in self.avatar.attributes
            ),
        )
        shown = show_avatar(avatar, self.count)
        self._last = key, shown
        return shown


def show_avatar(avatar: Avatar, count: int) -> Avatar:
    """Return an avatar as its sliders and edits show it, without them.

    Args:
        avatar: with sliders and edits by hand.
        count: of Gaussians drawn; what is erased counts, as in Blender.
    """
    from ..gaussians.lod import simplify_avatar  # late: numba

    return apply_retouch(simplify_avatar(apply_attributes(avatar), count))
