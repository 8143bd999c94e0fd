"""Units of work, identified by their sources: equal bytes and options are the same work."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.types import LikenessError, Progress
from ...core.version import VERSION
from ...files.digests import file_sha256
from ...files.stores import Address, Place, fetch_address
from ...files.untrusted import CorruptFileError, file_size
from ...files.weights import ASSETS_VERSION, DEFAULT_NETWORK, find_network
from ...imaging.load import MAX_BYTES
from ...pipeline.estimators import resolve_estimates
from ...wardrobe.asset_files import list_asset_files
from ..edit_avatar import list_edit_files, strip_edit_folders
from .code_version import code_digest
from .portrait_spec import PortraitSpec


@dataclass(frozen=True)
class PortraitUnit:
    """One portrait's work.

    Attributes:
        asked: the portrait and its options.
        digest: of the photos' bytes, the options and the program; empty where a photo cannot be
            read.
        photos: hash of each photo, the main one first.
        trouble: why it cannot be begun, or None.
    """

    asked: PortraitSpec
    digest: str
    photos: tuple[str, ...] = ()
    trouble: LikenessError | None = None

    @property
    def name(self) -> str:
        """The name of its folder in the output."""
        return self.asked.name


def plan_units(
    portraits: Sequence[PortraitSpec], progress: Progress | None = None
) -> list[PortraitUnit]:
    """The portraits' units; every photo is read once for its hash.

    Args:
        portraits: the portraits.
        progress: called with the stage, 0..1 and a message.

    Raises:
        LikenessError: a body file, a network or an asset of a library does not exist.
    """
    named = _Named()
    out = []
    for k, one in enumerate(portraits):
        if progress:
            progress("files", k / len(portraits), f"{k} of {len(portraits)}")
        out.append(_unit(one, named))
    return out


def _unit(asked: PortraitSpec, named: _Named) -> PortraitUnit:
    options = {**asked.options}
    models = [options.pop(name, None) for name in ("smplx", "sapiens")]
    estimates = options.pop("estimator", ())
    edits = options.get("edit", ())
    if edits:  # library files count by their contents, wherever they lie
        options["edit"] = strip_edit_folders(edits)
    body, network = options.pop("body", None), options.pop("network", DEFAULT_NETWORK)
    made_from: dict[str, Any] = {
        "code": code_digest(),
        "likeness": VERSION,
        "assets": ASSETS_VERSION,
        "options": options,
        "body": named.body(body),
        "network": named.network(network),
        "assets_worn": [named.asset(path) for path in list_edit_files(edits)],
    }
    paths = [asked.photo, *(path for _, path in asked.views)]
    try:
        photos = tuple(photo_sha256(path) for path in paths)
        made_from["estimators"] = [
            named.data(path)
            for path in (*models, *resolve_estimates(estimates, Path(str(asked.photo)).stem))
        ]
    except LikenessError as error:
        return PortraitUnit(asked, "", (), error)
    made_from["photos"] = [
        [direction, sha] for direction, sha in zip(("", *(d for d, _ in asked.views)), photos)
    ]
    text = json.dumps(made_from, sort_keys=True)
    return PortraitUnit(asked, hashlib.sha256(text.encode()).hexdigest(), photos)


def photo_sha256(path: Place) -> str:
    """The hash of a photo's file.

    Raises:
        LikenessError: it does not exist, cannot be read, is not a plain file or is far too large.
    """
    if isinstance(path, Address):
        return _address_sha256(path)
    try:
        size = file_size(path)
        if size > MAX_BYTES:
            raise CorruptFileError(f"it has {size:,} bytes, more than any photo")
        return file_sha256(path)
    except OSError as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error.strerror or error}.",
            "Check the path and its permissions.",
        ) from error
    except CorruptFileError as error:
        raise LikenessError(f"'{path}' cannot be read: {error}.", "Name a picture file.") from error


def _address_sha256(address: Address) -> str:
    with tempfile.TemporaryDirectory(prefix="likeness-photo-") as scratch:
        copy = Path(scratch) / "photo"
        fetch_address(address, copy, MAX_BYTES)
        return file_sha256(copy)


class _Named:
    """Hashes of body files and networks, each read once."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def body(self, path: str | None) -> str | None:
        return None if path is None else self._once(f"body {path}", lambda: _file(Path(path)))

    def data(self, path: str | Path | None) -> str | None:
        """Get the digest of a file or of a folder's files."""
        if path is None:
            return None
        read = _folder if Path(path).is_dir() else _file
        return self._once(f"data {path}", lambda: read(Path(path)))

    def asset(self, path: Path) -> str:
        """Get the digest of an asset of a MakeHuman library (.mhclo) with what it names."""

        def read() -> str:
            return _files(list_asset_files(path))

        return self._once(f"asset {path}", read)

    def network(self, choice: str) -> str | None:
        folder = find_network(choice)
        return None if folder is None else self._once(f"network {folder}", lambda: _folder(folder))

    def _once(self, name: str, make: Callable[[], str]) -> str:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


def _file(path: Path) -> str:
    try:
        file_size(path)  # neither a pipe nor a device
        return file_sha256(path)
    except CorruptFileError as error:
        raise LikenessError(f"'{path}' cannot be read: {error}.", "Check the path.") from error
    except OSError as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error.strerror or error}.", "Check the path."
        ) from error


def _folder(folder: Path) -> str:
    """The hash of all files in a folder and their names."""
    try:
        files: Iterator[Path] = iter(sorted(path for path in folder.iterdir() if path.is_file()))
    except OSError as error:
        raise LikenessError(
            f"The folder '{folder}' cannot be read: {error.strerror or error}.", "Check the path."
        ) from error
    return _files(files)


def _files(paths: Iterable[Path]) -> str:
    """The hash of files and their names."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {_file(path)}\n".encode())
    return digest.hexdigest()


def find_duplicates(units: Sequence[PortraitUnit]) -> dict[str, str]:
    """Units whose work is that of an earlier one: their names, with the earlier one's name."""
    first: dict[str, str] = {}
    again: dict[str, str] = {}
    for unit in units:
        if unit.digest and first.setdefault(unit.digest, unit.name) != unit.name:
            again[unit.name] = first[unit.digest]
    return again


def unit_to_json(unit: PortraitUnit, **more: Any) -> Mapping[str, Any]:
    """A unit as JSON-able mapping for a worker (:func:`.make.make_unit`)."""
    asked = unit.asked
    return {
        "key": unit.name,
        "digest": unit.digest,
        "photos": list(unit.photos),
        "photo": str(asked.photo.absolute()),
        "options": dict(asked.options),
        "views": [[direction, str(path.absolute())] for direction, path in asked.views],
        **more,
    }
