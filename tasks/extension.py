"""The Blender extension: one zip per platform, made and validated with Blender's own tool."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .commands import ROOT, BuildError, run_quietly, step
from .environment import REQUIREMENTS, read_pins

MAX_ZIP_BYTES = 200_000_000

RUNTIME = (
    "__init__.py", "__main__.py", "LICENSE", "addon", "engine", "operators", "panels",
)  # fmt: skip
"""What of the tree goes into the extension, besides the manifest, wheels and assets."""

PLATFORM_TAGS = {
    "linux-x64": [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17)]
    + ["manylinux2014_x86_64"],
    "windows-x64": ["win_amd64"],
    "macos-arm64": [f"macosx_{major}_0_arm64" for major in (14, 13, 12, 11)],
}
"""Blender's name of a platform -> wheel tags that run on it."""

BLENDERS_OWN = {"numpy"}
"""Never shipped: Blender has its own, and two versions of it clash."""


def this_platform() -> str:
    """Blender's name of the machine that this runs on."""
    names = {"linux": "linux-x64", "win32": "windows-x64", "darwin": "macos-arm64"}
    if sys.platform not in names:
        raise BuildError(f"No extension is made for {sys.platform}. Choose one with --platform.")
    name = names[sys.platform]
    if name == "macos-arm64" and platform.machine() != "arm64":
        raise BuildError("No extension is made for Intel Macs. Choose one with --platform.")
    return name


def shipped_pins(pins: Sequence[str], target: str) -> list[str]:
    """The requirements whose wheels go into the extension for a platform.

    >>> shipped_pins(["numpy==1", "tqdm==4", 'colorama==0 ; sys_platform == "win32"'], "linux-x64")
    ['tqdm==4']
    """
    shipped = []
    for pin in pins:
        requirement, _, marker = (part.strip() for part in pin.partition(";"))
        if marker not in ("", 'sys_platform == "win32"'):
            raise BuildError(f"The marker of '{pin}' is not understood.")
        wanted = not marker or target == "windows-x64"
        if wanted and requirement.split("==")[0].lower() not in BLENDERS_OWN:
            shipped.append(requirement)
    return shipped


def collect_wheels(python: Path, target: str, folder: Path) -> list[Path]:
    """Download the core's wheels for a platform into ``folder``."""
    step(f"Collecting wheels for {target}")
    tags = [word for tag in PLATFORM_TAGS[target] for word in ("--platform", tag)]
    run_quietly(
        "Collecting wheels",
        *(python, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"),
        *("--no-deps", "--only-binary=:all:", "--python-version", "3.11"),
        *("--implementation", "cp", *tags, "-d", folder),
        *shipped_pins(read_pins(REQUIREMENTS / "core.txt"), target),
    )
    return sorted(folder.glob("*.whl"))


def extension_manifest(source: str, wheels: Sequence[str], target: str) -> str:
    """The manifest of one platform's zip: ``source`` with ``platforms`` and ``wheels``.

    >>> print(extension_manifest('id = "a"\\n[permissions]\\n', ["x.whl"], "linux-x64"))
    id = "a"
    platforms = ["linux-x64"]
    wheels = [
      "./wheels/x.whl",
    ]
    <BLANKLINE>
    [permissions]
    <BLANKLINE>
    """
    listed = "".join(f'  "./wheels/{name}",\n' for name in wheels)
    added = f'platforms = ["{target}"]\nwheels = [\n{listed}]\n\n'
    head, table, rest = re.split(r"^(\[)", source, maxsplit=1, flags=re.MULTILINE)
    return f"{head.rstrip()}\n{added}{table}{rest}"


def stage_extension(folder: Path, assets: Path) -> None:
    """Copy the runtime files and the assets to where the zip is made from."""
    ignore = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for name in RUNTIME:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)
    shutil.copytree(assets, folder / "assets", ignore=shutil.ignore_patterns("stamp.json"))


def extension_tool(python: Path) -> Path:
    """Blender's own builder of extensions, out of the bpy module."""
    code = "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    (tool,) = Path(done.stdout.strip()).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    return tool


def build_extension(python: Path, assets: Path, target: str, out: Path) -> Path:
    """Make and validate the zip of one platform."""
    manifest = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', manifest, re.MULTILINE)
    if not version:
        raise BuildError("blender_manifest.toml has no version.")
    tool = extension_tool(python)
    out.mkdir(parents=True, exist_ok=True)
    zip_path = out / f"likeness-{version[1]}-{target.replace('-', '_')}.zip"
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        stage = Path(scratch) / "likeness"
        stage.mkdir()
        stage_extension(stage, assets)
        wheels = collect_wheels(python, target, stage / "wheels")
        text = extension_manifest(manifest, [w.name for w in wheels], target)
        (stage / "blender_manifest.toml").write_text(text, encoding="utf-8")
        made = Path(scratch) / zip_path.name
        step(f"Building {zip_path.name}")
        run_quietly(
            *("Building the extension", python, tool, "build"),
            *("--source-dir", stage, "--output-filepath", made),
        )
        run_quietly("Validating the extension", python, tool, "validate", made)
        size = made.stat().st_size
        if size >= MAX_ZIP_BYTES:
            raise BuildError(f"{zip_path.name} has {size / 1e6:.0f} MB; the limit is 200 MB.")
        made.replace(zip_path)
    print(f"{zip_path} ({size / 1e6:.0f} MB)")
    return zip_path
