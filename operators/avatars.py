"""Avatars as wholes: duplicate, delete, mark as asset."""

from __future__ import annotations

CLASSES: tuple[type, ...] = ()
