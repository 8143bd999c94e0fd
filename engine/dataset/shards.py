"""Training data as shards: tar files of subjects, in WebDataset's form.

A folder of data holds ``shard-000000.tar``, ``shard-000001.tar``, ... and ``shards.json``. One
sample is one subject: consecutive members that share a key, the part of their names before
the first dot.

==============================  ===================================================================
``KEY.json``                    see below
``KEY.body.npz``                plain arrays: ``betas`` [B], ``full_pose`` [P, 55, 3], ``transl``
                                [P, 3], ``expression`` [P, E] float32; ``viewmats`` [V, 4, 4],
                                ``Ks`` [V, 3, 3] float64; ``sizes`` [V, 2] (width, height),
                                ``view_pose`` [V] int32 (row of the poses)
``KEY.VIEW.png`` or ``.webp``   the person in that view, RGBA, straight alpha, without background
``KEY.VIEW.background.jpg``     optional: a background of the same size
``KEY.VIEW.depth.png``          optional: 16-bit grey, the distance along the view axis in
                                quarters of a millimetre (1 is 0.25 mm, so up to 16.38 m); 0 is
                                nothing. Not antialiased: taken at the middle of the pixel
``KEY.VIEW.labels.png``         optional: 8-bit grey, what the middle of the pixel shows:
                                rows of ``facts.labels`` in the JSON; 0 is nothing
==============================  ===================================================================

Poses and cameras are in one space with y up (docs/CONVENTIONS.md), of the default body. The JSON
holds ``version`` (1), ``source`` (rendered or generated), ``framing`` (head, half, full), ``seed``,
``facts`` (anything else that the maker knows), ``crc32`` (checksum of each other member) and
``views``, in the order of the arrays: ``name``, ``kind`` (front, side, back), ``azimuth`` (degrees
of the camera to the left of where the trunk faces), ``held_out`` (kept from training),
``picture`` and ``background`` (names of members, or null), and where they exist ``depth`` and
``labels``. ``facts.reference`` may name the view that was meant as the photo.

Pictures have transparent backgrounds so that training can put any behind them. Members carry no
times or owners: the same subjects give the same bytes. ``shards.json`` lists each tar file's
``name``, ``subjects``, ``bytes`` and ``sha256``; a reader needs no index, but with one it notices
missing shards. Nothing is ever unpickled.

To make shards in several processes, give each process its own numbers (``write_shard``), and list
them all at the end (``write_index``). A shard appears under its name only when it is complete.
"""

from __future__ import annotations

import glob
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..core.types import LikenessError
from ..files.atomic import atomic_write, atomic_write_json
from ..files.digests import file_sha256
from ..files.downloads import open_address
from ..files.untrusted import read_json, wrap_parser_errors
from .stored_subjects import read_stored_subjects
from .subjects import InvalidSampleError, Subject, SubjectView, encode_rgba

__all__ = [
    "InvalidSampleError",
    "ShardWriter",
    "SkippedItem",
    "Subject",
    "SubjectView",
    "encode_rgba",
    "first_subject",
    "local_shards",
    "read_subjects",
    "shard_files",
    "shard_name",
    "write_index",
    "write_members",
    "write_shard",
]

INDEX_FILE = "shards.json"
REMEDY = (
    "Give a folder of shards (shard-*.tar), a pattern like 'shard-{000000..000099}.tar', or files."
)


@dataclass(frozen=True)
class SkippedItem:
    """Something in the data that could not be used.

    Attributes:
        shard: The shard, or empty.
        name: Name within the shard; empty for the whole shard.
        reason: Why.
    """

    shard: str
    name: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.shard, self.name, self.reason) if part)


def import_webdataset() -> Any:
    """Import WebDataset.

    Raises:
        LikenessError: It is not installed.
    """
    try:
        import webdataset
    except ImportError as error:
        raise LikenessError(
            "Shards are read by the package 'webdataset', which is not installed.",
            "Install it in the project's folder: pip install webdataset, or -e '.[train]'.",
        ) from error
    return webdataset


def shard_name(number: int) -> str:
    """Get the file name of a shard.

    >>> shard_name(12)
    'shard-000012.tar'
    """
    return f"shard-{number:06d}.tar"


