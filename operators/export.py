"""What leaves Blender."""

from __future__ import annotations

CLASSES: tuple[type, ...] = ()
