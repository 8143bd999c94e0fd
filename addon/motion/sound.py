"""The recording of a speaking avatar in the scene, so that playback is heard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

from ...engine.core.types import LikenessError

_CHANNELS = 128
"""Of Blender's sequencer."""


def add_sound(scene: Any, path: Path, frame: int) -> None:
    """Add a recording to the sequencer, or move the strip that plays it, and play in time with it.

    Args:
        scene: of Blender.
        path: the recording.
        frame: at which it begins.

    Raises:
        LikenessError: every channel of the sequencer is in use.
    """
    editor = scene.sequence_editor_create()
    wanted = _find_place(str(path))
    for strip in editor.strips:
        if strip.type == "SOUND" and strip.sound and _find_place(strip.sound.filepath) == wanted:
            strip.frame_start = frame
            break
    else:
        _add_strip(editor, path, frame)
    if scene.sync_mode == "NONE":
        scene.sync_mode = "AUDIO_SYNC"


def _add_strip(editor: Any, path: Path, frame: int) -> None:
    used = {strip.channel for strip in editor.strips}
    channel = next((k for k in range(1, _CHANNELS + 1) if k not in used), None)
    if channel is None:
        raise LikenessError(
            f"'{path}' was not added: all {_CHANNELS} channels of the sequencer are in use.",
            "Free a channel in the video sequencer, or turn Add Sound off.",
        )
    editor.strips.new_sound(path.stem, str(path), channel, frame)


def _find_place(path: str) -> str:
    """A path without ``//`` and ``..``, for comparison: saving makes Blender's paths relative."""
    return os.path.normcase(os.path.normpath(str(bpy.path.abspath(path))))
