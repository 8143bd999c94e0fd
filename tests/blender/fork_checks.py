"""What a check leaves behind, run inside Blender: nothing of it may reach the next one."""

from __future__ import annotations

import os
import signal

import bpy


def leave() -> list[str]:
    """An object, a property of a class and a variable."""
    bpy.data.meshes.new("left behind")
    bpy.types.Scene.left_behind = bpy.props.IntProperty()
    os.environ["LEFT_BEHIND"] = "1"
    return look()


def look() -> list[str]:
    """What is left of that."""
    found = {
        "mesh": "left behind" in bpy.data.meshes,
        "property": hasattr(bpy.types.Scene, "left_behind"),
        "variable": "LEFT_BEHIND" in os.environ,
    }
    return [name for name, there in found.items() if there]


def crash() -> None:
    """The end of a process without a word."""
    print("about to crash", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ValueError("wrong")