class ShardWriter:
    """Writes subjects into tar files of a fixed number each, and the index at the end.

    A context manager. Where the block fails, the complete shards stay and are listed.

    Args:
        folder: Created if missing.
        per_shard: Subjects in each tar file.
        first: Number of the first tar file.
    """

    def __init__(self, folder: Path, per_shard: int = 64, first: int = 0) -> None:
        self.folder, self.per_shard = Path(folder), per_shard
        self.paths: list[Path] = []
        self._number, self._count = first, 0
        self._shard: ExitStack | None = None
        self._tar: Any = None

    def __enter__(self) -> ShardWriter:
        _made(self.folder)
        return self

    def write(self, subject: Subject) -> None:
        """Add a subject.

        Raises:
            LikenessError: The folder is full or read-only, or the subject does not fit the format.
        """
        members = subject.members()
        if self._shard is None:
            self._open()
        _add(self._tar, subject.key, members)
        self._count += 1
        if self._count == self.per_shard:
            self._close()

    def _open(self) -> None:
        path = self.folder / shard_name(self._number)
        self._shard = ExitStack()
        self._tar = self._shard.enter_context(_tar(self._shard.enter_context(atomic_write(path))))
        self.paths.append(path)

    def _close(self) -> None:
        if self._shard is not None:
            shard, self._shard = self._shard, None
            shard.close()
            self._number, self._count = self._number + 1, 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._close()
            elif self._shard is not None:  # the incomplete one is removed
                self.paths.pop()
                self._shard.__exit__(kind, error, trace)
        finally:
            if self.paths:
                write_index(self.folder, self.paths)


def write_shard(folder: Path, number: int, subjects: Iterable[Subject]) -> Path:
    """Write one tar file atomically; several processes may each write theirs.

    Args:
        folder: Created if missing.
        number: Of the shard.
        subjects: In order.

    Returns:
        The file.

    Raises:
        LikenessError: As :meth:`ShardWriter.write`.
    """
    path = folder / shard_name(number)
    write_members(path, ((subject.key, subject.members()) for subject in subjects))
    return path


def write_members(path: Path, subjects: Iterable[tuple[str, Mapping[str, bytes]]]) -> None:
    """Write a tar file atomically; the last wins where several processes write the same one.

    Args:
        path: The file; its folder is created if missing.
        subjects: Keys and members (``Subject.members``).

    Raises:
        LikenessError: The folder is full or read-only.
    """
    _made(path.parent)
    with atomic_write(path, shared=True) as scratch, _tar(scratch) as tar:
        for key, members in subjects:
            _add(tar, key, members)


@contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A new tar file in the form that WebDataset writes (a test compares the two).

    Writing needs neither that package nor torch, which it imports.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        yield tar


def _add(tar: tarfile.TarFile, key: str, members: Mapping[str, bytes]) -> None:
    """Add a subject, with the same bytes at any time and for any user."""
    for name, data in sorted(members.items()):
        entry = tarfile.TarInfo(f"{key}.{name}")
        entry.size, entry.mode = len(data), 0o444
        tar.addfile(entry, io.BytesIO(data))


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LikenessError(
            f"Cannot write to '{folder}': {error.strerror or error}.",
            "Choose another folder, or make room.",
        ) from error


def write_index(folder: Path, fresh: Sequence[Path] = ()) -> Path:
    """List the folder's shards in ``shards.json``.

    Args:
        folder: With the shards.
        fresh: Shards that were just written. Others keep their entries in the present list while
            their size is the same, so that a terabyte is not read again for every new shard.

    Returns:
        The file.

    Raises:
        LikenessError: A shard cannot be read, or the folder cannot be written.
    """
    known = _index(folder) or {}
    again = {path.name for path in fresh}
    entries = []
    for path in local_shards(folder):
        entry = known.get(path.name)
        if entry is None or path.name in again or entry["bytes"] != path.stat().st_size:
            entry = _entry(path)
        entries.append(entry)
    out = folder / INDEX_FILE
    atomic_write_json(out, {"version": 1, "shards": entries})
    return out


def local_shards(folder: Path) -> list[Path]:
    """List the tar files of a folder, except hidden ones, which a killed writer leaves."""
    return sorted(path for path in folder.glob("*.tar") if not path.name.startswith("."))


def _entry(path: Path) -> dict[str, Any]:
    try:
        subjects = sum(1 for _ in read_stored_subjects(path))
        digest = file_sha256(path)
    except OSError as error:
        raise LikenessError(f"'{path}' cannot be read ({error}).", "Make it again.") from error
    size = path.stat().st_size
    return {"name": path.name, "subjects": subjects, "bytes": size, "sha256": digest}


