"""Downloads of weights, only with the user's permission.

Files of the Hugging Face hub go to the hub's own cache, where other programs find them and broken
transfers resume; files from other addresses go where the caller says.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..core.types import LikenessError
from .atomic import atomic_write
from .digests import file_sha256
from .stores import load_fsspec

_log = logging.getLogger(__name__)

CONSENT = "LIKENESS_ALLOW_DOWNLOAD"
YES = ("1", "true", "yes", "on")
TIMEOUT = 30.0  # seconds without an answer
CHUNK = 1 << 20
FetchProgress = Callable[[float, str], None]
"""``progress(fraction, name)``: the part of a file that has arrived, 0..1, and its name."""


def downloads_allowed(explicit: bool | None = None) -> bool:
    """Whether downloads are allowed: ``explicit`` if given, else ``LIKENESS_ALLOW_DOWNLOAD``."""
    if explicit is not None:
        return explicit
    return os.environ.get(CONSENT, "").strip().lower() in YES


def check_file(path: Path, size: int | None, sha256: str) -> None:
    """Compare a file with its published size and checksum.

    Args:
        path: The file.
        size: Bytes; None if unknown.
        sha256: SHA-256 in hex, or its first digits; empty if unknown.

    Raises:
        LikenessError: It differs, or cannot be read.
    """
    remedy = "Delete it and download it again; it is damaged, or another file of the same name."
    try:
        bytes_there = path.stat().st_size
        if size is not None and bytes_there != size:
            raise LikenessError(f"'{path}' has {bytes_there} bytes, not {size}.", remedy)
        digest = file_sha256(path) if sha256 else ""
    except OSError as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error.strerror or error}.", "Check the file's permissions."
        ) from error
    if not digest.startswith(sha256):
        raise LikenessError(f"'{path}' has the SHA-256 {digest}, not {sha256}.", remedy)


def hub_copy(repository: str, names: Sequence[str]) -> Path | None:
    """Find files in the hub's cache on this computer.

    Args:
        repository: Name on the hub; may be empty.
        names: Files in it.

    Returns:
        The file, or the folder of several files; None if one is missing.
    """
    if not repository or importlib.util.find_spec("huggingface_hub") is None:
        return None
    import huggingface_hub

    found = [huggingface_hub.try_to_load_from_cache(repository, name) for name in names]
    paths = [Path(path) for path in found if isinstance(path, str)]
    if len(paths) < len(names) or len({path.parent for path in paths}) != 1:
        return None
    return paths[0] if len(paths) == 1 else paths[0].parent


SNAPSHOT_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""Files of a repository that models and tokenizers are read from; none is unpickled."""


