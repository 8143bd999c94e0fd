"""What a build writes: whole or not at all.

The command line and the worker process both go through :func:`build_to_folder`. Nothing is
written before the avatar exists; the files are made in a hidden folder and moved to their place
when all are complete, so that an error leaves what was there untouched.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from .formats.atomic import WRITE_ERRORS, why
from .types import LikenessError, Progress

if TYPE_CHECKING:
    from .pipeline import BuildOptions, BuildResult, Check
    from .tracked import OtherPhoto

AVATAR_FILE = "avatar.safetensors"
BLEND_FILE = "avatar.blend"
PREVIEW_FILE = "preview.png"
REPORT_FILE = "report.json"


@dataclass(frozen=True)
class BuildFiles:
    """What a build wrote: the files (``preview`` None when it was not wanted) and the report."""

    avatar: Path
    report_file: Path
    preview: Path | None
    report: dict[str, Any]


def inside(folder: Path, name: str) -> Path:
    """The path of ``name`` below ``folder``, for names that come from tables, archives and files.

    Raises:
        LikenessError: it would lie elsewhere: an absolute path, one with ``..``, or one that a
            link leads out.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    plain = parts and not any(part == ".." or "\0" in part or ":" in part for part in parts)
    path = folder.joinpath(*parts)
    if not plain or parts[0] == "/" or not path.resolve().is_relative_to(folder.resolve()):
        raise LikenessError(
            f"{name!r} is no place inside of '{folder}'.",
            "Give a name without '..', ':' or a leading '/'.",
        )
    return path


def check_output_folder(folder: Path) -> None:
    """Raise the error of an unusable output folder before the work rather than after it."""
    for path in (folder, *folder.parents):
        if path.exists():
            if not path.is_dir():
                raise LikenessError(f"'{path}' is a file, not a folder.", "Choose another folder.")
            if not os.access(path, os.W_OK | os.X_OK):
                raise LikenessError(f"Cannot write to '{path}'.", "Choose another folder.")
            return


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """A scratch folder whose files move into ``folder`` together when the block succeeds."""
    check_output_folder(folder)
    folder = folder.absolute()
    # In the folder itself if it is there: it may be another disk than what is around it.
    home = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".likeness-", dir=home) as scratch:
            yield Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(Path(scratch).iterdir()):
                path.replace(folder / path.name)
    except LikenessError as error:  # of a file in the scratch folder, which nobody knows
        raise LikenessError(error.message.replace(scratch, str(folder)), error.remedy) from error
    except WRITE_ERRORS as error:
        raise cannot_write(folder, error) from error


@contextmanager
def folders_for(*files: Path) -> Iterator[None]:
    """Make the folders of ``files``; those that stay empty are taken away again.

    Raises:
        LikenessError: a folder cannot be made, or not be written to.
    """
    made: list[Path] = []
    try:
        for file in files:
            folder = file.absolute().parent
            _make_folder(folder, made)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise LikenessError(f"Cannot write to '{folder}'.", "Choose another folder.")
        yield
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # something is in it
                folder.rmdir()


@contextmanager
def only_run(lock: Path, begun: Path, taken: str, wait: float = 0.0) -> Iterator[None]:
    """Keep other runs out of the folder that ``lock`` lies in, which is made if it is not there.

    The system lets go of it when the process dies. A folder in which nothing was begun (there is
    no file ``begun`` at the end) is left as it was.

    Args:
        taken: what is said while another run is at work.
        wait: seconds for which the lock is waited for.

    Raises:
        LikenessError: one is, or the folder cannot be written to.
    """
    import filelock

    held = filelock.FileLock(lock)
    with folders_for(lock):
        try:
            held.acquire(timeout=wait)
        except filelock.Timeout as error:
            raise LikenessError(taken, "Wait for it, or choose another folder.") from error
        except OSError as error:
            raise cannot_write(lock.parent, error) from error
        try:
            yield
        finally:
            held.release()
            if not begun.is_file():
                with suppress(OSError):  # some systems keep it while anybody looks at it
                    lock.unlink(missing_ok=True)


def cannot_write(folder: Path, error: Exception) -> LikenessError:
    """The error of a folder that is missing, full or read-only."""
    return LikenessError(
        f"Cannot write to '{folder}': {why(error)}.", "Choose another folder, or make room."
    )


def _make_folder(folder: Path, made: list[Path]) -> None:
    for path in reversed((folder, *folder.parents)):
        if path.exists() and not path.is_dir():
            raise LikenessError(f"'{path}' is a file, not a folder.", "Choose another folder.")
        if not path.exists():
            try:
                path.mkdir()
            except OSError as error:
                raise cannot_write(folder, error) from error
            made.append(path)


def build_to_folder(
    portrait: Path,
    folder: Path,
    options: BuildOptions | None = None,
    *,
    preview: bool = True,
    body_path: Path | None = None,
    progress: Progress | None = None,
    others: Sequence[OtherPhoto] = (),
    check: Check | None = None,
) -> BuildFiles:
    """Build the avatar of ``portrait`` and write it to ``folder``.

    Args:
        options: None for the defaults.
        preview: also draw preview.png (input, orbit, a raised arm, a smile).
        body_path: a body file of the user's own instead of the default body.
        others: more photos of the same person.
        check: as for :func:`.pipeline.build_avatar`.
    """
    from .pipeline import build_avatar

    check_output_folder(folder)
    result = build_avatar(portrait, options, progress, body_path, others, check)
    with whole_files(folder) as scratch:
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
    from .evaluation.sheet import preview as draw_preview
    from .evaluation.sheet import save_picture
    from .formats.avatar import save_avatar

    save_avatar(result.avatar, folder / AVATAR_FILE)
    report = json.dumps(result.report, indent=2, allow_nan=False)
    (folder / REPORT_FILE).write_text(report + "\n", encoding="utf-8")
    if preview:
        if progress:
            progress("preview", 0.0, "drawing the preview")
        picture = draw_preview(result.avatar, result.portrait, result.matte)
        save_picture(picture, folder / PREVIEW_FILE)
        if progress:
            progress("preview", 1.0, "drawn")
