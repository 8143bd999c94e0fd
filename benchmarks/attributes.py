"""Measure attributes: what an edit changes elsewhere, and what its slider costs in Blender.

    python benchmarks/attributes.py AVATAR [AVATAR ...] [--quick]

For each avatar and each thing of the wardrobe: seconds to put it on, splats that it adds, and the
largest change of any number of a splat that neither gives way nor belongs to it (outside_change).
pose_ms_ratio is the time of a new pose in Blender with a hat over that of as many splats without
its slider.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from likeness.benchmarks.pose_update import pose_times, time_import_slices
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.types import PARTS, Avatar, BoundGaussians
from likeness.engine.formats.avatar import load_editable_avatar
from likeness.engine.wardrobe.edit import add_item, set_attribute
from likeness.engine.wardrobe.items import ITEMS, ItemRequest

QUICK = ("fedora", "beanie", "round", "hoop", "over-ear", "plain", "pearls", "full")


def largest_change(before: BoundGaussians, after: BoundGaussians) -> float:
    """Largest difference of any number of the same splats in the same order."""
    if len(before) != len(after):
        return float("inf")
    pairs = [(getattr(before, f.name), getattr(after, f.name)) for f in fields(before)]
    return max(
        float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0))
        for a, b in pairs
    )


def measure_edit(avatar: Avatar, request: ItemRequest) -> dict[str, Any]:
    """Figures of one edit."""
    start = time.perf_counter()
    worn = add_item(avatar, request)
    seconds = time.perf_counter() - start
    own = worn.attributes[-1]
    base = own.factors(0.0) > 0.0
    kept = own.factors(1.0)[base] > 0.0
    shown = apply_attributes(worn).gaussians
    stays = shown.take(shown.part != PARTS.index(request.category))
    own_part = avatar.gaussians.part == PARTS.index(request.category)
    changes = [
        largest_change(avatar.gaussians.take(kept & ~own_part), stays),
        largest_change(
            apply_attributes(avatar).gaussians,
            apply_attributes(set_attribute(worn, request.category, 0.0)).gaussians,
        ),
    ]
    return {
        "seconds": round(seconds, 2),
        "added": int((~base).sum()),
        "gives_way": int((~kept).sum()),
        "outside_change": max(changes),
    }


def measure_poses(avatar: Avatar, repeats: int) -> float:
    """Least milliseconds of a new pose in Blender: other programs only add to it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with tempfile.TemporaryDirectory() as folder:
        objects, _ = time_import_slices(avatar, Path(folder))
    return min(pose_times(objects, avatar, repeats, every_expression=False))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("avatars", type=Path, nargs="+")
    parser.add_argument("--quick", action="store_true", help="one item of each category")
    options = parser.parse_args()
    items = [
        (c, i) for c, all_of in ITEMS.items() for i in all_of if not options.quick or i in QUICK
    ]
    changes, ratios = [], []
    for path in options.avatars:
        avatar = load_editable_avatar(path)
        for category, item in items:
            row = measure_edit(avatar, ItemRequest(category, item))
            changes.append(row["outside_change"])
            print({"avatar": path.parent.name, "item": item, **row}, flush=True)
        repeats = 10 if options.quick else 50
        worn = add_item(apply_attributes(avatar), ItemRequest("hat", "fedora"))
        times = [measure_poses(one, repeats) for one in (replace(worn, attributes=()), worn)]
        ratios.append(times[1] / times[0])
        print({"avatar": path.parent.name, "pose_ms": [round(t, 1) for t in times]}, flush=True)
    whole = {
        "benchmark": "attributes",
        "outside_change": max(changes),
        "pose_ms_ratio": round(statistics.median(ratios), 3),
    }
    print(json.dumps(whole))
    return 0


if __name__ == "__main__":
    sys.exit(main())
