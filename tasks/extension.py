"""The Blender extension: zips per platform and Python, made with Blender's own tool.

Blender 4.5 and 5.0 have Python 3.11, 5.1 and later 3.13, and a compiled wheel serves one Python
on one platform. Python 3.14 is that of Debian's build of Blender.
"""

from __future__ import annotations

import base64
import hashlib
import operator
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .commands import ROOT, BuildError, print_step, run_quietly
from .environment import REQUIREMENTS, read_pins
from .extension_check import MAX_ZIP_BYTES, find_faults
from .notices import format_notices

RUNTIME = (
    "__init__.py",
    "__main__.py",
    "LICENSE",
    "addon",
    "engine",
    "operators",
    "panels",
    "presets",
)
"""Files of the source tree in the extension, besides the manifest, wheels and assets."""

NOTICES = "THIRD_PARTY.md"

PLATFORM_TAGS = {
    "linux-x64": [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17)]
    + ["manylinux2014_x86_64"],
    "windows-x64": ["win_amd64"],
    "macos-arm64": [f"macosx_{major}_0_arm64" for major in (14, 13, 12, 11)],
}
"""Blender's name of a platform -> wheel tags that run on it. ONNX Runtime needs macOS 14."""

SYS_PLATFORMS = {"linux-x64": "linux", "windows-x64": "win32", "macos-arm64": "darwin"}
"""Blender's name of a platform -> Python's."""


@dataclass(frozen=True)
class BlenderRange:
    """The Blender versions with one Python.

    Attributes:
        first: the first of them.
        end: the first with another Python; empty while unknown.
        label: in the zip's name.
    """

    first: str
    end: str
    label: str


BLENDER_RANGES = {
    "3.11": BlenderRange("4.5.0", "5.1.0", "blender-4.5-to-5.0"),
    "3.13": BlenderRange("5.1.0", "", "blender-5.1-up"),
    "3.14": BlenderRange("5.1.0", "", "blender-5.1-up-python-3.14"),
}
"""Python version -> the Blender versions that have it."""

DEFAULT_PYTHONS = ("3.11", "3.13")
"""Those of the Blender Foundation's builds."""

PRUNED = {"pocketsphinx": "pocketsphinx/model/en-us/en-us.lm.bin"}
"""Package -> file of its wheel that is replaced by a smaller one (:mod:`.word_model`)."""

BLENDERS_OWN = {"numpy"}
"""Never shipped: Blender has its own, and two versions of it clash."""

_COMPARE = {"==": operator.eq, "<": operator.lt, ">=": operator.ge}
_MARKER = re.compile(r'(sys_platform|python_version) (==|<|>=) "([\w.]+)"')


def detect_platform() -> str:
    """Blender's name of this machine's platform.

    Raises:
        BuildError: no extension is made for it.
    """
    names = {python: blender for blender, python in SYS_PLATFORMS.items()}
    if sys.platform not in names:
        raise BuildError(f"No extension is made for {sys.platform}. Choose one with --platform.")
    name = names[sys.platform]
    if name == "macos-arm64" and platform.machine() != "arm64":
        raise BuildError("No extension is made for Intel Macs. Choose one with --platform.")
    return name


def select_pins(pins: Sequence[str], target: str, python: str) -> list[str]:
    """The requirements whose wheels go into the extension for a platform and a Python.

    >>> pins = ["numpy==1", "tqdm==4", 'colorama==0 ; sys_platform == "win32"',
    ...         'six==1 ; python_version < "3.14"', 'six==2 ; python_version >= "3.14"']
    >>> select_pins(pins, "linux-x64", "3.11")
    ['tqdm==4', 'six==1']
    """
    shipped = []
    for pin in pins:
        requirement, _, marker = (part.strip() for part in pin.partition(";"))
        if requirement.split("==")[0].lower() in BLENDERS_OWN:
            continue
        if not marker or _applies(pin, marker, target, python):
            shipped.append(requirement)
    return shipped


