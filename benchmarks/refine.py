"""What refining does to every portrait of a folder: gains in the photo, harm elsewhere.

    python benchmarks/refine.py DIR [--quick] [--refine off,fast,full] [--only NAME] [--out OUT]
                                [--cache CACHE]

Each portrait is tracked and lifted once; every level starts from that lift. Measured, and compared
with the lift (docs/PERFORMANCE.md says how): the input view, FaceMesh landmarks from the side,
rims, speckles, other views. ``--out`` also draws a sheet for each portrait, all levels on black and
on green. ``--cache`` keeps the lifts, so that another run begins with refining; it is made anew
when the code that makes a lift changes. ``--quick`` takes portraits of each framing in turn, for as
long as 50 seconds allow.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import likeness.engine
import numpy as np
from likeness.benchmarks.figures.refine_report import (
    RefineResult,
    format_details,
    format_header,
    format_row,
    format_summary,
    list_shortfalls,
    measure_lift,
    measure_sides,
    summarize,
)
from likeness.engine.core.types import Avatar, BoundGaussians, LikenessError, Matte, Portrait
from likeness.engine.files.atomic import atomic_write
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.gaussians.lift.label_photo import clean_rim
from likeness.engine.gaussians.lod import simplify_avatar
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.gaussians.refine.refine_gaussians import REFINE_LEVELS
from likeness.engine.imaging.load import load_portrait
from likeness.engine.pipeline.build import lift_portrait, refine_avatar
from likeness.engine.pipeline.report import input_view_metrics
from likeness.engine.render import best_backend
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.visual.sheet import SheetStudio, layout_tiles, save_image
from portraits import (
    QUICK_SECONDS,
    interleave_framings,
    list_portraits,
    parse_framing,
    round_figures,
)
from render import describe_machine, format_machine, read_system_load

SHEET_WIDTHS = {"body": 2200, "head": 1560}
BACKDROPS = {"black": np.zeros(3), "green": np.array([0.0, 0.8, 0.2])}


class TimedLift(NamedTuple):
    """A portrait before refining; ``seconds`` that it took so far."""

    avatar: Avatar
    portrait: Portrait
    matte: Matte
    seconds: float


def lift_timed(path: Path) -> TimedLift:
    """``lift_portrait``, timed."""
    start = time.perf_counter()
    made = lift_portrait(path)
    return TimedLift(made.avatar, made.tracked.portrait, made.wanted, time.perf_counter() - start)


def _way_to_a_lift() -> str:
    """A short digest of the code that makes a lift."""
    engine = Path(likeness.engine.__file__).parent
    folders = ("body", "dual_uv", "gaussians/lift", "tracking")
    files = [f for folder in folders for f in sorted((engine / folder).rglob("*.py"))]
    files += [engine / "gaussians" / "lod.py", engine / "core" / "cameras.py"]
    files += [*sorted((engine / "imaging").glob("matt*.py")), engine / "imaging" / "resize.py"]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


def load_or_lift(path: Path, cache: Path | None) -> TimedLift:
    """:func:`lift_timed`, from ``cache`` if it is there."""
    if cache is None:
        return lift_timed(path)
    cache = cache / _way_to_a_lift()
    cache.mkdir(parents=True, exist_ok=True)
    body_file, array_file = cache / f"{path.stem}.safetensors", cache / f"{path.stem}.npz"
    names = [f.name for f in fields(BoundGaussians)]
    if not array_file.exists():
        made = lift_timed(path)
        save_avatar(made.avatar, body_file)
        # The avatar's file rounds to half precision; refining has to start from the lift itself.
        exact = {name: getattr(made.avatar.gaussians, name) for name in names}
        with atomic_write(array_file) as scratch, scratch.open("wb") as file:
            np.savez(
                file,
                alpha=made.matte.alpha,
                foreground=made.matte.foreground,
                seconds=made.seconds,
                **exact,
            )
    with np.load(array_file, allow_pickle=False) as arrays:
        gaussians = BoundGaussians(*(arrays[name] for name in names))
        matte = Matte(arrays["alpha"], arrays["foreground"])
        seconds = float(arrays["seconds"])
    avatar = replace(load_avatar(body_file), gaussians=gaussians)
    return TimedLift(avatar, load_portrait(path), matte, seconds)


def refine_to_level(start: TimedLift, level: str) -> tuple[Avatar, float]:
    """The avatar at a level, as ``build_avatar`` makes it, and the seconds of refining."""
    begin = time.perf_counter()
    avatar = refine_avatar(start.avatar, start.matte, level, best_backend())
    return avatar, time.perf_counter() - begin


def half_loss(avatar: Avatar, matte: Matte, psnr: float) -> float:
    """Loss in dB of the input view without the less important half of the splats."""
    half = simplify_avatar(avatar, len(avatar.gaussians) // 2)
    return psnr - input_view_metrics(half, matte)["foreground_psnr"]


def judge_portrait(
    path: Path, start: TimedLift, levels: list[str], detectors: Detectors, with_half: bool = True
) -> tuple[list[RefineResult], dict[str, Avatar]]:
    """Judge all levels of one portrait."""
    lift_still = pose_avatar(start.avatar)
    before = measure_lift(start.avatar, lift_still, clean_rim(start.matte), detectors)
    results, avatars = [], {}
    for level in levels:
        avatar, seconds = refine_to_level(start, level)
        view = input_view_metrics(avatar, start.matte)
        sides = measure_sides(avatar, lift_still, pose_avatar(avatar), before, detectors)
        half = half_loss(avatar, start.matte, view["foreground_psnr"]) if with_half else None
        results.append(
            RefineResult(
                name=path.stem,
                kind=parse_framing(path) or avatar.framing,
                level=level,
                seconds=seconds,
                build_seconds=start.seconds + seconds,
                psnr=view["foreground_psnr"],
                ssim=view["ssim"],
                iou=view["silhouette_iou"],
                half_loss=half,
                **sides,
            )
        )
        avatars[level] = avatar
    return results, avatars


def draw_sheets(path: Path, start: TimedLift, avatars: dict[str, Avatar]) -> dict[str, np.ndarray]:
    """Levels below each other, on black and on green: the body and the head from all sides."""
    studio = SheetStudio(start.avatar, start.portrait, start.matte)
    cut_out = np.concatenate([start.matte.foreground, start.matte.alpha[..., None]], -1)
    yaws = {"body": (0, -20, 20, -40, 40, 90, 180), "head": (0, -40, 40, 90)}
    views = {
        "body": [studio.view(f"{yaw:+d}", yaw) for yaw in yaws["body"]],
        "head": [studio.close_up(f"head {yaw:+d}", yaw) for yaw in yaws["head"]],
    }
    stills = {level: pose_avatar(avatar) for level, avatar in avatars.items()}
    drawn = {}
    for part, tiles in views.items():
        rows = []
        for color in BACKDROPS.values():
            first = replace(tiles[0], caption="photo", gaussians=None, picture=cut_out)
            for level, still in stills.items():
                row_ = [
                    replace(tile, caption=f"{level} {tile.caption}", gaussians=still)
                    for tile in tiles
                ]
                rows.append([replace(tile, backdrop=color) for tile in (first, *row_)])
        drawn[part] = layout_tiles(rows, SHEET_WIDTHS[part], path.stem)
    return drawn


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--refine", default="off,fast,full", help="levels, with commas")
    parser.add_argument("--only", help="portraits whose name contains this")
    parser.add_argument("--out", type=Path, help="draw sheets into this folder")
    parser.add_argument("--cache", type=Path, help="keep lifts in this folder")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    parser.add_argument("--verbose", action="store_true", help="every view's figures")
    options = parser.parse_args()
    levels = options.refine.split(",")
    if unknown := set(levels) - set(REFINE_LEVELS):
        known = ", ".join(REFINE_LEVELS)
        parser.error(f"no such level: {', '.join(sorted(unknown))}; choose of {known}")
    if options.quick:
        levels = [level for level in levels if level != "full"] or levels
    begin = time.perf_counter()
    paths = interleave_framings(list_portraits(options.folder, options.only))
    if not paths:
        parser.error(f"no such portraits in '{options.folder}'")
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()} before")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    detectors = Detectors(asset_path("face_landmark").parent)
    print(format_header())
    results: list[RefineResult] = []
    failed, longest = [], 0.0
    for path in paths:
        moment = time.perf_counter()
        if options.quick and moment - begin + longest > QUICK_SECONDS:
            break
        try:
            start = load_or_lift(path, options.cache)
        except LikenessError as error:
            failed.append(path.stem)
            print(f"{path.stem:<30}FAILED: {error}", flush=True)
            continue
        judged, avatars = judge_portrait(path, start, levels, detectors, not options.quick)
        results += judged
        for one in judged:
            print(format_row(one), flush=True)
            if options.verbose and one.level != "off":
                print(format_details(one))
        if options.out:
            for part, picture in draw_sheets(path, start, avatars).items():
                save_image(picture, options.out / f"{path.stem}_{part}.jpg")
        longest = max(longest, time.perf_counter() - moment)
    figures = summarize(results)
    print(format_summary(figures))
    short = list_shortfalls(figures)
    print("\n".join(f"short: {line}" for line in short) or "all floors are met")
    print(f"load {read_system_load()} after")
    said = {"benchmark": "refine", "failed": failed, "short": short}
    print(json.dumps({**said, "levels": round_figures(figures), "machine": here}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
