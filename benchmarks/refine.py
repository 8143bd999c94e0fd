"""What refining does to every portrait of a folder: gains in the photo, harm anywhere else.

    python benchmarks/refine.py DIR [--quick] [--refine off,fast,full] [--only NAME] [--out OUT]
                                [--cache CACHE]

Each portrait is tracked and lifted once; every level starts from that lift. Measured, and held
to the lift (docs/PERFORMANCE.md says how): the input view, FaceMesh landmarks from beside, rims,
speckles, other views. ``--out`` also draws a sheet for each portrait, all levels on black and on
green. ``--cache`` keeps the lifts, so that another run begins with refining; it is made anew when
the files change that lead to a lift. ``--quick`` takes portraits of each framing in turn, for as
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
    Judged,
    closing,
    details,
    heading,
    look_at_lift,
    row,
    shortfalls,
    side_figures,
    summary,
)
from likeness.engine.core.types import Avatar, BoundGaussians, LikenessError, Matte, Portrait
from likeness.engine.files.atomic import whole_file
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.gaussians.lift import clean_rim
from likeness.engine.gaussians.lod import avatar_at
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.gaussians.refine import LEVELS
from likeness.engine.imaging.load import load_portrait
from likeness.engine.pipeline.build import lift_portrait, refined
from likeness.engine.pipeline.report import input_view_figures
from likeness.engine.render import best_backend
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.visual.sheet import Studio, lay_out, save_picture
from portraits import QUICK_SECONDS, in_turn, kind_of_name, portraits, rounded
from render import busy, machine, told

SHEET_WIDTHS = {"body": 2200, "head": 1560}
BACKDROPS = {"black": np.zeros(3), "green": np.array([0.0, 0.8, 0.2])}


class Lifted(NamedTuple):
    """A portrait before refining. ``seconds``: what it took to come so far."""

    avatar: Avatar
    portrait: Portrait
    matte: Matte
    seconds: float


def lifted(path: Path) -> Lifted:
    """``lift_portrait``, timed."""
    start = time.perf_counter()
    made = lift_portrait(path)
    return Lifted(made.avatar, made.tracked.portrait, made.matte, time.perf_counter() - start)


def _way_to_a_lift() -> str:
    """A short name for the code that makes a lift."""
    engine = Path(likeness.engine.__file__).parent
    folders = ("body", "dual_uv", "gaussians/lift", "tracking")
    files = [f for folder in folders for f in sorted((engine / folder).rglob("*.py"))]
    files += [engine / "gaussians" / "lod.py", *sorted((engine / "imaging").glob("matt*.py"))]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


def remembered(path: Path, cache: Path | None) -> Lifted:
    """:func:`lifted`, from ``cache`` if it is there."""
    if cache is None:
        return lifted(path)
    cache = cache / _way_to_a_lift()
    cache.mkdir(parents=True, exist_ok=True)
    body_file, array_file = cache / f"{path.stem}.safetensors", cache / f"{path.stem}.npz"
    names = [f.name for f in fields(BoundGaussians)]
    if not array_file.exists():
        made = lifted(path)
        save_avatar(made.avatar, body_file)
        # The avatar's file rounds to half precision; refining is to start from the lift itself.
        exact = {name: getattr(made.avatar.gaussians, name) for name in names}
        with whole_file(array_file) as scratch, scratch.open("wb") as file:
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
    return Lifted(avatar, load_portrait(path), matte, seconds)


def at_level(start: Lifted, level: str) -> tuple[Avatar, float]:
    """The avatar at a level, as ``build_avatar`` makes it, and the seconds of refining."""
    begin = time.perf_counter()
    avatar = refined(start.avatar, start.matte, level, best_backend())
    return avatar, time.perf_counter() - begin


def half_loss(avatar: Avatar, matte: Matte, psnr: float) -> float:
    """dB of the input view that the less important half of the splats is worth."""
    half = avatar_at(avatar, len(avatar.gaussians) // 2)
    return psnr - input_view_figures(half, matte)["foreground_psnr"]


def judge(
    path: Path, start: Lifted, levels: list[str], detectors: Detectors, with_half: bool = True
) -> tuple[list[Judged], dict[str, Avatar]]:
    """All levels of one portrait."""
    lift_still = pose_avatar(start.avatar)
    before = look_at_lift(start.avatar, lift_still, clean_rim(start.matte), detectors)
    results, avatars = [], {}
    for level in levels:
        avatar, seconds = at_level(start, level)
        view = input_view_figures(avatar, start.matte)
        sides = side_figures(avatar, lift_still, pose_avatar(avatar), before, detectors)
        half = half_loss(avatar, start.matte, view["foreground_psnr"]) if with_half else None
        results.append(
            Judged(
                name=path.stem,
                kind=kind_of_name(path) or avatar.framing,
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


def sheets(path: Path, start: Lifted, avatars: dict[str, Avatar]) -> dict[str, np.ndarray]:
    """Levels below one another, on black and on green: the body and the head from all sides."""
    studio = Studio(start.avatar, start.portrait, start.matte)
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
        drawn[part] = lay_out(rows, SHEET_WIDTHS[part], path.stem)
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
    if unknown := set(levels) - set(LEVELS):
        known = ", ".join(LEVELS)
        parser.error(f"no such level: {', '.join(sorted(unknown))}; choose of {known}")
    if options.quick:
        levels = [level for level in levels if level != "full"] or levels
    begin = time.perf_counter()
    paths = in_turn(portraits(options.folder, options.only))
    if not paths:
        parser.error(f"no such portraits in '{options.folder}'")
    here = machine()
    print(f"{told(here)}; load {busy()} before")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    detectors = Detectors(asset_path("face_landmark").parent)
    print(heading())
    results: list[Judged] = []
    failed, longest = [], 0.0
    for path in paths:
        moment = time.perf_counter()
        if options.quick and moment - begin + longest > QUICK_SECONDS:
            break
        try:
            start = remembered(path, options.cache)
        except LikenessError as error:
            failed.append(path.stem)
            print(f"{path.stem:<30}FAILED: {error}", flush=True)
            continue
        judged, avatars = judge(path, start, levels, detectors, not options.quick)
        results += judged
        for one in judged:
            print(row(one), flush=True)
            if options.verbose and one.level != "off":
                print(details(one))
        if options.out:
            for part, picture in sheets(path, start, avatars).items():
                save_picture(picture, options.out / f"{path.stem}_{part}.jpg")
        longest = max(longest, time.perf_counter() - moment)
    figures = summary(results)
    print(closing(figures))
    short = shortfalls(figures)
    print("\n".join(f"short: {line}" for line in short) or "all floors are met")
    print(f"load {busy()} after")
    said = {"benchmark": "refine", "failed": failed, "short": short}
    print(json.dumps({**said, "levels": rounded(figures), "machine": here}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
