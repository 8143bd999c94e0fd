"""Virtual environments with pinned packages, and the system libraries that Blender needs."""

from __future__ import annotations

import ctypes.util
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .commands import ROOT, BuildError, print_step, run_quietly

VENV = ROOT / ".venv"
VENV_BPY50 = ROOT / ".venv-bpy50"
REQUIREMENTS = ROOT / "requirements"


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

    A stamp in the folder records what was installed, so a second call does nothing.
    """
    python = venv_python(folder)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8") if editable else ""
    wanted = hashlib.sha256("\n".join([*read_pins(pins), str(ROOT), pyproject]).encode())
    stamp = folder / f"likeness-{pins.stem}.sha256"
    if python.exists() and stamp.is_file() and stamp.read_text() == wanted.hexdigest():
        return python
    if not python.exists():
        print_step(f"Making {folder.name}")
        run_quietly("Making the environment", sys.executable, "-m", "venv", "--clear", folder)
    names = ", ".join(p for p in read_pins(pins) if p.startswith(("bpy=", "torch="))) or "the core"
    print_step(f"Installing {pins.relative_to(ROOT)} ({names}) into {folder.name}")
    # Without --no-compile, pip compiles all of torch's and Blender's thousands of modules first.
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile")
    run_quietly("Installing", *pip, "-r", pins)
    if editable:
        run_quietly("Installing likeness", *pip, "--no-deps", "--editable", ROOT)
    stamp.write_text(wanted.hexdigest())
    return python


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


def parse_missing_libraries(ldd_output: str) -> list[str]:
    """The names that ``ldd`` could not find, each once.

    >>> parse_missing_libraries("libXi.so.6 => not found\\n libm.so.6 => /lib/libm.so.6 (0x0)")
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
    return parse_missing_libraries("\n".join(found))


def software_gl_missing() -> list[str]:
    """Missing packages that drawing without a graphics card needs (Mesa's software renderer)."""
    if sys.platform != "linux":
        return []
    missing = [] if ctypes.util.find_library("EGL") else ["libegl1"]
    places = ("lib/*/dri/*swrast_dri.so", "lib*/dri/*swrast_dri.so")
    drivers = any(driver for place in places for driver in Path("/usr").glob(place))
    return missing if drivers else [*missing, "libgl1-mesa-dri"]


def ensure_system_libraries(python: Path, *, software_gl: bool = False) -> None:
    """Install what Blender needs from the system, where it can be done.

    Raises:
        BuildError: libraries are still missing; it names them and the command that installs them.
    """
    libraries = bpy_missing_libraries(python)
    packages = [DEBIAN_PACKAGES.get(name, name) for name in libraries]
    if software_gl:
        packages += [p for p in software_gl_missing() if p not in packages]
    if not packages:
        return
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        print_step(f"Installing system libraries for Blender: {' '.join(packages)}")
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        run_quietly("apt-get update", apt, "update", "-qq")
        run_quietly(
            "apt-get install", apt, "install", "-y", "-qq", "--no-install-recommends", *packages
        )
        return
    command = f"sudo apt-get install -y {' '.join(packages)}" if apt else "your package manager"
    missing = " ".join(libraries or packages)
    raise BuildError(f"Blender needs system libraries that are missing: {missing}. Run: {command}")
