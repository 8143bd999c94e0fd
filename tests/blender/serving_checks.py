"""Checks of the Blender that other checks run in."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import ModuleType

import bpy

NAME = "left behind"


def leave() -> None:
    """An object in the scene, a module, a variable and a temporary file."""
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(NAME, None))
    sys.modules[NAME] = ModuleType(NAME)
    os.environ[NAME] = "set"
    Path(bpy.app.tempdir, NAME).touch()


def look() -> list[bool]:
    """Whether :func:`leave` has left anything to this check."""
    there = list(Path(bpy.app.tempdir).iterdir())
    return [NAME in bpy.data.objects, NAME in sys.modules, NAME in os.environ, bool(there)]


def lose() -> None:
    """Remove the folder of temporary files, as Blender does with some settings."""
    Path(bpy.app.tempdir).rmdir()


def fail() -> None:
    raise ValueError("on purpose")


def die() -> None:
    print("about to die", flush=True)
    os.abort()


def hang() -> None:
    print("about to hang", flush=True)
    time.sleep(600)
