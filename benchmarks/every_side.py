"""Every portrait of a folder from every side and in six poses: holes, strays, faces, sheets.

    python benchmarks/every_side.py DIR [--quick] [--only NAME] [--refine off|fast] [--out OUT]
                                    [--people N] [--assets ASSETS] [--against AVATARS]

Each avatar is built from its photo. Figures, with what issue 5 asks for in brackets; the JSON line
holds means over the portraits for holes and faces, medians else, and the worst:

holes_pct (0.2)    background seen through the posed body's projection: mean of 1 - alpha, 12 looks
                   at the whole body and 12 at the head, six poses. A centimetre of the projection's
                   rim is left out, and hands that the avatar lacks, which the last column
                   names. Pictures are small (384 and 288 pixels: 5.5 and 1.5 mm).
stray_pct (0.5)    share of the drawn alpha that is farther than 6 cm from the posed body in space;
                   12 cm at the head or the legs where the photo itself shows hair or cloth that
                   stands off by 4 (last column), and for skirts. "photo" is the photo's own
                   share: a wide gown or a big hat always counts.
mouth_pct          share of the drawn alpha, from beside and behind, that is the mouth's inside
                   and shows through missing skin. 0 is right.
faces60 (14)       portraits whose face the detectors find at 60 degrees to both sides of where it
                   looks; faces30 (17) at 30. The table says at how many of the two sides.
landmarks45_pct (8)  key landmarks of FaceMesh on renders 45 degrees to both sides, from where the
                   model has them, in per cent of the distance between the eyes. Portraits where
                   it sees no face count as the worst.
cross_view_*       ``--people``: synthetic people (clothes from ``--assets``); avatars are built
                   from their photo and compared with the truth 30, 60, 90 and 180 degrees around;
                   once with the true body, camera and matte (``lift``: the lift alone), once with
                   nothing but the photo (``photo``).

``--out`` draws a sheet for each portrait: 12 views, 6 poses, 4 expressions. ``--against`` takes a
folder of avatar files of the same names, for example from another version: measures them as well,
and draws both sheets side by side, in an order that only key.json reveals.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
from likeness.benchmarks.figures.every_side import (
    QUICK_VIEW_ANGLES,
    VIEW_ANGLES,
    ViewAngle,
    measure_coverage,
)
from likeness.benchmarks.figures.every_side_face import measure_face
from likeness.benchmarks.figures.every_side_people import (
    build_from_photo,
    build_from_truth,
    make_photo_subject,
    render_truth_views,
    score_cross_views,
)
from likeness.benchmarks.figures.every_side_report import (
    EverySide,
    format_header,
    format_people_header,
    format_people_row,
    format_row,
    format_summary,
    list_shortfalls,
    summarize,
    summarize_people,
)
from likeness.benchmarks.figures.every_side_sheet import draw_every_side_sheet, place_side_by_side
from likeness.engine.core.types import Avatar, LikenessError, Matte
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import load_avatar
from likeness.engine.pipeline.build import build_avatar
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.synth.figure import SynthOptions, open_context
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.visual.sheet import save_image
from portraits import QUICK_SECONDS, interleave_framings, list_portraits, round_figures
from render import describe_machine, format_machine


def measure(
    name: str,
    avatar: Avatar,
    matte: Matte,
    detectors: Detectors,
    looks: tuple[ViewAngle, ...],
    seconds: float,
) -> EverySide:
    """All figures of one avatar."""
    return EverySide(
        name, measure_coverage(avatar, matte, looks), measure_face(avatar, detectors), seconds
    )


def measure_people(
    number: int, assets: Path | None, detectors: Detectors, out: Path | None, end: float
) -> dict[str, dict[str, float]]:
    """Avatars of synthetic people compared with the truth; starts no person after ``end``."""
    world = open_context(SynthOptions(assets=str(assets) if assets else None), print)
    print(format_people_header())
    results = []
    for k in range(number):
        if time.perf_counter() > end:
            break
        one = make_photo_subject(k, world)
        truth = render_truth_views(one)
        builds: dict[str, Callable[[], Avatar]] = {
            "lift": partial(build_from_truth, one, world.dress.body, detectors),
            "photo": partial(build_from_photo, one),
        }
        for how, build in builds.items():
            try:
                found = score_cross_views(build(), one, truth)
            except LikenessError as error:
                print(f"{k:>3} {one.person.framing:<6}{how:<6}FAILED: {error}", flush=True)
                continue
            results.append((how, found))
            print(format_people_row(k, one.person, how, found), flush=True)
            if out is not None:
                save_image(found.picture, out / f"person_{k}_{how}.jpg")
    return summarize_people(results)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="portraits whose name contains this")
    parser.add_argument("--out", type=Path, help="draw sheets into this folder")
    parser.add_argument("--refine", choices=("off", "fast"), default="off")
    parser.add_argument("--people", type=int, help="how many synthetic people (6; quick: 0)")
    parser.add_argument("--assets", type=Path, help="an asset library in MakeHuman's layout")
    parser.add_argument("--against", type=Path, help="a folder of other avatar files")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    begin = time.perf_counter()
    paths = interleave_framings(list_portraits(options.folder, options.only))
    if not paths:
        parser.error(f"no such portraits in '{options.folder}'")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    detectors = Detectors(asset_path("face_landmark").parent)
    looks = QUICK_VIEW_ANGLES if options.quick else VIEW_ANGLES
    here = describe_machine()
    print(format_machine(here))
    print(format_header())
    results: list[EverySide] = []
    others: list[EverySide] = []
    failed, key, longest = [], {}, 0.0
    for path in paths:
        start = time.perf_counter()
        if options.quick and start - begin + longest > QUICK_SECONDS:
            break
        try:
            built = build_avatar(path, BuildOptions(refine=options.refine))
        except LikenessError as error:
            failed.append(path.stem)
            print(f"{path.stem:<30}FAILED: {error}", flush=True)
            continue
        seconds = time.perf_counter() - start
        results.append(measure(path.stem, built.avatar, built.matte, detectors, looks, seconds))
        print(format_row(results[-1]), flush=True)
        other = None
        if options.against and (file := options.against / f"{path.stem}.safetensors").is_file():
            other = load_avatar(file)
            others.append(measure(path.stem, other, built.matte, detectors, looks, 0.0))
            print(format_row(others[-1], "  against"), flush=True)
        if options.out:
            sheet = draw_every_side_sheet(built.avatar, built.portrait, path.stem)
            save_image(sheet, options.out / f"{path.stem}.jpg")
            if other is not None:
                rival = draw_every_side_sheet(other, built.portrait, path.stem)
                key[path.stem] = random.SystemRandom().choice(("left", "right"))
                pair = (sheet, rival) if key[path.stem] == "left" else (rival, sheet)
                save_image(place_side_by_side(*pair), options.out / f"{path.stem}_blind.jpg")
        longest = max(longest, time.perf_counter() - start)
    if key:
        sides = {"the build of this run stands": key}
        (options.out / "key.json").write_text(json.dumps(sides, indent=1), encoding="utf-8")
    figures = summarize(results)
    print(format_summary("all", figures))
    said = {"benchmark": "every_side", "failed": failed, **figures}
    if others:
        said["against"] = summarize(others)
        print(format_summary("against", said["against"]))
    number = (0 if options.quick else 6) if options.people is None else options.people
    if number:
        end = begin + QUICK_SECONDS - longest if options.quick else float("inf")
        said["people"] = measure_people(number, options.assets, detectors, options.out, end)
        said |= {
            f"cross_view_{how}_{name}": value
            for how, all_ in said["people"].items()
            for name, value in all_.items()
            if name in ("psnr", "ssim")
        }
    said["short"] = list_shortfalls(figures)
    print("\n".join(f"short: {line}" for line in said["short"]) or "all floors are met")
    print(json.dumps({**round_figures(said), "machine": here}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
