"""The avatars that a benchmark measures: built from portraits, or finished ones from folders."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from likeness.engine.core.types import Avatar, LikenessError
from likeness.engine.formats.avatar import load_avatar
from likeness.engine.pipeline.build import build_avatar
from likeness.engine.pipeline.options import BuildOptions
from portraits import interleave_framings, list_portraits

BUILT = "built"
"""Name of an avatar that was built for the measurement."""


def add_portrait_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of benchmarks on portraits and synthetic people."""
    parser.add_argument("folder", type=Path, nargs="?", help="of photos")
    parser.add_argument("--only", help="portraits whose name contains this")
    parser.add_argument("--sheet", type=Path, help="draw sheets into this folder")
    parser.add_argument("--people", type=int, default=0, help="how many synthetic people (0)")
    parser.add_argument("--assets", type=Path, help="an asset library in MakeHuman's layout")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")


def choose_portraits(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Path]:
    """List the portraits that the options ask for, or end with a usage error."""
    paths = list_portraits(options.folder, options.only) if options.folder else []
    if options.folder and not paths:
        parser.error(f"no such portraits in '{options.folder}'")
    if not paths and not options.people:
        parser.error("give a folder of portraits, or --people")
    if options.sheet:
        options.sheet.mkdir(parents=True, exist_ok=True)
    return paths


def each_portrait(
    paths: list[Path], folders: list[Path], failed: list[str], until: float
) -> Iterator[tuple[Path, dict[str, Avatar]]]:
    """Yield portraits with their avatars, as many as the time allows.

    Args:
        paths: of the portraits.
        folders: of finished avatars; none: they are built.
        failed: receives the names of those without an avatar.
        until: reading of ``time.perf_counter`` at which the last one should be done.
    """
    longest = 0.0
    for path in interleave_framings(paths):
        start = time.perf_counter()
        if start + longest > until:
            return
        try:
            avatars = find_avatars(path, folders)
        except LikenessError as error:
            failed.append(path.stem)
            print(f"{path.stem:<30}FAILED: {error}", flush=True)
            continue
        yield path, avatars
        longest = max(longest, time.perf_counter() - start)


def find_avatars(photo: Path, folders: list[Path]) -> dict[str, Avatar]:
    """Build a photo's avatar, or load it from each folder that has it.

    Raises:
        LikenessError: it cannot be built or read, or no folder has it.
    """
    if not folders:
        return {BUILT: build_avatar(photo, BuildOptions(refine="off")).avatar}
    out = {}
    for folder in folders:
        files = folder / photo.stem / "avatar.safetensors", folder / f"{photo.stem}.safetensors"
        if file := next((file for file in files if file.is_file()), None):
            out[str(folder)] = load_avatar(file)
    if not out:
        raise LikenessError(
            f"No folder has an avatar of '{photo.name}'.",
            f"Name it {photo.stem}/avatar.safetensors or {photo.stem}.safetensors.",
        )
    return out