def hub_snapshot(repository: str, download: bool) -> Path | None:
    """Return the folder of a whole repository in the hub's cache.

    Args:
        repository: Name on the hub.
        download: Fetch what is missing; the caller has checked that this is allowed. A broken
            transfer resumes.

    Returns:
        None if it is incomplete and ``download`` is false.

    Raises:
        LikenessError: The hub cannot be reached or refuses, or the disk is full.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        if not download:
            return None
        raise _no_hub(repository) from error
    try:
        found = huggingface_hub.snapshot_download(
            repository, allow_patterns=list(SNAPSHOT_FILES), local_files_only=not download
        )
    except (OSError, ValueError) as error:  # its own errors are of these kinds
        if not download:
            return None
        raise _not_fetched("The repository", repository, error) from error
    folder = Path(found)
    return folder if download or not missing_weight_files(folder) else None


def missing_weight_files(folder: Path) -> list[str]:
    """Return the weight files that the indices in a folder name and that are missing."""
    missing = []
    for index in sorted(folder.rglob("*.safetensors.index.json")):
        try:
            named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError):
            missing.append(str(index.relative_to(folder)))
            continue
        there = (index.parent / name for name in sorted(named))
        missing += [str(path.relative_to(folder)) for path in there if not path.is_file()]
    return missing


def resolve_model(source: str, allow_download: bool | None = None) -> tuple[str, bool]:
    """Resolve a model to what ``transformers`` can open.

    A name on the hub is looked up in the hub's cache here, because transformers contacts the hub
    even with ``local_files_only``.

    Args:
        source: A folder with ``config.json`` and ``model.safetensors``, or a name on the hub.
        allow_download: See :func:`downloads_allowed`.

    Returns:
        source: A folder, or a name on the hub.
        local: Whether it is a folder on this computer.

    Raises:
        LikenessError: It is not on this computer and must not be downloaded.
    """
    if Path(source).exists():
        return source, True
    remedy = "Give a folder with config.json and model.safetensors"
    if re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        found = hub_copy(source, ["config.json"])
        if found is not None:
            return str(found.parent), True
        if downloads_allowed(allow_download):
            return source, False
        remedy += ", or allow the download of that name"
    raise LikenessError(f"'{source}' is not on this computer.", f"{remedy}.")


def open_address(address: str) -> BinaryIO:
    """Open an ``https://`` address, or one of an object store (``stores.SCHEMES``), for reading.

    It runs no other program and no shell.

    Raises:
        OSError: It cannot be reached.
        LikenessError: The scheme is not supported, or a package for it is missing.
    """
    if address.lower().startswith("https://"):
        answer: BinaryIO = _open_https(address)
        return answer
    fsspec = load_fsspec(address, ["https"])
    try:
        stream: BinaryIO = fsspec.open(address, "rb").open()
    except (ImportError, ValueError) as error:  # the store's own package is missing
        raise LikenessError(
            f"'{address}' cannot be opened: {error}.", "Install the package that it names."
        ) from error
    return stream


def _open_https(address: str) -> Any:
    """Open a web address, unless it or a redirection is unencrypted."""
    import urllib.request  # loads slowly, and most commands fetch nothing

    if not address.lower().startswith("https://"):
        raise OSError("it is not an https address")
    answer = urllib.request.urlopen(address, timeout=TIMEOUT)  # redirections, too, end here
    if not answer.geturl().lower().startswith("https://"):
        answer.close()
        raise OSError(f"it leads to '{answer.geturl()}', which is not encrypted")
    return answer


def fetch_file(
    repository: str,
    url: str,
    name: str,
    folder: Path,
    size: int | None,
    sha256: str,
    progress: FetchProgress | None = None,
) -> Path:
    """Download one file and check it. The caller has checked that this is allowed.

    Args:
        repository: Name on the hub; if empty, the file comes from ``url``.
        url: Address of the folder that holds the file, with a trailing slash.
        name: The file's name.
        folder: Where a file from ``url`` goes; created if missing.
        size: See :func:`check_file`.
        sha256: See :func:`check_file`; a file without a published checksum is accepted with a
            warning that reports its own.
        progress: Reports a web file as it arrives, and a hub file at its end.

    Returns:
        The file.

    Raises:
        LikenessError: No connection, no such file, no permission, or not the expected file.
    """
    _log.info("downloading %s from %s", name, repository or url)
    if repository:
        path = _from_hub(repository, name)
        check_file(path, size, sha256)
    else:
        path = _from_web(url + name, folder, size, sha256, progress)
    if progress is not None:
        progress(1.0, name)
    if not sha256:
        warnings.warn(
            f"'{path}' has no published checksum; its SHA-256 is {file_sha256(path)}.", stacklevel=3
        )
    return path


def _from_hub(repository: str, name: str) -> Path:
    try:
        import huggingface_hub
    except ImportError as error:
        raise _no_hub(repository) from error
    try:
        return Path(huggingface_hub.hf_hub_download(repository, name))
    except (OSError, ValueError) as error:  # its own errors are of these kinds
        raise _not_fetched(f"'{name}'", repository, error) from error


def _no_hub(repository: str) -> LikenessError:
    return LikenessError(
        "Downloading weights needs the package 'huggingface-hub', which is not installed.",
        f"Download https://huggingface.co/{repository} yourself, or choose a Python that has this "
        "package.",
    )


def _not_fetched(what: str, repository: str, error: Exception) -> LikenessError:
    return LikenessError(
        f"{what} cannot be downloaded from https://huggingface.co/{repository}: {error}.",
        "Check the connection, and whether the page asks you to accept a licence and to log "
        "in; or download it yourself and give its path.",
    )


def _copy(
    answer: Any, file: BinaryIO, size: int | None, name: str, progress: FetchProgress | None
) -> None:
    """Copy an answer from the web into a file, a megabyte at a time."""
    said = answer.headers.get("Content-Length", "")
    whole = size or (int(said) if said.isdigit() else 0)
    done = 0
    while chunk := answer.read(CHUNK):
        file.write(chunk)
        done += len(chunk)
        if progress is not None and whole:
            progress(min(done / whole, 1.0), name)


def _from_web(
    address: str, folder: Path, size: int | None, sha256: str, progress: FetchProgress | None
) -> Path:
    from http.client import HTTPException

    path = folder / address.rpartition("/")[2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LikenessError(
            f"The folder '{folder}' cannot be created: {error.strerror or error}.",
            "Set LIKENESS_WEIGHTS to a folder with the files.",
        ) from error
    with atomic_write(path) as scratch:
        try:
            with _open_https(address) as answer, scratch.open("wb") as file:
                _copy(answer, file, size, path.name, progress)
        except (OSError, HTTPException) as error:
            raise LikenessError(
                f"'{address}' cannot be downloaded: {error}.",
                "Check the connection, or download the file yourself and give its path.",
            ) from error
        check_file(scratch, size, sha256)
    return path
