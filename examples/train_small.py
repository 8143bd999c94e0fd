"""Make synthetic people, train a tiny network on them, and build an avatar with it.

python examples/train_small.py me.jpg -o small              # about half an hour on two cores
python examples/train_small.py me.jpg -o quick --subjects 2 --steps 2 --size 96 --views 3

It shows the steps, not a useful network: docs/training.md says what that takes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import likeness


def run(*arguments: str | Path) -> None:
    """Run a command of Likeness, and end this program if it fails."""
    command = [sys.executable, "-m", "likeness", *map(str, arguments)]
    code = subprocess.run(command, check=False).returncode
    if code:
        raise SystemExit(code)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path, nargs="?", help="build its avatar at the end")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for everything")
    parser.add_argument("--subjects", type=int, default=100, help="synthetic people")
    parser.add_argument("--steps", type=int, default=500, help="of the optimiser")
    parser.add_argument("--size", type=int, default=256, help="pixels of the pictures")
    parser.add_argument("--views", type=int, default=8, help="pictures per person")
    parser.add_argument("--set", action="append", default=[], help="settings of the training")
    parser.add_argument("--no-onnx", action="store_true", help="no export for Blender's Python")
    args = parser.parse_args(argv)

    data, trained = args.out / "people", args.out / "run"
    run(
        *("synth", "-o", data, "--subjects", str(args.subjects), "--engine", "raster"),
        *("--split", "train", "--size", str(args.size), "--views", str(args.views)),
        *("--no-depth", "--no-labels"),
    )
    settings = [word for setting in args.set for word in ("--set", setting)]
    run(
        *("train", "--config", "tiny", "--data", data, "-o", trained),
        *("--steps", str(args.steps), *settings, *["--no-onnx"] * args.no_onnx),
    )
    print("network:", trained / "network")
    if args.photo:
        options = likeness.BuildOptions(network=trained / "network")
        likeness.build(args.photo, options, out=args.out / "avatar")
        print("avatar:", args.out / "avatar" / "avatar.safetensors")


if __name__ == "__main__":
    main()
