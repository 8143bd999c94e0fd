"""Motions in and out."""

from __future__ import annotations

CLASSES: tuple[type, ...] = ()
