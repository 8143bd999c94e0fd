"""Avatars in poses that break them: holes, stray splats and strangers' colours; truth on people.

    python benchmarks/poses.py [DIR] [--quick] [--only NAME] [--avatars AVATARS] [--sheet OUT]
                               [--people N] [--poses K] [--tracked] [--assets ASSETS]

Portraits: each photo is built with ``--refine off``, or its avatar is taken from ``--avatars``, a
folder of a batch (NAME/avatar.safetensors) or of files NAME.safetensors. Each is put into the 16
poses of ``benchmarks/figures/poses.py`` and seen from 0, +45, -45 and 180 degrees. Means over
portraits and poses:

holes_pct        share of the posed body's silhouette, without a rim of 1.2 cm, through which the
                 background shows (alpha below 0.7), or where the first splats lie 5 cm behind the
                 body. The body is without legs where the photo is not full-length.
stray_pct        share of splats farther than 12 cm off their own limb; on the head, 20 cm.
strangers_pct    share of the surface that has the colour of another limb beside which the photo
                 shows it (within 3 cm in the picture; CIE Lab distance below 8), and is unlike its
                 own limb within 12 cm (above 14). Hands are left out. The same in all poses.

``--people``: synthetic people of the split ``test``, dressed from ``--assets`` and drawn by our own
rasteriser at 384 pixels. The photo is lifted with the true body, camera and matte (``--tracked``:
with nothing but the photo); the avatar is driven by the true parameters of ``--poses`` others and
compared with the person drawn in them, from the photo's side and +-45 degrees.

cross_pose_db    PSNR of the person in the other poses.
same_pose_db     the same in the photo's own pose.

Both come with SSIM, MS-SSIM, the PSNR from the photo's side and from +-45 degrees alone
(``..._photo_side_db``, ``..._aside_db``) and, as ``..._parts_db``, where the true body shows its
hands, arms, armpits, neck and mouth.

``--quick`` takes at most 50 seconds. Without DIR and ``--people`` it measures everything on up to
two smaller synthetic people with fewer splats. ``--sheet`` draws all poses of each portrait into a
folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
from finished_avatars import add_portrait_options, choose_portraits, each_portrait
from likeness.benchmarks.figures.hidden_labels import LiftNetworks
from likeness.benchmarks.figures.poses import (
    PoseFigures,
    format_header,
    format_row,
    measure_poses,
    summarize,
)
from likeness.benchmarks.figures.poses_people import ViewScore, score_person, summarize_people
from likeness.benchmarks.figures.poses_sheet import draw_poses_sheet
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.gaussians.lift.lift_photo import LiftOptions
from likeness.engine.synth.figure import open_context
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.visual.sheet import save_image
from portraits import QUICK_SECONDS, round_figures
from render import describe_machine, format_machine

QUICK_YAWS = (0.0, 180.0)
SMALL_PEOPLE, SMALL_SIZE, SMALL_GAUSSIANS = 2, 192, 40_000  # of --quick alone; pixels, splats


def measure_people(
    options: argparse.Namespace, small: bool, end: float
) -> tuple[dict[str, Any], list[PoseFigures]]:
    """Compare synthetic people's avatars with the truth.

    Measures at least one person, and further ones while they are likely to finish by ``end``.
    ``small`` ones are also put into the poses of the portraits.
    """
    networks = LiftNetworks.load()
    synth = SynthOptions(
        seed=7,
        split="test",
        engine="raster",
        views=1,
        size=SMALL_SIZE if small else 384,
        texture_size=SMALL_SIZE if small else 512,
        assets=str(options.assets) if options.assets else None,
    )
    lift = LiftOptions(max_gaussians=SMALL_GAUSSIANS) if small else LiftOptions()
    context = open_context(synth, lambda asset, why: None)
    detectors = Detectors(asset_path("face_landmark").parent)
    scores: list[ViewScore] = []
    posed: list[PoseFigures] = []
    measured = failed = 0
    longest = 0.0
    for k in range(options.people):
        start = time.perf_counter()
        if scores and start + longest > end:
            break
        try:
            avatar, views = score_person(
                k, options.poses, synth, context, detectors, networks, options.tracked, lift
            )
        except LikenessError as error:
            failed += 1
            print(f"person {k:<23}FAILED: {error}", flush=True)
            continue
        measured += 1
        scores += views
        figures = summarize_people(views)
        same, cross = figures["same_pose_db"], figures["cross_pose_db"]
        print(f"person {k:<23}same pose {same:.2f} dB, others {cross:.2f} dB", flush=True)
        if small:
            posed.append(measure_poses(f"person {k}", avatar, yaws=QUICK_YAWS))
            print(format_row(posed[-1]), flush=True)
        longest = max(longest, time.perf_counter() - start)
    return {"people": measured, "people_failed": failed, **summarize_people(scores)}, posed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_portrait_options(parser)
    parser.add_argument("--avatars", type=Path, help="a folder of avatars")
    parser.add_argument("--poses", type=int, default=3, help="other poses of each (3)")
    parser.add_argument("--tracked", action="store_true", help="people from their photo alone")
    options = parser.parse_args()
    begin = time.perf_counter()
    small = options.quick and not options.folder and not options.people
    if small:
        options.people, options.poses = SMALL_PEOPLE, 1
    paths = choose_portraits(parser, options)
    here = describe_machine()
    print(format_machine(here))
    if paths:
        print(format_header())
    found: list[PoseFigures] = []
    failed: list[str] = []
    seconds = QUICK_SECONDS * (0.6 if options.people else 1.0)
    until = begin + seconds if options.quick else float("inf")
    folders = [options.avatars] if options.avatars else []
    for path, avatars in each_portrait(paths, folders, failed, until):
        avatar = next(iter(avatars.values()))
        yaws = {"yaws": QUICK_YAWS} if options.quick else {}
        found.append(measure_poses(path.stem, avatar, **yaws))
        print(format_row(found[-1]), flush=True)
        if options.sheet:
            sheet = draw_poses_sheet(avatar, path.stem)
            save_image(sheet, options.sheet / f"{path.stem}.png")
    people: dict[str, Any] = {}
    if options.people:
        end = begin + QUICK_SECONDS if options.quick else float("inf")
        people, posed = measure_people(options, small, end)
        found += posed
    report = {"benchmark": "poses", "failed": failed, **summarize(found), **people}
    print(json.dumps({**round_figures(report), "machine": here}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
