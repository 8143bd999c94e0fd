"""What a photo does not show: colours, grain and skin behind on portraits; labels on people.

    python benchmarks/hidden_sides.py [DIR] [--quick] [--only NAME] [--avatars AVATARS ...]
                                      [--sheet OUT] [--blind] [--people N] [--assets ASSETS]
                                      [--rules]

Portraits: each photo is built with ``--refine off``, or its avatar is taken from ``--avatars``, a
folder of a batch (NAME/avatar.safetensors) or of files NAME.safetensors. Several folders are
measured one after another; the JSON line's own figures are those of the last. Medians over the
portraits; ``benchmarks/figures/hidden_sides.py`` defines all thresholds.

back_de (5)        distance in CIE Lab (1976) of the commonest colour behind the trunk to the
                   nearest main colour in front of it. A main colour fills a tenth of the trunk or
                   more, after a blur of 1 cm; skin in front is left out. The trunk is what splats
                   of its triangles draw: no neck, arms, head or legs. A portrait counts whose
                   front and back both show 200 square centimetres of it.
back_de_over (1)   on how many portraits it is over 12.
grain (0.7-1.3)    local contrast behind over that in front: rms of L minus its blur of 1 cm (head:
                   0.5 cm) in the quieter 90 % of a part, both drawn at 2.5 mm a pixel, rims left
                   out. "head" is hair and hats: what has not the face's colour.
grain_alike        the same of clothes, in front only where they have one of the colours behind.
skin_on_back (0)   share of a dressed trunk's back that has the face's colour and is nearer to it
                   than to any of the clothes' colours.

``--people``: synthetic people of the split ``test``, dressed from ``--assets`` and drawn by our own
rasteriser at 384 pixels. Their photos are lifted with the true body, camera and matte, and the
result is compared with the truth over the body's atlas, weighted by area.
``benchmarks/figures/hidden_labels.py`` has the regions.

label_pct (94)     hidden texels, within the photo's framing, whose label is right. labels_pct has
                   the trunk's back (93), its sides (95) and its occluded front (93), the arms (95),
                   what truly is skin (89.5), and for comparison what the photo shows.
color_de (9)       their mean distance in CIE Lab (1976) to the true colour in the photo's light:
                   multiplied with what the photo makes of that label's colour where it shows it.
color_seen_de      the same of what the photo shows: its own shading, so no completion gets there
                   without being flat.

``--quick`` takes portraits for half of its 50 seconds and people for the rest. ``--sheet`` draws a
PNG for each portrait: the photo, 0, -60, +60, -90, +90 and 180 degrees, a row
for each folder. ``--blind`` puts the rows in an order that only key.json reveals.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
from finished_avatars import add_portrait_options, choose_portraits, each_portrait
from likeness.benchmarks.figures.hidden_labels import (
    HiddenScore,
    LiftNetworks,
    format_labels,
    format_labels_header,
    score_person,
    summarize_people,
)
from likeness.benchmarks.figures.hidden_sides import (
    HiddenSides,
    format_header,
    format_row,
    measure_hidden_sides,
    summarize,
)
from likeness.benchmarks.figures.hidden_sides_sheet import draw_sides_sheet
from likeness.engine.core.types import Avatar, LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.imaging.load import load_portrait
from likeness.engine.synth.atlas_truth import AtlasTruthMaker
from likeness.engine.synth.figure import open_context
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.visual.sheet import save_image
from portraits import QUICK_SECONDS, round_figures
from render import describe_machine, format_machine


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


def measure_people(number: int, assets: Path | None, end: float, rules: bool) -> dict[str, Any]:
    """Compare the lifts of synthetic people with the truth; starts no person after ``end``."""
    networks = None if rules else LiftNetworks.load()
    options = SynthOptions(
        seed=7,
        split="test",
        engine="raster",
        views=1,
        size=384,
        texture_size=512,
        assets=str(assets) if assets else None,
    )
    context = open_context(options, lambda asset, why: None)
    maker = AtlasTruthMaker.open(options, context)
    detectors = Detectors(asset_path("face_landmark").parent)
    print(format_labels_header())
    scores: list[HiddenScore] = []
    failed = 0
    for k in range(number):
        if scores and time.perf_counter() > end:
            break
        try:
            scores.append(score_person(k, options, context, maker, detectors, networks))
        except LikenessError as error:
            failed += 1
            print(f"{k:<12}FAILED: {error}", flush=True)
            continue
        print(format_labels(str(k), summarize_people(scores[-1:])), flush=True)
    figures = summarize_people(scores)
    print(format_labels("all", figures))
    return {**figures, "people_failed": failed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_portrait_options(parser)
    parser.add_argument("--avatars", type=Path, nargs="+", default=[], help="folders of avatars")
    parser.add_argument("--blind", action="store_true", help="rows of the sheets in random order")
    parser.add_argument("--rules", action="store_true", help="people without the small networks")
    options = parser.parse_args()
    begin = time.perf_counter()
    paths = choose_portraits(parser, options)
    here = describe_machine()
    print(format_machine(here))
    if paths:
        print(format_header())
    results: dict[str, list[HiddenSides]] = {str(folder): [] for folder in options.avatars}
    failed: list[str] = []
    key = {}
    seconds = QUICK_SECONDS / 2 if options.people else QUICK_SECONDS
    until = begin + seconds if options.quick else float("inf")
    for path, avatars in each_portrait(paths, options.avatars, failed, until):
        for k, (name, avatar) in enumerate(avatars.items()):
            found = measure_hidden_sides(path.stem, avatar)
            results.setdefault(name, []).append(found)
            print(format_row(f"  {Path(name).name}" if k else path.stem, found), flush=True)
        if options.sheet:
            key[path.stem] = draw_sheet(path, avatars, options.sheet, options.blind)
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
    if options.people:
        end = begin + QUICK_SECONDS - 15 if options.quick else float("inf")
        said |= measure_people(options.people, options.assets, end, options.rules)
    print(json.dumps({**round_figures(said), "machine": here}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
