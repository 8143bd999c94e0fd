"""The face: presets and reset."""

from __future__ import annotations

CLASSES: tuple[type, ...] = ()
