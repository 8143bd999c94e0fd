"""What the photo does not show, on every portrait of a folder: colours, grain and skin behind.

    python benchmarks/hidden_sides.py DIR [--quick] [--only NAME] [--avatars AVATARS ...]
                                      [--sheet OUT] [--blind]

Each photo is built with ``--refine off``, or its avatar is taken from ``--avatars``: a folder of a
batch (NAME/avatar.safetensors) or of files NAME.safetensors; several folders are measured one
after another, and the JSON line's own figures are those of the last. Medians over the portraits;
``benchmarks/figures/hidden_sides.py`` defines all thresholds.

back_de (5)        distance in CIE Lab (1976) of the commonest colour behind the trunk to the
                   nearest main colour in front of it. A main colour fills a tenth of the trunk or
                   more, after a blur of 1 cm; skin in front is left out. The trunk is what splats
                   of its triangles draw: no neck, arms, head or legs. A portrait counts whose
                   front and back both show 200 square centimetres of it.
back_de_over (1)   on how many portraits it is over 12.
grain (0.7-1.3)    local contrast behind over that in front: rms of L minus its blur of 1 cm (head:
                   0.5 cm) in the quieter 90 % of a part, both drawn at 2.5 mm a pixel, rims left
                   out. "head" is hair and hats: what has not the face's colour.
skin_on_back (0)   share of a dressed trunk's back that has the face's colour and is nearer to it
                   than to any of the clothes' colours.

``--sheet`` draws a PNG for each portrait: the photo, 0, -60, +60, -90, +90 and 180 degrees, a row
for each folder. ``--blind`` puts the rows in an order that only key.json reveals.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
from likeness.benchmarks.figures.hidden_sides import (
    HiddenSides,
    format_header,
    format_row,
    measure_hidden_sides,
    summarize,
)
from likeness.benchmarks.figures.hidden_sides_sheet import draw_sides_sheet
from likeness.engine.core.types import Avatar, LikenessError
from likeness.engine.formats.avatar import load_avatar
from likeness.engine.imaging.load import load_portrait
from likeness.engine.pipeline.build import build_avatar
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.visual.sheet import save_image
from portraits import QUICK_SECONDS, interleave_framings, list_portraits, round_figures
from render import describe_machine, format_machine

BUILT = "built"
"""Name of the avatars that this run builds."""


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


def draw_sheet(photo: Path, avatars: dict[str, Avatar], out: Path, blind: bool) -> list[str]:
    """Draw a portrait's sheet; return the avatars' names in the order of its rows."""
    order = list(avatars)
    if blind:
        random.SystemRandom().shuffle(order)
    rows = [
        ("" if len(order) == 1 else chr(ord("A") + k) if blind else Path(name).name, avatars[name])
        for k, name in enumerate(order)
    ]
    save_image(draw_sides_sheet(load_portrait(photo), rows, photo.stem), out / f"{photo.stem}.png")
    return order


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="portraits whose name contains this")
    parser.add_argument("--avatars", type=Path, nargs="+", default=[], help="folders of avatars")
    parser.add_argument("--sheet", type=Path, help="draw sheets into this folder")
    parser.add_argument("--blind", action="store_true", help="rows of the sheets in random order")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    begin = time.perf_counter()
    paths = interleave_framings(list_portraits(options.folder, options.only))
    if not paths:
        parser.error(f"no such portraits in '{options.folder}'")
    if options.sheet:
        options.sheet.mkdir(parents=True, exist_ok=True)
    here = describe_machine()
    print(format_machine(here))
    print(format_header())
    results: dict[str, list[HiddenSides]] = {str(folder): [] for folder in options.avatars}
    failed, key, longest = [], {}, 0.0
    for path in paths:
        start = time.perf_counter()
        if options.quick and start - begin + longest > QUICK_SECONDS:
            break
        try:
            avatars = find_avatars(path, options.avatars)
        except LikenessError as error:
            failed.append(path.stem)
            print(f"{path.stem:<30}FAILED: {error}", flush=True)
            continue
        for k, (name, avatar) in enumerate(avatars.items()):
            found = measure_hidden_sides(path.stem, avatar)
            results.setdefault(name, []).append(found)
            print(format_row(f"  {Path(name).name}" if k else path.stem, found), flush=True)
        if options.sheet:
            key[path.stem] = draw_sheet(path, avatars, options.sheet, options.blind)
        longest = max(longest, time.perf_counter() - start)
    if options.sheet and options.blind:
        text = json.dumps({"rows from above": key}, indent=1)
        (options.sheet / "key.json").write_text(text, encoding="utf-8")
    sets = {name: summarize(found) for name, found in results.items()}
    for name, figures in sets.items():
        print(format_row(f"median of {Path(name).name}", figures))
    last = list(sets.values())[-1] if sets else summarize([])
    said = {"benchmark": "hidden_sides", "failed": failed, **last}
    if len(sets) > 1:
        said["sets"] = sets
    print(json.dumps({**round_figures(said), "machine": here}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
