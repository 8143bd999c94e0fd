#!/usr/bin/env python3.11
"""The task runner. Needs only Python 3.11.

    python build.py demo [--portrait PHOTO] [--out DIR]    a first avatar, in out/
    python build.py test [pytest arguments]                every test
    python build.py assets                                 body, detectors and pose library
    python build.py pictures [NAME ...]                    pictures of the poses and the wardrobe
    python build.py messages                               texts to translate
    python build.py package [--out DIR] [--all]            the Blender extension

Each makes the environment .venv with the versions of requirements/ and fills the user's cache
with the assets; both are reused. The parts are in tasks/.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tasks.assets import ensure_assets
from tasks.commands import ROOT, BuildError, print_step, run_command
from tasks.environment import (
    REQUIREMENTS,
    VENV,
    VENV_BPY50,
    ensure_environment,
    ensure_system_libraries,
    venv_script,
)
from tasks.extension import (
    BLENDER_RANGES,
    DEFAULT_PYTHONS,
    PLATFORM_TAGS,
    build_extension,
    detect_platform,
    write_index,
)
from tasks.library import draw_pictures, ensure_library, write_library
from tasks.messages import update_messages

PYTHON = (3, 11)
PARALLEL = (
    f"--numprocesses={min((os.cpu_count() or 1) + 1, 4)}",
    "--dist=loadfile",
    "--no-loadscope-reorder",
    "--max-worker-restart=0",
)
"""One more than there are cores: tests often wait, for processes of their own. A file of tests
shares its fixtures, and tests/conftest.py says which files come first; ``-n 0`` after these options
runs one test at a time. A process of tests that dies ends the run, which then names the test:
pytest-xdist would replace it, and wait for ever at the end."""
DONT_COMPILE = "PYTHONDONTWRITEBYTECODE"
"""The variable that keeps Python from storing the modules that it compiles."""


def build_demo(portrait: Path | None, out: Path | None) -> None:
    """Build a first avatar, from the sample portrait or from one's own."""
    python = ensure_environment(VENV, REQUIREMENTS / "bpy45.txt", editable=True)
    ensure_system_libraries(python)
    made = ensure_assets(python, sample=portrait is None)
    portrait = portrait or made
    out = out or ROOT / "out" / portrait.stem
    print_step(f"Building the avatar of {portrait.name}")
    run_command(venv_script(VENV, "likeness"), "build", portrait.absolute(), "-o", out.absolute())


def ensure_test_cache(assets: Path, sample: Path) -> None:
    """Copy the assets to .test-cache, so that tests neither read nor fill the user's cache."""
    cache = ROOT / ".test-cache" / "cache"
    downloads = cache / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    for path in sample.parent.iterdir():
        if not (downloads / path.name).is_file():
            shutil.copyfile(path, downloads / path.name)
    # What was compiled while the assets were made; each kernel's file names its digest.
    kernels = assets.parent / "numba"
    if kernels.is_dir() and not (cache / "numba").exists():
        shutil.copytree(kernels, cache / "numba")
    # Workers of a Blender keep theirs among its data, and would compile all of them again.
    link = cache.with_name("data") / "numba"
    if (cache / "numba").is_dir() and not link.exists() and os.name != "nt":
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(cache / "numba", target_is_directory=True)
    stamps = [f"{part}stamp.json" for part in ("", "poses/")]
    copied = cache / assets.name
    if all(
        (copied / name).is_file() and (copied / name).read_bytes() == (assets / name).read_bytes()
        for name in stamps
    ):
        return
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(assets, copied)


def fill_type_cache(python: Path) -> None:
    """Let mypy fill its cache; tests/test_lint.py says whether it agrees."""
    command = [python, "-m", "mypy", "engine"]
    quiet = subprocess.DEVNULL
    subprocess.run(command, cwd=ROOT, stdout=quiet, stderr=quiet, check=False)


