"""Build avatars of all photos in a folder, and list failures in a table.

python examples/batch.py portraits -o avatars

This process builds one avatar after another. 'likeness batch' adds workers, resumption and limits.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import likeness

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--refine", choices=("off", "fast", "full"), default="fast")
    args = parser.parse_args(argv)

    options = likeness.BuildOptions(refine=args.refine)
    photos = sorted(path for path in args.folder.iterdir() if path.suffix.lower() in SUFFIXES)
    failures = []
    for photo in photos:
        try:
            built = likeness.build(photo, options, out=args.out / photo.stem, preview=False)
        except likeness.LikenessError as error:
            failures.append((photo, error.message, error.remedy))
            print(f"{photo.name}: {error.message}")
        else:
            print(f"{photo.name}: {len(built.avatar.gaussians):,} splats")
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "failures.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("photo", "reason", "remedy"), *failures])
    print(f"{len(photos) - len(failures)} built, {len(failures)} failed")


if __name__ == "__main__":
    main()
