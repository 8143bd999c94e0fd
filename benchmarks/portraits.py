"""Build every portrait of a folder: table of figures, a contact sheet each, one JSON line.

    python benchmarks/portraits.py DIR [--quick] [--out OUT] [--only NAME]

``--quick`` takes portraits of each framing in turn for as long as 50 seconds allow, and draws no
sheets.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from likeness.benchmarks.figures.portrait_report import (
    FRAMINGS,
    PortraitMetrics,
    find_side_faces,
    format_header,
    format_row,
    format_summary,
    summarize,
)
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.pipeline.build import BuildResult, build_avatar
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.visual.sheet import draw_contact_sheet, save_image
from render import describe_machine, format_machine

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}
QUICK_SECONDS = 46.0


def parse_framing(path: Path) -> str:
    """The framing that a file's name starts with, or ""."""
    return next((kind for kind in FRAMINGS if path.name.startswith(f"{kind}_")), "")


def list_portraits(folder: Path, only: str | None) -> list[Path]:
    """The pictures of a folder, those whose name contains ``only`` if it is given."""
    pictures = folder.iterdir() if folder.is_dir() else []
    return sorted(
        p for p in pictures if p.suffix.lower() in PICTURES and (not only or only in p.name)
    )


def interleave_framings(paths: list[Path]) -> list[Path]:
    """Half, full, head, half, …: wherever the list is cut, each framing has had its turn."""
    groups = [[p for p in paths if parse_framing(p) == kind] for kind in ("half", "full", "head")]
    others = [p for p in paths if not parse_framing(p)]
    mixed = chain.from_iterable(zip_longest(*groups, others))
    return [path for path in mixed if path]


def measure_figures(
    path: Path, result: BuildResult, seconds: float, detectors: Detectors
) -> PortraitMetrics:
    """The figures of one built avatar."""
    view = result.report["input_view"]
    return PortraitMetrics(
        name=path.stem,
        kind=parse_framing(path) or result.track.framing,
        face_error=result.report["face_error"],
        pose_error=result.report["pose_error"],
        psnr=view["foreground_psnr"],
        ssim=view["ssim"],
        iou=view["silhouette_iou"],
        faces=find_side_faces(result.avatar, detectors),
        seconds=seconds,
        stages={k: v for k, v in result.report["seconds"].items() if k != "total"},
        memory_mb=result.report["peak_memory_mb"],
        warnings=tuple(result.report["warnings"]),
    )


def round_figures(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures rounded to meaningful digits; infinity becomes None, which JSON can hold."""
    return {
        key: round_figures(value)
        if isinstance(value, dict)
        else round(value, 4)
        if isinstance(value, float) and math.isfinite(value)
        else None
        if isinstance(value, float)
        else value
        for key, value in figures.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/portraits"))
    parser.add_argument("--only", help="portraits whose name contains this")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    parser.add_argument("--no-sheets", action="store_true", help="figures only")
    options = parser.parse_args()
    begin = time.perf_counter()
    paths = list_portraits(options.folder, options.only)
    if not paths:
        parser.error(f"no such portraits in '{options.folder}'")
    if options.quick:
        paths = interleave_framings(paths)
    detectors = Detectors(asset_path("face_landmark").parent)
    options.out.mkdir(parents=True, exist_ok=True)
    here = describe_machine()
    print(format_machine(here))
    print(format_header())
    results: list[PortraitMetrics] = []
    longest = 0.0
    for path in paths:
        start = time.perf_counter()
        if options.quick and start - begin + longest > QUICK_SECONDS:
            break
        try:
            result = build_avatar(path, BuildOptions())
        except LikenessError as error:
            results.append(PortraitMetrics(path.stem, parse_framing(path), error=str(error)))
            print(format_row(results[-1]), flush=True)
            continue
        seconds = time.perf_counter() - start
        results.append(measure_figures(path, result, seconds, detectors))
        print(format_row(results[-1]), flush=True)
        for warning in results[-1].warnings:
            print(f"    warning: {warning}")
        if not (options.no_sheets or options.quick):
            sheet = draw_contact_sheet(result.avatar, result.portrait, result.matte, path.stem)
            save_image(sheet, options.out / f"{path.stem}.jpg")
        longest = max(longest, time.perf_counter() - start)
    figures = summarize(results)
    print(format_summary(figures))
    print(json.dumps({"benchmark": "portraits", "machine": here, **round_figures(figures)}))
    return 0 if figures["built"] == figures["portraits"] else 1


if __name__ == "__main__":
    sys.exit(main())