def fill_bytecode_cache(python: Path) -> None:
    """Compile the modules that tests import, or each process of tests would compile them all."""
    command = [python, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider"]
    env = {name: value for name, value in os.environ.items() if name != DONT_COMPILE}
    quiet = subprocess.DEVNULL
    subprocess.run(command, cwd=ROOT, env=env, stdout=quiet, stderr=quiet, check=False)


def fill_environment(python: Path, *, fill_caches: bool) -> None:
    """Install what tests need besides Blender's module, and fill caches for all of them."""
    # Its packages are those already there and more: nothing that is used meanwhile changes.
    ensure_environment(VENV, REQUIREMENTS / "dev.txt", editable=False)
    if fill_caches:
        with ThreadPoolExecutor(2) as beside:
            beside.submit(fill_type_cache, python)
            beside.submit(fill_bytecode_cache, python)


def run_tests(arguments: Sequence[str]) -> int:
    """Run every test; returns pytest's exit code."""
    with ThreadPoolExecutor(2) as beside:
        pins = REQUIREMENTS / "bpy50.txt"
        other = beside.submit(ensure_environment, VENV_BPY50, pins, editable=False)
        # These suffice for the assets, which are made on one core.
        python = ensure_environment(VENV, REQUIREMENTS / "bpy45.txt", editable=True)
        rest = beside.submit(fill_environment, python, fill_caches=not arguments)
        ensure_system_libraries(python, software_gl=True)
        folder = ensure_assets(python)
        ensure_library(python, folder)
        ensure_test_cache(folder, ensure_assets(python, sample=True))
        other.result()
        rest.result()
    print_step("Running the tests")
    # Files of tests keep all cores busy with one thread each, and layers as small as theirs take
    # more time with several. Threads that spin while they wait stall a machine with few cores.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    env = {**threads, "OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    # Containers often set this; each of some hundred processes would compile torch and numba again.
    env.pop(DONT_COMPILE, None)
    command = [python, "-m", "pytest", *PARALLEL, *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def build_packages(
    out: Path, targets: Sequence[str], pythons: Sequence[str], index: bool
) -> list[Path]:
    """Build the extension, one zip per platform and Python of Blender; and the folder's index."""
    own = ensure_environment(VENV, REQUIREMENTS / "bpy45.txt", editable=True)
    folder = ensure_assets(own)
    ensure_library(own, folder)
    made = [
        build_extension(own, folder, target, out, python)
        for target in targets
        for python in pythons
    ]
    if index:
        write_index(own, out)
    return made


def rerun_in_python_311(argv: Sequence[str]) -> int | None:
    """Run this script again in Python 3.11 where another version started it.

    Raises:
        BuildError: Python 3.11 is missing.
    """
    if sys.version_info[:2] == PYTHON:
        return None
    found = shutil.which("python3.11")
    if not found:
        raise BuildError(
            f"Python 3.11 is needed (Blender 4.5 and 5.0 have it); this is "
            f"{platform.python_version()}. Install it and run: python3.11 build.py"
        )
    return subprocess.run([found, __file__, *argv], check=False).returncode


def create_parser() -> argparse.ArgumentParser:
    """The tasks and their options."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = top.add_subparsers(
        dest="task", required=True, metavar="{demo,test,assets,pictures,messages,package}"
    ).add_parser
    one = add("demo", help="build a first avatar")
    one.add_argument("--portrait", type=Path, help="your own photo")
    one.add_argument("--out", type=Path, help="where to write (default: out/NAME)")
    add("test", help="run the tests; what follows is handed to pytest")
    add("assets", help="make the body, the detectors and the pose library")
    one = add("pictures", help="draw the pictures of poses and wardrobe anew")
    one.add_argument(
        "names", nargs="*", metavar="NAME", help="of a pose, expression or item; else all"
    )
    add("messages", help="collect the texts of the source into addon/messages.json")
    one = add("package", help="make the Blender extension")
    one.add_argument("--out", type=Path, default=ROOT / "dist")
    chosen = one.add_mutually_exclusive_group()
    chosen.add_argument("--platform", action="append", choices=sorted(PLATFORM_TAGS))
    chosen.add_argument("--all", action="store_true", help="for every platform")
    one.add_argument(
        "--python",
        action="append",
        choices=sorted(BLENDER_RANGES),
        help="of Blender: 3.11 up to 5.0, 3.13 from 5.1, 3.14 in Debian's (default: 3.11 and 3.13)",
    )
    one.add_argument(
        "--index", action="store_true", help="write index.json: a repository to install from"
    )
    one = add("pose-library")  # internal: the part of "assets" that needs bpy
    one.add_argument("path", type=Path)
    return top


def main(argv: Sequence[str]) -> int:
    """Run one task; returns the exit code."""
    options, more = create_parser().parse_known_args(argv)
    if more and options.task != "test":
        create_parser().error(f"unrecognized arguments: {' '.join(more)}")
    try:
        code = rerun_in_python_311(argv)
        if code is not None:
            return code
        if options.task == "demo":
            build_demo(options.portrait, options.out)
        elif options.task == "test":
            return run_tests(more)
        elif options.task == "assets":
            python = ensure_environment(VENV, REQUIREMENTS / "bpy45.txt", editable=True)
            ensure_library(python, ensure_assets(python))
        elif options.task == "pictures":
            python = ensure_environment(VENV, REQUIREMENTS / "bpy45.txt", editable=True)
            ensure_assets(python)
            draw_pictures(python, options.names)
        elif options.task == "pose-library":
            write_library(options.path)
        elif options.task == "messages":
            update_messages()
        elif options.task == "package":
            targets = sorted(PLATFORM_TAGS) if options.all else options.platform
            build_packages(
                options.out.absolute(),
                targets or [detect_platform()],
                options.python or DEFAULT_PYTHONS,
                options.index,
            )
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
