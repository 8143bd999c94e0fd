"""``likeness convert``: a user's own character to a subject for ``likeness synth``."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from ...engine.core.types import LikenessError
from .console import terminal_progress
from .options import OutputFolder

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("character", metavar="CHARACTER", type=FILE)
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    required=True,
    type=OutputFolder(),
    help="Folder of the subject: subject.json, body.npz, parts.npz, textures, preview.png.",
)
@click.option("-v", "--verbose", is_flag=True, help="Also print the whole report as JSON.")
def convert(character: Path, out: Path, verbose: bool) -> None:
    """Fit the body model to a foreign character (.blend, .glb, .gltf, .fbx, .obj).

    The file may be of any scale, with or without a rig. The subject holds the character unchanged,
    in its pose, and the body's parameters; the report gives the distance between the two.
    """
    from ...engine.synth.characters.conversion import check_subject_folder, convert_to_folder
    from ..characters import check_source

    check_source(character)
    check_subject_folder(out)
    click.echo(f"{character} -> {out}", err=True)
    with terminal_progress() as progress:
        progress("open", 0.0, "opening the file in Blender")
        report = convert_to_folder(read_in_blender(character), character, out, progress)
    for line in report["notes"] + report["warnings"]:
        click.echo(f"  warning: {line}", err=True)
    if verbose:
        click.echo(json.dumps(report, indent=2))
    click.echo(format_fit_summary(report))


def format_fit_summary(report: dict[str, Any]) -> str:
    """The figures in a few lines."""
    lines = ["Body to character, mm (rms, 95 %):"]
    for name, region in report["regions"].items():
        if region["rms_mm"] is not None:
            at = "skin" if region["skin"] >= 0.5 else "hair" if region["hair"] > 0.5 else "clothes"
            lines.append(
                f"  {name:<6} {region['rms_mm']:6.1f} {region['p95_mm']:6.1f}  mostly {at}"
            )
    if report["joints_mm"]:
        errors = report["joints_mm"].values()
        lines.append(f"  joints {sum(errors) / len(errors):6.1f} mean, {len(errors)} of the rig")
    lines.append(f"Outside its clothes: {100 * report['outside_clothes']:.1f} % of what is dressed")
    return "\n".join(lines)


READ_SECONDS = 1800.0
"""Time limit for opening a character in Blender."""

MIN_READ_MB, MB_FOR_EACH = 6144.0, 40.0
"""Its memory limit: for any file, and more for each MB of it. A damaged file can declare more than
any machine has, and Blender tries to allocate that."""


def read_in_blender(
    path: Path, seconds: float = READ_SECONDS, memory_mb: float | None = None
) -> Any:
    """The character in a file, opened in this process if it is Blender, else in another.

    Args:
        path: the character's file.
        seconds: time limit of the other process.
        memory_mb: its memory limit; what the file's size needs, at most the machine's, if not
            given.

    Raises:
        LikenessError: Blender is not there, cannot open the file, or exceeds a limit.
    """
    from ...engine.synth.characters.character import load_character
    from ..characters import read_character
    from ..workers.plan import compute_memory_share
    from ..workers.watchdog import ResourceLimitError, run_limited

    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        if "bpy" in sys.modules:
            read_character(path, Path(folder))
            return load_character(Path(folder), path.name)
        if importlib.util.find_spec("bpy") is None:
            raise LikenessError(
                "Blender's Python module bpy is not installed, which opens characters.",
                "Run 'pip install bpy==4.5.15', or 'blender --command likeness convert ...'.",
            )
        # A process of its own: bpy keeps one scene, and its exit is not always clean.
        module = f"{__package__.rpartition('.')[0]}.characters"
        command = [sys.executable, "-m", module, str(path.absolute()), folder]
        if memory_mb is None:
            needed = MIN_READ_MB + MB_FOR_EACH * path.stat().st_size / 2**20
            memory_mb = min(compute_memory_share(1.0), needed)
        try:
            done = run_limited(command, seconds, memory_mb)
        except ResourceLimitError as error:
            raise LikenessError(
                f"Blender could not read '{path}': {error}.",
                "Open it in Blender, simplify it, and save it as .blend.",
            ) from error
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            said = [line[len("likeness: ") :] for line in lines if line.startswith("likeness: ")]
            if done.returncode == 2 and said:
                message, _, remedy = said[-1].partition(". ")
                raise LikenessError(message.rstrip(".") + ".", remedy)
            raise LikenessError(
                f"Blender could not read '{path}': {lines[-1] if lines else 'it stopped'}.",
                "Open it in Blender and save it as .blend.",
            )
        return load_character(Path(folder), path.name)
