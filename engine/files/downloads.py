"""Fetching weights, only when the user allows it.

Files of the Hugging Face hub stay in the hub's own cache, where other programs find them, too, and
where a transfer that broke off goes on; those of other addresses are put where the caller says.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import urllib.request
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..core.types import LikenessError
from .atomic import atomic_write
from .digests import file_sha256

CONSENT = "LIKENESS_ALLOW_DOWNLOAD"
YES = ("1", "true", "yes", "on")
TIMEOUT = 30.0  # seconds without an answer
CHUNK = 1 << 20
STORES = ("file", "s3", "gs", "gcs", "az", "abfs", "hf", "sftp")
"""Schemes of addresses that are read through fsspec."""

FetchProgress = Callable[[float, str], None]
"""Told how much of a file is there, 0..1, and the file's name."""


def downloads_allowed(explicit: bool | None = None) -> bool:
    """Whether anything may be fetched: as said, or what ``LIKENESS_ALLOW_DOWNLOAD`` says."""
    if explicit is not None:
        return explicit
    return os.environ.get(CONSENT, "").strip().lower() in YES


def check_file(path: Path, size: int | None, sha256: str) -> None:
    """Compare a file with what is published of it.

    Args:
        size: bytes; None if that is not known.
        sha256: in hex, or its first digits; empty if it is not known.

    Raises:
        LikenessError: it is another file, or cannot be read.
    """
    remedy = "Take it away and get it again; it is damaged, or another file of the same name."
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
    """What the hub's cache on this computer has: the file, or the folder of several files."""
    if not repository or importlib.util.find_spec("huggingface_hub") is None:
        return None
    import huggingface_hub

    found = [huggingface_hub.try_to_load_from_cache(repository, name) for name in names]
    paths = [Path(path) for path in found if isinstance(path, str)]
    if len(paths) < len(names) or len({path.parent for path in paths}) != 1:
        return None
    return paths[0] if len(paths) == 1 else paths[0].parent


SNAPSHOT_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""Of a repository: what models and their tokenizers are read from; nothing that is unpickled."""


def hub_snapshot(repository: str, download: bool) -> Path | None:
    """The folder of a whole repository in the hub's cache.

    Args:
        download: fetch what is missing; the caller has asked whether that is allowed. A transfer
            that broke off goes on.

    Returns:
        None when it is not all there, and not to be fetched.

    Raises:
        LikenessError: the hub cannot be reached, or refuses; or there is no room.
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
    """Weight files that the folder's own indices name and that are not there."""
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
    """What ``transformers`` is to be asked for, and whether that is a folder on this computer.

    A name on the hub is looked up in the hub's cache here: transformers asks the hub's server
    about other things even when it is told to use local files only.

    Args:
        source: a folder with ``config.json`` and ``model.safetensors``, or a name on the hub.
        allow_download: see :func:`downloads_allowed`.

    Raises:
        LikenessError: it is not on this computer and may not be fetched.
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
    """What lies at an address, as a stream: ``https://``, or one of :data:`STORES` (fsspec).

    No other program runs for it, and no shell.

    Raises:
        OSError: it cannot be reached. LikenessError: another kind of address, or no fsspec.
    """
    scheme = address.partition("://")[0].lower()
    if scheme == "https":
        answer: BinaryIO = _open_https(address)
        return answer
    if scheme not in STORES:
        raise LikenessError(
            f"'{address}' is no address that is read.",
            f"Give a file, or an address that begins with https:// or {', '.join(STORES)}://.",
        )
    try:
        import fsspec
    except ImportError as error:
        raise LikenessError(
            f"'{address}' needs the package 'fsspec', which is not installed.",
            "Run 'pip install fsspec', or copy the file to this computer.",
        ) from error
    try:
        stream: BinaryIO = fsspec.open(address, "rb").open()
    except (ImportError, ValueError) as error:  # the store's own package is not there
        raise LikenessError(
            f"'{address}' cannot be opened: {error}.", "Install the package that it names."
        ) from error
    return stream


def _open_https(address: str) -> Any:
    """An answer from the web, only where neither the address nor a redirection is unencrypted."""
    if not address.lower().startswith("https://"):
        raise OSError("it is no https address")
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
    """Fetch one file and check it. The caller has asked whether that is allowed.

    Args:
        repository: on the hub; if empty, ``url`` is the address of the folder that holds it.
        name: of the file.
        folder: where a file from ``url`` goes, made when missing.
        size, sha256: as for :func:`check_file`; a file without a published digest is let through
            with a warning that says which one it has.
        progress: told how much there is, of files from the web; of those of the hub at the end.

    Raises:
        LikenessError: no connection, no such file, no permission, or another file than expected.
    """
    if repository:
        path = _from_hub(repository, name)
        check_file(path, size, sha256)
    else:
        path = _from_web(url + name, folder, size, sha256, progress)
    if progress is not None:
        progress(1.0, name)
    if not sha256:
        warnings.warn(
            f"Nobody has published a checksum of '{path}'; its SHA-256 is {file_sha256(path)}.",
            stacklevel=3,
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
        "Weights are fetched with the package 'huggingface-hub', which is not installed.",
        "Install it where Likeness runs: pip install -e '.[train]' in the project's folder, or "
        "with the Python of the extension's preferences; or download "
        f"https://huggingface.co/{repository} yourself.",
    )


def _not_fetched(what: str, repository: str, error: Exception) -> LikenessError:
    return LikenessError(
        f"{what} cannot be fetched from https://huggingface.co/{repository}: {error}.",
        "Check the connection, and whether the page asks you to accept a licence and to log "
        "in; or download it yourself and give its path.",
    )


def _copy(
    answer: Any, file: BinaryIO, size: int | None, name: str, progress: FetchProgress | None
) -> None:
    """An answer from the web into a file, a megabyte at a time."""
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
    path = folder / address.rpartition("/")[2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LikenessError(
            f"The folder '{folder}' cannot be made: {error.strerror or error}.",
            "Set LIKENESS_WEIGHTS to a folder with the files.",
        ) from error
    with atomic_write(path) as scratch:
        try:
            with _open_https(address) as answer, scratch.open("wb") as file:
                _copy(answer, file, size, path.name, progress)
        except (OSError, http.client.HTTPException) as error:
            raise LikenessError(
                f"'{address}' cannot be fetched: {error}.",
                "Check the connection, or download the file yourself and give its path.",
            ) from error
        check_file(scratch, size, sha256)
    return path
