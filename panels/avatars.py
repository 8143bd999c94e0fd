"""The avatars of the scene."""

from __future__ import annotations

CLASSES: tuple[type, ...] = ()
