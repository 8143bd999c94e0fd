"""Checks of a finished zip.

Blender ignores unknown keys, and does not check that the files in a manifest exist.
"""

from __future__ import annotations

import re
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

MAX_ZIP_BYTES = 200_000_000
MAX_REASON = 64
"""Upper limit of characters in a permission's reason, and in the tagline."""

REQUIRED = {
    "schema_version",
    "id",
    "version",
    "name",
    "tagline",
    "maintainer",
    "type",
    "blender_version_min",
    "license",
}
OPTIONAL = {
    "blender_version_max",
    "website",
    "copyright",
    "tags",
    "platforms",
    "wheels",
    "permissions",
    "build",
}
PERMISSIONS = {"files", "network", "clipboard", "camera", "microphone"}

NEEDED = (
    "__init__.py",
    "LICENSE",
    "THIRD_PARTY.md",
    "addon/cli/main.py",
    "engine/workflows/worker/main.py",
    "operators/__init__.py",
    "panels/__init__.py",
    "assets/body.npz",
    "assets/poses/likeness_poses.blend",
    "addon/messages.json",
)
ALLOWED_PATHS = {
    "LICENSE",
    "THIRD_PARTY.md",
    "__init__.py",
    "__main__.py",
    "addon",
    "assets",
    "blender_manifest.toml",
    "engine",
    "operators",
    "panels",
    "presets",
    "wheels",
}
UNWANTED = re.compile(
    r"(^|/)(__pycache__|tests?|\.[^/]*|[^/]*\.(pyc|nbi|nbc|part|orig|blend\d))(/|$)"
)
TEXTS = (".py", ".toml", ".json", ".md", ".csv", ".txt")
PYTHON_PREFIX = {"linux-x64": ("manylinux",), "windows-x64": ("win_",), "macos-arm64": ("macosx",)}


def find_faults(
    path: Path, target: str, python: str, private: Sequence[str] = (), limit: int = MAX_ZIP_BYTES
) -> list[str]:
    """Find the faults of a zip, one line each; none where it can be shipped.

    Args:
        path: the zip.
        target: Blender's name of its platform.
        python: its Python, such as "3.11".
        private: folders of this machine, which no text in it may name.
        limit: bytes that it must stay below.
    """
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        try:
            manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        except (KeyError, tomllib.TOMLDecodeError) as error:
            return [f"the manifest cannot be read: {error}"]
        return [
            *_size(path, limit),
            *_files(names),
            *_texts(archive, names, private),
            *find_manifest_faults(manifest),
            *_wheels(manifest, names, target, python),
        ]


def _size(path: Path, limit: int) -> Iterator[str]:
    size = path.stat().st_size
    if size >= limit:
        yield f"it has {size / 1e6:.0f} MB; the limit is {limit / 1e6:.0f}"


def _files(names: Sequence[str]) -> Iterator[str]:
    yield from (f"{name} is missing" for name in NEEDED if name not in names)
    yield from (f"{name} does not belong in it" for name in names if UNWANTED.search(name))
    rooms = {name.split("/")[0] for name in names}
    yield from (f"{room} does not belong in it" for room in sorted(rooms - ALLOWED_PATHS))


def _texts(archive: zipfile.ZipFile, names: Sequence[str], private: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name.endswith(TEXTS):
            text = archive.read(name).decode(errors="replace")
            yield from (f"{name} names {folder}" for folder in private if folder in text)


def find_manifest_faults(manifest: dict[str, Any]) -> list[str]:
    """Find the faults of a manifest itself; also of the one in the source tree."""
    wrong = [f"the manifest lacks {key}" for key in sorted(REQUIRED - set(manifest))]
    wrong += [
        f"Blender does not know the manifest's {key}"
        for key in sorted(set(manifest) - REQUIRED - OPTIONAL)
    ]
    permissions = manifest.get("permissions", {})
    wrong += [f"there is no permission {key}" for key in sorted(set(permissions) - PERMISSIONS)]
    for name, text in [("tagline", manifest.get("tagline", "")), *permissions.items()]:
        if not text or len(text) > MAX_REASON or not (text[-1].isalnum() or text[-1] in ")]}"):
            wrong.append(
                f"the text of {name} has to have 1 to {MAX_REASON} characters, no full stop at "
                f"its end: {text!r}"
            )
    return wrong


def _wheels(
    manifest: dict[str, Any], names: Sequence[str], target: str, python: str
) -> Iterator[str]:
    if manifest.get("platforms") != [target]:
        yield f"its platforms are {manifest.get('platforms')}, not {target}"
    listed = {wheel.removeprefix("./") for wheel in manifest.get("wheels", ())}
    there = {name for name in names if name.startswith("wheels/")}
    yield from (f"{name} is listed and missing" for name in sorted(listed - there))
    yield from (f"{name} is not listed" for name in sorted(there - listed))
    packages: dict[str, str] = {}
    for name in sorted(there):
        parts = name.removeprefix("wheels/").removesuffix(".whl").split("-")
        if len(parts) not in (5, 6):
            yield f"{name} is not a wheel's name"
            continue
        package, (interpreter, abi, tags) = parts[0].lower(), parts[-3:]
        if package in packages:
            yield f"{name} and {packages[package]} are the same package"
        packages[package] = name
        own = f"cp{python.replace('.', '')}"
        if not (abi in ("none", "abi3") or (interpreter == own and abi == own)):
            yield f"{name} is not for Python {python}"
        if tags != "any" and not tags.startswith(PYTHON_PREFIX[target]):
            yield f"{name} is not for {target}"
    if "numpy" in packages:
        yield "numpy is Blender's own and must not be shipped"
