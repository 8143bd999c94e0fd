"""Reading untrusted files: sizes are checked before memory is allocated, nothing is unpickled.

Whatever a parser fails on is raised as :class:`CorruptFileError`, a ``ValueError`` whose text says
what is wrong; callers that know the file's purpose turn it into a ``LikenessError``. Files that
cannot be opened raise ``OSError``.
"""

from __future__ import annotations

import json
import math
import stat
import struct
import tokenize
import tomllib
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from ..core.types import LikenessError

MAX_BYTES = 4 << 30
"""Limit of all arrays of a file together; the largest real ones (body bases) have a tenth."""

MAX_TEXT = 64 << 20
"""Limit of a JSON, TOML or table file in bytes."""

MAX_MEMBERS = 20_000
_MAX_ROWS = 1 << 31
_CHUNK = 1 << 20

PARSER_ERRORS = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError),
    *(AssertionError, EOFError, SyntaxError, MemoryError, RecursionError, NotImplementedError),
    *(BufferError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error),
    tokenize.TokenError,
)
"""What third-party parsers raise on unexpected bytes."""


class CorruptFileError(ValueError):
    """A file's content is not valid; the text says why."""


@contextmanager
def wrap_parser_errors(what: str = "its content") -> Iterator[None]:
    """Turn a parser's errors into :class:`CorruptFileError`.

    Args:
        what: What is parsed, for the message.

    Raises:
        CorruptFileError: The parser failed.
    """
    try:
        yield
    except (CorruptFileError, LikenessError):
        raise
    except PARSER_ERRORS as error:
        said = str(error) or type(error).__name__
        raise CorruptFileError(f"{what} cannot be read: {said[:300]}") from error


def file_size(path: Path) -> int:
    """Return the size in bytes of a regular file.

    Raises:
        OSError: It does not exist, or must not be read.
        CorruptFileError: It is a folder, or a pipe or device, which would never end.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise CorruptFileError("it is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise CorruptFileError("it is not a regular file")
    return found.st_size


def require_file(path: Path, remedy: str) -> int:
    """Return the size in bytes of a regular file that the user named.

    Args:
        path: The file.
        remedy: Of the error.

    Raises:
        LikenessError: It does not exist, cannot be accessed, or is a folder, pipe or device.
    """
    try:
        return file_size(path)
    except FileNotFoundError as error:
        raise LikenessError(f"'{path}' does not exist.", remedy) from error
    except OSError as error:
        raise LikenessError(
            f"'{path}' cannot be accessed: {error.strerror or error}.", remedy
        ) from error
    except CorruptFileError as error:
        raise LikenessError(f"'{path}': {error}.".replace("': it is", "' is"), remedy) from error


def read_bytes(path: Path, most: int = MAX_TEXT) -> bytes:
    """Read a whole file.

    Args:
        path: The file.
        most: Limit in bytes.

    Raises:
        OSError: It cannot be opened.
        CorruptFileError: It is larger, or is not a regular file.
    """
    size = file_size(path)
    if size > most:
        raise CorruptFileError(f"it has {size:,} bytes; the limit is {most:,}")
    return path.read_bytes()


def read_text(path: Path, most: int = MAX_TEXT) -> str:
    """Read a whole UTF-8 file, with or without a byte order mark.

    Args:
        path: The file.
        most: Limit in bytes.

    Raises:
        OSError: It cannot be opened.
        CorruptFileError: It is larger, is not a regular file, or is not UTF-8.
    """
    with wrap_parser_errors("its text"):
        return read_bytes(path, most).decode("utf-8-sig")


def parse_json(text: str | bytes, nan: bool = False) -> Any:
    """Parse JSON.

    Args:
        text: The JSON text.
        nan: Accept the constants NaN and Infinity, which JSON does not have.

    Raises:
        CorruptFileError: It is not JSON, or nested too deeply.
    """
    with wrap_parser_errors("its JSON"):
        return json.loads(text, parse_constant=None if nan else _no_constant)


def _no_constant(name: str) -> Any:
    raise CorruptFileError(f"its JSON has {name}, which is not a number")


def read_json(path: Path, most: int = MAX_TEXT, nan: bool = False) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        most: Limit in bytes.
        nan: See :func:`parse_json`.

    Raises:
        OSError: It cannot be opened.
        CorruptFileError: It is larger, or is not JSON.
    """
    return parse_json(read_text(path, most), nan)


