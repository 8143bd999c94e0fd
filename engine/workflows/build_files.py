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

from ..core.attributes import apply_attributes
from ..core.types import LikenessError, Progress
from ..files.atomic import atomic_write_files
from ..files.folders import check_output_folder

if TYPE_CHECKING:
    from ..pipeline.build import BuildResult, FitCheck
    from ..pipeline.options import BuildOptions
    from ..pipeline.track import ExtraView

AVATAR_SUFFIX, THUMBNAIL_SUFFIX = ".safetensors", ".png"
AVATAR_FILE = "avatar.safetensors"
BLEND_FILE = "avatar.blend"
PREVIEW_FILE = "preview.png"
REPORT_FILE = "report.json"


def find_avatar_file(path: Path) -> Path:
    """The avatar file of a picture: the one of its name, or the only one beside it.

    Args:
        path: a picture, or an avatar file, which is returned as it is.

    Raises:
        LikenessError: No avatar file lies beside the picture, or several of other names.
    """
    if path.suffix.lower() != THUMBNAIL_SUFFIX:
        return path
    same = path.with_suffix(AVATAR_SUFFIX)
    beside = [same] if same.is_file() else list(path.parent.glob(f"*{AVATAR_SUFFIX}"))
    if len(beside) != 1:
        raise LikenessError(
            f"'{path}' is not the picture of an avatar.",
            f"Choose a file that ends in {AVATAR_SUFFIX}, or the picture beside one.",
        )
    return beside[0]


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
    name: str | None = None,
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
        name: of the avatar file, without its suffix, and of a thumbnail beside it; None for
            avatar.safetensors without one.

    Raises:
        LikenessError: as for :func:`.pipeline.build_avatar`, or the folder cannot be written to.
    """
    from ..pipeline.build import build_avatar

    check_output_folder(folder)
    result = build_avatar(portrait, options, progress, body_path, others, check)
    with atomic_write_files(folder) as scratch:
        write_build(result, scratch, preview, progress, name)
    return BuildFiles(
        folder / (f"{name}{AVATAR_SUFFIX}" if name else AVATAR_FILE),
        folder / REPORT_FILE,
        folder / PREVIEW_FILE if preview else None,
        result.report,
    )


def write_build(
    result: BuildResult,
    folder: Path,
    preview: bool = True,
    progress: Progress | None = None,
    name: str | None = None,
) -> None:
    """Write the avatar, the report and, if wanted, the preview of a build to a folder.

    For the arguments see :func:`build_to_folder`.
    """
    from ..formats.avatar import save_avatar
    from ..visual.sheet import draw_preview as draw_preview
    from ..visual.sheet import draw_thumbnail, save_image

    shown = apply_attributes(result.avatar)
    if name:
        save_avatar(result.avatar, folder / f"{name}{AVATAR_SUFFIX}")
        save_image(draw_thumbnail(shown), folder / f"{name}{THUMBNAIL_SUFFIX}")
    else:
        save_avatar(result.avatar, folder / AVATAR_FILE)
    report = json.dumps(result.report, indent=2, allow_nan=False)
    (folder / REPORT_FILE).write_text(report + "\n", encoding="utf-8")
    if preview:
        if progress:
            progress("preview", 0.0, "drawing the preview")
        picture = draw_preview(shown, result.portrait, result.matte)
        save_image(picture, folder / PREVIEW_FILE)
        if progress:
            progress("preview", 1.0, "drawn")