def _applies(pin: str, marker: str, target: str, python: str) -> bool:
    found = _MARKER.fullmatch(marker)
    if not found:
        raise BuildError(f"The marker of '{pin}' is not understood.")
    name, sign, wanted = found.groups()
    if name == "sys_platform":
        return bool(_COMPARE[sign](SYS_PLATFORMS[target], wanted))
    return bool(_COMPARE[sign](_version(python), _version(wanted)))


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def collect_wheels(interpreter: Path, target: str, python: str, folder: Path) -> list[Path]:
    """Download the core's wheels for a platform and a Python into ``folder``."""
    print_step(f"Collecting wheels for {target}, Python {python}")
    tags = [word for tag in PLATFORM_TAGS[target] for word in ("--platform", tag)]
    pins = read_pins(REQUIREMENTS / "core.txt")
    run_quietly(
        f"Collecting wheels for {target}, Python {python}",
        *(interpreter, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"),
        *("--no-deps", "--only-binary=:all:", "--python-version", python),
        *("--implementation", "cp", *tags, "-d", folder),
        *select_pins(pins, target, python),
    )
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        name = PRUNED.get(wheel.name.split("-")[0].lower())
        if name:
            pruned = folder / "words.lm.bin"
            script = ROOT / "tasks" / "word_model.py"
            run_quietly("Pruning the model of words", interpreter, script, pruned)
            replace_file(wheel, name, pruned.read_bytes())
            pruned.unlink()
    return wheels


def replace_file(wheel: Path, name: str, content: bytes) -> None:
    """Replace a file of a wheel, also in its list of files.

    Raises:
        BuildError: the wheel has no such file.
    """
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    row = f"{name},sha256={digest},{len(content)}\n"
    part = wheel.with_suffix(".part")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(part, "w") as target:
        if name not in source.namelist():
            raise BuildError(f"{wheel.name} has no {name}.")
        for item in source.infolist():
            own = content if item.filename == name else source.read(item)
            if item.filename.endswith(".dist-info/RECORD"):
                rows = own.decode().splitlines(keepends=True)
                own = "".join(row if r.split(",")[0] == name else r for r in rows).encode()
            target.writestr(item, own)
    part.replace(wheel)


def squeeze_wheels(wheels: Sequence[Path], room: int) -> None:
    """Pack the largest wheels anew with LZMA, as many as it takes for all to fit into ``room``.

    Wheels come deflated, which Python's zipfile and so Blender's installer read as well. Their
    files stay the same.
    """
    large = sorted(wheels, key=lambda wheel: wheel.stat().st_size, reverse=True)
    # LZMA saves a quarter or more of each.
    excess = sum(wheel.stat().st_size for wheel in wheels) - room
    chosen: list[Path] = []
    while excess > 0 and large:
        chosen.append(large.pop(0))
        excess -= chosen[-1].stat().st_size // 4
    if chosen:
        print_step(f"Packing {len(chosen)} wheels more tightly")
    with ThreadPoolExecutor() as pool:
        list(pool.map(_repack, chosen))


def _repack(wheel: Path) -> None:
    packed = wheel.with_suffix(".part")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(packed, "w") as target:
        for item in source.infolist():
            content = source.read(item)
            item.compress_type = zipfile.ZIP_LZMA
            target.writestr(item, content)
    packed.replace(wheel)


def extension_manifest(source: str, wheels: Sequence[str], target: str, python: str) -> str:
    """The manifest of one zip: ``source`` with its platform, wheels and Blender versions.

    >>> source = 'id = "a"\\nblender_version_min = "4.5.0"\\n[permissions]\\n'
    >>> print(extension_manifest(source, ["x.whl"], "linux-x64", "3.11"))
    id = "a"
    blender_version_min = "4.5.0"
    blender_version_max = "5.1.0"
    platforms = ["linux-x64"]
    wheels = [
      "./wheels/x.whl",
    ]
    <BLANKLINE>
    [permissions]
    <BLANKLINE>
    """
    blenders = BLENDER_RANGES[python]
    bounds = f'blender_version_min = "{blenders.first}"'
    if blenders.end:
        bounds += f'\nblender_version_max = "{blenders.end}"'
    source, replaced = re.subn(r"^blender_version_min = .*$", bounds, source, flags=re.MULTILINE)
    if replaced != 1:
        raise BuildError("blender_manifest.toml must say blender_version_min once.")
    listed = "".join(f'  "./wheels/{name}",\n' for name in wheels)
    added = f'platforms = ["{target}"]\nwheels = [\n{listed}]\n\n'
    head, table, rest = re.split(r"^(\[)", source, maxsplit=1, flags=re.MULTILINE)
    return f"{head.rstrip()}\n{added}{table}{rest}"


def stage_extension(folder: Path, assets: Path) -> None:
    """Copy the runtime files and the assets to the folder that becomes the zip."""
    ignore = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc", "*.blend[0-9]", ".*")
    for name in RUNTIME:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        elif source.is_file():
            shutil.copy2(source, folder / name)
    shutil.copytree(assets, folder / "assets", ignore=shutil.ignore_patterns("stamp.json", ".*"))


def extension_tool(python: Path) -> Path:
    """Blender's own builder of extensions, from the bpy module."""
    code = "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    (tool,) = Path(done.stdout.strip()).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    return tool


def find_tags_file(tool: Path) -> Path:
    """The file with the tags that Blender's extension platform accepts."""
    scripts = next(path for path in tool.parents if path.name == "scripts")
    return scripts / "modules" / "_bpy_internal" / "extensions" / "tags.py"


def zip_name(version: str, target: str, python: str) -> str:
    """The name of the zip for a platform and a Python.

    >>> zip_name("1.0.0", "linux-x64", "3.13")
    'likeness-1.0.0-blender-5.1-up-linux-x64.zip'
    """
    return f"likeness-{version}-{BLENDER_RANGES[python].label}-{target}.zip"


def build_extension(
    interpreter: Path,
    assets: Path,
    target: str,
    out: Path,
    python: str = "3.11",
    squeeze: bool = True,
) -> Path:
    """Make and validate the zip of one platform and one Python.

    Args:
        interpreter: the environment's, which has pip and bpy.
        assets: the folder that ``build.py assets`` fills.
        target: Blender's name of the platform.
        out: the folder for the zip.
        python: of the Blenders that it is for, a key of :data:`BLENDER_RANGES`.
        squeeze: recompress wheels to stay below the size limit, which takes minutes.

    Raises:
        BuildError: the manifest lacks a version, or the zip must not be shipped.
    """
    manifest = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', manifest, re.MULTILINE)
    if not version:
        raise BuildError("blender_manifest.toml has no version.")
    tool = extension_tool(interpreter)
    out.mkdir(parents=True, exist_ok=True)
    path = out / zip_name(version[1], target, python)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        stage = Path(scratch) / "likeness"
        stage.mkdir()
        stage_extension(stage, assets)
        files = [file for file in stage.rglob("*") if file.is_file()]
        wheels = collect_wheels(interpreter, target, python, stage / "wheels")
        if squeeze:
            own = sum(len(zlib.compress(file.read_bytes())) for file in files)
            squeeze_wheels(wheels, MAX_ZIP_BYTES - own)
        limit = MAX_ZIP_BYTES if squeeze else sys.maxsize
        (stage / NOTICES).write_text(format_notices(wheels, PRUNED), encoding="utf-8")
        text = extension_manifest(manifest, [w.name for w in wheels], target, python)
        (stage / "blender_manifest.toml").write_text(text, encoding="utf-8")
        made = Path(scratch) / path.name
        print_step(f"Building {path.name}")
        run_quietly(
            *("Building the extension", interpreter, tool, "build"),
            *("--source-dir", stage, "--output-filepath", made),
        )
        run_quietly(
            *("Validating the extension", interpreter, tool, "validate"),
            *("--valid-tags", find_tags_file(tool), made),
        )
        wrong = find_faults(made, target, python, [str(ROOT), str(Path.home())], limit)
        if wrong:
            raise BuildError("\n".join([f"{path.name} is not fit to be shipped:", *wrong]))
        made.replace(path)
    print(f"{path} ({path.stat().st_size / 1e6:.0f} MB)")
    return path


def write_index(interpreter: Path, folder: Path) -> Path:
    """Write the index of a folder of zips, from which Blender can install as from a repository.

    Returns:
        ``index.json``; users give Blender its address on the server that hosts the folder.
    """
    print_step(f"Writing the index of {folder}")
    run_quietly(
        *("Writing the index", interpreter, extension_tool(interpreter), "server-generate"),
        *("--repo-dir", folder, "--html"),
    )
    return folder / "index.json"
