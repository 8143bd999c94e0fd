"""Time the waits of a user in Blender's window, from dropping a photo to posing the avatar.

    python benchmarks/windowed.py --blender EXE [--photo PHOTO] [--zip ZIP] [--looking SECONDS]
    python benchmarks/windowed.py --blender EXE --zip ZIP --quick   # without photos: no build fits

Everything happens in a fresh profile. The extension is installed; a first photo is dropped after
``--looking`` seconds, in which the extension compiles the engine in the background, and the others
once everything is compiled. A 10 ms timer inside Blender finds the longest time in which the
window did not respond, with and without a job; every call of the extension is timed, too, because
software GL makes the drawing itself slow. See docs/gui_tests.md for the choices of EXE.

``--quick`` drops no photo: it opens an avatar, poses and plays it, and leaves out of its JSON line
what only a build shows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
GUI = HERE.parent / "tests" / "gui"
sys.path[:0] = [str(GUI), str(HERE.parent)]  # the tests' helpers, and the package ``tests``

from conftest import sample_avatar, zip_for  # noqa: E402
from likeness.engine.files.weights import cache_assets_dir  # noqa: E402
from render import describe_machine, format_machine  # noqa: E402
from window import blender_window, missing  # noqa: E402

DROPS = (
    ("cold", "DRAFT", "SOLID"),
    ("solid", "DRAFT", "SOLID"),
    ("material", "DRAFT", "MATERIAL"),
    ("standard", "STANDARD", "SOLID"),
)
"""Name, quality and shading of each measured drop, in order."""


def measure_window(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures, from one Blender."""
    photo = Path(shutil.copy2(options.photo, folder))
    avatar = folder / "avatar.safetensors"
    sample_avatar(avatar, options.splats)
    scenarios, measurements = GUI / "scenarios.py", GUI / "measurements.py"
    with blender_window(options.blender, folder, shots=options.shots, simulate=False) as window:
        if options.zip:
            os.environ["LIKENESS_ZIP"] = str(options.zip.absolute())
        made = zip_for(window.python, folder)
        out: dict[str, Any] = {"blender": window.version, "looking_s": options.looking}
        done = window.run(scenarios, "install", 600, zip_path=str(made))
        out["enable_seconds"] = done["enable_seconds"]
        if options.quick:
            out["open"] = window.run(measurements, "measure_open", 600, avatar=str(avatar))
            posed = {"avatar": str(avatar), "shading": "MATERIAL", "repeats": 5}
            out["pose_material"] = window.run(measurements, "measure_pose", 600, **posed)
            out["play"] = window.run(
                measurements, "measure_play", 600, avatar=str(avatar), frames=8
            )
            return out
        window.run(measurements, "idle_cost", 600, seconds=options.looking)
        for name, quality, shading in DROPS:
            drop = {"photo": str(photo), "quality": quality, "shading": shading}
            out[name] = window.run(measurements, "measure_drop", 900, **drop)
            print(name, json.dumps(out[name], indent=1), flush=True)
            if name == "cold":
                window.run(measurements, "wait_until_compiled", 900)
        for shading in ("SOLID", "MATERIAL"):
            answer = window.run(
                measurements, "measure_pose", 600, avatar=str(avatar), shading=shading
            )
            out[f"pose_{shading.lower()}"] = answer
            print(shading, answer, flush=True)
        out["play"] = window.run(measurements, "measure_play", 600, avatar=str(avatar))
    return out


def summarize(found: dict[str, Any]) -> dict[str, Any]:
    """The figures to compare between versions, if measured; docs/gui_tests.md defines them."""
    seconds = {"first_s": "cold", "draft_s": "solid", "standard_s": "standard"}
    imports = [found[name] for name in (*(name for name, _, _ in DROPS), "open") if name in found]
    longest, longest_cpu = (
        max(max(one[key].values()) for one in imports)
        for key in ("our_calls_ms", "our_calls_cpu_ms")
    )
    return {
        **{
            figure: round(found[name]["seconds_until_posable"], 1)
            for figure, name in seconds.items()
            if name in found
        },
        "pose_ms": found["pose_material"]["pose_ms"],
        "play_ratio": found["play"]["ratio"],
        "longest_call_ms": longest,
        "longest_call_cpu_ms": longest_cpu,
        "left_out": [figure for figure, name in seconds.items() if name not in found],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blender", default=os.environ.get("BLENDER"))
    parser.add_argument(
        "--photo", type=Path, default=cache_assets_dir().parent / "downloads" / "astronaut.png"
    )
    parser.add_argument("--zip", type=Path, help="the extension, for that Blender's Python")
    parser.add_argument("--looking", type=float, default=20.0, help="seconds before the first drop")
    parser.add_argument("--splats", type=int, default=60_000, help="of the avatar that is posed")
    parser.add_argument("--quick", action="store_true", help="an avatar's import, poses, playback")
    parser.add_argument("--shots", type=Path, help="folder for pictures of the window")
    parser.add_argument("--folder", type=Path, help="where Blender can see it, for scratch files")
    options = parser.parse_args()
    reason = missing(options.blender)
    if reason:
        parser.error(reason)
    if options.quick and not (options.zip or "LIKENESS_ZIP" in os.environ):
        parser.error("--quick needs --zip: packing one takes minutes.")
    here = describe_machine()
    print(format_machine(here))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        out = measure_window(options, Path(folder))
    print(json.dumps({"benchmark": "windowed", "machine": here, **out, **summarize(out)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
