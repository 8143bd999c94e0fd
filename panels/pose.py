"""Posing: rest poses, IK and FK, looking, the floor."""

from __future__ import annotations

CLASSES: tuple[type, ...] = ()
