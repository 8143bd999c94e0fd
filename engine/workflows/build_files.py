"""The files that a build writes, atomically.

The command line and the worker process both go through :func:`build_to_folder`. Nothing is
written before the avatar exists; the files are made in a hidden folder and moved into place
when all are complete, so that an error leaves earlier files untouched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.types import Progress
from ..files.atomic import atomic_write_files
from ..files.folders import check_output_folder

if TYPE_CHECKING:
    from ..pipeline.build import BuildResult, FitCheck
    from ..pipeline.options import BuildOptions
    from ..pipeline.track import ExtraView

AVATAR_FILE = "avatar.safetensors"
BLEND_FILE = "avatar.blend"
PREVIEW_FILE = "preview.png"
REPORT_FILE = "report.json"


@dataclass(frozen=True)
class BuildFiles:
    """What a build wrote, and its report.

    Attributes:
        avatar: the avatar file.
        report_file: the report as JSON.
        preview: the preview; None when it was not wanted.
        report: JSON-able.
    """

    avatar: Path
    report_file: Path
    preview: Path | None
    report: dict[str, Any]


def build_to_folder(
    portrait: Path,
    folder: Path,
    options: BuildOptions | None = None,
    *,
    preview: bool = True,
    body_path: Path | None = None,
    progress: Progress | None = None,
    others: Sequence[ExtraView] = (),
    check: FitCheck | None = None,
) -> BuildFiles:
    """Build the avatar of a photo and write its files to a folder.

    Args:
        portrait: an image file.
        folder: where the files go.
        options: None for the defaults.
        preview: whether preview.png (input, orbit, a raised arm, a smile) is drawn too.
        body_path: a body file to use instead of the default one.
        progress: called with the stage, 0..1 and a message.
        others: more photos of the same person.
        check: as for :func:`.pipeline.build_avatar`.

    Raises:
        LikenessError: as for :func:`.pipeline.build_avatar`, or the folder cannot be written to.
    """
    from ..pipeline.build import build_avatar

    check_output_folder(folder)
    result = build_avatar(portrait, options, progress, body_path, others, check)
    with atomic_write_files(folder) as scratch:
        write_build(result, scratch, preview, progress)
    return BuildFiles(
        folder / AVATAR_FILE,
        folder / REPORT_FILE,
        folder / PREVIEW_FILE if preview else None,
        result.report,
    )


def write_build(
    result: BuildResult, folder: Path, preview: bool = True, progress: Progress | None = None
) -> None:
    """Write the avatar, the report and, if wanted, the preview of a build to a folder."""
    from ..formats.avatar import save_avatar
    from ..visual.sheet import draw_preview as draw_preview
    from ..visual.sheet import save_image

    save_avatar(result.avatar, folder / AVATAR_FILE)
    report = json.dumps(result.report, indent=2, allow_nan=False)
    (folder / REPORT_FILE).write_text(report + "\n", encoding="utf-8")
    if preview:
        if progress:
            progress("preview", 0.0, "drawing the preview")
        picture = draw_preview(result.avatar, result.portrait, result.matte)
        save_image(picture, folder / PREVIEW_FILE)
        if progress:
            progress("preview", 1.0, "drawn")
