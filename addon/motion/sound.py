"""The recording of a speaking avatar in the scene, so that playback is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def add_sound(scene: Any, path: Path, frame: int) -> None:
    """Add a recording to the sequencer, or move the strip that plays it, and play in time with it.

    Args:
        scene: of Blender.
        path: the recording.
        frame: at which it begins.
    """
    editor = scene.sequence_editor_create()
    for strip in editor.strips:
        if strip.type == "SOUND" and strip.sound and Path(strip.sound.filepath) == path:
            strip.frame_start = frame
            return
    used = {strip.channel for strip in editor.strips}
    channel = next(k for k in range(1, 129) if k not in used)
    editor.strips.new_sound(path.stem, str(path), channel, frame)
    if scene.sync_mode == "NONE":
        scene.sync_mode = "AUDIO_SYNC"
