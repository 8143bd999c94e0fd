"""Baking the default body from MPFB2's CC0 data (run once, by ``build.py assets``)."""

from .bake import bake_body

__all__ = ["bake_body"]