def _index(folder: Path) -> dict[str, dict[str, Any]] | None:
    """The entries of ``shards.json`` by name; None without the file.

    Raises:
        LikenessError: It is damaged.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        return None
    try:
        entries = read_json(path)["shards"]
        with wrap_parser_errors():
            return {
                str(entry["name"]): {**entry, "bytes": int(entry["bytes"])} for entry in entries
            }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LikenessError(
            f"'{path}' cannot be read ({error!r}).", "Remove it: no index is needed."
        ) from error


def shard_files(
    source: Path | str | Sequence[Path | str], skipped: Callable[[SkippedItem], None] | None = None
) -> list[str]:
    """List the tar files that a description of training data names, sorted and without repeats.

    Args:
        source: A folder, a file, a pattern with ``*``, ``?`` or braces
            (``shard-{000000..000099}.tar``), an address that is streamed (``https://...``, or what
            fsspec knows: ``s3://...``), or several of those.
        skipped: Called for each shard of the index that is missing or has another size.

    Raises:
        LikenessError: There are none, or a source is a command.
    """
    parts = [source] if isinstance(source, Path | str) else list(source)
    found: list[str] = []
    for part in parts:
        found += _files_of(part, skipped or (lambda _: None))
    if not found:
        named = ", ".join(f"'{part}'" for part in parts)
        raise LikenessError(f"No shards were found in {named}.", REMEDY)
    return sorted(set(found))


def _files_of(part: Path | str, skipped: Callable[[SkippedItem], None]) -> list[str]:
    if Path(part).is_dir():
        files = local_shards(Path(part))
        sizes = {path.name: path.stat().st_size for path in files}
        try:
            index = _index(Path(part)) or {}
        except LikenessError as error:
            index = {}
            reason = (
                f"{error.message} All tar files of the folder are taken; one that is missing is "
                "not noticed, and one that is cut short only when it is read."
            )
            skipped(SkippedItem(str(Path(part) / INDEX_FILE), "", reason))
        for name, entry in index.items():
            shard = str(Path(part) / name)
            if name not in sizes:
                skipped(SkippedItem(shard, "", f"it is missing, though {INDEX_FILE} lists it"))
            elif sizes[name] != entry["bytes"]:
                reason = f"it has {sizes[name]:,} bytes, {INDEX_FILE} says {entry['bytes']:,}"
                skipped(SkippedItem(shard, "", reason))
        return [str(path) for path in files]
    if Path(part).is_file():
        return [str(part)]
    if str(part).startswith("pipe:"):
        raise LikenessError(
            f"'{part}' is a command; commands are not run.",
            "Give an address (https://, s3://, ...), or let the command write a file.",
        )
    out = []
    for one in import_webdataset().shardlists.expand_urls(str(part)):
        out += [one] if _is_address(one) else sorted(glob.glob(one))
    return out


def _opened(shard: str) -> IO[bytes]:
    if _is_address(shard):
        return open_address(shard)
    return open(shard, "rb")


def _is_address(name: str) -> bool:
    return "://" in name


def read_subjects(
    shard: str, num_betas: int, num_expression: int, skipped: Callable[[SkippedItem], None]
) -> Iterator[Subject]:
    """Stream the subjects of one shard.

    Args:
        shard: Path or address.
        num_betas: Of the body that will be posed.
        num_expression: Of the body that will be posed.
        skipped: Called with what is left out and why: the shard itself where it ends or breaks
            early, and damaged subjects.

    Raises:
        LikenessError: WebDataset is not installed.
    """
    iterators = import_webdataset().tariterators

    def broken(error: Exception) -> bool:
        reason = str(error.args[0] if error.args else error).partition(" @ ")[0]
        skipped(SkippedItem(shard, "", f"it cannot be read to its end ({reason})"))
        return False  # what comes after cannot be trusted

    try:
        stream = _opened(shard)
    except OSError as error:
        skipped(SkippedItem(shard, "", f"it cannot be opened ({error})"))
        return
    with stream:
        files = iterators.tar_file_expander([{"url": shard, "stream": stream}], handler=broken)
        for sample in iterators.group_by_keys(files, handler=broken):
            key = sample["__key__"]
            members = {name: data for name, data in sample.items() if not name.startswith("__")}
            try:
                yield Subject.of_members(key, members, num_betas, num_expression)
            except InvalidSampleError as error:
                skipped(SkippedItem(shard, key, str(error)))


def first_subject(shards: Sequence[str], num_betas: int, num_expression: int) -> Subject:
    """Get the first usable subject, to know early that there is one.

    Args:
        shards: As :func:`shard_files` returns them.
        num_betas: Of the body that will be posed.
        num_expression: Of the body that will be posed.

    Raises:
        LikenessError: There is none; it says what is wrong with the first few.
    """
    reasons: list[SkippedItem] = []
    for shard in shards:
        for subject in read_subjects(shard, num_betas, num_expression, reasons.append):
            return subject
    shown = "; ".join(str(reason) for reason in reasons[:3])
    raise LikenessError(
        f"No subject in {len(shards)} shards is usable: '{shards[0]}'"
        f"{' and others' if len(shards) > 1 else ''} ({shown or 'they are empty'}).",
        REMEDY,
    )