def read_toml(path: Path, most: int = MAX_TEXT) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: The file.
        most: Limit in bytes.

    Raises:
        OSError: It cannot be opened.
        CorruptFileError: It is larger, is not TOML, or is nested too deeply.
    """
    text = read_text(path, most)
    with wrap_parser_errors("its TOML"):
        return tomllib.loads(text)


def decompress(data: bytes, most: int) -> bytes:
    """Decompress a zlib or gzip stream.

    Args:
        data: The stream.
        most: Limit of the result in bytes.

    Raises:
        CorruptFileError: It holds more, or is damaged.
    """
    out = bytearray()
    for part in iter_decompressed(data):
        out += part
        if len(out) > most:
            raise CorruptFileError(f"it unpacks to more than {most:,} bytes")
    return bytes(out)


def iter_decompressed(data: bytes) -> Iterator[bytes]:
    """Decompress a zlib or gzip stream, or several in a row, a megabyte at a time.

    Raises:
        CorruptFileError: It is damaged.
    """
    with wrap_parser_errors("its stream"):
        while data:
            stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
            while not stream.eof:
                part = stream.decompress(data, _CHUNK)
                data = stream.unconsumed_tail
                if not part and not data and not stream.eof:
                    raise CorruptFileError("its stream ends too early")
                yield part
            data = stream.unused_data.lstrip(b"\0")


# Arrays -------------------------------------------------------------------------------------


def read_npz(
    source: Path | BinaryIO,
    only: Container[str] | None = None,
    most: int = MAX_BYTES,
    skip_pickled: bool = False,
    never_skip: Container[str] = (),
) -> dict[str, np.ndarray[Any, Any]]:
    """Read the arrays of an .npz by name. Nothing is unpickled.

    Args:
        source: The file.
        only: Names of the arrays to read; None reads all.
        most: Limit of their uncompressed size in bytes.
        skip_pickled: Skip arrays of objects, which some files carry, instead of refusing them.
        never_skip: Names of arrays of objects that are refused even so.

    Returns:
        [...] arrays of any type and shape by name.

    Raises:
        OSError: It cannot be opened.
        CorruptFileError: It is larger, inconsistent or not an .npz.
    """
    return dict(iter_npz(source, only, most, skip_pickled, never_skip))


def iter_npz(
    source: Path | BinaryIO,
    only: Container[str] | None = None,
    most: int = MAX_BYTES,
    skip_pickled: bool = False,
    never_skip: Container[str] = (),
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Read the arrays of an .npz one at a time. Nothing is unpickled.

    Args:
        source: The file.
        only: Names of the arrays to read; None reads all.
        most: Limit of their uncompressed size in bytes.
        skip_pickled: Skip arrays of objects, which some files carry, instead of refusing them.
        never_skip: Names of arrays of objects that are refused even so.

    Yields:
        name: The array's name.
        array: [...] of any type and shape.

    Raises:
        OSError: It cannot be opened.
        CorruptFileError: It is larger, inconsistent or not an .npz.
    """
    if isinstance(source, Path):
        file_size(source)
    with wrap_parser_errors("its archive"), zipfile.ZipFile(source) as archive:
        for member in _members(archive, only, most):
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                array = _array(file, member, skip_pickled and name not in never_skip)
            if array is not None:
                yield name, array


def _members(
    archive: zipfile.ZipFile, only: Container[str] | None, most: int
) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise CorruptFileError(f"it has {len(members):,} members")
    names = [member.filename.removesuffix(".npy") for member in members]
    if len(set(names)) < len(names):
        raise CorruptFileError("it has two members of one name")
    wanted = [member for name, member in zip(names, members) if only is None or name in only]
    size = sum(member.file_size for member in wanted)
    if size > most:
        raise CorruptFileError(
            f"its arrays have {size / 2**30:.1f} GiB; the limit is {most / 2**30:g} GiB"
        )
    return wanted


def mmap_npy(path: Path) -> np.ndarray[Any, Any]:
    """Memory-map the array of an .npy file. Nothing is unpickled.

    Args:
        path: The file.

    Returns:
        [...] array of any type and shape, read-only.

    Raises:
        OSError: It cannot be opened.
        CorruptFileError: It is not an .npy, or is shorter than its header says.
    """
    size = file_size(path)
    with wrap_parser_errors("its header"), path.open("rb") as file:
        header = _header(file)
        _check_header("the array", header, size - file.tell(), exact=False)
        shape, fortran, dtype = header
        if 0 in shape:
            return np.empty(shape, dtype)
        order: Literal["F", "C"] = "F" if fortran else "C"
        return np.memmap(path, dtype, "r", file.tell(), shape, order)


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return an array's shape, whether it is in Fortran order, and its type."""
    form: Any = np.lib.format
    version = form.read_magic(file)
    if version in ((1, 0), (2, 0)):
        read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
        shape, fortran, dtype = read(file)
        return shape, fortran, dtype
    raise CorruptFileError(f"an array is of version {version}")


def _array(file: Any, member: zipfile.ZipInfo, skip_pickled: bool) -> np.ndarray[Any, Any] | None:
    """Read one member; None for a pickled one that is skipped."""
    name = member.filename
    shape, fortran, dtype = header = _header(file)
    if skip_pickled and _is_pickled(dtype):
        return None
    _check_header(f"'{name}'", header, member.file_size - file.tell(), exact=True)
    array = np.empty(math.prod(shape), dtype)
    if array.nbytes:
        flat = array.view(np.uint8)
        done = 0
        while done < len(flat):
            part = file.read(min(_CHUNK, len(flat) - done))
            if not part:
                raise CorruptFileError(f"'{name}' ends too early")
            flat[done : done + len(part)] = np.frombuffer(part, np.uint8)
            done += len(part)
    if file.read(1):  # also compares the checksum
        raise CorruptFileError(f"'{name}' has more bytes than its header says")
    return array.reshape(shape, order="F" if fortran else "C")


def _is_pickled(dtype: np.dtype[Any]) -> bool:
    """Whether a type holds objects; records, which may hold some, count as well."""
    return dtype.hasobject or dtype.kind == "V"


def _check_header(
    name: str, header: tuple[tuple[int, ...], bool, np.dtype[Any]], there: int, exact: bool
) -> None:
    """Check a header against the bytes there, before memory is allocated for it."""
    shape, _, dtype = header
    if _is_pickled(dtype):
        raise CorruptFileError(
            f"{name} holds pickled objects, which are never loaded (allow_pickle)"
        )
    if any(not 0 <= side < _MAX_ROWS for side in shape):
        raise CorruptFileError(f"{name} cannot have the shape {str(shape)[:80]}")
    count = math.prod(shape)
    needed = count * dtype.itemsize
    if needed > there or (exact and needed != there) or (dtype.itemsize == 0 and count > 1):
        raise CorruptFileError(f"{name} should be {shape} of {dtype}, but has {there:,} bytes")
