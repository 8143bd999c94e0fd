"""``likeness speak``: a recording to the motion file of a speaking face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ...engine.workflows.options import SpeakOptions
from .console import terminal_progress
from .options import FILE, body_option, options_from, out_option


@click.command()
@click.argument("audio", metavar="AUDIO|LIPSYNC", type=FILE)
@out_option("Motion file to write, with SMPL-X's keys (docs/MOTION.md).", "NPZ")
@options_from(SpeakOptions)
@body_option
@click.option("-v", "--verbose", is_flag=True, help="Also print all figures as JSON.")
def speak(audio: Path, out: Path, body: Path | None, verbose: bool, **chosen: Any) -> None:
    """Animate a face from a recording: mouth, jaw, blinks and a little of the head.

    AUDIO is a WAV, MP3, M4A, FLAC or OGG file or a video with sound; LIPSYNC a file of Rhubarb
    (.tsv, .xml, .json), Papagayo (.pgo, .pg2) or Moho (.dat). Everything runs on this computer.
    """
    from ...engine.workflows.speak_files import speak_to_file, summarize_speech

    click.echo(f"{audio} -> {out}", err=True)
    with terminal_progress() as progress:
        files = speak_to_file(audio, out, SpeakOptions(**chosen), body_path=body, progress=progress)
    for note in files.speech.notes:
        click.echo(f"  note: {note}", err=True)
    if verbose:
        click.echo(json.dumps(files.report, indent=2))
    click.echo(summarize_speech(files))
